#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures the same work with this library and with others that are installed beside it, and prints one table.

Each system is a program of this folder, built into BUILD/bench/peers. For every work and number of workers all systems run
one after the other, in random order; that is repeated. A cell has the median in nanoseconds for a unit of work, and in
brackets the median of its ratios to corio within a repetition: above 1 is slower than corio. On a machine that others use,
--by=minimum has the least of all runs, and the ratio between these. What cannot be built is named as absent.
"""
import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(FOLDER))
sys.path.insert(0, os.path.dirname(FOLDER))
import machine  # noqa: E402

STACK_BYTES = 1 << 30  # the threads' own: trees are deep, and most systems recurse on them
LIMIT_SECONDS = 300
LARGE = {"uts_t3l", "io_1m"}
WORKS = {
    "fib": "fib(27), one branch spawned, one called",
    "fib_both": "fib(27), both branches spawned",
    "loop": "a million empty children",
    "skynet": "skynet, a million leaves",
    "nqueens": "nqueens(12)",
    "uts_t3": "UTS T3, 4.1 million nodes",
    "uts_t3l": "UTS T3L, 111 million nodes",
    "switch": "context switch alone",
    "turns": "two tasks in turn",
    "io_100": "100 tasks ask 10 times",
    "io_10k": "10,000 tasks ask 10 times",
    "io_100k": "100,000 tasks ask 10 times",
    "io_1m": "1,000,000 tasks ask 10 times",
}


class Absent(Exception):
    pass


def command(words, folder=None, environment=None):
    """Runs a build command; its last line of complaint is why the system is absent."""
    try:
        done = subprocess.run(words, cwd=folder, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    except OSError as problem:
        raise Absent(f"{words[0]}: {problem.strerror}") from problem
    if done.returncode != 0:
        complaints = [line for line in done.stdout.splitlines() if "error" in line.lower()] or done.stdout.splitlines()
        raise Absent(f"{words[0]} failed: {complaints[0].strip() if complaints else 'no output'}")


# -- Building --

def cpp(name, source, compiler="g++", flags=(), libraries=()):
    def build(options, folder):
        target = os.path.join(folder, name)
        command([compiler, "-std=gnu++17", "-O2", "-g", "-I", ROOT, "-I", os.path.join(ROOT, "include"), *flags,
                 os.path.join(FOLDER, source), "-o", target, *libraries, "-pthread"])
        return {name: target}
    return build


def corio(options, folder):
    libraries = os.path.join(os.path.abspath(options.build), "runtime")
    if not os.path.exists(os.path.join(libraries, "libcorio.so")):
        sys.exit(f"peers.py: no libcorio.so in {libraries}: build it first (./dev bench does)")
    context = os.path.join(ROOT, "asm", {"x86_64": "x86_64_sysv_elf.S", "aarch64": "aarch64_aapcs_elf.S"}
                           .get(os.uname().machine, "none"))
    return cpp("corio", "corio.cpp", flags=[context],
               libraries=["-L", libraries, f"-Wl,-rpath,{libraries}", "-lcorio"])(options, folder)


def go(options, folder):
    target = os.path.join(folder, "go")
    command(["go", "build", "-o", target, "."], folder=os.path.join(FOLDER, "go"))
    return {"go": target}


def rust(options, folder):
    # Built from a copy: cargo writes a lock file beside the sources.
    sources = os.path.join(folder, "rust")
    shutil.copytree(os.path.join(FOLDER, "rust"), sources, dirs_exist_ok=True)
    command(["cargo", "build", "--quiet", "--release", "--jobs=2"], folder=sources,
            environment={"CARGO_TARGET_DIR": os.path.join(sources, "target")})
    return {name: os.path.join(sources, "target", "release", name) for name in ("rayon", "tokio")}


SYSTEMS = {"plain": "plain calls", "corio": "corio", "tbb": "oneTBB", "gomp": "GCC OpenMP", "lomp": "LLVM OpenMP",
           "rayon": "Rayon", "fiber": "Boost.Fiber", "context": "Boost.Context", "go": "Go", "tokio": "Tokio"}
BUILDS = {
    "plain": cpp("plain", "plain.cpp"),
    "corio": corio,
    "tbb": cpp("tbb", "tbb.cpp", libraries=["-ltbb"]),
    "gomp": cpp("gomp", "openmp.cpp", flags=["-fopenmp"]),
    "lomp": cpp("lomp", "openmp.cpp", compiler="clang++", flags=["-fopenmp"]),
    "rayon, tokio": rust,
    "fiber": cpp("fiber", "fiber.cpp", libraries=["-lboost_fiber", "-lboost_context"]),
    "context": cpp("context", "context.cpp", libraries=["-lboost_context"]),
    "go": go,
}
NOTES = {
    "corio": "turns: two tasks hand a mutex over to each other",
    "fiber": "one thread; fib(20), 100,000 children, 100,000 leaves: all its fibers live at once",
    "go": "plain goroutines; requests go through a channel to a goroutine that answers them in batches: a stand-in for the "
          "Go library corio, which is absent (no module of that name could be had)",
}
BUILT = {**{name: name for name in SYSTEMS},
         **{name: os.path.join("rust", "target", "release", name) for name in ("rayon", "tokio")}}
# Whose figures do not change with the number of workers.
SINGLE = {"plain", "fiber", "context"}


def build_all(options, folder):
    programs, absent = {}, {}
    if options.built:
        programs = {name: os.path.join(folder, BUILT[name]) for name in SYSTEMS if name in options.systems}
        absent = {name: "not built" for name, path in programs.items() if not os.path.exists(path)}
        return {name: path for name, path in programs.items() if name not in absent}, absent
    os.makedirs(folder, exist_ok=True)
    for names, build in BUILDS.items():
        wanted = [name for name in names.split(", ") if name in options.systems]
        if not wanted:
            continue
        try:
            programs.update((name, path) for name, path in build(options, folder).items() if name in wanted)
        except Absent as reason:
            if "corio" in wanted or "plain" in wanted:
                sys.exit(f"peers.py: {reason}")
            absent.update({name: str(reason) for name in wanted})
    return {name: programs[name] for name in SYSTEMS if name in programs}, absent


# -- Measuring --

def large_stacks():
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    wanted = STACK_BYTES if hard == resource.RLIM_INFINITY else min(STACK_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))


def run(path, arguments):
    environment = {**os.environ, "OMP_STACKSIZE": f"{STACK_BYTES >> 20}M"}
    return subprocess.run([path, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=LIMIT_SECONDS, preexec_fn=large_stacks, env=environment)


def measure(path, work, workers):
    """(unit, median, minimum) of one program's runs; None if it failed, which is said, or took too long."""
    try:
        done = run(path, [work, str(workers)])
    except subprocess.TimeoutExpired:
        print(f"peers.py: {os.path.basename(path)} {work} {workers}: over {LIMIT_SECONDS} s", file=sys.stderr)
        return None
    if done.returncode != 0:
        print(f"peers.py: {os.path.basename(path)} {work} {workers} ended with {done.returncode}: {done.stderr.strip()}",
              file=sys.stderr)
        return None
    _, _, unit, median, minimum = done.stdout.split()
    return unit, float(median), float(minimum)


