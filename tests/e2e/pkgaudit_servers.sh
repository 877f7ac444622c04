#!/bin/sh
# SPDX-License-Identifier: MIT
#
# pkgaudit_servers.sh WHERE PROGRAM KIND PROXY - runs pkgaudit over a server of its own at WHERE, a conninfo string or a
# URL: the audit is the same as over SQLite in every mode, and what may go wrong with a server does. Started by
# postgres.sh and redis.sh, which say in the environment how the server is ended and started.
set -eu

where=$1
program=$2
kind=$3
proxy=$4
. "$(dirname "$(readlink -f "$0")")/pkgaudit_common.sh"
. "$here/pkgaudit_$kind.sh" # what is special: size, socket, failures

over() { "$program" --db="$kind" --db-url="$where" "$@"; }

# same MODES ROOTS...: the whole result and the report, in each mode, are those over SQLite.
same() {
    modes=$1
    shift
    "$program" "$@" --dump="$work/wanted" | sed '/^universe/,$d' >"$work/wanted.report"
    [ -s "$work/wanted" ] || fail "nothing found: $*"
    for mode in $modes; do
        over "$@" $mode --dump="$work/dump" | sed '/^universe/,$d' >"$work/report"
        cmp -s "$work/wanted" "$work/dump" || fail "another result in mode $mode: $*"
        cmp -s "$work/wanted.report" "$work/report" || fail "another report in mode $mode: $*"
    done
}

# filled YES|no ROOTS...: whether the data are written anew.
filled() {
    want=$1
    shift
    over "$@" --json >"$work/json"
    got=no
    ! grep -q '"ingest"' "$work/json" || got=YES
    [ "$got" = "$want" ] || fail "filled: $got, not $want: $*"
    "$program" "$@" --json >"$work/json.sqlite"
    wanted=$(digest "$work/json.sqlite")
    [ -n "$wanted" ] && [ "$(digest "$work/json")" = "$wanted" ] || fail "another digest than over SQLite: $*"
}

universe
"$program" --help | grep -q "^  $kind " || exit 77 # not in this build

# -- The same, and kept --

filled YES --all "$files"
filled no --all "$files"
filled YES --all --refresh "$files"
same "--workers=1 --workers=4 --no-memory --mode=threads" --all "$files"
same "--mode=item" --root=top "$files"
same "--mode=batch --mode=item --mode=threads" --root=chain-1 --root=chain-200 "$files"
grep -q "\"db\": \"$kind\"" "$work/json" || fail "the kind: $(cat "$work/json")"
[ "$(sed -n 's/.*"unique_requests": \([0-9]*\).*/\1/p' "$work/json")" -lt \
    "$(sed -n 's/.*"requests": \([0-9]*\), .*/\1/p' "$work/json")" ] || fail "equal requests were not asked once"
printf 'Package: old\nVersion: 3\nArchitecture: all\nDepends: back\\\\slash (= 1\\\\2)\n' >"$work/more"
filled YES --all "$files" "$work/more"
over --root=chain-200 --compare --rounds=1 "$files" "$work/more" >"$work/out"
grep -q '^item ' "$work/out" && grep -q '^threads ' "$work/out" || fail "no table: $(cat "$work/out")"
status=/var/lib/dpkg/status
if grep -qs '^Status: install ok installed' $status; then
    same "--mode=batch --mode=threads" "$status" # the packages that are installed, and nothing else
fi

# -- The command line --

expect 2 'no such kind of database' "$program" --db=oracle --all "$files"
expect 2 'needs --database' "$program" --db-url="$where" --all "$files"
expect 2 'is for sqlite' "$program" --db="$kind" --database="$work/x.db" --all "$files"

# -- What may go wrong --

# through PATH WORD COUNT COMMAND: from now on $there leads through a proxy at PATH, which runs COMMAND in the middle.
through() {
    rm -f "$work/proxied" "$work/marker"
    mkfifo "$work/proxied"
    "$proxy" "$1" "$socket" 0 "$2" "$3" "touch $work/marker && { $4; } >/dev/null" >"$work/proxied" &
    proxy_pid=$!
    read -r _ <"$work/proxied"
}

# ended: the proxy is; it had something to do.
ended() {
    kill $proxy_pid
    wait $proxy_pid 2>/dev/null || true
    rm -f "$1"
    [ -e "$work/marker" ] || fail "nothing happened in the middle"
}

filled YES --all "$files"
before=$(size)
filled YES --all --refresh "$files"
[ "$(size)" = "$before" ] || fail "something was left behind: $(size), before $before"
failures
echo "all good"
