/* SPDX-License-Identifier: MIT
 *
 * Leaving a task from any depth, cleanups, and the error chain.
 */
#include "harness.h"

static corio_dispatcher *dispatcher;

static char order[64];

static void note(void *arg)
{
    size_t length = strlen(order);
    order[length] = *(const char *)arg;
    order[length + 1] = '\0';
}

/* -- five levels, as panics in Go: the cause arrives, every cleanup runs, innermost first -- */

static void fall(int frames);
static void (*const volatile fall_further)(int frames) = fall; /* a real call each time */

static void fall(int frames)
{
    if (frames == 0)
        corio_fail(-EILSEQ, "bad byte %d at %s", 42, "line 7");
    fall_further(frames - 1);
    __asm__ __volatile__(""); /* not a tail call */
}

static int level(void *arg)
{
    int left = *(int *)arg - 1;
    static char names[] = "edcba";
    CHECK(corio_defer(note, &names[left]) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    if (left == 0)
        fall(10);
    CHECK(corio_go_copy(level, &left, sizeof left) == 0);
    return corio_wait();
}

static void five_levels_fail_with_the_cause_and_all_cleanups(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        int levels = 5;
        dispatcher = add_dispatcher(runtime, answer_all);
        order[0] = '\0';
        assert_int_equal(corio_run(runtime, level, &levels), -EILSEQ);
        assert_string_equal(order, "edcba");
        const corio_error *error = corio_runtime_error(runtime);
        assert_int_equal(error->code, -EILSEQ);
        assert_string_equal(error->text, "bad byte 42 at line 7");
        assert_string_equal(error->path, "(0, 0, 0, 0)");
        assert_int_equal(error->depth, 4);
        assert_int_equal(error->chain_length, 5);
        for (size_t i = 0; i < 5; i++)
            assert_string_equal(error->chain[i], "level");
        assert_true(error->frame_count >= 12);
        assert_null(error->cause);
    }
}

static void error_as_text_tells_all_of_it(void **state)
{
    (void)state;
    corio_runtime *runtime = runtime_with(2);
    int levels = 3;
    char text[4000], cut[20];
    dispatcher = add_dispatcher(runtime, answer_all);
    corio_run(runtime, level, &levels);
    size_t length = corio_error_text(corio_runtime_error(runtime), text, sizeof text);
    assert_int_equal(length, strlen(text));
    static const char head[] = "task level (0, 0) failed with -84 (";
    assert_memory_equal(text, head, sizeof head - 1);
    assert_non_null(strstr(text, "): bad byte 42 at line 7\n"
                                 "  passed on by level (0)\n"
                                 "  passed on by level ()\n"
                                 "  at 0x"));
    assert_non_null(strstr(text, "corio_fail"));
    assert_int_equal(corio_error_text(corio_runtime_error(runtime), cut, sizeof cut), length);
    assert_memory_equal(cut, text, sizeof cut - 1);
    assert_int_equal(cut[sizeof cut - 1], '\0');
    assert_int_equal(corio_error_text(NULL, cut, sizeof cut), 0);
    assert_string_equal(cut, "");
    corio_runtime_destroy(runtime);
}

/* -- an inlined child leaves its own frames only -- */

static int fall_at_once(void *arg)
{
    (void)arg;
    fall(3);
    return 0;
}

static int survive(void *arg)
{
    unsigned *count = arg;
    int kept[8];
    for (int i = 0; i < 8; i++)
        kept[i] = i * 3;
    for (int i = 0; i < 1000; i++) {
        CHECK(corio_go(fall_at_once, NULL) == 0);
        CHECK(corio_wait() == -EILSEQ);
        CHECK(corio_task_error()->chain_length == 1);
        ++*count;
    }
    for (int i = 0; i < 8; i++)
        CHECK(kept[i] == i * 3);
    return 0;
}

static int many_survive(void *arg)
{
    (void)arg;
    unsigned counts[8] = {0};
    for (int i = 0; i < 8; i++)
        CHECK(corio_go(survive, &counts[i]) == 0);
    CHECK(corio_wait() == 0);
    for (int i = 0; i < 8; i++)
        CHECK(counts[i] == 1000);
    return 0;
}

static void parent_of_an_inlined_child_goes_on(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, many_survive, NULL), 0);
    }
}

/* -- children of a task that leaves -- */

static unsigned ended;

