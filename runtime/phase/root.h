/* SPDX-License-Identifier: MIT
 *
 * root.h - the roots of a run: the one that it begins with, number 0, and those submitted while it
 * goes on, the jobs, numbered from 1 in the order in which they were.
 *
 *     any thread:  submit -> live, pending       } under the lock
 *     the leader:  pending -> its deque          while it waits, and before it does
 *                  its children are complete  -> `ended` of the worker that saw it
 *                  at the next quiescence     -> result, callback; no longer live
 *
 * Jobs begin and end at boundaries only: so all else about them is the leader's, and a CPU phase
 * pays nothing for them.
 *
 * The run is over when no root is live and nobody wants to submit more (a service: until it is
 * stopped). That is decided under the lock, and so is whether a submission is taken: each is taken
 * and run, or refused.
 *
 * Edges
 *   job.state   the leader -> who waits   result and error are seen; so is what the tasks wrote
 */
#ifndef CR_PHASE_ROOT_H
#define CR_PHASE_ROOT_H

#include "runtime/base/event.h"
#include "runtime/sched/sched.h"

#include <corio/cancel.h>
#include <corio/submit.h>

typedef struct cr_root {
    cr_scope scope; /* has the root as its only child, and no owner */
    corio_runtime *runtime;
    const char *name;
    uint64_t number;
    corio_task_fn *fn;
    void *arg;
    uint64_t deadline_ns; /* 0: none */
} cr_root;

/* corio_job.state: the callback is told between the two. */
enum { CR_JOB_OPEN, CR_JOB_KNOWN, CR_JOB_COMPLETE };

struct corio_job {
    cr_root root;
    cr_park park; /* in place of a waiter of root.scope: no stack, only a link in `ended` */
    corio_submit_options options;
    int code;
    cr_failure *failure;
    uint32_t references; /* the submitter's, the runtime's, and of those who wait */
    uint32_t state;
    cr_event complete;
    corio_job *pending;         /* submitted before it, and not taken either */
    corio_job *before, *behind; /* live, by number */
    bool ending;                /* not to be cancelled any more; under the lock */
};

/* One per runtime; under the lock, but for `pending`, which the leader looks at without. */
typedef struct cr_roots {
    pthread_mutex_t lock;
    bool open;          /* submissions are taken */
    bool service;       /* goes on without any */
    bool stopping;      /* somebody waits for the service's end */
    uint64_t number;    /* of the last one submitted */
    uint64_t awaited;   /* the highest one that somebody drains up to */
    corio_job *first;   /* live */
    corio_job *last;    /* live */
    corio_job *pending; /* newest first */
    cr_event ended;     /* one that was live is not any more */
} cr_roots;

void cr_roots_init(cr_roots *roots);
void cr_roots_fini(cr_roots *roots);
/* For a new run. */
void cr_roots_open_locked(cr_roots *roots, bool service);

void cr_root_init(cr_root *root, corio_runtime *runtime, const char *name, corio_task_fn *fn,
                  void *arg);
/* The closure that begins it. */
cr_item cr_root_closure(cr_root *root);
void cr_root_cancel(cr_root *root, int code);
/* The calling thread is one of its workers, in a task or between phases: waiting for a job would keep
 * that from its end. */
bool cr_is_worker_of(const corio_runtime *runtime);
/* While a root is bound to it, the canceller cancels that; NULL: it does not any more. A canceller
 * that was used before does it at once. `canceller` NULL is ignored. */
void cr_canceller_bind(corio_canceller *canceller, cr_root *root);

/* -- The leader's -- */

/* Roots in the worker's `ended` get their results. */
void cr_jobs_end(corio_runtime *runtime, cr_worker *worker);
static inline bool cr_jobs_pending(const cr_roots *roots)
{
    return CR_UNLIKELY(cr_load_ptr((void *const *)&roots->pending) != NULL);
}
/* What was submitted becomes runnable. */
void cr_jobs_take(corio_runtime *runtime, cr_worker *leader);
/* No job is left, and none can come any more. */
bool cr_roots_over(cr_roots *roots);
/* A root has not been taken, or may come: in a service, but not while somebody drains it who waits for
 * one of those that are left. */
bool cr_roots_expected(cr_roots *roots);
/* Only a service: it has nothing to do. */
bool cr_roots_idle(cr_roots *roots);

#endif
