/* SPDX-License-Identifier: MIT
 *
 * Once: one execution for all, failing ones, giving up, misuse.
 */
#include "harness.h"

static corio_once once;
static corio_dispatcher *dispatcher;
static unsigned executions, passed, failed;
static uint64_t written;

static void set_up(corio_runtime *runtime)
{
    dispatcher = add_dispatcher(runtime, answer_all);
    once = (corio_once)CORIO_ONCE_INIT;
    executions = passed = failed = 0;
    written = 0;
}

static int let_all_wait(void)
{
    return corio_io(dispatcher, NULL, NULL);
}

/* -- one execution -- */

static int execute(void *arg)
{
    if (*(bool *)arg)
        CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    ADD(executions);
    written = 42;
    return 0;
}

static int need(void *arg)
{
    CHECK(corio_once_do(&once, execute, arg) == 0);
    CHECK(written == 42 && corio_once_is_done(&once));
    return corio_once_do(&once, execute, arg);
}

static int all_need(void *arg)
{
    CHECK(!corio_once_is_done(&once));
    for (int i = 0; i < 1000; i++)
        CHECK(corio_go(need, arg) == 0);
    return corio_wait();
}

static void it_is_done_once_and_seen_by_all(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int round = 0; round < 50; round++) {
            bool with_io = round % 10 == 0;
            set_up(runtime);
            assert_int_equal(corio_run(runtime, all_need, &with_io), 0);
            assert_int_equal(executions, 1);
        }
    }
}

/* -- failing: the next one tries -- */

static int fail_at_first(void *arg)
{
    (void)arg;
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    unsigned now = ADD(executions);
    if (now <= 3)
        return -EAGAIN;
    if (now <= 5)
        corio_fail(-ENOENT, "try %u", now);
    return 0;
}

static int need_failing(void *arg)
{
    int rc = corio_once_do(&once, fail_at_first, arg);
    if (rc == 0) {
        ADD(passed);
        return 0;
    }
    CHECK(rc == -EAGAIN); /* who leaves does not come here */
    ADD(failed);
    return 0;
}

static int all_need_failing(void *arg)
{
    (void)arg;
    CHECK(corio_set_keep_going(true) == 0);
    for (int i = 0; i < 100; i++)
        CHECK(corio_go(need_failing, NULL) == 0);
    CHECK(corio_wait() == -ENOENT);
    CHECK(corio_task_error()->others == 1);
    return 0;
}

static void failing_execution_is_tried_again_by_the_next(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, all_need_failing, NULL), 0);
        assert_int_equal(executions, 6);
        assert_int_equal(failed, 3);
        assert_int_equal(passed, 95);
    }
}

/* -- giving up -- */

static int execute_slowly(void *arg)
{
    (void)arg;
    int rc = 0;
    while (rc == 0 && READ(failed) < 10) /* until those have given up who do not want to wait */
        rc = corio_sleep(1000000);
    return rc != 0 ? rc : ADD(executions) == 1 ? 0 : -EBADMSG;
}

static int need_slowly(void *arg)
{
    (void)arg;
    return corio_once_do(&once, execute_slowly, NULL);
}

static int need_soon(void *arg)
{
    (void)arg;
    int rc = corio_once_do_until(&once, execute_slowly, NULL, corio_now_ns() + 1000000);
    CHECK(rc == -ETIMEDOUT);
    ADD(failed);
    return 0;
}

/* The first execution is cancelled, the next one waited for; some do not want to wait so long. */
static int cancel_the_first(void *arg)
{
    (void)arg;
    corio_group *first;
    CHECK(corio_group_open(NULL, &first) == 0);
    CHECK(corio_group_go(first, need_slowly, NULL) == 0);
    CHECK(let_all_wait() == 0);
    CHECK(corio_group_go(first, need_slowly, NULL) == 0); /* waits, and is cancelled */
    for (int i = 0; i < 10; i++)
        CHECK(corio_go(need_slowly, NULL) == 0);
    CHECK(let_all_wait() == 0);
    CHECK(corio_group_cancel(first, -EINTR) == 0);
    CHECK(corio_group_close(first) == -EINTR);
    for (int i = 0; i < 10; i++)
        CHECK(corio_go(need_soon, NULL) == 0);
    return corio_wait();
}

static void cancelled_execution_is_tried_again(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, cancel_the_first, NULL), 0);
        assert_int_equal(executions, 1);
        assert_int_equal(failed, 10);
        assert_true(corio_once_is_done(&once));
    }
}

/* -- misuse, deadlock -- */

static int need_itself(void *arg)
{
    return corio_once_do(&once, need_itself, arg);
}

static int wait_in_vain(void *arg)
{
    (void)arg;
    return corio_once_do(&once, need_itself, NULL) == -EDEADLK ? 0 : -EBADMSG;
}

static int never_end(void *arg)
{
    corio_waitgroup never = CORIO_WAITGROUP_INIT;
    CHECK(corio_go(wait_in_vain, NULL) == 0);
    CHECK(corio_waitgroup_add(&never, 1) == 0);
    CHECK(corio_waitgroup_wait(&never) == -EDEADLK);
    CHECK(strstr(corio_runtime_report(arg), "task wait_in_vain (0) waits in corio_once_do"));
    CHECK(strstr(corio_runtime_report(arg), ", held by misuse ()"));
    CHECK(corio_wait() == 0);
    return -EIO;
}

static int misuse(void *arg)
{
    CHECK(corio_once_do(NULL, execute, NULL) == -EINVAL &&
          corio_once_do(&once, NULL, NULL) == -EINVAL);
    CHECK(corio_once_do(&once, need_itself, NULL) == -EDEADLK);
    CHECK(corio_once_do(&once, never_end, arg) == -EIO);
    CHECK(!corio_once_is_done(&once));
    bool with_io = false;
    CHECK(corio_once_do_until(&once, execute, &with_io, 1) == 0);
    return corio_once_is_done(&once) ? 0 : -EBADMSG;
}

static void misuse_is_a_named_error(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, misuse, runtime), 0);
    }
    assert_int_equal(corio_once_do(&once, execute, NULL), -EPERM);
    assert_false(corio_once_is_done(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_done_once_and_seen_by_all),
        cmocka_unit_test(failing_execution_is_tried_again_by_the_next),
        cmocka_unit_test(cancelled_execution_is_tried_again),
        cmocka_unit_test(misuse_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
