#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the man pages out of the headers: what stands above a function there is its page.

    man3/corio_go.3             a page for each doc comment, with the declarations below it
    man3/corio_go_copy.3        .so links for the other names that it declares
    man7/corio.7                what the library is, its headers, and all their functions
    man7/corio-sqlite.7         the same for each dispatcher library

A doc comment begins with the name of a function and a colon. A declaration without one is an error: nothing is
undocumented by accident. The words "name:" of a parameter, "Returns", "Suspends:", "Thread:", "Cancelled:" and "Errors:"
at the beginning of a sentence begin the parts of a page.

Usage: man.py README EXAMPLE OUTPUT_DIR VERSION HEADER...
"""
import errno
import os
import re
import shutil
import sys
import textwrap

# Headers of these are libraries of their own; all others are corio's.
LIBRARIES = ("blocking", "sqlite", "postgres", "uring", "redis", "http")
# The order of corio(7); what is not here comes last.
ORDER = ("runtime", "task", "io", "typed", "batch", "group", "cancel", "time", "fail", "error")
# Codes whose usual words are about something else.
MEANINGS = {"-ECANCELED": "the calling task is cancelled", "-ETIMEDOUT": "the deadline has passed"}
CODE_TEXTS = {}  # of corio's own codes
CODES = r"(?:-E[A-Z0-9]+|CORIO_(?:[A-Z]+_)?E[A-Z]+)"


class Header:
    """What a header holds: its own comment, and groups of (comment, declarations)."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        CODE_TEXTS.update(re.findall(r'X\((CORIO_\w+), -\d+,\s*(?:\\\s*)?"(.*?)"\)', text))
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.include = "corio/%s.h" % self.name if self.name != "corio" else "corio.h"
        self.library = "corio-" + self.name if self.name in LIBRARIES else "corio"
        items = list(pieces(text))
        self.about = re.sub(r"^SPDX-License-Identifier:.*\n+", "", items[0][1])
        self.groups = []
        self.types = {}
        comment = None
        for kind, piece in items[1:]:
            if kind == "comment":
                comment = piece
                continue
            for name in type_names(piece):
                self.types[name] = (comment, piece)
            names = function_names(piece)
            if names and not (comment and re.match(r"(corio_\w+)(, (corio)?_\w+)*:", comment)):
                if "CORIO_API" in piece:
                    sys.exit("%s: no comment that begins with its name above %s" % (path, names[0]))
                names = []
            if names:
                self.groups.append(Group(self, comment, piece, names))
            comment = None


class Group:
    def __init__(self, header, comment, declarations, names):
        self.header = header
        self.comment = comment
        self.declarations = declarations
        first = re.match(r"corio_\w+", comment).group()
        if first not in names:
            sys.exit("%s: the comment of %s stands above %s" % (header.include, first, names[0]))
        self.title = first
        self.names = [first] + [name for name in names if name != first]
        declared = re.sub(r"\s+", " ", declarations)
        self.parameters = set(re.findall(r"(\w+)(?=[,)])", declared)) - {"void"}


