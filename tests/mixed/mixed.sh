#!/bin/sh
# SPDX-License-Identifier: MIT
# A program built with a sanitizer, and a library built without.
#
#   mixed.sh COMPILER SANITIZER SOURCE HEADERS LIBRARY [ARGUMENT=REPORT ...]
#
# Run without an argument the program must end with 0 and without a word from the sanitizer; run with each ARGUMENT,
# whose mistake depends on no schedule but that tasks run at the same time, REPORT must be in what it says. Exits 77 without
# the compiler or the sanitizer's runtime.
set -eu
compiler=$1 sanitizer=$2 source=$3 headers=$4 library=$5
shift 5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder=$(dirname "$library")
flags="-g -O1 -fsanitize=$sanitizer"
[ "$sanitizer" != undefined ] || flags="$flags -fno-sanitize-recover=all"

echo 'int main(void) { return 0; }' >"$work/probe.c"
# shellcheck disable=SC2086
if ! "$compiler" $flags "$work/probe.c" -o "$work/probe" 2>"$work/log" || ! "$work/probe"; then
    echo "mixed: skipped, no $compiler with -fsanitize=$sanitizer"
    exit 77
fi
# shellcheck disable=SC2086
"$compiler" $flags -pthread -I"$headers" "$source" -o "$work/program" "$library" -Wl,-rpath,"$folder" -lck -ldl

run() {
    ASAN_OPTIONS=detect_stack_use_after_return=1 timeout -s KILL 300 "$work/program" "$@" >"$work/log" 2>&1
}

if ! run || grep 'Sanitizer' "$work/log"; then
    cat "$work/log"
    exit 1
fi
for mistake in "$@"; do
    attempts=5
    while run "${mistake%%=*}" || ! grep -q "${mistake#*=}" "$work/log"; do
        attempts=$((attempts - 1))
        if [ $attempts -eq 0 ]; then
            cat "$work/log"
            echo "mixed: ${mistake%%=*} is not reported as ${mistake#*=}"
            exit 1
        fi
    done
done
