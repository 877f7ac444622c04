#!/bin/sh
# SPDX-License-Identifier: MIT
#
# probes.sh LIBRARY HEADER - the library has the probes that the header lists, with as many arguments each, and no others.
set -eu
library=$1 header=$2

fail() {
    echo "not so: $*" >&2
    exit 1
}

notes=$(readelf -n "$library")
echo "$notes" | grep -q 'Provider: corio$' || fail "$library has probes of corio"
found=$(echo "$notes" | sed -n 's/^ *Name: \([a-z_]*\)$/\1/p' | sort -u)
listed=$(sed -n 's/^ \*   \([a-z]*\(_[a-z]*\)*\)  .*/\1/p' "$header" | sort -u)
[ "$(echo "$listed" | wc -l)" -ge 9 ] || fail "the header lists probes: $listed"
[ "$found" = "$listed" ] || fail "the probes are those that are listed:
$found
listed:
$listed"

# name and number of arguments: "-4@%eax 8@-24(%rsp) ..."
count() {
    echo "$notes" | awk -v name="$1" '$1 == "Name:" {this = $2} $1 == "Arguments:" && this == name {print NF - 1; exit}'
}
for wanted in phase_begin:2 phase_end:2 batch_dispatch:4 batch_complete:3 task_start:3 task_end:3 worker_park:1 worker_wake:1 \
    steal:2; do
    [ "$(count "${wanted%:*}")" = "${wanted#*:}" ] || fail "${wanted%:*} has ${wanted#*:} arguments: $(count "${wanted%:*}")"
done
