/* SPDX-License-Identifier: MIT
 *
 * Early dispatch: batches handed over while tasks run. The tasks that wait for that here compute until
 * it has happened, so without early dispatch no test of these would end.
 */
#include "harness.h"

enum { ms = 1000000, askers = 60 };

static corio_dispatcher *dispatcher, *other;
static unsigned calls, inside, overlaps, answered, most_in_flight, in_flight, longest;

static void begin(void)
{
    calls = inside = overlaps = answered = most_in_flight = in_flight = longest = 0;
}

static int answer(void *arg, corio_batch *batch)
{
    (void)arg;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        *(int *)corio_batch_output(batch, i) = *(const int *)corio_batch_input(batch, i) + 1;
        corio_batch_respond(batch, i);
        ADD(answered);
    }
    return CORIO_DONE;
}

static void enter(const corio_batch *batch)
{
    if (ADD(inside) != 1)
        ADD(overlaps);
    ADD(calls);
    raise_to(&longest, (unsigned)corio_batch_len(batch));
    for (volatile int i = 0; i < 1000; i++)
        ;
    __atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
}

static int answer_at_once(void *self, corio_batch *batch)
{
    enter(batch);
    return answer(self, batch);
}

static int answer_and_count(void *arg, corio_batch *batch)
{
    unsigned count = (unsigned)corio_batch_len(batch);
    int rc = answer(arg, batch);
    __atomic_sub_fetch(&in_flight, count, __ATOMIC_RELAXED); /* a bit early: never too many */
    return rc;
}

static int answer_in_thread(void *self, corio_batch *batch)
{
    unsigned count = (unsigned)corio_batch_len(batch);
    enter(batch);
    raise_to(&most_in_flight, __atomic_add_fetch(&in_flight, count, __ATOMIC_RELAXED));
    return corio_batch_submit(batch, answer_and_count, self) == 0 ? CORIO_LATER : -EAGAIN;
}

static corio_dispatcher_options early(size_t count, uint64_t ns, corio_dispatch_fn *fn)
{
    return (corio_dispatcher_options){.size = sizeof(corio_dispatcher_options),
                                      .name = "early",
                                      .dispatch = fn,
                                      .input_bytes = sizeof(int),
                                      .output_bytes = sizeof(int),
                                      .early_count = count,
                                      .early_ns = ns};
}

static corio_dispatcher *add(corio_runtime *runtime, const corio_dispatcher_options *options)
{
    corio_dispatcher *added = NULL;
    assert_int_equal(corio_dispatcher_add(runtime, options, &added), 0);
    return added;
}

static int ask_of(corio_dispatcher *whom, int number)
{
    int out = 0, rc = corio_io(whom, &number, &out);
    CHECK(rc != 0 || out == number + 1);
    return rc;
}

static int ask(void *arg)
{
    return ask_of(dispatcher, *(int *)arg);
}

/* Holds the CPU phase until so many requests have been answered in it. */
static int compute_until_answered(void *arg)
{
    while (READ(answered) < (unsigned)*(int *)arg)
        ;
    return 0;
}

/* The one that computes is the oldest: on one worker it runs last. */
static int ask_beside(int wanted, corio_task_fn *fn)
{
    CHECK(corio_go_copy(compute_until_answered, &wanted, sizeof wanted) == 0);
    for (int i = 0; i < askers; i++)
        CHECK(corio_go_copy(fn, &i, sizeof i) == 0);
    return corio_wait();
}

static int ask_beside_one_that_needs_some(void *arg)
{
    (void)arg;
    return ask_beside(10, ask);
}

static int ask_beside_one_that_needs_none(void *arg)
{
    (void)arg;
    return ask_beside(0, ask);
}

static int ask_beside_one_that_needs_all(void *arg)
{
    (void)arg;
    return ask_beside(askers, ask);
}

static void run_with(const corio_dispatcher_options *options, corio_task_fn *top)
{
    FOR_EACH_WORKER_COUNT(runtime)
    {
        dispatcher = add(runtime, options);
        for (int round = 0; round < 20; round++) {
            begin();
            assert_int_equal(corio_run(runtime, top, NULL), 0);
            assert_int_equal(answered, askers);
            assert_int_equal(overlaps, 0);
        }
    }
}

