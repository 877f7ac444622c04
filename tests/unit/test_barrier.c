/* SPDX-License-Identifier: MIT
 *
 * Barriers: rounds, breaking, resetting, misuse.
 */
#include "harness.h"

enum { parties = 7, rounds = 100 };

static corio_barrier barrier;
static corio_dispatcher *dispatcher;
static unsigned arrived[rounds], last[rounds], passed;

static void set_up(corio_runtime *runtime)
{
    dispatcher = add_dispatcher(runtime, answer_all);
    assert_int_equal(corio_barrier_init(&barrier, parties), 0);
    memset(arrived, 0, sizeof arrived);
    memset(last, 0, sizeof last);
    passed = 0;
}

static int let_all_wait(void)
{
    return corio_io(dispatcher, NULL, NULL);
}

/* -- rounds -- */

static int go_round(void *arg)
{
    unsigned number = *(unsigned *)arg;
    for (unsigned round = 0; round < rounds; round++) {
        if ((round + number) % 20 == 0)
            CHECK(corio_io(dispatcher, NULL, NULL) == 0);
        ADD(arrived[round]);
        int rc = corio_barrier_wait(&barrier);
        CHECK(rc == 0 || rc == 1);
        CHECK(READ(arrived[round]) == parties); /* nobody is late, nobody a round ahead */
        if (rc == 1)
            ADD(last[round]);
    }
    return 0;
}

static int all_go_round(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < parties; i++)
        CHECK(corio_go_copy(go_round, &i, sizeof i) == 0);
    return corio_wait();
}

static void all_wait_for_all_round_after_round(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int again = 0; again < 10; again++) {
            set_up(runtime);
            assert_int_equal(corio_run(runtime, all_go_round, NULL), 0);
            for (int i = 0; i < rounds; i++)
                assert_int_equal(last[i], 1);
            assert_int_equal(corio_barrier_wait_count(&barrier), 0);
        }
    }
}

/* -- breaking -- */

static int wait_and_break(void *arg)
{
    int rc = *(bool *)arg ? corio_barrier_wait(&barrier)
                          : corio_barrier_wait_until(&barrier, corio_now_ns() + 1000000);
    CHECK(rc == (*(bool *)arg ? -ECANCELED : -ETIMEDOUT));
    CHECK(!*(bool *)arg || corio_barrier_wait(&barrier) == CORIO_EBROKEN);
    return rc;
}

static int find_it_broken(void *arg)
{
    (void)arg;
    CHECK(corio_barrier_wait(&barrier) == CORIO_EBROKEN);
    CHECK(corio_barrier_is_broken(&barrier));
    ADD(passed);
    return 0;
}

static int pass_it(void *arg)
{
    int rc = corio_barrier_wait(&barrier);
    (void)arg;
    CHECK(rc == 0 || rc == 1);
    ADD(passed);
    return 0;
}

static int break_it(void *arg)
{
    bool cancelled = *(bool *)arg;
    corio_group *group;
    CHECK(corio_group_open(NULL, &group) == 0);
    for (int i = 0; i < parties - 2; i++)
        CHECK(corio_go(find_it_broken, NULL) == 0);
    CHECK(let_all_wait() == 0 && corio_barrier_wait_count(&barrier) == parties - 2);
    CHECK(corio_group_go(group, wait_and_break, arg) == 0);
    if (cancelled) {
        CHECK(let_all_wait() == 0);
        CHECK(!corio_barrier_is_broken(&barrier));
        CHECK(corio_group_cancel(group, -EINTR) == 0);
    }
    CHECK(corio_group_close(group) == (cancelled ? -EINTR : -ETIMEDOUT));
    CHECK(corio_wait() == 0 && READ(passed) == parties - 2);
    CHECK(corio_barrier_wait(&barrier) == CORIO_EBROKEN);
    CHECK(corio_barrier_reset(&barrier) == 0 && !corio_barrier_is_broken(&barrier));
    for (int i = 0; i < parties; i++)
        CHECK(corio_go(pass_it, NULL) == 0);
    return corio_wait();
}

static void who_gives_up_breaks_it_for_all_until_it_is_reset(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int cancelled = 0; cancelled < 2; cancelled++) {
            bool how = cancelled;
            set_up(runtime);
            assert_int_equal(corio_run(runtime, break_it, &how), 0);
            assert_int_equal(passed, 2 * parties - 2);
        }
    }
}

