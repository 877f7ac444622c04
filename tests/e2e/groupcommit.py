#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""groupcommit.py PROGRAM - kills groupcommit again and again, and compares what it acknowledged with what is in the database.

After each kill: every acknowledged transfer is there with that outcome, nothing is there twice, the balances add up to
nothing, and no account but the bank's is below zero. At the end all lines have been answered, as if they had been worked
off one by one.
"""
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from common import on_full_disk, wait_for_growth

WORDS = {1: "ok", 2: "poor"}


def model(lines):
    """Line by line: outcomes and balances."""
    balances, outcomes = {"bank": 0}, {}
    for number, source, target, amount in lines:
        for name in source, target:
            if name not in balances:
                balances[name] = 1000
                balances["bank"] -= 1000
        fine = source == "bank" or balances[source] >= amount
        outcomes[number] = "ok" if fine else "poor"
        if fine:
            balances[source] -= amount
            balances[target] += amount
    return outcomes, balances


def acknowledged(path, partial):
    """Whole lines only: a last one may have been cut."""
    with open(path, encoding="ascii") as file:
        text = file.read()
    assert partial or text.endswith("\n") or not text, "a last line without an end"
    answers = {}
    for line in text[:text.rfind("\n") + 1].split("\n")[:-1]:
        number, word = line.split()
        assert answers.setdefault(int(number), word) == word, "two answers for %s" % number
    return answers


def look(path, answers, when):
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok", when
    there = dict(database.execute("SELECT id, outcome FROM transfer"))
    for number, word in answers.items():
        assert number in there, "%s: %d was acknowledged and is lost" % (when, number)
        assert WORDS[there[number]] == word, "%s: %d has another outcome" % (when, number)
    balances = dict(database.execute("SELECT name, balance FROM account"))
    assert sum(balances.values()) == 0, "%s: money appeared or was lost" % when
    assert all(balance >= 0 for name, balance in balances.items() if name != "bank"), when
    moved = {name: 1000 if name != "bank" else -1000 * (len(balances) - 1) for name in balances}
    for source, target, amount in database.execute("SELECT source, target, amount FROM transfer WHERE outcome = 1"):
        moved[source] -= amount
        moved[target] += amount
    assert moved == balances, "%s: balances and transfers differ" % when
    database.close()
    return there, balances


def main():
    program = sys.argv[1]
    chance = random.Random(1)
    names = ["bank"] + ["account%d" % i for i in range(40)]
    lines = [(number,) + tuple(chance.sample(names, 2)) + (chance.randrange(1, 400),) for number in range(1, 30001)]
    text = "".join("%d %s %s %d\n" % line for line in lines)
    outcomes, balances = model(lines)
    with tempfile.TemporaryDirectory() as folder:
        source, database = os.path.join(folder, "in"), os.path.join(folder, "transfers.db")
        with open(source, "w", encoding="ascii") as file:
            file.write(text)
        everything = {}
        kills = midway = 0
        for attempt in range(40):
            target = os.path.join(folder, "out")
            with open(source, "rb") as standard_in, open(target, "wb") as standard_out:
                process = subprocess.Popen([program, "--database=" + database, "--window=500",
                                            "--workers=%d" % (1 + attempt % 4)],
                                           stdin=standard_in, stdout=standard_out, stderr=subprocess.DEVNULL)
                if attempt < 25:
                    # On a fast machine, too, some come midway: the first ones at the first acknowledgement. On a slow
                    # one, too: every other one behind that.
                    first = attempt < 4
                    if first or attempt % 2:
                        wait_for_growth(process, target, 0)
                    if not first:
                        time.sleep(chance.random() ** 2 * (0.05 if attempt % 2 else 0.25))
                    process.send_signal(signal.SIGKILL)
                status = process.wait()
            killed = status == -signal.SIGKILL
            assert killed or status == 0, "status %d" % status
            kills += killed
            midway += killed and 0 < len(everything) < len(lines)
            answers = acknowledged(target, killed)
            for number, word in answers.items():
                assert everything.setdefault(number, word) == word, "%d was answered differently before" % number
            if os.path.exists(database) and (everything or not killed):
                look(database, everything, "after %d kills" % kills)
            if not killed and attempt >= 25:
                break
        assert kills >= 5, "only %d kills" % kills
        assert midway >= 1, "no kill came midway"
        assert answers == everything == outcomes, "not as line by line"
        assert look(database, everything, "at the end")[1] == balances
    # Lines that are none, an ID used twice, and a reader that goes away.
    with tempfile.TemporaryDirectory() as folder:
        database = "--database=" + os.path.join(folder, "x.db")

        def run(given):
            done = subprocess.run([program, database], input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True, check=False, timeout=60)
            return done.returncode, sorted(done.stdout.split("\n")[:-1])

        assert run("1 a b 10\n1 a b 10\n1 a b 11\nwhat\n5 a a 1\n6 a b -1\n7 bank a 5000\n8 a b 5900") == \
            (1, sorted(["1 ok", "1 ok", "1 refused", "4 refused", "5 refused", "6 refused", "7 ok", "8 ok"]))
        assert run("") == (0, [])
        name = "n" * 31
        assert run("20 %s c 5\n21 %sn c 5\n22 c %sx\n%d c d 1\n24 c d 1x\n25 c d 1 1\n26 c d %d\n27 c d 1\0 1" %
                   (name, name, name, 10**20, 10**20)) == \
            (1, sorted(["20 ok", "21 refused", "22 refused", "4 refused", "24 refused", "25 refused", "26 refused", "8 refused"]))
        assert run("x" * 200000 + " 30 bank c 5\n" + " " * 65536 + "31 bank c 5\n32 bank c 5\n" + "x" * 70000) == \
            (1, sorted(["1 refused", "2 refused", "32 ok", "4 refused"]))
        done = subprocess.run([program, database, "--balances"], capture_output=True, text=True, check=True)
        assert done.stdout == "a 90\nb 6910\nbank -9005\nc 1010\n%s 995\n" % name, done.stdout
        assert subprocess.run([program, "--help"], capture_output=True, check=False).returncode == 0
        for wrong in ("--what", "word", "--window=0", "--window=12x", "--window=99999999999", "--window=", "--workers=-1",
                      "--workers= 1", "--workers=1025"):
            assert subprocess.run([program, database, wrong], stdin=subprocess.DEVNULL, capture_output=True,
                                  check=False).returncode == 2, wrong
        assert subprocess.run([program, "--database=" + folder], stdin=subprocess.DEVNULL, capture_output=True,
                              check=False).returncode == 3
        for option in "--help", "--balances":
            status, words = on_full_disk([program, database, option])
            assert status == 3 and "output: No space" in words, (status, words)
        status, words = on_full_disk([program, database], input="9 a b 1\n")
        assert status == 3 and "acknowledgements: No space" in words, (status, words)
    print("%d kills, %d of them midway; nothing that was acknowledged was lost" % (kills, midway))


main()
