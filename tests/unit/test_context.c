/* SPDX-License-Identifier: MIT */
/* The context switch, whichever one was linked.
 *
 * On processors without inline assembly here the cases on registers and on floating point control
 * are left out; the rest needs nothing but C. ThreadSanitizer and AddressSanitizer follow stacks by
 * themselves and must be told of every switch, which this file, testing the bare switch, does not
 * do: under them it is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../asm/fill_registers.h"
#include "runtime/base/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNTOLD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define UNTOLD_SANITIZER 1
#endif
#endif

#define CASES_SECONDS 120
#define SKIPPED       77
#define STACK_BYTES   ((size_t)64 * 1024)
#define RING          1000
#define HOME          RING
#define LAPS          20
#define MANY          1000000

/* -- Stacks -- */

typedef struct stack {
    char *low;
} stack;

static stack stack_create(size_t bytes)
{
    stack s = {aligned_alloc(64, bytes)};
    assert_non_null(s.low);
    return s;
}

static cr_context stack_context(stack s, cr_context_entry *entry)
{
    return cr_context_make(s.low + STACK_BYTES, STACK_BYTES, entry);
}

static int stack_holds(stack s, const void *address)
{
    uintptr_t a = (uintptr_t)address;
    return a >= (uintptr_t)s.low && a < (uintptr_t)s.low + STACK_BYTES;
}

/* Hands whatever arrives back to whoever sent it, plus one. */
static void echo_entry(cr_transfer t)
{
    for (;;) {
        t = cr_context_jump(t.from, (void *)((uintptr_t)t.data + 1));
    }
}

/* -- Data -- */

static void data_passes_both_ways(void **state)
{
    (void)state;
    stack s = stack_create(STACK_BYTES);
    cr_transfer t = {stack_context(s, echo_entry), NULL};
    for (uintptr_t i = 0; i < 10; i++) {
        uintptr_t sent = i * UINT64_C(0x0123456789abcdef);
        t = cr_context_jump(t.from, (void *)sent);
        assert_int_equal((uintptr_t)t.data, sent + 1);
    }
    free(s.low);
}

static void a_context_is_an_address_on_its_own_stack(void **state)
{
    (void)state;
    stack s = stack_create(STACK_BYTES);
    cr_context fresh = stack_context(s, echo_entry);
    assert_true(stack_holds(s, fresh));
    cr_transfer t = cr_context_jump(fresh, NULL);
    assert_true(stack_holds(s, t.from));
    assert_true((uintptr_t)t.from < (uintptr_t)fresh);
    free(s.low);
}

static cr_context seen_from;

static void report_from_entry(cr_transfer t)
{
    seen_from = t.from;
    for (;;) {
        t = cr_context_jump(t.from, NULL);
        seen_from = t.from;
    }
}

static void forward_entry(cr_transfer t)
{
    /* data: the context to go on to; what comes back from there goes back to our maker */
    cr_transfer back = cr_context_jump(t.data, NULL);
    cr_context_jump(t.from, back.from);
}

static void from_is_the_context_that_jumped_last(void **state)
{
    (void)state;
    stack one = stack_create(STACK_BYTES);
    stack two = stack_create(STACK_BYTES);
    cr_context reporter = stack_context(two, report_from_entry);
    cr_transfer t = cr_context_jump(stack_context(one, forward_entry), reporter);
    assert_true(stack_holds(one, seen_from));
    assert_true(stack_holds(one, t.from));
    assert_true(stack_holds(two, t.data));
    cr_context_jump(t.data, NULL);
    assert_false(stack_holds(one, seen_from));
    assert_false(stack_holds(two, seen_from));
    free(one.low);
    free(two.low);
}

/* -- Registers -- */

#ifdef FILL_COUNT

static void fill(uint64_t *in, uint64_t seed)
{
    for (int i = 0; i < FILL_COUNT; i++) {
        in[i] = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)i * 0x1001;
    }
}

