#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures how the library scales from one worker to many, and writes a table and a plot into bench/results/NAME/.

Works (scale.cpp): fib, uneven (unbalanced tree search T3), rounds (io rounds), pipeline (20 us of computing, then asking),
and audit (build/examples/pkgaudit over this machine's package universe, if it is built).

  strong   the same work for every number of workers: speed-up is the time of 1 worker over that of n, efficiency the same
           divided by n
  weak     n times the work for n workers: efficiency is the time for a unit of work with 1 worker, over n times that with n
  plain    a loop of plain calls of the same work, where there is one: the absolute speed-up is taken against it
  pinned   worker i keeps to the i-th CPU (audit: the process keeps to the first n)

All cases run in turn in random order, which is repeated; ratios are between medians, or with --by between minima. Result
files: scale.md, scale.svg, scale.json.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys

import svg

FOLDER = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.dirname(FOLDER)
sys.path.insert(0, BENCH)
import machine  # noqa: E402

# Copies of a work: in all for strong scaling, for each worker for weak scaling.
COPIES = {"fib": (16, 8), "uneven": (1, 1), "rounds": (50, 25), "pipeline": (10, 5), "audit": (2000, 1000)}
TITLES = {"fib": "fib", "uneven": "uneven tree (UTS T3)", "rounds": "io rounds", "pipeline": "CPU-heavy pipeline",
          "audit": "pkgaudit"}
WITH_PLAIN = {"fib", "uneven", "pipeline"}
PINNING = ("unpinned", "pinned")
COLOURS = {"unpinned": "#2a6fbb", "pinned": "#d1661f", "plain": "#3a8f4d", "ideal": "#999999"}
PHASE_COLOURS = {"CPU phases": "#2a6fbb", "I/O phases": "#e0a030", "begin and end": "#bbbbbb"}


class Failed(Exception):
    pass


# -- Running --

def json_lines(command, cpus=None):
    keep = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=keep)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def run_audit(options, workers, roots, pinned):
    cpus = sorted(os.sched_getaffinity(0))[:workers] if pinned else None
    found = json_lines([options.audit, f"--sample={roots}", "--json", f"--workers={workers}",
                        f"--database={options.database}", *options.packages], cpus)[0]
    return {"wall_ns": found["wall_s"] * 1e9, "units": found["requests"], "unit": "requests",
            "cpu_phase_ns": found["cpu_s"] * 1e9, "io_phase_ns": found["io_s"] * 1e9, "phases": found["phases"]}


def run_case(options, case):
    work, mode, pinning, workers = case
    strong, weak = COPIES[work]
    copies = weak * workers if mode == "weak" else strong
    if work == "audit":
        return run_audit(options, workers, copies, pinning == "pinned")
    command = [options.program, work, "plain" if mode == "plain" else str(workers), str(copies)]
    return json_lines(command + (["--pin"] if pinning == "pinned" else []))[0]


def all_cases(options):
    cases = [(work, mode, pinning, workers) for work in options.works for mode in ("strong", "weak")
             for pinning in PINNING for workers in options.workers]
    return cases + [(work, "plain", "unpinned", 1) for work in options.works if work in WITH_PLAIN]


def run_all(options, described):
    """{case: [run, ...]}. Results are written after each repetition: one that is interrupted leaves what it has."""
    cases = all_cases(options)
    runs = {case: [] for case in cases}
    for repetition in range(options.repetitions):
        print(f"scale.py: repetition {repetition + 1} of {options.repetitions}, {len(cases)} cases", file=sys.stderr)
        for case in random.sample(cases, len(cases)):
            machine.wait_until_quiet(options.quiet)
            runs[case].append(run_case(options, case))
        write_results(options, runs, described)
    return runs


# -- Figures --

def ns_per_unit(options, runs):
    costs = [run["wall_ns"] / run["units"] for run in runs]
    return min(costs) if options.by == "minimum" else statistics.median(costs)


def share(runs, key):
    return statistics.median(run[key] / run["wall_ns"] for run in runs)


def speed_ups(options, runs, work, mode, pinning, base=None):
    """{workers: how many times as fast as `base` ns a unit, or as with the fewest workers}"""
    costs = {workers: ns_per_unit(options, runs[work, mode, pinning, workers]) for workers in options.workers}
    base = base or costs[options.workers[0]] * options.workers[0]
    return {workers: base / cost for workers, cost in costs.items()}


