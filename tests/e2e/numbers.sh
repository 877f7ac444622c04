#!/bin/sh
# SPDX-License-Identifier: MIT
# Usage: numbers.sh FOLDER - what is no number is refused by every option of the example programs that wants one, and by
# every program in the same way: exit status 2, words on stderr, nothing on stdout.
set -eu
folder=$1 tried=0
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT

while read -r program option; do
    [ -x "$folder/$program" ] || continue # its libraries are not here
    for text in '' x 12x 1.5 -1 ' 1' 99999999999999999999; do
        status=0
        output=$("$folder/$program" "$option=$text" </dev/null 2>"$errors") || status=$?
        if [ "$status" != 2 ] || [ -n "$output" ] || [ ! -s "$errors" ]; then
            echo "$program $option='$text': status $status, '$output', '$(cat "$errors")'" >&2
            exit 1
        fi
        tried=$((tried + 1))
    done
done <<'END'
build --jobs
groupcommit --window
groupcommit --workers
indexer --workers
pkgaudit --readers
pkgaudit --rounds
pkgaudit --sample
pkgaudit --threads
pkgaudit --workers
server --connections
server --timeout
server --workers
workflow --act-ms
workflow --cool-ms
workflow --fail
workflow --window
END
echo "$tried refused"
[ "$tried" -gt 0 ]
