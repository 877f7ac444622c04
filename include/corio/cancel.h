/* SPDX-License-Identifier: MIT
 *
 * cancel.h - cancellation, deadlines, values.
 *
 * The first error of a scope (a task's children, or a group) cancels the scope, with everything
 * below it: closures that have not started never do, requests that have not been handed over are
 * withdrawn, and calls that block return -ECANCELED. Requests that are in flight are waited for
 * (corio_batch_cancelled lets a dispatcher hurry). A cancelled task is not stopped: it is told, by
 * its calls and by corio_cancelled, and ends by itself; its cleanups run.
 *
 * When: a queued closure is given up at once if it was spawned behind the failing one. All else
 * takes effect when no task can run any more, before anything is handed over, and the scope's
 * waiter goes on after that, in the same phase. So the error that a scope ends with, and the
 * batches, do not depend on timing. (Two things do: which siblings of a failing task were started
 * at all, so that what their cleanups ask for may differ; and anything with a clock or another
 * thread behind it, that is deadlines and corio_canceller.)
 */
#ifndef CORIO_CANCEL_H
#define CORIO_CANCEL_H

#include <corio/group.h>
#include <corio/task.h>

CORIO_BEGIN_DECLS

/* corio_cancelled: whether the calling task is cancelled: 0, -ECANCELED, or -ETIMEDOUT if its
 * deadline has passed (the clock is read if there is one). For loops that compute for long.
 *
 * Suspends: never. Thread: a task only. Errors: -EPERM not called from a task. */
CORIO_API int corio_cancelled(void);

/* corio_cancel_children: cancels the children that the calling task spawned with corio_go, and
 * those it spawns until its next wait. corio_group_cancel: the same for a group. Called by a task of
 * the group it is as if that had failed: the lowest in spawn order counts.
 *
 * code: a negative code, which the scope's wait returns unless it has an earlier error.
 * Suspends: never. Thread: a task only; for a group the task that opened it, or a task of the group.
 * Errors: -EPERM not called from a task; -EINVAL code is not negative, no group. */
CORIO_API int corio_cancel_children(int code);
CORIO_API int corio_group_cancel(corio_group *group, int code);

/* corio_shield: with `on`, calls of the calling task work although it is cancelled, and its
 * children are not cancelled from above, for work that has to be finished. Cleanups run shielded.
 *
 * Returns what it was before, 0 or 1. Suspends: never. Thread: a task only. Errors: -EPERM not
 * called from a task. */
CORIO_API int corio_shield(bool on);

/* corio_now_ns: the clock that all deadlines are in: CLOCK_MONOTONIC in nanoseconds. Thread: any. */
CORIO_API uint64_t corio_now_ns(void);

/* corio_set_deadline: cancels the calling task, and all below it, when the clock reaches
 * deadline_ns (corio_now_ns() + ...; 0 takes the deadline away). The task then ends with -ETIMEDOUT
 * if it returns -ECANCELED. Deadlines are noticed between phases and in corio_cancelled.
 *
 * Suspends: never. Thread: a task only. Errors: -EPERM not called from a task; -ENOMEM. */
CORIO_API int corio_set_deadline(uint64_t deadline_ns);

/* corio_deadline: the nearest deadline of the calling task and the tasks above it; UINT64_MAX:
 * none. Suspends: never. Thread: a task only (elsewhere UINT64_MAX). */
CORIO_API uint64_t corio_deadline(void);

/* corio_local_set: binds a value to a key, for the calling task and the children that it spawns
 * from now on, with all below them. corio_local_get: the value of the nearest binding, NULL if
 * there is none; it looks through the tasks on the way up.
 *
 * key: borrowed for good, compared as an address (of a static variable). value: passed on as it is.
 * Suspends: never. Thread: a task only. Errors: -EPERM not called from a task; -EINVAL no key;
 * -ENOMEM. */
CORIO_API int corio_local_set(const void *key, void *value);
CORIO_API void *corio_local_get(const void *key);

/* What a task is spawned with besides function and argument; zero is the default. */
typedef struct corio_go_options {
    size_t size;        /* sizeof(corio_go_options) */
    const char *name;   /* borrowed for good; NULL: "task" */
    corio_group *group; /* NULL: the calling task's own children */
    size_t copy_bytes;  /* copy that many bytes of the argument, up to 1 MiB; 0: pass the pointer */
    uint64_t deadline_ns; /* see corio_set_deadline; 0: only what is inherited */
    const void *key;      /* a value for it alone, see corio_local_set; NULL: none */
    void *value;
} corio_go_options;

/* corio_go_with: spawns a task with options. See corio_go; it allocates.
 *
 * Suspends: only if the scope has a window and it is full. Thread: a task only. Errors: as
 * corio_go; -ECANCELED. */
CORIO_API int corio_go_with(const corio_go_options *options, corio_task_fn *fn, const void *arg);

/* A way to cancel a run, or a job (submit.h), from outside, from any thread. Lives where the caller
 * puts it, until that is over; zeroed memory is a fresh one. The members are the library's. */
typedef struct corio_canceller {
    uint32_t reserved_lock;
    int reserved_code;
    void *reserved_run;
} corio_canceller;

/* corio_canceller_cancel: cancels the run or job that the canceller was given to, as the failure of
 * its root with `code`; if that has not begun, as soon as it does. Only the first call counts.
 *
 * code: negative. Suspends: never. Thread: any (not from a signal handler). Errors: -EINVAL;
 * -EALREADY it was used before. */
CORIO_API int corio_canceller_cancel(corio_canceller *canceller, int code);

/* What a run is given besides the root; zero is the default. */
typedef struct corio_run_options {
    size_t size;                /* sizeof(corio_run_options) */
    const char *name;           /* of the root; borrowed; NULL: "root" */
    uint64_t deadline_ns;       /* of the root, see corio_set_deadline; 0: none */
    corio_canceller *canceller; /* borrowed for the run; NULL: none */
} corio_run_options;

/* corio_run_with: corio_run with options. */
CORIO_API int corio_run_with(corio_runtime *runtime, const corio_run_options *options,
                             corio_task_fn *root, void *arg);

CORIO_END_DECLS

#endif
