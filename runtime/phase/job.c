/* SPDX-License-Identifier: MIT
 *
 * job.c - roots: beginning them, submitting further ones, their results.
 *
 * Edges
 *   job.state   see root.h
 */
#include "runtime/phase/runtime.h"

#include "runtime/base/alloc.h"
#include "runtime/base/options.h"

#include <errno.h>

/* -- Roots -- */

static int start_limited(void *arg)
{
    const cr_root *root = arg;
    if (root->number > 0 && corio_now_ns() >= root->deadline_ns)
        return -ETIMEDOUT; /* it has been waiting for its turn until then */
    int rc = corio_set_deadline(root->deadline_ns);
    return rc == 0 ? root->fn(root->arg) : rc;
}

void cr_root_init(cr_root *root, corio_runtime *runtime, const char *name, corio_task_fn *fn,
                  void *arg)
{
    *root = (cr_root){.runtime = runtime, .name = name, .fn = fn, .arg = arg};
    /* As if somebody waited for the root already: `arrived` is what is left. */
    cr_scope_init(&root->scope, NULL, 0);
    root->scope.arrived = 1;
}

cr_item cr_root_closure(cr_root *root)
{
    bool limited = root->deadline_ns != 0;
    return (cr_item){.fn = limited ? start_limited : root->fn,
                     .scope = &root->scope,
                     .name = root->name,
                     .index_bytes = root->number << 8,
                     .arg = limited ? root : root->arg};
}

void cr_roots_init(cr_roots *roots)
{
    *roots = (cr_roots){.open = false};
    pthread_mutex_init(&roots->lock, NULL);
    cr_event_init(&roots->ended);
}

void cr_roots_fini(cr_roots *roots)
{
    pthread_mutex_destroy(&roots->lock);
}

void cr_roots_open_locked(cr_roots *roots, bool service)
{
    roots->open = true;
    roots->service = service;
    roots->number = 0;
    roots->awaited = 0;
}

bool cr_roots_over(cr_roots *roots)
{
    pthread_mutex_lock(&roots->lock);
    bool over = roots->first == NULL && !roots->service;
    if (over)
        roots->open = false;
    pthread_mutex_unlock(&roots->lock);
    return over;
}

bool cr_roots_expected(cr_roots *roots)
{
    pthread_mutex_lock(&roots->lock);
    bool drained = roots->first == NULL || roots->first->root.number > roots->awaited;
    bool expected = roots->pending != NULL || (roots->service && drained);
    pthread_mutex_unlock(&roots->lock);
    return expected;
}

bool cr_roots_idle(cr_roots *roots)
{
    pthread_mutex_lock(&roots->lock);
    bool idle = roots->service && roots->first == NULL;
    pthread_mutex_unlock(&roots->lock);
    return idle;
}

/* -- Submitting -- */

static void release(corio_job *job)
{
    if (cr_add_32(&job->references, (uint32_t)-1) != 1)
        return;
    cr_failure_destroy(job->failure);
    cr_free(job);
}

static corio_job *create(corio_runtime *runtime, const corio_submit_options *options,
                         corio_task_fn *fn, void *arg)
{
    corio_job *job = cr_alloc_zeroed(sizeof *job);
    if (job == NULL)
        return NULL;
    cr_root_init(&job->root, runtime, options->name != NULL ? options->name : "root", fn, arg);
    job->root.scope.waiter = &job->park;
    job->root.deadline_ns = options->deadline_ns;
    job->park.object = job;
    job->options = *options;
    job->references = 2;
    cr_event_init(&job->complete);
    return job;
}

static void append_live_locked(cr_roots *roots, corio_job *job)
{
    job->before = roots->last;
    if (job->before != NULL)
        job->before->behind = job;
    else
        roots->first = job;
    roots->last = job;
}

static void remove_live_locked(cr_roots *roots, corio_job *job)
{
    if (job->before != NULL)
        job->before->behind = job->behind;
    else
        roots->first = job->behind;
    if (job->behind != NULL)
        job->behind->before = job->before;
    else
        roots->last = job->before;
}

static int enter(corio_runtime *runtime, corio_job *job, corio_job **ret_job)
{
    cr_roots *roots = &runtime->roots;
    pthread_mutex_lock(&roots->lock);
    bool open = roots->open;
    if (open) {
        job->root.number = ++roots->number;
        append_live_locked(roots, job);
        cr_canceller_bind(job->options.canceller, &job->root);
        job->pending = roots->pending;
        cr_store_ptr(&roots->pending, job);
        if (ret_job != NULL)
            *ret_job = job;
        /* Within the lock: the run, and the runtime, may end as soon as it is free. */
        cr_event_signal(&runtime->io.replied);
    }
    pthread_mutex_unlock(&roots->lock);
    return open ? 0 : -ESHUTDOWN;
}

static int submit(corio_runtime *runtime, const corio_submit_options *options, corio_task_fn *fn,
                  void *arg, corio_job **ret_job)
{
    if (cr_io_is_taped(&runtime->io)) /* when it came is not recorded */
        return -ENOTSUP;
    corio_job *job = create(runtime, options, fn, arg);
    if (job == NULL)
        return -ENOMEM;
    if (ret_job == NULL)
        job->references = 1; /* nobody will ask for it */
    int rc = enter(runtime, job, ret_job);
    if (rc != 0)
        cr_free(job);
    return rc;
}

