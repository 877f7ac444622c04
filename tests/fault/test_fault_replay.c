/* SPDX-License-Identifier: MIT
 *
 * A recording that cannot be written, and a replay that gets no memory: the run that is recorded is as
 * it was, the one that is replayed ends with a clean error.
 */
#include "tests/fault/every.h"

#include <unistd.h>

enum { tasks = 6, watchdog_seconds = 500 };

static corio_dispatcher *plain, *texts;
static char path[] = "/tmp/corio-fault-XXXXXX";

typedef struct text {
    char *bytes;
} text;

/* Puts off every request once, half of them for a moment. */
static int answer_at_the_second_time(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        int *asked = *(int *const *)corio_batch_input(batch, i);
        text *answer = corio_batch_output(batch, i);
        if ((*asked)++ == 0) {
            corio_batch_retry(batch, i, i % 2 * 1000);
            continue;
        }
        answer->bytes = malloc(100);
        if (answer->bytes == NULL) {
            corio_batch_fail(batch, i, -ENOMEM);
            continue;
        }
        memset(answer->bytes, 'x', 100);
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static int save_text(void *self, const void *input, const void *output, int status,
                     corio_sink *sink)
{
    (void)self;
    (void)input;
    return status == 0 ? corio_sink_write(sink, ((const text *)output)->bytes, 100) : 0;
}

static int restore_text(void *self, const corio_batch *batch, size_t i, int status,
                        const void *bytes, size_t count)
{
    (void)self;
    if (status != 0 || count != 100)
        return status != 0 ? 0 : -EBADMSG;
    text *answer = corio_batch_output(batch, i);
    answer->bytes = malloc(100);
    if (answer->bytes == NULL)
        return -ENOMEM;
    memcpy(answer->bytes, bytes, 100);
    return 0;
}

/* The input is an address: alike for all. */
static uint64_t hash_alike(void *self, const void *input)
{
    (void)self;
    (void)input;
    return 0;
}

static int ask(void *arg)
{
    int in = *(int *)arg, out = 0, asked = 0;
    int *input = &asked;
    text answer = {NULL};
    corio_request requests[] = {{.dispatcher = plain, .input = &in, .output = &out},
                                {.dispatcher = texts, .input = &input, .output = &answer}};
    int rc = corio_io_all(requests, 2);
    bool good = rc != 0 || (out == in + 1 && answer.bytes[99] == 'x');
    if (requests[1].status == 0)
        free(answer.bytes);
    CHECK(good);
    return rc;
}

static int program(void *arg)
{
    (void)arg;
    int rc = 0;
    for (int i = 0; i < tasks && rc == 0; i++)
        rc = corio_go_copy(ask, &i, sizeof i);
    int waited = corio_wait();
    return rc != 0 && rc != -ECANCELED ? rc : waited;
}

static int life(unsigned workers, bool replay, int *ret_end)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime = NULL;
    options.workers = workers;
    *(replay ? &options.replay : &options.record) = path;
    int rc = corio_runtime_create(&options, &runtime);
    if (rc != 0)
        return rc;
    corio_dispatcher_options with = {.size = sizeof with,
                                     .name = "texts",
                                     .dispatch = answer_at_the_second_time,
                                     .input_bytes = sizeof(int *),
                                     .output_bytes = sizeof(text),
                                     .hash = hash_alike,
                                     .save = save_text,
                                     .restore = restore_text};
    rc = add(runtime, answer, &plain);
    if (rc == 0)
        rc = corio_dispatcher_add(runtime, &with, &texts);
    if (rc == 0)
        rc = corio_run(runtime, program, NULL);
    *ret_end = corio_runtime_destroy(runtime);
    return rc;
}

static int recorded_life(unsigned workers)
{
    int end = 0;
    int rc = life(workers, false, &end);
    return rc != 0 ? rc : end;
}

/* A request that finds no memory is withdrawn or fails, and then the program asks less: that is a
 * difference, and told so. */
static int replayed_life(unsigned workers)
{
    int end = 0;
    int rc = life(workers, true, &end);
    assert_int_equal(end, 0);
    return rc == CORIO_EDIFFERENT ? -ENOMEM : rc;
}

static void failures_of_a_recorded_run_are_clean_errors(void **state)
{
    (void)state;
    every_failure_is_a_clean_error(recorded_life, 1);
    every_failure_is_a_clean_error(recorded_life, 3);
}

static void failures_of_a_replay_are_clean_errors(void **state)
{
    (void)state;
    wrap_fail(-1, false);
    assert_int_equal(recorded_life(3), 0);
    every_failure_is_a_clean_error(replayed_life, 1);
    every_failure_is_a_clean_error(replayed_life, 3);
}

int main(void)
{
    close(mkstemp(path));
    alarm(watchdog_seconds);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_of_a_recorded_run_are_clean_errors),
        cmocka_unit_test(failures_of_a_replay_are_clean_errors),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
