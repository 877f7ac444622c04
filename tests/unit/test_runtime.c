/* SPDX-License-Identifier: MIT
 *
 * Runtimes: options, environment, several at once, threads that call them, trimming, forgetting
 * nothing.
 */
#include "harness.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int create_with(corio_options options)
{
    corio_runtime *runtime = NULL;
    int rc = corio_runtime_create(&options, &runtime);
    if (rc == 0)
        corio_runtime_destroy(runtime);
    else
        assert_null(runtime);
    return rc;
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    corio_options options = CORIO_OPTIONS_INIT;
    assert_int_equal(create_with(options), 0);
    options.size = 4;
    assert_int_equal(create_with(options), -EINVAL);
    options = (corio_options)CORIO_OPTIONS_INIT;
    options.workers = 1025;
    assert_int_equal(create_with(options), -EINVAL);
    options = (corio_options)CORIO_OPTIONS_INIT;
    options.stack_bytes = 8192;
    assert_int_equal(create_with(options), -EINVAL);
    options.stack_bytes = 100000;
    assert_int_equal(create_with(options), -EINVAL);
    options = (corio_options)CORIO_OPTIONS_INIT;
    options.wait_mode = (corio_wait_mode)7;
    assert_int_equal(create_with(options), -EINVAL);
    options = (corio_options)CORIO_OPTIONS_INIT;
    options.progress = (corio_progress)3;
    assert_int_equal(create_with(options), -EINVAL);
    options = (corio_options)CORIO_OPTIONS_INIT;
    options.batch_log = "/nonexistent/log";
    assert_int_equal(create_with(options), -ENOENT);
    assert_int_equal(corio_runtime_create(NULL, NULL), -EINVAL);
}

static void structs_of_other_versions_are_served(void **state)
{
    (void)state;
    struct {
        corio_options known;
        void *newer;
    } longer = {CORIO_OPTIONS_INIT, NULL};
    corio_runtime *runtime = NULL;
    longer.known.size = sizeof longer;
    longer.known.workers = 3;
    assert_int_equal(corio_runtime_create(&longer.known, &runtime), 0);
    corio_stats stats;
    memset(&stats, 0x55, sizeof stats);
    stats.size = offsetof(corio_stats, guard); /* one that ends behind `workers` */
    assert_int_equal(corio_runtime_stats(runtime, &stats), 0);
    assert_int_equal(stats.workers, 3);
    assert_int_equal(stats.size, offsetof(corio_stats, guard));
    assert_int_equal(stats.guard, 0x55555555);
    corio_runtime_destroy(runtime);
    longer.newer = &longer; /* asks for what this version does not know */
    assert_int_equal(corio_runtime_create(&longer.known, &runtime), -EINVAL);
    corio_options shorter = CORIO_OPTIONS_INIT;
    shorter.size = offsetof(corio_options, wait_mode);
    shorter.wait_mode = (corio_wait_mode)7; /* not looked at */
    assert_int_equal(corio_runtime_create(&shorter, &runtime), 0);
    corio_runtime_destroy(runtime);
}

static void environment_overrides_options(void **state)
{
    (void)state;
    corio_stats stats = {.size = sizeof stats};
    setenv("CORIO_WORKERS", "3", 1);
    corio_runtime *runtime = runtime_with(1);
    assert_int_equal(corio_runtime_stats(runtime, &stats), 0);
    assert_int_equal(stats.workers, 3);
    corio_runtime_destroy(runtime);
    static const char *const bad[] = {"x",   "-1", " -1", " 3", "+3", "3 ", "99999999999999999999",
                                      "5000"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("CORIO_WORKERS", bad[i], 1);
        assert_int_equal(create_with((corio_options)CORIO_OPTIONS_INIT), -EINVAL);
    }
    setenv("CORIO_WORKERS", "", 1);
    assert_int_equal(create_with((corio_options)CORIO_OPTIONS_INIT), 0);
    unsetenv("CORIO_WORKERS");
    setenv("CORIO_WAIT", "sometimes", 1);
    assert_int_equal(create_with((corio_options)CORIO_OPTIONS_INIT), -EINVAL);
    setenv("CORIO_WAIT", "strict", 1);
    assert_int_equal(create_with((corio_options)CORIO_OPTIONS_INIT), 0);
    unsetenv("CORIO_WAIT");
    setenv("CORIO_PROGRESS", "3", 1);
    assert_int_equal(create_with((corio_options)CORIO_OPTIONS_INIT), -EINVAL);
    setenv("CORIO_PROGRESS", "1", 1);
    assert_int_equal(create_with((corio_options)CORIO_OPTIONS_INIT), 0);
    unsetenv("CORIO_PROGRESS");
}

