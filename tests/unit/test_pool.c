/* SPDX-License-Identifier: MIT
 *
 * Stacks: slots, guards, the limit, trimming; and the message of an overflow.
 */
#include "harness.h"

#include "runtime/stack/guard.h"
#include "runtime/stack/overflow.h"
#include "runtime/stack/pool.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void stacks_do_not_overlap_and_differ_in_colour(void **state)
{
    (void)state;
    cr_stack_pool pool;
    cr_stack_cache cache = {.count = 0};
    cr_stack *stacks[100];
    assert_int_equal(cr_stack_pool_init(&pool, 64 << 10, 1000, 1), 0);
    for (int i = 0; i < 100; i++) {
        stacks[i] = cr_stack_take(&pool, &cache);
        assert_non_null(stacks[i]);
        assert_true((char *)stacks[i] - stacks[i]->low > 60 << 10);
        memset(stacks[i]->low, i, (size_t)((char *)stacks[i] - stacks[i]->low));
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(stacks[i]->low[0], i);
        assert_int_equal(((char *)stacks[i])[-1], i);
    }
    int same_line = 0;
    for (int i = 1; i < CR_STACK_COLOURS; i++)
        same_line += ((uintptr_t)stacks[i] & 4095) == ((uintptr_t)stacks[0] & 4095);
    assert_int_equal(same_line, 0);
    for (int i = 0; i < 100; i++)
        cr_stack_give(&pool, &cache, stacks[i]);
    assert_true(cr_stack_pool_deepest(&pool) >= 60 << 10);
    cr_stack_cache_flush(&pool, &cache);
    cr_stack_pool_fini(&pool);
}

static void limit_is_exact(void **state)
{
    (void)state;
    cr_stack_pool pool;
    cr_stack_cache cache = {.count = 0};
    assert_int_equal(cr_stack_pool_init(&pool, 16 << 10, 37, 4), 0);
    cr_stack *last = NULL;
    for (int i = 0; i < 37; i++) {
        last = cr_stack_take(&pool, &cache);
        assert_non_null(last);
    }
    assert_null(cr_stack_take(&pool, &cache));
    assert_int_equal(cr_stack_pool_available(&pool), 0);
    cr_stack_give(&pool, &cache, last);
    assert_ptr_equal(cr_stack_take(&pool, &cache), last);
    cr_stack_pool_fini(&pool);
}

static void trimmed_stacks_are_new_again(void **state)
{
    (void)state;
    enum { count = CR_STACK_KEEP + 100 };
    cr_stack_pool pool;
    cr_stack_cache cache = {.count = 0};
    static cr_stack *stacks[count];
    assert_int_equal(cr_stack_pool_init(&pool, 16 << 10, 1000, 1), 0);
    for (int i = 0; i < count; i++) {
        stacks[i] = cr_stack_take(&pool, &cache);
        stacks[i]->low[100] = 1;
    }
    for (int i = 0; i < count; i++)
        cr_stack_give(&pool, &cache, stacks[i]);
    cr_stack_cache_flush(&pool, &cache);
    cr_stack_pool_trim(&pool, 0);
    for (int i = 0; i < count; i++) {
        cr_stack *stack = cr_stack_take(&pool, &cache);
        assert_in_range(stack->slot, 0, i + CR_STACK_CACHE); /* the kept ones first */
        assert_int_equal(stack->low[100], stack->slot < CR_STACK_KEEP);
    }
    cr_stack_pool_fini(&pool);
}

static long page_faults(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_minflt;
}

/* A stack's first page is the only one that it costs, and it costs one fault: a look at it before it
 * is written to would be another. */
static void a_new_stack_is_one_page_fault(void **state)
{
    (void)state;
    enum {
        count = 1000,
        allowed = 50
    }; /* for what else is touched, of the pool and by the kernel */
    cr_stack_pool pool;
    cr_stack_cache cache = {.count = 0};
    static cr_stack *stacks[count];
    if (cr_sanitized_address() || cr_sanitized_thread())
        skip(); /* shadow memory is touched, too */
    assert_int_equal(cr_stack_pool_init(&pool, 16 << 10, count, 1), 0);
    for (int round = 0; round < 2; round++) { /* new, and trimmed */
        int warm = round == 0 ? 0 : CR_STACK_KEEP;
        long before = page_faults();
        for (int i = 0; i < count; i++)
            stacks[i] = cr_stack_take(&pool, &cache);
        long faults = page_faults() - before;
        assert_true(faults <= count - warm + allowed);
        for (int i = 0; i < count; i++)
            cr_stack_give(&pool, &cache, stacks[i]);
        cr_stack_cache_flush(&pool, &cache);
        cr_stack_pool_trim(&pool, 0);
    }
    cr_stack_pool_fini(&pool);
}

