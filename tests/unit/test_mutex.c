/* SPDX-License-Identifier: MIT
 *
 * Mutex: exclusion, order, misuse.
 */
#include "harness.h"

static corio_mutex mutex;
static corio_dispatcher *dispatcher;
static unsigned inside, most_inside;
static unsigned long counter;

static int increment(void *arg)
{
    int with_io = *(int *)arg;
    for (int i = 0; i < 10; i++) {
        CHECK(corio_mutex_lock(&mutex) == 0);
        unsigned now = ADD(inside);
        if (now > most_inside)
            most_inside = now;
        unsigned long seen = counter;
        if (with_io && i == 5)
            CHECK(corio_io(dispatcher, NULL, NULL) == 0);
        counter = seen + 1;
        __atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
        CHECK(corio_mutex_unlock(&mutex) == 0);
    }
    return 0;
}

static int many_increments(void *arg)
{
    for (int i = 0; i < 1000; i++)
        CHECK(corio_go(increment, arg) == 0);
    return corio_wait();
}

static void only_one_task_is_inside(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        dispatcher = add_dispatcher(runtime, answer_all);
        for (int with_io = 0; with_io < 2; with_io++) {
            counter = inside = most_inside = 0;
            assert_int_equal(corio_run(runtime, many_increments, &with_io), 0);
            assert_int_equal(counter, 10000);
            assert_int_equal(most_inside, 1);
            assert_int_equal(corio_mutex_wait_count(&mutex), 0);
        }
    }
}

/* -- order: each asks a phase after the one before it -- */

static int order[8], order_count;

static int queue_up(void *arg)
{
    CHECK(corio_mutex_lock(&mutex) == 0);
    order[order_count++] = *(int *)arg;
    CHECK(corio_mutex_unlock(&mutex) == 0);
    return 0;
}

static int hold_and_let_queue(void *arg)
{
    (void)arg;
    int number[8];
    CHECK(corio_mutex_lock(&mutex) == 0);
    for (int i = 0; i < 8; i++) {
        number[i] = i;
        CHECK(corio_go(queue_up, &number[i]) == 0);
        CHECK(corio_io(dispatcher, NULL, NULL) == 0); /* by now the child waits for the mutex */
        CHECK(corio_mutex_wait_count(&mutex) == (uint32_t)i + 1);
    }
    CHECK(corio_mutex_try_lock(&mutex) == -EDEADLK);
    CHECK(corio_mutex_unlock(&mutex) == 0);
    /* Handed over already: nobody walks in before all who waited have been inside. */
    int rc = corio_mutex_try_lock(&mutex);
    CHECK(rc == -EBUSY || (rc == 0 && order_count == 8));
    CHECK(rc != 0 || corio_mutex_unlock(&mutex) == 0);
    return corio_wait();
}

static void waiters_are_served_in_order(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        dispatcher = add_dispatcher(runtime, answer_all);
        order_count = 0;
        assert_int_equal(corio_run(runtime, hold_and_let_queue, NULL), 0);
        for (int i = 0; i < 8; i++)
            assert_int_equal(order[i], i);
    }
}

/* -- misuse -- */

static int unlock_foreign(void *arg)
{
    (void)arg;
    CHECK(corio_mutex_unlock(&mutex) == -EPERM);
    CHECK(corio_mutex_try_lock(&mutex) == -EBUSY);
    return 0;
}

static int misuse(void *arg)
{
    (void)arg;
    CHECK(corio_mutex_unlock(&mutex) == -EPERM);
    CHECK(corio_mutex_lock(NULL) == -EINVAL);
    CHECK(corio_mutex_unlock(NULL) == -EINVAL);
    CHECK(corio_mutex_lock(&mutex) == 0);
    CHECK(corio_mutex_lock(&mutex) == -EDEADLK);
    CHECK(corio_go(unlock_foreign, NULL) == 0);
    CHECK(corio_wait() == 0);
    CHECK(corio_mutex_unlock(&mutex) == 0);
    CHECK(corio_mutex_unlock(&mutex) == -EPERM);
    return 0;
}

static int hold_for_good(void *arg)
{
    (void)arg;
    CHECK(corio_mutex_lock(&mutex) == 0);
    CHECK(corio_mutex_destroy(&mutex) == -EBUSY);
    return 0;
}

/* A task that ended with the mutex: who is spawned next gets the same frame, but not the mutex. */
static int lock_after_it(void *arg)
{
    (void)arg;
    CHECK(corio_mutex_unlock(&mutex) == -EPERM);
    CHECK(corio_mutex_try_lock(&mutex) == -EBUSY);
    CHECK(corio_mutex_lock(&mutex) == -EDEADLK);
    return 0;
}

static int holder_ends(void *arg)
{
    (void)arg;
    CHECK(corio_go(hold_for_good, NULL) == 0 && corio_wait() == 0);
    CHECK(corio_go(lock_after_it, NULL) == 0);
    return corio_wait();
}

static void address_of_an_ended_holder_is_not_the_holder(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, holder_ends, NULL), 0);
        assert_non_null(strstr(corio_runtime_report(runtime), "held by a task that is complete"));
        assert_int_equal(corio_mutex_destroy(&mutex), -EBUSY);
        mutex = (corio_mutex)CORIO_MUTEX_INIT;
        assert_int_equal(corio_mutex_destroy(&mutex), 0);
        assert_int_equal(corio_mutex_destroy(NULL), -EINVAL);
    }
}

enum { impatient = 10 };
static unsigned timed_out;

static int time_out_in_lock(void *arg)
{
    (void)arg;
    CHECK(corio_mutex_lock_until(&mutex, 1) == -ETIMEDOUT); /* long past */
    CHECK(corio_mutex_lock_until(&mutex, corio_now_ns() + 2000000) == -ETIMEDOUT);
    ADD(timed_out);
    CHECK(corio_mutex_lock_until(&mutex, corio_now_ns() + 1000000000000) == 0);
    return corio_mutex_unlock(&mutex);
}

static int hold_meanwhile(void *arg)
{
    (void)arg;
    CHECK(corio_mutex_lock_until(&mutex, 1) == 0); /* it is free: no need to wait */
    for (int i = 0; i < impatient; i++)
        CHECK(corio_go(time_out_in_lock, NULL) == 0);
    while (READ(timed_out) < impatient)
        CHECK(corio_sleep(1000000) == 0);
    CHECK(corio_mutex_unlock(&mutex) == 0);
    CHECK(corio_wait() == 0);
    return corio_mutex_wait_count(&mutex) == 0 ? 0 : -EBADMSG;
}

static void waiting_ends_at_the_deadline(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        timed_out = 0;
        assert_int_equal(corio_run(runtime, hold_meanwhile, NULL), 0);
    }
}

static void misuse_is_a_named_error(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, misuse, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_one_task_is_inside),
        cmocka_unit_test(waiters_are_served_in_order),
        cmocka_unit_test(address_of_an_ended_holder_is_not_the_holder),
        cmocka_unit_test(waiting_ends_at_the_deadline),
        cmocka_unit_test(misuse_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
