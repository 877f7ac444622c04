/* SPDX-License-Identifier: MIT
 *
 * Semaphores: limits, order, giving up, misuse.
 */
#include "harness.h"

static corio_semaphore semaphore;
static corio_dispatcher *dispatcher;
static unsigned inside, most_inside, passed;

static void set_up(corio_runtime *runtime, uint64_t permits)
{
    dispatcher = add_dispatcher(runtime, answer_all);
    assert_int_equal(corio_semaphore_init(&semaphore, permits), 0);
    inside = most_inside = passed = 0;
}

/* By now everybody waits who has to. */
static int let_all_wait(void)
{
    return corio_io(dispatcher, NULL, NULL);
}

/* -- never more than there are -- */

static int work(void *arg)
{
    uint64_t permits = 1 + *(uint64_t *)arg % 3;
    for (int i = 0; i < 10; i++) {
        CHECK(corio_semaphore_acquire(&semaphore, permits) == 0);
        unsigned now = __atomic_add_fetch(&inside, (unsigned)permits, __ATOMIC_RELAXED);
        CHECK(now <= 5);
        raise_to(&most_inside, now);
        if (i == 5)
            CHECK(corio_io(dispatcher, NULL, NULL) == 0);
        __atomic_sub_fetch(&inside, (unsigned)permits, __ATOMIC_RELAXED);
        CHECK(corio_semaphore_release(&semaphore, permits) == 0);
    }
    return 0;
}

static int all_work(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < 300; i++)
        CHECK(corio_go_copy(work, &i, sizeof i) == 0);
    return corio_wait();
}

static void no_more_are_inside_than_there_are_permits(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime, 5);
        assert_int_equal(corio_run(runtime, all_work, NULL), 0);
        assert_int_equal(most_inside, 5);
        assert_int_equal(corio_semaphore_count(&semaphore), 5);
        assert_int_equal(corio_semaphore_wait_count(&semaphore), 0);
    }
}

/* -- order: a large request is not overtaken -- */

static int order[8], order_count;

static int queue_up(void *arg)
{
    int number = *(int *)arg;
    CHECK(corio_semaphore_acquire(&semaphore, number % 2 == 0 ? 4 : 1) == 0);
    order[order_count++] = number; /* one at a time: the root releases one after the other */
    return 0;
}

static int serve_in_order(void *arg)
{
    (void)arg;
    for (int i = 0; i < 8; i++) {
        CHECK(corio_go_copy(queue_up, &i, sizeof i) == 0);
        CHECK(let_all_wait() == 0);
        CHECK(corio_semaphore_wait_count(&semaphore) == (uint32_t)i + 1);
    }
    for (int i = 0; i < 8; i++) {
        if (i % 2 == 0) { /* three are too few for the first, and nobody walks past it */
            CHECK(corio_semaphore_release(&semaphore, 3) == 0);
            CHECK(corio_semaphore_try_acquire(&semaphore, 1) == -EBUSY);
            CHECK(let_all_wait() == 0);
            CHECK(order_count == i && corio_semaphore_count(&semaphore) == 3);
        }
        CHECK(corio_semaphore_release(&semaphore, 1) == 0);
        CHECK(let_all_wait() == 0);
        CHECK(order_count == i + 1);
    }
    return corio_wait();
}

static void waiters_are_served_in_order_whatever_they_ask(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime, 0);
        order_count = 0;
        assert_int_equal(corio_run(runtime, serve_in_order, NULL), 0);
        for (int i = 0; i < 8; i++)
            assert_int_equal(order[i], i);
    }
}

/* -- giving up lets those behind go on -- */

static int wants_many(void *arg)
{
    uint64_t limit = *(uint64_t *)arg;
    int rc = limit == 0 ? corio_semaphore_acquire(&semaphore, 10)
                        : corio_semaphore_acquire_until(&semaphore, 10, corio_now_ns() + limit);
    CHECK(rc == (limit == 0 ? -ECANCELED : -ETIMEDOUT));
    return rc;
}

