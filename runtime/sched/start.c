/* SPDX-License-Identifier: MIT
 *
 * start.c - workers, their threads, and the loop at home.
 */
#include "runtime/sched/sched.h"

#include "runtime/base/alloc.h"
#include "runtime/base/fences.h"
#include "runtime/base/thread.h"
#include "runtime/stack/overflow.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* -- The worker of this thread -- */

_Thread_local cr_worker *cr_worker_here CR_INITIAL_EXEC;

__attribute__((noinline)) cr_worker *cr_worker_self(void)
{
    cr_worker *worker = cr_worker_here;
    __asm__ __volatile__("" : "+r"(worker)); /* no caller may keep what it was */
    return worker;
}

__attribute__((noinline)) void cr_worker_set_self(cr_worker *worker)
{
    __asm__ __volatile__("" ::: "memory");
    cr_worker_here = worker;
}

/* In a signal handler. */
static const char *overflowing_task(void)
{
    const cr_worker *self = cr_worker_here;
    return self != NULL && self->task != NULL ? self->task->name : NULL;
}

/* -- Home -- */

/* `outer`: the worker of another runtime, one of whose tasks is the caller; or NULL. */
static void find_native_stack(cr_worker *worker, const cr_worker *outer)
{
    if (outer != NULL && outer->stack != NULL) {
        worker->home_low = outer->stack->low;
        worker->home_bytes = cr_stack_bytes(outer->stack);
        return;
    }
    pthread_attr_t attributes;
    void *low = NULL;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &low, &worker->home_bytes);
    pthread_attr_destroy(&attributes);
    worker->home_low = low;
}

static void home_init(cr_worker *worker, const cr_worker *outer)
{
    cr_worker_set_self(worker);
    if (worker->sched->exceptions != NULL)
        worker->exceptions = worker->sched->exceptions();
    if (cr_sanitized_thread())
        worker->home_fiber = __tsan_get_current_fiber();
    if (cr_sanitized_address())
        find_native_stack(worker, outer);
}

static void run_errand(cr_worker *worker)
{
    const cr_errand *errand = &worker->sched->errand;
    worker->errand = false;
    errand->run(errand->self, worker);
}

/* While the worker is active. Returns when it is to leave. */
static void home_loop(cr_worker *worker)
{
    cr_item item;
    do {
        while (cr_next_own(worker, &item) || cr_steal_any(worker, &item)) {
            /* Pass the wake-up on while there is more than one worker can take. What is left in
             * its own range counts: thieves may have it. */
            if (cr_work_visible(worker->sched))
                cr_pushed(worker);
            cr_run_from_home(worker, &item);
            if (CR_UNLIKELY(worker->errand))
                run_errand(worker);
        }
    } while (cr_idle(worker));
}

static void *worker_main(void *arg)
{
    cr_worker *worker = arg;
    void *alternate = cr_overflow_thread_init();
    home_init(worker, NULL);
    if (cr_idle_inactive(worker))
        home_loop(worker);
    cr_overflow_thread_fini(alternate);
    return NULL;
}

void cr_sched_run(cr_sched *sched, const cr_item *root)
{
    cr_worker *worker = sched->workers[0];
    cr_worker *outer = cr_worker_self();
    void *alternate = cr_overflow_thread_init();
    home_init(worker, outer);
    cr_exceptions kept = cr_exceptions_take(worker->exceptions);
    cr_store_32(&sched->over, 0); /* nobody is active, and worker 0 is this thread */
    cr_store_64(&sched->stay_out_ns, 0);
    for (unsigned i = 0; i < sched->worker_count; i++) /* phases are counted anew */
        sched->workers[i]->stole_in = UINT64_MAX;
    /* The deque has room: it is empty. */
    CR_INVARIANT(root == NULL || cr_deque_push_owner(&worker->deque, root));
    /* [release quiescence.enter] */
    cr_tell_release(&sched->active);
    cr_store_release_32(&sched->active, 1);
    home_loop(worker);
    cr_tell_acquire(&sched->over);
    cr_exceptions_put(worker->exceptions, &kept);
    cr_worker_set_self(outer);
    cr_overflow_thread_fini(alternate);
}

/* -- Starting and stopping -- */

