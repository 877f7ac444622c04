/* SPDX-License-Identifier: MIT
 *
 * The trace: a program of every kind of event; check_trace.py reads the file. The path of the file
 * is the first argument; without it, only what can be seen from inside is checked.
 */
#include "harness.h"

#include <unistd.h>

static corio_dispatcher *dispatcher;
static corio_mutex mutex;
static unsigned waited;

/* For so long that check_trace.py can see it. */
static void note_wait(void *self, const corio_phase_stats *stats)
{
    (void)self;
    if (stats->wait_ns > 500000)
        ADD(waited);
}

static int ask(void *arg)
{
    (void)arg;
    CHECK(corio_mutex_lock(&mutex) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    CHECK(corio_mutex_unlock(&mutex) == 0);
    corio_log("asked with \"%s\" \\ and %c", "quotes", 7);
    return 0;
}

static int program(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++)
        CHECK(corio_go(ask, NULL) == 0);
    CHECK(corio_wait() == 0);
    do
        CHECK(corio_sleep(1000000) == 0);
    while (READ(waited) == 0);
    CHECK(corio_go_named("a \"name\"\n", ask, NULL) == 0);
    return corio_wait();
}

static const char *path;

static void program_is_traced(void **state)
{
    (void)state;
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    options.workers = 3;
    options.trace = path;
    options.on_phase = note_wait;
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    corio_dispatcher_options with = {.size = sizeof with, .name = "store", .dispatch = answer_all};
    assert_int_equal(corio_dispatcher_add(runtime, &with, &dispatcher), 0);
    assert_int_equal(corio_run(runtime, program, NULL), 0);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
}

static void file_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime = NULL;
    options.trace = "/nowhere/trace.json";
    assert_int_equal(corio_runtime_create(&options, &runtime), -ENOENT);
    assert_null(runtime);
}

static void log_outside_of_a_trace_does_nothing(void **state)
{
    (void)state;
    corio_log("nobody listens %d", 1);
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/corio-trace-XXXXXX";
    path = argc > 1 ? argv[1] : made;
    if (argc == 1)
        close(mkstemp(made));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(program_is_traced),
        cmocka_unit_test(file_that_cannot_be_written_is_an_error),
        cmocka_unit_test(log_outside_of_a_trace_does_nothing),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (argc == 1)
        unlink(made);
    return failed;
}
