/* SPDX-License-Identifier: MIT
 *
 * Work from outside: jobs beside a run's root, and in a service; their results, order and ends.
 */
#include "harness.h"

#include <pthread.h>

static corio_runtime *under_test;
static corio_dispatcher *dispatcher;
static unsigned ran;
static int no_code;

static void set_up(corio_runtime *runtime)
{
    under_test = runtime;
    dispatcher = add_dispatcher(runtime, answer_all);
    ran = 0;
}

/* A task, or several, that ask; work ends with *arg. */
static int ask(void *arg)
{
    (void)arg;
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    ADD(ran);
    return 0;
}

static int work(void *arg)
{
    for (int i = 0; i < 10; i++)
        CHECK(corio_go(ask, NULL) == 0);
    int rc = corio_wait();
    return rc != 0 ? rc : *(const int *)arg;
}

/* Submits `count` jobs, and waits for each. */
static int submit_some(int count)
{
    corio_job *jobs[100];
    static const int codes[] = {0, -EIO};
    for (int i = 0; i < count; i++) {
        CHECK(corio_submit(under_test, work, (void *)&codes[i % 2], &jobs[i]) == 0);
        CHECK(corio_job_number(jobs[i]) > 0);
    }
    for (int i = 0; i < count; i++) {
        CHECK(corio_job_wait(jobs[i]) == codes[i % 2]);
        CHECK(corio_job_is_complete(jobs[i]));
        CHECK(corio_job_wait(jobs[i]) == codes[i % 2]);
        CHECK((corio_job_error(jobs[i]) == NULL) == (i % 2 == 0));
        corio_job_release(jobs[i]);
    }
    return 0;
}

/* -- beside a run's root -- */

static void *submit_and_fulfil(void *arg)
{
    int rc;
    while ((rc = corio_submit(under_test, work, &no_code, NULL)) == -ESHUTDOWN)
        sched_yield(); /* the run has not begun */
    if (rc == 0)
        rc = submit_some(50);
    corio_promise_fulfil(arg, NULL);
    return rc == 0 ? NULL : arg;
}

static int wait_for_promise(void *arg)
{
    return corio_promise_wait(arg, NULL);
}

static void jobs_run_beside_the_root(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        pthread_t thread;
        corio_promise *submitted;
        void *rc = &ran;
        set_up(runtime);
        assert_int_equal(corio_promise_create(&submitted), 0);
        assert_int_equal(pthread_create(&thread, NULL, submit_and_fulfil, submitted), 0);
        assert_int_equal(corio_run(runtime, wait_for_promise, submitted), 0);
        pthread_join(thread, &rc);
        assert_null(rc);
        assert_int_equal(ran, 51 * 10);
        corio_promise_destroy(submitted);
    }
}

static int submit_one_more(void *arg)
{
    int left = *(int *)arg;
    ADD(ran);
    *(int *)arg = left - 1;
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    return left == 0 ? 0 : corio_submit(under_test, submit_one_more, arg, NULL);
}

static void a_run_ends_when_all_its_roots_are_complete(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        int left = 20;
        corio_job *job;
        set_up(runtime);
        assert_int_equal(corio_submit(runtime, submit_one_more, &left, &job), -ESHUTDOWN);
        assert_int_equal(corio_run(runtime, submit_one_more, &left), 0);
        assert_int_equal(ran, 21);
        assert_int_equal(corio_submit(runtime, submit_one_more, &left, &job), -ESHUTDOWN);
        left = 3;
        assert_int_equal(corio_run(runtime, submit_one_more, &left), 0);
        assert_int_equal(ran, 25);
        assert_int_equal(corio_runtime_drain(runtime), 0); /* without a run */
    }
}

/* -- errors, order -- */

static int deep(void *arg)
{
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    corio_fail(*(int *)arg, "deep down");
}

static int fails(void *arg)
{
    CHECK(corio_go(ask, arg) == 0);
    CHECK(corio_go(deep, arg) == 0);
    return corio_wait();
}

