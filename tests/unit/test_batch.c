/* SPDX-License-Identifier: MIT
 *
 * Batches: answering, slices, I/O threads, retries, and a named error for each misuse.
 */
#include "harness.h"

#include <pthread.h>
#include <time.h>

static corio_dispatcher *dispatcher;
static int seen[64];     /* what calls inside a dispatch function returned */
static int results[256]; /* what each task's corio_io returned */
static unsigned calls;

static int ask(void *arg)
{
    int number = *(int *)arg;
    int answer = -1;
    results[number] = corio_io(dispatcher, &number, &answer);
    if (results[number] == 0)
        CHECK(answer == number + 1);
    return 0;
}

static int ask_all(void *arg)
{
    for (int i = 0; i < *(int *)arg; i++)
        CHECK(corio_go_copy(ask, &i, sizeof i) == 0);
    return corio_wait();
}

static int input_of(const corio_batch *batch, size_t i)
{
    return *(const int *)corio_batch_input(batch, i);
}

static int answer_one(corio_batch *batch, size_t i)
{
    *(int *)corio_batch_output(batch, i) = input_of(batch, i) + 1;
    return corio_batch_respond(batch, i);
}

/* Runs `count` asking tasks against a dispatch function, with every number of workers. */
static void run_with(corio_dispatch_fn *dispatch, int count, void (*check)(void))
{
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_dispatcher_options options = {.size = sizeof options,
                                            .name = "tested",
                                            .dispatch = dispatch,
                                            .input_bytes = sizeof(int),
                                            .output_bytes = sizeof(int)};
        assert_int_equal(corio_dispatcher_add(runtime, &options, &dispatcher), 0);
        memset(seen, 0x55, sizeof seen);
        memset(results, 0x55, sizeof results);
        calls = 0;
        assert_int_equal(corio_run(runtime, ask_all, &count), 0);
        check();
    }
}

static void all_answered(int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(results[i], 0);
}

/* -- what a batch tells -- */

static int look(void *self, corio_batch *batch)
{
    (void)self;
    char path[32], expected[32];
    seen[0] = corio_batch_len(batch) == 100 && corio_batch_phase(batch) == 0 &&
              corio_batch_dispatcher(batch) == dispatcher;
    seen[1] = 1;
    for (size_t i = 0; i < 100; i++) {
        int length = snprintf(expected, sizeof expected, "(%zu)", i);
        seen[1] &= corio_batch_task_path_text(batch, i, path, sizeof path) == (size_t)length &&
                   strcmp(path, expected) == 0 &&
                   strcmp(corio_batch_task_name(batch, i), "ask") == 0 &&
                   input_of(batch, i) == (int)i; /* spawn order */
        answer_one(batch, i);
    }
    seen[2] = corio_batch_input(batch, 100) == NULL && corio_batch_output(batch, 100) == NULL &&
              corio_batch_task_path_text(batch, 100, path, sizeof path) == 0 && path[0] == '\0' &&
              corio_batch_task_name(batch, 100)[0] == '\0';
    return CORIO_DONE;
}

static void check_look(void)
{
    assert_int_equal(seen[0], 1);
    assert_int_equal(seen[1], 1);
    assert_int_equal(seen[2], 1);
    all_answered(100);
}

static void batch_is_in_spawn_order_and_names_its_tasks(void **state)
{
    (void)state;
    run_with(look, 100, check_look);
}

/* -- misuse -- */

static int leave_gaps(void *self, corio_batch *batch)
{
    (void)self;
    answer_one(batch, 0);
    answer_one(batch, 2);
    seen[0] = corio_batch_complete(batch);
    seen[1] = corio_batch_complete(batch);
    seen[2] = corio_batch_respond(batch, 1);
    seen[3] = corio_batch_fail(batch, 1, -EIO);
    seen[4] = corio_batch_retry(batch, 1, 0);
    seen[5] = corio_batch_input(batch, 0) == NULL && corio_batch_output(batch, 0) == NULL;
    corio_batch *slice;
    seen[6] = corio_batch_slice(batch, 0, 1, &slice);
    return CORIO_DONE;
}

