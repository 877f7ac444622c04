/* SPDX-License-Identifier: MIT
 *
 * Promises: fulfilled by threads and tasks, before and after the wait, broken, given up, misused.
 */
#include "harness.h"

#include <pthread.h>

static corio_promise *promise;
static corio_dispatcher *dispatcher;
static unsigned passed;
static int number = 42;

static void set_up(corio_runtime *runtime)
{
    dispatcher = add_dispatcher(runtime, answer_all);
    assert_int_equal(corio_promise_create(&promise), 0);
    passed = 0;
}

static void run_and_destroy(corio_runtime *runtime, corio_task_fn *root, void *arg)
{
    assert_int_equal(corio_run(runtime, root, arg), 0);
    corio_promise_destroy(promise);
}

/* -- by a thread -- */

/* When all wait. */
static void *fulfil_late(void *arg)
{
    while (corio_promise_wait_count(promise) < *(uint32_t *)arg)
        sched_yield();
    return corio_promise_fulfil(promise, &number) == 0 ? NULL : arg;
}

static int wait_for_number(void *arg)
{
    void *value = NULL;
    (void)arg;
    CHECK(corio_promise_wait(promise, &value) == 0);
    CHECK(value == &number);
    ADD(passed);
    return 0;
}

static int many_wait(void *arg)
{
    uint32_t count = *(uint32_t *)arg;
    for (uint32_t i = 0; i < count; i++)
        CHECK(corio_go(wait_for_number, NULL) == 0);
    return corio_wait();
}

static void a_thread_lets_all_go_on_and_nobody_is_deadlocked(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (uint32_t count = 1; count <= 1000; count = count * 10) {
            pthread_t thread;
            void *rc = &number;
            set_up(runtime);
            assert_int_equal(pthread_create(&thread, NULL, fulfil_late, &count), 0);
            run_and_destroy(runtime, many_wait, &count);
            pthread_join(thread, &rc);
            assert_null(rc);
            assert_int_equal(passed, count);
            assert_string_equal(corio_runtime_report(runtime), "");
        }
    }
}

/* Many promises in flight, while the same tasks do I/O. */
enum { chain_length = 300 };
static corio_promise *chain[chain_length];

static void *fulfil_chain(void *arg)
{
    for (int i = 0; i < chain_length; i++) {
        if (corio_promise_fulfil(chain[i], &chain[i]) != 0)
            return arg;
        corio_promise_destroy(chain[i]);
    }
    return NULL;
}

static int follow_chain(void *arg)
{
    (void)arg;
    for (int i = 0; i < chain_length; i++) {
        void *value = NULL;
        CHECK(i % 3 != 0 || corio_io(dispatcher, NULL, NULL) == 0);
        CHECK(corio_promise_wait(chain[i], &value) == 0 && value == &chain[i]);
    }
    ADD(passed);
    return 0;
}

static int many_follow(void *arg)
{
    for (int i = 0; i < 8; i++)
        CHECK(corio_go(follow_chain, arg) == 0);
    return corio_wait();
}

static void promises_are_fulfilled_while_tasks_do_other_things(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int round = 0; round < 10; round++) {
            pthread_t thread;
            void *rc = &number;
            corio_promise *mine[chain_length];
            set_up(runtime);
            for (int i = 0; i < chain_length; i++) {
                assert_int_equal(corio_promise_create(&chain[i]), 0);
                mine[i] = corio_promise_share(chain[i]);
            }
            assert_int_equal(pthread_create(&thread, NULL, fulfil_chain, &rc), 0);
            run_and_destroy(runtime, many_follow, NULL);
            pthread_join(thread, &rc);
            assert_null(rc);
            assert_int_equal(passed, 8);
            for (int i = 0; i < chain_length; i++)
                corio_promise_destroy(mine[i]);
        }
    }
}

/* -- the waiter destroys it as soon as it can -- */

static void *fulfil_at_once(void *arg)
{
    return corio_promise_fulfil(arg, &number) == 0 ? NULL : arg;
}