/* data: where to count wrong registers */
static void filling_entry(cr_transfer t)
{
    for (uint64_t round = 0;; round++) {
        uint64_t in[FILL_COUNT], out[FILL_COUNT];
        int *wrong = t.data;
        fill(in, 1000 + round);
        memset(out, 0, sizeof out);
        t = filled_switch(t.from, t.data, NULL, in, out);
        for (int i = 0; i < FILL_COUNT; i++) {
            *wrong += in[i] != out[i];
        }
    }
}

static cr_transfer pass_on(cr_transfer t)
{
    return t;
}

static void survive(cr_context_function *fn)
{
    stack s = stack_create(STACK_BYTES);
    int wrong = 0;
    cr_transfer t = cr_context_jump(stack_context(s, filling_entry), &wrong);
    for (uint64_t round = 0; round < 5; round++) {
        uint64_t in[FILL_COUNT], out[FILL_COUNT];
        fill(in, round);
        memset(out, 0, sizeof out);
        t = filled_switch(t.from, &wrong, fn, in, out);
        assert_memory_equal(in, out, sizeof in);
        assert_ptr_equal(t.data, &wrong);
    }
    assert_int_equal(wrong, 0);
    free(s.low);
}

static void callee_saved_registers_survive_a_jump(void **state)
{
    (void)state;
    survive(NULL);
}

static void callee_saved_registers_survive_a_function_run_on_top(void **state)
{
    (void)state;
    survive(pass_on);
}

/* -- Floating point control -- */

/* What a context keeps, and values to tell contexts apart by: rounding and traps, never status. */
typedef struct fp_control {
    uint32_t main;
    uint32_t x87;
} fp_control;

#if defined(__x86_64__)
static fp_control fp_read(void)
{
    fp_control c = {0, 0};
    uint16_t word;
    __asm__ volatile("stmxcsr %0" : "=m"(c.main));
    __asm__ volatile("fnstcw %0" : "=m"(word));
    c.x87 = word;
    return c;
}

static void fp_write(fp_control c)
{
    uint16_t word = (uint16_t)c.x87;
    __asm__ volatile("ldmxcsr %0" : : "m"(c.main));
    __asm__ volatile("fldcw %0" : : "m"(word));
}

static const fp_control fp_down = {0x3f80, 0x077f};    /* round down */
static const fp_control fp_to_zero = {0xffc0, 0x0e7f}; /* to zero, flush, x87 in double */
#else
static fp_control fp_read(void)
{
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    fp_control c = {(uint32_t)fpcr, 0};
    return c;
}

static void fp_write(fp_control c)
{
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)c.main));
}

static const fp_control fp_down = {UINT32_C(2) << 22, 0};
static const fp_control fp_to_zero = {(UINT32_C(3) << 22) | (UINT32_C(1) << 24), 0};
#endif

static int fp_equal(fp_control a, fp_control b)
{
    return a.main == b.main && a.x87 == b.x87;
}

/* Reports its control at entry and after each return, then sets its own. */
static void fp_entry(cr_transfer t)
{
    fp_control mine = fp_read();
    for (;;) {
        *(fp_control *)t.data = fp_read();
        fp_write(fp_to_zero);
        t = cr_context_jump(t.from, &mine);
        mine = fp_read();
    }
}

/* Collects what was seen and puts the thread's control back before anything is asserted: cmocka
 * itself computes. */
