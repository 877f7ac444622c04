#!/bin/sh
# SPDX-License-Identifier: MIT
# A soak of some seconds is clean, and one that loses something is told so.
#
#   soak.sh STRESS_TORTURE [LEAK ...]
set -eu
torture=$1
shift
work=$(mktemp -d)
group=
cleanup() {
    [ -z "$group" ] || kill -s KILL -- "-$group" 2>/dev/null || true # a session of its own: nobody else ends it
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
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
# Ctrl-C, which reaches parent and child: a summary, and no failure.
setsid "$torture" soak 10 >"$work/stopped" &
group=$!
until grep -qs '^soak:' "$work/stopped"; do
    kill -0 "$group"
    sleep 0.1
done
# Again until it is heard: ThreadSanitizer keeps a signal for the fiber that it meets, and a task may be over.
until grep -qs '^stopped' "$work/stopped"; do
    kill -s INT -- "-$group" || break
    sleep 0.1
done
wait "$group"
group=
grep '^stopped' "$work/stopped"
