/* SPDX-License-Identifier: MIT
 *
 * test_blocking.c - functions in I/O threads: answers, how many at once, slices, limits.
 */
#include <corio.h>
#include <corio/blocking.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TASKS = 10000 };

struct world {
    corio_runtime *runtime;
    corio_dispatcher *blocking;
    atomic_int calls;
    atomic_int running;
    atomic_int most; /* running at once */
    pthread_barrier_t meeting;
    int tasks;
};

static void open_world(struct world *world, unsigned workers, unsigned permits,
                       const corio_blocking_options *options)
{
    memset(world, 0, sizeof *world);
    corio_options runtime = CORIO_OPTIONS_INIT;
    runtime.workers = workers;
    runtime.io_permits = permits;
    assert_int_equal(corio_runtime_create(&runtime, &world->runtime), 0);
    assert_int_equal(corio_blocking_add(world->runtime, options, &world->blocking), 0);
}

static void close_world(struct world *world)
{
    assert_int_equal(corio_runtime_destroy(world->runtime), 0);
}

static corio_stats stats_of(const struct world *world)
{
    corio_stats stats = {.size = sizeof stats};
    assert_int_equal(corio_runtime_stats(world->runtime, &stats), 0);
    return stats;
}

struct job {
    struct world *world;
    int number;
};

/* Counts who is in here, too. */
static int count(void *arg)
{
    const struct job *job = arg;
    struct world *world = job->world;
    int running = atomic_fetch_add(&world->running, 1) + 1;
    int most = atomic_load(&world->most);
    while (running > most && !atomic_compare_exchange_weak(&world->most, &most, running))
        ;
    atomic_fetch_add(&world->calls, 1);
    atomic_fetch_sub(&world->running, 1);
    return job->number;
}

static int ask_to_count(void *arg)
{
    struct job *job = arg;
    return corio_blocking(job->world->blocking, count, job) == job->number ? 0 : -EBADMSG;
}

static int spawn_jobs(void *arg)
{
    struct job job = {arg, 0};
    for (; job.number < job.world->tasks; job.number++)
        corio_go_copy(ask_to_count, &job, sizeof job);
    return corio_wait();
}

static void run_jobs(unsigned workers, const corio_blocking_options *options)
{
    struct world world;
    open_world(&world, workers, 4, options);
    world.tasks = TASKS;
    assert_int_equal(corio_run(world.runtime, spawn_jobs, &world), 0);
    assert_int_equal(world.calls, TASKS);
    assert_true(world.most <= 4);
    close_world(&world);
}

static void every_call_is_made_once_and_answers_its_task(void **state)
{
    (void)state;
    static const unsigned workers[] = {1, 2, 8};
    for (size_t i = 0; i < 3; i++)
        run_jobs(workers[i], NULL);
}

static void slices_of_any_grain_make_every_call(void **state)
{
    (void)state;
    static const size_t grains[] = {1, 7, 100, TASKS - 1, TASKS, TASKS + 1};
    for (size_t i = 0; i < sizeof grains / sizeof *grains; i++) {
        const corio_blocking_options options = {.size = sizeof options, .grain = grains[i]};
        run_jobs(2, &options);
    }
}

static void limits_cut_batches(void **state)
{
    (void)state;
    const corio_blocking_options options = {
        .size = sizeof options, .name = "calls", .max_batch = 100, .max_in_flight = 300};
    struct world world;
    open_world(&world, 2, 4, &options);
    assert_string_equal(corio_dispatcher_name(world.blocking), "calls");
    world.tasks = TASKS;
    assert_int_equal(corio_run(world.runtime, spawn_jobs, &world), 0);
    assert_int_equal(world.calls, TASKS);
    assert_true(stats_of(&world).batches >= TASKS / 100);
    close_world(&world);
}

/* Returns only when all the others are here, each in a thread of its own. */
static int meet(void *arg)
{
    struct job *job = arg;
    pthread_barrier_wait(&job->world->meeting);
    return count(job);
}

static int ask_to_meet(void *arg)
{
    struct job *job = arg;
    return corio_blocking(job->world->blocking, meet, job) == job->number ? 0 : -EBADMSG;
}

static int spawn_meeting(void *arg)
{
    struct job job = {arg, 0};
    for (; job.number < job.world->tasks; job.number++)
        corio_go_copy(ask_to_meet, &job, sizeof job);
    return corio_wait();
}

static void as_many_run_at_once_as_there_are_permits(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 2, 16, NULL);
    world.tasks = 32;
    pthread_barrier_init(&world.meeting, NULL, 16);
    assert_int_equal(corio_run(world.runtime, spawn_meeting, &world), 0);
    assert_int_equal(world.calls, 32);
    pthread_barrier_destroy(&world.meeting);
    close_world(&world);
}

static int give_edom(void *arg)
{
    (void)arg;
    return -EDOM;
}

static int give_seven(void *arg)
{
    (void)arg;
    return 7;
}

