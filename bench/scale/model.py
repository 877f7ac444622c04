#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Predicts how the library scales to more workers than the machine has cores: a simulation (engine.py) with costs that were
measured with one and two workers (costs.py). Writes model.md, model.json and model.svg into bench/results/model.

  rounds     tasks that ask 10 times; a dispatcher that echoes                 rounds N
  pipeline   5 rounds of computing 20 us, then asking                          pipeline N
  tree       the unbalanced tree T3 of the tree search, every node a task
  pieces     4,000 tasks of 1 us to 1 ms, which ask nothing

What it leaves out: bandwidth of memory, sizes of caches beyond what one and two workers showed, NUMA (but for the variant
that says so), other processes, and lines that many workers write at once but for that of `active`. fib is left out: its
tasks are so short that the cost of each push and take, which the model has as one figure, is all there is to say.
"""
import argparse
import array
import hashlib
import json
import math
import os
import statistics
import sys

import engine
import svg

FOLDER = os.path.dirname(os.path.abspath(__file__))
RESULTS = os.path.join(os.path.dirname(FOLDER), "results", "model")
TASKS_A_COPY, ROUNDS, STAGES, PIECES = 1000, 10, 5, 4000
ALL_WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
VARIED_WORKERS = (4, 16, 64, 256)
WORKS = ("rounds 10000", "rounds 100000", "pipeline 20000", "tree", "pieces")
COMPARED = ("rounds 10000", "rounds 100000", "pipeline 4000", "pipeline 20000", "tree", "pieces")
VARIANTS = {
    "as built": {},
    "wake two each": {"wake_width": 2},
    "one wakes the next": {"wake_sharers": False},
    "spin through the boundary": {"spin_through": True},
    "parallel sort": {"parallel_sort": True},
    "parallel taking of replies": {"parallel_take": True},
    "parallel answers": {"parallel_answer": True},
    "gather by groups": {"cheap_gather": True},
    "wake two, parallel answers": {"wake_width": 2, "parallel_answer": True},
    "wake two, all parallel": {"wake_width": 2, "parallel_answer": True, "parallel_sort": True, "parallel_take": True,
                               "cheap_gather": True},
}
NODE_SIZE, FAR = 32, 3.0  # of the NUMA variants: workers of a node, and how much dearer a line from another one is
LOCAL_VARIANTS = {"nodes of 32, any victim": {}, "nodes of 32, neighbours first": {"local_victims": NODE_SIZE}}
PARTS = {"work": "#2a6fbb", "steal": "#d1661f", "boundary": "#e0a030", "idle": "#dddddd"}
COLOURS = {"as built": "#2a6fbb", "wake two each": "#3a8f4d", "wake two, all parallel": "#d1661f"}


# -- Costs --

class Table:
    """The costs of a machine, from costs.json."""

    def __init__(self, described):
        self.parts, self.works, self.measured = described["parts"], described["works"], described["measured"]
        self.described = {name: value for name, (value, _) in described["described"].items()}
        self.sizes = {name: {int(size): value for size, value in table.items()}
                      for name, table in described["sizes"].items()}
        self.sort = {int(runs): value for runs, value in self.parts["sort"].items()}
        most = max(self.sort)
        self.sort[most * most] = 2 * self.sort[most] - self.sort[1]  # as many passes again

    def engine_costs(self, nodes):
        line, described = self.parts["line_ns"], self.described
        return engine.Costs(
            line=line, probe=described["probe"], wake_call=self.parts["wake_call_ns"], wake=self.parts["wake_ns"],
            fence=self.parts["fence_idle_ns"], fence_busy=self.parts["fence_busy_ns"], fence_each=described["fence_each"],
            spin=self.parts["spin_ns"], steal=described["steal_lines"] * line, boundary=described["boundary"],
            gather=described["gather_lines"] * line, jitter=described["jitter"], sort=self.sort,
            far=FAR if nodes else 1.0, node_size=NODE_SIZE if nodes else 0)

    def each(self, name, tasks, workers):
        """ns a task; with several workers what comes from another core is added: half of all came so with two."""
        value = engine.interpolate(self.sizes[name], tasks)
        more = self.sizes.get("more_" + name)
        if workers == 1 or more is None:
            return value
        return value + engine.interpolate(more, tasks) * 2 * (workers - 1) / workers

    def take(self, tasks):
        return max(0.0, engine.interpolate(self.sizes["rest"], tasks) - self.sort[1])

    def copy(self, tasks):
        """Of lists into one: what more the boundary took with two workers, less the merge of the two or three runs."""
        return max(0.0, engine.interpolate(self.sizes["more_rest"], tasks) - (self.sort[2] - self.sort[1]))


# -- Works --

def copies_tree(tasks, leaf, child):
    """A root with copies of TASKS_A_COPY tasks, as scale.cpp has them."""
    copies = max(1, tasks // TASKS_A_COPY)
    counts = array.array("L", [copies] + [tasks // copies] * copies + [0] * (tasks // copies * copies))
    return engine.Work(counts, firsts_of(counts), leaf, child)


def firsts_of(counts):
    firsts, at = array.array("L"), 1
    for count in counts:
        firsts.append(at)
        at += count
    return firsts


def t3_counts():
    """How many children the nodes of T3 have, level by level (bench/work/uts.h)."""
    sha1, probability, children = hashlib.sha1, int(0.124875 * 2147483648), 8
    indices = [index.to_bytes(4, "big") for index in range(2000)]
    root = sha1(bytes(16) + (42).to_bytes(4, "big")).digest()
    counts, level = array.array("L", [2000]), [sha1(root + index).digest() for index in indices]
    while level:
        below = []
        for node in level:
            if int.from_bytes(node[16:], "big") & 0x7fffffff < probability + 1:
                counts.append(children)
                below += [sha1(node + index).digest() for index in indices[:children]]
            else:
                counts.append(0)
        level = below
    return counts


_trees = {}


def t3_tree(table):
    """A node's time in plain calls is its parent's, who computes what it is; to that comes a task's."""
    if "T3" not in _trees:
        counts = t3_counts()
        _trees["T3"] = counts, firsts_of(counts)
    counts, firsts = _trees["T3"]
    return engine.Work(counts, firsts, table.described["leaf"], table.works["tree_plain_ns"] / len(counts))


