#!/bin/sh
# SPDX-License-Identifier: MIT
# cppcheck over the library and its headers.
#
#   cppcheck.sh ROOT     exits 77 without cppcheck
set -eu
command -v cppcheck >/dev/null || {
    echo "cppcheck: skipped, no cppcheck"
    exit 77
}
cd "$1"
cppcheck --quiet --enable=warning,performance,portability --std=c11 --error-exitcode=1 \
    --suppressions-list=tests/analysis/cppcheck.txt --suppress=missingIncludeSystem --suppress=unmatchedSuppression \
    -D_GNU_SOURCE -D__x86_64__ -DCR_VALGRIND=0 -DCR_TSAN=0 -I. -Iinclude runtime include
echo "cppcheck: clean"