static void enough_requests_go_out_while_tasks_run(void **state)
{
    (void)state;
    corio_dispatcher_options options = early(10, 0, answer_at_once);
    run_with(&options, ask_beside_one_that_needs_some);
    options = early(1, 0, answer_in_thread);
    run_with(&options, ask_beside_one_that_needs_all);
}

static void old_requests_go_out_while_tasks_run(void **state)
{
    (void)state;
    corio_dispatcher_options options = early(0, 1, answer_at_once);
    run_with(&options, ask_beside_one_that_needs_all);
    options = early(askers - 10, 1, answer_in_thread);
    run_with(&options, ask_beside_one_that_needs_all);
}

static void limits_hold_for_early_batches(void **state)
{
    (void)state;
    corio_dispatcher_options options = early(10, 0, answer_in_thread);
    options.max_batch = 4;
    options.max_in_flight = 10;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        dispatcher = add(runtime, &options);
        begin();
        assert_int_equal(corio_run(runtime, ask_beside_one_that_needs_some, NULL), 0);
        assert_int_equal(answered, askers);
        assert_true(longest <= 4 && most_in_flight <= 10);
        corio_stats stats = {.size = sizeof stats};
        assert_int_equal(corio_runtime_stats(runtime, &stats), 0);
        assert_int_equal(stats.requests, askers);
        assert_int_equal(stats.batches, calls);
    }
}

static int ask_both(void *arg)
{
    int number = *(int *)arg, out[2] = {0};
    corio_request requests[2] = {
        {.dispatcher = dispatcher, .input = &number, .output = &out[0]},
        {.dispatcher = other, .input = &number, .output = &out[1]},
    };
    for (int round = 0; round < 3; round++)
        CHECK(corio_io_all(requests, 2) == 0 && out[0] == number + 1 && out[1] == number + 1);
    return 0;
}

static int ask_both_beside(void *arg)
{
    (void)arg;
    return ask_beside(10, ask_both);
}

static void two_dispatch_functions_are_never_called_at_once(void **state)
{
    (void)state;
    const corio_dispatcher_options often = early(3, 1, answer_at_once);
    FOR_EACH_WORKER_COUNT(runtime)
    {
        dispatcher = add(runtime, &often);
        other = add(runtime, &often);
        for (int round = 0; round < 20; round++) {
            begin();
            assert_int_equal(corio_run(runtime, ask_both_beside, NULL), 0);
            assert_int_equal(answered, askers * 6);
            assert_int_equal(overlaps, 0);
        }
    }
}

/* -- What is not handed over yet is withdrawn -- */

static int fail_at_last(void *arg)
{
    (void)arg;
    return -ENOTTY;
}

static int ask_and_fail(void *arg)
{
    (void)arg;
    CHECK(corio_go(fail_at_last, NULL) == 0);
    for (int i = 0; i < 9; i++)
        CHECK(corio_go_copy(ask, &i, sizeof i) == 0);
    return corio_wait();
}

static void cancelled_requests_that_still_wait_are_withdrawn(void **state)
{
    (void)state;
    const corio_dispatcher_options ten = early(10, 0, answer_at_once);
    FOR_EACH_WORKER_COUNT(runtime)
    {
        dispatcher = add(runtime, &ten);
        begin();
        assert_int_equal(corio_run(runtime, ask_and_fail, NULL), -ENOTTY);
        assert_int_equal(calls, 0);
    }
}

/* -- The batch log -- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a log, without positions, in alphabetical order. */
static char *sorted_lines(const char *path)
{
    char *lines[askers + 1], *all = NULL;
    size_t count = 0, bytes = 0;
    char line[256];
    FILE *file = fopen(path, "r"), *out = open_memstream(&all, &bytes);
    assert_true(file != NULL && out != NULL);
    while (fgets(line, sizeof line, file) != NULL && count <= askers) {
        char phase[32], name[32], task[64], hash[64];
        assert_int_equal(sscanf(line, "%31s %31s %*s %63s %63s", phase, name, task, hash), 4);
        assert_true(asprintf(&lines[count++], "%s %s %s %s\n", phase, name, task, hash) > 0);
    }
    assert_int_equal(count, askers);
    qsort(lines, count, sizeof *lines, by_text);
    for (size_t i = 0; i < count; i++) {
        fputs(lines[i], out);
        free(lines[i]);
    }
    fclose(file);
    fclose(out);
    return all;
}