static void address_space_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    cr_stack_pool pool;
    assert_int_equal(cr_stack_pool_init(&pool, (size_t)1 << 30, UINT32_MAX, 1), -ENOMEM);
}

/* cmocka catches SIGSEGV, which here is meant to kill; and nobody needs a core file. */
static void prepare_to_die(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGSEGV, SIG_DFL);
}

/* Whether the mapping that `address` lies in is left out of core files. */
static bool is_left_out(const void *address)
{
    char line[512];
    bool inside = false, found = false, left_out = false;
    FILE *maps = fopen("/proc/self/smaps", "r");
    assert_non_null(maps);
    while (!found && fgets(line, sizeof line, maps) != NULL) {
        unsigned long long low, high;
        if (sscanf(line, "%llx-%llx ", &low, &high) == 2)
            inside = low <= (uintptr_t)address && (uintptr_t)address < high;
        found = inside && strncmp(line, "VmFlags:", 8) == 0;
        left_out = found && strstr(line, " dd") != NULL;
    }
    fclose(maps);
    assert_true(found);
    return left_out;
}

static void core_files_hold_stacks_and_not_the_reservation(void **state)
{
    (void)state;
    cr_stack_pool pool;
    cr_stack_cache cache = {.count = 0};
    assert_int_equal(cr_stack_pool_init(&pool, 64 << 10, 1000, 1), 0);
    cr_stack *stack = cr_stack_take(&pool, &cache);
    assert_non_null(stack);
    assert_false(is_left_out(stack));
    assert_true(is_left_out(pool.memory + 999 * pool.slot_bytes));
    cr_stack_give(&pool, &cache, stack);
    cr_stack_cache_flush(&pool, &cache);
    cr_stack_pool_fini(&pool);
}

static bool is_readable(const void *address)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    bool readable = write(ends[1], address, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return readable;
}

static void guards_can_be_taken_away_and_come_back(void **state)
{
    (void)state;
    cr_stack_pool pool;
    cr_stack_cache cache = {.count = 0};
    assert_int_equal(cr_stack_pool_init(&pool, 64 << 10, 1000, 1), 0);
    cr_stack *stack = cr_stack_take(&pool, &cache);
    assert_non_null(stack);
    bool guarded = pool.guard == CORIO_GUARD_MADVISE; /* others stay */
    stack->low[0] = 'x';
    cr_stack_pool_guards(&pool, false);
    assert_int_equal(is_readable(stack->low - 1), guarded);
    assert_int_equal(stack->low[0], 'x');
    cr_stack_pool_guards(&pool, true);
    assert_false(is_readable(stack->low - 1));
    assert_int_equal(stack->low[0], 'x');
    cr_stack_give(&pool, &cache, stack);
    cr_stack_cache_flush(&pool, &cache);
    cr_stack_pool_fini(&pool);
}

