/* SPDX-License-Identifier: MIT
 *
 * Groups: further scopes of a task.
 */
#include "harness.h"

static unsigned first, second;

static int count_up(void *arg)
{
    ADD(*(unsigned *)arg);
    return 0;
}

static int fail_with(void *arg)
{
    return (int)(intptr_t)arg;
}

static int two_groups(void *arg)
{
    (void)arg;
    corio_group *a, *b;
    CHECK(corio_group_open(NULL, &a) == 0 && corio_group_open(NULL, &b) == 0);
    for (int i = 0; i < 500; i++) {
        CHECK(corio_group_go(a, count_up, &first) == 0);
        CHECK(corio_group_go(b, count_up, &second) == 0);
    }
    CHECK(corio_group_wait(a) == 0 && READ(first) == 500);
    CHECK(corio_group_wait(a) == 0); /* nothing more to wait for */
    for (int i = 0; i < 10; i++)
        CHECK(corio_group_go(a, count_up, &first) == 0);
    CHECK(corio_group_close(b) == 0 && READ(second) == 500);
    CHECK(corio_group_close(a) == 0 && READ(first) == 510);
    CHECK(corio_group_close(NULL) == 0);
    return 0;
}

static void groups_are_waited_for_on_their_own(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        first = second = 0;
        assert_int_equal(corio_run(runtime, two_groups, NULL), 0);
    }
}

static int leave_open(void *arg)
{
    (void)arg;
    corio_group *group;
    for (int i = 0; i < 3; i++) {
        CHECK(corio_group_open(NULL, &group) == 0);
        CHECK(corio_group_go(group, count_up, &first) == 0);
    }
    CHECK(corio_group_go(group, fail_with, (void *)(intptr_t)-ENOLINK) == 0);
    return 0;
}

static void open_group_is_closed_when_its_task_returns(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        first = 0;
        assert_int_equal(corio_run(runtime, leave_open, NULL), -ENOLINK);
        assert_int_equal(first, 3);
        assert_string_equal(corio_runtime_error(runtime)->path, "(3)");
    }
}

static int use_foreign_group(void *arg)
{
    corio_group *group = arg;
    CHECK(corio_group_go(group, count_up, &first) == -EPERM);
    CHECK(corio_group_wait(group) == -EPERM);
    CHECK(corio_group_close(group) == -EPERM);
    return 0;
}

static int lend_group(void *arg)
{
    (void)arg;
    corio_group *group;
    char byte = 0;
    CHECK(corio_group_open(NULL, NULL) == -EINVAL);
    CHECK(corio_group_open(NULL, &group) == 0);
    CHECK(corio_group_go(NULL, count_up, &first) == -EINVAL);
    CHECK(corio_group_go_named(group, "x", NULL, NULL) == -EINVAL);
    CHECK(corio_group_go_copy(group, count_up, &byte, 100) == -EINVAL);
    CHECK(corio_group_wait(NULL) == -EINVAL);
    CHECK(corio_go(use_foreign_group, group) == 0);
    CHECK(corio_wait() == 0);
    return corio_group_close(group);
}

static void group_belongs_to_its_task(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, lend_group, NULL), 0);
    }
}

static int nested(void *arg)
{
    int depth = *(int *)arg - 1;
    ADD(first);
    if (depth < 0)
        return 0;
    corio_group *group;
    CHECK(corio_group_open(&(corio_group_options){.size = sizeof(corio_group_options), .window = 2},
                           &group) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(corio_group_go_copy(group, nested, &depth, sizeof depth) == 0);
    return corio_group_close(group);
}

static void windowed_groups_nest(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        int depth = 5;
        first = 0;
        assert_int_equal(corio_run(runtime, nested, &depth), 0);
        assert_int_equal(first, 1365);
    }
}

/* -- errors -- */

static corio_dispatcher *dispatcher;
static unsigned cancelled;

static int fail_after_io(void *arg)
{
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    corio_fail((int)(intptr_t)arg, "behind its first I/O");
}

static int ask_until_cancelled(void *arg)
{
    (void)arg;
    int rc;
    while ((rc = corio_io(dispatcher, NULL, NULL)) == 0)
        ;
    CHECK(rc == -ECANCELED);
    ADD(cancelled);
    return rc;
}

static int first_error_wins(void *arg)
{
    (void)arg;
    corio_group *group;
    CHECK(corio_group_open(NULL, &group) == 0);
    for (int i = 0; i < 10; i++)
        CHECK(corio_group_go(group, ask_until_cancelled, NULL) == 0);
    CHECK(corio_group_go(group, fail_after_io, (void *)(intptr_t)-ENOLINK) == 0);
    CHECK(corio_group_go(group, fail_after_io, (void *)(intptr_t)-ENOTTY) == 0);
    CHECK(corio_group_wait(group) == -ENOLINK);
    CHECK(strcmp(corio_task_error()->text, "behind its first I/O") == 0);
    CHECK(strcmp(corio_task_error()->path, "(10)") == 0);
    CHECK(READ(cancelled) == 10);
    CHECK(corio_group_wait(group) == 0);                 /* it has been handled */
    CHECK(corio_group_go(group, count_up, &first) == 0); /* and is not cancelled any more */
    CHECK(corio_group_close(group) == 0 && READ(first) == 1);
    return 0;
}

