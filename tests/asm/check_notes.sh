#!/bin/sh
# SPDX-License-Identifier: MIT
# Looks at the x86-64 switch as an object: no executable stack, hidden functions with sizes, unwind
# rules, and with -fcf-protection a claim of IBT and of nothing else.
#
#   check_notes.sh SOURCE COMPILER...     exits 77 without readelf
set -eu
name=check_notes
source=$1
shift

command -v readelf >/dev/null || {
    echo "$name: skipped, no readelf"
    exit 77
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

failed() {
    echo "$name: FAILED: $*"
    exit 1
}

for protection in none branch full; do
    object=$work/$protection.o
    "$@" -fcf-protection=$protection -c "$source" -o "$object" || failed "does not assemble"

    sections=$(readelf -SW "$object")
    echo "$sections" | grep -q 'note.GNU-stack' || failed "no GNU-stack note"
    if echo "$sections" | grep 'note.GNU-stack' | grep -q 'X '; then
        failed "executable stack asked for"
    fi
    echo "$sections" | grep -q 'eh_frame' || failed "no unwind rules"
    for function in cr_make_fcontext cr_jump_fcontext cr_ontop_fcontext; do
        readelf -sW "$object" | grep " $function\$" | grep -v ' 0 FUNC' |
            grep -q 'FUNC *GLOBAL *HIDDEN' || failed "$function is not a hidden function with a size"
    done

    claims=$(readelf -nW "$object" | sed -n 's/.*x86 feature: //p')
    if [ $protection = none ]; then
        [ -z "$claims" ] || failed "claims $claims without -fcf-protection"
    else
        [ "$claims" = IBT ] || failed "claims '$claims' with -fcf-protection=$protection, not IBT"
        pads=$(objdump -d "$object" | grep -c endbr64)
        [ "$pads" -eq 3 ] || failed "$pads landing pads, expected 3"
    fi
done
echo "$name: ok"
