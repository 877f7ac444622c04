#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures on this machine what model.py reckons with, and writes it as JSON.

  sizes      {tasks: ns a task} from `scale rounds` with 1 and 2 workers: a resume, what begins and ends (the first and the
             last phase together, spawning included), an answer of a dispatcher that echoes, and the rest of the boundary. With 2 workers: what
             more an answer and a resume cost because frames come from another core; less if two caches hold more
  parts      medians, from `probe`: a cache line's way, wake-ups, membarrier, spinning, sorting
  works      what a unit of work costs in plain calls, and with one worker
  measured   what model.py's predictions are compared with: sizes of `rounds` that are none of those in `sizes`. With more
             workers too (--workers), where the machine has the cores; no other figure comes from more than two
  described  what is not measured, with its source

Otherwise least of several short runs: others may be using the machine. --chrt puts `chrt -r 10` before each of those that
take less than a second, which keeps others away (it needs root).
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.dirname(FOLDER)
sys.path.insert(0, BENCH)
import machine  # noqa: E402

TASKS_A_COPY, ROUNDS = 1000, 10
FITTED = (5, 8, 14, 20, 50, 200)  # thousands of tasks
COMPARED = (10, 100)
FITTED_WORKERS = (1, 2)
STAGES = 5
PIPELINE_COPIES = (4, 20)
LONGEST_CHRT_S = 1.05
DESCRIBED = {
    "boundary": [120, "ns for a boundary with one worker and one request: bench_io's ping_pong (docs/performance.md: 127 to 157 "
                      "ns a phase) less a warm resume"],
    "gather_lines": [3, "cache lines of each worker that the leader visits: deque, list of requests, range (boundary.c, "
                        "collect.c, idle.c)"],
    "probe": [4, "ns for a look at a worker whose lines have not changed since the last: loads from the first-level cache"],
    "fence_each": [50, "ns more of membarrier(2) for each other core that runs the process: an interrupt is sent to each in "
                       "turn; an assumption"],
    "steal_lines": [2, "cache lines that a steal of a range takes from its victim: the range's word and a park record"],
    "leaf": [8, "ns for a child beside a plain call: bench_spawn's loop, one worker (docs/performance.md)"],
    "jitter": [0.01, "standard deviation of a worker's speed in a phase: phases of one run differ by half of that here"],
    "spawn": [30, "ns to spawn a task: half of bench_spawn's loop, cold"],
}


class Failed(Exception):
    pass


