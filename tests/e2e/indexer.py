#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""indexer.py PROGRAM FOLDER - indexes a folder (this tree's sources) and compares with an index made here."""
import collections
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

from common import on_full_disk


def words_of(path):
    with open(path, "rb") as file:
        content = file.read()
    if b"\0" in content[:8000]:
        return collections.Counter()
    words = re.findall(rb"[A-Za-z0-9]+", content)
    return collections.Counter(word.lower().decode() for word in words if 3 <= len(word) <= 32)


def files_below(folder):
    for path, folders, files in os.walk(folder):
        folders.sort()
        for name in files:
            full = os.path.join(path, name)
            if not os.path.islink(full):
                yield full


def main():
    program, source = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        folder, database = os.path.join(work, "tree"), os.path.join(work, "index.db")
        shutil.copytree(source, folder)
        shutil.copy(os.path.join(folder, "runtime.c"), os.path.join(folder, "copy of runtime.c"))
        with open(os.path.join(folder, "binary"), "wb") as file:
            file.write(b"word\0" * 1000)
        open(os.path.join(folder, "empty"), "wb").close()
        os.mkdir(os.path.join(folder, "deep"))
        for i in range(600):  # more than a window
            with open(os.path.join(folder, "deep", "file%d" % i), "w", encoding="ascii") as file:
                file.write("common number%d " % i * (i + 1))
        os.symlink(folder, os.path.join(folder, "loop"))

        def run(*arguments, status=(0,), **variables):
            done = subprocess.run([program, "--database=" + database] + list(arguments), capture_output=True, text=True,
                                  check=False, timeout=100, env={**os.environ, **variables})
            assert done.returncode in status, (arguments, done)
            return done.stdout + done.stderr if 3 in status else done.stdout

        def dump():
            connection = sqlite3.connect(database)
            rows = connection.execute("SELECT path, bytes, hex(hash) FROM file ORDER BY path").fetchall()
            words = connection.execute("SELECT path, word, count FROM word JOIN file ON file = id").fetchall()
            connection.close()
            return rows, sorted(words)

        def expected():
            return sorted((path, word, count) for path in files_below(folder) for word, count in words_of(path).items())

        said = run("index", folder + "/")
        count = len(list(files_below(folder)))
        assert said.startswith("%d files, 0 of them unchanged" % count), said
        assert int(re.search(r"in (\d+) transactions", said).group(1)) < count / 20, said
        first = dump()
        assert first[1] == expected(), "other words"
        assert [row[0] for row in first[0]] == sorted(files_below(folder)), "other files"
        assert "%d files, %d of them unchanged" % (count, count) in run("index", folder)
        assert dump() == first

        # Changed, new and gone.
        with open(os.path.join(folder, "empty"), "w", encoding="ascii") as file:
            file.write("Quiescence quiescence unheard-of")
        os.remove(os.path.join(folder, "deep", "file7"))
        assert "%d files, %d of them unchanged" % (count - 1, count - 2) in run("index", folder)
        now = dump()
        assert now[1] == expected()
        os.remove(database)
        run("--workers=4", "index", folder)
        assert dump() == now, "another index from another number of workers"

        # A recorded run again, without the folder and the database.
        os.remove(database)
        recording, logs = os.path.join(work, "recording"), [os.path.join(work, "log%d" % i) for i in range(3)]
        said = run("index", folder, CORIO_RECORD=recording, CORIO_BATCH_LOG=logs[0])
        assert dump() == now
        gone = [(path, path + " is elsewhere") for path in (folder, database)]
        for path, elsewhere in gone:
            os.rename(path, elsewhere)
        for i in 1, 2:
            again = run("--workers=%d" % (4 * i), "index", folder, CORIO_REPLAY=recording, CORIO_BATCH_LOG=logs[i])
            assert again.split(",")[:2] == said.split(",")[:2], (said, again)
            with open(logs[0], "rb") as first_log, open(logs[i], "rb") as log:
                assert first_log.read() == log.read(), "other batches"
        assert not os.path.exists(database) and not os.path.exists(folder)
        with open(recording, "rb") as file:
            content = file.read()
        with open(recording, "wb") as file:
            file.write(content[:len(content) // 2])
        assert "the recording is damaged" in run("index", folder, status=(1, 3), CORIO_REPLAY=recording)
        for path, elsewhere in gone:
            os.rename(elsewhere, path)

        # Search and duplicates.
        found = [line.split("  ") for line in run("search", "COMMON", "number599").splitlines()]
        assert found == [["1200", os.path.join(folder, "deep", "file599")]], found
        by_count = [int(line.split("  ")[0]) for line in run("search", "common").splitlines()]
        assert by_count == [n for n in range(600, 0, -1) if n != 8], by_count
        assert run("search", "common", "no-such-word", status=(1,)) == ""
        same = [line.split("  ")[2] for line in run("duplicates").splitlines()]
        assert same == [os.path.join(folder, "copy of runtime.c"), os.path.join(folder, "runtime.c")], same

        # Mistakes.
        run("--help")
        run(status=(2,))
        run("index", status=(2,))
        run("find", "x", status=(2,))
        for wrong in "no", "", "0", "-1", "+1", " 1", "4x", "1025", "4294967297":
            run("--workers=" + wrong, "duplicates", status=(2,))
        run("index", os.path.join(work, "nowhere"), status=(3,))
        run("index", database, status=(3,))
        for arguments in ["--help"], ["search", "common"], ["duplicates"], ["index", folder]:
            status, words = on_full_disk([program, "--database=" + database] + arguments)
            assert status == 3 and "indexer: output: No space" in words, (status, words)
        with open(database, "wb") as file:
            file.write(b"this is no database at all, just some words and more words" * 20)
        run("duplicates", status=(3,))
    print("%d files" % count)


main()
