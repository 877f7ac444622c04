/* SPDX-License-Identifier: MIT
 *
 * Conditions: no signal is missed, the mutex is held on return, giving up, misuse.
 */
#include "harness.h"

enum { items = 2000 };

static corio_condition changed, room;
static corio_mutex mutex;
static corio_dispatcher *dispatcher;
static unsigned passed, stored, taken, inside;

static void set_up(corio_runtime *runtime)
{
    dispatcher = add_dispatcher(runtime, answer_all);
    changed = room = (corio_condition)CORIO_CONDITION_INIT;
    mutex = (corio_mutex)CORIO_MUTEX_INIT;
    passed = stored = taken = inside = 0;
}

/* By now everybody waits who has to. */
static int let_all_wait(void)
{
    return corio_io(dispatcher, NULL, NULL);
}

/* -- a store with room for four: no signal is missed, one task at a time is inside -- */

static int produce(void *arg)
{
    (void)arg;
    for (int i = 0; i < items / 4; i++) {
        CHECK(corio_mutex_lock(&mutex) == 0);
        while (stored == 4)
            CHECK(corio_condition_wait(&room, &mutex) == 0);
        CHECK(ADD(inside) == 1);
        stored++;
        __atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
        CHECK(corio_condition_signal(&changed) == 0);
        CHECK(corio_mutex_unlock(&mutex) == 0);
    }
    return 0;
}

static int consume(void *arg)
{
    (void)arg;
    for (int i = 0; i < items / 4; i++) {
        CHECK(corio_mutex_lock(&mutex) == 0);
        while (stored == 0)
            CHECK(corio_condition_wait(&changed, &mutex) == 0);
        CHECK(ADD(inside) == 1);
        stored--;
        taken++;
        __atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
        CHECK(corio_mutex_unlock(&mutex) == 0);
        CHECK(corio_condition_signal(&room) == 0); /* not held: that works as well */
    }
    return 0;
}

static int produce_and_consume(void *arg)
{
    for (int i = 0; i < 4; i++) {
        CHECK(corio_go(produce, arg) == 0);
        CHECK(corio_go(consume, arg) == 0);
    }
    return corio_wait();
}

static void no_signal_is_missed(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, produce_and_consume, NULL), 0);
        assert_int_equal(taken, items);
        assert_int_equal(stored, 0);
        assert_int_equal(corio_mutex_destroy(&mutex), 0);
        assert_int_equal(corio_condition_wait_count(&changed), 0);
    }
}

/* -- signal wakes the first, broadcast all -- */

static int order[8];

static int wait_once(void *arg)
{
    CHECK(corio_mutex_lock(&mutex) == 0);
    CHECK(corio_condition_wait(&changed, &mutex) == 0);
    order[passed++] = *(int *)arg;
    return corio_mutex_unlock(&mutex);
}

static int signal_some(void *arg)
{
    (void)arg;
    CHECK(corio_condition_signal(&changed) == 0); /* lost */
    for (int i = 0; i < 8; i++) {
        CHECK(corio_go_copy(wait_once, &i, sizeof i) == 0);
        CHECK(let_all_wait() == 0);
    }
    CHECK(corio_condition_wait_count(&changed) == 8);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(corio_condition_signal(&changed) == 0);
        CHECK(let_all_wait() == 0);
        CHECK(passed == i + 1 && order[i] == (int)i);
    }
    CHECK(corio_condition_broadcast(&changed) == 0);
    CHECK(corio_wait() == 0 && passed == 8);
    return 0;
}

static void signal_wakes_the_first_and_broadcast_all(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, signal_some, NULL), 0);
    }
}

/* -- the mutex is held on return -- */

static int wait_cancelled(void *arg)
{
    (void)arg;
    CHECK(corio_mutex_lock(&mutex) == 0);
    CHECK(corio_condition_wait(&changed, &mutex) == -ECANCELED);
    CHECK(ADD(inside) == 1);
    CHECK(corio_mutex_try_lock(&mutex) == -EDEADLK); /* held by this task */
    CHECK(corio_condition_wait(&changed, &mutex) == -ECANCELED);
    CHECK(corio_mutex_try_lock(&mutex) == -EDEADLK);
    CHECK(corio_shield(false) == 0 && corio_cancelled() == -ECANCELED);
    passed++;
    __atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
    return corio_mutex_unlock(&mutex);
}

