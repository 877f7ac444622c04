#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The gdb commands, in a live process and in a core file of it.

Usage: test_gdb.py CORIO_GDB PROGRAM      PROGRAM is tasks.c; exits 77 if there is no gdb with python
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

COMMANDS, PROGRAM = sys.argv[1:3]

# Where it stopped: what `corio tasks` prints of each task, in this order.
RUNNING = [
    r"root \(\): runs on worker 0, thread 1; before_wait at tasks\.c:\d+",
    r"reader \(0\): has not started",
    r"parent \(1\): has not started",
    r"patient \(2\): has not started",
    r"holder \(3\): has not started",
    r'the "contender" \(4\): has not started',
    r"sleeper \(5\): has not started",
]
IN_FLIGHT = [
    r"root \(\): waits for (its children|a child that it called)",
    r"reader \(0\): waits for I/O, batch 1, in the hands of store; fetch at tasks\.c:\d+",
    r"parent \(1\): waits for a child that it called",
    r"child \(1, 0\): waits for I/O, batch 1, in the hands of store; fetch at tasks\.c:\d+",
    r"patient \(2\): waits in corio_waitgroup_wait; patient at tasks\.c:\d+",
    r"holder \(3\): waits for I/O, batch 1, in the hands of store; fetch at tasks\.c:\d+",
    r'the "contender" \(4\): waits in corio_mutex_lock for 0x[0-9a-f]+, held by holder \(3\); contender at tasks\.c:\d+',
    r"sleeper \(5\): sleeps; sleeper at tasks\.c:\d+",
]
# Functions of the program's own in the backtrace of a task, innermost first.
FRAMES = {
    "()": [("root", "arg")],
    "(0)": [("fetch", r"row=(row@entry=)?42"), ("fetch", r"row=(row@entry=)?41"), ("fetch", r"row=(row@entry=)?40"), ("reader", "arg")],
    "(1, 0)": [("fetch", r"row=(row@entry=)?8"), ("fetch", r"row=(row@entry=)?7"), ("child", "arg"), ("parent", "arg")],
    "(1)": [("fetch", r"row=(row@entry=)?8"), ("fetch", r"row=(row@entry=)?7"), ("child", "arg"), ("parent", "arg")],
    "(2)": [("patient", "arg")],
    "(4)": [("contender", "arg")],
}
OWN = {"root", "reader", "parent", "child", "patient", "holder", "contender", "sleeper", "fetch"}


def check(holds, what):
    if not holds:
        sys.exit("not so: " + what)


def gdb(program, commands, *more):
    """Output of each command, by its number."""
    arguments = [program, "-nx", "-batch", "-ex", "set width 0", "-ex", "set confirm off", "-ex", "source " + COMMANDS]
    for number, command in enumerate(commands):
        arguments += ["-ex", "echo \\n== %d\\n" % number, "-ex", command]
    done = subprocess.run(arguments + ["-ex", "echo \\n== end\\n", *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, timeout=100)
    parts = re.split(r"^== (?:\d+|end)\n", done.stdout, flags=re.M)
    check(len(parts) == len(commands) + 2, "gdb takes all commands:\n" + done.stdout)
    return parts[1:-1]


def check_tasks(text, wanted):
    lines = [line for line in text.splitlines() if re.match(r"  \d+ ", line)]
    check(len(lines) == len(wanted), "there are %d tasks:\n%s" % (len(wanted), text))
    for number, (line, pattern) in enumerate(zip(lines, wanted), 1):
        check(re.fullmatch(r"  %d +%s" % (number, pattern), line), "task %d is %s:\n%s" % (number, pattern, text))


def check_frames(path, text):
    check(text.startswith("task ") and path + ":" in text, "the task is named:\n" + text)
    frames = re.findall(r"^#(\d+) +(?:0x[0-9a-f]+ in )?(\S+) \((.*?)\) at (\S+)", text, re.M)
    check([int(number) for number, _, _, _ in frames] == list(range(len(frames))), "frames are numbered:\n" + text)
    check(frames[-1][1] == "cr_context_start", "the backtrace ends where the stack does:\n" + text)
    own = [(name, arguments) for _, name, arguments, _ in frames if name in OWN]
    wanted = FRAMES[path]
    if path == "()":
        own = own[-1:]
    check(len(own) == len(wanted) and all(name == expected and re.search(part, arguments) for (name, arguments), (expected, part)
                                          in zip(own, wanted)), "frames of %s: %s\n%s" % (path, own, text))


def check_in_flight(outputs, runtimes, tasks, by_number, backtraces):
    check(re.search(r"phase [01], 0 of 1 workers active, 3 requests in flight", outputs[runtimes]) and
          "does not run" in outputs[runtimes], "both runtimes are there:\n" + outputs[runtimes])
    check_tasks(outputs[tasks], IN_FLIGHT)
    for path, output in zip(FRAMES, outputs[backtraces:]):
        check_frames(path, output)
    check(outputs[by_number] == outputs[backtraces + list(FRAMES).index("(0)")], "a number is as good as a path:\n" +
          outputs[by_number])


def main():
    program = shutil.which("gdb")
    if program is None:
        print("no gdb: skipped")
        sys.exit(77)
    has_python = subprocess.run([program, "-nx", "-batch", "-ex", "python print(6 * 7)"], capture_output=True, text=True,
                                check=False)
    if "42" not in has_python.stdout:
        print("gdb has no python: skipped")
        sys.exit(77)
    look = ["corio runtimes", "corio tasks", "corio bt 2"] + ["corio bt " + path for path in FRAMES]
    with tempfile.TemporaryDirectory() as folder:
        core = os.path.join(folder, "core")
        live = ["file " + PROGRAM, "break before_wait", "break in_flight", "run", "corio tasks", "corio bt ()", "continue",
                "backtrace 1", *look, "backtrace 1", "corio tasks 3", "corio core " + core, "kill"]
        outputs = gdb(program, live)
        if "ptrace" in outputs[3] and "not permitted" in outputs[3]:
            print("gdb may not trace: skipped")
            sys.exit(77)
        check_tasks(outputs[4], RUNNING)
        check("#0  before_wait" in outputs[5] and re.search(r"^#1 .* root \(", outputs[5], re.M), "the running task's frames:\n" +
              outputs[5])
        check_in_flight(outputs, 8, 9, 10, 11)
        after = len(look) + 8
        check(outputs[7] == outputs[after] and "in_flight" in outputs[7], "the thread's own backtrace is as before:\n" +
              outputs[7] + outputs[after])
        check("and 5 more" in outputs[after + 1], "a limit is kept:\n" + outputs[after + 1])
        check(os.path.exists(core), "gdb writes a core file:\n" + outputs[after + 2])
        check_in_flight(gdb(program, ["file " + PROGRAM, "core-file " + core, *look]), 2, 3, 4, 5)
    wrong = gdb(program, ["corio tasks", "file " + PROGRAM, "break in_flight", "run", "corio bt (9)", "corio bt x", "corio bt 99",
                          "corio bt (x)", "kill"])
    check("no libcorio" in wrong[0], "without a program:\n" + wrong[0])
    for output, words in zip(wrong[4:8], ("no such task", "NUMBER|PATH", "no such task", "not a spawn path")):
        check(words in output, "%s:\n%s" % (words, output))


main()