static void check_gaps(void)
{
    assert_int_equal(seen[0], CORIO_EUNANSWERED);
    for (int i = 1; i < 5; i++)
        assert_int_equal(seen[i], CORIO_ECOMPLETED);
    assert_int_equal(seen[5], 1);
    assert_int_equal(seen[6], CORIO_ECOMPLETED);
    assert_int_equal(results[0], 0);
    assert_int_equal(results[1], CORIO_EUNANSWERED);
    assert_int_equal(results[2], 0);
    assert_int_equal(results[3], CORIO_EUNANSWERED);
}

static void gap_and_use_after_complete_are_named(void **state)
{
    (void)state;
    run_with(leave_gaps, 4, check_gaps);
}

static int answer_nothing(void *self, corio_batch *batch)
{
    (void)self;
    (void)batch;
    return CORIO_DONE;
}

static void check_nothing(void)
{
    for (int i = 0; i < 4; i++)
        assert_int_equal(results[i], CORIO_EUNANSWERED);
}

static void dispatcher_that_answers_nothing_does_not_hang(void **state)
{
    (void)state;
    run_with(answer_nothing, 4, check_nothing);
}

static int answer_twice(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < 4; i++)
        answer_one(batch, i);
    seen[0] = corio_batch_respond(batch, 1);
    seen[1] = corio_batch_fail(batch, 2, -EIO);
    seen[2] = corio_batch_respond(batch, 4);
    seen[3] = corio_batch_fail(batch, 0, 5);
    seen[4] = corio_batch_complete(batch);
    return CORIO_LATER;
}

static void check_twice(void)
{
    assert_int_equal(seen[0], CORIO_EANSWERED);
    assert_int_equal(seen[1], CORIO_EANSWERED);
    assert_int_equal(seen[2], CORIO_EINDEX);
    assert_int_equal(seen[3], -EINVAL);
    assert_int_equal(seen[4], CORIO_EANSWERED);
    assert_int_equal(results[0], 0);
    assert_int_equal(results[1], CORIO_EANSWERED);
    assert_int_equal(results[2], CORIO_EANSWERED);
    assert_int_equal(results[3], 0);
}

static void double_answer_and_foreign_index_are_named(void **state)
{
    (void)state;
    run_with(answer_twice, 4, check_twice);
}

static int give_error(void *self, corio_batch *batch)
{
    (void)self;
    answer_one(batch, 3);
    return -EHOSTDOWN;
}

static void check_error(void)
{
    for (int i = 0; i < 4; i++)
        assert_int_equal(results[i], i == 3 ? 0 : -EHOSTDOWN);
}

static void error_of_dispatch_goes_to_the_unanswered(void **state)
{
    (void)state;
    run_with(give_error, 4, check_error);
}

static void calls_without_a_batch_are_refused(void **state)
{
    (void)state;
    corio_batch *slice;
    assert_int_equal(corio_batch_len(NULL), 0);
    assert_int_equal(corio_batch_phase(NULL), 0);
    assert_null(corio_batch_dispatcher(NULL));
    assert_null(corio_batch_input(NULL, 0));
    assert_int_equal(corio_batch_respond(NULL, 0), -EINVAL);
    assert_int_equal(corio_batch_fail(NULL, 0, -EIO), -EINVAL);
    assert_int_equal(corio_batch_retry(NULL, 0, 0), -EINVAL);
    assert_int_equal(corio_batch_slice(NULL, 0, 1, &slice), -EINVAL);
    assert_int_equal(corio_batch_submit(NULL, NULL, NULL), -EINVAL);
    assert_int_equal(corio_batch_complete(NULL), -EINVAL);
}

/* -- slices -- */

static int answer_slice(void *arg, corio_batch *batch)
{
    (void)arg;
    for (size_t i = 0; i < corio_batch_len(batch); i++)
        answer_one(batch, i);
    return CORIO_DONE;
}

