/* SPDX-License-Identifier: MIT
 *
 * What the runtime says of those who keep it waiting: batches that are late, tasks that hold a phase.
 * Where a test waits for a report, only the report lets it go on.
 */
#include "harness.h"

enum { ms = 1000000 };

static corio_dispatcher *slow, *quick;
static corio_batch *kept;
static unsigned reports;
static char first_report[1024];

static void note_report(const char *text)
{
    if (reports++ == 0)
        snprintf(first_report, sizeof first_report, "%s", text);
}

static void count_report(void *self, const char *text)
{
    (void)self;
    note_report(text);
}

static int complete_kept(void)
{
    answer_all(NULL, kept);
    return corio_batch_complete(kept);
}

static int keep(void *self, corio_batch *batch)
{
    (void)self;
    kept = batch;
    return CORIO_LATER;
}

/* The first request is answered, the others are kept. */
static int keep_all_but_the_first(void *self, corio_batch *batch)
{
    corio_batch *first;
    (void)self;
    if (corio_batch_slice(batch, 0, 1, &first) != 0)
        abort();
    answer_all(NULL, first);
    corio_batch_complete(first);
    kept = NULL;
    if (corio_batch_slice(batch, 1, corio_batch_len(batch) - 1, &kept) != 0)
        abort();
    return CORIO_LATER;
}

static corio_runtime *watched(corio_options options, corio_dispatch_fn *fn)
{
    corio_runtime *runtime = NULL;
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    corio_dispatcher_options slow_options = {
        .size = sizeof slow_options, .name = "slow", .dispatch = fn};
    assert_int_equal(corio_dispatcher_add(runtime, &slow_options, &slow), 0);
    quick = add_dispatcher(runtime, answer_all);
    reports = 0;
    first_report[0] = '\0';
    return runtime;
}

static corio_options with_late(unsigned workers, uint64_t late_ns,
                               void (*report)(void *self, const char *text))
{
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = workers;
    options.late_ns = late_ns;
    options.report = report;
    return options;
}

/* -- Late batches -- */

static void complete_when_reported(void *self, const char *text)
{
    (void)self;
    note_report(text);
    if (complete_kept() != 0)
        abort();
}

static int nothing_much(void *arg)
{
    (void)arg;
    return 0;
}

static int ask_slow(void *arg)
{
    (void)arg;
    return corio_io(slow, NULL, NULL);
}

static int ask_slow_often(void *arg)
{
    corio_request requests[3] = {{.dispatcher = slow}, {.dispatcher = slow}, {.dispatcher = slow}};
    (void)arg;
    return corio_io_all(requests, 3);
}

static int three_ask_slow(void *arg)
{
    (void)arg;
    CHECK(corio_go(ask_slow, NULL) == 0);
    CHECK(corio_go(ask_slow_often, NULL) == 0);
    CHECK(corio_go(ask_slow, NULL) == 0);
    return corio_wait();
}

static void late_requests_are_reported_with_who_asked(void **state)
{
    (void)state;
    for (unsigned i = 0; i < worker_count_count; i++) {
        corio_runtime *runtime = watched(with_late(worker_counts[i], ms, complete_when_reported),
                                         keep_all_but_the_first);
        assert_int_equal(corio_run(runtime, three_ask_slow, NULL), 0);
        assert_int_equal(reports, 1);
        assert_non_null(strstr(first_report, "corio: dispatcher slow has not answered 4 of 5 "
                                             "requests of batch 1, handed over in phase 0, for "));
        assert_non_null(strstr(first_report, "\n  asked by task ask_slow_often (1)\n"
                                             "  asked by task ask_slow (2)\n"));
        assert_null(strstr(first_report, "(0)"));
        assert_string_equal(corio_runtime_report(runtime), first_report);
        corio_runtime_destroy(runtime);
    }
}

static int many_ask_slow(void *arg)
{
    (void)arg;
    for (int i = 0; i < 8; i++)
        CHECK(corio_go(ask_slow, NULL) == 0);
    return corio_wait();
}