static int wants_one(void *arg)
{
    (void)arg;
    CHECK(corio_semaphore_acquire(&semaphore, 1) == 0);
    ADD(passed);
    return 0;
}

static int first_gives_up(void *arg)
{
    bool cancelled = *(uint64_t *)arg == 0;
    corio_group *group;
    CHECK(corio_group_open(NULL, &group) == 0);
    CHECK(corio_group_go_copy(group, wants_many, arg, sizeof(uint64_t)) == 0);
    CHECK(!cancelled || let_all_wait() == 0);
    if (cancelled)
        CHECK(corio_group_go_copy(group, wants_many, arg, sizeof(uint64_t)) == 0);
    CHECK(let_all_wait() == 0);
    for (int i = 0; i < 4; i++)
        CHECK(corio_go(wants_one, NULL) == 0);
    CHECK(let_all_wait() == 0);
    if (cancelled) {
        CHECK(READ(passed) == 0);
        CHECK(corio_semaphore_wait_count(&semaphore) == 6);
        CHECK(corio_group_cancel(group, -EINTR) == 0);
    }
    CHECK(corio_group_close(group) == (cancelled ? -EINTR : -ETIMEDOUT));
    CHECK(corio_wait() == 0);
    CHECK(READ(passed) == 4 && corio_semaphore_count(&semaphore) == 0);
    return 0;
}

static void giving_up_lets_those_behind_go_on(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (uint64_t limit = 0; limit < 20000000; limit += 10000000) {
            set_up(runtime, 4);
            assert_int_equal(corio_run(runtime, first_gives_up, &limit), 0);
            assert_int_equal(passed, 4);
        }
    }
}

/* -- misuse, limits, deadlock -- */

static int misuse(void *arg)
{
    (void)arg;
    CHECK(corio_semaphore_acquire(NULL, 1) == -EINVAL &&
          corio_semaphore_release(NULL, 1) == -EINVAL);
    CHECK(corio_semaphore_try_acquire(NULL, 1) == -EINVAL);
    CHECK(corio_semaphore_acquire(&semaphore, 0) == 0);
    CHECK(corio_semaphore_try_acquire(&semaphore, 2) == 0);
    CHECK(corio_semaphore_try_acquire(&semaphore, 1) == -EBUSY);
    CHECK(corio_semaphore_acquire_until(&semaphore, 1, 1) == -ETIMEDOUT); /* long past */
    CHECK(corio_semaphore_acquire(&semaphore, 1) == -EDEADLK);
    CHECK(corio_semaphore_wait_count(&semaphore) == 0);
    CHECK(corio_semaphore_release(&semaphore, UINT64_MAX) == 0);
    CHECK(corio_semaphore_release(&semaphore, 1) == -EOVERFLOW);
    CHECK(corio_semaphore_acquire_until(&semaphore, UINT64_MAX, 1) == 0); /* no need to wait */
    return 0;
}

static void misuse_is_a_named_error(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime, 2);
        assert_int_equal(corio_run(runtime, misuse, NULL), 0);
        assert_non_null(strstr(corio_runtime_report(runtime),
                               "task misuse () waits in corio_semaphore_acquire"));
    }
    assert_int_equal(corio_semaphore_acquire(&semaphore, 1), -EPERM);
    assert_int_equal(corio_semaphore_try_acquire(&semaphore, 1), -EPERM);
    assert_int_equal(corio_semaphore_release(&semaphore, 1), -EPERM);
    assert_int_equal(corio_semaphore_init(NULL, 1), -EINVAL);
    assert_int_equal(corio_semaphore_count(NULL), 0);
    assert_int_equal(corio_semaphore_wait_count(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_are_inside_than_there_are_permits),
        cmocka_unit_test(waiters_are_served_in_order_whatever_they_ask),
        cmocka_unit_test(giving_up_lets_those_behind_go_on),
        cmocka_unit_test(misuse_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