static int root_fails(void *arg)
{
    corio_job **jobs = arg;
    static int codes[] = {-EIO, -EDOM};
    CHECK(corio_submit(under_test, fails, &codes[0], &jobs[0]) == 0);
    CHECK(corio_submit(under_test, fails, &codes[1], &jobs[1]) == 0);
    CHECK(corio_submit(under_test, work, &no_code, &jobs[2]) == 0);
    return -ENOENT;
}

static void each_root_has_its_own_error(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_job *jobs[3];
        char text[1000];
        set_up(runtime);
        assert_int_equal(corio_run(runtime, root_fails, jobs), -ENOENT);
        assert_string_equal(corio_runtime_error(runtime)->task, "root_fails");
        assert_string_equal(corio_runtime_error(runtime)->path, "()");
        assert_int_equal(corio_job_wait(jobs[0]), -EIO);
        assert_int_equal(corio_job_wait(jobs[1]), -EDOM);
        assert_int_equal(corio_job_wait(jobs[2]), 0);
        assert_null(corio_job_error(jobs[2]));
        const corio_error *error = corio_job_error(jobs[1]);
        assert_int_equal(error->code, -EDOM);
        assert_string_equal(error->path, "#2(1)");
        assert_string_equal(error->text, "deep down");
        corio_error_text(error, text, sizeof text);
        assert_non_null(strstr(text, "task deep #2(1) failed with -33"));
        assert_non_null(strstr(text, "  passed on by fails #2()\n"));
        for (int i = 0; i < 3; i++) {
            assert_int_equal(corio_job_number(jobs[i]), i + 1);
            corio_job_release(jobs[i]);
        }
    }
}

static char paths[1000];

static int note_paths(void *self, corio_batch *batch)
{
    (void)self;
    char path[40];
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        corio_batch_task_path_text(batch, i, path, sizeof path);
        strcat(strcat(paths, path), " ");
    }
    strcat(paths, "| ");
    return answer_all(NULL, batch);
}

static int ask_below(void *arg)
{
    CHECK(corio_go(ask, arg) == 0);
    CHECK(corio_task_root(corio_self()) == *(uint64_t *)arg);
    return ask(arg);
}

static int submit_and_ask(void *arg)
{
    static uint64_t numbers[] = {1, 2, 3};
    (void)arg;
    for (int i = 0; i < 3; i++)
        CHECK(corio_submit(under_test, ask_below, &numbers[i], NULL) == 0);
    CHECK(corio_go(ask, NULL) == 0);
    CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    CHECK(corio_go(ask, NULL) == 0);
    return corio_io(dispatcher, NULL, NULL);
}

static void requests_of_jobs_come_behind_those_of_the_first_root(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        paths[0] = '\0';
        dispatcher = add_dispatcher(runtime, note_paths);
        assert_int_equal(corio_run(runtime, submit_and_ask, NULL), 0);
        assert_string_equal(paths, "() (0) | () (1) #1() #1(0) #2() #2(0) #3() #3(0) | ");
    }
}

/* -- a service -- */

static void a_service_takes_jobs_until_it_is_stopped(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        for (int round = 0; round < 3; round++) {
            ran = 0;
            assert_int_equal(corio_runtime_start(runtime), 0);
            assert_int_equal(corio_runtime_start(runtime), -EBUSY);
            assert_int_equal(corio_run(runtime, work, NULL), -EBUSY);
            assert_int_equal(corio_runtime_destroy(runtime), -EBUSY);
            for (int i = 0; i < 10; i++)
                assert_int_equal(submit_some(1 + 10 * (i % 2)), 0);
            assert_int_equal(corio_runtime_stop(runtime, 0), 0);
            assert_int_equal(ran, 60 * 10);
            assert_int_equal(corio_submit(runtime, work, NULL, NULL), -ESHUTDOWN);
            assert_int_equal(corio_run(runtime, work, &(int){-EDOM}), -EDOM);
        }
    }
}

static void stopping_waits_for_all_that_was_submitted(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        for (int round = 0; round < 50; round++) {
            ran = 0;
            assert_int_equal(corio_runtime_start(runtime), 0);
            for (int i = 0; i < round; i++)
                assert_int_equal(corio_submit(runtime, work, &no_code, NULL), 0);
            assert_int_equal(corio_runtime_stop(runtime, 0), 0);
            assert_int_equal(ran, round * 10);
        }
    }
}

