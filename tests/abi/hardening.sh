#!/bin/sh
# SPDX-License-Identifier: MIT
# What docs/verification.md says of a shared library's hardening, looked up in the file.
#
#   hardening.sh LIBRARY [fortified] [hardened]     exits 77 without readelf
#
# fortified: built with _FORTIFY_SOURCE. hardened: with -Dhardening=true.
set -eu
name=hardening
library=$1
shift

command -v readelf >/dev/null || {
    echo "$name: skipped, no readelf"
    exit 77
}

failed() {
    echo "$name: FAILED: $library: $*"
    exit 1
}

segments=$(readelf -lW "$library")
dynamic=$(readelf -dW "$library")
symbols=$(readelf -sW --dyn-syms "$library")

echo "$segments" | grep -q 'GNU_STACK' || failed "no GNU_STACK segment: the stack would be executable"
if echo "$segments" | grep 'GNU_STACK' | grep -q 'RWE'; then failed "executable stack"; fi
if echo "$segments" | grep ' LOAD ' | grep -q 'RWE'; then failed "a segment that can be written and executed"; fi
echo "$segments" | grep -q 'GNU_RELRO' || failed "no RELRO"
echo "$dynamic" | grep -qE 'BIND_NOW|Flags:.* NOW' || failed "no BIND_NOW, so RELRO is not full"
if echo "$dynamic" | grep -qE 'TEXTREL'; then failed "text relocations"; fi

for claim in "$@"; do
    case $claim in
    fortified) echo "$symbols" | grep -q '_chk@' || failed "no checked variant of a libc function is called" ;;
    hardened)
        case $library in # in others there may be no function that needs one
        */libcorio.so*) echo "$symbols" | grep -q '__stack_chk_fail' || failed "no stack protector" ;;
        esac
        case $(uname -m) in
        x86_64)
            # Each exported function can be reached through a pointer.
            pads=$(objdump -d --no-show-raw-insn "$library" | grep -A1 -E '^[0-9a-f]+ <corio_[a-z0-9_]*(@@CORIO_0)?>:' |
                grep -c endbr64)
            functions=$(nm -D --defined-only "$library" | grep -c ' T ')
            [ "$pads" -ge "$functions" ] || failed "$pads landing pads for $functions exported functions"
            if readelf -nW "$library" | grep -q SHSTK; then failed "claims a shadow stack, which is not switched"; fi
            ;;
        esac
        ;;
    esac
done
echo "$name: ok: $library"
