# SPDX-License-Identifier: MIT
"""A discrete-event simulation of the phase engine: what workers do, and when, as runtime/sched and runtime/phase say it.

Workers are agents. One that runs takes from its own, then steals; one that finds nothing leaves `active`, looks on for a
while, and sleeps; the one that leaves last runs the boundary alone. Wake-ups go to one sleeper at a time, and whoever is woken
passes them on; but of those who have a part of a resume each that begins wakes two (unless a variant says otherwise). Time is
in nanoseconds. All randomness is drawn from one generator, so a seed gives the same run every time.

Two kinds of CPU phases:

  tree    closures in deques: nodes with a cost, and children that they spawn (phase 0, and works that ask nothing)
  range   the tasks that a boundary resumes, shared out as ranges: stolen by halves

A worker's own run of a range is one event: what is left of it at a moment is computed when a thief looks. A worker's own run of
a tree goes in steps of QUANTUM_NS, so a thief may see what is so much too new.
"""
import bisect
import heapq
import math
import random

QUANTUM_NS = 2000
POLL_NS = 500  # how often one that looks on does so, at most
SPIN_LOOKS = 16  # idle.c; the first few come sooner there
USED_UP_FAST_NS, PAUSE_NS = 5000, 5000  # steal.c
WORTH, LEAST_WORTH_NS, LEAST_LONG_NS, MOST_LONG_NS = 3, 1000, 40000, 1280000  # the same, of a share as large as they get
LONGEST_LOOK_NS = 4000  # how long one that pauses goes without looking
STEAL_SHARE, STEAL_MOST = 8, 64  # deque.c, deque.h
FEW_RESUMES = 4  # for each worker: below, all go to the leader (idle.c)

BUSY, LOOKING, ASLEEP, WAKING = range(4)


class Variant:
    """What the engine would do otherwise. The defaults are what it does."""

    def __init__(self, wake_width=1, wake_sharers=True, parallel_sort=False, parallel_take=False, parallel_answer=False,
                 local_victims=0, cheap_gather=False, spin_through=False):
        self.wake_width = wake_width  # sleepers woken by one who is woken; 1: only if nobody looks
        self.wake_sharers = wake_sharers  # whoever begins on its part of a resume wakes two others
        self.parallel_sort = parallel_sort
        self.parallel_take = parallel_take
        self.parallel_answer = parallel_answer
        self.local_victims = local_victims  # size of the groups in which victims are looked for first; 0: anywhere
        self.cheap_gather = cheap_gather  # the leader visits groups of workers, not each
        self.spin_through = spin_through  # nobody sleeps while a boundary goes on


class Costs:
    """Nanoseconds; what each is and where it comes from: costs.py."""

    NAMES = ("line", "probe", "wake_call", "wake", "fence", "fence_busy", "fence_each", "spin", "steal", "boundary",
             "gather", "jitter", "far", "node_size")

    def __init__(self, **values):
        self.sort = values.pop("sort", {1: 0.0})  # {runs: ns an entry}
        for name in self.NAMES:
            setattr(self, name, values.pop(name, 0))
        if values:
            raise ValueError(f"unknown costs: {', '.join(values)}")


class Worker:
    __slots__ = ("number", "state", "version", "victim", "items", "top", "taken", "node", "next_child", "begin", "end", "since",
                 "cost", "pace", "pieces", "stole_at", "stole_count", "steal_took", "pause", "look_until", "idle_since",
                 "ran")

    def __init__(self, number, count):
        self.number = number
        self.state, self.version = ASLEEP, 0
        self.victim = 0 if number else count - 1
        self.items, self.top = [], 0  # the deque: its newest last
        self.taken = None  # a stolen node that it runs next: nobody else can have it
        self.node, self.next_child = None, 0  # a node that spawns
        self.begin = self.end = 0
        self.since = None  # when it began to run the range; None: it has not
        self.cost, self.pace = 1.0, 1.0
        self.pieces = []  # (first, last) of what it ran, in order: last < first if newest first
        self.stole_at, self.stole_count = -1e18, 0
        self.steal_took = self.pause = 0.0
        self.look_until, self.idle_since = 0.0, 0.0
        self.ran = 0

    def deque_length(self):
        return len(self.items) - self.top

    def begun(self, now):
        """The first index of its range that nobody has taken."""
        if self.since is None:
            return self.begin
        return min(self.end, self.begin + int(max(0.0, now - self.since) / self.cost) + 1)

    def left_of_range(self, now):
        return self.end - self.begun(now) if self.end > self.begin else 0