static int sleep_long(void *arg)
{
    (void)arg;
    ADD(ran);
    int rc = corio_sleep(3600000000000u);
    CHECK(rc == -ECANCELED);
    return rc;
}

static void stopping_with_a_code_cancels(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_job *jobs[20];
        set_up(runtime);
        assert_int_equal(corio_runtime_start(runtime), 0);
        for (int i = 0; i < 20; i++)
            assert_int_equal(corio_submit(runtime, sleep_long, NULL, &jobs[i]), 0);
        assert_int_equal(corio_runtime_stop(runtime, -ESTALE), 0);
        for (int i = 0; i < 20; i++) {
            assert_int_equal(corio_job_wait(jobs[i]), -ESTALE);
            assert_string_equal(corio_job_error(jobs[i])->text, "cancelled");
            corio_job_release(jobs[i]);
        }
    }
}

/* -- waiting for what nobody does -- */

static corio_waitgroup never;
static corio_promise *opened;

static int wait_for_never(void *arg)
{
    (void)arg;
    CHECK(corio_waitgroup_add(&never, 1) == 0);
    return corio_waitgroup_wait(&never);
}

static int do_it(void *arg)
{
    (void)arg;
    return corio_waitgroup_done(&never);
}

static void a_later_job_may_let_a_stuck_one_go_on(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_job *stuck;
        set_up(runtime);
        never = (corio_waitgroup)CORIO_WAITGROUP_INIT;
        assert_int_equal(corio_runtime_start(runtime), 0);
        assert_int_equal(corio_submit(runtime, wait_for_never, NULL, &stuck), 0);
        assert_int_equal(submit_some(1), 0); /* so the stuck one is, by now */
        assert_int_equal(submit_some(1), 0);
        assert_false(corio_job_is_complete(stuck));
        assert_int_equal(corio_submit(runtime, do_it, NULL, NULL), 0);
        assert_int_equal(corio_job_wait(stuck), 0);
        corio_job_release(stuck);
        assert_int_equal(corio_runtime_stop(runtime, 0), 0);
        assert_string_equal(corio_runtime_report(runtime), "");
    }
}

static int submit_when_stuck(void *arg)
{
    CHECK(wait_for_never(NULL) == -EDEADLK);
    CHECK(corio_submit(under_test, wait_for_promise, opened, (corio_job **)arg) == 0);
    return -EDEADLK;
}

static void draining_ends_a_deadlock_and_waits_for_no_later_job(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_job *stuck, *later = NULL;
        set_up(runtime);
        never = (corio_waitgroup)CORIO_WAITGROUP_INIT;
        assert_int_equal(corio_promise_create(&opened), 0);
        assert_int_equal(corio_runtime_start(runtime), 0);
        assert_int_equal(corio_submit(runtime, submit_when_stuck, &later, &stuck), 0);
        assert_int_equal(corio_runtime_drain(runtime), 0);
        assert_true(corio_job_is_complete(stuck));
        assert_int_equal(corio_job_wait(stuck), -EDEADLK);
        assert_false(corio_job_is_complete(later));
        assert_int_equal(corio_promise_fulfil(opened, NULL), 0);
        assert_int_equal(corio_runtime_drain(runtime), 0);
        assert_true(corio_job_is_complete(later));
        assert_int_equal(corio_runtime_stop(runtime, 0), 0);
        assert_non_null(strstr(corio_runtime_report(runtime),
                               "task submit_when_stuck #1() waits in corio_waitgroup_wait"));
        corio_job_release(stuck);
        corio_job_release(later);
        corio_promise_destroy(opened);
    }
}

static void stopping_ends_a_deadlock(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_job *stuck;
        set_up(runtime);
        never = (corio_waitgroup)CORIO_WAITGROUP_INIT;
        assert_int_equal(corio_runtime_start(runtime), 0);
        assert_int_equal(corio_submit(runtime, wait_for_never, NULL, &stuck), 0);
        assert_int_equal(submit_some(1), 0);
        assert_int_equal(corio_runtime_stop(runtime, 0), 0);
        assert_int_equal(corio_job_wait(stuck), -EDEADLK);
        assert_non_null(strstr(corio_runtime_report(runtime), "wait_for_never #1()"));
        corio_job_release(stuck);
    }
}

