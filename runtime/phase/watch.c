/* SPDX-License-Identifier: MIT */
#include "runtime/phase/watch.h"

#include "runtime/base/alloc.h"
#include "runtime/base/thread.h"
#include "runtime/phase/runtime.h"

#include <errno.h>
#include <inttypes.h>

enum { shortest_period_ns = 1000000, looks_per_limit = 4, text_bytes = 1024, path_bytes = 256 };

/* -- Tasks that hold the CPU phase -- */

/* What there is to say of the worker's task (given), if it is still the turn that was seen. */
static char *print_holder(cr_worker *worker, const cr_watched *seen, uint64_t now)
{
    const cr_sched *sched = worker->sched;
    char path[path_bytes];
    char *text = cr_alloc(text_bytes);
    if (text == NULL)
        return NULL;
    cr_spin_lock(&worker->turn.lock); /* [acquire turn.lock] */
    const corio_task *task = worker->turn.number == seen->number ? worker->turn.task : NULL;
    if (task != NULL) {
        corio_task_path_text(task, path, sizeof path);
        snprintf(
            text, text_bytes,
            "corio: task %s %s has held phase %" PRIu64 " for %" PRIu64
            " ms on worker %u: nothing is handed over before it suspends or ends, and %u of %u "
            "workers are active (corio_options.hold_ns, CORIO_HOLD_NS)\n",
            task->name, path, sched->phase, (now - seen->since_ns) / 1000000, worker->number,
            (unsigned)cr_load_32(&sched->active), sched->worker_count);
    }
    cr_spin_unlock(&worker->turn.lock); /* [release turn.lock] */
    if (task != NULL)
        return text;
    cr_free(text);
    return NULL;
}

static void look_at(corio_runtime *runtime, cr_worker *worker, cr_watched *seen, uint64_t now)
{
    uint64_t number = cr_load_64(&worker->turn.number);
    if (number != seen->number) {
        *seen = (cr_watched){.number = number, .since_ns = now};
        return;
    }
    if (seen->told || now - seen->since_ns < runtime->options.hold_ns)
        return;
    uint64_t run = cr_load_64(&runtime->run_total);
    char *text = print_holder(worker, seen, now);
    seen->told = true;
    if (text != NULL)
        cr_remark_of_run(runtime, text, run);
}

static void look(const cr_watch *watch)
{
    corio_runtime *runtime = watch->runtime;
    uint64_t now = cr_now_ns();
    if (cr_load_32(&runtime->io.early) != 0)
        cr_early_hand_over(&runtime->io, watch->trace);
    for (unsigned i = 0; runtime->sched.watched && i < runtime->sched.worker_count; i++)
        look_at(runtime, runtime->sched.workers[i], &watch->workers[i], now);
}

/* -- The thread -- */

static void sleep_until_computing(cr_watch *watch)
{
    uint32_t seen = cr_event_value(&watch->event);
    cr_store_32(&watch->asleep, 1);
    cr_fence_full(); /* [watch.asleep] */
    if (cr_load_32(&watch->computing) == 0 && cr_load_32(&watch->stop) == 0)
        cr_event_wait(&watch->event, seen, CR_NEVER);
    cr_store_32(&watch->asleep, 0);
}

static void nap(cr_watch *watch)
{
    uint32_t seen = cr_event_value(&watch->event);
    if (cr_load_32(&watch->stop) == 0)
        cr_event_wait(&watch->event, seen, cr_now_ns() + cr_load_64(&watch->period_ns));
}

static void *watch_main(void *arg)
{
    cr_watch *watch = arg;
    while (cr_load_32(&watch->stop) == 0) {
        if (cr_load_32(&watch->computing) == 0) {
            sleep_until_computing(watch);
            continue;
        }
        look(watch);
        nap(watch);
    }
    return NULL;
}

void cr_watch_set_computing(cr_watch *watch, bool computing)
{
    cr_store_32(&watch->computing, computing);
    if (!computing)
        return;
    cr_fence_full(); /* [watch.asleep] */
    if (cr_load_32(&watch->asleep) != 0)
        cr_event_signal(&watch->event);
}

/* -- Starting and stopping -- */

static void release(cr_watch *watch)
{
    cr_trace_buffer_destroy(watch->trace);
    cr_free(watch->workers);
    cr_free(watch);
}

static int start(corio_runtime *runtime, uint64_t period_ns)
{
    cr_watch *watch = cr_alloc_zeroed(sizeof *watch);
    if (watch == NULL)
        return -ENOMEM;
    watch->runtime = runtime;
    watch->period_ns = period_ns;
    cr_event_init(&watch->event);
    watch->workers = cr_alloc_zeroed(runtime->sched.worker_count * sizeof *watch->workers);
    if (runtime->io.trace != NULL)
        watch->trace = cr_trace_buffer_create(&runtime->trace, 0);
    bool complete = watch->workers != NULL && (watch->trace != NULL || runtime->io.trace == NULL);
    int rc = complete ? cr_thread_create(&watch->thread, watch_main, watch) : -ENOMEM;
    if (rc != 0) {
        release(watch);
        return rc;
    }
    runtime->watch = watch;
    return 0;
}

int cr_watch_within(corio_runtime *runtime, uint64_t limit_ns)
{
    uint64_t period = limit_ns / looks_per_limit;
    if (period < shortest_period_ns)
        period = shortest_period_ns;
    cr_watch *watch = runtime->watch;
    if (watch == NULL)
        return start(runtime, period);
    if (period < watch->period_ns)
        cr_store_64(&watch->period_ns, period);
    return 0;
}

void cr_watch_stop(cr_watch *watch)
{
    if (watch == NULL)
        return;
    cr_store_32(&watch->stop, 1);
    cr_event_signal(&watch->event);
    pthread_join(watch->thread, NULL);
    release(watch);
}
