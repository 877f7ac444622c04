#!/bin/sh
# SPDX-License-Identifier: MIT
# readme.sh PROGRAM SOURCE_ROOT - the README's program is the one in examples/, and does what the README says.
set -eu
program=$1 root=$2
expected='a batch of 100000
success'
[ "$("$program")" = "$expected" ] || { echo "squares printed something else"; exit 1; }
sed -n '/^```c$/,/^```$/p' "$root/README.md" | sed '1d;$d' >readme-program.txt
lines=$(wc -l <readme-program.txt)
head -n "$lines" "$root/examples/squares.c" | diff - readme-program.txt
rm -f readme-program.txt
echo "the README's program is examples/squares.c, and works"
