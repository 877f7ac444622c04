#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pairs the ends of ordering edges: edges.py ROOT

A file's first comment declares edges in a section of their own:

    Edges
      deque.item   push -> steal    a thief that sees bottom > i sees slot i whole

and each end carries the label in a comment: [release deque.item], [acquire deque.item], both at once
as [acq_rel plan.end] or [acquire, release select.claim]; [full deque.last] and [sleep.push] are ends of an
edge of fences. So

  - each label in the code is declared, once; in a dispatcher's own folder or in the library
  - each edge that is declared has a releasing and an acquiring end, or two full ones
  - but for one that refers to another: "see wait.h", "spin.lock in spin.h". What it refers to is declared there
"""
import pathlib
import re
import sys

NAME = r"[a-z]+\.[a-z]+"
DECLARATION = re.compile(rf"^ \*   ({NAME})\s+(.*)$")
END = re.compile(rf"\[(?:([a-z_, ]+) )?({NAME})\]")
BARE = re.compile(r"\[(?:release|acquire|acq_rel|full)\]")
REFERENCE = re.compile(rf"\bsee (\w+\.[ch])\b|\b({NAME}) in (\w+\.h)\b")
SIDES = {"release": {"release"}, "acquire": {"acquire"}, "acq_rel": {"release", "acquire"},
         "acquire, release": {"release", "acquire"}, "full": {"full"}, None: {"full"}}


def declarations(lines):
    """Name -> text, from the section at the top."""
    found, name, inside = {}, None, False
    for line in lines:
        if line.rstrip() == " * Edges":
            inside = True
        elif inside and (line.startswith(" */") or line.rstrip() == " *"):
            break
        elif inside:
            match = DECLARATION.match(line)
            if match:
                name = match[1]
                found[name] = ""
            if name:
                found[name] += " " + (match[2] if match else line[2:].strip())
    return found


def ends(lines):
    """(line number, name, sides); sides is None if it is not understood."""
    for number, line in enumerate(lines, 1):
        for side, name in END.findall(line):
            yield number, name, SIDES.get(side.strip() or None)
        if BARE.search(line):
            yield number, None, None


def scope_of(path):
    """Dispatchers are libraries of their own."""
    parts = pathlib.PurePath(path).parts
    return parts[:3] if parts[:2] == ("runtime", "dispatch") and len(parts) > 3 else ("runtime",)


def check(files):
    """files: path -> text. The complaints."""
    declared, sides, complaints, alone = {}, {}, [], {}
    for path, text in files.items():
        for name, said in declarations(text.splitlines()).items():
            reference = REFERENCE.search(said)
            if reference:
                alone.setdefault((scope_of(path), name), []).append((path, reference))
            elif (scope_of(path), name) in declared:
                complaints.append(f"{path}: {name} is declared in {declared[scope_of(path), name]} too")
            else:
                declared[scope_of(path), name] = path
    for path, text in files.items():
        for number, name, side in ends(text.splitlines()):
            key = next((key for key in ((scope_of(path), name), (("runtime",), name)) if key in declared), None)
            if name is None:
                complaints.append(f"{path}:{number}: an end without the name of its edge")
            elif side is None:
                complaints.append(f"{path}:{number}: which end of {name} is this?")
            elif key is None:
                complaints.append(f"{path}:{number}: {name} is declared nowhere")
            else:
                sides.setdefault(key, []).extend(side)
    for key, path in declared.items():
        has = sides.get(key, [])
        if has.count("full") < 2 and not {"release", "acquire"} <= set(has):
            complaints.append(f"{path}: {key[1]} has no two ends in the code, only: {', '.join(has) or 'none'}")
    for (scope, name), places in alone.items():
        for path, reference in places:
            wanted, file = (name, reference[1]) if reference[1] else (reference[2], reference[3])
            known = [where for (_, other), where in declared.items() if other == wanted]
            known += [where for (_, other), list_ in alone.items() if other == wanted for where, _ in list_]
            if not any(pathlib.PurePath(where).name == file for where in known):
                complaints.append(f"{path}: {wanted} is not declared in {file}")
    return complaints


# The lint itself: what it is to say of small files.
TOP = "/* x\n *\n * Edges\n *   a.b   one -> other\n */\n"
SAMPLES = [
    ({"runtime/x.c": TOP + "/* [release a.b] */ /* [acquire a.b] */"}, []),
    ({"runtime/x.h": TOP, "runtime/y.c": "[acq_rel a.b]"}, []),
    ({"runtime/x.h": TOP, "runtime/y.c": "[full a.b]\n[a.b]"}, []),
    ({"runtime/x.h": TOP.replace("one -> other", "see y.h"), "runtime/y.h": TOP + "[acq_rel a.b]"}, []),
    ({"runtime/x.h": TOP.replace("one -> other", "by c.d in z.h")}, ["c.d is not declared"]),
    ({"runtime/x.c": TOP + "[release a.b]"}, ["no two ends"]),
    ({"runtime/x.c": TOP + "[full a.b]"}, ["no two ends"]),
    ({"runtime/x.c": TOP + "[acq_rel a.b]\n[release a.c]"}, ["a.c is declared nowhere"]),
    ({"runtime/x.c": TOP + "[acq_rel a.b]\n[realese a.b]"}, ["which end"]),
    ({"runtime/x.c": TOP + "[acq_rel a.b]\n[release]"}, ["without the name"]),
    ({"runtime/x.c": TOP + "[acq_rel a.b]", "runtime/y.c": TOP}, ["declared in runtime/x.c too"]),
    ({"runtime/dispatch/p/x.c": TOP + "[acq_rel a.b]", "runtime/dispatch/q/y.c": "[release a.b]"},
     ["declared nowhere"]),
]


def main():
    for files, wanted in SAMPLES:
        said = check(files)
        if len(said) != len(wanted) or not all(text in line for text, line in zip(wanted, said)):
            print(f"edges.py does not work: of {files} it says {said}")
            return 1
    root = pathlib.Path(sys.argv[1])
    files = {str(path.relative_to(root)): path.read_text()
             for path in sorted((root / "runtime").rglob("*.[ch]")) if "tsan" not in path.parts}
    complaints = check(files)
    print("\n".join(complaints) or "every edge has its ends")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