static void of_many_the_first_are_named(void **state)
{
    (void)state;
    corio_runtime *runtime = watched(with_late(2, ms, complete_when_reported), keep);
    assert_int_equal(corio_run(runtime, many_ask_slow, NULL), 0);
    assert_non_null(strstr(first_report, "task ask_slow (4)\n  and by 3 more\n"));
    assert_null(strstr(first_report, "task ask_slow (5)"));
    corio_runtime_destroy(runtime);
}

/* Outlives the limit several times over, and lets the kept batch go. */
static int let_go_later(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++) {
        CHECK(corio_sleep(2 * (uint64_t)ms) == 0);
        CHECK(corio_io(quick, NULL, NULL) == 0);
    }
    return complete_kept();
}

static int ask_and_let_go(void *arg)
{
    (void)arg;
    CHECK(corio_go(ask_slow, NULL) == 0);
    CHECK(corio_go(let_go_later, NULL) == 0);
    return corio_wait();
}

static void late_batch_is_reported_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < worker_count_count; i++) {
        corio_runtime *runtime = watched(with_late(worker_counts[i], ms, count_report), keep);
        assert_int_equal(corio_run(runtime, ask_and_let_go, NULL), 0);
        assert_int_equal(reports, 1);
        /* The next run's are its own. */
        assert_int_equal(corio_run(runtime, ask_and_let_go, NULL), 0);
        assert_int_equal(reports, 2);
        corio_runtime_destroy(runtime);
    }
}

/* Completes what was kept, in a CPU phase, when it is long overdue. */
static int compute_and_let_go(void *arg)
{
    (void)arg;
    CHECK(corio_io(quick, NULL, NULL) == 0);
    for (uint64_t until = corio_now_ns() + 5 * (uint64_t)ms; corio_now_ns() < until;)
        ;
    return complete_kept();
}

static int ask_and_compute(void *arg)
{
    (void)arg;
    CHECK(corio_go(ask_slow, NULL) == 0);
    CHECK(corio_go(compute_and_let_go, NULL) == 0);
    return corio_wait();
}

static void batch_that_is_complete_is_not_late_however_long_a_phase_was(void **state)
{
    (void)state;
    corio_options options = with_late(1, 4 * (uint64_t)ms, count_report);
    options.sim_seed = 1; /* nothing takes any time but what looks at the clock */
    corio_runtime *runtime = watched(options, keep);
    assert_int_equal(corio_run(runtime, ask_and_compute, NULL), 0);
    assert_int_equal(reports, 0);
    corio_runtime_destroy(runtime);
}

static uint64_t last_phase;

static int answer_with_phase(void *self, corio_batch *batch)
{
    last_phase = corio_batch_phase(batch);
    if (last_phase == 0)
        return keep(self, batch);
    return answer_all(self, batch);
}

static int ask_twice(void *arg)
{
    CHECK(ask_slow(arg) == 0);
    return ask_slow(arg);
}

static void saying_so_does_not_change_the_count_of_phases(void **state)
{
    (void)state;
    for (int strict = 0; strict < 2; strict++) {
        corio_options options = with_late(1, ms, complete_when_reported);
        options.wait_mode = strict ? CORIO_WAIT_STRICT : CORIO_WAIT_STREAMING;
        corio_runtime *runtime = watched(options, answer_with_phase);
        assert_int_equal(corio_run(runtime, ask_twice, NULL), 0);
        assert_int_equal(reports, 1);
        assert_int_equal(last_phase, 1);
        corio_runtime_destroy(runtime);
    }
}

static void in_a_simulation_it_is_the_simulated_time_that_counts(void **state)
{
    (void)state;
    char before[sizeof first_report];
    for (int round = 0; round < 2; round++) {
        corio_options options = with_late(1, 3600000 * (uint64_t)ms, complete_when_reported);
        options.sim_seed = 17;
        corio_runtime *runtime = watched(options, keep);
        assert_int_equal(corio_run(runtime, many_ask_slow, NULL), 0);
        assert_int_equal(reports, 1);
        assert_non_null(strstr(first_report, "for 3600000 ms"));
        assert_true(round == 0 || strcmp(before, first_report) == 0);
        memcpy(before, first_report, sizeof before);
        corio_runtime_destroy(runtime);
    }
}