static int wait_and_destroy(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        corio_promise *mine;
        void *value, *rc;
        CHECK(corio_promise_create(&mine) == 0);
        CHECK(pthread_create(&thread, NULL, fulfil_at_once, mine) == 0);
        CHECK(corio_promise_wait(mine, &value) == 0 && value == &number);
        corio_promise_destroy(mine);
        CHECK(pthread_join(thread, &rc) == 0 && rc == NULL);
    }
    return 0;
}

static void a_waiter_may_destroy_it_before_the_thread_is_done(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        run_and_destroy(runtime, wait_and_destroy, NULL);
    }
}

/* -- by a task -- */

static int fulfil_by_task(void *arg)
{
    uint64_t *phase = arg;
    for (int i = 0; i < 100; i++)
        CHECK(corio_go(wait_for_number, NULL) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0); /* all wait */
    CHECK(corio_promise_wait_count(promise) == 100);
    CHECK(corio_promise_fulfil(promise, &number) == 0);
    CHECK(corio_wait() == 0);
    /* Before and after the wait, again and again. */
    *phase = READ(passed);
    return wait_for_number(NULL);
}

static int count_phase(void *self, corio_batch *batch)
{
    *(uint64_t *)self = corio_batch_phase(batch);
    return answer_all(NULL, batch);
}

static int see_phase(void *arg)
{
    (void)arg;
    return corio_io(dispatcher, NULL, NULL);
}

static int fulfil_within_a_phase(void *arg)
{
    uint64_t seen = 0;
    CHECK(fulfil_by_task(&seen) == 0 && seen == 100);
    CHECK(see_phase(NULL) == 0);
    return *(uint64_t *)arg == 1 ? 0 : -EBADMSG; /* the second batch is in the second phase */
}

static void a_task_lets_all_go_on_within_the_phase(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        uint64_t phase = 0;
        set_up(runtime);
        corio_dispatcher_options options = {
            .size = sizeof options, .name = "counts", .dispatch = count_phase, .self = &phase};
        assert_int_equal(corio_dispatcher_add(runtime, &options, &dispatcher), 0);
        run_and_destroy(runtime, fulfil_within_a_phase, &phase);
        assert_int_equal(passed, 101);
    }
}

/* -- by a dispatch function -- */

static int fulfil_in_dispatch(void *self, corio_batch *batch)
{
    (void)self;
    return corio_promise_fulfil(promise, &number) == 0 ? answer_all(NULL, batch) : -EBADMSG;
}

static int ask_and_wait(void *arg)
{
    CHECK(corio_go(wait_for_number, NULL) == 0);
    CHECK(corio_io(arg, NULL, NULL) == 0);
    return corio_wait();
}

static void a_dispatcher_may_fulfil_it(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        run_and_destroy(runtime, ask_and_wait, add_dispatcher(runtime, fulfil_in_dispatch));
        assert_int_equal(passed, 1);
    }
}

/* -- waiters of two runtimes -- */

static void *run_another(void *arg)
{
    corio_runtime *runtime = runtime_with(2);
    int rc = corio_run(runtime, many_wait, arg);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    return rc == 0 ? NULL : arg;
}

static int fulfil_for_both(void *arg)
{
    uint32_t count = *(uint32_t *)arg;
    for (uint32_t i = 0; i < count; i++)
        CHECK(corio_go(wait_for_number, NULL) == 0);
    while (corio_promise_wait_count(promise) < 2 * count)
        CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    CHECK(corio_promise_fulfil(promise, &number) == 0);
    return corio_wait();
}

static void tasks_of_several_runtimes_may_wait(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        pthread_t thread;
        uint32_t count = 50;
        void *rc = &number;
        set_up(runtime);
        assert_int_equal(pthread_create(&thread, NULL, run_another, &count), 0);
        assert_int_equal(corio_run(runtime, fulfil_for_both, &count), 0);
        pthread_join(thread, &rc);
        assert_null(rc);
        assert_int_equal(passed, 2 * count);
        corio_promise_destroy(promise);
    }
}

/* -- errors -- */

static int expect(void *arg)
{
    void *value = &passed;
    CHECK(corio_promise_wait(promise, &value) == *(int *)arg && value == &passed);
    ADD(passed);
    return 0;
}

