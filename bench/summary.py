#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the benchmarks of a build folder and prints one table of medians.

The programs run in turn, in random order, each in a new process, and that is repeated: a change of the machine's speed
meets all of them. A case's figure is the one that its program counts in, named in the table; `ratio` is measured within a
case. --json has all values.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys

import machine

PROGRAMS = ["switch", "spawn", "trees", "io", "early", "busy", "system", "memory", "mutex", "sync", "primitives",
            "submit"]
GOOGLE_KEYS = {
    "name", "run_name", "run_type", "repetitions", "repetition_index", "threads", "iterations", "real_time", "cpu_time",
    "time_unit", "family_index", "per_family_instance_index",
}


def run(path, pattern):
    command = [path, "--benchmark_format=json"]
    if pattern:
        command.append(f"--benchmark_filter={pattern}")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"summary.py: {path} failed:\n{done.stderr}")
    return json.loads(done.stdout)["benchmarks"] if done.stdout.strip() else []


def add_cases(program, results, cases):
    """`cases`: {(program, case, unit): [values]}"""
    for result in results:
        name = result["run_name"].replace("/manual_time", "").replace("/iterations:1", "")
        counters = {key: value for key, value in result.items()
                    if key not in GOOGLE_KEYS and isinstance(value, (int, float))}
        for unit, value in counters.items():
            cases.setdefault((program, name, unit), []).append(value)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="build folder")
    parser.add_argument("--repetitions", type=int, default=5, help="of each case (default 5)")
    parser.add_argument("--filter", default="", help="regular expression on case names, as Google Benchmark's")
    parser.add_argument("--programs", default=",".join(PROGRAMS), help=f"comma-separated (default {','.join(PROGRAMS)})")
    parser.add_argument("--large", action="store_true",
                        help="also what needs gigabytes or minutes (a million tasks, UTS T3L); or CORIO_BENCH_LARGE=1")
    parser.add_argument("--json", metavar="FILE", help="write all figures there, with a description of the machine")
    machine.add_quiet_option(parser)
    options = parser.parse_args()
    if options.repetitions < 1:
        parser.error("--repetitions: at least 1")
    for program in options.programs.split(","):
        if program not in PROGRAMS:
            parser.error(f"--programs: {program} is not one of {', '.join(PROGRAMS)}")
    return options


def main():
    options = parse_options()
    if options.large:
        os.environ["CORIO_BENCH_LARGE"] = "1"
    described = machine.describe()
    programs = {name: os.path.join(options.build, "bench", "bench_" + name) for name in options.programs.split(",")}
    for path in programs.values():
        if not os.path.exists(path):
            sys.exit(f"summary.py: no {path}: is Google Benchmark installed?")
    cases = {}
    for repetition in range(options.repetitions):
        for program in random.sample(list(programs), len(programs)):
            print(f"summary.py: {repetition + 1} of {options.repetitions}: {program}", file=sys.stderr)
            machine.wait_until_quiet(options.quiet)
            add_cases(program, run(programs[program], options.filter), cases)
    cases = dict(sorted(cases.items(), key=lambda case: list(programs).index(case[0][0])))
    print("| program | case | unit | median | minimum |\n| --- | --- | --- | ---: | ---: |")
    for (program, name, unit), values in cases.items():
        print(f"| {program} | {name} | {unit} | {statistics.median(values):.4g} | {min(values):.4g} |")
    if options.json:
        figures = [{"program": program, "case": name, "unit": unit, "values": values}
                   for (program, name, unit), values in cases.items()]
        with open(options.json, "w", encoding="utf-8") as stream:
            json.dump({"machine": described, "figures": figures}, stream, indent=1)
            stream.write("\n")


if __name__ == "__main__":
    main()
