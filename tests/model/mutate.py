#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plants bugs into copies of the library's sources, one at a time, and lets the explorer find them.

    mutate.py --model FILE --mutations FILE --root FOLDER --link OBJECT ... -- COMPILER ARGUMENT ...

A mutation file holds one entry after the other:

    == NAME: what is wrong
    file runtime/sched/deque.h
    after text of an earlier line        (optional: the place is behind the first line with this text)
    - a line as it stands there, but for the space around it
    - the next line
    + what stands there instead

Several edits (file, -, +) may follow each other. An entry that begins with `=~` instead of `==` is
no bug: the explorer must find nothing. Every other entry must be found by one strategy at least. A
text that is not in the source, or is there twice, is a failure: the description has to follow the
source.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import time


class Mutation:
    def __init__(self, header):
        self.sound = header.startswith("=~")
        self.name, _, self.what = header[2:].partition(":")
        self.name, self.what = self.name.strip(), self.what.strip()
        self.edits = []


class Edit:
    def __init__(self, file):
        self.file, self.after, self.old, self.new = file, None, [], []


class Stale(Exception):
    """A description that does not fit the source any more."""


def parse(text):
    mutations = []
    for line in text.splitlines():
        if line.startswith(("==", "=~")):
            mutations.append(Mutation(line))
        elif line.startswith("file "):
            mutations[-1].edits.append(Edit(line[5:].strip()))
        elif line.startswith("after "):
            mutations[-1].edits[-1].after = line[6:].strip()
        elif line.startswith("-"):
            mutations[-1].edits[-1].old.append(line[1:].strip())
        elif line.startswith("+"):
            mutations[-1].edits[-1].new.append(line[1:].strip())
        elif line.strip() and not line.startswith("#"):
            raise SystemExit(f"mutate.py: not understood: {line}")
    return mutations


def place_of(edit, lines):
    start = 0
    if edit.after is not None:
        found = [i for i, line in enumerate(lines) if edit.after in line]
        if not found:
            raise Stale(f"{edit.file}: no line with: {edit.after}")
        start = found[0] + 1
    stripped = [line.strip() for line in lines]
    count = len(edit.old)
    found = [i for i in range(start, len(lines)) if stripped[i:i + count] == edit.old]
    if not found:
        raise Stale(f"{edit.file}: the text is not there: {edit.old[0]}")
    if len(found) > 1 and edit.after is None:
        raise Stale(f"{edit.file}: the text is there {len(found)} times: {edit.old[0]}")
    return found[0]


def apply(mutation, root, folder):
    for edit in mutation.edits:
        target = folder / edit.file
        source = target if target.exists() else root / edit.file
        if not source.exists():
            raise Stale(f"{edit.file}: there is no such file")
        lines = source.read_text().splitlines()
        at = place_of(edit, lines)
        lines[at:at + len(edit.old)] = edit.new
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("\n".join(lines) + "\n")


def build(arguments, folder):
    program, compiled = str(folder / "model"), str(folder / "model.o")
    for_linker = [flag for flag in arguments.flags if flag.startswith("-Wl,")]
    for_compiler = [flag for flag in arguments.flags if flag not in for_linker]
    steps = [["-w", f"-I{folder}", *for_compiler, "-c", arguments.model, "-o", compiled],
             [compiled, *arguments.link, *for_linker, "-o", program]]
    for step in steps:
        done = subprocess.run(arguments.compiler + step, capture_output=True, text=True)
        if done.returncode != 0:
            raise Stale("the mutated source does not compile:\n" + done.stderr)
    return program


few_runs = 2000  # of a variant that is no bug


def find(program, arguments, sound):
    """What each strategy found: name, run, case, message."""
    runs = arguments.runs or (few_runs if sound else None)
    command = [program, "--find"] + (["--runs", str(runs)] if runs else [])
    command += ["--thorough"] if arguments.thorough else []
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    lines = done.stdout.splitlines()
    if lines[-1:] != ["end"]:
        raise Stale(f"the explorer ended with {done.returncode}: {done.stderr}")
    return [line.split("\t")[1:] for line in lines[:-1]]


def describe(found):
    runs = {row[0]: row[1] for row in found}
    return ", ".join(f"{name} {runs.get(name, '-')}" for name in ("random", "pct", "dfs"))


def check(arguments, mutation):
    """The row of the table, and whether it is as it should be."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        folder = pathlib.Path(name)
        try:
            apply(mutation, arguments.root, folder)
            found = find(build(arguments, folder), arguments, mutation.sound)
        except Stale as problem:
            return f"BROKEN: {problem}", False
    good = not found if mutation.sound else bool(found)
    verdict = describe(found) if found else "nothing to find" if good else "SURVIVED"
    if found and not good:
        verdict = "FOUND, but is no bug: " + verdict
    if found and (arguments.messages or not good):
        verdict += f"\n      {found[0][2]}: {found[0][3]}"
    return verdict, good


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--mutations", required=True, type=pathlib.Path)
    parser.add_argument("--root", required=True, type=pathlib.Path)
    parser.add_argument("--link", nargs="+", required=True)
    parser.add_argument("--only", help="the mutation of this name")
    parser.add_argument("--runs", type=int, help="per case and strategy")
    parser.add_argument("--thorough", action="store_true", help="until each strategy has found it")
    parser.add_argument("--messages", action="store_true", help="what the explorer said")
    parser.add_argument("--markdown", action="store_true", help="the table as it stands in the documentation")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args(words)
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    split = next((i for i, word in enumerate(command) if word.startswith("-")), len(command))
    arguments.compiler, arguments.flags = command[:split], command[split:]
    return arguments


def main():
    arguments = parse_arguments()
    component = arguments.mutations.stem
    mutations = parse(arguments.mutations.read_text())
    failures, began = 0, time.monotonic()
    for mutation in mutations:
        if arguments.only in (None, mutation.name):
            verdict, good = check(arguments, mutation)
            failures += not good
            if arguments.markdown:
                print(f"| {component} | {mutation.what} | {verdict} |", flush=True)
            else:
                print(f"{component:<11} {mutation.name:<34} {verdict}", flush=True)
    print(f"{len(mutations)} variants, {failures} not as they should be, {time.monotonic() - began:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
