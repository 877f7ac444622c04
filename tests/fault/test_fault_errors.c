/* SPDX-License-Identifier: MIT
 *
 * As test_fault.c, amid errors and cancellation: tasks that fail in several ways, with children, cleanups, values and
 * deadlines of their own.
 *
 * The functions are wrapped at link time (-Wl,--wrap); the wrappers are in wrap.c.
 */
#include "tests/fault/every.h"

#include <unistd.h>

enum { watchdog_seconds = 500 };

static corio_dispatcher *plain;

/* -- Errors, cancellation, values, time: what they take from the heap -- */

static corio_mutex mutex;
static corio_flight *flight;
static unsigned due, run;
static const char key;

static void clean_up(void *arg)
{
    (void)arg;
    ADD(run);
}

static int fetch(void *arg, void *value)
{
    int rc = corio_io(plain, arg, value);
    return rc;
}

/* Fails in one of several ways, with children, cleanups, values and a deadline of its own. */
static int troubled(void *arg)
{
    int which = *(int *)arg, out = 0, rc = corio_defer(clean_up, NULL);
    if (rc != 0)
        return rc;
    ADD(due);
    rc = corio_local_set(&key, arg);
    if (rc == 0)
        rc = corio_set_deadline(corio_now_ns() + 3600000000000u);
    corio_group *group = NULL;
    if (rc == 0)
        rc = corio_group_open(
            &(corio_group_options){.size = sizeof(corio_group_options),
                                   .deadline_ns =
                                       corio_now_ns() + (which % 3 ? 3600000000000u : 1)},
            &group);
    int below = which - 1;
    corio_go_options options = {.size = sizeof options,
                                .group = group,
                                .copy_bytes = sizeof below,
                                .key = &key,
                                .value = &below};
    for (int i = 0; rc == 0 && which > 0 && i < 2; i++)
        rc = corio_go_with(&options, troubled, &below);
    if (rc != 0)
        return rc;
    switch (which % 4) {
    case 0:
        return corio_sleep(100) != 0 ? -ENOMEM : -EIO;
    case 1:
        rc = corio_do(flight, "k", 1, fetch, &which, &out, NULL);
        return rc != 0 ? rc : corio_group_wait_until(group, corio_now_ns() + 1000000);
    case 2:
        rc = corio_mutex_lock_until(&mutex, corio_now_ns() + 3600000000000u);
        if (rc != 0)
            return rc;
        rc = corio_io_until(plain, &which, &out, corio_now_ns() + 3600000000000u);
        corio_mutex_unlock(&mutex);
        return rc != 0 ? rc : corio_group_close(group);
    default:
        (void)corio_group_cancel(group, -EDOM);
        rc = corio_group_wait(group);
        return rc == -EDOM ? -ERANGE : rc; /* with a cause */
    }
}

static int troubles(void *arg)
{
    (void)arg;
    for (int i = 0; i < 6; i++) {
        int rc = corio_go_copy(troubled, &i, sizeof i);
        rc = rc != 0 ? rc : corio_wait();
        if (rc == -EBADMSG)
            return rc;
    }
    return 0;
}

/* Returns the error of whatever failed first; the runtime is gone in any case. */
static int whole_life(unsigned workers)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime = NULL;
    options.workers = workers;
    options.io_permits = 3;
    int rc = corio_runtime_create(&options, &runtime);
    if (rc != 0) {
        assert_null(runtime);
        return rc;
    }
    rc = add(runtime, answer, &plain);
    if (rc == 0) {
        due = run = 0;
        rc = corio_flight_create(sizeof(int), &flight);
    }
    if (rc == 0) {
        rc = corio_run(runtime, troubles, NULL);
        assert_int_equal(run, due);
        assert_int_equal(corio_mutex_destroy(&mutex), 0);
        assert_int_equal(corio_flight_destroy(flight), 0);
    }
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    return rc;
}

static void failures_amid_errors_and_cancellation_are_clean_errors(void **state)
{
    (void)state;
    every_failure_is_a_clean_error(whole_life, 1);
    every_failure_is_a_clean_error(whole_life, 3);
}

int main(void)
{
    alarm(watchdog_seconds);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_amid_errors_and_cancellation_are_clean_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
