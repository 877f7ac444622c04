#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the instructions that one operation of the library takes, and compares them with the stored figures.

Each operation runs twice under callgrind, with one worker and two numbers of repetitions; the difference, divided by the
operations that the longer run did more, is free of all that a run costs besides, and the same every time. Figures are kept
for each architecture and compiler version in expected.json; a change of more than --limit per cent, up or down, fails.

    counts.py PROGRAM            compare        (the meson test `counts`)
    counts.py PROGRAM --update   store what was counted: a change on purpose, to be committed with its cause
    counts.py PROGRAM --profile=request
                                 where they go: instructions per operation of each function

Exit status: 0 as expected; 1 changed; 2 could not count; 77 no figures are stored for this compiler (a skipped test).
"""
import argparse
import concurrent.futures
import json
import os
import platform
import re
import subprocess
import sys
import tempfile

# Operations and the two numbers of repetitions.
OPERATIONS = {
    "spawn_wait": (10000, 30000),
    "spawn_many": (10000, 30000),
    "request": (10000, 30000),
    "phase": (2000, 6000),
    "lock": (10000, 30000),
    "hand_over": (10000, 30000),
    "switch": (10000, 30000),
}
EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected.json")


class CannotCount(Exception):
    pass


def instructions(valgrind, program, operation, count, profile="/dev/null"):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CORIO_")}
    command = [valgrind, "--tool=callgrind", f"--callgrind-out-file={profile}", program, operation, str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    found = re.search(r"Collected *: *([0-9]+)", done.stderr)
    if done.returncode != 0 or not found:
        raise CannotCount(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return int(found.group(1))


def count_all(valgrind, program):
    jobs = [(operation, count) for operation, counts in OPERATIONS.items() for count in counts]
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        totals = dict(zip(jobs, pool.map(lambda job: instructions(valgrind, program, *job), jobs)))
    return {operation: round((totals[operation, most] - totals[operation, least]) / (most - least), 1)
            for operation, (least, most) in OPERATIONS.items()}


# -- Where they go --

def instructions_by_function(valgrind, program, operation, count):
    with tempfile.NamedTemporaryFile() as profile:
        instructions(valgrind, program, operation, count, profile.name)
        done = subprocess.run(["callgrind_annotate", "--threshold=100", profile.name], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise CannotCount(f"callgrind_annotate ended with {done.returncode}:\n{done.stderr}")
    found = {}
    # "1,830,000 (27.31%)  FILE:FUNCTION [OBJECT]"; a function that calls itself has a second line, FUNCTION'2, and what is
    # inlined into it one for each file.
    for number, name in re.findall(r"^ *([0-9,]+) \([^)]*\) +\S*:([^ \n]+)", done.stdout, re.MULTILINE):
        name = name.split("'")[0]
        found[name] = found.get(name, 0) + int(number.replace(",", ""))
    return found


def print_profile(valgrind, program, operation):
    counts = OPERATIONS[operation]
    least, most = (instructions_by_function(valgrind, program, operation, count) for count in counts)
    each = {name: (most[name] - least.get(name, 0)) / (counts[1] - counts[0]) for name in most}
    print(f"{operation}: instructions per operation")
    for name, value in sorted(each.items(), key=lambda item: -item[1]):
        if value >= 0.5:
            print(f"{value:>10.1f}  {name}")


# -- What they should be --

def load_expected():
    if not os.path.exists(EXPECTED):
        return {}
    with open(EXPECTED, encoding="utf-8") as stream:
        return json.load(stream)


def update(build, counted):
    expected = load_expected()
    expected[build] = counted
    with open(EXPECTED, "w", encoding="utf-8") as stream:
        json.dump(expected, stream, indent=4, sort_keys=True)
        stream.write("\n")
    print(f"stored in {EXPECTED} for {build}")


def change_per_cent(counted, expected):
    return 100 * (counted - expected) / expected if expected else float("inf")


def compare(counted, expected, limit):
    changed = []
    print(f"{'operation':<12}{'counted':>10}{'expected':>10}{'change':>10}")
    for operation, count in counted.items():
        if operation not in expected:
            changed.append(operation)
            print(f"{operation:<12}{count:>10}{'none':>10}")
            continue
        change = change_per_cent(count, expected[operation])
        beyond = abs(change) > limit
        print(f"{operation:<12}{count:>10}{expected[operation]:>10}{change:>+9.1f}%{'  <-- ' if beyond else ''}")
        if beyond:
            changed.append(operation)
    return changed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the built program, build/bench/counts/counts")
    parser.add_argument("--compiler", default="gcc", help='name and version, as "gcc 12" (default: gcc)')
    parser.add_argument("--limit", type=float, default=5, help="per cent that a figure may change by (default 5)")
    parser.add_argument("--valgrind", default="valgrind", help="the program to run (default valgrind)")
    parser.add_argument("--update", action="store_true", help="store what was counted instead of comparing")
    parser.add_argument("--profile", choices=list(OPERATIONS), metavar="OPERATION",
                        help=f"say which functions an operation's instructions are in: {', '.join(OPERATIONS)}")
    options = parser.parse_args()
    build = f"{platform.machine()} {options.compiler}"
    try:
        if options.profile:
            print_profile(options.valgrind, options.program, options.profile)
            return 0
        counted = count_all(options.valgrind, options.program)
    except (CannotCount, OSError) as problem:
        print(f"counts.py: cannot count: {problem}", file=sys.stderr)
        return 2
    if options.update:
        update(build, counted)
        return 0
    expected = load_expected().get(build)
    if expected is None:
        print(f"no figures for {build} in {EXPECTED}; counted: {counted}. --update stores them.")
        return 77
    changed = compare(counted, expected, options.limit)
    if not changed:
        return 0
    print(f"\nInstructions per operation changed by more than {options.limit:g} %: {', '.join(changed)}.\n"
          "If that is not meant, it is a regression (or a figure that got better by accident: keep it). If it is, store\n"
          "the new figures and commit them with the change that caused them:\n"
          f"    {sys.argv[0]} {options.program} --compiler='{options.compiler}' --update")
    return 1


if __name__ == "__main__":
    sys.exit(main())