/* arg: what they get: what it failed with, or because it is destroyed. */
static int end_badly(void *arg)
{
    int code = *(int *)arg;
    for (int i = 0; i < 10; i++)
        CHECK(corio_go(expect, arg) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    if (code == -EOWNERDEAD)
        corio_promise_destroy(corio_promise_share(promise));
    else
        CHECK(corio_promise_fail(promise, code) == 0);
    CHECK(corio_wait() == 0);
    CHECK(expect(arg) == 0);
    int late = code == -EOWNERDEAD ? -EOWNERDEAD : -EALREADY;
    CHECK(corio_promise_fulfil(promise, &number) == late);
    CHECK(corio_promise_fail(promise, -EIO) == late);
    return corio_promise_try_wait(promise, NULL) == code ? 0 : -EBADMSG;
}

static void failing_and_destroying_reach_all_who_wait(void **state)
{
    (void)state;
    static int codes[] = {-EIO, -EOWNERDEAD, -EBUSY};
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int i = 0; i < 3; i++) {
            set_up(runtime);
            run_and_destroy(runtime, end_badly, &codes[i]);
            assert_int_equal(passed, 11);
        }
    }
}

static void *destroy_late(void *arg)
{
    while (corio_promise_wait_count(arg) < 10)
        sched_yield();
    corio_promise_destroy(arg); /* the only holder: those who wait hold it while they do */
    return NULL;
}

static int lose(void *arg)
{
    CHECK(corio_promise_wait(arg, NULL) == -EOWNERDEAD);
    ADD(passed);
    return 0;
}

static int ten_lose(void *arg)
{
    for (int i = 0; i < 10; i++)
        CHECK(corio_go(lose, arg) == 0);
    return corio_wait();
}

static void a_thread_may_destroy_it_while_tasks_wait(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        pthread_t thread;
        corio_promise *theirs;
        set_up(runtime);
        assert_int_equal(corio_promise_create(&theirs), 0);
        assert_int_equal(pthread_create(&thread, NULL, destroy_late, theirs), 0);
        run_and_destroy(runtime, ten_lose, theirs);
        pthread_join(thread, NULL);
        assert_int_equal(passed, 10);
    }
}

/* -- giving up -- */

static int wait_a_moment(void *arg)
{
    (void)arg;
    CHECK(corio_promise_wait_until(promise, corio_now_ns() + 1000000, NULL) == -ETIMEDOUT);
    ADD(passed);
    return 0;
}

static int wait_in_vain(void *arg)
{
    (void)arg;
    CHECK(corio_promise_wait(promise, NULL) == -ECANCELED);
    ADD(passed);
    return -ECANCELED;
}

static int give_up(void *arg)
{
    corio_group *group;
    CHECK(corio_group_open(NULL, &group) == 0);
    for (int i = 0; i < 10; i++) {
        CHECK(corio_go(wait_a_moment, arg) == 0);
        CHECK(corio_group_go(group, wait_in_vain, arg) == 0);
    }
    CHECK(corio_wait() == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0); /* those in the group wait, whatever was late */
    CHECK(corio_group_cancel(group, -EINTR) == 0);
    CHECK(corio_group_close(group) == -EINTR);
    CHECK(corio_promise_wait_count(promise) == 0);
    CHECK(corio_promise_fulfil(promise, &number) == 0);
    /* Neither a deadline that has passed nor being cancelled matters now. */
    void *value = NULL;
    CHECK(corio_promise_wait_until(promise, 1, &value) == 0);
    return value == &number ? 0 : -EBADMSG;
}

static void waiters_give_up_at_their_deadline_and_when_cancelled(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        run_and_destroy(runtime, give_up, NULL);
        assert_int_equal(passed, 20);
    }
}

/* Deadlines, cancellations and fulfilment by a thread at the same moment: each waiter that began has
 * one of the three, and nobody is lost. */
static unsigned begun, over;

static int race(void *arg)
{
    void *value = NULL;
    ADD(begun);
    int rc = corio_promise_wait_until(promise, corio_now_ns() + (uint64_t)(uintptr_t)arg, &value);
    CHECK(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED);
    CHECK(value == (rc == 0 ? &number : NULL));
    ADD(passed);
    return rc == -ECANCELED ? rc : 0;
}