def rows_of(options, runs):
    rows = []
    for work in options.works:
        plain = ns_per_unit(options, runs[work, "plain", "unpinned", 1]) if work in WITH_PLAIN else None
        for mode in ("strong", "weak"):
            for pinning in PINNING:
                faster = speed_ups(options, runs, work, mode, pinning)
                for workers in options.workers:
                    case = runs[work, mode, pinning, workers]
                    cost = ns_per_unit(options, case)
                    rows.append({
                        "work": work, "mode": mode, "pinning": pinning, "workers": workers,
                        "ms": cost * case[0]["units"] / 1e6, "unit": case[0]["unit"], "ns_per_unit": cost,
                        "spread": max(run["wall_ns"] for run in case) / min(run["wall_ns"] for run in case),
                        "speed_up": faster[workers], "efficiency": faster[workers] / workers,
                        "over_plain": plain / cost if plain else None,
                        "cpu_share": share(case, "cpu_phase_ns"), "io_share": share(case, "io_phase_ns"),
                    })
    return rows


# -- Telling --

def table(rows):
    lines = ["| work | scaling | pinned | workers | ms | ns a unit | slowest / fastest run | speed-up | efficiency "
             "| over plain calls | CPU phases | I/O phases |",
             "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for row in rows:
        plain = f"{row['over_plain']:.2f}" if row["over_plain"] else "-"
        lines.append(
            f"| {TITLES[row['work']]} | {row['mode']} | {'yes' if row['pinning'] == 'pinned' else 'no'} | {row['workers']} "
            f"| {row['ms']:.1f} | {row['ns_per_unit']:,.1f} per {row['unit'][:-1]} | {row['spread']:.1f} "
            f"| {row['speed_up']:.2f} | {row['efficiency']:.2f} | {plain} "
            f"| {100 * row['cpu_share']:.0f} % | {100 * row['io_share']:.0f} % |")
    return "\n".join(lines)


def legend(canvas, y, entries):
    x = svg.LEFT
    for words, colour in entries:
        canvas.box(x, y - 8, 14, 8, colour)
        canvas.text(x + 19, y, words)
        x += 33 + 6.2 * len(words)


def plot(options, runs, described, path):
    top, below = 66, 28
    width, height = svg.size_of_grid(len(options.works), 3, top, below)
    canvas = svg.Canvas(width, height)
    canvas.text(svg.LEFT, 20, f"corio from {options.workers[0]} to {options.workers[-1]} workers", size=15, weight="bold")
    canvas.text(svg.LEFT, 38, f"{described['processor']}, cores: {described['cores']}; {described['kernel']}; "
                              f"{described['date']}", colour=svg.AXIS)
    legend(canvas, 58, [("unpinned", COLOURS["unpinned"]), ("pinned", COLOURS["pinned"]),
                        ("over plain calls, unpinned", COLOURS["plain"]), ("ideal", COLOURS["ideal"])])
    workers, first = options.workers, options.workers[0]
    for column, work in enumerate(options.works):
        strong = {pinning: speed_ups(options, runs, work, "strong", pinning) for pinning in PINNING}
        weak = {pinning: speed_ups(options, runs, work, "weak", pinning) for pinning in PINNING}
        panel = svg.Panel(canvas, column, 0, top, f"{TITLES[work]}: speed-up", workers, workers[-1])
        panel.series({count: count for count in workers}, COLOURS["ideal"], "4 3", dots=False)
        if work in WITH_PLAIN:
            base = ns_per_unit(options, runs[work, "plain", "unpinned", 1])
            panel.series(speed_ups(options, runs, work, "strong", "unpinned", base), COLOURS["plain"])
        for pinning in PINNING:
            panel.series(strong[pinning], COLOURS[pinning])
        panel = svg.Panel(canvas, column, 1, top, "weak scaling: efficiency", workers, 1)
        panel.series({count: 1 for count in workers}, COLOURS["ideal"], "4 3", dots=False)
        for pinning in PINNING:
            panel.series({count: value / count for count, value in weak[pinning].items()}, COLOURS[pinning])
        panel = svg.Panel(canvas, column, 2, top, "wall time (strong, unpinned)", workers, 1)
        shares = {}
        for count in workers:
            case = runs[work, "strong", "unpinned", count]
            cpu, io = share(case, "cpu_phase_ns"), share(case, "io_phase_ns")
            shares[count] = list(zip((cpu, io, max(0.0, 1 - cpu - io)), PHASE_COLOURS.values()))
        panel.bars(shares)
    legend(canvas, height - 10, list(PHASE_COLOURS.items()))
    canvas.write(path)


def write_results(options, runs, described):
    os.makedirs(options.folder, exist_ok=True)
    rows, done = rows_of(options, runs), min(len(case) for case in runs.values())
    with open(os.path.join(options.folder, "scale.json"), "w", encoding="utf-8") as stream:
        json.dump({"machine": described, "repetitions": done, "by": options.by, "rows": rows}, stream, indent=1)
        stream.write("\n")
    plot(options, runs, described, os.path.join(options.folder, "scale.svg"))
    words = "\n".join(f"- {name}: {value}" for name, value in described.items())
    with open(os.path.join(options.folder, "scale.md"), "w", encoding="utf-8") as stream:
        stream.write(f"# Scaling: {os.path.basename(options.folder)}\n\n{words}\n"
                     f"- repetitions: {done}, interleaved; by {options.by}\n\n"
                     f"![speed-up, efficiency, phases](scale.svg)\n\n{table(rows)}\n\n"
                     "What the columns mean: `bench/scale/scale.py --help`.\n")


# -- Command line --

def default_workers():
    """1, 2, 3, 4, then in larger steps, up to the CPUs of this process."""
    most = len(os.sched_getaffinity(0))
    return sorted({count for count in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128) if count < most} | {1, most})


