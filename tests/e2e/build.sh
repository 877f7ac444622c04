#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh PROGRAM - the small make: makes what is needed, in order, so many at once; stops at errors, or goes on.
set -eu
program=$(readlink -f "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "not so: $*" >&2
    cat out err >&2
    exit 1
}

# expect STATUS LAST-LINE ARGUMENT...
expect() {
    expected=$1 text=$2
    shift 2
    status=0
    timeout 60 "$program" "$@" >out 2>err || status=$?
    [ "$status" -eq "$expected" ] || fail "status $status, not $expected: $*"
    cat out err | grep -q -- "$text" || fail "no '$text': $*"
}

cat >Buildfile <<'END_OF_FILE'
# A program, for real.
program: main.o square.o        # the first target
	cc $^ -o $@
main.o: main.c square.h
	cc -c $< -o $@
square.o: square.c square.h
	cc -c $< -o $@
END_OF_FILE
echo 'int square(int n);' >square.h
printf '#include "square.h"\nint square(int n) { return n * n; }\n' >square.c
printf '#include "square.h"\nint main(void) { return square(6) - 36; }\n' >main.c
expect 0 '3 made, 0 up to date, 0 failed, 0 left out'
./program || fail "the program"
expect 0 '0 made, 3 up to date'
grep -q '^program is up to date$' out || fail "it does not say so"
sleep 0.02
touch square.c
expect 0 '2 made, 1 up to date' -n
expect 0 '2 made, 1 up to date' -s
! grep -q cc out || fail "-s prints commands"
touch square.h
expect 0 '3 made' -j1
sleep 0.02
touch main.c
expect 0 '1 made, 0 up to date' main.o

# Errors: the first one stops it, -k goes on with what does not depend on it. Half-made targets are removed.
echo 'int square(int n) { return n' >square.c
expect 1 'square.o: exit status'
[ ! -e square.o ] || [ square.o -ot square.c ] || fail "a failed target looks made"
cat >many <<'END_OF_FILE'
all: bad good above
bad:
	echo half >$@; exit 3
above: bad
	touch $@
good: good1 good2
	cat $^ >$@
good1:
	echo 1 >$@
good2:
	echo $$HOME >$@
END_OF_FILE
expect 1 'bad: exit status 3; removed' -f many -k
cat out | grep -q '^3 made, 0 up to date, 1 failed, 2 left out$' || fail "-k"
[ ! -e bad ] && [ ! -e above ] && [ "$(sed 1d good)" = "$HOME" ] || fail "what -k made"
cat >stop <<'END_OF_FILE'
all: first second
first:
	exit 1
second: slow
	touch second
slow:
	until grep -q '^build: first' err; do sleep 0.01; done; sleep 0.1; touch slow
END_OF_FILE
expect 1 '1 failed' -f stop -j2
[ -e slow ] && [ ! -e second ] || fail "it did not stop, or not wait for what ran"

# At most -j commands at once, and that many: the first ones wait for each other.
{
    echo 'all: 1 2 3 4 5 6 7 8 9'
    for i in 1 2 3 4 5 6 7 8 9; do
        printf '%s:\n\tmkdir run.$@; ls -d run.* | wc -l >>most; %s; rmdir run.$@; touch $@\n' "$i" \
            'until [ $$(wc -l <most) -ge $$together ]; do sleep 0.01; done'
    done
} >jobs
export together=3
expect 0 '9 made' -s -f jobs -j3
[ "$(sort -n most | tail -n 1)" = 3 ] || fail "$(sort -n most | tail -n 1) commands at once, not 3"
rm -f most [1-9]
together=1
expect 0 '9 made' -s -f jobs -j1
[ "$(sort -n most | tail -n 1)" = 1 ] || fail "more than one command at once"

# Thousands of targets, in order.
{
    echo 'last: t2000'
    for i in $(seq 1 2000); do
        printf 't%s: t%s\n' "$i" $((i - 1))
    done
    printf 't0:\n\techo done >t0\n'
} >chain
expect 0 '1 made' -s -f chain
[ -e t0 ] || fail "the chain"

# Mistakes.
printf 'a: b\nb: c\nc: a\n' >cycle
expect 2 'cycle:1: depends on itself' -f cycle
printf 'a: nothing\n' >missing
expect 1 'nothing: it is not there, and no rule makes it' -f missing
printf 'what is this\n' >what
expect 2 'what:1: this is neither a rule nor a command' -f what
printf 'a:\na:\n' >twice
expect 2 'twice:2: there is a rule already for a' -f twice
: >empty
expect 2 'no rules' -f empty
expect 2 'No such file' -f nowhere
expect 2 '^build: .: Is a directory' -f .
ln -s loop loop
echo 'all: loop' >looks
expect 1 '^build: loop: Too many levels' -f looks
expect 2 'no rule makes x' x
for wrong in 0 -1 +1 '' ' 1' 12x x 1001 4294967297 99999999999999999999; do
    expect 2 'from 1 to 1000' "--jobs=$wrong"
done
expect 2 'Usage' --what
expect 0 'Usage' --help
for given in --help '-f jobs' '-s -f chain'; do
    status=0
    "$program" $given >/dev/full 2>err || status=$?
    [ "$status" -eq 1 ] && grep -q '^build: output: No space left' err || fail "a full stdout: $given, status $status"
done
echo "all good"
