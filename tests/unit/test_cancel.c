/* SPDX-License-Identifier: MIT
 *
 * Cancellation: what starts, what is withdrawn, what returns; deadlines, shields, values.
 */
#include "harness.h"

#include <pthread.h>

static corio_dispatcher *dispatcher;
static unsigned asked, seen_cancelled, cleanups, started;
static corio_batch *kept;

static int answer(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        ADD(asked);
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static void count_cleanup(void *arg)
{
    (void)arg;
    ADD(cleanups);
}

static int fail_with(void *arg)
{
    return *(int *)arg;
}

/* -- the first error cancels -- */

static int count_start(void *arg)
{
    (void)arg;
    ADD(started);
    return 0;
}

static int fail_first_of_many(void *arg)
{
    (void)arg;
    int code = -EIO;
    CHECK(corio_go_copy(fail_with, &code, sizeof code) == 0);
    CHECK(corio_wait() == -EIO);
    /* With one worker the newest closure runs first: the failing one here. */
    for (int i = 0; i < 1000; i++)
        CHECK(corio_go(count_start, NULL) == 0);
    CHECK(corio_cancel_children(-EPROTO) == 0);
    CHECK(corio_wait() == -EPROTO);
    CHECK(strcmp(corio_task_error()->text, "cancelled") == 0);
    CHECK(corio_go(count_start, NULL) == 0); /* a new round */
    return corio_wait();
}

static void queued_closures_of_a_cancelled_scope_never_start(void **state)
{
    (void)state;
    corio_runtime *runtime = runtime_with(1);
    started = 0;
    assert_int_equal(corio_run(runtime, fail_first_of_many, NULL), 0);
    assert_int_equal(started, 1);
    corio_runtime_destroy(runtime);
}

static int cancel_no_children(void *arg)
{
    (void)arg;
    return corio_cancel_children(-EPROTO);
}

static int spawn_behind_a_cancellation(void *arg)
{
    (void)arg;
    CHECK(corio_cancel_children(-EPROTO) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    return corio_go(count_start, NULL); /* -ECANCELED: the scope's, not its own */
}

static int cancel_without_waiting(void *arg)
{
    (void)arg;
    CHECK(corio_go(cancel_no_children, NULL) == 0);
    CHECK(corio_wait() == -EPROTO);
    CHECK(corio_go(spawn_behind_a_cancellation, NULL) == 0);
    CHECK(corio_wait() == -EPROTO);
    return 0;
}

static void cancelled_scope_without_children_has_its_error(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        started = 0;
        dispatcher = add_dispatcher(runtime, answer);
        assert_int_equal(corio_run(runtime, cancel_without_waiting, NULL), 0);
        assert_int_equal(started, 0);
    }
}

static int ask_and_clean_up(void *arg)
{
    (void)arg;
    CHECK(corio_defer(count_cleanup, NULL) == 0);
    int rc = corio_io(dispatcher, NULL, NULL);
    CHECK(rc == -ECANCELED);
    CHECK(corio_cancelled() == -ECANCELED);
    CHECK(corio_io(dispatcher, NULL, NULL) == -ECANCELED); /* and at once from now on */
    CHECK(corio_sleep(1000000000) == -ECANCELED);
    CHECK(corio_go(count_start, NULL) == -ECANCELED);
    ADD(seen_cancelled);
    return rc;
}

static int askers_and_one_that_fails(void *arg)
{
    (void)arg;
    int code = -EIO;
    for (int i = 0; i < 100; i++)
        CHECK(corio_go(ask_and_clean_up, NULL) == 0);
    CHECK(corio_go_copy(fail_with, &code, sizeof code) == 0);
    CHECK(corio_wait() == -EIO);
    CHECK(corio_cancelled() == 0);
    return corio_io(dispatcher, NULL, NULL); /* handled: this one goes out */
}

/* All askers come before the failing one in spawn order: so all of them are started. */
static void requests_of_a_cancelled_scope_do_not_go_out(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        asked = seen_cancelled = cleanups = 0;
        dispatcher = add_dispatcher(runtime, answer);
        assert_int_equal(corio_run(runtime, askers_and_one_that_fails, NULL), 0);
        assert_int_equal(asked, 1);
        assert_int_equal(seen_cancelled, 100);
        assert_int_equal(cleanups, 100);
        corio_stats stats = {.size = sizeof stats};
        corio_runtime_stats(runtime, &stats);
        assert_int_equal(stats.phases, 1); /* the error cost no phase */
    }
}

