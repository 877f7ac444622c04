#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles the C examples in a page of the documentation, each on its own, with warnings as errors.

Usage: doc_examples.py INCLUDE_DIR PAGE COMPILER [ARGUMENT ...]
"""
import re
import subprocess
import sys

BEGIN = "#include <corio.h>\n#include <errno.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"


def main():
    include, page, compiler = sys.argv[1], sys.argv[2], sys.argv[3:]
    with open(page, encoding="utf-8") as file:
        text = file.read()
    examples = list(re.finditer(r"^```c\n(.*?)^```", text, re.M | re.S))
    if not examples:
        sys.exit(page + ": no examples")
    failed = False
    for example in examples:
        line = text.count("\n", 0, example.start()) + 2
        source = BEGIN + '#line %d "%s"\n' % (line, page) + example.group(1)
        command = compiler + ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-I", include,
                              "-fsyntax-only", "-x", "c", "-"]
        failed |= subprocess.run(command, input=source, text=True, check=False).returncode != 0
    print("%d examples" % len(examples))
    sys.exit(failed)


main()
