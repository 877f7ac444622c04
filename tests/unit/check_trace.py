#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs test_trace, and reads what it traced.

Usage: check_trace.py TEST_TRACE
"""
import collections
import json
import os
import subprocess
import sys
import tempfile


def check(holds, what):
    if not holds:
        sys.exit("not so: " + what)


def slices_do_not_overlap(events):
    tracks = collections.defaultdict(list)
    for event in events:
        if event["ph"] == "X" and event["cat"] == "task":
            tracks[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for track in tracks.values():
        track.sort()
        for (_, end), (begin, _) in zip(track, track[1:]):
            check(end <= begin + 0.001, "a worker runs one task at a time")


def waits_are_pairs(events):
    for category in ("io", "wait"):
        kinds = collections.Counter(e["ph"] for e in events if e["cat"] == category)
        check(kinds["b"] == kinds["e"] > 0, category + " waits begin and end")
    open_waits = set()
    for event in sorted((e for e in events if e["ph"] in "be"), key=lambda e: e["ts"]):
        key = (event["cat"], event["id"], event["name"])
        if event["ph"] == "b":
            check(key not in open_waits, "a wait begins once")
            open_waits.add(key)
        else:
            check(key in open_waits, "a wait ends after its beginning")
            open_waits.remove(key)


def waiting_is_part_of_an_io_phase(events):
    waiting = [e for e in events if e["cat"] == "phase" and e["name"] == "waiting"]
    check(sum(e["dur"] for e in waiting) > 500, "the sleep is seen")
    for wait in waiting:
        check(any(e["name"] == "I/O phase" and e["ts"] <= wait["ts"] and
                  wait["ts"] + wait["dur"] <= e["ts"] + e["dur"] + 0.002 for e in events), "waiting is part of an I/O phase")


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.json")
        subprocess.run([sys.argv[1], path], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        with open(path, encoding="utf-8") as file:
            trace = json.load(file)
    events = [event for event in trace if event["ph"] != "M"]
    names = {e["args"]["name"] for e in trace if e["ph"] == "M"}
    check({"worker 0", "worker 2", "phase engine", "completions", "corio"} <= names, "tracks have names")
    by_category = collections.Counter(event["cat"] for event in events)
    for category in ("task", "spawn", "finish", "io", "wait", "log", "phase", "dispatch", "complete"):
        check(by_category[category] > 0, "there are events of the category " + category)
    check(by_category["finish"] == 52, "each of the 52 tasks finishes once")
    check(by_category["spawn"] == 51, "all but the root are spawned")
    check(by_category["log"] == 51, "each asking task logs once")
    for event in events:
        if event["cat"] in ("task", "spawn", "finish", "io", "wait", "log"):
            check(event["args"]["path"].startswith("("), "events of tasks carry the path")
        if event["cat"] in ("dispatch", "complete"):
            check(event["args"]["batch"] > 0, "events of batches carry the batch")
    asked = sum(e["args"]["requests"] for e in events if e["cat"] == "dispatch")
    check(asked == 51, "all requests are in a batch")
    batches = {e["args"]["batch"] for e in events if e["cat"] == "io" and e["ph"] == "e"}
    check(batches == {e["args"]["batch"] for e in events if e["cat"] == "dispatch"},
          "a request's wait names its batch")
    logged = {e["name"] for e in events if e["cat"] == "log"}
    check(logged == {'asked with "quotes" \\ and \u0007'}, "texts are escaped: " + str(logged))
    check(any(e["name"] == 'a "name"\n' for e in events if e["cat"] == "task"), "names are escaped")
    waiting_is_part_of_an_io_phase(events)
    slices_do_not_overlap(events)
    waits_are_pairs(events)


main()
