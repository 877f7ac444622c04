#!/bin/sh
# SPDX-License-Identifier: MIT
# A soak of some seconds is clean, and one that loses something is told so.
#
#   soak.sh STRESS_TORTURE [LEAK ...]
set -eu
torture=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$torture" soak 0.05
for leak; do
    if "$torture" soak 0.002 "$leak" >"$work/said"; then
        echo "soak: lost $leak are not noticed"
        cat "$work/said"
        exit 1
    fi
    case $leak in
    memory) level='heap in use' ;;
    files) level='file descriptors' ;;
    *) level=$leak ;;
    esac
    grep "^$level .*: GROWS" "$work/said"
done
# Ctrl-C: a summary, and no failure. timeout's own status says that it has sent the signal, with --preserve-status it is
# the program's.
timeout --preserve-status --signal=INT --kill-after=60 1 "$torture" soak 10 >"$work/said"
grep '^stopped' "$work/said"
