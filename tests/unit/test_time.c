/* SPDX-License-Identifier: MIT
 *
 * Sleeping, and blocking calls with a limit of their own.
 */
#include "harness.h"

#include <sched.h>

static corio_dispatcher *dispatcher, *never;
static corio_batch *kept;
static unsigned ended;

static int keep(void *self, corio_batch *batch)
{
    (void)self;
    kept = batch;
    return CORIO_LATER;
}

static corio_dispatcher *add(corio_runtime *runtime, corio_dispatch_fn *fn, size_t max_in_flight)
{
    corio_dispatcher *added = NULL;
    corio_dispatcher_options options = {
        .size = sizeof options, .name = "it", .dispatch = fn, .max_in_flight = max_in_flight};
    assert_int_equal(corio_dispatcher_add(runtime, &options, &added), 0);
    return added;
}

/* -- sleeping -- */

static int sleep_until(void *arg)
{
    CHECK(corio_sleep_until(*(uint64_t *)arg) == 0);
    CHECK(corio_now_ns() >= *(uint64_t *)arg);
    ADD(ended);
    return 0;
}

static int many_sleep(void *arg)
{
    (void)arg;
    uint64_t begin = corio_now_ns() + 1000000;
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t due = begin + i * 37 % 100 * 50000;
        CHECK(corio_go_copy(sleep_until, &due, sizeof due) == 0);
    }
    CHECK(corio_sleep(0) == 0 && corio_sleep_until(1) == 0);
    return corio_wait();
}

static void nobody_wakes_before_the_time(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        ended = 0;
        assert_int_equal(corio_run(runtime, many_sleep, NULL), 0);
        assert_int_equal(ended, 100);
    }
    assert_int_equal(corio_sleep(1), -EPERM);
}

/* -- waiting for children -- */

static int sleep_for_ever(void *arg)
{
    (void)arg;
    int rc = corio_sleep(UINT64_MAX);
    ADD(ended);
    return rc;
}

static int sleep_little(void *arg)
{
    (void)arg;
    return corio_sleep(1000);
}

static int wait_with_limit(void *arg)
{
    (void)arg;
    corio_group *group;
    corio_group_options options = {.size = sizeof options, .deadline_ns = corio_now_ns() + 2000000};
    CHECK(corio_go(sleep_little, NULL) == 0);
    CHECK(corio_wait_until(corio_now_ns() + 1000000000000) == 0);
    for (int i = 0; i < 10; i++)
        CHECK(corio_go(sleep_for_ever, NULL) == 0);
    CHECK(corio_wait_until(corio_now_ns() + 2000000) == -ETIMEDOUT);
    CHECK(READ(ended) == 10);
    CHECK(corio_group_open(&options, &group) == 0);
    CHECK(corio_group_go(group, sleep_for_ever, NULL) == 0);
    CHECK(corio_group_wait(group) == -ETIMEDOUT);
    CHECK(corio_group_go(group, sleep_for_ever, NULL) == 0);
    CHECK(corio_group_wait_until(group, corio_now_ns() + 2000000) == -ETIMEDOUT);
    CHECK(READ(ended) == 12);
    return corio_group_close(group);
}

static void wait_ends_at_its_deadline_and_cancels(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        ended = 0;
        assert_int_equal(corio_run(runtime, wait_with_limit, NULL), 0);
    }
}

/* -- asking -- */

static int ask_with_limit(void *arg)
{
    (void)arg;
    uint64_t far = corio_now_ns() + 1000000000000;
    CHECK(corio_io_until(dispatcher, NULL, NULL, far) == 0);
    CHECK(corio_io_until(dispatcher, NULL, NULL, UINT64_MAX) == 0);
    CHECK(corio_io_until(never, NULL, NULL, corio_now_ns() + 2000000) == -ETIMEDOUT);
    ADD(ended);
    return 0;
}

/* The first request is in flight for good: those behind it are never handed over. */
static int ask_for_good(void *arg)
{
    (void)arg;
    return corio_io(never, NULL, NULL);
}

static int many_ask_with_limit(void *arg)
{
    (void)arg;
    CHECK(corio_go(ask_for_good, NULL) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    corio_group *group;
    CHECK(corio_group_open(NULL, &group) == 0);
    for (int i = 0; i < 50; i++)
        CHECK(corio_group_go(group, ask_with_limit, NULL) == 0);
    CHECK(corio_group_close(group) == 0);
    corio_request both[2] = {{.dispatcher = dispatcher}, {.dispatcher = never}};
    both[0].status = -ETIMEDOUT; /* so is the first, if the time is up before the phase is */
    for (uint64_t limit = 2000000; both[0].status == -ETIMEDOUT; limit *= 2) {
        CHECK(corio_io_all_until(both, 2, corio_now_ns() + limit) == -ETIMEDOUT);
        CHECK(both[1].status == -ETIMEDOUT);
    }
    CHECK(both[0].status == 0);
    corio_batch_respond(kept, 0);
    corio_batch_complete(kept);
    return corio_wait();
}

static void request_that_waits_its_turn_is_withdrawn_at_its_deadline(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        ended = 0;
        dispatcher = add(runtime, answer_all, 0);
        never = add(runtime, keep, 1);
        assert_int_equal(corio_run(runtime, many_ask_with_limit, NULL), 0);
        assert_int_equal(ended, 50);
    }
}

/* One in flight is marked, and its answer waited for. */
static int answer_late(void *arg, corio_batch *batch)
{
    (void)arg;
    while (!corio_batch_cancelled(batch, 0))
        sched_yield();
    assert_true(corio_batch_deadline(batch, 0) == UINT64_MAX); /* the call's, not the task's */
    corio_batch_respond(batch, 0);
    return CORIO_DONE;
}

static int submit_late(void *self, corio_batch *batch)
{
    (void)self;
    return corio_batch_submit(batch, answer_late, NULL) == 0 ? CORIO_LATER : -EIO;
}

static int ask_late(void *arg)
{
    (void)arg;
    int rc = -ETIMEDOUT; /* so it is, if the time is up before the request is handed over */
    for (uint64_t limit = 2000000; rc == -ETIMEDOUT; limit *= 2)
        rc = corio_io_until(dispatcher, NULL, NULL, corio_now_ns() + limit);
    return rc;
}

static void request_in_flight_at_its_deadline_is_marked(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        dispatcher = add(runtime, submit_late, 0);
        assert_int_equal(corio_run(runtime, ask_late, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_wakes_before_the_time),
        cmocka_unit_test(wait_ends_at_its_deadline_and_cancels),
        cmocka_unit_test(request_that_waits_its_turn_is_withdrawn_at_its_deadline),
        cmocka_unit_test(request_in_flight_at_its_deadline_is_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
