/* SPDX-License-Identifier: MIT
 *
 * once.h - something that is done once, by whoever needs it first.
 *
 *     static corio_once loaded;
 *
 *     int rc = corio_once_do(&loaded, load, &table);   in every task that needs the table
 */
#ifndef CORIO_ONCE_H
#define CORIO_ONCE_H

#include <corio/task.h>
#include <corio/waiters.h>

CORIO_BEGIN_DECLS

/* Lives where the caller puts it. Zeroed memory is a fresh one. The members are the library's. */
typedef struct corio_once {
    uint32_t reserved_state;
    void *reserved_runner;
    corio_waiters reserved_waiters;
} corio_once;

#define CORIO_ONCE_INIT                                                                            \
    {                                                                                              \
        0, NULL, CORIO_WAITERS_INIT                                                                \
    }

/* corio_once_do: calls fn(arg), unless that has been done already; if another task is at it, waits
 * for that. On return without an error it has been done, and all it wrote is seen. If fn fails
 * (returns a negative code, or leaves by corio_fail, which goes on leaving), it has not been done:
 * the task that called it gets the error, and the one that has waited longest, or else comes next,
 * tries with its own fn and arg. corio_once_do_until: gives up waiting when the clock reaches
 * deadline_ns; a call of fn is not limited by it.
 *
 * Suspends: maybe. Thread: a task only. Cancelled: returns, if it would have to wait; calls of fn
 * tell it. Errors: -EPERM not called from a task; -EINVAL; -EDEADLK a call inside fn, or nothing
 * can run any more; -ECANCELED; -ETIMEDOUT; -ENOMEM no memory for the timer; else fn's. */
CORIO_API int corio_once_do(corio_once *once, corio_task_fn *fn, void *arg);
CORIO_API int corio_once_do_until(corio_once *once, corio_task_fn *fn, void *arg,
                                  uint64_t deadline_ns);

/* corio_once_is_done: whether it has been done; if so, all it wrote is seen. Suspends: never.
 * Thread: any. */
CORIO_API bool corio_once_is_done(const corio_once *once);

CORIO_END_DECLS

#endif
