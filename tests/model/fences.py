#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Takes away every single fence of the modelled sources, one at a time, and prints what the explorer finds.

    fences.py BUILD [--only TEXT]           all of them, which takes some minutes
    fences.py --covered ROOT                whether a planted mistake stands at each labelled end; at once

Each ordered access becomes a relaxed one, each fence a barrier for the compiler only, where they stand in
the source: nothing is described by hand. A place that survives is one that nothing depends on in the cases of
the models: another fence does the same, or what it is for is beyond the explorer. Each is listed in
mutations/survivors.txt, with the reason; one that is not listed there is a failure, as is one that is listed
and found.

--covered needs no compiler: each [release x], [acquire x] and [full x] in these sources must have a mistake in
mutations/*.txt, or a line in survivors.txt, within the lines that follow it.
"""
import argparse
import json
import pathlib
import re
import sys

import mutate

HERE = pathlib.Path(__file__).parent

# Which models a source is tried in, in this order.
SOURCES = {
    "runtime/base/atomic.h": ["scope", "mutex", "range", "deque", "reply"],
    "runtime/base/event.c": ["event"],
    "runtime/base/fences.h": ["deque", "range", "parking"],
    "runtime/base/spin.h": ["mutex", "waitgroup"],
    "runtime/sched/deque.c": ["deque"],
    "runtime/sched/deque.h": ["deque", "parking"],
    "runtime/sched/idle.c": ["parking", "quiescence"],
    "runtime/sched/range.c": ["range", "quiescence"],
    "runtime/sched/range.h": ["range", "quiescence"],
    "runtime/sched/sched.h": ["parking"],
    "runtime/sched/start.c": ["quiescence", "parking"],
    "runtime/task/task.h": ["scope"],
    "runtime/task/cancel.c": ["cancel", "canceller"],
    "runtime/task/more.c": [],
    "runtime/phase/settle.c": ["canceller"],
    "runtime/sync/mutex.c": ["mutex", "condition"],
    "runtime/io/batch.c": ["batch", "reply"],
    "runtime/io/reply.c": ["reply", "batch"],
    "runtime/io/threads.c": ["threads"],
}

# An access -> without its order.
WEAKER = [
    (re.compile(r"\bcr_load_acquire_(32|64|ptr)\("), r"cr_load_\1("),
    (re.compile(r"\bcr_store_release_(32|64|ptr)\("), r"cr_store_\1("),
    (re.compile(r"\bcr_add_(32|64)\("), r"ck_pr_faa_\1("),
    (re.compile(r"\bcr_cas_(32|64|ptr)\("), r"ck_pr_cas_\1("),
    (re.compile(r"\bcr_swap_ptr\((?!void)"), r"ck_pr_fas_ptr((void **)"),
    (re.compile(r"\bcr_fence_full\(\)"), "cr_compiler_barrier()"),
    (re.compile(r"\bck_pr_fence_\w+\(\)"), "ck_pr_barrier()"),
    (re.compile(r"\bsyscall\(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0\)"), "0"),
]


def names(file, lines):
    """Of each line what it is called in survivors.txt: its text, and which one it is if there are several."""
    texts = [line.strip().rstrip("\\").strip() for line in lines]
    seen = {}
    for text in texts:
        seen[text] = seen.get(text, 0) + 1
        count = texts.count(text) if text else 1
        yield f"{file}: {text}" + (f" ({seen[text]} of {count})" if count > 1 else "")


def sites(root):
    """(line number, its name, the file, the line without its order)."""
    for file in SOURCES:
        lines = (root / file).read_text().splitlines()
        for number, (name, line) in enumerate(zip(names(file, lines), lines), 1):
            if line.lstrip().startswith(("*", "/*", "static inline", "#")):
                continue
            for pattern, weaker in WEAKER:
                if pattern.search(line):
                    yield number, name, file, pattern.sub(weaker, line)


class Place:
    """A mutation by line number, for mutate.check."""

    def __init__(self, file, number, text):
        self.file, self.number, self.text, self.sound = file, number, text, False
        self.edits = []


def apply_place(place, root, folder):
    target = folder / place.file
    lines = (root / place.file).read_text().splitlines()
    lines[place.number - 1] = place.text
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(lines) + "\n")


def commands(build):
    """Of each mutations_X test: how mutate.py is called."""
    tests = json.loads((build / "meson-info/intro-tests.json").read_text())
    return {test["name"].removeprefix("mutations_"): test["cmd"][1:]
            for test in tests if test["name"].startswith("mutations_")}


def survivors():
    """file: line -> reason."""
    found, key = {}, None
    for line in (HERE / "mutations/survivors.txt").read_text().splitlines():
        if line.startswith("=="):
            key = line[2:].strip()
            found[key] = ""
        elif line.strip() and not line.startswith("#"):
            found[key] = (found[key] + " " + line.strip()).strip()
    return found


def try_all(build, only):
    mutate.apply = apply_place
    calls, known, bad, used = commands(build), survivors(), 0, set()
    tried = set()
    print("| place | access | found in run |\n| --- | --- | --- |")
    for number, key, file, weaker in sites(HERE.parent.parent):
        text = key.partition(": ")[2]
        if only and only not in key or not SOURCES[file]:
            continue
        tried.add(key)
        verdict = "SURVIVED"
        for model in SOURCES[file]:
            arguments = mutate.parse_arguments(calls[model])
            arguments.link = [str(build / name) for name in arguments.link]
            said, good = mutate.check(arguments, Place(file, number, weaker))
            if good:
                verdict = f"{model}: {said}"
                break
            if said.startswith("BROKEN"):
                verdict = said
        if verdict == "SURVIVED" and key in known:
            verdict = "survives: " + known[key]
            used.add(key)
        elif key in known:
            bad, verdict = bad + 1, verdict + " BUT IS LISTED AS A SURVIVOR"
        elif verdict == "SURVIVED" or verdict.startswith("BROKEN"):
            bad += 1
        print(f"| {file}:{number} | `{text}` | {verdict} |", flush=True)
    there = {name for file in SOURCES for name in names(file, (HERE.parent.parent / file).read_text().splitlines())}
    for key in sorted(key for key in known if key not in there or key in tried - used):
        bad += 1
        print(f"survivors.txt names what is not there, or is found: {key}")
    return bad


END = re.compile(r"\[(?:(?:release|acquire|acq_rel|full)\b[a-z_, ]*|)[a-z]+\.[a-z]+\]")
REACH = 8  # lines that a label speaks of


def covered(root):
    """Labelled ends without a planted mistake."""
    planted = {}
    for file in sorted((HERE / "mutations").glob("*.txt")):
        for mutation in mutate.parse(file.read_text()) if file.stem != "survivors" else []:
            for edit in mutation.edits:
                lines = (root / edit.file).read_text().splitlines()
                try:
                    at = mutate.place_of(edit, lines)
                except mutate.Stale:
                    continue  # of an earlier edit's text: mutate.py looks at these
                planted.setdefault(edit.file, set()).update(range(at, at + len(edit.old)))
    known, bad = survivors(), 0
    for file, models in SOURCES.items():
        lines = (root / file).read_text().splitlines()
        planted.setdefault(file, set()).update(
            at for at, name in enumerate(names(file, lines)) if name in known)
        for at, line in enumerate(lines):
            if not models or line.startswith(" *") or not END.search(line):
                continue
            if not planted[file] & set(range(at, at + REACH)):
                bad += 1
                print(f"{file}:{at + 1}: no mistake in tests/model/mutations is made here: {line.strip()}")
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("build", type=pathlib.Path, nargs="?")
    parser.add_argument("--only", help="places with this text")
    parser.add_argument("--covered", type=pathlib.Path, metavar="ROOT")
    arguments = parser.parse_args()
    bad = covered(arguments.covered) if arguments.covered else try_all(arguments.build, arguments.only)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
