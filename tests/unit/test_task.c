/* SPDX-License-Identifier: MIT
 *
 * Tasks: spawning, waiting, inlining, deep recursion, windows, names and paths.
 */
#include "harness.h"

static unsigned started, finished;

static int count_up(void *arg)
{
    ADD(*(unsigned *)arg);
    return 0;
}

/* -- go and wait -- */

static int spawn_thousand(void *arg)
{
    for (int i = 0; i < 1000; i++)
        CHECK(corio_go(count_up, arg) == 0);
    CHECK(corio_wait() == 0);
    CHECK(READ(*(unsigned *)arg) == 1000);
    return 0;
}

static void wait_returns_after_all_children(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        unsigned count = 0;
        assert_int_equal(corio_run(runtime, spawn_thousand, &count), 0);
        assert_int_equal(count, 1000);
    }
}

static int leave_without_waiting(void *arg)
{
    for (int i = 0; i < 100; i++)
        CHECK(corio_go(count_up, arg) == 0);
    return 0;
}

static int parent_of_leaver(void *arg)
{
    CHECK(corio_go(leave_without_waiting, arg) == 0);
    CHECK(corio_wait() == 0);
    CHECK(READ(*(unsigned *)arg) == 100); /* grandchildren are complete when the child is */
    return 0;
}

static void no_child_outlives_its_parent(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        unsigned count = 0;
        assert_int_equal(corio_run(runtime, parent_of_leaver, &count), 0);
    }
}

static int wait_again(void *arg)
{
    for (unsigned round = 1; round <= 50; round++) {
        for (int i = 0; i < 10; i++)
            CHECK(corio_go(count_up, arg) == 0);
        CHECK(corio_wait() == 0);
        CHECK(READ(*(unsigned *)arg) == 10 * round);
        CHECK(corio_wait() == 0); /* nothing to wait for */
    }
    return 0;
}

static void scope_is_reusable_after_wait(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        unsigned count = 0;
        assert_int_equal(corio_run(runtime, wait_again, &count), 0);
    }
}

/* -- copies -- */

typedef struct parcel {
    uint64_t words[4];
} parcel;

static int add_parcel(void *arg)
{
    const parcel *mine = arg;
    CHECK(((uintptr_t)mine & 15) == 0);
    for (int i = 1; i < 4; i++)
        CHECK(mine->words[i] == mine->words[0] + (uint64_t)i);
    ADD(finished);
    return 0;
}

static int copy_many(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < 5000; i++) {
        parcel sent = {{i, i + 1, i + 2, i + 3}};
        CHECK(corio_go_copy(add_parcel, &sent, sizeof sent) == 0);
        memset(&sent, 0xff, sizeof sent);
    }
    return corio_wait();
}

static void copied_argument_is_the_childs_own(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        finished = 0;
        assert_int_equal(corio_run(runtime, copy_many, NULL), 0);
        assert_int_equal(finished, 5000);
    }
}

static int bad_spawns(void *arg)
{
    char byte = 0;
    CHECK(corio_go_named("x", NULL, arg) == -EINVAL);
    CHECK(corio_go_named(NULL, count_up, arg) == -EINVAL);
    CHECK(corio_go_copy(count_up, &byte, 0) == -EINVAL);
    CHECK(corio_go_copy(count_up, &byte, CORIO_COPY_MAX + 1) == -EINVAL);
    CHECK(corio_go_copy(count_up, NULL, 1) == -EINVAL);
    return 0;
}

static void bad_arguments_spawn_nothing(void **state)
{
    (void)state;
    corio_runtime *runtime = runtime_with(1);
    assert_int_equal(corio_run(runtime, bad_spawns, NULL), 0);
    corio_runtime_destroy(runtime);
}

static void outside_of_tasks_calls_are_refused(void **state)
{
    (void)state;
    corio_group *group = NULL;
    corio_mutex mutex = CORIO_MUTEX_INIT;
    assert_int_equal(corio_go(count_up, NULL), -EPERM);
    assert_int_equal(corio_go_copy(count_up, &started, 4), -EPERM);
    assert_int_equal(corio_wait(), -EPERM);
    assert_int_equal(corio_set_window(1), -EPERM);
    assert_int_equal(corio_group_open(NULL, &group), -EPERM);
    assert_int_equal(corio_io(NULL, NULL, NULL), -EPERM);
    assert_int_equal(corio_io_all(NULL, 0), -EPERM);
    assert_int_equal(corio_mutex_lock(&mutex), -EPERM);
    assert_int_equal(corio_mutex_unlock(&mutex), -EPERM);
    assert_null(corio_self());
    assert_null(corio_task_error());
}

/* -- recursion -- */

static int tree(void *arg)
{
    long depth = *(long *)arg - 1;
    ADD(finished);
    if (depth == 0)
        return 0;
    for (int i = 0; i < 3; i++)
        CHECK(corio_go_copy(tree, &depth, sizeof depth) == 0);
    return corio_wait();
}