static void bad_calls_are_refused(void **state)
{
    (void)state;
    corio_runtime *runtime = runtime_with(2);
    corio_stats stats = {.size = 1};
    assert_int_equal(corio_run(NULL, nothing, NULL), -EINVAL);
    assert_int_equal(corio_run_named(runtime, "x", NULL, NULL), -EINVAL);
    assert_int_equal(corio_run_named(runtime, NULL, nothing, NULL), -EINVAL);
    assert_int_equal(corio_runtime_stats(runtime, &stats), -EINVAL);
    assert_int_equal(corio_runtime_stats(runtime, NULL), -EINVAL);
    assert_int_equal(corio_runtime_stats(NULL, &stats), -EINVAL);
    assert_int_equal(corio_runtime_trim(NULL), -EINVAL);
    assert_int_equal(corio_runtime_destroy(NULL), 0);
    assert_null(corio_runtime_error(NULL));
    assert_string_equal(corio_runtime_report(NULL), "");
    corio_runtime_destroy(runtime);
}

static void *run_hundred(void *arg)
{
    for (int i = 0; i < 100; i++) {
        if (corio_run(arg, nothing, NULL) != 0)
            abort();
    }
    return NULL;
}

static void many_runs_in_a_row_from_several_threads_in_turn(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int i = 0; i < 20; i++) {
            pthread_t thread;
            pthread_create(&thread, NULL, run_hundred, runtime);
            pthread_join(thread, NULL);
        }
    }
}

/* -- busy -- */

static int run_again(void *arg)
{
    corio_dispatcher *dispatcher;
    corio_dispatcher_options options = {
        .size = sizeof options, .name = "never called", .dispatch = answer_all};
    CHECK(corio_run(arg, nothing, NULL) == -EBUSY);
    CHECK(corio_runtime_destroy(arg) == -EBUSY);
    CHECK(corio_runtime_trim(arg) == -EBUSY);
    CHECK(corio_dispatcher_add(arg, &options, &dispatcher) == -EBUSY);
    return 0;
}

static void running_runtime_is_busy(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, run_again, runtime), 0);
    }
}

/* -- several -- */

static int nest_runtime(void *arg)
{
    int depth = *(int *)arg - 1;
    if (depth < 0)
        return -EXDEV;
    corio_task *self = corio_self();
    corio_runtime *inner;
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = 2;
    CHECK(corio_runtime_create(&options, &inner) == 0);
    CHECK(corio_run(inner, nest_runtime, &depth) == -EXDEV);
    CHECK(corio_self() == self);
    corio_runtime_destroy(inner);
    CHECK(corio_go(nothing, NULL) == 0);
    CHECK(corio_wait() == 0);
    return -EXDEV;
}

static void task_may_run_another_runtime(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        int depth = 3;
        assert_int_equal(corio_run(runtime, nest_runtime, &depth), -EXDEV);
    }
}

static void *own_runtime(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        corio_runtime *runtime = NULL;
        corio_options options = CORIO_OPTIONS_INIT;
        options.workers = 3;
        if (corio_runtime_create(&options, &runtime) != 0)
            abort();
        run_hundred(runtime);
        corio_runtime_destroy(runtime);
    }
    return NULL;
}