def worker_counts(text):
    try:
        counts = sorted({int(word) for word in text.split(",")})
    except ValueError as problem:
        raise argparse.ArgumentTypeError(f"{text}: numbers, separated by commas") from problem
    if counts[0] < 1 or counts[-1] > 1024:
        raise argparse.ArgumentTypeError("1 to 1024 workers")
    return counts


def works(text):
    names = text.split(",")
    for name in names:
        if name not in COPIES:
            raise argparse.ArgumentTypeError(f"{name} is not one of {', '.join(COPIES)}")
    return names


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="build folder")
    parser.add_argument("name", help="of the result: a folder below bench/results (or a path with a slash)")
    parser.add_argument("--workers", type=worker_counts, default=default_workers(),
                        help="comma-separated (default: 1 up to the CPUs of this process)")
    parser.add_argument("--works", type=works, default=list(COPIES), help=f"comma-separated (default {','.join(COPIES)})")
    parser.add_argument("--packages", metavar="FILE", nargs="+", default=[],
                        help="what the audit audits, instead of this machine's package universe")
    parser.add_argument("--repetitions", type=int, default=5, help="of every case (default 5)")
    parser.add_argument("--by", choices=("median", "minimum"), default="median",
                        help="of a case's repetitions (default median; minimum on a machine that others use)")
    machine.add_quiet_option(parser)
    options = parser.parse_args()
    if options.repetitions < 1:
        parser.error("--repetitions: at least 1")
    options.program = os.path.join(options.build, "bench", "scale")
    if not os.path.exists(options.program):
        parser.error(f"no {options.program}: build with -Dbenchmarks=enabled (./dev bench does)")
    options.audit = os.path.join(options.build, "examples", "pkgaudit")
    options.database = os.path.join(options.build, "bench", "scale.db")
    if "audit" in options.works and not os.path.exists(options.audit):
        print(f"scale.py: no {options.audit}: without the audit", file=sys.stderr)
        options.works.remove("audit")
    options.folder = options.name if "/" in options.name else os.path.join(BENCH, "results", options.name)
    return options


def main():
    options = parse_options()
    described = machine.describe()
    try:
        if "audit" in options.works:
            run_audit(options, 1, 1, False)  # fills the database
        runs = run_all(options, described)
    except Failed as problem:
        sys.exit(f"scale.py: {problem}")
    print(table(rows_of(options, runs)))
    print(f"\nwritten to {options.folder}")


if __name__ == "__main__":
    main()
