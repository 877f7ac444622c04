#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The simulation of bench/scale: the same each time, each task once a phase, and exact where a formula is.

Usage: test_engine.py FOLDER-OF-ENGINE"""
import array
import random
import sys
import unittest

sys.path.insert(0, sys.argv.pop(1))
import engine  # noqa: E402

LIKE_A_MACHINE = {"line": 150, "probe": 4, "wake_call": 3000, "wake": 10000, "fence": 1200, "fence_busy": 10000,
                  "fence_each": 50, "spin": 39000, "steal": 300, "boundary": 150, "gather": 450, "jitter": 0.01,
                  "sort": {1: 2.0, 2: 4.0, 4: 5.0, 256: 14.0}}
VARIANTS = [{}, {"wake_width": 2}, {"wake_sharers": False}, {"spin_through": True}, {"parallel_sort": True,
            "parallel_take": True, "parallel_answer": True}, {"cheap_gather": True, "local_victims": 4}]


def flat(tasks, leaf=100.0, child=10.0):
    counts = array.array("L", [tasks] + [0] * tasks)
    return engine.Work(counts, array.array("L", [1] * (tasks + 1)), leaf, child)


def random_tree(nodes, seed):
    """Numbered level by level, as engine.Work wants it."""
    drawn, counts = random.Random(seed), []
    known = 1
    while len(counts) < known:
        some = drawn.randrange(4) if known > len(counts) + 1 else 3
        some = min(some, nodes - known)
        counts.append(some)
        known += some
    firsts, at = [], 1
    for count in counts:
        firsts.append(at)
        at += count
    return engine.Work(counts, firsts, 500.0, 50.0, [drawn.uniform(10, 20000) for _ in counts])


def rounds(workers, tasks, phases=3, seed=1, variant=None, **costs):
    """The engine, and what was run in each phase."""
    sim = engine.Engine(workers, engine.Costs(**(costs or LIKE_A_MACHINE)), seed, engine.Variant(**(variant or {})))
    sim.run_tree_phase(flat(tasks), keep_order=True)
    ran = [indices(sim)]
    for _ in range(phases):
        sim.boundary(answer=20.0, take=2.0, copy=3.0)
        sim.run_range_phase(tasks, 200.0)
        ran.append(indices(sim))
    sim.finish()
    return sim, ran


def indices(sim):
    """Of all workers, of what was run in the phase that has ended."""
    result = []
    for _, pieces in sim.lists():
        for first, last in pieces:
            result += range(first, last + 1) if first <= last else range(first, last - 1, -1)
    return sorted(result)


def resumed(workers, tasks, cost, **costs):
    """What a single phase takes in which worker 0 was the leader."""
    sim = engine.Engine(workers, engine.Costs(**costs))
    sim.begin()
    sim.leader = sim.workers[0]
    sim.run_range_phase(tasks, cost)
    return sim


class Deterministic(unittest.TestCase):
    def test_a_seed_gives_the_same_run(self):
        for variant in VARIANTS:
            one, _ = rounds(16, 5000, variant=variant, seed=7)
            two, _ = rounds(16, 5000, variant=variant, seed=7)
            self.assertEqual((one.now, one.steals, one.wakes, one.time), (two.now, two.steals, two.wakes, two.time))

    def test_another_seed_gives_another_run(self):
        self.assertNotEqual(rounds(16, 5000, seed=1)[0].now, rounds(16, 5000, seed=2)[0].now)


class Conserving(unittest.TestCase):
    def test_each_task_runs_once_a_phase(self):
        for variant in VARIANTS:
            for workers in (1, 2, 3, 16, 64):
                for tasks in (1, 2, 63, 1000):
                    _, ran = rounds(workers, tasks, variant=variant)
                    self.assertEqual(ran[0], list(range(1, tasks + 1)), (variant, workers, tasks))
                    for phase in ran[1:]:
                        self.assertEqual(phase, list(range(tasks)), (variant, workers, tasks))

    def test_each_node_of_a_tree_runs_once(self):
        for seed in range(5):
            work = random_tree(3000, seed)
            for workers in (1, 2, 16, 64):
                sim = engine.Engine(workers, engine.Costs(**LIKE_A_MACHINE), seed)
                sim.run_tree_phase(work, keep_order=True)
                leaves = [node for node, count in enumerate(work.counts) if count == 0]
                self.assertEqual(indices(sim), leaves)
                self.assertEqual(sum(worker.ran for worker in sim.workers), len(work.counts))

    def test_time_is_work_stealing_boundary_and_idling(self):
        for workers in (1, 2, 16):
            sim, _ = rounds(workers, 2000)
            self.assertAlmostEqual(sum(sim.time.values()), workers * sim.now, delta=1e-6 * workers * sim.now)

    def test_nobody_is_active_at_a_boundary_and_all_are_accounted_for(self):
        sim, _ = rounds(16, 2000)
        self.assertEqual(sim.active, 0)
        asleep = sum(worker.state == engine.ASLEEP for worker in sim.workers)
        self.assertEqual(asleep, len(sim.sleepers))
        self.assertEqual(asleep + sim.looking + 1, 16)  # and the leader


class Exact(unittest.TestCase):
    def test_one_worker_takes_the_sum(self):
        sim, _ = rounds(1, 1000, phases=3, sort={1: 1.0}, boundary=50)
        work = 1000 * (10 + 100) + 3 * 1000 * 200
        boundaries = 3 * (50 + 1000 * (1 + 20 + 2))
        self.assertAlmostEqual(sim.now, work + boundaries + 100)  # and the root, a node like others
        self.assertEqual((sim.steals, sim.wakes), (0, 0))
        self.assertAlmostEqual(sim.time["boundary"], boundaries)

    def test_without_overhead_the_speed_up_is_perfect(self):
        for workers in (1, 2, 16, 64, 256):
            self.assertAlmostEqual(resumed(workers, workers * 50, 10.0).now, 500.0)

    def test_one_task_is_not_sped_up(self):
        for workers in (1, 2, 16, 64):
            self.assertAlmostEqual(resumed(workers, 1, 1000.0).now, 1000.0)

    def test_a_few_tasks_stay_with_the_leader_without_others(self):
        sim = resumed(1, 3, 1000.0)
        self.assertAlmostEqual(sim.now, 3000.0)

    def test_serial_part_is_amdahl(self):
        sim = resumed(64, 64 * 100, 10.0)
        sim.boundary(answer=5.0, take=0.0)
        self.assertAlmostEqual(sim.now, 1000.0 + 64 * 100 * 5.0)

    def test_wake_ups_are_a_tree_or_a_chain(self):
        """The last worker begins after as many wake-ups as there are sleepers; as a tree: after their logarithm."""
        def begun(variant):
            sim = engine.Engine(32, engine.Costs(wake=1000.0, wake_call=0.0), 1, engine.Variant(**variant))
            sim.begin()
            sim.leader = sim.workers[0]
            starts = {}
            inner = sim.enter

            def enter(worker, now):
                starts.setdefault(worker.number, now)
                inner(worker, now)
            sim.enter = enter
            sim.run_range_phase(32 * 100000, 10.0)
            return max(starts.values())
        self.assertAlmostEqual(begun({"wake_sharers": False}), 31 * 1000.0)
        self.assertAlmostEqual(begun({}), 5 * 1000.0)
        self.assertAlmostEqual(begun({"wake_sharers": False, "wake_width": 2}), 5 * 1000.0, delta=1000.0)


class Runs(unittest.TestCase):
    def runs(self, *lists):
        return engine.runs_of([(0, engine.pieces_of(list(pieces))) for pieces in lists])

    def test_each_share_is_a_run(self):
        self.assertEqual(self.runs([(0, 49)], [(50, 99)]), 2)
        self.assertEqual(self.runs([(0, 49), (50, 99)], []), 1)

    def test_falling_is_a_run(self):
        self.assertEqual(self.runs([9, 8, 7, 6]), 1)

    def test_what_was_stolen_begins_another(self):
        self.assertEqual(self.runs([(0, 49), (75, 99)], [(50, 74)]), 2)
        self.assertEqual(self.runs([(0, 24)], [(50, 99), (25, 49)]), 3)

    def test_runs_are_those_that_a_walk_finds(self):
        drawn = random.Random(3)
        for _ in range(300):
            numbers = list(range(30))
            if drawn.random() < 0.7:
                cut = drawn.randrange(30)
                numbers = numbers[cut:] + (numbers[:cut] if drawn.random() < 0.5 else numbers[:cut][::-1])
            else:
                drawn.shuffle(numbers)
            self.assertEqual(self.runs(numbers), walked(numbers), numbers)


def walked(numbers):
    """As order.c's first_run goes."""
    runs, at = 0, 0
    while at < len(numbers):
        end = at + 1
        if end < len(numbers):
            rising = numbers[at] <= numbers[end]
            while end < len(numbers) and (numbers[end - 1] <= numbers[end]) == rising:
                end += 1
        at, runs = end, runs + 1
    return runs


if __name__ == "__main__":
    unittest.main()