def measure_all(options, programs):
    """{(work, workers): {system: [(median, minimum) of each repetition]}}, {work: unit}"""
    has = {name: set(run(path, ["--list"]).stdout.split()) for name, path in programs.items()}
    figures, units = {}, {}
    for repetition in range(options.repetitions):
        for work in options.works:
            for workers in options.workers:
                names = [name for name in programs if work in has[name] and (workers == 1 or name not in SINGLE)]
                if workers > 1 and work == "switch":
                    continue
                for name in random.sample(names, len(names)):
                    if options.verbose:
                        print(f"{repetition + 1}/{options.repetitions} {work} {workers} {name}", file=sys.stderr)
                    machine.wait_until_quiet(options.quiet)
                    found = measure(programs[name], work, workers)
                    if found is None:
                        has[name].discard(work)
                        continue
                    units[work] = found[0]
                    figures.setdefault((work, workers), {}).setdefault(name, []).append(found[1:])
    return figures, units


# -- Telling --

def number(value):
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def figure(options, values):
    if options.by == "minimum":
        return min(minimum for _, minimum in values)
    return statistics.median(median for median, _ in values)


def ratio(options, values, ours):
    if options.by == "minimum" or len(ours) != len(values):
        return figure(options, values) / figure(options, ours)
    return statistics.median(value / our for (value, _), (our, _) in zip(values, ours))