static void count_end(void *arg)
{
    (void)arg;
    ADD(ended);
}

static int wait_for_cancel(void *arg)
{
    (void)arg;
    CHECK(corio_defer(count_end, NULL) == 0);
    return corio_sleep(UINT64_MAX);
}

static int fail_with_children(void *arg)
{
    (void)arg;
    corio_group *group;
    CHECK(corio_group_open(NULL, &group) == 0);
    for (int i = 0; i < 10; i++) {
        CHECK(corio_go(wait_for_cancel, NULL) == 0);
        CHECK(corio_group_go(group, wait_for_cancel, NULL) == 0);
    }
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    corio_fail(-EDOM, NULL);
}

static void children_of_a_failing_task_are_cancelled_and_waited_for(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        ended = 0;
        dispatcher = add_dispatcher(runtime, answer_all);
        assert_int_equal(corio_run(runtime, fail_with_children, NULL), -EDOM);
        assert_int_equal(ended, 20);
        assert_string_equal(corio_runtime_error(runtime)->text, "");
    }
}

/* -- cleanups -- */

static int io_in_cleanup;

static void ask_in_cleanup(void *arg)
{
    (void)arg;
    io_in_cleanup = corio_io(dispatcher, NULL, NULL);
}

static void fail_in_cleanup(void *arg)
{
    corio_fail(*(int *)arg, "in a cleanup");
}

static int failing_cleanups(void *arg)
{
    static int first = -1111, second = -1112;
    CHECK(corio_defer(fail_in_cleanup, &second) == 0);
    CHECK(corio_defer(ask_in_cleanup, NULL) == 0);
    CHECK(corio_defer(fail_in_cleanup, &first) == 0);
    return *(int *)arg;
}

static int cancelled_with_cleanup(void *arg)
{
    (void)arg;
    CHECK(corio_defer(ask_in_cleanup, NULL) == 0);
    return corio_sleep(UINT64_MAX);
}

static int cancel_it(void *arg)
{
    (void)arg;
    CHECK(corio_go(cancelled_with_cleanup, NULL) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    CHECK(corio_cancel_children(-EINTR) == 0);
    return corio_wait() == -EINTR ? 0 : -EBADMSG;
}

/* A cleanup leaves a child behind: it belongs to the cleanup. */
static unsigned children_of_cleanups;

static int ask_and_count(void *arg)
{
    (void)arg;
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    CHECK(corio_cancelled() == 0);
    ADD(children_of_cleanups);
    return 0;
}

static void spawn_in_cleanup(void *arg)
{
    (void)arg;
    (void)corio_go(ask_and_count, NULL);
}

static int cancelled_with_spawning_cleanup(void *arg)
{
    (void)arg;
    CHECK(corio_defer(spawn_in_cleanup, NULL) == 0);
    CHECK(corio_defer(spawn_in_cleanup, NULL) == 0);
    return corio_io(dispatcher, NULL, NULL);
}

static int just_fail(void *arg)
{
    return *(int *)arg;
}

static int fail_those(void *arg)
{
    int code = *(int *)arg;
    for (int i = 0; i < 10; i++)
        CHECK(corio_go(cancelled_with_spawning_cleanup, NULL) == 0);
    CHECK(corio_go(just_fail, arg) == 0);
    return corio_wait() == code ? 0 : -EBADMSG;
}

static void children_of_cleanups_are_shielded(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        int code = -EINTR;
        dispatcher = add_dispatcher(runtime, answer_all);
        children_of_cleanups = 0;
        assert_int_equal(corio_run(runtime, fail_those, &code), 0);
        assert_int_equal(children_of_cleanups, 20);
    }
}

/* The child of a cleanup looks at the task's argument, which was copied. */
static int look_at_copy(void *arg)
{
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    CHECK(((const char *)arg)[999] == 'x');
    ADD(children_of_cleanups);
    return 0;
}

static void spawn_looker(void *arg)
{
    (void)corio_go(look_at_copy, arg);
}

static int leave_looker(void *arg)
{
    return corio_defer(spawn_looker, arg);
}

static int copy_large(void *arg)
{
    (void)arg;
    char large[1000];
    memset(large, 'x', sizeof large);
    corio_go_options options = {.size = sizeof options, .copy_bytes = sizeof large};
    for (int i = 0; i < 10; i++)
        CHECK(corio_go_with(&options, leave_looker, large) == 0);
    memset(large, 'y', sizeof large);
    return corio_wait();
}