static int deep_asker(void *arg)
{
    int left = *(int *)arg - 1;
    if (left < 0)
        return ask_and_clean_up(NULL);
    CHECK(corio_go_copy(deep_asker, &left, sizeof left) == 0);
    int rc = corio_wait();
    CHECK(rc == -ECANCELED);
    return rc;
}

static int cancel_deep(void *arg)
{
    (void)arg;
    int depth = 20, code = -EIO;
    CHECK(corio_go_copy(deep_asker, &depth, sizeof depth) == 0);
    CHECK(corio_go_copy(fail_with, &code, sizeof code) == 0);
    CHECK(corio_wait() == -EIO);
    return 0;
}

static void cancellation_reaches_all_below(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        asked = seen_cancelled = 0;
        dispatcher = add_dispatcher(runtime, answer);
        assert_int_equal(corio_run(runtime, cancel_deep, NULL), 0);
        assert_int_equal(asked, 0);
        assert_int_equal(seen_cancelled, 1);
    }
}

/* A chain of tasks, each the only child of the one above. */
typedef struct chain {
    int left;
    int (*leaf)(void);
    int code; /* what each level returns; 0: what its wait returned */
} chain;

static corio_group *group_of_chain;

static int cancel_the_chain(void)
{
    return corio_group_cancel(group_of_chain, -EIO);
}

static int ask_below(void)
{
    return corio_io(dispatcher, NULL, NULL);
}

static int chain_level(void *arg)
{
    chain below = *(const chain *)arg;
    if (below.left-- == 0)
        return below.leaf();
    CHECK(corio_go(chain_level, &below) == 0);
    int rc = corio_wait();
    return below.code != 0 ? below.code : rc;
}

static int cancel_chain(void *arg)
{
    const chain *top = arg;
    int code = -EIO;
    CHECK(corio_group_open(NULL, &group_of_chain) == 0);
    CHECK(corio_group_go(group_of_chain, chain_level, arg) == 0);
    if (top->leaf == ask_below)
        CHECK(corio_group_go_copy(group_of_chain, fail_with, &code, sizeof code) == 0);
    CHECK(corio_group_close(group_of_chain) == -EIO);
    return 0;
}

/* In a time that grows as the depth does; in the step of the cancellation and in the next, with
 * tasks that pass -ECANCELED on and with such as have errors of their own. */
static void cancelled_chain_of_any_depth_comes_to_its_end(void **state)
{
    (void)state;
    enum { depth = CR_TESTS_TSAN ? 200 : CR_TESTS_ASAN ? 10000 : 100000 };
    corio_runtime *runtime = runtime_with(2);
    dispatcher = add_dispatcher(runtime, answer);
    for (int own = 0; own <= 1; own++) {
        chain here = {depth, cancel_the_chain, own ? -EDOM : 0};
        chain later = {depth, ask_below, own ? -EDOM : 0};
        assert_int_equal(corio_run(runtime, cancel_chain, &here), 0);
        assert_int_equal(corio_run(runtime, cancel_chain, &later), 0);
    }
    corio_runtime_destroy(runtime);
}

