/* SPDX-License-Identifier: MIT
 *
 * model_threads.c - the I/O threads: every job is done once, never more than `permits` at once, as
 * many as that when they are needed, and the end waits for all.
 */
#include "runtime/base/thread.c"
#include "runtime/io/threads.c"
#include "tests/model/model.h"
#include "tests/model/no_sim.h"

enum { jobs = 3 };

static struct {
    cr_threads threads;
    corio_batch batches[jobs];
    unsigned before; /* jobs done before two are to meet */
    uint32_t submitted;
} world;

/* What batch.c would do. */
uint32_t cr_batch_hold(corio_batch *batch)
{
    (void)batch;
    return 1;
}

void cr_batch_returned(corio_batch *batch, uint32_t held, int rc)
{
    (void)batch;
    MODEL_CHECK(held == 1 && rc == 0);
}

static void begin_with(unsigned permits)
{
    memset(&world, 0, sizeof world);
    MODEL_CHECK(cr_threads_init(&world.threads, permits) == 0);
    model_name(&world.threads.lock, sizeof world.threads.lock, "lock");
    model_name(&world.threads.work, sizeof world.threads.work, "work");
    model_name(&world.threads, sizeof world.threads, "threads");
}

static void begin_one(void)
{
    begin_with(1);
}

static void begin_two(void)
{
    begin_with(2);
}

static void begin_three(void)
{
    begin_with(3);
}

static void submit(unsigned number, corio_batch_fn *job)
{
    model_make(number);
    corio_batch *batch = &world.batches[number];
    batch->job = job;
    batch->job_arg = (void *)(uintptr_t)number;
    MODEL_CHECK(cr_threads_submit(&world.threads, batch) == 0);
}

static int do_job(void *arg, corio_batch *batch)
{
    MODEL_CHECK(batch == &world.batches[(uintptr_t)arg]);
    model_enter(world.threads.permits);
    model_take((unsigned)(uintptr_t)arg);
    model_leave();
    return 0;
}

static bool two_inside(void)
{
    return model_inside() >= 2 || model_taken() > world.before;
}

/* One alone would wait for ever. */
static int do_job_with_another(void *arg, corio_batch *batch)
{
    (void)batch;
    model_enter(world.threads.permits);
    model_await(two_inside, "waits for another job");
    model_take((unsigned)(uintptr_t)arg);
    model_leave();
    return 0;
}

/* A job may hand on what it has. */
static int do_job_and_submit(void *arg, corio_batch *batch)
{
    (void)batch;
    model_take((unsigned)(uintptr_t)arg);
    submit((unsigned)(uintptr_t)arg + 1, do_job);
    return 0;
}

static bool all_taken(void)
{
    return model_taken() == jobs;
}

static void submit_and_end(void)
{
    for (unsigned number = 0; number < jobs; number++)
        submit(number, do_job);
    cr_threads_fini(&world.threads);
}

static void submit_wait_and_end(void)
{
    for (unsigned number = 0; number < jobs; number++)
        submit(number, do_job);
    model_await(all_taken, "waits for all jobs");
    cr_threads_fini(&world.threads);
}

static bool one_taken(void)
{
    return model_taken() >= 1;
}

static void submit_two_that_meet(void)
{
    submit(0, do_job_with_another);
    submit(1, do_job_with_another);
    cr_threads_fini(&world.threads);
}

/* The first job's thread is idle, or nearly so, and counts for one of the two. */
static void submit_two_that_meet_later(void)
{
    world.before = 1;
    submit(0, do_job);
    model_await(one_taken, "waits for the first job");
    submit(1, do_job_with_another);
    submit(2, do_job_with_another);
    cr_threads_fini(&world.threads);
}

static void submit_in_jobs(void)
{
    submit(0, do_job_and_submit);
    submit(2, do_job);
    model_await(all_taken, "waits for all jobs");
    cr_threads_fini(&world.threads);
}

/* Two threads submit. */
static void submit_first(void)
{
    submit(0, do_job);
    model_receive(&world.submitted, "waits for the other");
    cr_threads_fini(&world.threads);
}

static void submit_others(void)
{
    submit(1, do_job);
    submit(2, do_job);
    model_publish(&world.submitted);
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"one_permit", begin_one, {submit_and_end}, model_check_all_taken, NULL},
        {"two_permits", begin_two, {submit_and_end}, model_check_all_taken, NULL},
        {"idle_at_the_end", begin_three, {submit_wait_and_end}, model_check_all_taken, NULL},
        {"two_jobs_for_one_idle",
         begin_two,
         {submit_two_that_meet_later},
         model_check_all_taken,
         NULL},
        {"two_jobs_run_at_once", begin_two, {submit_two_that_meet}, model_check_all_taken, NULL},
        {"jobs_submit_jobs", begin_two, {submit_in_jobs}, model_check_all_taken, NULL},
        {"two_submit", begin_two, {submit_first, submit_others}, model_check_all_taken, NULL},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 6000);
}
