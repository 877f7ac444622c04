/* SPDX-License-Identifier: MIT
 *
 * waitgroup.h - a count of things that are not done yet, which tasks can wait to become zero.
 *
 *     corio_waitgroup_add(&group, 3);              three things are to be done
 *     ... corio_waitgroup_done(&group) ...         by whoever does one
 *     corio_waitgroup_wait(&group);                any number of tasks
 *
 * When the count becomes zero, all who wait at that moment go on, whatever is added afterwards: so
 * it can be used again at once, also by a waiter that has just gone on while others are yet to run.
 * For children of one task, a group (group.h) is simpler and passes their errors on.
 */
#ifndef CORIO_WAITGROUP_H
#define CORIO_WAITGROUP_H

#include <corio/task.h>
#include <corio/waiters.h>

CORIO_BEGIN_DECLS

/* Lives where the caller puts it. Zeroed memory has a count of 0. The members are the library's. */
typedef struct corio_waitgroup {
    uint64_t reserved_count;
    corio_waiters reserved_waiters;
} corio_waitgroup;

#define CORIO_WAITGROUP_INIT                                                                       \
    {                                                                                              \
        0, CORIO_WAITERS_INIT                                                                      \
    }

/* corio_waitgroup_add: adds `delta` (of either sign) to the count. corio_waitgroup_done: takes one
 * off.
 *
 * Suspends: never. Thread: a task only. Errors: CORIO_ENEGATIVE the count would fall below zero: it
 * stays as it is; -EOVERFLOW; -EPERM not called from a task; -EINVAL no group. */
CORIO_API int corio_waitgroup_add(corio_waitgroup *group, int64_t delta);
CORIO_API int corio_waitgroup_done(corio_waitgroup *group);

/* corio_waitgroup_wait: waits until the count is zero; _until: or the clock reaches deadline_ns.
 *
 * Suspends: maybe. Thread: a task only. Cancelled: returns, if it would have to wait. Errors:
 * -EDEADLK nothing can run any more and the count would never be zero; -ECANCELED; -ETIMEDOUT;
 * -ENOMEM no memory for the timer; -EPERM not called from a task; -EINVAL no group. */
CORIO_API int corio_waitgroup_wait(corio_waitgroup *group);
CORIO_API int corio_waitgroup_wait_until(corio_waitgroup *group, uint64_t deadline_ns);

/* corio_waitgroup_count: the count at some moment during the call. Suspends: never. Thread: any. */
CORIO_API uint64_t corio_waitgroup_count(const corio_waitgroup *group);

CORIO_END_DECLS

#endif
