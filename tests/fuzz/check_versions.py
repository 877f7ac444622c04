#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The audit's order of versions against dpkg's own, on pairs made from a seed.

check_versions.py PROGRAM [PAIRS [SEED]]     exits 77 without dpkg

PROGRAM: tests/fuzz/compare_versions.c. dpkg is started once or twice for a pair, from one shell for all of them.
"""
import random
import shutil
import subprocess
import sys

PIECES = ["0", "1", "00", "9", "10", "007", "a", "z", "Z", "rc", "~", "~~", "+", ".", "-", "b1", "+dfsg", "~beta", "git", ":"]


def version(source):
    pieces = [source.choice(["0", "1", "2", "10", "01"])]
    for _ in range(source.randrange(6)):
        pieces.append(source.choice(PIECES))
    if "-" in "".join(pieces) and source.random() < 0.5:
        pieces.append(source.choice(["0", "1", "0.1", "~", "a"]))
    text = "".join(pieces).rstrip("-:") or "0"
    epoch = source.choice(["", "", "", "0:", "1:", "00:", "01:"])
    # Without an epoch there is no colon; a revision has no second one.
    if not epoch:
        text = text.replace(":", "")
    head, hyphen, revision = text.rpartition("-")
    text = head + hyphen + revision.replace(":", "") if hyphen else text
    return epoch + (text if text and text != "-" else "0")


def pair(source):
    a = version(source)
    if source.random() < 0.4:  # a neighbour
        at = source.randrange(len(a) + 1)
        b = a[:at] + source.choice(["~", "0", "a", "+", "."]) + a[at:]
        if b[0].isdigit() and (":" not in b or b.split(":")[0].isdigit()):
            return a, b
    return a, version(source)


SHELL = """while read -r a b; do
    if dpkg --compare-versions "$a" lt "$b"; then echo -1
    elif dpkg --compare-versions "$a" eq "$b"; then echo 0
    else echo 1; fi
done"""


def main():
    program = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    source = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    if shutil.which("dpkg") is None:
        print("check_versions: skipped, no dpkg")
        return 77
    pairs = [pair(source) for _ in range(count)]
    text = "".join(f"{a} {b}\n" for a, b in pairs)
    run = lambda command: subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    theirs = run(["sh", "-c", SHELL])
    ours = run([program]).stdout.split()
    if theirs.stderr:
        print("dpkg on what it was given:", theirs.stderr.splitlines()[0])
    wrong = [(p, o, t) for p, o, t in zip(pairs, ours, theirs.stdout.split(), strict=True) if o != t]
    for (a, b), ours_says, dpkg_says in wrong[:20]:
        print(f"{a} and {b}: {ours_says}, dpkg says {dpkg_says}")
    counts = {sign: ours.count(sign) for sign in ("-1", "0", "1")}
    print(f"check_versions: {len(pairs)} pairs {counts}, {len(wrong)} wrong")
    return 1 if wrong or min(counts.values()) < count // 50 else 0


sys.exit(main())
