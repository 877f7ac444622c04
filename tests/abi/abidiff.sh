#!/bin/sh
# SPDX-License-Identifier: MIT
# The binary interface is the stored one: the types of all functions, the layouts of all public structs.
#
# What is compared is what a program is compiled with: a file that includes the public header and has, for each exported
# function, a variable with the function's type. So nothing internal is in it, and the compiler does not matter.
#
#   abidiff.sh NAME LIST BASELINE HEADERS COMPILER...             compares; exits 77 without abidiff
#   abidiff.sh --update NAME LIST BASELINE HEADERS COMPILER...    stores it: ./dev abi does
#
# NAME: corio, corio-http, ... LIST: what symbols.sh has stored.
set -eu
name=abidiff
update=
[ "$1" != --update ] || {
    update=yes
    shift
}
library=$1 list=$2 baseline=$3 headers=$4
shift 4

if ! command -v abidiff >/dev/null || ! command -v abidw >/dev/null; then
    echo "$name: skipped, no abidiff (abigail-tools)"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
    case $library in
    corio) printf '#include <corio.h>\nenum corio_error_code abi_error_codes;\n' ;;
    *) echo "#include <corio/${library#corio-}.h>" ;;
    esac
    sed -n 's/^T \(corio_[a-z0-9_]*\).*/__typeof__(\&\1) abi_\1;/p' "$list"
} >"$work/probe.c"
case $library in
*-postgres) flags=$(pkg-config --cflags libpq) ;;
*-redis) flags=$(pkg-config --cflags hiredis) ;;
*) flags= ;;
esac
# shellcheck disable=SC2086 # flags are several words
"$@" -std=gnu11 -D_GNU_SOURCE -g -fPIC -shared -I"$headers" $flags "$work/probe.c" -o "$work/probe.so"
abidw --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed --no-parameter-names \
    --out-file "$work/now.abi" "$work/probe.so"
if [ -n "$update" ]; then
    cp "$work/now.abi" "$baseline"
    exit
fi
architecture() { sed -n "1s/.*architecture='\([^']*\)'.*/\1/p" "$1"; }
[ "$(architecture "$baseline")" = "$(architecture "$work/now.abi")" ] || {
    echo "$name: skipped, $baseline is of another architecture"
    exit 77
}
abidiff "$baseline" "$work/now.abi" || {
    echo "$name: FAILED: the binary interface changed. If that is meant: ./dev abi, and commit the baseline. If it is more"
    echo "than an addition, programs that were linked before need a second symbol version, or a new soname"
    exit 1
}
echo "$name: ok"
