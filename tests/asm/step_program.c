/* SPDX-License-Identifier: MIT */
/* What step_backtrace.py walks through, one instruction at a time: every way through the switch.
 * Prints nothing; ends in the switch's own first frame with status 0. */
#include "fill_registers.h"

#define STEP_STACK_BYTES 16384

/* Named for the script, which tells by the stack pointer whose backtrace to expect. */
_Alignas(64) char stack_one[STEP_STACK_BYTES];
_Alignas(64) char stack_two[STEP_STACK_BYTES];

void step_entry(cr_transfer t);
void step_last_entry(cr_transfer t);
cr_transfer step_on_top(cr_transfer t);

static uint64_t values[4][FILL_COUNT];
static uint64_t found[FILL_COUNT];

static const uint64_t *next_values(void)
{
    static unsigned round;
    uint64_t *v = values[round++ % 4];
    for (uint64_t i = 0; i < FILL_COUNT; i++) {
        v[i] = (uint64_t)round << 32 | (i + 1);
    }
    return v;
}

/* A control word of its own sends the switch through its rare half. */
static void set_x87(uint16_t word)
{
#if defined(__x86_64__)
    __asm__ volatile("fldcw %0" : : "m"(word));
#else
    (void)word;
#endif
}

void step_entry(cr_transfer t)
{
    set_x87(0x0e7f);
    for (;;) {
        t = filled_switch(t.from, t.data, NULL, next_values(), found);
    }
}

void step_last_entry(cr_transfer t)
{
    (void)t;
}

cr_transfer step_on_top(cr_transfer t)
{
    return t;
}

int main(void)
{
    cr_context one = cr_context_make(stack_one + STEP_STACK_BYTES, STEP_STACK_BYTES, step_entry);
    cr_context two =
        cr_context_make(stack_two + STEP_STACK_BYTES, STEP_STACK_BYTES, step_last_entry);
    cr_transfer t = filled_switch(one, NULL, NULL, next_values(), found);
    t = filled_switch(t.from, NULL, NULL, next_values(), found);
    t = filled_switch(t.from, NULL, step_on_top, next_values(), found);
    set_x87(0x0e7f); /* as step_entry has it: the common half */
    t = filled_switch(t.from, NULL, NULL, next_values(), found);
    t = filled_switch(t.from, NULL, step_on_top, next_values(), found);
    set_x87(0x037f);
    filled_switch(two, NULL, step_on_top, next_values(), found);
    return 1;
}