static void floating_point_control_is_kept_per_context(void **state)
{
    (void)state;
#if defined(CR_CONTEXT_BOOST) && defined(__aarch64__)
    skip(); /* Boost leaves FPCR to the thread */
#endif
    stack s = stack_create(STACK_BYTES);
    fp_control usual = fp_read();
    fp_control at_entry = {0, 0}, in_target = {0, 0}, after[3];

    fp_write(fp_down);
    cr_context c = stack_context(s, fp_entry);
    fp_write(usual);
    cr_transfer t = cr_context_jump(c, &at_entry);
    after[0] = fp_read();
    t = cr_context_jump(t.from, &in_target);
    after[1] = fp_read();
    fp_write(fp_down);
    t = cr_context_ontop(t.from, &in_target, pass_on);
    after[2] = fp_read();
    fp_write(usual);

    assert_true(fp_equal(at_entry, fp_down)); /* its maker's, not its resumer's */
    assert_true(fp_equal(in_target, fp_to_zero));
    assert_true(fp_equal(after[0], usual));
    assert_true(fp_equal(after[1], usual));
    assert_true(fp_equal(after[2], fp_down));
    free(s.low);
}

/* The x87 word and mxcsr are restored by different instructions: differ in one alone. */
static void each_floating_point_control_is_kept_by_itself(void **state)
{
    (void)state;
#if defined(CR_CONTEXT_BOOST) && defined(__aarch64__)
    skip();
#endif
    stack s = stack_create(STACK_BYTES);
    fp_control usual = fp_read(), at_entry = {0, 0}, in_target[2], after[2];
    fp_control one[2] = {{fp_to_zero.main, usual.x87}, {usual.main, fp_to_zero.x87}};
    memset(in_target, 0, sizeof in_target);

    cr_transfer t = cr_context_jump(stack_context(s, fp_entry), &at_entry);
    for (int i = 0; i < 2; i++) {
        fp_write(one[i]);
        t = cr_context_jump(t.from, &in_target[i]);
        after[i] = fp_read();
    }
    fp_write(usual);

    for (int i = 0; i < 2; i++) {
        assert_true(fp_equal(in_target[i], fp_to_zero));
        assert_true(fp_equal(after[i], one[i]));
    }
    free(s.low);
}

#endif

/* -- On top -- */

typedef struct ontop_report {
    void *frame;
    cr_context from;
    int in_order;
} ontop_report;

static ontop_report report;

static cr_transfer add_hundred(cr_transfer t)
{
    int local;
    report.frame = &local;
    report.from = t.from;
    t.data = (void *)((uintptr_t)t.data + 100);
    return t;
}

static void ontop_runs_on_the_targets_stack_and_its_result_reaches_the_target(void **state)
{
    (void)state;
    stack s = stack_create(STACK_BYTES);
    cr_transfer t = cr_context_jump(stack_context(s, echo_entry), NULL);
    cr_context before = t.from;
    for (uintptr_t i = 0; i < 10; i++) {
        memset(&report, 0, sizeof report);
        t = cr_context_ontop(t.from, (void *)i, add_hundred);
        assert_int_equal((uintptr_t)t.data, i + 101);
        assert_true(stack_holds(s, report.frame));
        assert_false(stack_holds(s, report.from));
        assert_ptr_equal(t.from, before);
    }
    free(s.low);
}

static void ontop_of_a_fresh_context_reaches_its_entry(void **state)
{
    (void)state;
#ifdef CR_CONTEXT_BOOST
    skip(); /* its trampoline takes the transfer from registers that the function overwrites */
#endif
    stack s = stack_create(STACK_BYTES);
    cr_context fresh = stack_context(s, echo_entry);
    cr_transfer t = cr_context_ontop(fresh, (void *)(uintptr_t)1, add_hundred);
    assert_int_equal((uintptr_t)t.data, 102);
    assert_true(stack_holds(s, report.frame));
    free(s.low);
}

static cr_context home;

static void homeward_entry(cr_transfer t)
{
    t = cr_context_jump(t.from, NULL);
    cr_context_jump(home, (void *)((uintptr_t)t.data + 100));
}

/* data: the context that the target is to take for its resumer */
static cr_transfer claim_to_be_another(cr_transfer t)
{
    home = t.from;
    cr_transfer claimed = {t.data, (void *)(uintptr_t)7};
    return claimed;
}