/* -- Tasks that hold the CPU phase --
 *
 * On a busy machine any task may be reported, if its thread had to wait for a processor. So one is
 * waited for. */

static unsigned may_end;
static const char *wanted;

static void let_end(void *self, const char *text)
{
    (void)self;
    if (strstr(text, wanted) == NULL)
        return;
    note_report(text);
    __atomic_store_n(&may_end, 1, __ATOMIC_RELEASE);
}

/* Computes until the report has come (without one the test does not end), and as long again as would
 * do for several. */
static int compute_until_reported(void *arg)
{
    (void)arg;
    while (READ(may_end) == 0)
        ;
    for (uint64_t until = corio_now_ns() + 10 * (uint64_t)ms; corio_now_ns() < until;)
        ;
    return 0;
}

static int ask_quick(void *arg)
{
    (void)arg;
    return corio_io(quick, NULL, NULL);
}

static int hold_under(void *arg)
{
    CHECK(corio_go(ask_quick, NULL) == 0);
    CHECK(corio_go(compute_until_reported, arg) == 0);
    CHECK(corio_go(ask_quick, NULL) == 0);
    return corio_wait();
}

static int hold_below(void *arg)
{
    CHECK(corio_go(hold_under, arg) == 0);
    return corio_wait();
}

static corio_options with_hold(unsigned workers, uint64_t hold_ns)
{
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = workers;
    options.hold_ns = hold_ns;
    options.report = let_end;
    return options;
}

static int run_until_reported(corio_runtime *runtime, corio_task_fn *top)
{
    __atomic_store_n(&may_end, 0, __ATOMIC_RELAXED);
    return corio_run(runtime, top, NULL);
}

static void task_that_holds_the_phase_is_named_once(void **state)
{
    (void)state;
    wanted = "corio: task compute_until_reported (0, 1) has held phase 0 for ";
    for (unsigned i = 0; i < worker_count_count; i++) {
        corio_runtime *runtime = watched(with_hold(worker_counts[i], ms), answer_all);
        for (unsigned run = 0; run < 3; run++) {
            assert_int_equal(run_until_reported(runtime, hold_below), 0);
            assert_int_equal(reports, run + 1);
            assert_non_null(strstr(corio_runtime_report(runtime), "has held phase"));
        }
        corio_runtime_destroy(runtime);
    }
}

/* A waiter that has called a child on its own stack is itself again. */
static int hold_after_children(void *arg)
{
    (void)arg;
    CHECK(corio_go(ask_quick, NULL) == 0);
    CHECK(corio_wait() == 0);
    CHECK(corio_go(nothing_much, NULL) == 0);
    CHECK(corio_wait() == 0);
    return compute_until_reported(arg);
}

static void who_goes_on_after_its_children_is_named(void **state)
{
    (void)state;
    wanted = "task top () has held phase 1 for ";
    corio_runtime *runtime = watched(with_hold(1, ms), answer_all);
    assert_int_equal(run_until_reported(runtime, hold_after_children), 0);
    assert_int_equal(reports, 1);
    corio_runtime_destroy(runtime);
}

static int ask_thrice(void *arg)
{
    for (int i = 0; i < 3; i++)
        CHECK(corio_io(quick, arg, NULL) == 0);
    return corio_yield();
}

static int ask_in_generations(void *arg)
{
    for (int i = 0; i < 300; i++)
        CHECK(corio_go(i % 3 == 0 ? nothing_much : ask_thrice, arg) == 0);
    return corio_wait();
}

static int hold_at_last(void *arg)
{
    for (int i = 0; i < 100; i++)
        CHECK(ask_in_generations(arg) == 0);
    return compute_until_reported(arg);
}