static int many_race(void *arg)
{
    corio_group_options options = {.size = sizeof options,
                                   .deadline_ns = corio_now_ns() + *(uint64_t *)arg};
    corio_group *group;
    CHECK(corio_group_open(&options, &group) == 0);
    for (uintptr_t i = 0; i < 50; i++)
        CHECK(corio_group_go(group, race, (void *)(20000 + 5000 * i)) == 0);
    int rc = corio_group_close(group);
    return rc == -ETIMEDOUT ? 0 : rc;
}

/* Or when nobody will any more. */
static void *fulfil_when_some_wait(void *arg)
{
    while (READ(over) == 0 && corio_promise_wait_count(promise) < 25)
        sched_yield();
    return corio_promise_fulfil(promise, &number) == 0 ? NULL : arg;
}

static void fulfilment_races_with_giving_up(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int round = 0; round < 100; round++) {
            pthread_t thread;
            void *rc = &number;
            uint64_t limit = 20000 + 3000 * (uint64_t)round;
            begun = over = 0;
            set_up(runtime);
            assert_int_equal(pthread_create(&thread, NULL, fulfil_when_some_wait, &rc), 0);
            assert_int_equal(corio_run(runtime, many_race, &limit), 0);
            ADD(over);
            pthread_join(thread, &rc);
            assert_null(rc);
            assert_int_equal(passed, begun); /* a cancelled group begins no more of them */
            assert_int_equal(corio_promise_wait_count(promise), 0);
            corio_promise_destroy(promise);
        }
    }
}

/* -- misuse -- */

static int misuse_in_task(void *arg)
{
    (void)arg;
    CHECK(corio_promise_wait(NULL, NULL) == -EINVAL);
    CHECK(corio_promise_try_wait(promise, NULL) == -EBUSY);
    CHECK(corio_promise_fulfil(promise, NULL) == 0);
    CHECK(corio_promise_fulfil(promise, &number) == -EALREADY);
    void *value = &number;
    CHECK(corio_promise_wait(promise, &value) == 0 && value == NULL);
    return corio_promise_wait(promise, NULL);
}

static void misuse_is_a_named_error(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        run_and_destroy(runtime, misuse_in_task, NULL);
    }
    assert_int_equal(corio_promise_create(NULL), -EINVAL);
    assert_int_equal(corio_promise_create(&promise), 0);
    assert_int_equal(corio_promise_wait(promise, NULL), -EPERM);
    assert_int_equal(corio_promise_fulfil(NULL, NULL), -EINVAL);
    assert_int_equal(corio_promise_fail(NULL, -EIO), -EINVAL);
    assert_int_equal(corio_promise_fail(promise, 0), -EINVAL);
    assert_int_equal(corio_promise_fail(promise, 1), -EINVAL);
    assert_int_equal(corio_promise_try_wait(NULL, NULL), -EINVAL);
    assert_int_equal(corio_promise_try_wait(promise, NULL), -EBUSY);
    assert_null(corio_promise_share(NULL));
    assert_int_equal(corio_promise_wait_count(NULL), 0);
    corio_promise_destroy(promise);
    corio_promise_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_lets_all_go_on_and_nobody_is_deadlocked),
        cmocka_unit_test(promises_are_fulfilled_while_tasks_do_other_things),
        cmocka_unit_test(a_waiter_may_destroy_it_before_the_thread_is_done),
        cmocka_unit_test(a_task_lets_all_go_on_within_the_phase),
        cmocka_unit_test(a_dispatcher_may_fulfil_it),
        cmocka_unit_test(tasks_of_several_runtimes_may_wait),
        cmocka_unit_test(failing_and_destroying_reach_all_who_wait),
        cmocka_unit_test(a_thread_may_destroy_it_while_tasks_wait),
        cmocka_unit_test(waiters_give_up_at_their_deadline_and_when_cancelled),
        cmocka_unit_test(fulfilment_races_with_giving_up),
        cmocka_unit_test(misuse_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
