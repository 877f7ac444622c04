/* SPDX-License-Identifier: MIT
 *
 * Work from outside, with everything that the library takes from the system failing at the n-th call: see test_fault.c.
 */
#include "tests/fault/every.h"

#include <unistd.h>

enum { jobs = 20, watchdog_seconds = 500 };

static corio_dispatcher *dispatcher;
static corio_promise *promise;
static unsigned told;

static int ask(void *arg)
{
    int in = *(int *)arg, out = 0;
    int rc = corio_io(dispatcher, &in, &out);
    CHECK(rc != 0 || out == in + 1);
    return rc;
}

/* Some wait with a deadline, which needs memory for the timer. */
static int job(void *arg)
{
    int number = *(int *)arg;
    void *value = NULL;
    int rc = number % 2 ? corio_promise_wait(promise, &value)
                        : corio_promise_wait_until(promise, corio_now_ns() + 60000000000u, &value);
    CHECK(rc != 0 || value == &told);
    for (int i = 0; rc == 0 && i < 5; i++)
        rc = corio_go_copy(ask, &number, sizeof number);
    int waited = corio_wait();
    return rc != 0 ? rc : waited;
}

static void be_told(void *self, corio_job *done, int code)
{
    (void)self;
    told += corio_job_error(done) != NULL ? code != 0 : code == 0;
}

/* The first error; how many were taken. */
static int submit_all(corio_runtime *runtime, int *numbers, corio_job **all, unsigned *ret_taken)
{
    int first = 0;
    corio_submit_options options = {.size = sizeof options, .done = be_told};
    for (int i = 0; i < jobs; i++) {
        numbers[i] = i;
        options.deadline_ns = i % 3 ? 0 : corio_now_ns() + 60000000000u;
        int rc = corio_submit_with(runtime, &options, job, &numbers[i], &all[*ret_taken]);
        *ret_taken += rc == 0;
        first = first != 0 ? first : rc;
    }
    return first;
}

static int serve(corio_runtime *runtime)
{
    int numbers[jobs];
    corio_job *all[jobs];
    unsigned taken = 0;
    told = 0;
    int first = corio_runtime_start(runtime);
    if (first != 0)
        return first;
    first = submit_all(runtime, numbers, all, &taken);
    assert_int_equal(corio_promise_fulfil(promise, &told), 0);
    for (unsigned i = 0; i < taken; i++) {
        int rc = corio_job_wait(all[i]);
        assert_true(rc == 0 || corio_job_error(all[i])->code == rc);
        first = first != 0 ? first : rc;
        corio_job_release(all[i]);
    }
    assert_int_equal(corio_runtime_stop(runtime, 0), 0);
    assert_int_equal(told, taken);
    return first;
}

static int whole_life(unsigned workers)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime = NULL;
    options.workers = workers;
    int rc = corio_runtime_create(&options, &runtime);
    if (rc != 0)
        return rc;
    promise = NULL;
    rc = corio_promise_create(&promise);
    if (rc == 0)
        rc = add(runtime, answer, &dispatcher);
    if (rc == 0)
        rc = serve(runtime);
    corio_promise_destroy(promise);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    return rc;
}

static void failures_on_one_worker_are_clean_errors(void **state)
{
    (void)state;
    every_failure_is_a_clean_error(whole_life, 1);
}

static void failures_on_three_workers_are_clean_errors(void **state)
{
    (void)state;
    every_failure_is_a_clean_error(whole_life, 3);
}

static void interrupted_waits_go_on(void **state)
{
    (void)state;
    for (long each = 1; each <= 3; each++) {
        wrap_interrupt(each);
        for (unsigned workers = 1; workers <= 3; workers++)
            assert_int_equal(whole_life(workers), 0);
    }
    wrap_interrupt(0);
}

int main(void)
{
    alarm(watchdog_seconds);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_on_one_worker_are_clean_errors),
        cmocka_unit_test(failures_on_three_workers_are_clean_errors),
        cmocka_unit_test(interrupted_waits_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