static int keep_going(void *arg)
{
    (void)arg;
    CHECK(corio_set_keep_going(true) == 0);
    for (int i = 0; i < 100; i++) {
        int code = i % 10 == 7 ? -1000 - i : 0;
        CHECK(corio_go_copy(fail_with, &code, sizeof code) == 0);
        CHECK(corio_go(count_start, NULL) == 0);
    }
    CHECK(corio_wait() == -1007);
    CHECK(corio_task_error()->others == 9);
    return 0;
}

static void scope_that_keeps_going_runs_all(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        started = 0;
        assert_int_equal(corio_run(runtime, keep_going, NULL), 0);
        assert_int_equal(started, 100);
    }
}

/* -- what blocks gives up -- */

static corio_mutex mutex;
static corio_waitgroup waitgroup;

static int block_in_lock(void *arg)
{
    (void)arg;
    int rc = corio_mutex_lock(&mutex);
    ADD(seen_cancelled);
    return rc;
}

static int block_in_waitgroup(void *arg)
{
    (void)arg;
    int rc = corio_waitgroup_wait(&waitgroup);
    ADD(seen_cancelled);
    return rc;
}

static int block_in_sleep(void *arg)
{
    (void)arg;
    int rc = corio_sleep(UINT64_MAX);
    ADD(seen_cancelled);
    return rc;
}

static int block_in_window(void *arg)
{
    (void)arg;
    int rc = corio_set_window(1);
    while (rc == 0)
        rc = corio_go(block_in_sleep, NULL);
    ADD(seen_cancelled);
    return rc;
}

static int blocked_calls(void *arg)
{
    (void)arg;
    corio_group *group;
    CHECK(corio_mutex_lock(&mutex) == 0);
    CHECK(corio_waitgroup_add(&waitgroup, 1) == 0);
    CHECK(corio_group_open(NULL, &group) == 0);
    corio_task_fn *const blockers[] = {block_in_lock, block_in_waitgroup, block_in_sleep,
                                       block_in_window};
    for (int i = 0; i < 40; i++)
        CHECK(corio_group_go(group, blockers[i % 4], NULL) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0); /* by now all of them wait */
    CHECK(corio_mutex_wait_count(&mutex) == 10);
    CHECK(corio_group_cancel(group, -ESTALE) == 0);
    CHECK(corio_group_wait(group) == -ESTALE);
    CHECK(corio_mutex_wait_count(&mutex) == 0);
    CHECK(corio_mutex_unlock(&mutex) == 0);
    CHECK(corio_mutex_try_lock(&mutex) == 0 && corio_mutex_unlock(&mutex) == 0);
    CHECK(corio_waitgroup_done(&waitgroup) == 0);
    return corio_group_close(group);
}

static void blocked_calls_return(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        seen_cancelled = 0;
        dispatcher = add_dispatcher(runtime, answer);
        assert_int_equal(corio_run(runtime, blocked_calls, NULL), 0);
        assert_int_equal(seen_cancelled, 50); /* and the child in each window */
    }
}

/* -- whatever lies on the stack -- */

static __attribute__((noinline)) void make_dirty(void)
{
    volatile unsigned char below[16384];
    for (size_t i = 0; i < sizeof below; i++)
        below[i] = 0xff;
}

static int sleeper_and_one_that_fails(void *arg)
{
    int code = -EIO;
    CHECK(corio_go(block_in_sleep, arg) == 0); /* before the other: not cancelled at once */
    CHECK(corio_go_copy(fail_with, &code, sizeof code) == 0);
    return corio_wait();
}

static int fail_on_a_dirty_stack(void *arg)
{
    make_dirty();
    CHECK(corio_go(sleeper_and_one_that_fails, arg) == 0); /* inlined: a task where the dirt is */
    CHECK(corio_wait() == -EIO);
    return 0;
}

static void task_begins_clean_on_a_dirty_stack(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        seen_cancelled = 0;
        assert_int_equal(corio_run(runtime, fail_on_a_dirty_stack, NULL), 0);
        assert_int_equal(seen_cancelled, 1);
    }
}

/* -- in flight -- */

static pthread_t thread;