static void ontop_decides_who_the_target_takes_for_its_resumer(void **state)
{
    (void)state;
    stack one = stack_create(STACK_BYTES);
    stack two = stack_create(STACK_BYTES);
    cr_context echo = cr_context_jump(stack_context(one, echo_entry), NULL).from;
    cr_context homeward = cr_context_jump(stack_context(two, homeward_entry), NULL).from;
    cr_transfer t = cr_context_ontop(echo, homeward, claim_to_be_another);
    assert_int_equal((uintptr_t)t.data, 7 + 1 + 100);
    assert_true(stack_holds(two, t.from));
    free(one.low);
    free(two.low);
}

/* -- Stacks: alignment, growth -- */

typedef float four_floats __attribute__((vector_size(16)));

static volatile int stack_misaligned;

/* A vector on the stack is accessed with instructions that fault unless the ABI's alignment holds;
 * the address is checked as well. */
static __attribute__((noinline)) void use_aligned_local(void)
{
    volatile four_floats v = {1, 2, 3, 4};
    v = v + v;
#if defined(__x86_64__)
    __asm__ volatile("movaps %0, %%xmm7" : : "m"(v) : "xmm7");
#endif
    stack_misaligned |= ((uintptr_t)&v & 15) != 0;
    stack_misaligned |= ((uintptr_t)__builtin_frame_address(0) & 15) != 0;
}

static void aligned_entry(cr_transfer t)
{
    for (;;) {
        stack_misaligned |= ((uintptr_t)__builtin_frame_address(0) & 15) != 0;
        use_aligned_local();
        t = cr_context_jump(t.from, NULL);
    }
}

static cr_transfer aligned_on_top(cr_transfer t)
{
    use_aligned_local();
    return t;
}

static void stack_is_aligned_whatever_the_top(void **state)
{
    (void)state;
    stack s = stack_create(STACK_BYTES);
    for (size_t less = 0; less < 32; less++) {
        size_t bytes = STACK_BYTES - less;
        stack_misaligned = 0;
        cr_context c = cr_context_make(s.low + bytes, bytes, aligned_entry);
        assert_true((char *)c < s.low + bytes);
        cr_transfer t = cr_context_jump(c, NULL);
        t = cr_context_jump(t.from, NULL);
        t = cr_context_ontop(t.from, NULL, aligned_on_top);
        use_aligned_local();
        assert_false(stack_misaligned);
    }
    free(s.low);
}

static void nothing_above_the_top_is_touched(void **state)
{
    (void)state;
    stack s = stack_create(STACK_BYTES);
    for (size_t less = 64; less < 64 + 32; less++) {
        size_t bytes = STACK_BYTES - less;
        memset(s.low, 0xa5, STACK_BYTES);
        cr_transfer t = cr_context_jump(cr_context_make(s.low + bytes, bytes, aligned_entry), NULL);
        cr_context_ontop(t.from, NULL, aligned_on_top);
        for (size_t i = bytes; i < STACK_BYTES; i++) {
            assert_int_equal((unsigned char)s.low[i], 0xa5);
        }
    }
    free(s.low);
}

/* -- Many -- */

/* Member i resumes member i + 1, the last one the first; after LAPS laps it goes HOME. */
static struct {
    cr_context contexts[RING + 1];
    int visits[RING];
    size_t from, to;
    int laps;
} ring;

static void ring_entry(cr_transfer t)
{
    size_t me = ring.to;
    for (;;) {
        ring.contexts[ring.from] = t.from;
        ring.visits[me]++;
        ring.from = me;
        ring.to = me + 1;
        if (ring.to == RING && ++ring.laps < LAPS) {
            ring.to = 0;
        }
        t = cr_context_jump(ring.contexts[ring.to], (void *)((uintptr_t)t.data + 1));
    }
}

