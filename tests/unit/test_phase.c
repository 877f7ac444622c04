/* SPDX-License-Identifier: MIT
 *
 * The order of events. On one worker it is a matter of record: the whole sequence is compared with
 * the expected text. On several, that no task runs while a dispatcher is called.
 */
#include "harness.h"

static char events[4096];
static corio_dispatcher *dispatcher;
static unsigned running, overlaps;

static void note(const char *what, int number)
{
    size_t at = strlen(events);
    snprintf(events + at, sizeof events - at, "%s %d\n", what, number);
}

static int answer_noted(void *self, corio_batch *batch)
{
    (void)self;
    note("dispatch", (int)corio_batch_len(batch));
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        note("  request", *(const int *)corio_batch_input(batch, i));
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static int noted_child(void *arg)
{
    int number = *(int *)arg;
    note("start", number);
    CHECK(corio_io(dispatcher, &number, NULL) == 0);
    note("answered", number);
    if (number == 1) {
        number = 11;
        CHECK(corio_io(dispatcher, &number, NULL) == 0);
        note("answered", number);
    }
    return 0;
}

static int noted_root(void *arg)
{
    (void)arg;
    note("root", 0);
    for (int i = 0; i < 3; i++)
        CHECK(corio_go_copy(noted_child, &i, sizeof i) == 0);
    note("spawned", 3);
    CHECK(corio_wait() == 0);
    note("waited", 3);
    return 0;
}

static void add(corio_runtime *runtime, corio_dispatch_fn *fn)
{
    corio_dispatcher_options options = {
        .size = sizeof options, .name = "noted", .dispatch = fn, .input_bytes = sizeof(int)};
    assert_int_equal(corio_dispatcher_add(runtime, &options, &dispatcher), 0);
}

static void one_worker_runs_newest_first_and_resumes_in_spawn_order(void **state)
{
    (void)state;
    static const char expected[] = "root 0\n"
                                   "spawned 3\n"
                                   "start 2\n"
                                   "start 1\n"
                                   "start 0\n"
                                   "dispatch 3\n"
                                   "  request 0\n"
                                   "  request 1\n"
                                   "  request 2\n"
                                   "answered 0\n"
                                   "answered 1\n"
                                   "answered 2\n"
                                   "dispatch 1\n"
                                   "  request 11\n"
                                   "answered 11\n"
                                   "waited 3\n";
    for (int round = 0; round < 3; round++) {
        corio_runtime *runtime = runtime_with(1);
        events[0] = '\0';
        add(runtime, answer_noted);
        assert_int_equal(corio_run(runtime, noted_root, NULL), 0);
        assert_string_equal(events, expected);
        corio_runtime_destroy(runtime);
    }
}

/* -- nobody runs during dispatch -- */

static int watch(void *self, corio_batch *batch)
{
    (void)self;
    if (READ(running) != 0)
        overlaps++;
    for (size_t i = 0; i < corio_batch_len(batch); i++)
        corio_batch_respond(batch, i);
    return CORIO_DONE;
}

static int busy(void *arg)
{
    int number = *(int *)arg;
    for (int round = 0; round < 5; round++) {
        ADD(running);
        for (volatile int spin = 0; spin < number % 1000; spin++)
            ;
        __atomic_sub_fetch(&running, 1, __ATOMIC_RELAXED);
        CHECK(corio_io(dispatcher, &number, NULL) == 0);
    }
    return 0;
}

static int busy_root(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++)
        CHECK(corio_go_copy(busy, &i, sizeof i) == 0);
    return corio_wait();
}

static void no_task_runs_while_a_dispatcher_is_called(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        add(runtime, watch);
        overlaps = 0;
        for (int round = 0; round < 20; round++)
            assert_int_equal(corio_run(runtime, busy_root, NULL), 0);
        assert_int_equal(overlaps, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_worker_runs_newest_first_and_resumes_in_spawn_order),
        cmocka_unit_test(no_task_runs_while_a_dispatcher_is_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