static void *answer_when_cancelled(void *arg)
{
    corio_batch *batch = arg;
    while (!corio_batch_cancelled(batch, 0))
        sched_yield();
    ADD(seen_cancelled);
    corio_batch_fail(batch, 0, -ESTALE);
    corio_batch_complete(batch);
    return NULL;
}

static int keep_in_thread(void *self, corio_batch *batch)
{
    (void)self;
    assert_false(corio_batch_cancelled(batch, 0));
    assert_false(corio_batch_cancelled(batch, 7)); /* no such request */
    assert_int_equal(pthread_create(&thread, NULL, answer_when_cancelled, batch), 0);
    return CORIO_LATER;
}

static int ask_once(void *arg)
{
    CHECK(corio_io(*(corio_dispatcher **)arg, NULL, NULL) == -ESTALE);
    return -ECANCELED;
}

static int cancel_in_flight(void *arg)
{
    corio_group *group;
    CHECK(corio_group_open(NULL, &group) == 0);
    CHECK(corio_group_go(group, ask_once, arg) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0); /* the request is in flight then */
    CHECK(corio_group_cancel(group, -EINTR) == 0);
    return corio_group_close(group) == -EINTR ? 0 : -EBADMSG;
}

static void dispatcher_learns_of_cancelled_requests_and_is_waited_for(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        seen_cancelled = 0;
        dispatcher = add_dispatcher(runtime, answer);
        corio_dispatcher *slow = add_dispatcher(runtime, keep_in_thread);
        assert_int_equal(corio_run(runtime, cancel_in_flight, &slow), 0);
        assert_int_equal(seen_cancelled, 1);
        pthread_join(thread, NULL);
    }
}

/* What waits for its turn (max_in_flight), or for a delayed retry, is withdrawn. */
static int keep_first(void *self, corio_batch *batch)
{
    (void)self;
    if (kept != NULL)
        return -EPROTO; /* a second batch must not come */
    kept = batch;
    return CORIO_LATER;
}

static int retry_much_later(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++)
        corio_batch_retry(batch, i, UINT64_MAX);
    return CORIO_DONE;
}

static int ask_cancelled(void *arg)
{
    int rc = corio_io(*(corio_dispatcher **)arg, NULL, NULL);
    ADD(seen_cancelled);
    return rc;
}

