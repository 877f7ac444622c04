/* SPDX-License-Identifier: MIT */
/* The switch in a program without a C library, so that every page may claim BTI: where the
 * processor enforces it, a missing landing pad ends this in SIGILL. Status 0, or the number of the
 * check that failed. */
#include "fill_registers.h"

#if !defined(__ARM_FEATURE_BTI_DEFAULT)
#error "compile with -mbranch-protection=bti or standard"
#endif

#define CHECK_STACK_BYTES 16384
#define SYS_EXIT          93

_Noreturn void _exit(int status);
_Noreturn void check_main(void);
cr_transfer check_on_top(cr_transfer t);
void check_entry(cr_transfer t);
void check_last_entry(cr_transfer t);

static _Alignas(64) char stacks[3][CHECK_STACK_BYTES];
static uint64_t values[FILL_COUNT], found[FILL_COUNT];

__asm__(".text\n"
        ".globl _start\n"
        "_start:\n"
        "hint #34\n" /* bti c */
        "mov x29, #0\n"
        "mov x30, #0\n"
        "bl check_main\n");

_Noreturn void _exit(int status)
{
    register long x0 __asm__("x0") = status;
    register long x8 __asm__("x8") = SYS_EXIT;
    __asm__ volatile("svc #0" : : "r"(x0), "r"(x8) : "memory");
    __builtin_unreachable();
}

static void check(int holds, int number)
{
    if (!holds) {
        _exit(number);
    }
}

cr_transfer check_on_top(cr_transfer t)
{
    t.data = (void *)((uintptr_t)t.data + 100);
    return t;
}

void check_entry(cr_transfer t)
{
    for (;;) {
        t = cr_context_jump(t.from, (void *)((uintptr_t)t.data + 1));
    }
}

void check_last_entry(cr_transfer t)
{
    check((uintptr_t)t.data == 105, 9);
}

static cr_context make(int i, cr_context_entry *entry)
{
    return cr_context_make(stacks[i] + CHECK_STACK_BYTES, CHECK_STACK_BYTES, entry);
}

_Noreturn void check_main(void)
{
    for (uint64_t i = 0; i < FILL_COUNT; i++) {
        values[i] = i + 1;
    }
    cr_transfer t = cr_context_jump(make(0, check_entry), (void *)1);
    check((uintptr_t)t.data == 2, 1);
    t = cr_context_jump(t.from, (void *)2);
    check((uintptr_t)t.data == 3, 2);
    t = cr_context_ontop(t.from, (void *)3, check_on_top);
    check((uintptr_t)t.data == 104, 3);
    t = filled_switch(t.from, (void *)4, check_on_top, values, found);
    check((uintptr_t)t.data == 105, 4);
    for (int i = 0; i < FILL_COUNT; i++) {
        check(values[i] == found[i], 5);
    }
    cr_transfer other = cr_context_ontop(make(1, check_entry), (void *)4, check_on_top);
    check((uintptr_t)other.data == 105, 6);
    cr_context_ontop(make(2, check_last_entry), (void *)5, check_on_top);
    _exit(7);
}
