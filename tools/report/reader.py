# SPDX-License-Identifier: MIT
"""Reads what corio writes as a trace: a JSON array in Chrome's format, an event a line.

Lines are read one at a time, so that a trace of a million events needs no memory for what is not kept. A file that has
been formatted otherwise is read whole.
"""
import itertools
import json
import math

MOST_LOGS = 500


class Bad(Exception):
    """The file is not a trace; the text says why."""


class Events:
    """What is kept of a trace. Times are microseconds since it began."""

    def __init__(self):
        self.count = 0
        self.cut_off = None     # what is wrong with the end of the file
        self.tracks = {}        # number: name
        self.stretches = {}     # worker: [(begin, end, name, path)], in order of time
        self.phases = []        # (what, phase, begin, end)
        self.dispatches = []    # (dispatcher, batch, requests, begin, end)
        self.completed = {}     # batch: time of the last slice
        self.waits = {}         # what for: [count, total, longest]
        self.logs = []          # (worker, time, text, path)
        self.log_count = 0
        self.finished = 0
        self.failed = 0
        self.began = math.inf
        self.ended = 0.0
        self.open_waits = {}    # (what for, address): times of beginnings, of ends


def reject_constant(name):
    raise ValueError(name)


DECODER = json.JSONDecoder(parse_constant=reject_constant)


def take_task(events, event, begin, end):
    events.stretches.setdefault(event["tid"], []).append((begin, end, event["name"], event["args"]["path"]))


def take_phase(events, event, begin, end):
    events.phases.append((event["name"], event["args"]["phase"], begin, end))


def take_dispatch(events, event, begin, end):
    events.dispatches.append((event["name"].removeprefix("dispatch "), event["args"]["batch"], event["args"]["requests"],
                              begin, end))


def take_complete(events, event, begin, _end):
    batch = event["args"]["batch"]
    events.completed[batch] = max(begin, events.completed.get(batch, 0.0))


def take_finish(events, event, _begin, _end):
    events.finished += 1
    events.failed += event["args"]["result"] != 0


def take_wait(events, event, begin, _end):
    times = events.open_waits.get((event["name"], event["id"]))
    if times is None:
        times = events.open_waits[(event["name"], event["id"])] = ([], [])
    times[event["ph"] == "e"].append(begin)


def pair_waits(events):
    """Workers write when their buffers are full, so an end may stand before its beginning. But those of one address follow
    each other in time."""
    for (name, _), (begins, ends) in events.open_waits.items():
        total = events.waits.setdefault(name, [0, 0.0, 0.0])
        for begin, end in zip(sorted(begins), sorted(ends)):
            total[0] += 1
            total[1] += end - begin
            total[2] = max(total[2], end - begin)
    events.open_waits.clear()


def take_log(events, event, begin, _end):
    events.log_count += 1
    if len(events.logs) < MOST_LOGS:
        events.logs.append((event["tid"], begin, event["name"], event["args"]["path"]))


def take_nothing(_events, _event, _begin, _end):
    pass


TAKE = {"task": take_task, "spawn": take_nothing, "finish": take_finish, "io": take_wait, "wait": take_wait, "log": take_log,
        "phase": take_phase, "dispatch": take_dispatch, "complete": take_complete}


def take(events, event):
    """One event. KeyError, TypeError or AttributeError: it is not one of corio's."""
    if event["ph"] == "M":
        if event["name"] == "thread_name":
            events.tracks[event["tid"]] = event["args"]["name"]
        return
    begin = event["ts"] + 0.0
    end = begin + event.get("dur", 0.0)
    TAKE[event["cat"]](events, event, begin, end)
    events.count += 1
    if begin < events.began:
        events.began = begin
    if end > events.ended:
        events.ended = end


def take_line(events, line, number):
    try:
        take(events, DECODER.decode(line))
    except ValueError:
        raise Bad("line %d is not JSON: the file ends in the middle of it, or is damaged" % number) from None
    except (KeyError, TypeError, AttributeError):
        raise Bad("line %d is JSON, but no event of a corio trace" % number) from None


def read_lines(file, partial):
    """The file as corio writes it, behind its first line. The whole of it, or Bad."""
    events = Events()
    whole = False
    number = 1
    lines = iter(file)
    for number, line in enumerate(lines, 2):
        line = line.strip()
        if line == "]":
            whole = True
            break
        if not line:
            continue
        try:
            take_line(events, line.removesuffix(","), number)
        except Bad as bad:
            if not partial:
                raise
            events.cut_off = str(bad)
            return events
    if not whole:
        events.cut_off = "the trace ends at line %d without its last line, ']': the program was killed, or runs still, or did " \
                         "not call corio_runtime_destroy" % number
        if not partial:
            raise Bad(events.cut_off + " (--partial takes what is there)")
    elif any(line.strip() for line in lines):
        raise Bad("there is something behind the trace's end: two traces in one file?")
    return events


def read_whole(text):
    """Any formatting."""
    try:
        found = DECODER.decode(text)
    except ValueError as error:
        raise Bad("not JSON: %s" % error) from None
    if isinstance(found, dict):
        found = found.get("traceEvents")
    if not isinstance(found, list):
        raise Bad("JSON, but no trace: an array of events is expected")
    events = Events()
    for number, event in enumerate(found):
        try:
            take(events, event)
        except (KeyError, TypeError, AttributeError):
            raise Bad("event %d is no event of a corio trace" % number) from None
    return events


def finish(events):
    if not events.tracks:
        raise Bad("no events of a corio trace in it")
    if events.count == 0:
        raise Bad("the trace is empty: nothing was run")
    for stretches in events.stretches.values():
        stretches.sort()
    pair_waits(events)
    events.dispatches.sort(key=lambda dispatch: dispatch[3])
    events.phases.sort(key=lambda phase: phase[2])
    return events


def read(name, partial):
    """name: a path, or -. Raises Bad, OSError."""
    with (open(0, encoding="utf-8", errors="replace", closefd=False) if name == "-" else
          open(name, encoding="utf-8", errors="replace")) as file:
        first = file.readline()
        if not first.strip():
            raise Bad("the file is empty")
        if first.strip() == "[":
            second = file.readline()
            if second.startswith("{") and second.rstrip().endswith((",", "}")):
                return finish(read_lines(itertools.chain([second], file), partial))
            return finish(read_whole(first + second + file.read()))
        return finish(read_whole(first + file.read()))