static int withdraw_waiting(void *arg)
{
    corio_dispatcher **both = arg;
    CHECK(corio_go(ask_cancelled, &both[0]) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    for (int i = 0; i < 10; i++) {
        CHECK(corio_go(ask_cancelled, &both[0]) == 0);
        CHECK(corio_go(ask_cancelled, &both[1]) == 0);
    }
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    CHECK(corio_cancel_children(-EINTR) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    CHECK(READ(seen_cancelled) == 20); /* all but the one in flight */
    CHECK(corio_batch_cancelled(kept, 0));
    corio_batch_respond(kept, 0);
    corio_batch_complete(kept);
    return corio_wait() == -EINTR ? 0 : -EBADMSG;
}

static void requests_that_wait_their_turn_are_withdrawn(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_dispatcher *both[2];
        seen_cancelled = 0;
        kept = NULL;
        dispatcher = add_dispatcher(runtime, answer);
        corio_dispatcher_options options = {
            .size = sizeof options, .name = "one", .dispatch = keep_first, .max_in_flight = 1};
        assert_int_equal(corio_dispatcher_add(runtime, &options, &both[0]), 0);
        both[1] = add_dispatcher(runtime, retry_much_later);
        assert_int_equal(corio_run(runtime, withdraw_waiting, both), 0);
        assert_int_equal(seen_cancelled, 21);
    }
}

/* -- shields -- */

static int shielded_work(void *arg)
{
    (void)arg;
    CHECK(corio_shield(true) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0); /* cancelled while it waits for this */
    CHECK(corio_cancelled() == 0);
    CHECK(corio_go(count_start, NULL) == 0);
    CHECK(corio_wait() == 0);
    CHECK(corio_shield(false) == 1);
    CHECK(corio_cancelled() == -ECANCELED);
    return corio_io(dispatcher, NULL, NULL);
}

static int cancel_shielded(void *arg)
{
    (void)arg;
    CHECK(corio_go(shielded_work, NULL) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    CHECK(corio_cancel_children(-EINTR) == 0);
    return corio_wait() == -EINTR ? 0 : -EBADMSG;
}

static void shielded_task_works_on(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        started = asked = 0;
        dispatcher = add_dispatcher(runtime, answer);
        assert_int_equal(corio_run(runtime, cancel_shielded, NULL), 0);
        assert_int_equal(started, 1);
    }
}

static int fail_shielded(void *arg)
{
    (void)arg;
    corio_shield(true);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    return -EDOM;
}

static int group_of_shielded(void *arg)
{
    (void)arg;
    corio_group *group;
    CHECK(corio_group_open(NULL, &group) == 0);
    CHECK(corio_group_go(group, fail_shielded, NULL) == 0);
    CHECK(corio_group_close(group) == -EDOM);
    return -ECANCELED;
}

/* The group is released in the step in which its task fails, unless its owner waits for the end. */
static int shielded_failures(void *arg)
{
    (void)arg;
    int code = -EIO;
    for (int i = 0; i < 10; i++)
        CHECK(corio_go(group_of_shielded, NULL) == 0);
    CHECK(corio_go_copy(fail_with, &code, sizeof code) == 0);
    CHECK(corio_wait() == -EIO);
    return corio_io(dispatcher, NULL, NULL);
}

static void failure_below_a_shield_in_a_cancelled_task(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        asked = 0;
        dispatcher = add_dispatcher(runtime, answer);
        assert_int_equal(corio_run(runtime, shielded_failures, NULL), 0);
        assert_int_equal(asked, 11);
    }
}

/* -- deadlines -- */

static int sleep_long(void *arg)
{
    (void)arg;
    CHECK(corio_deadline() != UINT64_MAX);
    int rc = corio_sleep(UINT64_MAX);
    CHECK(rc == -ECANCELED);
    CHECK(corio_cancelled() == -ETIMEDOUT);
    return rc;
}

static int limited(void *arg)
{
    (void)arg;
    CHECK(corio_set_deadline(corio_now_ns() + 3000000) == 0);
    CHECK(corio_go(sleep_long, NULL) == 0);
    int rc = corio_wait();
    CHECK(rc == -ECANCELED);
    return rc;
}

static int limits(void *arg)
{
    (void)arg;
    CHECK(corio_deadline() == UINT64_MAX);
    CHECK(corio_go(limited, NULL) == 0);
    CHECK(corio_wait() == -ETIMEDOUT);
    CHECK(strcmp(corio_task_error()->task, "limited") == 0);
    corio_go_options options = {
        .size = sizeof options, .name = "short", .deadline_ns = corio_now_ns() + 3000000};
    CHECK(corio_go_with(&options, sleep_long, NULL) == 0);
    CHECK(corio_wait() == -ETIMEDOUT);
    CHECK(strcmp(corio_task_error()->task, "short") == 0);
    options.deadline_ns = 1; /* has passed */
    CHECK(corio_go_with(&options, count_start, NULL) == 0);
    CHECK(corio_wait() == -ETIMEDOUT);
    CHECK(READ(started) == 0);
    CHECK(corio_set_deadline(corio_now_ns() + 1000000000000) == 0 && corio_set_deadline(0) == 0);
    CHECK(corio_deadline() == UINT64_MAX);
    return 0;
}

static void deadlines_are_inherited(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        started = 0;
        assert_int_equal(corio_run(runtime, limits, NULL), 0);
    }
}

static int busy_until_cancelled(void *arg)
{
    (void)arg;
    while (corio_cancelled() == 0)
        ;
    return corio_cancelled();
}