def pieces(text):
    """Cuts a header into ("comment", text without decoration) and ("code", text up to the next comment or empty line)."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        if lines[at].startswith("/*"):
            end = at
            while "*/" not in lines[end]:
                end += 1
            inner = "\n".join(lines[at:end + 1]).replace("/*", "", 1).rsplit("*/", 1)[0]
            yield "comment", "\n".join(re.sub(r"^ \*(?: |$)", "", line).rstrip() for line in inner.strip().split("\n"))
            at = end + 1
        elif lines[at].strip():
            end = at
            depth = 0
            while end < len(lines) and (lines[end].strip() or depth > 0) and not (end > at and lines[end].startswith("/*")):
                code = re.sub(r"/\*.*?\*/", "", lines[end])
                depth += code.count("{") - code.count("}")
                depth = 0 if code.startswith("#") or "extern \"C\"" in code else depth
                end += 1
            yield "code", "\n".join(lines[at:end])
            at = end
        else:
            at += 1


def function_names(code):
    """Names of functions and of the macros that stand for them."""
    plain = re.sub(r"/\*.*?\*/", "", code, flags=re.S)
    plain = re.sub(r"^#(?!define).*$", "", plain, flags=re.M)
    plain = re.sub(r"__attribute__\(\(.*?\)\)(?=\n)", "", plain)
    names = []
    for match in re.finditer(r"^#define (corio_\w+)\(|CORIO_API\s[^;]*?\b(corio_\w+)\(", plain, re.M):
        names.append(match.group(1) or match.group(2))
    return names


def type_names(code):
    """Types that have a body here, or are function types."""
    names = re.findall(r"^typedef (?:struct|enum) (corio_\w+) \{", code, re.M)
    return names + re.findall(r"^typedef \w[\w *]*?\b(corio_\w+_fn)\(", code, re.M)


def escape(text):
    text = text.replace("\\", "\\e").replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    return text.replace("`", "\\(ga")


def roff_code(text):
    lines = [escape(line).replace("-", "\\-") for line in textwrap.dedent(text).rstrip("\n").split("\n")]
    return "\n".join(("\\&" + line if line[:1] in (".", "\\") and not line.startswith("\\-") else line)
                     for line in lines)


def code_block(text):
    return ".PP\n.in +4n\n.EX\n%s\n.EE\n.in\n" % roff_code(text)


def flow(text, bold=True):
    """A paragraph's words, one sentence a line. No line begins with a control character."""
    text = escape(" ".join(text.split()))
    text = re.sub(r"(?<![\w\\])-(?=[A-Za-z0-9-])", r"\\-", text)
    text = re.sub(r"\\\(ga(.*?)\\\(ga", r"\\fI\1\\fP", text)
    text = re.sub(r"\\-[a-z][\w-]*", lambda m: "\\-" + m.group()[2:].replace("-", "\\-"), text)
    if bold:
        text = re.sub(r"\b(corio_\w+)(\.h)?", lambda m: "\\fB%s\\fP%s" % (m.group(1), m.group(2) or ""), text)
    lines = re.sub(r"([.:;]\)?) (?=\S)", r"\1\n", text).split("\n")
    return "".join(("\\&" if line[0] in ".'" else "") + line + "\n" for line in lines if line)


def paragraphs(text):
    """(kind, text) of a comment. "code" is what is indented by four, "list" a paragraph indented by two, else "text"."""
    for block in re.split(r"\n(?:[ ]*\n)+", text.strip("\n")):
        if re.match(r"  \S", block):
            yield "list", block
            continue
        kind = "text"
        part = []
        for line in block.split("\n"):
            now = "code" if line.startswith("    ") or (kind == "code" and line.startswith("  ")) else "text"
            if now != kind and part:
                yield kind, "\n".join(part)
                part = []
            kind = now
            part.append(line)
        yield kind, "\n".join(part)


def prose(text):
    out = []
    for kind, part in paragraphs(text):
        if kind == "code":
            out.append(code_block(part))
            continue
        # A list is "  name   words", further lines are indented more.
        for item in re.split(r"\n(?=  \S)", part) if kind == "list" else [part]:
            entry = re.match(r"  (\S+(?: \S+)*)   *(\S.*)", item, re.S) if kind == "list" else None
            if entry:
                out.append(".TP\n.B %s\n%s" % (escape(entry.group(1)), flow(capital(entry.group(2)))))
            else:
                out.append(".PP\n" + flow(item))
    return "".join(out)


def parts(group):
    """Cuts a doc comment at its labels: [(label, kind, text)], kind one of text, code."""
    label = r"((?:corio)?_\w+|Suspends|Thread|Cancelled|Errors|%s)" % "|".join(
        sorted(map(re.escape, group.parameters), key=len, reverse=True) or ["-"])
    pattern = re.compile(r"(?:^|(?<=[.;)] )|(?<=[.;)]\n))(?:(%s(?:, %s)*):\s|(?=Returns\s))" % (label, label), re.M)
    current = ""
    for kind, text in paragraphs(group.comment):
        if kind != "text":
            yield current, kind, text
            continue
        at = 0
        for match in pattern.finditer(text):
            # Only words at the beginning of a sentence; a line of the comment may begin anywhere.
            before = text[:match.start()].rstrip()
            if before and before[-1] not in ".;)":
                continue
            if current == "Errors" and (match.group(1) or "").startswith("corio_"):
                continue  # the codes of one of several functions
            if before:
                yield current, "text", text[at:match.start()]
            current = match.group(1) or "Returns"
            at = match.end()
        if text[at:].strip():
            yield current, "text", text[at:]
        current = ""


def meaning(code):
    """What corio_strerror says, where that says it."""
    if code in MEANINGS:
        return MEANINGS[code]
    if code.startswith("-E"):
        return os.strerror(getattr(errno, code[1:]))
    return CODE_TEXTS.get(code, code)