int corio_submit_named(corio_runtime *runtime, const char *name, corio_task_fn *fn, void *arg,
                       corio_job **ret_job)
{
    if (runtime == NULL || name == NULL || fn == NULL)
        return -EINVAL;
    const corio_submit_options options = {.size = sizeof options, .name = name};
    return submit(runtime, &options, fn, arg, ret_job);
}

int corio_submit_with(corio_runtime *runtime, const corio_submit_options *options,
                      corio_task_fn *fn, void *arg, corio_job **ret_job)
{
    corio_submit_options taken;
    if (runtime == NULL || fn == NULL || options == NULL ||
        !cr_options_copy(&taken, sizeof taken, options))
        return -EINVAL;
    return submit(runtime, &taken, fn, arg, ret_job);
}

void cr_jobs_take(corio_runtime *runtime, cr_worker *leader)
{
    cr_roots *roots = &runtime->roots;
    pthread_mutex_lock(&roots->lock);
    corio_job *job = roots->pending;
    cr_store_ptr(&roots->pending, NULL);
    pthread_mutex_unlock(&roots->lock);
    while (job != NULL) { /* the newest first: the owner of the deque begins with the oldest */
        corio_job *next = job->pending;
        cr_item closure = cr_root_closure(&job->root);
        if (!cr_deque_push_owner(&leader->deque, &closure))
            cr_task_refuse(leader, &closure, -ENOMEM);
        job = next;
    }
}

/* -- Results -- */

/* From here on nobody cancels it. */
static void stop_cancelling(cr_roots *roots, corio_job *job)
{
    pthread_mutex_lock(&roots->lock);
    job->ending = true;
    pthread_mutex_unlock(&roots->lock);
    cr_canceller_bind(job->options.canceller, NULL);
}

static void tell(corio_job *job)
{
    cr_tell_release(&job->state);
    /* [release job.state] */
    cr_store_release_32(&job->state, CR_JOB_KNOWN);
    if (job->options.done != NULL)
        job->options.done(job->options.self, job, job->code);
    cr_tell_release(&job->state);
    /* [release job.state] */
    cr_store_release_32(&job->state, CR_JOB_COMPLETE);
    cr_event_signal(&job->complete);
}

static void end(corio_runtime *runtime, corio_job *job)
{
    cr_roots *roots = &runtime->roots;
    cr_scope *scope = &job->root.scope;
    stop_cancelling(roots, job);
    cr_mark_clear(&runtime->sched.cancel, &scope->mark);
    job->failure = cr_scope_take_failure(scope);
    job->code = job->failure != NULL ? job->failure->error.code : 0;
    tell(job);
    pthread_mutex_lock(&roots->lock);
    remove_live_locked(roots, job);
    pthread_mutex_unlock(&roots->lock);
    cr_event_signal(&roots->ended);
    release(job);
}

void cr_jobs_end(corio_runtime *runtime, cr_worker *worker)
{
    /* A scope whose mark is on the list of those to be widened must not go before that is done. */
    if (runtime->sched.cancel.partial != NULL)
        cr_cancel_widen(&runtime->sched.cancel);
    while (worker->ended != NULL) {
        cr_park *park = worker->ended;
        worker->ended = park->next;
        end(runtime, park->object);
    }
}

static uint32_t state_of(const corio_job *job)
{
    /* [acquire job.state] */
    uint32_t state = cr_load_acquire_32(&job->state);
    cr_tell_acquire(&job->state);
    return state;
}

bool corio_job_is_complete(const corio_job *job)
{
    return job != NULL && state_of(job) == CR_JOB_COMPLETE;
}

bool cr_is_worker_of(const corio_runtime *runtime)
{
    const cr_worker *worker = cr_worker_self();
    return worker != NULL && worker->sched == &runtime->sched;
}

static int wait_until(corio_job *job, uint64_t deadline_ns)
{
    for (;;) {
        uint32_t seen = cr_event_value(&job->complete);
        if (state_of(job) == CR_JOB_COMPLETE)
            return job->code;
        if (deadline_ns != CR_NEVER && cr_now_ns() >= deadline_ns)
            return -ETIMEDOUT;
        cr_event_wait(&job->complete, seen, deadline_ns);
    }
}

int corio_job_wait_until(corio_job *job, uint64_t deadline_ns)
{
    if (job == NULL)
        return -EINVAL;
    if (state_of(job) == CR_JOB_COMPLETE)
        return job->code;
    if (cr_is_worker_of(job->root.runtime))
        return -EDEADLK;
    cr_add_32(&job->references, 1);
    int rc = wait_until(job, deadline_ns);
    release(job);
    return rc;
}

int corio_job_wait(corio_job *job)
{
    return corio_job_wait_until(job, CR_NEVER);
}

const corio_error *corio_job_error(const corio_job *job)
{
    if (job == NULL || state_of(job) == CR_JOB_OPEN || job->failure == NULL)
        return NULL;
    return &job->failure->error;
}

uint64_t corio_job_number(const corio_job *job)
{
    return job != NULL ? job->root.number : 0;
}

void corio_job_release(corio_job *job)
{
    if (job != NULL)
        release(job);
}