class Work:
    """Nodes are numbered so that the children of a node are neighbours. `counts[i]` children from `firsts[i]`; running a node
    costs `leaf`, or `leaves[i]`, and `child` for each child that it spawns."""

    def __init__(self, counts, firsts, leaf, child, leaves=None):
        self.counts, self.firsts, self.leaf, self.child, self.leaves = counts, firsts, leaf, child, leaves


class Engine:
    def __init__(self, workers, costs, seed=1, variant=None, cpus=None):
        self.random = random.Random(seed)
        self.costs, self.variant = costs, variant or Variant()
        self.count = workers
        self.workers = [Worker(i, workers) for i in range(workers)]
        cpus = cpus or max(workers, 2)
        self.most_looking = cpus // 2 if cpus >= 4 else 1  # start.c
        # A round looks at every worker: the more there are, the longer they spin.
        self.spin_ns = costs.spin + SPIN_LOOKS * workers * costs.probe
        self.poll_ns = max(POLL_NS, self.spin_ns / SPIN_LOOKS)
        self.now = 0.0
        self.queue, self.order = [], 0
        self.active, self.looking, self.sleepers = 0, 0, list(range(workers - 1, 0, -1))
        self.active_free_at = 0.0  # the line of `active` is one worker's at a time
        self.steals = self.wakes = self.phases = 0
        self.time = dict.fromkeys(("work", "steal", "idle", "boundary"), 0.0)  # of all workers together
        self.ran_at_once = 0
        self.runs = []  # that each boundary had to merge
        self.work = None
        self.leader, self.leader_number, self.shared_out = None, 0, False
        self.helped = False
        self.paces()

    def paces(self):
        for worker in self.workers:
            worker.pace = max(0.5, 1 + self.random.gauss(0, self.costs.jitter)) if self.costs.jitter and self.count > 1 else 1.0

    # -- Events --

    def at(self, when, worker):
        """The worker's next event; what was there before is forgotten."""
        worker.version += 1
        self.order += 1
        heapq.heappush(self.queue, (when, self.order, worker.number, worker.version))

    def touch_active(self, now):
        """When a change of `active` that begins now is done."""
        self.active_free_at = max(now, self.active_free_at) + (self.costs.line if self.count > 1 else 0)
        return self.active_free_at

    def spend(self, what, ns):
        self.time[what] += ns

    # -- What is visible --

    def has_work(self, worker, now):
        return worker.deque_length() > 0 or worker.left_of_range(now) > 0

    def work_visible(self, now):
        return any(self.has_work(worker, now) for worker in self.workers)

    # -- Waking --

    def fence(self):
        others = min(self.active + self.looking, self.count) - 1
        if others < 1:
            return self.costs.fence
        return self.costs.fence_busy + self.costs.fence_each * (others - 1)

    def wake_one(self, now):
        """The last one that went to sleep."""
        self.wake(self.workers[self.sleepers.pop()], now)

    def wake(self, worker, now):
        """Whoever is woken counts as looking from here on."""
        worker.state = WAKING
        self.looking += 1
        self.wakes += 1
        self.at(now + self.costs.wake, worker)

    def pushed(self, now):
        """There is something to take. Returns what the wake-up costs the one who saw to it."""
        if not self.sleepers or self.looking > 0:
            return 0.0
        self.wake_one(now)
        return self.costs.wake_call

    def wake_sharers(self, worker, now):
        """idle.c: counted from the leader, 0 wakes 1 and 2, 1 wakes 3 and 4, and so on. Returns what it costs."""
        took = 0.0
        if not self.shared_out or not self.variant.wake_sharers:
            return took
        place = (worker.number - self.leader_number) % self.count
        for at in range(2 * place + 1, min(2 * place + 3, self.count)):
            other = self.workers[(self.leader_number + at) % self.count]
            if other.state == ASLEEP and other.left_of_range(now) > 0:
                self.sleepers.remove(other.number)
                self.wake(other, now + took)
                took += self.costs.wake_call
        return took

    def pass_on(self, now):
        """By one that has taken something and sees more."""
        if self.variant.wake_width == 1:
            return self.pushed(now)
        took = 0.0
        for _ in range(min(self.variant.wake_width, len(self.sleepers))):
            self.wake_one(now + took)
            took += self.costs.wake_call
        return took

    # -- Stealing --

    def victims(self, thief):
        """In the order in which they are looked at."""
        count, group = self.count, self.variant.local_victims
        yield thief.victim
        start = self.random.randrange(count)
        if group:
            base = thief.number // group * group
            size = min(group, count - base)
            for i in range(size):
                yield base + (start + i) % size
        for i in range(count):
            yield (start + i) % count

    def distance(self, thief, victim):
        """What a line from another node costs, beside what one from a neighbour does."""
        size = self.costs.node_size
        return self.costs.far if size and thief.number // size != victim.number // size else 1.0

    def pause(self, thief, now):
        """For how long a hasty thief waits until it looks again; 0: it may steal closures."""
        since = now - thief.stole_at
        if thief.stole_count == 0:
            pass  # it has been back since
        elif thief.stole_count < STEAL_MOST:
            thief.pause = PAUSE_NS if since < USED_UP_FAST_NS else 0.0
        elif since >= max(LEAST_WORTH_NS, WORTH * thief.steal_took):
            thief.pause = 0.0
        else:
            thief.pause = min(MOST_LONG_NS, max(LEAST_LONG_NS, 2 * thief.pause))
        thief.stole_count = 0
        return max(0.0, min(thief.pause - since, LONGEST_LOOK_NS))

    def steal_closures(self, thief, victim, now):
        share = min(STEAL_MOST, -(-victim.deque_length() // STEAL_SHARE))
        thief.taken = victim.items[victim.top]
        thief.items, thief.top = victim.items[victim.top + 1:victim.top + share], 0
        victim.top += share
        if victim.top > 4096:
            del victim.items[:victim.top]
            victim.top = 0
        took = self.costs.steal + self.costs.line * (1 + share / 2)
        thief.stole_at, thief.stole_count = now + took, share
        if share == STEAL_MOST:
            thief.steal_took = took
        return took

    def steal_range(self, thief, victim, now):
        begun = victim.begun(now)
        middle = begun + (victim.end - begun) // 2
        thief.begin, thief.end, thief.since, thief.cost = middle, victim.end, None, self.cost * thief.pace
        victim.end = middle
        if victim.since is not None:
            self.at(victim.since + (middle - victim.begin) * victim.cost, victim)
        return self.costs.steal

    def steal(self, thief, now):
        """(what it cost, whether there was something); None: it is to try again"""
        took = pausing = 0.0
        if self.count == 1:
            return took, False
        for number in self.victims(thief):
            victim = self.workers[number]
            if victim is thief:
                continue
            took += self.costs.line if victim.state == BUSY else self.costs.probe
            if victim.deque_length() > 0:
                pause = self.pause(thief, now)
                if pause > 0:
                    pausing = pause
                    continue
                took += self.steal_closures(thief, victim, now)
            elif victim.left_of_range(now) > 0:
                took += self.steal_range(thief, victim, now)
            else:
                continue
            took += self.costs.line * (self.distance(thief, victim) - 1)
            thief.victim = number
            self.steals += 1
            return took, True
        return took + pausing, None if pausing else False

    # -- A worker's turn --

    def has_own(self, worker):
        return (worker.taken is not None or worker.node is not None or worker.deque_length() > 0 or
                worker.begin < worker.end)

    def look_for_more(self, worker, now):
        """Its own things are used up: a thief, or inactive. One that runs a range holds it until its end."""
        took, found = self.steal(worker, now)
        self.spend("steal", took)
        if found is None:
            self.at(now + took, worker)
            return
        if found:
            self.go_on(worker, now + took, passes=True)
            return
        left = self.touch_active(now + took)
        self.spend("steal", left - now - took)
        self.active -= 1
        worker.idle_since = left
        if self.active == 0:
            self.leader = worker
            self.quiescent_at = left
            return
        self.begin_looking(worker, left)

    def go_on(self, worker, now, passes):
        """It has something of its own. From home it passes the wake-up on, if there is more."""
        worker.state = BUSY
        if passes and self.sleepers and self.visible_after(worker, now):
            took = self.pass_on(now)
            self.spend("steal", took)
            now += took
        if worker.begin < worker.end:
            worker.since = now
            self.at(now + (worker.end - worker.begin) * worker.cost, worker)
        else:
            self.at(now, worker)

    def visible_after(self, worker, now):
        """Something that another one could take, or that is left when `worker` has taken its first."""
        if worker.deque_length() > 0 or worker.end - worker.begin > 1:
            return True
        return any(other is not worker and self.has_work(other, now) for other in self.workers)

    def begin_looking(self, worker, now):
        worker.state = LOOKING
        self.looking += 1
        worker.look_until = now + self.spin_ns
        self.at(now + self.poll_ns, worker)

    def keep_looking(self, worker, now):
        """Also of one that has just been woken."""
        if worker.state == WAKING:
            worker.state = LOOKING
            worker.look_until = now + self.spin_ns
        if self.active > 0 and self.work_visible(now):
            self.enter(worker, now)
        elif (now < worker.look_until or self.variant.spin_through) and self.looking <= self.most_looking:
            self.at(now + self.poll_ns, worker)
        else:
            worker.state = ASLEEP
            worker.version += 1
            self.looking -= 1
            self.sleepers.append(worker.number)

    def enter(self, worker, now):
        entered = self.touch_active(now)
        self.active += 1
        entered += self.wake_sharers(worker, entered)
        self.looking -= 1
        if self.looking == 0 and self.sleepers:
            entered += self.fence()
        self.spend("idle", now - worker.idle_since)
        self.spend("steal", entered - now)
        worker.state = BUSY
        if worker.begin < worker.end:
            worker.cost = self.cost * worker.pace
            self.go_on(worker, entered, passes=True)
        else:
            self.at(entered, worker)

    # -- Running --

    def finish_range(self, worker, now):
        done = worker.end - worker.begin
        self.spend("work", done * worker.cost)
        worker.ran += done
        self.ran_at_once += done
        worker.pieces.append((worker.begin, worker.end - 1))
        worker.begin = worker.end = 0
        worker.since = None

    def spawn_some(self, worker, until, spent):
        """Children of the node that it is in, up to a moment."""
        work, node = self.work, worker.node
        count, first = work.counts[node], work.firsts[node]
        cost = work.child * worker.pace
        room = count - worker.next_child
        some = room if cost <= 0 else min(room, max(1, int((until - spent) / cost)))
        worker.items.extend(range(first + worker.next_child, first + worker.next_child + some))
        worker.next_child += some
        if worker.next_child == count:
            worker.node, worker.next_child = None, 0
        return some * cost

    def run_tree(self, worker, now):
        """Its newest closures, for a quantum; returns the time it took."""
        work, items, counts, leaves = self.work, worker.items, self.work.counts, self.work.leaves
        leaf, pace, spent, ran, top = work.leaf, worker.pace, 0.0, 0, worker.top
        order = worker.pieces
        while spent < QUANTUM_NS:
            if worker.node is not None:
                spent += self.spawn_some(worker, QUANTUM_NS, spent)
                continue
            if worker.taken is not None:
                node, worker.taken = worker.taken, None
            elif len(items) == top:
                break
            else:
                node = items.pop()
            ran += 1
            spent += (leaves[node] if leaves else leaf) * pace
            if counts[node]:
                worker.node = node
            elif order is not None:
                order.append(node)
        if len(items) == top:
            worker.items, worker.top = [], 0
        worker.ran += ran
        self.ran_at_once += ran
        self.spend("work", spent)
        return spent

    def step(self, worker, now):
        if worker.state != BUSY:
            self.keep_looking(worker, now)
            return
        if worker.begin < worker.end and worker.since is not None:
            self.finish_range(worker, now)
        if self.has_own(worker):
            took = self.run_tree(worker, now)
            if worker.deque_length() > 0 and self.sleepers:
                waking = self.pushed(now)
                self.spend("steal", waking)
                took += waking
            self.at(now + took, worker)
        else:
            self.look_for_more(worker, now)

    def until_quiescence(self):
        self.leader = None
        while self.leader is None:
            when, _, number, version = heapq.heappop(self.queue)
            worker = self.workers[number]
            if version != worker.version:
                continue
            self.now = when
            self.step(worker, when)
        self.now = self.quiescent_at
        return self.leader

    # -- Phases --

    def begin(self):
        worker = self.workers[0]
        worker.state = BUSY
        self.active = 1
        for other in self.workers[1:]:
            other.idle_since = self.now
        return worker

    def run_tree_phase(self, work, keep_order=False):
        """The first phase: worker 0 has the root, which is node 0. Until quiescence."""
        self.work, self.ran_at_once = work, 0
        worker = self.begin()
        for each in self.workers:
            each.pieces = [] if keep_order else None
        worker.items, worker.top = [0], 0
        self.shared_out = False
        self.at(self.now, worker)
        return self.until_quiescence()

    def run_range_phase(self, tasks, cost):
        """What the leader resumes (resume_all). Until quiescence."""
        leader, count = self.leader, self.count
        self.cost, self.ran_at_once = cost, 0
        self.paces()
        few = tasks < FEW_RESUMES * count
        self.leader_number, self.shared_out = leader.number, not few
        for worker in self.workers:
            worker.pieces = []
            worker.since = None
            worker.begin, worker.end = (tasks * worker.number // count, tasks * (worker.number + 1) // count) if not few \
                else (0, tasks if worker is leader else 0)
            worker.cost = cost * worker.pace
        self.active = 1
        if self.helped:
            self.all_look()
        now = self.now + self.wake_sharers(leader, self.now)
        if tasks > 1:
            now += self.pushed(now)
        self.spend("steal", now - self.now)
        if self.has_own(leader):
            self.go_on(leader, now, passes=True)
        else:
            leader.state = BUSY
            self.at(now, leader)
        return self.until_quiescence()

    def all_look(self):
        """They have helped at the boundary and are awake."""
        while self.sleepers:
            worker = self.workers[self.sleepers.pop()]
            self.begin_looking(worker, self.now)

    def pass_time(self, ns):
        """A boundary: the leader works, others look on or fall asleep."""
        end = self.now + ns
        self.spend("boundary", ns)
        while self.queue and self.queue[0][0] <= end:
            when, _, number, version = heapq.heappop(self.queue)
            worker = self.workers[number]
            if version == worker.version:
                self.step(worker, when)
        self.now = end

    def boundary(self, answer, take, copy=0.0):
        """Each for a request; copy: only if several workers have some."""
        lists = self.lists()
        tasks = sum(count for count, _ in lists)
        runs = runs_of(lists)
        self.runs.append(runs)
        self.phases += 1
        sorting = interpolate(self.costs.sort, runs) + (copy if sum(1 for count, _ in lists if count) > 1 else 0)
        self.pass_time(self.boundary_ns(tasks * sorting, tasks * answer, tasks * take))

    def lists(self):
        """[(length, pieces)] of each worker's requests."""
        result = []
        for worker in self.workers:
            pieces = pieces_of(worker.pieces)
            result.append((sum(abs(last - first) + 1 for first, last in pieces), pieces))
        return result

    def boundary_ns(self, sorting, answering, taking):
        variant, alone = self.variant, sorting + answering + taking
        sorting, answering, taking = (
            self.shared(ns) if parallel else ns for ns, parallel in
            ((sorting, variant.parallel_sort), (answering, variant.parallel_answer), (taking, variant.parallel_take)))
        self.helped = sorting + answering + taking < alone
        others = self.count - 1
        visits = 2 * math.sqrt(others) if variant.cheap_gather else others
        return self.costs.boundary + self.costs.gather * visits + sorting + answering + taking

    def shared(self, ns):
        """By all workers, if that is faster: an ideal, without what cutting it up costs."""
        return min(ns, ns / self.count + self.start_up(self.count))

    def start_up(self, helpers):
        """Until all help at something within the boundary, woken as a tree."""
        return (self.costs.wake + self.costs.wake_call) * math.ceil(math.log2(helpers + 1)) if helpers > 1 else 0.0

    def finish(self):
        """Wall time; what is not work, stealing or boundary was idle."""
        self.time["idle"] = max(0.0, self.now * self.count - sum(
            self.time[what] for what in ("work", "steal", "boundary")))
        return self.now


# -- Runs of a batch --

def pieces_of(order):
    """Of a list of nodes, or of pieces, in the order in which they were run: (first, last) of what is without a gap."""
    pieces = []
    for item in order or ():
        first, last = item if isinstance(item, tuple) else (item, item)
        if pieces:
            begin, end = pieces[-1]
            rising = first == end + 1 and (begin <= end) and first <= last
            falling = first == end - 1 and (begin >= end) and first >= last
            if rising or falling:
                pieces[-1] = (begin, last)
                continue
        pieces.append((first, last))
    return pieces


def runs_of(lists):
    """How many runs order.c finds in the workers' lists."""
    runs = 0
    for _, pieces in lists:
        direction, before = 0, None
        for first, last in pieces:
            step = 0 if before is None else (1 if first > before else -1)
            if before is None or (direction != 0 and step != direction):
                runs, direction = runs + 1, 0
            elif direction == 0:
                direction = step
            if first != last:
                inner = 1 if last > first else -1
                if direction in (0, inner):
                    direction = inner
                else:  # another begins behind `first`
                    runs += 1
                    direction = inner if abs(last - first) > 1 else 0
            before = last
    return max(1, runs)


def interpolate(table, size):
    """Of {size: value}, on a logarithmic scale; beyond its ends the nearest value."""
    sizes = sorted(table)
    place = bisect.bisect_left(sizes, size)
    if place == 0:
        return table[sizes[0]]
    if place == len(sizes):
        return table[sizes[-1]]
    low, high = sizes[place - 1], sizes[place]
    part = math.log(size / low) / math.log(high / low)
    return table[low] + part * (table[high] - table[low])