static void run_ends_at_its_deadline(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_run_options options = {
            .size = sizeof options, .name = "it", .deadline_ns = corio_now_ns() + 2000000};
        assert_int_equal(corio_run_with(runtime, &options, busy_until_cancelled, NULL), -ETIMEDOUT);
        options.deadline_ns = corio_now_ns() + 2000000;
        assert_int_equal(corio_run_with(runtime, &options, sleep_long, NULL), -ETIMEDOUT);
        assert_string_equal(corio_runtime_error(runtime)->task, "it");
    }
}

/* -- from outside -- */

static corio_canceller canceller;

static void *cancel_from_thread(void *arg)
{
    uint64_t until = corio_now_ns() + *(uint64_t *)arg;
    while (corio_now_ns() < until)
        sched_yield();
    assert_int_equal(corio_canceller_cancel(&canceller, -EINTR), 0);
    assert_int_equal(corio_canceller_cancel(&canceller, -EINTR), -EALREADY);
    return NULL;
}

static int ask_for_ever(void *arg)
{
    (void)arg;
    int rc;
    while ((rc = corio_io(dispatcher, NULL, NULL)) == 0)
        ;
    return rc;
}

static int many_ask_for_ever(void *arg)
{
    for (int i = 0; i < 20; i++)
        CHECK(corio_go(i % 2 ? ask_for_ever : block_in_sleep, arg) == 0);
    return corio_wait();
}

/* The canceller strikes at any moment of a run: in a CPU phase, at a boundary, while it waits. */
static void run_can_be_cancelled_from_a_thread_at_any_moment(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        dispatcher = add_dispatcher(runtime, answer);
        for (uint64_t delay = 0; delay < 200; delay++) {
            uint64_t delay_ns = delay * 1000;
            memset(&canceller, 0, sizeof canceller);
            assert_int_equal(pthread_create(&thread, NULL, cancel_from_thread, &delay_ns), 0);
            corio_run_options options = {.size = sizeof options, .canceller = &canceller};
            int rc = corio_run_with(runtime, &options,
                                    delay % 2 ? many_ask_for_ever : block_in_sleep, NULL);
            pthread_join(thread, NULL);
            assert_int_equal(rc, -EINTR);
        }
        corio_run_options options = {.size = sizeof options, .canceller = &canceller};
        assert_int_equal(corio_run_with(runtime, &options, count_start, NULL), -EINTR);
        assert_int_equal(corio_canceller_cancel(NULL, -1), -EINVAL);
        assert_int_equal(corio_canceller_cancel(&canceller, 0), -EINVAL);
    }
}

/* -- values -- */

static const char key_a, key_b;

static int check_values(void *arg)
{
    const char *const *expected = arg;
    CHECK(corio_local_get(&key_a) == expected[0]);
    CHECK(corio_local_get(&key_b) == expected[1]);
    return 0;
}

static int check_values_below(void *arg)
{
    CHECK(corio_go(check_values, arg) == 0);
    return corio_wait();
}

static int values(void *arg)
{
    (void)arg;
    static const char *const nothing[2] = {NULL, NULL}, *const one[2] = {"1", NULL},
                             *const two[2] = {"1", "2"}, *const three[2] = {"3", "2"};
    CHECK(corio_go(check_values_below, (void *)nothing) == 0);
    CHECK(corio_local_set(&key_a, (void *)one[0]) == 0);
    CHECK(corio_go(check_values_below, (void *)one) == 0);
    CHECK(corio_local_set(&key_b, (void *)two[1]) == 0);
    CHECK(corio_go(check_values_below, (void *)two) == 0);
    CHECK(corio_local_set(&key_a, (void *)three[0]) == 0);
    CHECK(corio_go(check_values_below, (void *)three) == 0);
    static const char *const four[2] = {"3", "4"};
    corio_go_options options = {.size = sizeof options, .key = &key_b, .value = (void *)four[1]};
    CHECK(corio_go_with(&options, check_values_below, four) == 0);
    return check_values((void *)three) == 0 ? corio_wait() : -EBADMSG;
}