static int slice_badly(void *self, corio_batch *batch)
{
    (void)self;
    corio_batch *middle, *other;
    seen[0] = corio_batch_slice(batch, 2, 3, &middle);
    seen[1] = corio_batch_slice(batch, 4, 2, &other);
    seen[2] = corio_batch_slice(batch, 0, 3, &other);
    seen[3] = corio_batch_slice(batch, 0, 10, &other);
    seen[4] = corio_batch_slice(batch, 8, 3, &other);
    seen[5] = corio_batch_slice(batch, 10, 1, &other);
    seen[6] = corio_batch_slice(batch, 0, 0, &other);
    seen[7] = corio_batch_respond(batch, 3);
    seen[8] = corio_batch_input(batch, 3) == NULL;
    seen[9] = answer_one(batch, 1);
    seen[10] = corio_batch_slice(batch, 0, 2, &other);
    seen[11] = corio_batch_slice(batch, 0, 1, NULL);
    seen[12] = corio_batch_len(middle) == 3 && input_of(middle, 0) == 2;
    answer_slice(NULL, middle);
    seen[13] = corio_batch_complete(middle);
    for (size_t i = 0; i < 10; i++)
        if (i != 1 && (i < 2 || i > 4))
            answer_one(batch, i);
    seen[14] = corio_batch_complete(batch);
    return CORIO_DONE;
}

static void check_slices(void)
{
    const int expected[] = {0,
                            CORIO_ECARVED,
                            CORIO_ECARVED,
                            CORIO_ECARVED,
                            CORIO_EINDEX,
                            CORIO_EINDEX,
                            -EINVAL,
                            CORIO_ECARVED,
                            1,
                            0,
                            CORIO_EANSWERED,
                            -EINVAL,
                            1,
                            0,
                            CORIO_ECARVED /* answering a carved one was misuse */};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(seen[i], expected[i]);
    all_answered(10);
}

static void slices_do_not_overlap(void **state)
{
    (void)state;
    run_with(slice_badly, 10, check_slices);
}

static int submit_slices(void *self, corio_batch *batch)
{
    (void)self;
    size_t count = corio_batch_len(batch);
    for (size_t first = 0; first < count; first += 7) {
        corio_batch *slice;
        size_t size = count - first < 7 ? count - first : 7;
        if (corio_batch_slice(batch, first, size, &slice) != 0 ||
            corio_batch_submit(slice, answer_slice, NULL) != 0)
            abort();
    }
    /* Carved up wholly: nothing more is needed, and saying so is no misuse. */
    seen[0] = corio_batch_complete(batch);
    seen[1] = corio_batch_complete(batch);
    return CORIO_LATER;
}

static void check_submitted(void)
{
    assert_int_equal(seen[0], 0);
    assert_int_equal(seen[1], CORIO_ECOMPLETED);
    all_answered(200);
}

static void slices_may_be_answered_by_io_threads(void **state)
{
    (void)state;
    run_with(submit_slices, 200, check_submitted);
}

static int submit_whole(void *self, corio_batch *batch)
{
    (void)self;
    seen[0] = corio_batch_submit(batch, answer_slice, NULL);
    return CORIO_LATER; /* it is the I/O thread's now */
}

static void check_whole(void)
{
    assert_int_equal(seen[0], 0);
    all_answered(50);
}

static void whole_batch_may_be_submitted(void **state)
{
    (void)state;
    run_with(submit_whole, 50, check_whole);
}

static int nest_slices(void *self, corio_batch *batch)
{
    (void)self;
    corio_batch *outer, *inner;
    seen[0] = corio_batch_slice(batch, 10, 80, &outer);
    seen[1] = corio_batch_slice(outer, 20, 40, &inner);
    seen[2] = input_of(inner, 0);
    answer_slice(NULL, inner);
    for (size_t i = 0; i < 80; i++)
        if (i < 20 || i >= 60)
            answer_one(outer, i);
    for (size_t i = 0; i < 100; i++)
        if (i < 10 || i >= 90)
            answer_one(batch, i);
    seen[3] = corio_batch_complete(outer);
    seen[4] = corio_batch_complete(inner);
    return CORIO_DONE;
}

static void check_nested(void)
{
    assert_int_equal(seen[0], 0);
    assert_int_equal(seen[1], 0);
    assert_int_equal(seen[2], 30);
    assert_int_equal(seen[3], 0);
    assert_int_equal(seen[4], 0);
    all_answered(100);
}