def pieces_tree(table):
    """bench_busy's uneven work, as long as the loop beside it says."""
    costs = [10 ** (3 * math.fmod(i * 0.6180339887498949, 1.0)) for i in range(PIECES)]
    unit = table.measured["pieces loop"]["1"] / sum(costs)
    counts = array.array("L", [PIECES] + [0] * PIECES)
    spawn = table.described["spawn"]
    return engine.Work(counts, firsts_of(counts), 0.0, spawn, [0.0] + [cost * unit for cost in costs])


FIRST_OF_ENDS = 0.5  # the first phase's share of what the first and the last cost


def run_rounds(table, sim, tasks, rounds, stage_ns=0.0):
    workers, each, spawn = sim.count, table.each, table.described["spawn"]
    ends = each("ends", tasks, workers)
    sim.run_tree_phase(copies_tree(tasks, max(0.0, FIRST_OF_ENDS * ends - spawn) + stage_ns, spawn), keep_order=True)
    for asked in range(1, rounds + 1):
        sim.boundary(each("answer", tasks, workers), table.take(tasks), table.copy(tasks))
        last = asked == rounds
        sim.run_range_phase(tasks, (1 - FIRST_OF_ENDS) * ends if last else each("resume", tasks, workers) + stage_ns)


def simulate(table, work, workers, variant=None, seed=1, nodes=False):
    """The engine after a run of a work."""
    sim = engine.Engine(workers, table.engine_costs(nodes), seed, engine.Variant(**(variant or {})))
    kind, _, size = work.partition(" ")
    if kind == "rounds":
        run_rounds(table, sim, int(size), ROUNDS)
    elif kind == "pipeline":
        run_rounds(table, sim, int(size), STAGES, table.works["stage_ns"])
    else:
        sim.run_tree_phase(t3_tree(table) if kind == "tree" else pieces_tree(table))
    sim.finish()
    return sim


