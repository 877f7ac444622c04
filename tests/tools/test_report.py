#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""corio-report: pages of real and of made-up traces, and what is said of files that are no traces.

Usage: test_report.py CORIO_REPORT TEST_TRACE

TEST_TRACE is test_trace, which writes a trace to its first argument.
"""
import html.parser
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

REPORT, PROGRAM = sys.argv[1:3]
MANUAL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/corio-report.1")


def report(*arguments, stdin=None):
    return subprocess.run([sys.executable, REPORT, *arguments], input=stdin, capture_output=True, text=True, check=False)


class Page(html.parser.HTMLParser):
    """Texts of cells, what is loaded from elsewhere, and the script's data."""

    def __init__(self, text):
        super().__init__()
        self.cells, self.outside = [], []
        self.inside = []
        self.feed(text)
        self.close()
        self.data = json.loads(re.search(r"<script type=application/json id=data>(.*?)</script>", text, re.S).group(1))

    def handle_starttag(self, tag, attrs):
        self.inside.append(tag)
        if tag == "td":
            self.cells.append("")
        self.outside += [value for name, value in attrs if name in ("src", "href") and value]

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        if "td" in self.inside:
            self.cells[-1] += data


def task(worker, begin, took, name="work", path="(0)"):
    return {"name": name, "cat": "task", "ph": "X", "pid": 1, "tid": worker, "ts": begin, "dur": took, "args": {"path": path}}


def phase(what, number, begin, end):
    return {"name": what, "cat": "phase", "ph": "X", "pid": 1, "tid": 2, "ts": begin, "dur": round(end - begin, 3),
            "args": {"phase": number}}


def head():
    return [{"name": "thread_name", "ph": "M", "pid": 1, "tid": tid, "args": {"name": name}}
            for tid, name in enumerate(("worker 0", "worker 1", "phase engine", "completions"))]


def lines(events):
    return "[\n" + "".join(json.dumps(event, separators=(",", ":")) + ",\n" for event in events[:-1]) + \
        json.dumps(events[-1]) + "\n]\n"


def two_phases():
    """In the first one a task is alone from 600 to 1000; its batch takes 500, of which 300 after the call."""
    batch = {"batch": 1, "requests": 70}
    return head() + [
        task(0, 0, 1000, "slow", "(3, 1)"), task(1, 0, 600),
        phase("CPU phase", 0, 0, 1000), phase("I/O phase", 0, 1000, 1600), phase("waiting", 0, 1250, 1550),
        {"name": "dispatch store", "cat": "dispatch", "ph": "X", "pid": 1, "tid": 2, "ts": 1050, "dur": 200, "args": batch},
        {"name": "complete store", "cat": "complete", "ph": "i", "s": "t", "pid": 1, "tid": 3, "ts": 1300, "args": batch},
        {"name": "complete store", "cat": "complete", "ph": "i", "s": "t", "pid": 1, "tid": 3, "ts": 1550, "args": batch},
        # An end that stands before its beginning: another worker's buffer came first.
        {"name": "waits for I/O", "cat": "io", "ph": "e", "id": "0x1", "pid": 1, "tid": 1, "ts": 1700, "args": {}},
        {"name": "waits for I/O", "cat": "io", "ph": "b", "id": "0x1", "pid": 1, "tid": 0, "ts": 900, "args": {}},
        task(1, 1600, 400, "</script><b>", "(4)"), phase("CPU phase", 1, 1600, 2000)]