/* The mutex is taken when they are cancelled: they wait for it all the same. */
static int cancel_waiting(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        CHECK(corio_go(wait_cancelled, NULL) == 0);
    CHECK(let_all_wait() == 0);
    CHECK(corio_condition_wait_count(&changed) == 10);
    CHECK(corio_mutex_lock(&mutex) == 0);
    CHECK(corio_cancel_children(-EINTR) == 0);
    CHECK(let_all_wait() == 0);
    CHECK(corio_condition_wait_count(&changed) == 0 && corio_mutex_wait_count(&mutex) == 10);
    CHECK(passed == 0);
    CHECK(let_all_wait() == 0 && corio_mutex_wait_count(&mutex) == 10);
    CHECK(corio_mutex_unlock(&mutex) == 0);
    CHECK(corio_wait() == -EINTR && passed == 10);
    return 0;
}

static int wait_for_a_while(void *arg)
{
    (void)arg;
    CHECK(corio_mutex_lock(&mutex) == 0);
    CHECK(corio_condition_wait_until(&changed, &mutex, corio_now_ns() + 3000000) == -ETIMEDOUT);
    CHECK(corio_mutex_try_lock(&mutex) == -EDEADLK);
    passed++;
    return corio_mutex_unlock(&mutex);
}

static int time_out(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        CHECK(corio_go(wait_for_a_while, NULL) == 0);
    CHECK(let_all_wait() == 0);
    CHECK(corio_mutex_lock(&mutex) == 0);
    unsigned before = passed; /* those that were faster */
    while (corio_condition_wait_count(&changed) > 0)
        CHECK(corio_sleep(1000000) == 0);
    CHECK(let_all_wait() == 0);
    CHECK(passed == before && corio_mutex_wait_count(&mutex) == 10 - before);
    CHECK(corio_mutex_unlock(&mutex) == 0);
    CHECK(corio_wait() == 0 && passed == 10);
    return 0;
}

static void mutex_is_held_on_return_in_every_case(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, cancel_waiting, NULL), 0);
        set_up(runtime);
        assert_int_equal(corio_run(runtime, time_out, NULL), 0);
    }
}

/* -- deadlock, misuse -- */

static int hold_for_good(void *arg)
{
    (void)arg;
    CHECK(corio_mutex_lock(&mutex) == 0);
    return corio_condition_signal(&changed);
}

static int lose_the_mutex(void *arg)
{
    (void)arg;
    CHECK(corio_mutex_lock(&mutex) == 0);
    CHECK(corio_go(hold_for_good, NULL) == 0);
    CHECK(corio_condition_wait(&changed, &mutex) == -ENOTRECOVERABLE);
    CHECK(corio_mutex_unlock(&mutex) == -EPERM);
    return 0;
}

static int wait_with_another(void *arg)
{
    (void)arg;
    corio_mutex another = CORIO_MUTEX_INIT;
    CHECK(let_all_wait() == 0);
    CHECK(corio_mutex_lock(&another) == 0);
    CHECK(corio_condition_wait(&changed, &another) == -EINVAL);
    CHECK(corio_mutex_unlock(&another) == 0);
    return corio_condition_signal(&changed);
}

static int misuse(void *arg)
{
    CHECK(corio_condition_wait(&changed, &mutex) == -EPERM);
    CHECK(corio_condition_wait(NULL, &mutex) == -EINVAL);
    CHECK(corio_condition_wait(&changed, NULL) == -EINVAL);
    CHECK(corio_condition_signal(NULL) == -EINVAL && corio_condition_broadcast(NULL) == -EINVAL);
    CHECK(corio_mutex_lock(&mutex) == 0);
    CHECK(corio_condition_wait_until(&changed, &mutex, 1) == -ETIMEDOUT);
    CHECK(corio_condition_wait(&changed, &mutex) == -EDEADLK);
    CHECK(strstr(corio_runtime_report(arg), "task misuse () waits in corio_condition_wait"));
    CHECK(corio_go(wait_with_another, NULL) == 0);
    CHECK(corio_condition_wait(&changed, &mutex) == 0);
    CHECK(corio_mutex_unlock(&mutex) == 0);
    return corio_wait();
}

static void misuse_is_a_named_error(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, misuse, runtime), 0);
        set_up(runtime);
        assert_int_equal(corio_run(runtime, lose_the_mutex, NULL), 0);
    }
    assert_int_equal(corio_condition_wait(&changed, &mutex), -EPERM);
    assert_int_equal(corio_condition_signal(&changed), -EPERM);
    assert_int_equal(corio_condition_wait_count(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_signal_is_missed),
        cmocka_unit_test(signal_wakes_the_first_and_broadcast_all),
        cmocka_unit_test(mutex_is_held_on_return_in_every_case),
        cmocka_unit_test(misuse_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
