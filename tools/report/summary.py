# SPDX-License-Identifier: MIT
"""What a trace says: where time went, phase by phase, and what is drawn of it."""
import bisect
import collections

MOST_NAMED = 7          # names of tasks with a colour of their own
MOST_MERGED = 10000     # blocks of merged stretches, over all workers
MOST_ENGINE = 20000     # blocks of the engine's track, and of batches
Phase = collections.namedtuple("Phase", "number begin cpu_end end straggler path worker alone batch latency requests dispatch "
                               "waiting")


class Batch:
    def __init__(self, dispatcher, number, requests, begin, handed, end):
        self.dispatcher = dispatcher
        self.number = number
        self.requests = requests
        self.begin = begin      # of the call of the dispatcher
        self.handed = handed    # its return
        self.end = end          # the last slice was complete
        self.open = False       # it never was

    def took(self):
        return self.end - self.begin


class Summary:
    def __init__(self, events, most_blocks):
        self.events = events
        self.began = events.began
        self.ended = events.ended
        self.workers = sorted(track for track, name in events.tracks.items() if name.startswith("worker "))
        self.batches = self.find_batches()
        self.dispatchers = list(dict.fromkeys(batch.dispatcher for batch in self.batches))
        self.phases = self.find_phases()
        self.cpu = sum(phase.cpu_end - phase.begin for phase in self.phases)
        self.dispatch = sum(phase.dispatch for phase in self.phases)
        self.waiting = sum(phase.waiting for phase in self.phases)
        self.boundary = max(sum(phase.end - phase.cpu_end for phase in self.phases) - self.dispatch - self.waiting, 0.0)
        self.busy = {worker: sum(end - begin for begin, end, _, _ in events.stretches.get(worker, ()))
                     for worker in self.workers}
        self.by_name, self.by_task = self.count_tasks()
        self.stragglers = self.count_stragglers()
        self.named = [name for name, _ in self.by_name[:MOST_NAMED]]
        self.draw(most_blocks)

    def wall(self):
        return max(self.ended - self.began, 0.001)

    # -- Batches and phases --

    def find_batches(self):
        batches = []
        for dispatcher, number, requests, begin, handed in self.events.dispatches:
            batch = Batch(dispatcher, number, requests, begin, handed, handed)
            if number in self.events.completed:
                batch.end = max(handed, self.events.completed[number])
            else:
                batch.open = True
                batch.end = self.ended
            batches.append(batch)
        return batches

    def find_phases(self):
        io_of = {}
        waits = sorted((begin, end) for what, _, begin, end in self.events.phases if what == "waiting")
        wait_begins = [begin for begin, _ in waits]
        batch_begins = [batch.begin for batch in self.batches]
        for what, _, begin, end in self.events.phases:
            if what == "I/O phase":
                io_of[begin] = end
        ends = {worker: [end for _, end, _, _ in stretches] for worker, stretches in self.events.stretches.items()}
        phases = []
        for what, number, begin, cpu_end in self.events.phases:
            if what != "CPU phase":
                continue
            # The I/O phase begins where the CPU phase ends; both were rounded.
            end = next((io_of[at] for at in (cpu_end, round(cpu_end, 3), round(cpu_end - 0.001, 3),
                                             round(cpu_end + 0.001, 3)) if at in io_of), cpu_end)
            waiting = sum(waits[i][1] - waits[i][0] for i in
                          range(bisect.bisect_left(wait_begins, cpu_end), bisect.bisect_left(wait_begins, end)))
            batches = self.batches[bisect.bisect_left(batch_begins, cpu_end):bisect.bisect_left(batch_begins, end)]
            slowest = max(batches, key=Batch.took, default=None)
            phases.append(Phase(number, begin, cpu_end, end, *self.find_straggler(ends, begin, cpu_end),
                                slowest, slowest.took() if slowest else 0.0, sum(batch.requests for batch in batches),
                                sum(batch.handed - batch.begin for batch in batches), waiting))
        return phases

    def find_straggler(self, ends, begin, cpu_end):
        """Name, path and worker of the stretch that ended last in a CPU phase, and for how long it was alone."""
        last = []
        for worker, times in ends.items():
            at = bisect.bisect_right(times, cpu_end) - 1
            if at >= 0 and times[at] > begin:
                last.append((times[at], worker, at))
        if not last:
            return "", "", None, 0.0
        last.sort(reverse=True)
        end, worker, at = last[0]
        _, _, name, path = self.events.stretches[worker][at]
        return name, path, worker, end - (last[1][0] if len(last) > 1 else begin)

    # -- Tasks --

    def count_tasks(self):
        """[(name, [stretches, time, longest, its path])] and [((name, path), time)], the largest first."""
        by_name, by_task = {}, collections.defaultdict(float)
        for stretches in self.events.stretches.values():
            for begin, end, name, path in stretches:
                total = by_name.setdefault(name, [0, 0.0, 0.0, ""])
                total[0] += 1
                total[1] += end - begin
                if end - begin >= total[2]:
                    total[2:] = [end - begin, path]
                by_task[name, path] += end - begin
        return (sorted(by_name.items(), key=lambda item: -item[1][1]),
                sorted(by_task.items(), key=lambda item: -item[1])[:100])

    def count_stragglers(self):
        """[(name, [phases that it ended, time alone])]."""
        found = {}
        for phase in self.phases:
            if phase.straggler:
                total = found.setdefault(phase.straggler, [0, 0.0])
                total[0] += 1
                total[1] += phase.alone
        return sorted(found.items(), key=lambda item: -item[1][1])

    # -- What is drawn --

    def draw(self, most_blocks):
        durations = sorted((end - begin for stretches in self.events.stretches.values() for begin, end, _, _ in stretches),
                           reverse=True)
        self.stretch_count = len(durations)
        self.shortest_drawn = durations[most_blocks - 1] if len(durations) > most_blocks else 0.0
        self.resolution = self.wall() * max(len(self.workers), 1) / MOST_MERGED
        self.merged_count = 0
        self.blocks = {worker: self.merge(self.events.stretches.get(worker, ())) for worker in self.workers}
        self.engine = self.limit([(begin, end, what, number, 0) for what, number, begin, end in self.events.phases] +
                                 [(batch.begin, batch.handed, "dispatch " + batch.dispatcher, batch.number, batch.requests)
                                  for batch in self.batches])
        self.engine_left_out = len(self.events.phases) + len(self.batches) - len(self.engine)
        self.drawn_batches = sorted(sorted(self.batches, key=lambda batch: -batch.took())[:MOST_ENGINE],
                                    key=lambda batch: batch.begin)

    @staticmethod
    def limit(blocks):
        return sorted(sorted(blocks, key=lambda block: block[0] - block[1])[:MOST_ENGINE],
                      key=lambda block: (block[0], -block[1]))

    def merge(self, stretches):
        """[(begin, end, name, path, 1)] of long stretches; (begin, end, commonest name, "", count) of short ones."""
        blocks = []
        group, counts = None, collections.Counter()

        def close():
            nonlocal group
            if group:
                blocks.append((group[0], group[1], counts.most_common(1)[0][0], group[3] if group[2] == 1 else "", group[2]))
                self.merged_count += group[2] if group[2] > 1 else 0
                group = None
                counts.clear()

        for begin, end, name, path in stretches:
            if end - begin >= self.shortest_drawn:
                close()
                blocks.append((begin, end, name, path, 1))
                continue
            if group and (end - group[0] > self.resolution or begin - group[1] > self.resolution):
                close()
            if group:
                group[1] = end
                group[2] += 1
            else:
                group = [begin, end, 1, path]
            counts[name] += end - begin
        close()
        return blocks
