/* SPDX-License-Identifier: MIT
 *
 * Comparing a run with a recorded one: the first difference is named.
 */
#include "harness.h"

#include <unistd.h>

static corio_dispatcher *dispatcher;
static int odd_one; /* asks something else; -1: nobody does */
static int tasks;

static int ask(void *arg)
{
    int number = *(int *)arg;
    for (int round = 0; round < 3; round++) {
        int input = number == odd_one && round == 1 ? -1 : number;
        CHECK(corio_io(dispatcher, &input, NULL) == 0);
    }
    return 0;
}

static int program(void *arg)
{
    (void)arg;
    for (int i = 0; i < tasks; i++)
        CHECK(corio_go_copy(ask, &i, sizeof i) == 0);
    return corio_wait();
}

static char told[2000];

static void tell(void *self, const char *text)
{
    (void)self;
    snprintf(told + strlen(told), sizeof told - strlen(told), "%s", text);
}

/* Runs twice, as the recording did. */
static int run_with(unsigned workers, const char *log, const char *check, int odd, int count)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    options.workers = workers;
    options.batch_log = log;
    options.check = check;
    options.report = tell;
    told[0] = '\0';
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    corio_dispatcher_options with = {
        .size = sizeof with, .name = "it", .dispatch = answer_all, .input_bytes = sizeof(int)};
    assert_int_equal(corio_dispatcher_add(runtime, &with, &dispatcher), 0);
    odd_one = -1;
    tasks = 10;
    assert_int_equal(corio_run(runtime, program, NULL), 0);
    odd_one = odd;
    tasks = count;
    int rc = corio_run(runtime, program, NULL);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    return rc;
}

static void first_difference_is_named(void **state)
{
    (void)state;
    char path[] = "/tmp/corio-check-XXXXXX";
    close(mkstemp(path));
    assert_int_equal(run_with(1, path, NULL, -1, 10), 0);
    for (unsigned i = 0; i < worker_count_count; i++) {
        assert_int_equal(run_with(worker_counts[i], NULL, path, -1, 10), 0);
        assert_string_equal(told, "");
        assert_int_equal(run_with(worker_counts[i], NULL, path, 7, 10), CORIO_EDIFFERENT);
        assert_non_null(strstr(told, "at line 48 ("));
        assert_non_null(strstr(told, "now:      1\tit\t7\t(7)\t"));
        assert_null(strstr(told, "at line 49 ("));
        assert_int_equal(run_with(worker_counts[i], NULL, path, -1, 9), CORIO_EDIFFERENT);
        assert_non_null(strstr(told, "recorded: 0\tit\t9\t(9)\t"));
        assert_int_equal(run_with(worker_counts[i], NULL, path, -1, 11), CORIO_EDIFFERENT);
    }
    unlink(path);
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    options.check = path;
    assert_int_equal(corio_runtime_create(&options, &runtime), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests_of_it[] = {
        cmocka_unit_test(first_difference_is_named),
    };
    return cmocka_run_group_tests(tests_of_it, NULL, NULL);
}
