#!/bin/sh
# SPDX-License-Identifier: MIT
#
# pkgaudit.sh PROGRAM CHECK - runs pkgaudit on a small universe made here, in every mode and with every kind of failure.
# pkgaudit.sh PROGRAM CHECK real - the same results in every mode on `apt-cache dumpavail`, against the independent
# program; exit status 77 (skipped) where apt-cache has no data.
set -eu

program=$1
check=$2
kind=${3:-small}
. "$(dirname "$0")/pkgaudit_common.sh"
writer=
cleanup() {
    [ -z "$writer" ] || kill "$writer"
    umount "$work/small" 2>/dev/null || true
    rm -rf "$work"
}

# same_in_all_modes ROOTS...: every mode and number of workers gives the digest of the first.
same_in_all_modes() {
    first=
    for mode in batch item threads; do
        for workers in 1 2 4; do
            "$program" "$@" --mode=$mode --workers=$workers --json >"$work/json"
            now=$(digest "$work/json")
            : "${first:=$now}"
            [ -n "$now" ] && [ "$now" = "$first" ] || fail "digest $now, not $first: $mode, $workers workers"
        done
    done
    "$program" "$@" --no-memory --json >"$work/json"
    [ "$(digest "$work/json")" = "$first" ] || fail "another digest without memory"
}

# same_batches ROOTS...: byte for byte, for any number of workers and readers.
same_batches() {
    for workers in 1 2 4; do
        CORIO_BATCH_LOG="$work/log$workers" "$program" "$@" --workers=$workers --readers=$workers --json >"$work/json"
        [ -s "$work/log$workers" ] || fail "no batches with $workers workers"
        cmp -s "$work/log1" "$work/log$workers" || fail "other batches with $workers workers: $*"
    done
}

# checked INPUT VERSIONS ROOTS...: the independent program agrees.
checked() {
    input=$1
    versions=$2
    shift 2
    "$program" "$@" --dump="$work/dump" --json >"$work/json"
    python3 "$check" --input="$input" --dump="$work/dump" --json="$work/json" --versions="$versions" \
        --architecture="$architecture" || fail "check.py disagrees on $*"
}

if [ "$kind" = real ]; then
    command -v apt-cache >/dev/null || exit 77
    apt-cache dumpavail >"$work/avail"
    [ -s "$work/avail" ] || exit 77
    versions=0
    command -v dpkg >/dev/null && versions=1000
    same_in_all_modes
    same_in_all_modes --sample=500
    same_batches --sample=500
    same_batches --sample=500 --no-memory
    checked "$work/avail" "$versions" --all
    if grep -q '^Status: install ok installed' /var/lib/dpkg/status; then
        checked "$work/avail" 0
    fi
    exit 0
fi

# -- A universe with everything in it --

universe
same_in_all_modes --all $files
same_in_all_modes --root=top $files
same_in_all_modes --root=chain-1 --root=chain-200 $files
checked "$files" 0 --all $files
grep -q '^root top 8 ' "$work/dump" || fail "the closure of top: $(grep '^root top' "$work/dump")"
grep -q '^missing loop-c: nowhere (>> 1) | nowhere:other$' "$work/dump" || fail "missing dependency"
grep -q '^missing loop-c: old (<< 1)$' "$work/dump" || fail "missing version"
grep -q '^cycle loop-a loop-b loop-c$' "$work/dump" || fail "cycle"
grep -q '^root chain-1 308 ' "$work/dump" || fail "chain"
sed -n 's/.*"requests": \([0-9]*\), "unique_requests": \([0-9]*\).*/\1 \2/p' "$work/json" >"$work/figures"
read -r requests unique <"$work/figures"
[ "$unique" -lt "$requests" ] || fail "equal requests were not asked once: $unique of $requests"

# -- Compressed input; the order of files; changed input --

wanted=$(digest "$work/json")
for tool in gzip xz zstd bzip2 lz4; do
    command -v $tool >/dev/null || continue
    $tool -c <"$files" >"$work/compressed.$tool"
    "$program" --all --json "$work/compressed.$tool" >"$work/json"
    [ "$(digest "$work/json")" = "$wanted" ] || fail "another digest from $tool"
done
printf 'Package: old\nVersion: 3\nArchitecture: all\n' >"$work/more"
"$program" --all --json "$work/more" "$files" >"$work/json"
one=$(digest "$work/json")
"$program" --all --json "$files" "$work/more" >"$work/json"
[ "$one" = "$(digest "$work/json")" ] || fail "the order of files matters"
[ "$one" != "$wanted" ] || fail "a changed input was not read"
"$program" --all --json "$files" "$work/more" >"$work/json"
! grep -q '"ingest"' "$work/json" || fail "unchanged input was read again"
"$program" --all --json --refresh "$files" "$work/more" >"$work/json"
grep -q '"ingest"' "$work/json" || fail "--refresh did nothing"
for more in "" --no-memory --mode=item; do
    "$program" --all $more "$files" |
        sed -n 's/^batches .*of \([0-9]*\) to \([0-9]*\) requests, \([0-9]*\) on average$/\1 \3 \2/p' >"$work/figures"
    read -r smallest average largest <"$work/figures"
    [ "$smallest" -le "$average" ] && [ "$average" -le "$largest" ] || fail "batches of $(cat "$work/figures"): $more"
done
"$program" --all --compare --rounds=1 "$files" >"$work/out"
grep -q '^item ' "$work/out" && grep -q '^threads ' "$work/out" || fail "no table: $(cat "$work/out")"

# -- The command line --

