/* SPDX-License-Identifier: MIT
 *
 * As test_fault.c, where a text is made of what has happened: a deadlock, and a run that differs from a recorded one. Without
 * memory for the text there is none; all else is as it would be.
 */
#include "tests/fault/every.h"

#include <unistd.h>

enum { watchdog_seconds = 500 };

static corio_dispatcher *plain;
static corio_mutex first, second;
static corio_barrier both; /* have what is theirs */

static int ask(void *arg)
{
    int in = 1, out = 0;
    (void)arg;
    return corio_io(plain, &in, &out);
}

/* Both have one and want the other's: also if one of them had to wait for a stack. */
static int embrace(void *arg)
{
    corio_mutex *mine = arg, *other = mine == &first ? &second : &first;
    int rc = corio_mutex_lock(mine);
    if (rc != 0)
        return rc;
    rc = ask(NULL);
    if (rc == 0)
        rc = corio_barrier_wait(&both);
    if (rc >= 0) /* one of them is told that it was the last */
        rc = corio_mutex_lock(other);
    if (rc == 0)
        (void)corio_mutex_unlock(other);
    (void)corio_mutex_unlock(mine);
    return rc;
}

static int deadly_embrace(void *arg)
{
    (void)arg;
    int rc = corio_barrier_init(&both, 2);
    if (rc == 0)
        rc = corio_go(embrace, &first);
    if (rc == 0)
        rc = corio_go(embrace, &second);
    int waited = corio_wait();
    return rc != 0 && rc != -ECANCELED ? rc : waited;
}

static int ask_twice(void *arg)
{
    int rc = ask(arg);
    return rc != 0 ? rc : ask(arg);
}

/* `wanted` is the error that the run is to have, and then there is a report with `said`. It may do without a comparison that
 * has no memory; then the end says so. */
static int life(unsigned workers, const char *check, corio_task_fn *root, int wanted,
                const char *said)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime = NULL;
    options.workers = workers;
    options.check = check;
    int rc = corio_runtime_create(&options, &runtime);
    if (rc != 0)
        return rc;
    rc = add(runtime, answer, &plain);
    if (rc == 0) {
        rc = corio_run_named(runtime, "root", root, NULL);
        const char *report = corio_runtime_report(runtime);
        if (rc == wanted)
            assert_true(strstr(report, said) != NULL || (wrap_fails() && report[0] == '\0'));
        else
            assert_true(wrap_fails());
    }
    assert_int_equal(corio_mutex_destroy(&first), 0);
    assert_int_equal(corio_mutex_destroy(&second), 0);
    int end_rc = corio_runtime_destroy(runtime);
    if (rc == 0 && wanted != 0)
        assert_int_not_equal(end_rc, 0);
    return rc != 0 && rc != wanted ? rc : end_rc;
}

static int life_with_a_deadlock(unsigned workers)
{
    return life(workers, NULL, deadly_embrace, -EDEADLK, "deadlock");
}

/* A recording of `root`. */
static char recording[] = "/tmp/corio-recording-XXXXXX";

static void record(corio_task_fn *root)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    options.batch_log = recording;
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    assert_int_equal(add(runtime, answer, &plain), 0);
    assert_int_equal(corio_run_named(runtime, "root", root, NULL), 0);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
}

static int life_with_more(unsigned workers)
{
    return life(workers, "/dev/null", ask, CORIO_EDIFFERENT, "differs");
}

static int life_with_less(unsigned workers)
{
    return life(workers, recording, ask, CORIO_EDIFFERENT, "differs");
}

/* It cannot be read, which is neither its end nor a difference. */
static void check_unreadable(corio_task_fn *root)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    options.check = recording;
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    assert_int_equal(add(runtime, answer, &plain), 0);
    wrap_unreadable(true);
    assert_int_equal(corio_run_named(runtime, "root", root, NULL), 0);
    wrap_unreadable(false);
    assert_string_equal(corio_runtime_report(runtime), "");
    assert_int_equal(corio_runtime_destroy(runtime), -ENOMEM);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void a_deadlock_is_resolved_without_memory_to_report_it(void **state)
{
    (void)state;
    every_failure_is_a_clean_error(life_with_a_deadlock, 1);
    every_failure_is_a_clean_error(life_with_a_deadlock, 3);
}

static int make_recording(void **state)
{
    (void)state;
    int file = mkstemp(recording);
    if (file < 0)
        return -1;
    close(file);
    record(ask_twice);
    return 0;
}

static int remove_recording(void **state)
{
    (void)state;
    return unlink(recording);
}

static void a_difference_is_found_without_memory_to_report_it(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 3; workers += 2) {
        every_failure_is_a_clean_error(life_with_more, workers);
        every_failure_is_a_clean_error(life_with_less, workers);
    }
}

static void recording_that_cannot_be_read_is_an_error_and_no_difference(void **state)
{
    (void)state;
    check_unreadable(ask_twice);
    check_unreadable(nothing);
}

int main(void)
{
    alarm(watchdog_seconds);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadlock_is_resolved_without_memory_to_report_it),
        cmocka_unit_test(a_difference_is_found_without_memory_to_report_it),
        cmocka_unit_test(recording_that_cannot_be_read_is_an_error_and_no_difference),
    };
    return cmocka_run_group_tests(tests, make_recording, remove_recording);
}