def run(options, command, seconds):
    before = ["chrt", "-r", "10"] if options.chrt and seconds < LONGEST_CHRT_S else []
    done = subprocess.run(before + command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def scale(options, work, workers, copies, seconds, *more):
    """All runs of `tries` processes."""
    command = [os.path.join(options.build, "bench", "scale"), work, str(workers), str(copies), *more]
    return [run_ for _ in range(options.tries) for run_ in run(options, command, seconds)]


def keep_least(kept, found):
    """Of two figures, or of two dictionaries of them, the least."""
    if not isinstance(found, dict):
        return found if kept is None else min(kept, found)
    return {key: keep_least((kept or {}).get(key), value) for key, value in found.items()} | {
        key: value for key, value in (kept or {}).items() if key not in found}


def rounds_of(options):
    """{thousands of tasks: {workers: {rounds: least of each part of a run}}}"""
    found = {}
    for thousands in options.thousands:
        print(f"costs.py: {thousands},000 tasks", file=sys.stderr)
        for workers in FITTED_WORKERS:
            for rounds in (1, ROUNDS):
                runs = scale(options, "rounds", workers, thousands, thousands * TASKS_A_COPY * rounds * 300e-9,
                             f"--rounds={rounds}", f"--runs={max(2, 60 // thousands)}")
                least = {key: min(run[key] for run in runs)
                         for key in ("wall_ns", "cpu_phase_ns", "io_phase_ns", "answer_ns")}
                found.setdefault(str(thousands), {}).setdefault(str(workers), {})[str(rounds)] = least
    return found


def a_task(least, tasks):
    """ns a task: a resume; what begins and ends, spawning included; an answer; the rest of a boundary."""
    one, many = least["1"], least[str(ROUNDS)]
    parts = {"resume": (many["cpu_phase_ns"] - one["cpu_phase_ns"]) / (ROUNDS - 1), "ends": one["cpu_phase_ns"],
             "answer": many["answer_ns"] / ROUNDS, "rest": (many["io_phase_ns"] - many["answer_ns"]) / ROUNDS}
    return {name: value / tasks for name, value in parts.items()}


def sizes_of(rounds, parts):
    """Tables for model.py. With two workers the second one begins a wake-up later, in each phase."""
    late_ns = parts["wake_call_ns"] + parts["wake_ns"]
    phases = {"resume": 1, "ends": 2}
    tables = {more + name: {} for more in ("", "more_") for name in ("resume", "ends", "answer", "rest")}
    for thousands in FITTED:
        tasks = thousands * TASKS_A_COPY
        one, two = (a_task(rounds[str(thousands)][workers], tasks) for workers in ("1", "2"))
        for name, value in one.items():
            tables[name][tasks] = value
            if name in phases:
                tables["more_" + name][tasks] = 2 * two[name] - phases[name] * late_ns / tasks - value
            else:
                tables["more_" + name][tasks] = two[name] - value
    return tables


def parts_of(options):
    """Medians of what processes found least: two cores of a virtual machine may for a while be one."""
    found = [run(options, [os.path.join(options.build, "bench", "probe")], 0.5)[0] for _ in range(2 * options.tries)]
    parts = {name: statistics.median(one[name] for one in found) for name in found[0] if name != "sort"}
    parts["sort"] = {runs: min(one["sort"][runs] for one in found) for runs in found[0]["sort"]}
    return parts


def least_wall(runs):
    return min(run["wall_ns"] for run in runs)


def busy(options, workers):
    """bench_busy's uneven work: the least ratio to the loop beside it, whose steps each process counts anew."""
    found = []
    for _ in range(options.tries):
        done = run(options, [sys.executable, "-c", ONE_LINE, os.path.join(options.build, "bench", "bench_busy"),
                             f"--benchmark_filter=uneven/workers:{workers}/", "--benchmark_format=json"], 0.6)
        found += [case for case in done[0]["benchmarks"]]
    loop_ms = min(case["ms"] / case["ratio"] for case in found)
    return {"wall_ns": min(case["ratio"] for case in found) * loop_ms * 1e6, "loop_ns": loop_ms * 1e6}


# run() reads a line for each result.
ONE_LINE = "import json, subprocess, sys; print(json.dumps(json.loads(subprocess.check_output(sys.argv[1:]))))"


def works_of(options):
    stage = least_wall(scale(options, "pipeline", "plain", 2, 0.5)) / (2 * TASKS_A_COPY * STAGES)
    plain = least_wall(scale(options, "uneven", "plain", 1, 0.9))
    return {"stage_ns": stage, "tree_plain_ns": plain}


def compared_of(options):
    """{name: {workers: ns}}"""
    found = {}
    for copies in PIPELINE_COPIES:
        print(f"costs.py: pipeline of {copies},000 tasks", file=sys.stderr)
        found[f"pipeline {copies * TASKS_A_COPY}"] = {
            str(workers): least_wall(scale(options, "pipeline", workers, copies, copies * 0.1 / workers))
            for workers in options.workers}
    print("costs.py: uneven work", file=sys.stderr)
    found["tree"] = {str(workers): least_wall(scale(options, "uneven", workers, 1, 0.9)) for workers in options.workers}
    # bench_busy has these two only.
    pieces = {workers: busy(options, workers) for workers in FITTED_WORKERS}
    found["pieces"] = {str(workers): pieces[workers]["wall_ns"] for workers in pieces}
    found["pieces loop"] = {"1": min(each["loop_ns"] for each in pieces.values())}
    for copies in COMPARED:
        found[rounds_name(copies)] = {
            str(workers): least_wall(scale(options, "rounds", workers, copies, copies * TASKS_A_COPY * ROUNDS * 300e-9,
                                           f"--runs={max(2, 60 // copies)}"))
            for workers in options.workers if workers not in FITTED_WORKERS}
    return found


def rounds_name(thousands):
    return f"rounds {thousands * TASKS_A_COPY}"


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="build folder, with -Dbenchmarks=enabled and optimized")
    parser.add_argument("--output", default=os.path.join(BENCH, "results", "model", "costs.json"),
                        help="default: bench/results/model/costs.json")
    parser.add_argument("--tries", type=int, default=5, help="runs of each program; the least counts (default 5)")
    parser.add_argument("--chrt", action="store_true", help="chrt -r 10 before each run of less than a second")
    parser.add_argument("--workers", type=lambda text: sorted({int(word) for word in text.split(",")} | {*FITTED_WORKERS}),
                        default=list(FITTED_WORKERS), help="of what predictions are compared with (default 1,2)")
    parser.add_argument("--merge", action="store_true", help="keep what is less in the output file that is there")
    parser.add_argument("--only-rounds", action="store_true", help="parts and sizes alone; with --merge")
    parser.add_argument("--thousands", type=lambda text: [int(word) for word in text.split(",")],
                        default=sorted(FITTED + COMPARED), help="sizes of `rounds`; others than all only with --merge")
    options = parser.parse_args()
    if options.only_rounds and not options.merge:
        parser.error("--only-rounds needs --merge")
    for name in ("scale", "probe", "bench_busy"):
        if not os.path.exists(os.path.join(options.build, "bench", name)):
            parser.error(f"no bench/{name} in {options.build}: build with -Dbenchmarks=enabled")
    return options


def main():
    options = parse_options()
    found = {}
    if options.merge:
        with open(options.output, encoding="utf-8") as stream:
            found = json.load(stream)
    try:
        least = {"parts": parts_of(options), "rounds": rounds_of(options)}
        if not options.only_rounds:
            least |= {"works": works_of(options), "measured": compared_of(options)}
    except Failed as problem:
        sys.exit(f"costs.py: {problem}")
    before = found.get("parts", {}).get("line_ns", 0)
    for name, value in least.items():
        found[name] = value if name == "parts" else keep_least(found.get(name), value)
    if any(str(thousands) not in found["rounds"] for thousands in FITTED + COMPARED):
        sys.exit("costs.py: --thousands: not all sizes have been measured")
    # Seen both 25 and 145 ns here: virtual cores that are one, and that are not. Many workers are on many cores.
    found["parts"]["line_ns"] = max(found["parts"]["line_ns"], before)
    found["sizes"] = sizes_of(found["rounds"], found["parts"])
    for thousands in COMPARED:
        found["measured"].setdefault(rounds_name(thousands), {}).update(
            (workers, by_rounds[str(ROUNDS)]["wall_ns"]) for workers, by_rounds in found["rounds"][str(thousands)].items())
    measured = found | {"machine": machine.describe(), "described": DESCRIBED}
    os.makedirs(os.path.dirname(options.output), exist_ok=True)
    with open(options.output, "w", encoding="utf-8") as stream:
        json.dump(measured, stream, indent=1)
        stream.write("\n")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