expect 0 'Usage: pkgaudit' "$program" --help
expect 0 'pkgaudit [0-9]' "$program" --version
expect 2 'no such option: --nonsense' "$program" --nonsense
expect 2 'no such option: -x' "$program" -xy
expect 2 'no such option: --all=3' "$program" --all=3
expect 2 'no such mode' "$program" --mode=fast
for wrong in 0 1025 99999999999999999999; do
    expect 2 'out of range' "$program" --workers=$wrong
done
for wrong in '' 12x -1 +1 ' 1' ' -18446744073709551615'; do
    expect 2 'not a number, or out of range' "$program" --sample="$wrong"
done
expect 2 'without its value' "$program" --dump
for given in --help --version --all --json '--compare --rounds=1'; do
    status=0
    "$program" $given --root=top $files >/dev/full 2>"$work/err" || status=$?
    [ "$status" -eq 6 ] && grep -q 'output: No space left' "$work/err" || fail "status $status, a full stdout: $given"
done
expect 7 'no package nobody' "$program" --root=nobody $files

# -- Failures, each with its status --

expect 3 'No such file' "$program" --all "$work/nothing"
expect 3 '' "$program" --all "$work"
head -c 3000 "$files" >"$work/cut"
expect 4 'cut:' "$program" --all "$work/cut"
printf 'Package: a\nVersion: 1\n' >"$work/cut"
expect 4 'line [0-9]*: a stanza cut off' "$program" --all "$work/cut"
printf 'Package: a\nVersion: 1\nArchitecture: all\nDepends: b (>= \n' >"$work/cut"
expect 4 'malformed dependency' "$program" --all "$work/cut"
if command -v gzip >/dev/null; then
    gzip -c <"$files" | head -c 2000 >"$work/cut.gz"
    expect 4 'cut.gz' "$program" --all "$work/cut.gz"
fi
: >"$work/empty"
expect 7 'no packages' "$program" --all "$work/empty"
echo "this is no database, and long enough to be looked at as one: .............................." >"$work/bad.db"
cp "$work/bad.db" "$work/bad.copy"
expect 5 'not an SQLite database' "$program" --all --database="$work/bad.db" $files
cmp -s "$work/bad.db" "$work/bad.copy" || fail "the foreign file was changed"
expect 5 '' "$program" --all --database="$work/no/such/folder/x.db" $files
"$program" --all --json --database="$work/torn.db" $files >"$work/json"
size=$(stat -c %s "$work/torn.db")
dd if=/dev/urandom of="$work/torn.db" bs=4096 seek=1 count=$((size / 4096 - 1)) conv=notrunc 2>/dev/null
expect 5 'torn.db' "$program" --all --database="$work/torn.db" $files
"$program" --all --json --database="$work/good.db" $files >"$work/json"
[ "$(digest "$work/json")" = "$wanted" ] || fail "another digest in another database"

# A full disk: a small file system, mounted by root or in a namespace of our own. The database recovers when there is room.
cat >"$work/full.sh" <<'END'
set -eu
mount -t tmpfs -o size=120k none "$work/small" || exit 77
status=0
"$program" --all --database="$work/small/x.db" "$files" || status=$?
cp "$work/small/x.db" "$work/limited.db"
[ ! -e "$work/small/x.db-wal" ] || cp "$work/small/x.db-wal" "$work/limited.db-wal"
umount "$work/small"
exit $status
END
mkdir "$work/small"
export work program files
namespace=
[ "$(id -u)" -eq 0 ] || namespace="unshare -Urm"
if $namespace true 2>/dev/null; then
    status=0
    $namespace sh "$work/full.sh" >"$work/out" 2>"$work/err" || status=$?
    if [ "$status" -ne 77 ]; then
        [ "$status" -eq 6 ] || fail "status $status on a full disk ($(cat "$work/err"))"
        grep -q 'disk is full' "$work/err" || fail "a full disk: $(cat "$work/err")"
    fi
fi
"$program" --all --json --database="$work/limited.db" $files >"$work/json"
[ "$(digest "$work/json")" = "$wanted" ] || fail "the database did not recover from a full disk"

# -- Interrupt: while it reads from a pipe that stays open, some blocks are in the database already --

mkfifo "$work/pipe"
{
    for round in 1 2 3 4; do
        for i in $(seq 1 12000); do
            echo "Package: p$round-$i
Version: 1
Architecture: all
Depends: top, a-rather-long-name-of-a-package-that-is-not-there | another-one (>= 1.2.3)
"
        done
    done
    : >"$work/written"
    exec sleep 100
} >"$work/pipe" &
writer=$!
status=0
"$program" --all --database="$work/stopped.db" "$work/pipe" >"$work/out" 2>"$work/err" &
reader=$!
python3 - "$work/stopped.db" "$work/written" <<'END' || fail "nothing comes into the database ($(cat "$work/err"))"
import os, sqlite3, sys, time
for _ in range(6000):
    time.sleep(0.01)
    try:
        if os.path.exists(sys.argv[2]):
            db = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True)
            if db.execute("SELECT count(*) FROM package").fetchone()[0] > 0:
                sys.exit(0)
    except sqlite3.OperationalError:
        pass # it is not there yet, or just written
sys.exit(1)
END
kill -INT $reader
kill $writer
writer=
wait $reader || status=$?
[ "$status" -eq 130 ] || fail "status $status after an interrupt ($(cat "$work/err"))"
python3 - "$work/stopped.db" <<'END' || fail "the interrupted database"
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
assert not db.execute("SELECT * FROM note WHERE key = 'complete'").fetchall()
packages = db.execute("SELECT count(*) FROM package").fetchone()[0]
assert packages > 0
assert packages == db.execute("SELECT count(DISTINCT package) FROM dependency").fetchone()[0]
END
"$program" --all --json --database="$work/stopped.db" $files >"$work/json"
[ "$(digest "$work/json")" = "$wanted" ] || fail "the database did not recover from an interrupt"
echo "all good"