def errors(text):
    """"-EA words; -EB, -EC words" as a list."""
    out = []
    for item in re.split(r";\s+(?![^(]*\))", " ".join(text.split()).rstrip(".")):
        item = item.rstrip(";")
        match = re.match(r"(.*?: )?(%s(?:, %s)*)(?: (.*))?$" % (CODES, CODES), item)
        if not match:
            out.append(".PP\n" + flow(capital(item + ".")))
            continue
        if match.group(1):
            out.append(".PP\n" + flow(match.group(1)[:1].upper() + match.group(1)[1:]))
        words = match.group(3) or "; ".join(meaning(code) for code in match.group(2).split(", "))
        out.append(".TP\n.B %s\n%s" % (escape(match.group(2)).replace("-", "\\-"), flow(capital(words + "."))))
    return "".join(out)


def capital(text):
    """With a capital letter, unless it begins with a name; and a full stop."""
    text = re.sub(r"[;,]$", ".", text.strip())
    word = text.split(None, 1)[0] if text else ""
    return text if (len(word) < 2 and word != "a") or not re.fullmatch(r"[a-z-]+[,.:;]?", word) else text[:1].upper() + text[1:]


def summary(group):
    text = ""
    for label, kind, words in parts(group):
        if kind == "text" and (label == "" or label.startswith("corio_")):
            text = words
            break
    text = " ".join((text or group.title).split()).replace("`", "")
    return re.split(r"[.;:](?:\s|$)| \(", text)[0]


def page(name, section, version, body):
    body = re.sub(r"^(\.S[HS] .*\n)\.PP\n", r"\1", body, flags=re.M)
    return '.\\" SPDX-License-Identifier: MIT\n.\\" Made by docs/man.py from the headers.\n' \
           '.TH %s %s "" "corio %s" "corio"\n%s' % (escape(name).replace("-", "\\-"), section, version, body)


def synopsis(group):
    lines = []
    for line in group.declarations.split("\n"):
        if line.startswith(("#if", "#endif", "__attribute__", "#else")):
            continue
        lines.append(line)
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    text = re.sub(r"^ {10}", "", text, flags=re.M)
    text = re.sub(r"CORIO_API\s+|\s*CORIO_MUST_CHECK", "", text)
    text = re.sub(r"^#define (\w+\([^)]*\))\s+.*$", r"\1", text, flags=re.M)
    include = group.header.include if group.header.library != "corio" else "corio.h"
    return ".SH SYNOPSIS\n.nf\n.B #include <%s>\n.PP\n%s\n.fi\n.PP\n" % (include, roff_code(text)) + \
           "Link with\n.IR \"pkg\\-config \\-\\-cflags \\-\\-libs %s\" .\n" % group.header.library.replace("-", "\\-")


def full_name(group, label):
    """"_until" stands for the function whose name ends so."""
    return next((name for name in group.names if label.startswith("_") and name.endswith(label)), label)


def function_page(group, types, version):
    functions = {label for label, _, _ in parts(group) if label.startswith(("corio_", "_"))}
    sections = {"DESCRIPTION": [], "RETURN VALUE": [], "CONTEXT": [], "ERRORS": []}
    for label, kind, text in parts(group):
        where = {"Returns": "RETURN VALUE", "Errors": "ERRORS", "Suspends": "CONTEXT", "Thread": "CONTEXT",
                 "Cancelled": "CONTEXT"}.get(label, "DESCRIPTION")
        if kind == "code":
            sections[where].append(code_block(text))
        elif kind == "list":
            sections[where].append(prose(text))
        elif where == "ERRORS":
            sections[where].append(errors(text))
        elif where == "CONTEXT":
            sections[where].append(".TP\n.B %s\n%s" % (label, flow(capital(text))))
        elif label in ("", "Returns") or (label in functions and len(functions) == 1):
            sections[where].append(".PP\n" + flow(capital(text)))
        else:
            font = ".B" if label in functions else ".I"
            label = ", ".join(full_name(group, part) for part in label.split(", "))
            sections[where].append(".TP\n%s %s\n%s" % (font, escape(label), flow(capital(text))))
    used = [name for name in types if re.search(r"\b%s\b" % name, group.declarations)]
    out = [".SH NAME\n%s \\- %s\n" % (", ".join(group.names), escape(summary(group))), synopsis(group)]
    for heading, content in sections.items():
        if content:
            out.append(".SH %s\n" % heading + "".join(content))
    if used:
        out.append(".SH TYPES\n")
        for name in used:
            comment, code = types[name]
            if comment:
                out.append(prose(comment))
            out.append(code_block(code))
    overview = group.header.library.replace("-", "\\-")
    others = [other.title for other in group.header.groups if other is not group]
    see = ["%s (7)" % overview] + (["corio (7)"] if overview != "corio" else []) + ["%s (3)" % name for name in others]
    out.append(".SH SEE ALSO\n" + see_also(see))
    return page(group.title, 3, version, "".join(out))