static char *logged(const corio_options *options, const corio_dispatcher_options *how,
                    corio_task_fn *top)
{
    corio_runtime *runtime = NULL;
    assert_int_equal(corio_runtime_create(options, &runtime), 0);
    dispatcher = add(runtime, how);
    begin();
    assert_int_equal(corio_run(runtime, top, NULL), 0);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    return sorted_lines(options->batch_log);
}

static void batch_log_has_all_that_was_handed_over(void **state)
{
    (void)state;
    char path[] = "/tmp/corio_early_XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = 3;
    options.batch_log = path;
    corio_dispatcher_options never = early(0, 0, answer_at_once);
    corio_dispatcher_options often = early(7, 0, answer_at_once);
    char *without = logged(&options, &never, ask_beside_one_that_needs_none);
    char *with = logged(&options, &often, ask_beside_one_that_needs_some);
    assert_string_equal(without, with);
    assert_true(calls > 1);
    free(without);
    free(with);
    remove(path);
}

/* -- Strict, and simulated -- */

static void refused(const corio_options *options, int error)
{
    corio_runtime *runtime = NULL;
    assert_int_equal(corio_runtime_create(options, &runtime), 0);
    corio_dispatcher_options some = early(10, 0, answer_at_once);
    assert_int_equal(corio_dispatcher_add(runtime, &some, &dispatcher), error);
    some = early(0, ms, answer_at_once);
    assert_int_equal(corio_dispatcher_add(runtime, &some, &dispatcher), error);
    some = early(0, 0, answer_at_once);
    assert_int_equal(corio_dispatcher_add(runtime, &some, &dispatcher), 0);
    corio_runtime_destroy(runtime);
}

static void strict_runtimes_have_none(void **state)
{
    (void)state;
    corio_options options = CORIO_OPTIONS_INIT;
    options.wait_mode = CORIO_WAIT_STRICT;
    refused(&options, -EINVAL);
}

/* In a recording it could not be said when they were handed over. */
static void recording_runtimes_have_none(void **state)
{
    (void)state;
    corio_options options = CORIO_OPTIONS_INIT;
    options.record = "/dev/null";
    refused(&options, -ENOTSUP);
}

static uint64_t history;

static int answer_and_note(void *self, corio_batch *batch)
{
    history = corio_hash_bytes(history, &(uint64_t){corio_batch_len(batch)}, sizeof(uint64_t));
    for (size_t i = 0; i < corio_batch_len(batch); i++)
        history = corio_hash_bytes(history, corio_batch_input(batch, i), sizeof(int));
    calls++;
    return answer(self, batch);
}

static int only_ask(void *arg)
{
    (void)arg;
    for (int i = 0; i < askers; i++)
        CHECK(corio_go_copy(ask, &i, sizeof i) == 0);
    return corio_wait();
}

static uint64_t simulate(uint64_t seed, const corio_dispatcher_options *how)
{
    corio_runtime *runtime = simulation_with(seed);
    dispatcher = add(runtime, how);
    begin();
    history = CORIO_HASH_BEGIN;
    assert_int_equal(corio_run(runtime, only_ask, NULL), 0);
    assert_int_equal(answered, askers);
    assert_true(calls > 1);
    corio_runtime_destroy(runtime);
    return history;
}

static void simulation_repeats_early_batches(void **state)
{
    (void)state;
    corio_dispatcher_options by_count = early(7, 0, answer_and_note);
    corio_dispatcher_options by_age = early(0, 500, answer_and_note);
    uint64_t first = simulate(1, &by_count);
    unsigned different = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        assert_int_equal(simulate(seed, &by_count), simulate(seed, &by_count));
        assert_int_equal(simulate(seed, &by_age), simulate(seed, &by_age));
        different += simulate(seed, &by_count) != first;
    }
    assert_true(different > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enough_requests_go_out_while_tasks_run),
        cmocka_unit_test(old_requests_go_out_while_tasks_run),
        cmocka_unit_test(limits_hold_for_early_batches),
        cmocka_unit_test(two_dispatch_functions_are_never_called_at_once),
        cmocka_unit_test(cancelled_requests_that_still_wait_are_withdrawn),
        cmocka_unit_test(batch_log_has_all_that_was_handed_over),
        cmocka_unit_test(strict_runtimes_have_none),
        cmocka_unit_test(recording_runtimes_have_none),
        cmocka_unit_test(simulation_repeats_early_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
