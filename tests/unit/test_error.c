/* SPDX-License-Identifier: MIT
 *
 * Errors: which one a wait returns, and where it came from.
 */
#include "harness.h"

static int fail_with(void *arg)
{
    return *(int *)arg;
}

static int spawn_failing(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        int code = i >= 40 && i % 7 == 0 ? -1000 - i : 0;
        CHECK(corio_go_copy(fail_with, &code, sizeof code) == 0);
    }
    int rc = corio_wait();
    CHECK(rc == -1042); /* the lowest index, whoever was first in time */
    const corio_error *error = corio_task_error();
    CHECK(error != NULL && error->code == rc);
    CHECK(strcmp(error->task, "fail_with") == 0 && strcmp(error->path, "(42)") == 0);
    CHECK(corio_wait() == 0); /* handled */
    return 0;
}

static void wait_returns_the_error_lowest_in_spawn_order(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int round = 0; round < 50; round++)
            assert_int_equal(corio_run(runtime, spawn_failing, NULL), 0);
        assert_null(corio_runtime_error(runtime));
    }
}

static int nest(void *arg)
{
    int left = *(int *)arg - 1;
    if (left < 0)
        return -ENOTTY;
    int nothing = 0;
    CHECK(corio_go_copy(fail_with, &nothing, sizeof nothing) == 0);
    CHECK(corio_go_copy(nest, &left, sizeof left) == 0);
    return left % 2 ? corio_wait() : 0; /* waited for or not: it arrives */
}

static void error_comes_up_with_the_path_of_its_origin(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        int depth = 5;
        assert_int_equal(corio_run(runtime, nest, &depth), -ENOTTY);
        const corio_error *error = corio_runtime_error(runtime);
        assert_non_null(error);
        assert_int_equal(error->code, -ENOTTY);
        assert_string_equal(error->task, "nest");
        assert_string_equal(error->path, "(1, 1, 1, 1, 1)");
    }
}

static int replace(void *arg)
{
    int code = -EIO;
    CHECK(corio_go_copy(fail_with, &code, sizeof code) == 0);
    CHECK(corio_wait() == -EIO);
    (void)arg;
    return -EPROTO;
}

static void task_may_answer_with_an_error_of_its_own(void **state)
{
    (void)state;
    corio_runtime *runtime = runtime_with(2);
    assert_int_equal(corio_run(runtime, replace, NULL), -EPROTO);
    assert_string_equal(corio_runtime_error(runtime)->task, "replace");
    assert_string_equal(corio_runtime_error(runtime)->path, "()");
    assert_int_equal(corio_run(runtime, spawn_failing, NULL), 0);
    assert_null(corio_runtime_error(runtime));
    corio_runtime_destroy(runtime);
}

/* -- the earlier phase wins -- */

static corio_dispatcher *dispatcher;

static int fail_after_rounds(void *arg)
{
    int number = *(int *)arg;
    for (int round = 0; round < 10 - number; round++)
        CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    return -2000 - number;
}

static int race_to_fail(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        CHECK(corio_go_copy(fail_after_rounds, &i, sizeof i) == 0);
    return corio_wait();
}

static void error_of_the_earliest_phase_wins(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        dispatcher = add_dispatcher(runtime, answer_all);
        assert_int_equal(corio_run(runtime, race_to_fail, NULL), -2009);
        assert_string_equal(corio_runtime_error(runtime)->path, "(9)");
    }
}

static void every_code_has_a_text(void **state)
{
    (void)state;
    assert_string_equal(corio_strerror(0), "success");
    assert_string_equal(corio_strerror(-EINVAL), strerror(EINVAL));
#define KNOWN(name, value, text) assert_string_equal(corio_strerror(name), text);
    CORIO_ERRORS(KNOWN)
#undef KNOWN
    assert_string_equal(corio_strerror(-99999), "unknown error");
    assert_string_equal(corio_strerror(1), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait_returns_the_error_lowest_in_spawn_order),
        cmocka_unit_test(error_comes_up_with_the_path_of_its_origin),
        cmocka_unit_test(task_may_answer_with_an_error_of_its_own),
        cmocka_unit_test(error_of_the_earliest_phase_wins),
        cmocka_unit_test(every_code_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