static void recursive_tree_is_run_whole(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        long depth = 10;
        finished = 0;
        assert_int_equal(corio_run(runtime, tree, &depth), 0);
        assert_int_equal(finished, 29524); /* (3^10 - 1) / 2 */
    }
}

static int chain(void *arg)
{
    uintptr_t left = (uintptr_t)arg;
    if (left == 0)
        return 0;
    CHECK(corio_go(chain, (void *)(left - 1)) == 0);
    return corio_wait();
}

static void chain_of_a_million_nested_waits_completes(void **state)
{
    (void)state;
    uintptr_t depth = CR_TESTS_ASAN || CR_TESTS_TSAN ? 20000 : 1000000;
    for (unsigned workers = 1; workers <= 2; workers++) {
        corio_runtime *runtime = runtime_with(workers);
        assert_int_equal(corio_run(runtime, chain, (void *)depth), 0);
        corio_runtime_destroy(runtime);
    }
}

/* -- promised stack -- */

static int use_half_a_stack(void *arg)
{
    volatile char frame[24 << 10]; /* of the promised 32 KiB, with 64 KiB stacks */
    for (size_t i = 0; i < sizeof frame; i += 512)
        frame[i] = (char)i;
    uintptr_t left = (uintptr_t)arg;
    if (left > 0) {
        CHECK(corio_go(use_half_a_stack, (void *)(left - 1)) == 0);
        CHECK(corio_wait() == 0);
    }
    CHECK(frame[512] == 0);
    return 0;
}

static void nested_task_gets_half_a_stack(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, use_half_a_stack, (void *)200), 0);
    }
}

/* -- windows -- */

static unsigned unfinished, most_unfinished;

static int windowed_child(void *arg)
{
    (void)arg;
    ADD(finished);
    __atomic_sub_fetch(&unfinished, 1, __ATOMIC_RELAXED);
    return 0;
}

static int spawn_in_window(void *arg)
{
    CHECK(corio_set_window(16) == 0);
    for (unsigned i = 0; i < *(unsigned *)arg; i++) {
        unsigned now = ADD(unfinished);
        if (now > most_unfinished)
            most_unfinished = now;
        CHECK(corio_go(windowed_child, NULL) == 0);
    }
    return corio_wait();
}

static void window_bounds_unfinished_children(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        unsigned count = 10000;
        finished = unfinished = most_unfinished = 0;
        assert_int_equal(corio_run(runtime, spawn_in_window, &count), 0);
        assert_int_equal(finished, count);
        assert_in_range(most_unfinished, 1, 17); /* 16, and the one about to be spawned */
    }
}

/* -- names and paths -- */

static int named_leaf(void *arg)
{
    char text[64];
    uint64_t path[4];
    corio_task *self = corio_self();
    CHECK(strcmp(corio_task_name(self), "named_leaf") == 0);
    CHECK(corio_task_path(self, path, 4) == 2);
    CHECK(path[0] == 2 && path[1] == *(uint64_t *)arg);
    char expected[64];
    int length = snprintf(expected, sizeof expected, "(2, %d)", (int)path[1]);
    CHECK(corio_task_path_text(self, text, sizeof text) == (size_t)length);
    CHECK(strcmp(text, expected) == 0);
    CHECK(corio_task_path_text(self, text, 4) == (size_t)length);
    CHECK(strcmp(text, "(2,") == 0);
    CHECK(corio_task_path(self, path, 0) == 2);
    return 0;
}

static int named_middle(void *arg)
{
    if (*(int *)arg != 2)
        return 0;
    for (uint64_t i = 0; i < 20; i++)
        CHECK(corio_go_copy(named_leaf, &i, sizeof i) == 0);
    return corio_wait();
}

static int named_root(void *arg)
{
    (void)arg;
    char text[8];
    CHECK(corio_task_path_text(corio_self(), text, sizeof text) == 2 && strcmp(text, "()") == 0);
    CHECK(corio_task_path(corio_self(), NULL, 0) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(corio_go_copy(named_middle, &i, sizeof i) == 0);
    return corio_wait();
}

static void path_names_each_spawn(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, named_root, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait_returns_after_all_children),
        cmocka_unit_test(no_child_outlives_its_parent),
        cmocka_unit_test(scope_is_reusable_after_wait),
        cmocka_unit_test(copied_argument_is_the_childs_own),
        cmocka_unit_test(bad_arguments_spawn_nothing),
        cmocka_unit_test(outside_of_tasks_calls_are_refused),
        cmocka_unit_test(recursive_tree_is_run_whole),
        cmocka_unit_test(chain_of_a_million_nested_waits_completes),
        cmocka_unit_test(nested_task_gets_half_a_stack),
        cmocka_unit_test(window_bounds_unfinished_children),
        cmocka_unit_test(path_names_each_spawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