/* Those who are cancelled together are told so. */
static int find_it_cancelled(void *arg)
{
    (void)arg;
    CHECK(corio_barrier_wait(&barrier) == -ECANCELED);
    ADD(passed);
    return -ECANCELED;
}

static int come_cancelled(void *arg)
{
    (void)arg;
    CHECK(corio_sleep(UINT64_MAX) == -ECANCELED);
    CHECK(corio_barrier_wait(&barrier) == -ECANCELED); /* it comes, and cannot wait */
    ADD(passed);
    return -ECANCELED;
}

static int cancel_all(void *arg)
{
    (void)arg;
    for (int i = 0; i < parties - 1; i++)
        CHECK(corio_go(find_it_cancelled, NULL) == 0);
    CHECK(let_all_wait() == 0);
    CHECK(corio_cancel_children(-EINTR) == 0);
    CHECK(corio_wait() == -EINTR && READ(passed) == parties - 1);
    CHECK(corio_barrier_is_broken(&barrier) && corio_barrier_reset(&barrier) == 0);
    corio_group *group;
    CHECK(corio_group_open(NULL, &group) == 0);
    CHECK(corio_group_go(group, come_cancelled, NULL) == 0);
    for (int i = 0; i < parties - 2; i++)
        CHECK(corio_go(find_it_broken, NULL) == 0);
    CHECK(let_all_wait() == 0);
    CHECK(corio_group_cancel(group, -EINTR) == 0 && corio_group_close(group) == -EINTR);
    CHECK(corio_wait() == 0 && READ(passed) == 2 * parties - 2);
    return 0;
}

static void cancelled_together_and_coming_cancelled(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, cancel_all, NULL), 0);
    }
}

/* -- misuse, deadlock -- */

static int find_a_deadlock(void *arg)
{
    (void)arg;
    CHECK(corio_barrier_wait(&barrier) == -EDEADLK);
    ADD(passed);
    return 0;
}

static int find_it_reset(void *arg)
{
    (void)arg;
    CHECK(corio_barrier_wait(&barrier) == CORIO_EBROKEN);
    CHECK(!corio_barrier_is_broken(&barrier));
    return 0;
}

static int misuse(void *arg)
{
    corio_barrier zeroed;
    memset(&zeroed, 0, sizeof zeroed);
    CHECK(corio_barrier_wait(NULL) == -EINVAL && corio_barrier_wait(&zeroed) == -EINVAL);
    CHECK(corio_barrier_reset(NULL) == -EINVAL);
    for (int i = 0; i < parties - 1; i++)
        CHECK(corio_go(find_a_deadlock, NULL) == 0);
    CHECK(corio_wait() == 0 && READ(passed) == parties - 1);
    CHECK(
        strstr(corio_runtime_report(arg), "task find_a_deadlock (3) waits in corio_barrier_wait"));
    CHECK(corio_barrier_is_broken(&barrier));
    CHECK(corio_barrier_reset(&barrier) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(corio_go(find_it_reset, NULL) == 0);
    CHECK(let_all_wait() == 0 && corio_barrier_wait_count(&barrier) == 3);
    CHECK(corio_barrier_reset(&barrier) == 0 && corio_wait() == 0);
    CHECK(corio_barrier_wait_until(&barrier, 1) == -ETIMEDOUT && corio_barrier_is_broken(&barrier));
    CHECK(corio_barrier_init(&barrier, 1) == 0);
    CHECK(corio_barrier_wait(&barrier) == 1 && corio_barrier_wait_until(&barrier, 1) == 1);
    return 0;
}

static void misuse_is_a_named_error(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, misuse, runtime), 0);
    }
    assert_int_equal(corio_barrier_wait(&barrier), -EPERM);
    assert_int_equal(corio_barrier_reset(&barrier), -EPERM);
    assert_int_equal(corio_barrier_init(&barrier, 0), -EINVAL);
    assert_int_equal(corio_barrier_init(NULL, 1), -EINVAL);
    assert_false(corio_barrier_is_broken(NULL));
    assert_int_equal(corio_barrier_wait_count(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_wait_for_all_round_after_round),
        cmocka_unit_test(who_gives_up_breaks_it_for_all_until_it_is_reset),
        cmocka_unit_test(cancelled_together_and_coming_cancelled),
        cmocka_unit_test(misuse_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