static int ask_all(void *arg)
{
    struct world *world = arg;
    const corio_blocking_call calls[2] = {{give_edom, NULL}, {give_seven, NULL}};
    int results[2] = {0, 0};
    corio_request requests[2];
    for (int i = 0; i < 2; i++)
        requests[i] = corio_blocking_request(world->blocking, &calls[i], &results[i]);
    int rc = corio_io_all(requests, 2);
    return rc == 0 && results[0] == -EDOM && results[1] == 7 ? 0 : -EBADMSG;
}

static int ask_to_fail(void *arg)
{
    struct world *world = arg;
    if (corio_blocking(world->blocking, NULL, NULL) != -EINVAL)
        return -EBADMSG;
    return corio_blocking(world->blocking, give_edom, NULL);
}

static void a_result_may_be_an_error(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 1, 2, NULL);
    assert_int_equal(corio_run(world.runtime, ask_to_fail, &world), -EDOM);
    assert_int_equal(corio_run(world.runtime, ask_all, &world), 0);
    close_world(&world);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 1, 2, NULL);
    corio_dispatcher *dispatcher;
    const corio_blocking_options small = {.size = 1};
    assert_int_equal(corio_blocking_add(world.runtime, &small, &dispatcher), -EINVAL);
    assert_int_equal(corio_blocking_add(NULL, NULL, &dispatcher), -EINVAL);
    assert_int_equal(corio_blocking_add(world.runtime, NULL, NULL), -EINVAL);
    assert_int_equal(corio_blocking(world.blocking, give_seven, NULL), -EPERM);
    close_world(&world);
}

/* -- Recordings -- */

struct measured {
    int number;
    int square; /* what the call does, behind its arg */
};

static int square_it(void *arg)
{
    struct measured *measured = arg;
    measured->square = measured->number * measured->number;
    return measured->number;
}

static int save_call(void *self, const void *input, const void *output, int status,
                     corio_sink *sink)
{
    (void)self;
    const corio_blocking_call *call = input;
    if (status != 0 || call->fn != square_it)
        return -ENOTSUP;
    int rc = corio_sink_write(sink, output, sizeof(int));
    return rc == 0 ? corio_sink_write(sink, &((struct measured *)call->arg)->square, sizeof(int))
                   : rc;
}

static int restore_call(void *self, const corio_batch *batch, size_t i, int status,
                        const void *bytes, size_t count)
{
    (void)self;
    const corio_blocking_call *call = corio_batch_input(batch, i);
    const int *numbers = bytes;
    if (status != 0 || count != 2 * sizeof(int))
        return -EBADMSG;
    *(int *)corio_batch_output(batch, i) = numbers[0];
    ((struct measured *)call->arg)->square = 1000000 + numbers[1]; /* it was not called */
    return 0;
}

struct measuring {
    corio_dispatcher *blocking;
    struct measured measured[100];
};

static int measure_all(void *arg)
{
    struct measuring *measuring = arg;
    corio_blocking_call calls[100];
    corio_request requests[100];
    int results[100];
    for (int i = 0; i < 100; i++) {
        measuring->measured[i] = (struct measured){.number = i};
        calls[i] = (corio_blocking_call){square_it, &measuring->measured[i]};
        requests[i] = corio_blocking_request(measuring->blocking, &calls[i], &results[i]);
    }
    int rc = corio_io_all(requests, 100);
    for (int i = 0; i < 100 && rc == 0; i++)
        rc = results[i] == i ? 0 : -EBADMSG;
    return rc;
}

static void a_recording_needs_functions_of_the_program(void **state)
{
    (void)state;
    char path[] = "/tmp/corio-blocking-XXXXXX";
    close(mkstemp(path));
    for (int replay = 0; replay < 2; replay++) {
        corio_options with = CORIO_OPTIONS_INIT;
        corio_runtime *runtime;
        struct measuring measuring;
        *(replay ? &with.replay : &with.record) = path;
        assert_int_equal(corio_runtime_create(&with, &runtime), 0);
        corio_blocking_options options = {.size = sizeof options, .grain = 7};
        assert_int_equal(corio_blocking_add(runtime, &options, &measuring.blocking), -ENOTSUP);
        options.save = save_call;
        options.restore = restore_call;
        assert_int_equal(corio_blocking_add(runtime, &options, &measuring.blocking), 0);
        assert_int_equal(corio_run(runtime, measure_all, &measuring), 0);
        for (int i = 0; i < 100; i++)
            assert_int_equal(measuring.measured[i].square, i * i + 1000000 * replay);
        assert_int_equal(corio_runtime_destroy(runtime), 0);
    }
    unlink(path);
}

static void shorter_options_are_taken(void **state)
{
    (void)state;
    struct world world;
    const corio_blocking_options older = {.size = offsetof(corio_blocking_options, save)};
    open_world(&world, 1, 2, &older);
    assert_int_equal(corio_run(world.runtime, ask_all, &world), 0);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_is_made_once_and_answers_its_task),
        cmocka_unit_test(slices_of_any_grain_make_every_call),
        cmocka_unit_test(limits_cut_batches),
        cmocka_unit_test(as_many_run_at_once_as_there_are_permits),
        cmocka_unit_test(a_result_may_be_an_error),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(a_recording_needs_functions_of_the_program),
        cmocka_unit_test(shorter_options_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
