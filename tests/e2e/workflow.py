#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""workflow.py PROGRAM - stops and kills a workflow again and again; it ends as one that was left alone.

What is in the journal is never done again; what was done and not yet in it is done again by the next run only; and the
results are those of a run without interruption.
"""
import collections
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time

from common import on_full_disk, wait_for_growth

ORDERS = 250


def read(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii") as file:
        return file.read().split("\n")[:-1]


def main():
    program = sys.argv[1]
    chance = random.Random(3)
    with tempfile.TemporaryDirectory() as folder:

        def start(name, *more):
            command = [program, "--journal=" + os.path.join(folder, name + ".journal"),
                       "--world=" + os.path.join(folder, name + ".world"), "--window=30", "--cool-ms=20", "--act-ms=8", *more]
            return subprocess.Popen(command + [str(ORDERS)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    text=True, restore_signals=False)

        def finish(process, status=0):
            out, err = process.communicate(timeout=100)
            assert process.returncode == status, (process.returncode, out, err)
            return out

        # Left alone: every step once.
        wanted = finish(start("alone"))
        assert len(wanted.splitlines()) == ORDERS and "shipped" in wanted and "declined" in wanted
        acts = collections.Counter(read(os.path.join(folder, "alone.world")))
        assert set(acts.values()) == {1}
        before = os.path.getsize(os.path.join(folder, "alone.journal"))
        assert finish(start("alone")) == wanted  # all of it from the journal
        assert collections.Counter(read(os.path.join(folder, "alone.world"))) == acts
        assert os.path.getsize(os.path.join(folder, "alone.journal")) == before

        # Killed, and stopped.
        journal, world = os.path.join(folder, "killed.journal"), os.path.join(folder, "killed.world")
        stopped = killed = 0
        for attempt in range(60):
            known = {line.split()[1] for line in read(journal)}
            done = collections.Counter(read(world))
            size = os.path.getsize(journal) if os.path.exists(journal) else 0
            process = start("killed")
            if attempt < 20:
                if attempt % 4 == 3:  # on a slow machine, too, it is at work when it is stopped
                    wait_for_growth(process, journal, size)
                time.sleep(0.02 + chance.random() * 0.06)
                process.send_signal(signal.SIGTERM if attempt % 4 == 3 else signal.SIGKILL)
            out, err = process.communicate(timeout=100)
            assert process.returncode in (0, 75, -signal.SIGKILL, -signal.SIGTERM), (process.returncode, err)
            stopped += process.returncode == 75
            killed += process.returncode == -signal.SIGKILL
            now = collections.Counter(read(world))
            assert all(now[key] == done[key] for key in known), "a step that is in the journal was done again"
            assert all(now[key] - done[key] <= 1 for key in now), "done twice in one run"
            if process.returncode == 75:
                # In peace: what was done is in the journal.
                known = {line.split()[1] for line in read(journal)}
                assert all(key in known for key in now if now[key] > done[key]), "stopped before the journal was written"
            if process.returncode == 0:
                break
        assert out == wanted, "another result"
        assert set(now) == set(acts), "other steps"
        assert killed >= 4 and stopped >= 1, (killed, stopped)

        # A torn last line is cut away; damage elsewhere is refused.
        lines = read(journal)
        with open(journal, "a", encoding="ascii") as file:
            file.write("0123456789abcdef 5/shi")
        assert finish(start("killed")) == wanted
        assert read(journal) == lines
        with open(journal, "ab") as file:
            file.write(b"\0" * 5000)
        assert finish(start("killed")) == wanted
        assert read(journal) == lines
        with open(journal, "w", encoding="ascii") as file:
            file.write("\n".join(lines[:10] + [lines[10].replace("/", "0/")] + lines[11:]) + "\n")
        finish(start("killed"), 3)

        # Steps that fail for good, a full disk, mistakes.
        _, err = (process := start("fails", "--fail=99")).communicate(timeout=100)
        assert process.returncode == 3 and "failed 5 times" in err, err
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit[1]))
        process = start("full")
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        _, err = process.communicate(timeout=100)
        assert process.returncode == 3 and "too large" in err, err
        _, err = (process := start("nowhere/x")).communicate(timeout=100)
        assert process.returncode == 3 and "nowhere/x.journal: No such file" in err, err
        _, err = (process := start("there", "--world=" + folder)).communicate(timeout=100)
        assert process.returncode == 3 and folder + ": Is a directory" in err, err
        _, err = (process := start("there", "--journal=/dev/full")).communicate(timeout=100)
        assert process.returncode == 3 and "/dev/full: Invalid argument" in err, err
        first = start("twice")
        wait_for_growth(first, os.path.join(folder, "twice.journal"), 0)
        _, err = (second := start("twice")).communicate(timeout=100)
        assert second.returncode == 3 and "busy" in err, err
        assert finish(first) == wanted

        # Standard output that is full, and closed: the journal is no place for it.
        for arguments in ["--help"], ["--journal=" + journal + ".new", "--world=" + world + ".new", "3"]:
            status, words = on_full_disk([program] + arguments)
            assert status == 3 and "workflow: output: No space" in words, (status, words)
        for name in "new", "closed":
            files = ["--journal=" + journal + "." + name, "--world=" + world + "." + name]
            done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", program] + files + ["3"], capture_output=True, check=False)
            assert done.returncode == 3, done
            done = subprocess.run([program] + files + ["3"], capture_output=True, check=False, text=True)
            assert done.stdout.splitlines() == wanted.splitlines()[:3], done
        assert subprocess.run([program, "--help"], capture_output=True, check=False).returncode == 0
        for wrong in ([], ["x"], ["3x"], ["0"], ["4294967297"], ["1", "2"], ["--what"], ["--fail=100", "1"], ["--fail=", "1"],
                      ["--window=0", "1"], ["--act-ms=5ms", "1"], ["--cool-ms=-1", "1"]):
            assert subprocess.run([program] + wrong, capture_output=True, check=False).returncode == 2, wrong
    print("killed %d times, stopped %d times" % (killed, stopped))


main()