static int submit_stuck(void *arg)
{
    return corio_submit(under_test, wait_for_never, NULL, arg);
}

static void without_a_service_a_stuck_job_is_a_deadlock_at_once(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_job *stuck;
        set_up(runtime);
        never = (corio_waitgroup)CORIO_WAITGROUP_INIT;
        assert_int_equal(corio_run(runtime, submit_stuck, &stuck), 0);
        assert_int_equal(corio_job_wait(stuck), -EDEADLK);
        corio_job_release(stuck);
    }
}

/* -- deadlines, cancellers -- */

static corio_job *submit_limited(corio_submit_options options, corio_task_fn *root)
{
    corio_job *job = NULL;
    options.size = sizeof options;
    assert_int_equal(corio_submit_with(under_test, &options, root, NULL, &job), 0);
    return job;
}

static void jobs_end_at_their_deadline_and_by_their_canceller(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_canceller used = {0}, late = {0}, unused = {0};
        set_up(runtime);
        assert_int_equal(corio_runtime_start(runtime), 0);
        assert_int_equal(corio_canceller_cancel(&used, -EINTR), 0);
        corio_job *jobs[] = {
            submit_limited((corio_submit_options){.deadline_ns = corio_now_ns() + 1000000},
                           sleep_long),
            submit_limited((corio_submit_options){.deadline_ns = 1, .name = "late"}, sleep_long),
            submit_limited((corio_submit_options){.canceller = &used}, sleep_long),
            submit_limited((corio_submit_options){.canceller = &late}, sleep_long),
            submit_limited((corio_submit_options){.canceller = &unused}, ask),
        };
        assert_int_equal(corio_canceller_cancel(&late, -ESTALE), 0);
        assert_int_equal(corio_job_wait(jobs[0]), -ETIMEDOUT);
        assert_int_equal(corio_job_wait(jobs[1]), -ETIMEDOUT);
        assert_string_equal(corio_job_error(jobs[1])->task, "late");
        assert_int_equal(corio_job_wait(jobs[2]), -EINTR);
        assert_string_equal(corio_job_error(jobs[2])->path, "#3()");
        assert_int_equal(corio_job_wait(jobs[3]), -ESTALE);
        assert_int_equal(corio_job_wait(jobs[4]), 0);
        assert_int_equal(corio_canceller_cancel(&unused, -EIO), 0); /* nothing is left to cancel */
        assert_true(ran >= 1 && ran <= 3); /* the second and third have not begun */
        assert_int_equal(submit_some(10), 0);
        for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
            corio_job_release(jobs[i]);
        assert_int_equal(corio_runtime_stop(runtime, 0), 0);
    }
}

static void *cancel(void *arg)
{
    (void)corio_canceller_cancel(arg, -ESTALE);
    return NULL;
}

static void cancelling_races_with_the_end_of_the_job(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_runtime_start(runtime), 0);
        for (int round = 0; round < 100; round++) {
            pthread_t thread;
            corio_canceller canceller = {0};
            corio_job *job = submit_limited((corio_submit_options){.canceller = &canceller}, ask);
            assert_int_equal(pthread_create(&thread, NULL, cancel, &canceller), 0);
            int rc = corio_job_wait(job);
            assert_true(rc == 0 || rc == -ESTALE);
            pthread_join(thread, NULL);
            corio_job_release(job);
        }
        assert_int_equal(corio_runtime_stop(runtime, 0), 0);
    }
}

/* -- callbacks -- */

typedef struct told {
    unsigned times;
    int code;
    bool known, complete;
    int waited;
    corio_job *next;
    corio_job *job;
} told;

static void be_told(void *self, corio_job *job, int code)
{
    told *mine = self;
    mine->times++;
    mine->code = code;
    mine->known = corio_job_error(job) != NULL;
    mine->complete = corio_job_is_complete(job);
    mine->waited = corio_job_wait(job);
    mine->job = job;
    if (corio_submit(under_test, ask, NULL, &mine->next) != 0)
        mine->code = -EBADMSG;
    corio_job_release(job); /* the caller keeps none */
}