static void a_thousand_contexts_form_a_ring(void **state)
{
    (void)state;
    static stack stacks[RING];
    memset(&ring, 0, sizeof ring);
    for (size_t i = 0; i < RING; i++) {
        stacks[i] = stack_create(STACK_BYTES);
        ring.contexts[i] = stack_context(stacks[i], ring_entry);
    }
    ring.from = HOME;
    cr_transfer t = cr_context_jump(ring.contexts[0], NULL);
    assert_int_equal((uintptr_t)t.data, RING * LAPS);
    assert_int_equal(ring.from, RING - 1);
    assert_true(stack_holds(stacks[RING - 1], t.from));
    for (size_t i = 0; i < RING; i++) {
        assert_int_equal(ring.visits[i], LAPS);
        free(stacks[i].low);
    }
}

static void a_million_switches_leave_the_stack_where_it_was(void **state)
{
    (void)state;
    stack s = stack_create(STACK_BYTES);
    cr_transfer t = cr_context_jump(stack_context(s, echo_entry), NULL);
    cr_context first = t.from;
    for (uintptr_t i = 0; i < MANY; i++) {
        t = cr_context_jump(t.from, (void *)i);
        if ((uintptr_t)t.data != i + 1 || t.from != first) {
            fail();
        }
    }
    free(s.low);
}

/* -- Ends -- */

#define FRAMES_MAX      64
#define NOT_A_TAIL_CALL __asm__ volatile("")

static struct {
    uintptr_t functions[FRAMES_MAX];
    int count;
} trace;

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *frame, void *data)
{
    (void)data;
    uintptr_t pc = _Unwind_GetIP(frame);
    if (pc == 0) {
        return _URC_END_OF_STACK; /* the unwinder's own mark behind the last frame */
    }
    if (trace.count == FRAMES_MAX) {
        return _URC_END_OF_STACK;
    }
    trace.functions[trace.count++] = (uintptr_t)_Unwind_FindEnclosingFunction((void *)pc);
    return _URC_NO_REASON;
}

static __attribute__((noinline)) void take_trace(void)
{
    trace.count = 0;
    _Unwind_Backtrace(note_frame, NULL);
    NOT_A_TAIL_CALL;
}

static __attribute__((noinline)) void deeper(int levels)
{
    if (levels > 0) {
        deeper(levels - 1);
    } else {
        take_trace();
    }
    NOT_A_TAIL_CALL;
}

static void tracing_entry(cr_transfer t)
{
    for (;;) {
        deeper(3);
        t = cr_context_jump(t.from, NULL);
    }
}

static void quiet_entry(cr_transfer t)
{
    for (;;) {
        t = cr_context_jump(t.from, NULL);
    }
}

static int frames_of(uintptr_t function)
{
    int n = 0;
    for (int i = 0; i < trace.count; i++) {
        n += trace.functions[i] == function;
    }
    return n;
}

/* Behind the entry function there is the switch's own first frame, if it has unwind rules. */
static void assert_trace_ends_at(uintptr_t entry)
{
    assert_true(trace.count >= 2);
    assert_int_equal(frames_of(entry), 1);
    assert_true(trace.count < FRAMES_MAX);
    assert_true(trace.functions[trace.count - 1] == entry ||
                trace.functions[trace.count - 2] == entry);
    assert_int_equal(frames_of((uintptr_t)take_trace), 1);
}

static cr_transfer trace_on_top(cr_transfer t)
{
    take_trace();
    return t;
}

static void a_backtrace_ends_at_the_entry_function(void **state)
{
    (void)state;
    stack s = stack_create(STACK_BYTES);
    memset(s.low, 0x41, STACK_BYTES); /* whoever walks on walks into nonsense */
    cr_transfer t = cr_context_jump(stack_context(s, tracing_entry), NULL);
    assert_trace_ends_at((uintptr_t)tracing_entry);
    t = cr_context_jump(t.from, NULL);
    assert_trace_ends_at((uintptr_t)tracing_entry);
    free(s.low);
}

