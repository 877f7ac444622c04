/* SPDX-License-Identifier: MIT
 *
 * service.c - a runtime that runs in a thread of its own, with or without something to do, until it
 * is stopped.
 *
 * It is a run without a first root: the boundary does not end it while `service` is set, but waits
 * for what may come. The thread that is told to stop it does what corio_run does behind a run.
 */
#include "runtime/phase/runtime.h"

#include "runtime/base/thread.h"

#include <errno.h>

static void *serve(void *arg)
{
    corio_runtime *runtime = arg;
    cr_sched_run(&runtime->sched, NULL);
    return NULL;
}

int corio_runtime_start(corio_runtime *runtime)
{
    if (runtime == NULL)
        return -EINVAL;
    if (cr_io_is_taped(&runtime->io))
        return -ENOTSUP;
    if (cr_runtime_acquire(runtime) != 0)
        return -EBUSY;
    cr_runtime_begin_run(runtime);
    cr_root_init(&runtime->root, runtime, "service", NULL, NULL);
    runtime->root.scope.arrived = 0; /* no task */
    cr_roots *roots = &runtime->roots;
    /* Nothing comes in before there is somebody who runs it. */
    pthread_mutex_lock(&roots->lock);
    int rc = cr_thread_create(&runtime->service, serve, runtime);
    if (rc == 0)
        cr_roots_open_locked(roots, true);
    pthread_mutex_unlock(&roots->lock);
    if (rc != 0) {
        cr_phase_ends(runtime);
        (void)cr_runtime_end_run(runtime);
        cr_runtime_release(runtime);
    }
    return rc;
}

/* -- Draining -- */

/* Up to which number; whoever is deadlocked among them gives up from now on. */
static uint64_t ask_to_drain(cr_roots *roots)
{
    pthread_mutex_lock(&roots->lock);
    uint64_t number = roots->number;
    if (number > roots->awaited)
        roots->awaited = number;
    pthread_mutex_unlock(&roots->lock);
    return number;
}

static bool is_drained(cr_roots *roots, uint64_t number)
{
    pthread_mutex_lock(&roots->lock);
    bool drained = roots->first == NULL || roots->first->root.number > number;
    pthread_mutex_unlock(&roots->lock);
    return drained;
}

int corio_runtime_drain(corio_runtime *runtime)
{
    if (runtime == NULL)
        return -EINVAL;
    if (cr_is_worker_of(runtime))
        return -EDEADLK;
    cr_roots *roots = &runtime->roots;
    uint64_t number = ask_to_drain(roots);
    cr_event_signal(&runtime->io.replied);
    for (;;) {
        uint32_t seen = cr_event_value(&roots->ended);
        if (is_drained(roots, number))
            return 0;
        cr_event_wait(&roots->ended, seen, CR_NEVER);
    }
}

/* -- Stopping -- */

static void cancel_all_locked(const cr_roots *roots, int code)
{
    for (corio_job *job = roots->first; job != NULL; job = job->behind) {
        if (!job->ending)
            cr_root_cancel(&job->root, code);
    }
}

static int begin_to_stop(cr_roots *roots, int code)
{
    pthread_mutex_lock(&roots->lock);
    int rc = roots->stopping ? -EALREADY : roots->service ? 0 : -ESHUTDOWN;
    if (rc == 0) {
        roots->stopping = true;
        roots->open = false;
        roots->service = false;
        if (code != 0)
            cancel_all_locked(roots, code);
    }
    pthread_mutex_unlock(&roots->lock);
    return rc;
}

int corio_runtime_stop(corio_runtime *runtime, int code)
{
    if (runtime == NULL || code > 0)
        return -EINVAL;
    if (cr_is_worker_of(runtime))
        return -EDEADLK;
    cr_roots *roots = &runtime->roots;
    int rc = begin_to_stop(roots, code);
    if (rc != 0)
        return rc;
    cr_event_signal(&runtime->io.replied);
    pthread_join(runtime->service, NULL);
    rc = cr_runtime_end_run(runtime);
    pthread_mutex_lock(&roots->lock);
    roots->stopping = false;
    pthread_mutex_unlock(&roots->lock);
    cr_runtime_release(runtime);
    return rc;
}