def see_also(names):
    lines = [".BR %s" % name for name in names]
    return ",\n".join(lines).replace(",\n", " ,\n") + "\n"


def function_list(header):
    out = []
    for group in header.groups:
        out.append(".TP\n.BR %s (3)\n%s" % (group.title, flow(capital(summary(group)) + ".")))
    return "".join(out)


def library_page(header, version):
    first, _, rest = header.about.partition("\n\n")
    first = re.sub(r"^\w+\.h - ", "", " ".join(first.split())).rstrip(".")
    name = header.library
    body = ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.nf\n.B #include <%s>\n.fi\n.PP\n" % (
        name.replace("-", "\\-"), escape(re.split(r": a library of its own", first)[0]), header.include)
    body += "Link with\n.IR \"pkg\\-config \\-\\-cflags \\-\\-libs %s\" .\n" % name.replace("-", "\\-")
    body += ".SH DESCRIPTION\n" + prose(rest)
    body += ".SH FUNCTIONS\n" + function_list(header) + ".SH SEE ALSO\n.BR corio (7)\n"
    return page(name, 7, version, body)


def overview_page(headers, readme, example, version):
    with open(readme, encoding="utf-8") as file:
        text = file.read()
    intro = text.split("\n\n", 1)[1].split("```c\n")[0].replace("**", "")
    with open(example, encoding="utf-8") as file:
        program = file.read()
    title, rest = intro.split("\n\n", 1)
    body = ".SH NAME\ncorio \\- %s\n" % flow(title[:1].lower() + title[1:].rstrip(".")).strip()
    body += ".SH SYNOPSIS\n.nf\n.B #include <corio.h>\n.fi\n.PP\n"
    body += "Link with\n.IR \"pkg\\-config \\-\\-cflags \\-\\-libs corio\" .\n"
    body += ".SH DESCRIPTION\n" + prose(rest)
    for header in sorted(headers, key=lambda h: ORDER.index(h.name) if h.name in ORDER else len(ORDER)):
        if header.library != "corio" or header.name in ("corio", "export", "waiters"):
            continue
        first, _, about = header.about.partition("\n\n")
        if not about:
            # A header whose comment is one paragraph: its first sentence is the heading.
            first, _, about = header.about.partition(". ")
        heading = re.sub(r"^\w+\.h - ", "", " ".join(first.split())).rstrip(".")
        short, _, more = heading.partition(": ")
        body += ".SS %s\n" % escape(short[:1].upper() + short[1:])
        body += (flow(capital(more) + ".") if more else "") + prose(about) + function_list(header)
    body += ".SH EXAMPLES\n" + code_block(program)
    libraries = [header.library for header in headers if header.library != "corio"]
    if libraries:
        body += ".SH SEE ALSO\n" + see_also("%s (7)" % name.replace("-", "\\-") for name in libraries)
    return page("corio", 7, version, body)


def write(folder, name, section, text):
    with open(os.path.join(folder, "man%d" % section, "%s.%d" % (name, section)), "w", encoding="utf-8") as file:
        file.write(text)


def main():
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    readme, example, folder, version = sys.argv[1:5]
    headers = [Header(path) for path in sys.argv[5:]]
    types = {name: found for header in headers for name, found in header.types.items()}
    for section in (3, 7):
        # Made anew, so that the folder is as new as what is in it.
        shutil.rmtree(os.path.join(folder, "man%d" % section), ignore_errors=True)
        os.makedirs(os.path.join(folder, "man%d" % section))
    for header in headers:
        for group in header.groups:
            write(folder, group.title, 3, function_page(group, types, version))
            for alias in group.names[1:]:
                write(folder, alias, 3, ".so man3/%s.3\n" % group.title)
        if header.library != "corio":
            write(folder, header.library, 7, library_page(header, version))
        if header.name == "typed":
            write(folder, "CORIO_DISPATCHER", 3, ".so man7/corio.7\n")
    write(folder, "corio", 7, overview_page(headers, readme, example, version))


main()
