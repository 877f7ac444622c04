#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the AArch64 switch with the cross compiler and runs it under qemu: the unit test, plain and
# with branch protection, and a freestanding program whose landing pads the processor checks. To
# know that it checks them, the same program is run with its landing pads taken out.
#
#   run_aarch64.sh ROOT     exits 77 if the tools are not here
set -eu
root=$1
name=run_aarch64
cross=${CROSS_COMPILE:-aarch64-linux-gnu-}
qemu=${QEMU_AARCH64:-qemu-aarch64}
asm=$root/asm/aarch64_aapcs_elf.S

for tool in "${cross}gcc" "${cross}readelf" "$qemu"; do
    if ! command -v "$tool" >/dev/null; then
        echo "$name: skipped, no $tool"
        exit 77
    fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$root/tests/asm/mini_cmocka.h" "$work/cmocka.h"

failed() {
    echo "$name: FAILED: $*"
    exit 1
}

if ! echo 'int main(void) { return 0; }' | "${cross}gcc" -static -x c - -o "$work/probe" \
    2>/dev/null; then
    echo "$name: skipped, ${cross}gcc cannot link a static program"
    exit 77
fi

# The unit test
runs=0
for flags in "-O0" "-O2" "-O2 -mbranch-protection=standard"; do
    # shellcheck disable=SC2086
    "${cross}gcc" -std=gnu11 -D_GNU_SOURCE -Wall -Wextra $flags -static -I"$root" -I"$work" \
        "$root/tests/unit/test_context.c" "$asm" -o "$work/test_context" ||
        failed "test_context does not build with $flags"
    "$qemu" "$work/test_context" >"$work/log" 2>&1 || {
        cat "$work/log"
        failed "test_context with $flags"
    }
    if grep -q '^skipped' "$work/log"; then
        failed "a case was skipped with $flags"
    fi
    runs=$((runs + 1))
done
cases=$(grep -c '^ok' "$work/log")

# Notes
"${cross}gcc" -mbranch-protection=standard -c "$asm" -o "$work/bti.o"
"${cross}readelf" -nW "$work/bti.o" | grep -q 'AArch64 feature: BTI$' ||
    failed "the object does not claim BTI, and BTI alone"
"${cross}readelf" -SW "$work/bti.o" | grep 'note.GNU-stack' | grep -qv ' X' ||
    failed "the object does not say that its stack is not executable"

# Landing pads. The linker warns of any object without the note, which would switch BTI off.
build_bti() { # build_bti ASM PROGRAM
    "${cross}gcc" -std=gnu11 -O2 -mbranch-protection=standard -ffreestanding -nostdlib -static \
        -fno-pie -no-pie -fno-stack-protector -Wl,-z,force-bti,--fatal-warnings,--build-id=none \
        -I"$root" "$root/tests/asm/aarch64_check.c" "$1" -o "$2"
}
build_bti "$asm" "$work/check" || failed "aarch64_check does not build"
"$qemu" -cpu max "$work/check" || failed "aarch64_check under BTI, status $?"

# Without pads a call through a pointer must be refused: jump and ontop are reached so here.
cat >"$work/pointer.c" <<'EOF'
#include "runtime/base/context.h"
_Noreturn void _exit(int status);
_Noreturn void pointer_main(void);
void pointer_entry(cr_transfer t);
static _Alignas(64) char stack[16384];
static cr_context (*volatile make)(void *, size_t, cr_context_entry *) = cr_make_fcontext;
static cr_transfer (*volatile jump)(cr_context, void *) = cr_jump_fcontext;
static cr_transfer (*volatile ontop)(cr_context, void *, cr_context_function *) = cr_ontop_fcontext;
__asm__(".globl _start\n_start: hint #34\n bl pointer_main\n");
_Noreturn void _exit(int status) {
    register long x0 __asm__("x0") = status;
    register long x8 __asm__("x8") = 93;
    __asm__ volatile("svc #0" : : "r"(x0), "r"(x8) : "memory");
    __builtin_unreachable();
}
static cr_transfer same(cr_transfer t) { return t; }
void pointer_entry(cr_transfer t) { for (;;) t = jump(t.from, t.data); }
_Noreturn void pointer_main(void) {
    cr_transfer t = jump(make(stack + sizeof stack, sizeof stack, pointer_entry), stack);
    t = ontop(t.from, stack, same);
    _exit(t.data != stack);
}
EOF
build_pointer() { # build_pointer ASM PROGRAM
    "${cross}gcc" -std=gnu11 -O2 -mbranch-protection=standard -ffreestanding -nostdlib -static \
        -fno-pie -no-pie -fno-stack-protector -Wl,-z,force-bti,--fatal-warnings,--build-id=none \
        -I"$root" "$work/pointer.c" "$1" -o "$2"
}
build_pointer "$asm" "$work/pointer" || failed "the program that calls through pointers"
"$qemu" -cpu max "$work/pointer" || failed "calls through pointers under BTI, status $?"
sed 's/^#define LANDING hint.*/#define LANDING/' "$asm" >"$work/no_pads.S"
build_pointer "$work/no_pads.S" "$work/no_pads" || failed "the program without landing pads"
if sh -c 'ulimit -c 0; "$1" -cpu max "$2"; exit $?' sh "$qemu" "$work/no_pads" >/dev/null 2>&1; then
    echo "$name: ok, $cases cases in $runs builds; BTI built, but this qemu does not enforce it"
    exit 0
fi
echo "$name: ok, $cases cases in $runs builds, BTI enforced"