# -- Figures --

def figures(table, work, workers, variant=None, seeds=1, nodes=False):
    sims = [simulate(table, work, workers, variant, seed, nodes) for seed in range(1, seeds + 1)]
    sim = sorted(sims, key=lambda one: one.now)[len(sims) // 2]
    whole = sim.now * workers
    return {"ms": sim.now / 1e6, "steals": sim.steals, "wakes": sim.wakes,
            "runs": statistics.median(sim.runs) if sim.runs else 0,
            "boundary_of_wall": sim.time["boundary"] / sim.now,
            **{part: sim.time[part] / whole for part in PARTS}}


def compare(table):
    rows = []
    for work in COMPARED:
        for workers in sorted(int(text) for text in table.measured[work]):
            measured = table.measured[work][str(workers)] / 1e6
            predicted = figures(table, work, workers)["ms"]
            rows.append({"work": work, "workers": workers, "predicted_ms": predicted, "measured_ms": measured,
                         "error": predicted / measured - 1})
    return rows


def scaled(table, options):
    """{work: {workers: figures}} as built"""
    result = {}
    for work in options.works:
        result[work] = {}
        for workers in options.workers:
            print(f"model.py: {work}, {workers} workers", file=sys.stderr)
            result[work][workers] = figures(table, work, workers)
        one = result[work][options.workers[0]]["ms"]
        for workers, row in result[work].items():
            row["speed_up"] = one / row["ms"]
            row["efficiency"] = row["speed_up"] / workers
    return result


def variants_of(work):
    if work in ("tree", "pieces"):
        return {name: VARIANTS[name] for name in ("as built", "wake two each")}
    return VARIANTS


def varied(table, options, base):
    """{work: {variant: {workers: speed-up}}}"""
    result = {}
    for work in options.works:
        one = base[work][options.workers[0]]["ms"]
        result[work] = {}
        for nodes, group in ((False, variants_of(work)), (True, LOCAL_VARIANTS)):
            for name, variant in group.items():
                print(f"model.py: {work}, {name}", file=sys.stderr)
                result[work][name] = {workers: one / figures(table, work, workers, variant, nodes=nodes)["ms"]
                                      for workers in VARIED_WORKERS}
    return result


# -- Telling --

def percent(value):
    return f"{100 * value:.0f} %"


def compare_table(rows):
    lines = ["| work | workers | predicted, ms | measured, ms | error |", "| --- | ---: | ---: | ---: | ---: |"]
    for row in rows:
        lines.append(f"| {row['work']} | {row['workers']} | {row['predicted_ms']:.1f} | {row['measured_ms']:.1f} "
                     f"| {100 * row['error']:+.1f} % |")
    return "\n".join(lines)


def scale_table(base):
    lines = ["| work | workers | ms | speed-up | efficiency | work | stealing, waking | boundary | idle | boundary of wall time "
             "| steals | wake-ups | runs to merge |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for work, rows in base.items():
        for workers, row in rows.items():
            parts = " | ".join(percent(row[part]) for part in PARTS)
            lines.append(f"| {work} | {workers} | {row['ms']:.2f} | {row['speed_up']:.1f} | {percent(row['efficiency'])} "
                         f"| {parts} | {percent(row['boundary_of_wall'])} | {row['steals']} | {row['wakes']} "
                         f"| {row['runs']:.0f} |")
    return "\n".join(lines)


def variant_table(found):
    lines = ["| work | variant | " + " | ".join(str(workers) for workers in VARIED_WORKERS) + " |",
             "| --- | --- |" + " ---: |" * len(VARIED_WORKERS)]
    for work, variants in found.items():
        for name, faster in variants.items():
            lines.append(f"| {work} | {name} | " + " | ".join(f"{value:.1f}" for value in faster.values()) + " |")
    return "\n".join(lines)


def legend(canvas, y, entries):
    x = svg.LEFT
    for words, colour in entries:
        canvas.box(x, y - 8, 14, 8, colour)
        canvas.text(x + 19, y, words)
        x += 33 + 6.2 * len(words)


def plot(base, found, path):
    works, top, below = list(base), 66, 28
    width, height = svg.size_of_grid(len(works), 2, top, below)
    canvas = svg.Canvas(width, height)
    canvas.text(svg.LEFT, 20, "corio, predicted by a model", size=15, weight="bold")
    canvas.text(svg.LEFT, 38, "costs measured with 1 and 2 workers; all beyond is a simulation", colour=svg.AXIS)
    legend(canvas, 58, [*COLOURS.items(), ("ideal", "#999999")])
    for column, work in enumerate(works):
        counts = list(base[work])
        lines = {"as built": {workers: row["speed_up"] for workers, row in base[work].items()}}
        lines.update({name: faster for name, faster in found[work].items() if name in COLOURS and name != "as built"})
        most = 1.1 * max(max(line.values()) for line in lines.values())
        panel = svg.Panel(canvas, column, 0, top, f"{work}: speed-up", counts, most)
        panel.series({count: count for count in counts if count <= most}, "#999999", "4 3", dots=False)
        for name, line in lines.items():
            panel.series({workers: value for workers, value in line.items() if workers in counts}, COLOURS[name])
        panel = svg.Panel(canvas, column, 1, top, "time of all workers", counts, 1)
        panel.bars({workers: [(row[part], colour) for part, colour in PARTS.items()]
                    for workers, row in base[work].items()})
    legend(canvas, height - 10, list(PARTS.items()))
    canvas.write(path)


def write(options, described, rows, base, found):
    os.makedirs(options.folder, exist_ok=True)
    with open(os.path.join(options.folder, "model.json"), "w", encoding="utf-8") as stream:
        json.dump({"compared": rows, "scaled": base, "variants": found}, stream, indent=1)
        stream.write("\n")
    plot(base, found, os.path.join(options.folder, "model.svg"))
    words = "\n".join(f"- {name}: {value}" for name, value in described["machine"].items())
    with open(os.path.join(options.folder, "model.md"), "w", encoding="utf-8") as stream:
        stream.write(f"# Scaling, predicted\n\nCosts measured on:\n\n{words}\n\n![speed-up, time](model.svg)\n\n"
                     f"## Predicted and measured\n\n{compare_table(rows)}\n\n"
                     f"## As built\n\nThe four shares are of the time of all workers.\n\n{scale_table(base)}\n\n"
                     f"## Variants: speed-up against one worker as built\n\n{variant_table(found)}\n\n"
                     "What it all means: `docs/scaling.md`, and `bench/scale/model.py --help`.\n")
    print(f"written to {options.folder}")


# -- Command line --

def names(known):
    def parse(text):
        for name in text.split(","):
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is not one of {', '.join(known)}")
        return text.split(",")
    return parse


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--costs", default=os.path.join(RESULTS, "costs.json"),
                        help="what costs.py wrote (default bench/results/model/costs.json)")
    parser.add_argument("--folder", default=RESULTS, help="for the results (default bench/results/model)")
    parser.add_argument("--works", type=names(WORKS), default=list(WORKS), help=f"comma-separated (default {','.join(WORKS)})")
    parser.add_argument("--compare", action="store_true", help="only print predictions beside what was measured")
    options = parser.parse_args()
    options.workers = list(ALL_WORKERS)
    return options


def load(path):
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


def main():
    options = parse_options()
    described = load(options.costs)
    table = Table(described)
    rows = compare(table)
    print(compare_table(rows))
    if options.compare:
        return
    base = scaled(table, options)
    print(scale_table(base))
    found = varied(table, options, base)
    print(variant_table(found))
    write(options, described, rows, base, found)


if __name__ == "__main__":
    main()