static void runtimes_of_several_threads_do_not_meet(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, own_runtime, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

/* -- threads that cannot be made -- */

static void failing_thread_creation_is_an_error(void **state)
{
    (void)state;
    struct rlimit before, none;
    if (getuid() ==
        0) { /* the limit does not bind root: a reservation that cannot be made instead */
        corio_options options = CORIO_OPTIONS_INIT;
        options.max_stacks = UINT32_MAX;
        options.stack_bytes = (size_t)1 << 30;
        assert_int_equal(create_with(options), -ENOMEM);
        return;
    }
    getrlimit(RLIMIT_NPROC, &before);
    none = before;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NPROC, &none);
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = 4;
    assert_int_equal(create_with(options), -EAGAIN);
    setrlimit(RLIMIT_NPROC, &before);
}

/* -- stacks come back -- */

static corio_dispatcher *dispatcher;

static int ask(void *arg)
{
    (void)arg;
    return corio_io(dispatcher, NULL, NULL);
}

static int ask_often(void *arg)
{
    for (int i = 0; i < *(int *)arg; i++)
        CHECK(corio_go(ask, NULL) == 0);
    return corio_wait();
}

static long resident_pages(void)
{
    long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld %ld", &size, &resident) != 2)
        abort();
    fclose(file);
    return resident;
}

static void hundred_thousand_guarded_stacks_work_and_are_given_back(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++) {
        corio_runtime *runtime = runtime_with(workers);
        dispatcher = add_dispatcher(runtime, answer_all);
        int tasks = CR_TESTS_TSAN ? 2000 : 100000;
        int most = tasks - tasks / 10;
        assert_int_equal(corio_run(runtime, ask_often, &tasks), 0);
        corio_stats stats = {.size = sizeof stats};
        assert_int_equal(corio_runtime_stats(runtime, &stats), 0);
        assert_in_range(stats.stacks_high_water, tasks, tasks + 64 * (int)workers);
        assert_int_equal(stats.stacks_in_use, 0);
        if (stats.guard == CORIO_GUARD_MADVISE)
            assert_int_equal(stats.unguarded_stacks, 0);
        long full = resident_pages();
        assert_int_equal(corio_runtime_trim(runtime), 0);
        assert_true(full - resident_pages() > most);
        assert_int_equal(corio_run(runtime, ask_often, &tasks), 0);
        tasks = 10; /* needs few: the rest goes back by itself */
        assert_int_equal(corio_run(runtime, ask_often, &tasks), 0);
        assert_true(full - resident_pages() > most);
        corio_runtime_destroy(runtime);
    }
}

/* About 4.2 KiB each: well within 8 GiB. */
static void million_stacks_work_in_eight_gibibytes(void **state)
{
    (void)state;
#if CR_TESTS_ASAN || CR_TESTS_TSAN
    skip(); /* shadow memory on top */
#endif
    corio_runtime *runtime = runtime_with(2);
    corio_dispatcher_options options = {
        .size = sizeof options, .name = "empty", .dispatch = answer_all};
    assert_int_equal(corio_dispatcher_add(runtime, &options, &dispatcher), 0);
    int tasks = 1000000;
    assert_int_equal(corio_run(runtime, ask_often, &tasks), 0);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    assert_true(usage.ru_maxrss < 8l << 20); /* KiB */
    corio_stats stats = {.size = sizeof stats};
    assert_int_equal(corio_runtime_stats(runtime, &stats), 0);
    assert_true(stats.stacks_high_water >= 1000000);
    corio_runtime_destroy(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(structs_of_other_versions_are_served),
        cmocka_unit_test(environment_overrides_options),
        cmocka_unit_test(bad_calls_are_refused),
        cmocka_unit_test(many_runs_in_a_row_from_several_threads_in_turn),
        cmocka_unit_test(running_runtime_is_busy),
        cmocka_unit_test(task_may_run_another_runtime),
        cmocka_unit_test(runtimes_of_several_threads_do_not_meet),
        cmocka_unit_test(failing_thread_creation_is_an_error),
        cmocka_unit_test(hundred_thousand_guarded_stacks_work_and_are_given_back),
        cmocka_unit_test(million_stacks_work_in_eight_gibibytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