static void slices_nest(void **state)
{
    (void)state;
    run_with(nest_slices, 100, check_nested);
}

/* -- permits -- */

static pthread_mutex_t permit_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t permit_change = PTHREAD_COND_INITIALIZER;
static unsigned running, most_running, done_jobs;

/* The first three jobs wait for each other, so that three do run at once. */
static int count_running(void *arg, corio_batch *batch)
{
    pthread_mutex_lock(&permit_lock);
    if (++running > most_running)
        most_running = running;
    pthread_cond_broadcast(&permit_change);
    while (most_running < 3)
        pthread_cond_wait(&permit_change, &permit_lock);
    running--;
    done_jobs++;
    pthread_mutex_unlock(&permit_lock);
    return answer_slice(arg, batch);
}

static int submit_many(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        corio_batch *slice;
        if (corio_batch_slice(batch, i, 1, &slice) != 0 ||
            corio_batch_submit(slice, count_running, NULL) != 0)
            abort();
    }
    return CORIO_DONE;
}

static void io_threads_are_limited_by_permits(void **state)
{
    (void)state;
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    options.workers = 2;
    options.io_permits = 3;
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    corio_dispatcher_options submitting = {
        .size = sizeof submitting, .name = "submitting", .dispatch = submit_many};
    assert_int_equal(corio_dispatcher_add(runtime, &submitting, &dispatcher), 0);
    int count = 200;
    running = most_running = done_jobs = 0;
    assert_int_equal(corio_run(runtime, ask_all, &count), 0);
    assert_int_equal(most_running, 3);
    assert_int_equal(done_jobs, 200);
    corio_runtime_destroy(runtime);
}

/* -- retries -- */

static unsigned tries[64];

static int retry_odd_twice(void *self, corio_batch *batch)
{
    (void)self;
    calls++;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        int number = input_of(batch, i);
        if (number % 2 && tries[number]++ < 2)
            corio_batch_retry(batch, i, 0);
        else
            answer_one(batch, i);
    }
    return CORIO_DONE;
}

static void check_retries(void)
{
    all_answered(20);
    assert_int_equal(calls, 3);
    memset(tries, 0, sizeof tries);
}

static void retry_goes_out_in_the_next_batch(void **state)
{
    (void)state;
    run_with(retry_odd_twice, 20, check_retries);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t due[64];

static int retry_later(void *self, corio_batch *batch)
{
    (void)self;
    calls++;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        int number = input_of(batch, i);
        if (tries[number]++ == 0) {
            uint64_t delay = (uint64_t)(20 - number) * 500000;
            due[number] = now_ns() + delay;
            corio_batch_retry(batch, i, delay);
        } else {
            seen[number] = now_ns() >= due[number];
            answer_one(batch, i);
        }
    }
    return CORIO_DONE;
}

static void check_delayed(void)
{
    all_answered(20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(tries[i], 2);
        assert_int_equal(seen[i], 1); /* never too early */
    }
    memset(tries, 0, sizeof tries);
}

static void delayed_retry_is_not_early(void **state)
{
    (void)state;
    run_with(retry_later, 20, check_delayed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_is_in_spawn_order_and_names_its_tasks),
        cmocka_unit_test(gap_and_use_after_complete_are_named),
        cmocka_unit_test(dispatcher_that_answers_nothing_does_not_hang),
        cmocka_unit_test(double_answer_and_foreign_index_are_named),
        cmocka_unit_test(error_of_dispatch_goes_to_the_unanswered),
        cmocka_unit_test(calls_without_a_batch_are_refused),
        cmocka_unit_test(slices_do_not_overlap),
        cmocka_unit_test(slices_may_be_answered_by_io_threads),
        cmocka_unit_test(whole_batch_may_be_submitted),
        cmocka_unit_test(slices_nest),
        cmocka_unit_test(io_threads_are_limited_by_permits),
        cmocka_unit_test(retry_goes_out_in_the_next_batch),
        cmocka_unit_test(delayed_retry_is_not_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
