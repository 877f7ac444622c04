/* SPDX-License-Identifier: MIT
 *
 * Deadlock: noticed, reported, and every stuck call returns. And the hard limit on stacks.
 */
#include "harness.h"

static corio_mutex a, b;
static corio_dispatcher *dispatcher;
static unsigned reports, refused;

static void count_report(void *self, const char *text)
{
    (void)self;
    (void)text;
    reports++;
}

static corio_runtime *reporting_runtime(unsigned workers, size_t max_stacks)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime = NULL;
    options.workers = workers;
    options.max_stacks = max_stacks;
    options.report = count_report;
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    dispatcher = add_dispatcher(runtime, answer_all);
    reports = refused = 0;
    return runtime;
}

static int lock_both(corio_mutex *first, corio_mutex *second)
{
    CHECK(corio_mutex_lock(first) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0); /* until both have their first */
    int rc = corio_mutex_lock(second);
    if (rc == 0)
        CHECK(corio_mutex_unlock(second) == 0);
    CHECK(corio_mutex_unlock(first) == 0);
    return rc;
}

static int forward(void *arg)
{
    (void)arg;
    return lock_both(&a, &b);
}

static int backward(void *arg)
{
    (void)arg;
    return lock_both(&b, &a);
}

static int embrace(void *arg)
{
    (void)arg;
    CHECK(corio_go(forward, NULL) == 0);
    CHECK(corio_go(backward, NULL) == 0);
    return corio_wait();
}

static void deadly_embrace_is_named_and_resolved(void **state)
{
    (void)state;
    for (unsigned i = 0; i < worker_count_count; i++) {
        corio_runtime *runtime = reporting_runtime(worker_counts[i], 0);
        assert_int_equal(corio_run(runtime, embrace, NULL), -EDEADLK);
        assert_int_equal(reports, 1);
        const char *report = corio_runtime_report(runtime);
        assert_non_null(strstr(report, "deadlock in phase"));
        assert_non_null(strstr(report, "task forward (0) waits in corio_mutex_lock for 0x"));
        assert_non_null(strstr(report, "held by backward (1)"));
        assert_non_null(strstr(report, "held by forward (0)"));
        /* The mutexes are free and the runtime is sound. */
        assert_int_equal(corio_mutex_destroy(&a), 0);
        assert_int_equal(corio_mutex_destroy(&b), 0);
        assert_int_equal(corio_run(runtime, forward, NULL), 0);
        assert_string_equal(corio_runtime_report(runtime), "");
        corio_runtime_destroy(runtime);
    }
}

static int take_and_keep(void *arg)
{
    (void)arg;
    return corio_mutex_lock(&a);
}

static int wait_for_the_dead(void *arg)
{
    (void)arg;
    CHECK(corio_go(take_and_keep, NULL) == 0);
    CHECK(corio_wait() == 0);
    for (int i = 0; i < 3; i++)
        CHECK(corio_go(take_and_keep, NULL) == 0);
    return corio_wait();
}

static void mutex_of_a_task_that_is_complete_is_a_deadlock(void **state)
{
    (void)state;
    for (unsigned i = 0; i < worker_count_count; i++) {
        corio_runtime *runtime = reporting_runtime(worker_counts[i], 0);
        assert_int_equal(corio_run(runtime, wait_for_the_dead, NULL), -EDEADLK);
        memset(&a, 0, sizeof a);
        corio_runtime_destroy(runtime);
    }
}

static int blocked_child(void *arg)
{
    (void)arg;
    return corio_mutex_lock(&a);
}

static int full_window(void *arg)
{
    (void)arg;
    CHECK(corio_mutex_lock(&a) == 0);
    CHECK(corio_set_window(2) == 0);
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = corio_go(blocked_child, NULL);
    CHECK(rc == -EDEADLK); /* held at the window by children that wait for what the parent holds */
    CHECK(corio_mutex_unlock(&a) == 0);
    CHECK(corio_wait() == -EDEADLK);
    return 0;
}

static void spawner_held_for_ever_is_let_go(void **state)
{
    (void)state;
    for (unsigned i = 0; i < worker_count_count; i++) {
        corio_runtime *runtime = reporting_runtime(worker_counts[i], 0);
        assert_int_equal(corio_run(runtime, full_window, NULL), 0);
        assert_non_null(strstr(corio_runtime_report(runtime), "at a full window"));
        corio_runtime_destroy(runtime);
    }
}

/* -- stacks -- */

static int ask_once(void *arg)
{
    (void)arg;
    return corio_io(dispatcher, NULL, NULL);
}

static int ask_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++)
        CHECK(corio_go(ask_once, NULL) == 0);
    return corio_wait();
}

static void few_stacks_end_phases_early_and_all_is_done(void **state)
{
    (void)state;
    for (unsigned i = 0; i < worker_count_count; i++) {
        corio_runtime *runtime = reporting_runtime(worker_counts[i], 20);
        assert_int_equal(corio_run(runtime, ask_many, NULL), 0);
        assert_int_equal(reports, 1);
        assert_non_null(strstr(corio_runtime_report(runtime), "max_stacks"));
        corio_stats stats = {.size = sizeof stats};
        assert_int_equal(corio_runtime_stats(runtime, &stats), 0);
        assert_in_range(stats.stacks_high_water, 1, 20);
        assert_int_equal(stats.requests, 1000);
        corio_runtime_destroy(runtime);
    }
}

static int chain(void *arg)
{
    uintptr_t left = (uintptr_t)arg;
    if (left == 0)
        return 0;
    CHECK(corio_go(chain, (void *)(left - 1)) == 0);
    return corio_wait();
}

static void chain_without_stacks_fails_with_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < worker_count_count; i++) {
        corio_runtime *runtime = reporting_runtime(worker_counts[i], 16);
        assert_int_equal(corio_run(runtime, chain, (void *)100000), CORIO_ESTACKS);
        assert_string_equal(corio_runtime_error(runtime)->task, "chain");
        assert_int_equal(corio_run(runtime, ask_once, NULL), 0);
        corio_runtime_destroy(runtime);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadly_embrace_is_named_and_resolved),
        cmocka_unit_test(mutex_of_a_task_that_is_complete_is_a_deadlock),
        cmocka_unit_test(spawner_held_for_ever_is_let_go),
        cmocka_unit_test(few_stacks_end_phases_early_and_all_is_done),
        cmocka_unit_test(chain_without_stacks_fails_with_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