def cell(options, values, ours, scale):
    if not values:
        return "-"
    text = number(figure(options, values) * scale)
    return text if ours is None or ours is values else f"{text} ({ratio(options, values, ours):.2f})"


def table(options, figures, units, programs):
    lines = ["| work | unit | workers | " + " | ".join(SYSTEMS[name] for name in programs) + " |",
             "| --- | --- | ---: |" + " ---: |" * len(programs)]
    for (work, workers), row in figures.items():
        whole = units[work] == "board"
        cells = [cell(options, row.get(name), row.get("corio"), 1e-6 if whole else 1) for name in programs]
        lines.append(f"| {WORKS[work]} | {'ms' if whole else 'ns/' + units[work]} | {workers} | {' | '.join(cells)} |")
    return "\n".join(lines)


def versions(programs):
    found = {"gomp": ["g++", "--version"], "lomp": ["clang++", "--version"], "go": ["go", "version"],
             "rayon": ["cargo", "--version"]}
    return {name: machine.first_line(words) for name, words in found.items() if name in programs}


def names_of(known):
    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name}: not one of {', '.join(known)}")
        return names
    return parse


def worker_counts(text):
    counts = [int(word) for word in text.split(",")]
    if min(counts) < 1:
        raise argparse.ArgumentTypeError("workers are counted from 1")
    return counts


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="build folder of the library")
    parser.add_argument("--repetitions", type=int, default=3, help="of the whole table (default 3)")
    parser.add_argument("--workers", type=worker_counts, default=[1, 2], help="comma-separated (default 1,2)")
    parser.add_argument("--works", type=names_of(WORKS), help=f"comma-separated, of {', '.join(WORKS)}")
    parser.add_argument("--systems", type=names_of(SYSTEMS), default=list(SYSTEMS),
                        help=f"comma-separated, of {', '.join(SYSTEMS)}")
    parser.add_argument("--large", action="store_true", help=f"with {', '.join(sorted(LARGE))} (minutes, gigabytes)")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--by", choices=("median", "minimum"), default="median", help="what a cell has (default median)")
    parser.add_argument("--built", action="store_true",
                        help="build nothing: the programs are there, from another machine perhaps")
    machine.add_quiet_option(parser)
    parser.add_argument("--verbose", action="store_true", help="say what is running")
    options = parser.parse_args()
    if options.repetitions < 1:
        parser.error("--repetitions: at least 1")
    options.works = options.works or [work for work in WORKS if options.large or work not in LARGE]
    return options


def main():
    options = parse_options()
    programs, absent = build_all(options, os.path.join(os.path.abspath(options.build), "bench", "peers"))
    described = {**machine.describe(), **versions(programs)}
    figures, units = measure_all(options, programs)
    for name, words in described.items():
        print(f"{SYSTEMS.get(name, name)}: {words}")
    print(f"\n{table(options, figures, units, programs)}\n")
    for name, words in NOTES.items():
        if name in programs:
            print(f"{SYSTEMS[name]}: {words}")
    for name, reason in absent.items():
        print(f"absent: {SYSTEMS[name]} ({reason})")
    if options.json:
        cells = [{"work": work, "workers": workers, "unit": "ns/" + units[work], "system": name,
                  "medians": [median for median, _ in values], "minima": [minimum for _, minimum in values]}
                 for (work, workers), row in figures.items() for name, values in row.items()]
        with open(options.json, "w", encoding="utf-8") as stream:
            json.dump({"machine": described, "absent": absent, "figures": cells}, stream, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