static void every_guard_kind_guards(void **state)
{
    (void)state;
    static const corio_guard_kind kinds[] = {CORIO_GUARD_MADVISE, CORIO_GUARD_MPROTECT};
    for (int i = 0; i < 2; i++) {
        if (kinds[i] == CORIO_GUARD_MADVISE && cr_guard_probe(4096) != CORIO_GUARD_MADVISE)
            continue;
        pid_t child = fork();
        if (child == 0) {
            cr_stack_pool pool;
            cr_stack_cache cache = {.count = 0};
            prepare_to_die();
            if (cr_stack_pool_init(&pool, 16 << 10, 100, 1) != 0)
                _exit(1);
            pool.guard = kinds[i];
            cr_stack *stack = cr_stack_take(&pool, &cache);
            close(STDERR_FILENO);
            stack->low[0] = 1;
            ((volatile char *)stack->low)[-1] = 1;
            _exit(2);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    }
}

/* Takes all stacks of a pool, whose failing asserts would leave no mappings for what comes next. */
static void use_up_mappings(void)
{
    cr_stack_pool pool;
    cr_stack_cache cache = {.count = 0};
    enum { count = 40000 }; /* two mappings each: more than the default vm.max_map_count */
    assert_int_equal(cr_stack_pool_init(&pool, 16 << 10, count, 1), 0);
    pool.guard = CORIO_GUARD_MPROTECT;
    int taken = 0;
    while (taken < count && cr_stack_take(&pool, &cache) != NULL)
        taken++;
    bool counted = pool.guard == CORIO_GUARD_NONE ? pool.unguarded > 0 : pool.unguarded == 0;
    cr_stack_pool_fini(&pool);
    assert_int_equal(taken, count);
    assert_true(counted);
}

static void too_many_mappings_leave_stacks_unguarded_and_counted(void **state)
{
    (void)state;
    if (cr_sanitized_address() || cr_sanitized_thread())
        skip(); /* with no mapping left a sanitizer can end by itself: it needs some of its own */
    /* None may be left, or one, which is too few for a stack with a guard. */
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    use_up_mappings();
    void *one = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    use_up_mappings();
    assert_int_equal(munmap(one, page), 0);
}

/* -- overflow -- */

static volatile int sink = -1;

__attribute__((noinline)) static int recurse_for_ever(int depth)
{
    volatile char frame[512];
    frame[0] = (char)depth;
    if (depth == sink) /* never; the compiler cannot know */
        return 0;
    return recurse_for_ever(depth + 1) + frame[0];
}

static int overflowing_task(void *arg)
{
    return recurse_for_ever((int)(intptr_t)arg);
}

static int spawn_overflow(void *arg)
{
    (void)arg;
    CHECK(corio_go(overflowing_task, NULL) == 0);
    return corio_wait();
}

/* Runs `root` in a child that is to die of it, and checks what it says then. Our handler puts back the one that was there
 * before, and that is the system's own: so it dies by the signal, with a sanitizer too. */
static void check_overflow(unsigned workers, corio_task_fn *root, const char *said)
{
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    pid_t child = fork();
    if (child == 0) {
        prepare_to_die();
        dup2(pipe_ends[1], STDERR_FILENO);
        corio_runtime *runtime = runtime_with(workers);
        (void)!corio_run(runtime, root, NULL);
        _exit(1);
    }
    close(pipe_ends[1]);
    char message[512] = {0};
    ssize_t got = read(pipe_ends[0], message, sizeof message - 1);
    close(pipe_ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_true(got > 0);
    assert_non_null(strstr(message, said));
    bool sanitized = cr_sanitized_address() || cr_sanitized_thread();
    assert_non_null(strstr(message, sanitized ? "262144 bytes" : "65536 bytes"));
    assert_non_null(strstr(message, "CORIO_STACK_BYTES"));
}

static void overflow_names_the_task(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++)
        check_overflow(workers, spawn_overflow, "stack overflow in task overflowing_task");
}

/* -- A frame that is larger than the guard, and than the stack: it would reach the next stack. This file is compiled with
 * -fstack-clash-protection, which touches each page of a frame in turn -- */

#ifdef CR_TESTS_STACK_CLASH
__attribute__((noinline)) static int touch_last(volatile char *frame)
{
    frame[0] = 1;
    return frame[0];
}

__attribute__((noinline)) static int large_frame_task(void *arg)
{
    volatile char frame[320 << 10]; /* touched at its far end only */
    return touch_last(frame) + (int)(intptr_t)arg;
}

static int spawn_large_frame(void *arg)
{
    (void)arg;
    CHECK(corio_go(large_frame_task, NULL) == 0);
    return corio_wait();
}
#endif

static void frame_larger_than_the_guard_is_caught(void **state)
{
    (void)state;
#ifdef CR_TESTS_STACK_CLASH
    for (unsigned workers = 1; workers <= 2; workers++)
        check_overflow(workers, spawn_large_frame, "stack overflow in task large_frame_task");
#else
    skip(); /* the compiler cannot */
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stacks_do_not_overlap_and_differ_in_colour),
        cmocka_unit_test(limit_is_exact),
        cmocka_unit_test(trimmed_stacks_are_new_again),
        cmocka_unit_test(a_new_stack_is_one_page_fault),
        cmocka_unit_test(address_space_that_is_not_there_is_an_error),
        cmocka_unit_test(core_files_hold_stacks_and_not_the_reservation),
        cmocka_unit_test(guards_can_be_taken_away_and_come_back),
        cmocka_unit_test(every_guard_kind_guards),
        cmocka_unit_test(too_many_mappings_leave_stacks_unguarded_and_counted),
        cmocka_unit_test(overflow_names_the_task),
        cmocka_unit_test(frame_larger_than_the_guard_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