/* However late a child starts, it sees what was bound when it was spawned. */
static void children_see_the_values_of_their_spawn(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int round = 0; round < 50; round++)
            assert_int_equal(corio_run(runtime, values, NULL), 0);
    }
}

/* -- options and misuse -- */

static int check_copy(void *arg)
{
    const unsigned char *bytes = arg;
    for (int i = 0; i < 1000; i++)
        CHECK(bytes[i] == i % 251);
    CHECK(((uintptr_t)arg & 15) == 0);
    return 0;
}

static int copy_much(void *arg)
{
    (void)arg;
    unsigned char bytes[1000];
    for (int i = 0; i < 1000; i++)
        bytes[i] = (unsigned char)(i % 251);
    corio_go_options options = {.size = sizeof options, .copy_bytes = sizeof bytes};
    CHECK(corio_go_with(&options, check_copy, bytes) == 0);
    memset(bytes, 0, sizeof bytes);
    CHECK(corio_wait() == 0);
    CHECK(corio_go_with(NULL, check_copy, bytes) == -EINVAL);
    CHECK(corio_go_with(&options, NULL, bytes) == -EINVAL);
    CHECK(corio_go_with(&options, check_copy, NULL) == -EINVAL);
    options.copy_bytes = 2 << 20;
    CHECK(corio_go_with(&options, check_copy, bytes) == -EINVAL);
    CHECK(corio_cancel_children(0) == -EINVAL && corio_group_cancel(NULL, -1) == -EINVAL);
    CHECK(corio_local_set(NULL, NULL) == -EINVAL);
    return 0;
}

static void options_are_checked_and_arguments_copied(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, copy_much, NULL), 0);
        assert_int_equal(corio_run_with(runtime, NULL, copy_much, NULL), -EINVAL);
    }
    corio_go_options options = {.size = sizeof options};
    assert_int_equal(corio_go_with(&options, check_copy, NULL), -EPERM);
    assert_int_equal(corio_cancelled(), -EPERM);
    assert_int_equal(corio_cancel_children(-1), -EPERM);
    assert_int_equal(corio_shield(true), -EPERM);
    assert_int_equal(corio_set_deadline(1), -EPERM);
    assert_int_equal(corio_set_keep_going(true), -EPERM);
    assert_int_equal(corio_local_set(&key_a, NULL), -EPERM);
    assert_null(corio_local_get(&key_a));
    assert_true(corio_deadline() == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queued_closures_of_a_cancelled_scope_never_start),
        cmocka_unit_test(cancelled_scope_without_children_has_its_error),
        cmocka_unit_test(requests_of_a_cancelled_scope_do_not_go_out),
        cmocka_unit_test(cancellation_reaches_all_below),
        cmocka_unit_test(cancelled_chain_of_any_depth_comes_to_its_end),
        cmocka_unit_test(scope_that_keeps_going_runs_all),
        cmocka_unit_test(blocked_calls_return),
        cmocka_unit_test(task_begins_clean_on_a_dirty_stack),
        cmocka_unit_test(dispatcher_learns_of_cancelled_requests_and_is_waited_for),
        cmocka_unit_test(requests_that_wait_their_turn_are_withdrawn),
        cmocka_unit_test(shielded_task_works_on),
        cmocka_unit_test(failure_below_a_shield_in_a_cancelled_task),
        cmocka_unit_test(deadlines_are_inherited),
        cmocka_unit_test(run_ends_at_its_deadline),
        cmocka_unit_test(run_can_be_cancelled_from_a_thread_at_any_moment),
        cmocka_unit_test(children_see_the_values_of_their_spawn),
        cmocka_unit_test(options_are_checked_and_arguments_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