static void copied_argument_stays_for_children_of_cleanups(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        dispatcher = add_dispatcher(runtime, answer_all);
        children_of_cleanups = 0;
        assert_int_equal(corio_run(runtime, copy_large, NULL), 0);
        assert_int_equal(children_of_cleanups, 10);
    }
}

static void cleanups_may_ask_and_fail(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        dispatcher = add_dispatcher(runtime, answer_all);
        for (int own = 0; own > -3; own -= 2) {
            io_in_cleanup = -1;
            assert_int_equal(corio_run(runtime, failing_cleanups, &own), own != 0 ? own : -1111);
            assert_int_equal(io_in_cleanup, 0);
            assert_string_equal(corio_runtime_error(runtime)->text, own != 0 ? "" : "in a cleanup");
        }
        io_in_cleanup = -1;
        assert_int_equal(corio_run(runtime, cancel_it, NULL), 0);
        assert_int_equal(io_in_cleanup, 0); /* cleanups run shielded */
    }
}

/* -- causes -- */

static int replace(void *arg)
{
    (void)arg;
    CHECK(corio_go(fall_at_once, NULL) == 0);
    CHECK(corio_wait() == -EILSEQ);
    return -EPROTO;
}

static int replace_by_failing(void *arg)
{
    CHECK(corio_go(replace, arg) == 0);
    CHECK(corio_wait() == -EPROTO);
    corio_fail(-EPIPE, "cannot go on");
}

static void error_that_replaces_another_names_it_as_cause(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, replace_by_failing, NULL), -EPIPE);
        const corio_error *error = corio_runtime_error(runtime);
        assert_string_equal(error->task, "replace_by_failing");
        assert_int_equal(error->cause->code, -EPROTO);
        assert_string_equal(error->cause->path, "(0)");
        assert_int_equal(error->cause->cause->code, -EILSEQ);
        assert_string_equal(error->cause->cause->path, "(0, 0)");
        assert_null(error->cause->cause->cause);
        char text[8000];
        corio_error_text(error, text, sizeof text);
        assert_non_null(strstr(text, "\nbecause task replace (0) failed with -71 ("));
    }
}

static int misuse(void *arg)
{
    (void)arg;
    CHECK(corio_defer(NULL, NULL) == -EINVAL);
    corio_fail(7, "a positive code");
}

static void misuse_is_a_named_error(void **state)
{
    (void)state;
    corio_runtime *runtime = runtime_with(2);
    assert_int_equal(corio_run(runtime, misuse, NULL), -EINVAL);
    assert_int_equal(corio_defer(note, NULL), -EPERM);
    corio_runtime_destroy(runtime);
}

/* A chain of failures as deep as a chain of calls: each level passes it on. */
static int deep_level(void *arg)
{
    int left = *(int *)arg - 1;
    if (left < 0)
        corio_fail(-EMLINK, "at the bottom");
    CHECK(corio_go_copy(deep_level, &left, sizeof left) == 0);
    return corio_wait();
}

static void error_comes_up_from_any_depth(void **state)
{
    (void)state;
    /* In a time that grows as the depth does: this many would take hours if each level cost a look at
     * all above it. */
    enum { depth = CR_TESTS_TSAN ? 200 : CR_TESTS_ASAN ? 20000 : 200000 };
    corio_runtime *runtime = runtime_with(2);
    int levels = depth;
    assert_int_equal(corio_run(runtime, deep_level, &levels), -EMLINK);
    assert_int_equal(corio_runtime_error(runtime)->depth, depth);
    assert_int_equal(corio_runtime_error(runtime)->chain_length, depth + 1);
    corio_runtime_destroy(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_levels_fail_with_the_cause_and_all_cleanups),
        cmocka_unit_test(error_as_text_tells_all_of_it),
        cmocka_unit_test(parent_of_an_inlined_child_goes_on),
        cmocka_unit_test(children_of_a_failing_task_are_cancelled_and_waited_for),
        cmocka_unit_test(cleanups_may_ask_and_fail),
        cmocka_unit_test(children_of_cleanups_are_shielded),
        cmocka_unit_test(copied_argument_stays_for_children_of_cleanups),
        cmocka_unit_test(error_that_replaces_another_names_it_as_cause),
        cmocka_unit_test(misuse_is_a_named_error),
        cmocka_unit_test(error_comes_up_from_any_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
