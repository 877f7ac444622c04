#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a fuzz target: first all of its corpus, then what it makes of it.
#
#   fuzz.sh TARGET CORPUS SECONDS [SEED [KEEP]]     KEEP: a folder that keeps the inputs found, for a later run
#
# What fails is left as finding-* in the target's folder: fix the fault, then move it to CORPUS under a name that says what
# it was.
set -eu
target=$1 corpus=$2 seconds=$3 seed=${4:-1}
work=${5:-$(mktemp -d)}
mkdir -p "$work"
[ -n "${5:-}" ] || trap 'rm -rf "$work"' EXIT
"$target" -seed="$seed" -max_total_time="$seconds" -max_len=600 -timeout=20 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$(dirname "$target")/finding-" "$work" "$corpus" 2>&1 | tail -n 60 >"$work/log" || true
rc=0
grep -qE '^SUMMARY|ERROR|not so|libFuzzer: ' "$work/log" && rc=1
grep -q 'stat::number_of_executed_units' "$work/log" || rc=1
if [ $rc = 0 ]; then grep -E 'stat::(number|average|new)' "$work/log"; else cat "$work/log"; fi
rm -f "$work/log"
exit $rc