static void first_error_cancels_the_group_and_is_returned(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        cancelled = first = 0;
        dispatcher = add_dispatcher(runtime, answer_all);
        assert_int_equal(corio_run(runtime, first_error_wins, NULL), 0);
    }
}

static int count_errors(void *arg)
{
    (void)arg;
    corio_group *group;
    corio_group_options options = {.size = sizeof options, .keep_going = true};
    CHECK(corio_group_open(&options, &group) == 0);
    for (int i = 0; i < 100; i++)
        CHECK(corio_group_go(group, fail_with, (void *)(intptr_t)(-1000 - i)) == 0);
    CHECK(corio_group_wait(group) == -1000);
    CHECK(corio_task_error()->others == 99);
    return corio_group_close(group);
}

static void later_errors_are_counted(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, count_errors, NULL), 0);
    }
}

static int inner_group(void *arg)
{
    corio_group *group;
    CHECK(corio_group_open(NULL, &group) == 0);
    CHECK(corio_group_go(group, ask_until_cancelled, NULL) == 0);
    CHECK(corio_group_go(group, arg != NULL ? fail_after_io : ask_until_cancelled, arg) == 0);
    return corio_group_close(group);
}

static int outer_group(void *arg)
{
    (void)arg;
    corio_group *group;
    CHECK(corio_group_open(NULL, &group) == 0);
    CHECK(corio_group_go(group, inner_group, NULL) == 0);
    CHECK(corio_group_go(group, inner_group, (void *)(intptr_t)-ENOLINK) == 0);
    CHECK(corio_group_close(group) == -ENOLINK);
    CHECK(strcmp(corio_task_error()->path, "(1, 1)") == 0);
    return READ(cancelled) == 3 ? 0 : -EBADMSG;
}

static void nested_groups_pass_errors_up_and_cancellation_down(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        cancelled = 0;
        dispatcher = add_dispatcher(runtime, answer_all);
        assert_int_equal(corio_run(runtime, outer_group, NULL), 0);
    }
}

static unsigned running, most_running;

static int run_among_few(void *arg)
{
    (void)arg;
    raise_to(&most_running, ADD(running));
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    __atomic_sub_fetch(&running, 1, __ATOMIC_RELAXED);
    return 0;
}

static int limited_group(void *arg)
{
    (void)arg;
    corio_group *group;
    corio_group_options options = {.size = sizeof options, .window = 5};
    CHECK(corio_group_open(&options, &group) == 0);
    for (int i = 0; i < 100; i++)
        CHECK(corio_group_go(group, run_among_few, NULL) == 0);
    return corio_group_close(group);
}

static void window_limits_how_many_run_at_once(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        running = most_running = 0;
        dispatcher = add_dispatcher(runtime, answer_all);
        assert_int_equal(corio_run(runtime, limited_group, NULL), 0);
        assert_true(most_running <= 5 && most_running >= 1);
    }
}

/* Each cancels the group that it is in, as do tasks below it. */
typedef struct canceller {
    corio_group *group;
    int number;
    int depth;
} canceller;

static int cancel_own_group(void *arg)
{
    canceller self = *(canceller *)arg;
    if (self.depth-- == 0)
        return corio_group_cancel(self.group, -1000 - self.number);
    CHECK(corio_go(cancel_own_group, &self) == 0);
    return corio_wait();
}

static int cancelled_by_several(void *arg)
{
    (void)arg;
    for (int round = 0; round < 100; round++) {
        canceller each = {.depth = round % 3};
        CHECK(corio_group_open(NULL, &each.group) == 0);
        for (each.number = 0; each.number < 5; each.number++)
            CHECK(corio_group_go_copy(each.group, cancel_own_group, &each, sizeof each) == 0);
        CHECK(corio_group_close(each.group) == -1000);
    }
    return 0;
}

static void lowest_task_that_cancels_its_group_counts(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, cancelled_by_several, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_waited_for_on_their_own),
        cmocka_unit_test(open_group_is_closed_when_its_task_returns),
        cmocka_unit_test(group_belongs_to_its_task),
        cmocka_unit_test(windowed_groups_nest),
        cmocka_unit_test(first_error_cancels_the_group_and_is_returned),
        cmocka_unit_test(later_errors_are_counted),
        cmocka_unit_test(nested_groups_pass_errors_up_and_cancellation_down),
        cmocka_unit_test(window_limits_how_many_run_at_once),
        cmocka_unit_test(lowest_task_that_cancels_its_group_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