class Reports(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def page(self, path, *arguments):
        done = report(path, "-o", self.path("page.html"), *arguments)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        with open(self.path("page.html"), encoding="utf-8") as file:
            text = file.read()
        page = Page(text)
        self.assertEqual(page.outside, [], "nothing is loaded from elsewhere")
        return page

    def refused(self, text, *words):
        done = report(self.path("trace.json", text))
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(os.listdir(self.folder), ["trace.json"], "no page is left behind")

    def test_real_trace(self):
        trace = self.path("trace.json")
        subprocess.run([PROGRAM, trace], check=True, capture_output=True)
        page = self.page(trace)
        self.assertEqual([lane["label"] for lane in page.data["lanes"]],
                         ["worker 0", "worker 1", "worker 2", "phase engine", "store"])
        self.assertIn("ask", page.data["names"])
        self.assertEqual(sum(block[4] for block in page.data["lanes"][-1]["blocks"]), 51)
        self.assertEqual(len(page.data["logs"]), 51)
        self.assertIn("waits for I/O", page.cells)
        self.assertIn('a "name"\n', page.cells)

    def test_figures(self):
        page = self.page(self.path("trace.json", lines(two_phases())))
        row = page.cells.index("slow (3, 1)")
        self.assertEqual(page.cells[row - 2:row + 5],
                         ["0", "1.00 ms", "slow (3, 1)", "400.0 µs", "600.0 µs", "store, 70 requests", "500.0 µs"])
        row = page.cells.index("waits for I/O")
        self.assertEqual(page.cells[row:row + 4], ["waits for I/O", "1", "800.0 µs", "800.0 µs"])
        row = page.cells.index("CPU phases")
        self.assertEqual(page.cells[row:row + 12], ["CPU phases", "1.40 ms", "70 %", "Boundary", "100.0 µs", "5 %",
                                                    "In dispatch functions", "200.0 µs", "10 %", "Waiting", "300.0 µs", "15 %"])
        self.assertIn("phase 0: 70 requests in 1.60 ms", self.titles())

    def titles(self):
        with open(self.path("page.html"), encoding="utf-8") as file:
            return re.findall(r"<title>(.*?)</title>", file.read())

    def test_names_cannot_leave_their_place(self):
        page = self.page(self.path("trace.json", lines(two_phases())), "--title", "<i>&")
        self.assertIn("</script><b>", page.data["names"])
        self.assertIn("</script><b>", page.cells)
        with open(self.path("page.html"), encoding="utf-8") as file:
            self.assertNotIn("<i>&", file.read())
        self.assertEqual(self.titles()[0], "&lt;i&gt;&amp; - corio-report")

    def test_formatted_trace_is_the_same(self):
        page = self.page(self.path("trace.json", lines(two_phases())))
        for formatted in (json.dumps(two_phases(), indent=1), json.dumps({"traceEvents": two_phases()})):
            again = self.page(self.path("trace.json", formatted))
            self.assertEqual(again.data, page.data)
            self.assertEqual(again.cells, page.cells)

    def test_files_that_are_no_traces(self):
        whole = lines(two_phases())
        self.refused("", "empty")
        self.refused("{}", "no trace")
        self.refused("[]", "no events of a corio trace")
        self.refused("hello\n", "not JSON")
        self.refused('[\n{"name":"x","ph":"X","ts":1},\n]\n', "line 2", "no event of a corio trace")
        self.refused('[\n1,\n2\n]\n', "no event of a corio trace")
        self.refused('{"traceEvents":[{"ph":"B"}]}', "event 0")
        self.refused(whole[:-2], "without its last line", "--partial")
        self.refused(whole[:-20], "is not JSON", "ends in the middle")
        self.refused(whole + whole, "two traces")
        self.refused(whole.replace('"ts":1050', '"ts":NaN'), "not JSON")
        self.refused(whole.replace('"ts":1050', '"ts":"1050"'), "no event")
        self.refused(lines(head()), "nothing was run")

    def test_partial_trace_is_taken_if_asked_for(self):
        whole = lines(two_phases())
        done = report(self.path("trace.json", whole[:-20]), "--partial")
        self.assertEqual(done.returncode, 0)
        self.assertIn("ends in the middle", done.stderr)
        with open(self.path("trace.html"), encoding="utf-8") as file:
            self.assertIn("The trace is not whole", file.read())

    def test_files_that_cannot_be_used(self):
        done = report(self.path("absent.json"))
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1))
        self.assertIn("absent.json: No such file", done.stderr)
        trace = self.path("trace.json", lines(two_phases()))
        self.assertEqual(report(trace, "-o", self.path("no/page.html")).returncode, 1)
        self.assertEqual(report(trace, "-o", "/dev/full").returncode, 1)
        self.assertEqual(report(trace, "--blocks", "0").returncode, 2)
        self.assertEqual(report("--help").returncode, 0)

    def test_manual_has_all_options(self):
        with open(MANUAL, encoding="utf-8") as file:
            manual = file.read().replace("\\-", "-")
        options = set(re.findall(r"--[a-z]+", report("--help").stdout))
        self.assertGreater(len(options), 3)
        self.assertEqual({option for option in options if option not in manual}, set())

    def test_standard_input_and_output(self):
        done = report("-", stdin=lines(two_phases()))
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout.startswith("<!DOCTYPE html>"))

    def test_many_events_are_merged_and_none_is_lost(self):
        count, events = 30000, head()
        for i in range(count):
            events.append(task(i % 2, i * 10, 1 + 7 * (i % 100 == 0), "long" if i % 100 == 0 else "short", "(%d)" % i))
        events.append(phase("CPU phase", 0, 0, 10 * count))
        page = self.page(self.path("trace.json", lines(events)), "--blocks", "200")
        blocks = page.data["lanes"][0]["blocks"] + page.data["lanes"][1]["blocks"]
        self.assertEqual(sum(block[4] for block in blocks), count)
        self.assertLess(len(blocks), count / 2)
        self.assertGreaterEqual(sum(block[4] == 1 for block in blocks), 300 - 100)
        for lane in page.data["lanes"][:2]:
            for before, behind in zip(lane["blocks"], lane["blocks"][1:]):
                self.assertLessEqual(before[1], behind[0])
        with open(self.path("page.html"), encoding="utf-8") as file:
            self.assertRegex(file.read(), r"[0-9,]+ of 30,000 stretches are shorter")
        row = page.cells.index("short")
        self.assertEqual(page.cells[row + 3], "29,700")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
