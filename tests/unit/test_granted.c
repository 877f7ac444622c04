/* SPDX-License-Identifier: MIT
 *
 * Nobody goes on without being granted what he waits for, nobody who is granted it is left asleep,
 * and nothing asked is dropped: around the moments where a task wakes its own parent, or itself
 * could be the one to be woken.
 */
#include "harness.h"

static corio_dispatcher *dispatcher;
static corio_mutex mutex;
static corio_waitgroup group;
static unsigned answered, finished;

static int answer(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        ADD(answered);
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static void add(corio_runtime *runtime, corio_dispatch_fn *fn)
{
    corio_dispatcher_options options = {.size = sizeof options, .name = "it", .dispatch = fn};
    assert_int_equal(corio_dispatcher_add(runtime, &options, &dispatcher), 0);
    answered = finished = 0;
}

/* -- a parent lets its last child finish -- */

static int lock_and_end(void *arg)
{
    (void)arg;
    CHECK(corio_mutex_lock(&mutex) == 0);
    ADD(finished);
    return corio_mutex_unlock(&mutex);
}

static int wait_and_end(void *arg)
{
    (void)arg;
    CHECK(corio_waitgroup_wait(&group) == 0);
    ADD(finished);
    return 0;
}

static int release_last_child(void *arg)
{
    (void)arg;
    for (int round = 0; round < 100; round++) {
        CHECK(corio_mutex_lock(&mutex) == 0);
        CHECK(corio_go(lock_and_end, NULL) == 0);
        CHECK(corio_io(dispatcher, NULL, NULL) == 0); /* the child waits by now */
        CHECK(corio_mutex_unlock(&mutex) == 0);
        CHECK(corio_wait() == 0);
        CHECK(corio_waitgroup_add(&group, 1) == 0);
        CHECK(corio_go(wait_and_end, NULL) == 0);
        CHECK(corio_io(dispatcher, NULL, NULL) == 0);
        CHECK(corio_waitgroup_done(&group) == 0);
        CHECK(corio_wait() == 0);
        CHECK(READ(finished) == 2 * (unsigned)(round + 1));
    }
    return 0;
}

static void parent_that_lets_its_last_child_finish_is_woken(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        add(runtime, answer);
        assert_int_equal(corio_run(runtime, release_last_child, NULL), 0);
    }
}

/* -- a parent returns while its child is in I/O -- */

static int ask_twice(void *arg)
{
    (void)arg;
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    ADD(finished);
    return -ENOLINK;
}

static int return_at_once(void *arg)
{
    (void)arg;
    return corio_go(ask_twice, NULL);
}

static int spawn_returning_parent(void *arg)
{
    CHECK(corio_go(return_at_once, arg) == 0);
    return corio_wait();
}

static void child_of_a_parent_that_has_returned_is_answered_and_heard(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        add(runtime, answer);
        assert_int_equal(corio_run(runtime, return_at_once, NULL), -ENOLINK);
        assert_int_equal(corio_run(runtime, spawn_returning_parent, NULL), -ENOLINK);
        assert_int_equal(answered, 4);
        assert_int_equal(finished, 2);
    }
}

/* -- nothing in flight: a blocked call does not return as if granted -- */

static int block_for_good(void *arg)
{
    (void)arg;
    CHECK(corio_waitgroup_wait(&group) == -EDEADLK);
    return -ENOLINK;
}

static int blocked_root(void *arg)
{
    (void)arg;
    corio_group *children;
    CHECK(corio_waitgroup_add(&group, 1) == 0);
    CHECK(corio_waitgroup_wait(&group) == -EDEADLK);
    CHECK(corio_group_open(NULL, &children) == 0);
    CHECK(corio_group_go(children, block_for_good, NULL) == 0);
    CHECK(corio_group_close(children) == -ENOLINK); /* after the child, not before */
    CHECK(corio_go(block_for_good, NULL) == 0);
    CHECK(corio_wait() == -ENOLINK);
    return corio_waitgroup_done(&group);
}

static void blocked_call_with_nothing_in_flight_is_a_deadlock(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, blocked_root, NULL), 0);
        assert_non_null(strstr(corio_runtime_report(runtime), "deadlock"));
    }
}

/* -- more slices than there are permits, from inside the dispatcher; none at all -- */

static int answer_slice(void *arg, corio_batch *slice)
{
    return answer(arg, slice);
}

static int slice_singly(void *self, corio_batch *batch)
{
    corio_batch *slice;
    if (corio_batch_slice(batch, 0, 0, &slice) != -EINVAL)
        return -EBADMSG;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        if (corio_batch_slice(batch, i, 1, &slice) != 0 ||
            corio_batch_submit(slice, answer_slice, self) != 0)
            return -EBADMSG;
    }
    return CORIO_DONE;
}

static int ask_once(void *arg)
{
    (void)arg;
    return corio_io(dispatcher, NULL, NULL);
}

static int many_ask(void *arg)
{
    for (int i = 0; i < 1000; i++)
        CHECK(corio_go(ask_once, arg) == 0);
    return corio_wait();
}

static void any_number_of_slices_may_be_submitted_from_a_dispatcher(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        add(runtime, slice_singly);
        assert_int_equal(corio_run(runtime, many_ask, NULL), 0);
        assert_int_equal(answered, 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parent_that_lets_its_last_child_finish_is_woken),
        cmocka_unit_test(child_of_a_parent_that_has_returned_is_answered_and_heard),
        cmocka_unit_test(blocked_call_with_nothing_in_flight_is_a_deadlock),
        cmocka_unit_test(any_number_of_slices_may_be_submitted_from_a_dispatcher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
