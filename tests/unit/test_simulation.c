/* SPDX-License-Identifier: MIT
 *
 * Simulation: the same seed, the same run; other seeds, other orders; a clock of its own.
 */
#include "harness.h"

enum { tasks = 50 };

static corio_dispatcher *dispatcher;
static corio_mutex mutex;
static char order[4000];
static size_t length;

static void note(const char *what, int number)
{
    length += (size_t)snprintf(order + length, sizeof order - length, "%s%d ", what, number);
}

static int answer_slice(void *arg, corio_batch *slice)
{
    (void)arg;
    note("slice", (int)corio_batch_len(slice));
    for (size_t i = 0; i < corio_batch_len(slice); i++)
        corio_batch_respond(slice, i);
    return CORIO_DONE;
}

static int slice_up(void *self, corio_batch *batch)
{
    for (size_t at = 0, size = 1; at < corio_batch_len(batch); at += size, size++) {
        corio_batch *slice;
        size_t left = corio_batch_len(batch) - at;
        if (corio_batch_slice(batch, at, size < left ? size : left, &slice) != 0 ||
            corio_batch_submit(slice, answer_slice, self) != 0)
            abort();
    }
    return CORIO_DONE;
}

static int work(void *arg)
{
    int number = *(int *)arg;
    note("", number);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    CHECK(corio_mutex_lock(&mutex) == 0);
    note("in", number);
    CHECK(corio_mutex_unlock(&mutex) == 0);
    CHECK(corio_sleep((uint64_t)(number % 5) * 1000000) == 0);
    note("end", number);
    return 0;
}

static int program(void *arg)
{
    (void)arg;
    for (int i = 0; i < tasks; i++)
        CHECK(corio_go_copy(work, &i, sizeof i) == 0);
    return corio_wait();
}

static char *run_with(uint64_t seed)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    options.workers = 8; /* not looked at */
    options.sim_seed = seed;
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    corio_dispatcher_options with = {.size = sizeof with, .name = "it", .dispatch = slice_up};
    assert_int_equal(corio_dispatcher_add(runtime, &with, &dispatcher), 0);
    length = 0;
    assert_int_equal(corio_run(runtime, program, NULL), 0);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    return strdup(order);
}

static void same_seed_gives_the_same_run(void **state)
{
    (void)state;
    char *first = run_with(1);
    for (uint64_t seed = 1; seed < 50; seed++) {
        char *once = run_with(seed), *again = run_with(seed);
        assert_string_equal(once, again);
        if (seed > 1)
            assert_string_not_equal(once, first);
        free(once);
        free(again);
    }
    free(first);
}

static int sleep_for_a_year(void *arg)
{
    (void)arg;
    uint64_t year = 365u * 86400u * UINT64_C(1000000000), begin = corio_now_ns();
    CHECK(corio_sleep(year) == 0);
    CHECK(corio_now_ns() >= begin + year);
    CHECK(corio_set_deadline(corio_now_ns() + 1000) == 0);
    while (corio_cancelled() == 0) /* the clock goes on when it is read */
        ;
    return corio_cancelled() == -ETIMEDOUT ? 0 : -EBADMSG;
}

static void clock_jumps_to_the_next_timer(void **state)
{
    (void)state;
    assert_int_equal(setenv("CORIO_SIM_SEED", "3", 1), 0);
    corio_runtime *runtime = runtime_with(4);
    unsetenv("CORIO_SIM_SEED");
    corio_stats stats = {.size = sizeof stats};
    assert_int_equal(corio_runtime_stats(runtime, &stats), 0);
    assert_int_equal(stats.workers, 1);
    assert_int_equal(corio_run(runtime, sleep_for_a_year, NULL), 0);
    corio_runtime_destroy(runtime);
}

static int lock_for_good(void *arg)
{
    (void)arg;
    CHECK(corio_mutex_lock(&mutex) == 0);
    return 0;
}

static int wait_for_good(void *arg)
{
    CHECK(corio_go(lock_for_good, arg) == 0);
    CHECK(corio_wait() == 0);
    return corio_mutex_lock(&mutex) == -EDEADLK ? 0 : -EBADMSG;
}

static void report_names_the_seed(void **state)
{
    (void)state;
    corio_runtime *runtime = simulation_with(4711);
    assert_int_equal(corio_run(runtime, wait_for_good, NULL), 0);
    assert_non_null(strstr(corio_runtime_report(runtime), "CORIO_SIM_SEED=4711"));
    mutex = (corio_mutex)CORIO_MUTEX_INIT;
    corio_runtime_destroy(runtime);
}

/* A deadline that passes between two looks of the leader, and cancels nobody who waits. */
static int stuck(void *arg)
{
    corio_waitgroup never = CORIO_WAITGROUP_INIT;
    (void)arg;
    CHECK(corio_waitgroup_add(&never, 1) == 0);
    return corio_waitgroup_wait(&never) == -EDEADLK ? 0 : -EBADMSG;
}

static int shielded(void *arg)
{
    CHECK(corio_shield(true) == 0);
    CHECK(corio_go(stuck, NULL) == 0);
    CHECK(corio_set_deadline(corio_now_ns() + *(uint64_t *)arg) == 0);
    return corio_wait();
}

static void a_deadline_that_lets_nobody_go_on_hides_no_deadlock(void **state)
{
    (void)state;
    for (uint64_t limit = 0; limit < 5000; limit += 50) {
        corio_runtime *runtime = simulation_with(1);
        assert_int_equal(corio_run(runtime, shielded, &limit), 0);
        assert_non_null(strstr(corio_runtime_report(runtime), "task stuck (0)"));
        assert_int_equal(corio_runtime_destroy(runtime), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests_of_it[] = {
        cmocka_unit_test(same_seed_gives_the_same_run),
        cmocka_unit_test(clock_jumps_to_the_next_timer),
        cmocka_unit_test(report_names_the_seed),
        cmocka_unit_test(a_deadline_that_lets_nobody_go_on_hides_no_deadlock),
    };
    return cmocka_run_group_tests(tests_of_it, NULL, NULL);
}