static int fail_at_once(void *arg)
{
    (void)arg;
    return -ENOENT;
}

static void the_callback_is_told_once_and_may_submit(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        told mine = {0};
        set_up(runtime);
        assert_int_equal(corio_runtime_start(runtime), 0);
        corio_job *job =
            submit_limited((corio_submit_options){.done = be_told, .self = &mine}, fail_at_once);
        assert_int_equal(corio_runtime_drain(runtime), 0);
        assert_int_equal(mine.times, 1);
        assert_int_equal(mine.code, -ENOENT);
        assert_true(mine.known && !mine.complete && mine.waited == -EDEADLK);
        assert_ptr_equal(mine.job, job);
        assert_int_equal(corio_job_wait(mine.next), 0);
        corio_job_release(mine.next);
        assert_int_equal(corio_runtime_stop(runtime, 0), 0);
    }
}

/* -- waiting in a task -- */

static int wait_for_job(void *arg)
{
    return corio_job_wait(arg);
}

static int wait_for_own_runtime(void *arg)
{
    corio_job *job;
    (void)arg;
    CHECK(corio_submit(under_test, ask, NULL, &job) == 0);
    CHECK(corio_job_wait(job) == -EDEADLK);
    CHECK(corio_runtime_drain(under_test) == -EDEADLK);
    CHECK(corio_runtime_stop(under_test, 0) == -EDEADLK);
    while (!corio_job_is_complete(job))
        CHECK(corio_io(dispatcher, NULL, NULL) == 0);
    CHECK(corio_job_wait(job) == 0);
    corio_job_release(job);
    return 0;
}

static void a_task_may_wait_for_a_job_of_another_runtime_only(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_job *job;
        corio_runtime *other = runtime_with(2);
        set_up(runtime);
        assert_int_equal(corio_runtime_start(runtime), 0);
        assert_int_equal(corio_submit(runtime, wait_for_own_runtime, NULL, &job), 0);
        assert_int_equal(corio_run(other, wait_for_job, job), 0);
        corio_job_release(job);
        assert_int_equal(corio_submit(runtime, fail_at_once, NULL, &job), 0);
        assert_int_equal(corio_run(other, wait_for_job, job), -ENOENT);
        corio_job_release(job);
        assert_int_equal(corio_runtime_stop(runtime, 0), 0);
        assert_int_equal(corio_runtime_destroy(other), 0);
    }
}

/* -- the rest -- */

static void waiting_may_have_a_limit(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_job *job;
        set_up(runtime);
        assert_int_equal(corio_promise_create(&opened), 0);
        assert_int_equal(corio_runtime_start(runtime), 0);
        assert_int_equal(corio_submit(runtime, wait_for_promise, opened, &job), 0);
        assert_int_equal(corio_job_wait_until(job, 1), -ETIMEDOUT);
        assert_int_equal(corio_job_wait_until(job, corio_now_ns() + 1000000), -ETIMEDOUT);
        assert_false(corio_job_is_complete(job));
        assert_int_equal(corio_promise_fulfil(opened, NULL), 0);
        assert_int_equal(corio_job_wait_until(job, corio_now_ns() + 3600000000000u), 0);
        corio_job_release(job);
        assert_int_equal(corio_runtime_stop(runtime, 0), 0);
        corio_promise_destroy(opened);
    }
}

static void a_simulation_takes_jobs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        corio_runtime *runtime = simulation_with(seed);
        set_up(runtime);
        assert_int_equal(corio_runtime_start(runtime), 0);
        assert_int_equal(submit_some(10), 0);
        assert_int_equal(corio_runtime_stop(runtime, 0), 0);
        assert_int_equal(corio_runtime_destroy(runtime), 0);
    }
}