/* For ThreadSanitizer and the like: the watcher looks at turns that pass. */
static void looking_on_disturbs_nobody(void **state)
{
    (void)state;
    wanted = "task top () has held phase";
    for (unsigned i = 0; i < worker_count_count; i++) {
        corio_runtime *runtime = watched(with_hold(worker_counts[i], 1), answer_all);
        assert_int_equal(run_until_reported(runtime, hold_at_last), 0);
        corio_runtime_destroy(runtime);
    }
}

static void in_a_simulation_nobody_holds_anything(void **state)
{
    (void)state;
    wanted = "has held phase";
    corio_options options = with_hold(1, 1);
    options.sim_seed = 5;
    corio_runtime *runtime = watched(options, answer_all);
    assert_int_equal(corio_run(runtime, ask_in_generations, NULL), 0);
    assert_int_equal(reports, 0);
    corio_runtime_destroy(runtime);
}

/* -- Deadlocks are what they were -- */

static corio_mutex a, b;

static int lock_both(corio_mutex *first, corio_mutex *second)
{
    CHECK(corio_mutex_lock(first) == 0);
    CHECK(corio_io(quick, NULL, NULL) == 0); /* until both have their first */
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
    CHECK(corio_set_keep_going(true) == 0);
    CHECK(corio_go(forward, NULL) == 0);
    CHECK(corio_go(backward, NULL) == 0);
    CHECK(corio_wait() == -EDEADLK);
    return corio_io(slow, NULL, NULL);
}

static void complete_when_late(void *self, const char *text)
{
    (void)self;
    note_report(text);
    if (strstr(text, "has not answered") != NULL)
        (void)complete_kept();
}

static void deadlock_is_reported_and_kept_as_the_report(void **state)
{
    (void)state;
    corio_runtime *runtime = watched(with_late(2, ms, complete_when_late), keep);
    assert_int_equal(corio_run(runtime, embrace, NULL), 0);
    assert_int_equal(reports, 2);
    assert_non_null(strstr(first_report, "deadlock in phase"));
    assert_string_equal(corio_runtime_report(runtime), first_report);
    corio_runtime_destroy(runtime);
}

static int create_with(const char *variable, const char *value)
{
    corio_runtime *runtime = NULL;
    setenv(variable, value, 1);
    int rc = corio_runtime_create(NULL, &runtime);
    unsetenv(variable);
    corio_runtime_destroy(runtime);
    return rc;
}

static void environment_sets_the_limits(void **state)
{
    (void)state;
    assert_int_equal(create_with("CORIO_LATE_NS", "soon"), -EINVAL);
    assert_int_equal(create_with("CORIO_LATE_NS", "-1"), -EINVAL);
    assert_int_equal(create_with("CORIO_HOLD_NS", "1 ms"), -EINVAL);
    assert_int_equal(create_with("CORIO_HOLD_NS", "1000000"), 0);
    setenv("CORIO_LATE_NS", "1000000", 1);
    corio_runtime *runtime = watched(with_late(2, 0, complete_when_reported), keep);
    unsetenv("CORIO_LATE_NS");
    assert_int_equal(corio_run(runtime, many_ask_slow, NULL), 0);
    assert_int_equal(reports, 1);
    corio_runtime_destroy(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_requests_are_reported_with_who_asked),
        cmocka_unit_test(of_many_the_first_are_named),
        cmocka_unit_test(late_batch_is_reported_once),
        cmocka_unit_test(batch_that_is_complete_is_not_late_however_long_a_phase_was),
        cmocka_unit_test(saying_so_does_not_change_the_count_of_phases),
        cmocka_unit_test(in_a_simulation_it_is_the_simulated_time_that_counts),
        cmocka_unit_test(task_that_holds_the_phase_is_named_once),
        cmocka_unit_test(who_goes_on_after_its_children_is_named),
        cmocka_unit_test(looking_on_disturbs_nobody),
        cmocka_unit_test(in_a_simulation_nobody_holds_anything),
        cmocka_unit_test(deadlock_is_reported_and_kept_as_the_report),
        cmocka_unit_test(environment_sets_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
