#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the words of files: each task asks for its file and then for each word's number; equal questions meet in a batch.

Usage: example.py FILE...
"""
import re
import sys

import corio


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with corio.Runtime() as runtime:
        counts = {}

        def read(batch):
            """In I/O threads, each file in a slice of its own."""
            for i in range(len(batch)):
                with open(batch[i], encoding="utf-8", errors="replace") as file:
                    batch.respond(i, file.read())

        @runtime.dispatcher
        def files(batch):
            print("reading %d files at once" % len(batch))
            for i in range(len(batch)):
                batch.slice(i, 1).submit(read)
            return corio.LATER

        @runtime.dispatcher
        def count(batch):
            for word in batch:
                counts[word] = counts.get(word, 0) + 1
            for i in range(len(batch)):
                batch.respond(i, counts[batch[i]])
            print("%d words in one batch" % len(batch))

        async def one(path):
            words = re.findall(r"[a-z]+", (await files(path)).lower())
            await corio.all_of(count(word) for word in words)
            return len(words)

        async def root():
            tasks = [corio.go(one(path)) for path in sys.argv[1:]]
            await corio.wait()
            return sum(task.result for task in tasks)

        try:
            print("%d words, %d different" % (runtime.run(root()), len(counts)))
        except corio.Error as error:
            sys.exit("example.py: %s" % (error.__cause__ or error))


main()
