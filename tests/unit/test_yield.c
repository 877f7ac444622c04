/* SPDX-License-Identifier: MIT
 *
 * Yielding: who goes first then, that nobody is lost, and that phases do not end by it.
 */
#include "harness.h"

enum { tasks = 1000, most_steps = 64 };

static corio_dispatcher *dispatcher;
static unsigned done, answered_at;
static int steps[most_steps];
static unsigned step_count;

static int answer(void *self, corio_batch *batch)
{
    (void)self;
    answered_at = READ(done);
    for (size_t i = 0; i < corio_batch_len(batch); i++)
        corio_batch_respond(batch, i);
    return CORIO_DONE;
}

static void set_up(corio_runtime *runtime)
{
    dispatcher = add_dispatcher(runtime, answer);
    done = answered_at = step_count = 0;
}

/* -- in turn, on one worker -- */

static int note_and_yield(void *arg)
{
    for (int i = 0; i < 4; i++) {
        steps[step_count++] = *(int *)arg;
        CHECK(corio_yield() == 0);
    }
    return 0;
}

static int in_turn(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++)
        CHECK(corio_go_copy(note_and_yield, &i, sizeof i) == 0);
    return corio_wait();
}

static void those_who_yield_take_turns(void **state)
{
    (void)state;
    corio_runtime *runtime = runtime_with(1);
    set_up(runtime);
    assert_int_equal(corio_run(runtime, in_turn, NULL), 0);
    assert_int_equal(step_count, 20);
    for (int i = 5; i < 20; i++)
        assert_int_equal(steps[i], steps[i - 5]);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++)
            assert_int_not_equal(steps[i], steps[j]);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
}

/* -- behind everything that is queued -- */

static int count_one(void *arg)
{
    (void)arg;
    ADD(done);
    return 0;
}

static int yield_once(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++)
        CHECK(corio_go(count_one, NULL) == 0);
    CHECK(corio_yield() == 0);
    CHECK(READ(done) == 100);
    return corio_wait();
}

static void whatever_is_queued_goes_first(void **state)
{
    (void)state;
    corio_runtime *runtime = runtime_with(1);
    set_up(runtime);
    assert_int_equal(corio_run(runtime, yield_once, NULL), 0);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
}

/* A task that yields until another has run ends, however few workers there are. */
static int wait_for_sign(void *arg)
{
    while (READ(*(unsigned *)arg) == 0)
        CHECK(corio_yield() == 0);
    return 0;
}

static int give_sign(void *arg)
{
    ADD(*(unsigned *)arg);
    return 0;
}

static int signs(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        unsigned sign = 0;
        CHECK(corio_go(give_sign, &sign) == 0);
        for (int j = 0; j < 10; j++)
            CHECK(corio_go(wait_for_sign, &sign) == 0);
        CHECK(corio_wait() == 0);
    }
    return 0;
}

/* The sign is to be given by a task in the deque of a worker that is busy: whoever yields gets it. */
static int spin_until_sign(void *arg)
{
    unsigned *sign = arg;
    CHECK(corio_go(give_sign, &sign[1]) == 0);
    ADD(sign[0]);
    while (READ(sign[1]) == 0) /* without a yield: somebody else must do it */
        ;
    return corio_wait();
}

static int busy_worker(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        unsigned sign[2] = {0, 0};
        CHECK(corio_go(spin_until_sign, sign) == 0);
        while (READ(sign[0]) == 0)
            CHECK(corio_yield() == 0);
        while (READ(sign[1]) == 0)
            CHECK(corio_yield() == 0);
        CHECK(corio_wait() == 0);
    }
    return 0;
}

static void whoever_yields_takes_from_busy_workers(void **state)
{
    (void)state;
    corio_runtime *runtime = runtime_with(2);
    assert_int_equal(corio_run(runtime, busy_worker, NULL), 0);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
}

static void others_get_their_turn(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, signs, NULL), 0);
    }
}

/* -- the phase goes on -- */

static int yield_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++)
        CHECK(corio_yield() == 0);
    ADD(done);
    return 0;
}

static int ask(void *arg)
{
    (void)arg;
    return corio_io(dispatcher, NULL, NULL);
}

static int yield_and_ask(void *arg)
{
    CHECK(corio_go(ask, NULL) == 0);
    for (int i = 0; i < tasks; i++)
        CHECK(corio_go(yield_often, arg) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0); /* resumed ones yield as well */
    for (int i = 0; i < tasks; i++)
        CHECK(corio_go(yield_often, arg) == 0);
    return corio_wait();
}

static void nobody_is_lost_and_the_phase_goes_on(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, yield_and_ask, NULL), 0);
        assert_int_equal(done, 2 * tasks);
        assert_int_equal(answered_at, tasks);
        corio_stats stats = {.size = sizeof stats};
        corio_runtime_stats(runtime, &stats);
        assert_int_equal(stats.phases, 1);
    }
}

/* -- cancelled, misuse -- */

static int yield_until_cancelled(void *arg)
{
    (void)arg;
    int rc;
    do {
        rc = corio_yield();
    } while (rc == 0);
    return rc;
}

static int fail_later(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        CHECK(corio_yield() == 0);
    return -ENOENT;
}

static int cancel_yielding(void *arg)
{
    (void)arg;
    CHECK(corio_go(fail_later, NULL) == 0);
    for (int i = 0; i < 10; i++)
        CHECK(corio_go(yield_until_cancelled, NULL) == 0);
    CHECK(corio_wait() == -ENOENT);
    return corio_yield(); /* nobody else is there */
}

static void cancelled_task_does_not_yield(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, cancel_yielding, NULL), 0);
    }
    assert_int_equal(corio_yield(), -EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_who_yield_take_turns),
        cmocka_unit_test(whatever_is_queued_goes_first),
        cmocka_unit_test(others_get_their_turn),
        cmocka_unit_test(whoever_yields_takes_from_busy_workers),
        cmocka_unit_test(nobody_is_lost_and_the_phase_goes_on),
        cmocka_unit_test(cancelled_task_does_not_yield),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
