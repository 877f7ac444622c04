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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_waited_for_on_their_own),
        cmocka_unit_test(open_group_is_closed_when_its_task_returns),
        cmocka_unit_test(group_belongs_to_its_task),
        cmocka_unit_test(windowed_groups_nest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
