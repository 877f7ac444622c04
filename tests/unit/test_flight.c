/* SPDX-License-Identifier: MIT
 *
 * Single flight: one execution for all callers at the same time, and never an old answer.
 */
#include "harness.h"

static corio_flight *flight;
static corio_dispatcher *dispatcher;
static unsigned executions, shares, leaders;

static void set_up(corio_runtime *runtime, size_t value_bytes)
{
    dispatcher = add_dispatcher(runtime, answer_all);
    assert_int_equal(corio_flight_create(value_bytes, &flight), 0);
    executions = shares = leaders = 0;
}

static int many(corio_task_fn *fn)
{
    for (uint64_t i = 0; i < 10000; i++)
        CHECK(corio_go_copy(fn, &i, sizeof i) == 0);
    return corio_wait();
}

/* -- one key -- */

static int fetch(void *arg, void *value)
{
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    *(uint64_t *)value = *(uint64_t *)arg + 1000000;
    ADD(executions);
    return 0;
}

static int do_same(void *arg)
{
    uint64_t value = 0;
    bool shared = false;
    CHECK(corio_do(flight, "key", 3, fetch, arg, &value, &shared) == 0);
    CHECK(value >= 1000000 && value < 1010000 && shared);
    if (value == *(uint64_t *)arg + 1000000)
        ADD(leaders);
    else
        ADD(shares);
    return 0;
}

static int all_do_same(void *arg)
{
    (void)arg;
    return many(do_same);
}

static void concurrent_callers_share_one_execution(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime, sizeof(uint64_t));
        assert_int_equal(corio_run(runtime, all_do_same, NULL), 0);
        assert_int_equal(executions, 1);
        assert_int_equal(leaders, 1);
        assert_int_equal(shares, 9999);
        assert_int_equal(corio_flight_count(flight), 0);
        assert_int_equal(corio_flight_destroy(flight), 0);
    }
}

/* -- different keys -- */

static int do_own(void *arg)
{
    uint64_t value = 0;
    bool shared = true;
    CHECK(corio_do(flight, arg, sizeof(uint64_t), fetch, arg, &value, &shared) == 0);
    CHECK(value == *(uint64_t *)arg + 1000000 && !shared);
    return 0;
}

static int all_do_own(void *arg)
{
    (void)arg;
    return many(do_own);
}

static void different_keys_do_not_wait_for_each_other(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime, sizeof(uint64_t));
        assert_int_equal(corio_run(runtime, all_do_own, NULL), 0);
        assert_int_equal(executions, 10000);
        corio_stats stats = {.size = sizeof stats};
        corio_runtime_stats(runtime, &stats);
        assert_int_equal(stats.phases, 1); /* all in one batch */
        assert_int_equal(corio_flight_destroy(flight), 0);
    }
}

/* -- no old answers: whoever comes after the end does it anew -- */

static int count_up(void *arg, void *value)
{
    (void)arg;
    *(unsigned *)value = ADD(executions);
    return 0;
}

static int do_twice(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        unsigned before = READ(executions), value = 0;
        CHECK(corio_do(flight, "", 0, count_up, NULL, &value, NULL) == 0);
        CHECK(value > 0);
        unsigned again = 0;
        CHECK(corio_do(flight, "", 0, count_up, NULL, &again, NULL) == 0);
        CHECK(again > value && again > before);
    }
    return 0;
}

static int all_do_twice(void *arg)
{
    for (int i = 0; i < 100; i++)
        CHECK(corio_go(do_twice, arg) == 0);
    return corio_wait();
}

static void key_is_forgotten_with_the_result(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime, sizeof(unsigned));
        assert_int_equal(corio_run(runtime, all_do_twice, NULL), 0);
        assert_int_equal(corio_flight_destroy(flight), 0);
    }
}

/* -- errors -- */

static int fetch_nothing(void *arg, void *value)
{
    (void)value;
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    ADD(executions);
    if (*(int *)arg == 0)
        return -ENOENT;
    corio_fail(-ENOENT, "not there");
}

static int do_failing(void *arg)
{
    bool shared;
    int rc = corio_do(flight, "key", 3, fetch_nothing, arg, NULL, &shared);
    CHECK(rc == -ENOENT && shared);
    ADD(shares);
    return 0;
}

