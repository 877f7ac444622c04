#!/bin/sh
# SPDX-License-Identifier: MIT
# What a shared library exports, name and version, is what the stored list says.
#
#   symbols.sh LIST LIBRARY             compares; exits 77 without nm
#   symbols.sh --update LIST LIBRARY    stores it: ./dev abi does
set -eu
name=symbols

command -v nm >/dev/null || {
    echo "$name: skipped, no nm"
    exit 77
}

exported() { nm -D --defined-only --with-symbol-versions "$1" | sed 's/^[0-9a-f]* //' | LC_ALL=C sort; }

if [ "$1" = --update ]; then
    exported "$3" >"$2"
    exit
fi
if exported "$2" | grep -vE '^[TA] (corio_|CORIO_0)'; then
    echo "$name: FAILED: $2 exports the above: neither a function nor one of corio_*"
    exit 1
fi
exported "$2" | diff -u "$1" - || {
    echo "$name: FAILED: $2 exports something else than $1 says. If that is meant: ./dev abi, and commit the list"
    exit 1
}
echo "$name: ok, $(grep -c '^T' "$1") functions"