/* A function run on top sees the target's frames below its own. */
static void a_backtrace_from_on_top_ends_at_the_entry_function(void **state)
{
    (void)state;
    stack s = stack_create(STACK_BYTES);
    memset(s.low, 0x41, STACK_BYTES);
    cr_transfer t = cr_context_jump(stack_context(s, quiet_entry), NULL);
    cr_context_ontop(t.from, NULL, trace_on_top);
    assert_trace_ends_at((uintptr_t)quiet_entry);
    free(s.low);
}

/* A context that has not started has one frame, the switch's own. */
static void a_backtrace_from_on_top_of_a_fresh_context_ends_in_known_code(void **state)
{
    (void)state;
#ifdef CR_CONTEXT_BOOST
    skip(); /* does not start after a function run on top */
#endif
    stack s = stack_create(STACK_BYTES);
    memset(s.low, 0x41, STACK_BYTES);
    cr_context_ontop(stack_context(s, quiet_entry), NULL, trace_on_top);
    assert_int_equal(frames_of((uintptr_t)trace_on_top), 1);
    assert_int_equal(frames_of((uintptr_t)quiet_entry), 0);
    assert_int_equal(frames_of(0), 0);
    assert_true(trace.count >= 3 && trace.count <= 5);
    free(s.low);
}

static void returning_entry(cr_transfer t)
{
    (void)t;
}

static void an_entry_function_that_returns_ends_the_process_with_status_0(void **state)
{
    (void)state;
    stack s = stack_create(STACK_BYTES);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        cr_context_jump(stack_context(s, returning_entry), NULL);
        _exit(1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    free(s.low);
}

static int run_cases(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_passes_both_ways),
        cmocka_unit_test(a_context_is_an_address_on_its_own_stack),
        cmocka_unit_test(from_is_the_context_that_jumped_last),
#ifdef FILL_COUNT
        cmocka_unit_test(callee_saved_registers_survive_a_jump),
        cmocka_unit_test(callee_saved_registers_survive_a_function_run_on_top),
        cmocka_unit_test(floating_point_control_is_kept_per_context),
        cmocka_unit_test(each_floating_point_control_is_kept_by_itself),
#endif
        cmocka_unit_test(ontop_runs_on_the_targets_stack_and_its_result_reaches_the_target),
        cmocka_unit_test(ontop_of_a_fresh_context_reaches_its_entry),
        cmocka_unit_test(ontop_decides_who_the_target_takes_for_its_resumer),
        cmocka_unit_test(stack_is_aligned_whatever_the_top),
        cmocka_unit_test(nothing_above_the_top_is_touched),
        cmocka_unit_test(a_thousand_contexts_form_a_ring),
        cmocka_unit_test(a_million_switches_leave_the_stack_where_it_was),
        cmocka_unit_test(a_backtrace_ends_at_the_entry_function),
        cmocka_unit_test(a_backtrace_from_on_top_ends_at_the_entry_function),
        cmocka_unit_test(a_backtrace_from_on_top_of_a_fresh_context_ends_in_known_code),
        cmocka_unit_test(an_entry_function_that_returns_ends_the_process_with_status_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A broken switch may well end the process as a returning entry function does, with status 0 and in
 * the middle of a case. So the cases run in a child, which says when it is through. */
int main(void)
{
#ifdef UNTOLD_SANITIZER
    return SKIPPED;
#endif
    volatile int *through =
        mmap(NULL, sizeof *through, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (through == MAP_FAILED) {
        return 1;
    }
    pid_t child = fork();
    if (child == 0) {
        alarm(CASES_SECONDS); /* a broken switch may also go round in circles */
        int failed = run_cases();
        *through = 1;
        return failed;
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || !*through) {
        fprintf(stderr, "test_context: the process ended in the middle of a case\n");
        return 1;
    }
    return WEXITSTATUS(status);
}