static int all_fail(void *arg)
{
    CHECK(corio_set_keep_going(true) == 0);
    for (int i = 0; i < 1000; i++)
        CHECK(corio_go(do_failing, arg) == 0);
    return corio_wait();
}

static void failing_leader_gives_its_error_to_all(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime, 0);
        int leave = 0;
        assert_int_equal(corio_run(runtime, all_fail, &leave), 0);
        assert_int_equal(shares, 1000);
        leave = 1; /* by corio_fail: the leader goes on leaving */
        shares = 0;
        assert_int_equal(corio_run(runtime, all_fail, &leave), -ENOENT);
        assert_int_equal(shares, 999);
        assert_string_equal(corio_runtime_error(runtime)->text, "not there");
        assert_int_equal(executions, 2);
        assert_int_equal(corio_flight_destroy(flight), 0);
    }
}

/* -- a cancelled leader -- */

static int fetch_or_give_up(void *arg, void *value)
{
    int rc = *(int *)arg == 0 ? corio_sleep(UINT64_MAX) : corio_io(dispatcher, NULL, NULL);
    ADD(executions);
    *(int *)value = *(int *)arg;
    return rc;
}

static int lead_or_follow(void *arg)
{
    int value = -1;
    int rc = corio_do(flight, "key", 3, fetch_or_give_up, arg, &value, NULL);
    if (rc == 0) {
        CHECK(value == 1);
        ADD(shares);
    }
    return rc;
}

static int cancel_the_leader(void *arg)
{
    (void)arg;
    int leads = 0, follows = 1;
    corio_group *led;
    CHECK(corio_group_open(NULL, &led) == 0);
    CHECK(corio_group_go_copy(led, lead_or_follow, &leads, sizeof leads) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    for (int i = 0; i < 100; i++)
        CHECK(corio_go_copy(lead_or_follow, &follows, sizeof follows) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    CHECK(corio_flight_count(flight) == 1);
    CHECK(corio_flight_destroy(flight) == -EBUSY);
    CHECK(corio_group_cancel(led, -EINTR) == 0);
    CHECK(corio_group_close(led) == -EINTR);
    return corio_wait();
}

static void cancelled_leader_hands_over(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime, sizeof(int));
        assert_int_equal(corio_run(runtime, cancel_the_leader, NULL), 0);
        assert_int_equal(executions, 2);
        assert_int_equal(shares, 100);
        assert_int_equal(corio_flight_destroy(flight), 0);
    }
}

/* -- misuse -- */

static int do_in_itself(void *arg, void *value)
{
    (void)arg;
    return corio_do(flight, "key", 3, fetch, &executions, value, NULL);
}

static int misuse(void *arg)
{
    (void)arg;
    uint64_t value, number = 1;
    CHECK(corio_do(flight, "key", 3, do_in_itself, NULL, &value, NULL) == -EDEADLK);
    CHECK(corio_do(NULL, "key", 3, fetch, &number, &value, NULL) == -EINVAL);
    CHECK(corio_do(flight, NULL, 3, fetch, &number, &value, NULL) == -EINVAL);
    CHECK(corio_do(flight, "key", 3, NULL, &number, &value, NULL) == -EINVAL);
    CHECK(corio_do(flight, "key", 3, fetch, &number, NULL, NULL) == -EINVAL);
    CHECK(corio_do(flight, NULL, 0, fetch, &number, &value, NULL) == 0);
    return 0;
}

static void misuse_is_a_named_error(void **state)
{
    (void)state;
    uint64_t value;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime, sizeof value);
        assert_int_equal(corio_run(runtime, misuse, NULL), 0);
        assert_int_equal(corio_do(flight, "", 0, fetch, NULL, &value, NULL), -EPERM);
        assert_int_equal(corio_flight_destroy(flight), 0);
    }
    assert_int_equal(corio_flight_create(0, NULL), -EINVAL);
    assert_int_equal(corio_flight_destroy(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(concurrent_callers_share_one_execution),
        cmocka_unit_test(different_keys_do_not_wait_for_each_other),
        cmocka_unit_test(key_is_forgotten_with_the_result),
        cmocka_unit_test(failing_leader_gives_its_error_to_all),
        cmocka_unit_test(cancelled_leader_hands_over),
        cmocka_unit_test(misuse_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