/* Whatever its leader is just looking at. */
static void a_service_may_be_stopped_at_any_moment(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        for (unsigned i = 0; i < 2000; i++) {
            assert_int_equal(corio_runtime_start(runtime), 0);
            corio_job *job = NULL;
            if (i % 2)
                assert_int_equal(corio_submit(runtime, ask, NULL, &job), 0);
            while (job != NULL && i % 4 == 1 && !corio_job_is_complete(job))
                ; /* the leader has just ended it, and looks what comes next */
            for (unsigned spins = i % 4 == 1 ? i % 1000 : i * 7919 % 200000; spins > 0; spins--)
                __asm__ __volatile__("" ::: "memory");
            corio_job_release(job);
            assert_int_equal(corio_runtime_stop(runtime, 0), 0);
            assert_string_equal(corio_runtime_report(runtime), "");
        }
    }
}

static void misuse_is_a_named_error(void **state)
{
    (void)state;
    corio_runtime *runtime = runtime_with(2);
    corio_submit_options options = {.size = sizeof options}, bad = {.size = 1};
    corio_job *job = NULL;
    assert_int_equal(corio_submit(NULL, ask, NULL, &job), -EINVAL);
    assert_int_equal(corio_submit_named(runtime, "x", NULL, NULL, &job), -EINVAL);
    assert_int_equal(corio_submit_named(runtime, NULL, ask, NULL, &job), -EINVAL);
    assert_int_equal(corio_submit_with(NULL, &options, ask, NULL, &job), -EINVAL);
    assert_int_equal(corio_submit_with(runtime, NULL, ask, NULL, &job), -EINVAL);
    assert_int_equal(corio_submit_with(runtime, &bad, ask, NULL, &job), -EINVAL);
    assert_int_equal(corio_submit_with(runtime, &options, NULL, NULL, &job), -EINVAL);
    assert_int_equal(corio_submit_with(runtime, &options, ask, NULL, &job), -ESHUTDOWN);
    assert_int_equal(corio_runtime_stop(runtime, 0), -ESHUTDOWN);
    assert_int_equal(corio_runtime_stop(runtime, 1), -EINVAL);
    assert_int_equal(corio_runtime_stop(NULL, 0), -EINVAL);
    assert_int_equal(corio_runtime_start(NULL), -EINVAL);
    assert_int_equal(corio_runtime_drain(NULL), -EINVAL);
    assert_int_equal(corio_job_wait(NULL), -EINVAL);
    assert_false(corio_job_is_complete(NULL));
    assert_null(corio_job_error(NULL));
    assert_int_equal(corio_job_number(NULL), 0);
    corio_job_release(NULL);
    assert_null(job);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* When a submission came is not recorded. */
static void recorded_runtimes_take_none(void **state)
{
    (void)state;
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    options.record = "/dev/null";
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    assert_int_equal(corio_submit(runtime, nothing, NULL, NULL), -ENOTSUP);
    assert_int_equal(corio_runtime_start(runtime), -ENOTSUP);
    assert_int_equal(corio_run(runtime, nothing, NULL), 0);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_beside_the_root),
        cmocka_unit_test(a_run_ends_when_all_its_roots_are_complete),
        cmocka_unit_test(each_root_has_its_own_error),
        cmocka_unit_test(requests_of_jobs_come_behind_those_of_the_first_root),
        cmocka_unit_test(a_service_takes_jobs_until_it_is_stopped),
        cmocka_unit_test(stopping_waits_for_all_that_was_submitted),
        cmocka_unit_test(stopping_with_a_code_cancels),
        cmocka_unit_test(a_later_job_may_let_a_stuck_one_go_on),
        cmocka_unit_test(draining_ends_a_deadlock_and_waits_for_no_later_job),
        cmocka_unit_test(stopping_ends_a_deadlock),
        cmocka_unit_test(without_a_service_a_stuck_job_is_a_deadlock_at_once),
        cmocka_unit_test(jobs_end_at_their_deadline_and_by_their_canceller),
        cmocka_unit_test(cancelling_races_with_the_end_of_the_job),
        cmocka_unit_test(the_callback_is_told_once_and_may_submit),
        cmocka_unit_test(a_task_may_wait_for_a_job_of_another_runtime_only),
        cmocka_unit_test(waiting_may_have_a_limit),
        cmocka_unit_test(a_simulation_takes_jobs),
        cmocka_unit_test(a_service_may_be_stopped_at_any_moment),
        cmocka_unit_test(misuse_is_a_named_error),
        cmocka_unit_test(recorded_runtimes_take_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