static cr_worker *worker_create(cr_sched *sched, unsigned number)
{
    cr_worker *worker = cr_alloc_aligned(sizeof *worker);
    if (worker == NULL)
        return NULL;
    worker->range.fenced = sched->push_needs_fence;
    if (cr_deque_init(&worker->deque, sched->push_needs_fence) != 0 ||
        cr_deque_init(&worker->behind, true) != 0) {
        cr_deque_fini(&worker->deque);
        cr_free(worker);
        return NULL;
    }
    worker->sched = sched;
    worker->number = number;
    worker->random = 0x9e3779b97f4a7c15u * (number + 1); /* never 0 */
    worker->last_victim = number ? 0 : sched->worker_count - 1;
    cr_event_init(&worker->event);
    return worker;
}

static void stop_threads(cr_sched *sched, unsigned started)
{
    cr_store_release_32(&sched->stop, 1);
    for (unsigned i = 1; i < started; i++)
        cr_wake_worker(sched, sched->workers[i]);
    for (unsigned i = 1; i < started; i++)
        pthread_join(sched->workers[i]->thread, NULL);
}

static void release(cr_sched *sched)
{
    for (unsigned i = 0; sched->workers != NULL && i < sched->worker_count; i++) {
        if (sched->workers[i] == NULL)
            continue;
        cr_deque_fini(&sched->workers[i]->deque);
        cr_deque_fini(&sched->workers[i]->behind);
        cr_free(sched->workers[i]);
    }
    cr_free(sched->workers);
    cr_free(sched->starved);
    cr_stack_pool_fini(&sched->pool);
    pthread_mutex_destroy(&sched->sleep_lock);
    cr_cancel_fini(&sched->cancel);
    cr_timers_fini(&sched->timers);
    pthread_mutex_destroy(&sched->starved_lock);
}

static int start_threads(cr_sched *sched)
{
    for (unsigned i = 1; i < sched->worker_count; i++) {
        int rc = cr_thread_create(&sched->workers[i]->thread, worker_main, sched->workers[i]);
        if (rc != 0) {
            stop_threads(sched, i);
            return rc;
        }
    }
    return 0;
}

int cr_sched_init(cr_sched *sched, unsigned workers, size_t stack_bytes, size_t max_stacks)
{
    memset(sched, 0, sizeof *sched);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned cpus = online > 0 ? (unsigned)online : 1;
    sched->worker_count = workers;
    sched->cpus = cpus;
    sched->most_spinners = cpus >= 4 ? cpus / 2 : 1;
    sched->most_sharers = workers < cpus ? workers : cpus;
    sched->inline_margin = stack_bytes / 2;
    sched->push_needs_fence = !cr_fence_threads_register();
    pthread_mutex_init(&sched->sleep_lock, NULL);
    cr_cancel_init(&sched->cancel);
    cr_timers_init(&sched->timers);
    pthread_mutex_init(&sched->starved_lock, NULL);
    sched->exceptions = cr_exceptions_find();
    int rc = cr_stack_pool_init(&sched->pool, stack_bytes, max_stacks, workers);
    sched->pool.task_name = overflowing_task;
    if (rc == 0) {
        sched->workers = cr_alloc_zeroed(workers * sizeof *sched->workers);
        rc = sched->workers != NULL ? 0 : -ENOMEM;
    }
    for (unsigned i = 0; rc == 0 && i < workers; i++) {
        sched->workers[i] = worker_create(sched, i);
        rc = sched->workers[i] != NULL ? 0 : -ENOMEM;
    }
    if (rc == 0)
        rc = start_threads(sched);
    if (rc != 0)
        release(sched);
    return rc;
}

void cr_sched_specialise(cr_sched *sched)
{
    for (unsigned i = 0; i < sched->worker_count; i++) {
        cr_worker *worker = sched->workers[i];
        worker->watched = sched->watched;
        worker->special = sched->push_needs_fence || worker->trace != NULL ||
                          worker->tally != NULL || worker->watched ||
                          sched->errand.wanted != NULL || cr_simulated(sched) ||
                          cr_sanitized_thread() || cr_sanitized_address();
    }
}

void cr_sched_fini(cr_sched *sched)
{
    stop_threads(sched, sched->worker_count);
    release(sched);
}
