#!/bin/sh
# SPDX-License-Identifier: MIT
# docs.sh SOURCE_ROOT - the programs of docs/dispatchers-io.md are those that this folder compiles.
set -eu
root=$1
page=$root/docs/dispatchers-io.md
failed=0
for program in "$root"/tests/dispatch/example_*.c; do
    name=$(basename "$program" .c)
    name=${name#example_}
    sed -n "/^## corio-$name\$/,/^## /p" "$page" | sed -n '/^```c$/,/^```$/p' | sed '1d;$d' >"docs-$name.txt"
    [ -s "docs-$name.txt" ] || { echo "no program in the section of $name"; failed=1; }
    sed '1,/\*\/$/d' "$program" | diff - "docs-$name.txt" || failed=1
    rm -f "docs-$name.txt"
done
[ $failed = 0 ] && echo "the programs of the page are the compiled ones"
exit $failed
