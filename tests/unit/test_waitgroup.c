/* SPDX-License-Identifier: MIT
 *
 * Wait groups: waiting, using them again at once, misuse.
 */
#include "harness.h"

static corio_waitgroup group;
static corio_dispatcher *dispatcher;
static unsigned finished, passed;

static int do_one(void *arg)
{
    if (*(int *)arg % 3 == 0)
        CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    ADD(finished);
    return corio_waitgroup_done(&group);
}

static int wait_for_all(void *arg)
{
    CHECK(corio_waitgroup_wait(&group) == 0);
    CHECK(READ(finished) == *(unsigned *)arg);
    ADD(passed);
    return 0;
}

static int several_wait(void *arg)
{
    (void)arg;
    unsigned expected = 1000;
    CHECK(corio_waitgroup_add(&group, 1000) == 0);
    for (int i = 0; i < 10; i++)
        CHECK(corio_go(wait_for_all, &expected) == 0);
    for (int i = 0; i < 1000; i++)
        CHECK(corio_go_copy(do_one, &i, sizeof i) == 0);
    CHECK(corio_waitgroup_wait(&group) == 0);
    CHECK(READ(finished) == 1000 && corio_waitgroup_count(&group) == 0);
    return corio_wait();
}

static void all_waiters_go_on_at_zero(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        finished = passed = 0;
        dispatcher = add_dispatcher(runtime, answer_all);
        assert_int_equal(corio_run(runtime, several_wait, NULL), 0);
        assert_int_equal(passed, 10);
    }
}

/* -- again at once: rounds without anything between them, from a group on the waiter's stack -- */

static int done_on(void *arg)
{
    return corio_waitgroup_done(*(corio_waitgroup **)arg);
}

static int use_again(void *arg)
{
    (void)arg;
    for (int round = 0; round < 300; round++) {
        corio_waitgroup mine = CORIO_WAITGROUP_INIT;
        corio_waitgroup *pointer = &mine;
        for (int again = 0; again < 3; again++) {
            CHECK(corio_waitgroup_add(&mine, 2) == 0);
            CHECK(corio_go_copy(done_on, &pointer, sizeof pointer) == 0);
            CHECK(corio_go_copy(done_on, &pointer, sizeof pointer) == 0);
            CHECK(corio_waitgroup_wait(&mine) == 0);
            CHECK(corio_waitgroup_count(&mine) == 0);
        }
        CHECK(corio_waitgroup_wait(&mine) == 0); /* zero already */
    }
    return corio_wait();
}

static int many_use_again(void *arg)
{
    for (int i = 0; i < 8; i++)
        CHECK(corio_go(use_again, arg) == 0);
    return corio_wait();
}

static void group_is_reusable_straight_after_wait(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, many_use_again, NULL), 0);
    }
}

/* A waiter that goes on adds again while the other waiters have not run yet: they go on too. */
static int wait_then_add(void *arg)
{
    CHECK(corio_waitgroup_wait(&group) == 0);
    ADD(passed);
    if (*(int *)arg == 0)
        CHECK(corio_waitgroup_add(&group, 1) == 0);
    return 0;
}

static int overlapping_rounds(void *arg)
{
    (void)arg;
    CHECK(corio_waitgroup_add(&group, 1) == 0);
    for (int i = 0; i < 5; i++)
        CHECK(corio_go_copy(wait_then_add, &i, sizeof i) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0); /* all wait by now */
    CHECK(corio_waitgroup_done(&group) == 0);
    CHECK(corio_wait() == 0);
    CHECK(READ(passed) == 5 && corio_waitgroup_count(&group) == 1);
    return corio_waitgroup_done(&group);
}

static void next_round_does_not_hold_back_the_last(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        passed = 0;
        dispatcher = add_dispatcher(runtime, answer_all);
        assert_int_equal(corio_run(runtime, overlapping_rounds, NULL), 0);
    }
}

/* -- misuse, limits, deadlock -- */

static int misuse(void *arg)
{
    (void)arg;
    CHECK(corio_waitgroup_done(&group) == CORIO_ENEGATIVE);
    CHECK(corio_waitgroup_add(&group, 2) == 0);
    CHECK(corio_waitgroup_add(&group, -3) == CORIO_ENEGATIVE);
    CHECK(corio_waitgroup_add(&group, INT64_MIN) == CORIO_ENEGATIVE);
    CHECK(corio_waitgroup_count(&group) == 2);
    CHECK(corio_waitgroup_wait_until(&group, 1) == -ETIMEDOUT);
    CHECK(corio_waitgroup_wait(&group) == -EDEADLK);
    CHECK(corio_waitgroup_add(&group, -2) == 0);
    CHECK(corio_waitgroup_add(&group, INT64_MAX) == 0 &&
          corio_waitgroup_add(&group, INT64_MAX) == 0);
    CHECK(corio_waitgroup_add(&group, 2) == -EOVERFLOW);
    CHECK(corio_waitgroup_add(&group, -INT64_MAX) == 0 &&
          corio_waitgroup_add(&group, -INT64_MAX) == 0);
    CHECK(corio_waitgroup_wait(NULL) == -EINVAL && corio_waitgroup_add(NULL, 1) == -EINVAL);
    return 0;
}

static void misuse_is_a_named_error(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, misuse, NULL), 0);
        assert_non_null(
            strstr(corio_runtime_report(runtime), "task misuse () waits in corio_waitgroup_wait"));
    }
    assert_int_equal(corio_waitgroup_wait(&group), -EPERM);
    assert_int_equal(corio_waitgroup_done(&group), -EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_waiters_go_on_at_zero),
        cmocka_unit_test(group_is_reusable_straight_after_wait),
        cmocka_unit_test(next_round_does_not_hold_back_the_last),
        cmocka_unit_test(misuse_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
