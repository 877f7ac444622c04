/* SPDX-License-Identifier: MIT
 *
 * mutex.h - mutual exclusion between tasks. A task that has to wait is suspended; no thread is
 * blocked.
 *
 * A task may hold a mutex through I/O. A task that ends while it holds one leaves it locked for
 * good: who waits for it gets -EDEADLK, and the report says so. Who gets a contended mutex first depends on timing, so
 * batches of programs that race for locks may differ with the number of workers.
 */
#ifndef CORIO_MUTEX_H
#define CORIO_MUTEX_H

#include <corio/task.h>
#include <corio/waiters.h>

CORIO_BEGIN_DECLS

/* Lives where the caller puts it. Zeroed memory is a free mutex. The members are the library's. */
typedef struct corio_mutex {
    uint64_t reserved_word;
    void *reserved_holder;
    corio_waiters reserved_waiters;
} corio_mutex;

#define CORIO_MUTEX_INIT                                                                           \
    {                                                                                              \
        0, NULL, CORIO_WAITERS_INIT                                                                \
    }

/* corio_mutex_lock: waits until the calling task holds the mutex. Waiters are served first come,
 * first served: it is handed over, nobody walks in. corio_mutex_lock_until: gives up when the clock
 * reaches deadline_ns.
 *
 * Suspends: maybe. Thread: a task only. Cancelled: returns, if it would have to wait. Errors: the
 * mutex is not held then: -EPERM not called from a task; -EINVAL no mutex; -EDEADLK the task holds
 * it already, or nothing can run any more and it would never come free; -ECANCELED; -ETIMEDOUT;
 * -ENOMEM no memory for the timer. */
CORIO_API int corio_mutex_lock(corio_mutex *mutex) CORIO_MUST_CHECK;
CORIO_API int corio_mutex_lock_until(corio_mutex *mutex, uint64_t deadline_ns) CORIO_MUST_CHECK;

/* corio_mutex_try_lock: the same without waiting. Errors: -EBUSY it is held; else as
 * corio_mutex_lock. Suspends: never. */
CORIO_API int corio_mutex_try_lock(corio_mutex *mutex) CORIO_MUST_CHECK;

/* corio_mutex_unlock: gives the mutex to the task that has waited longest, or frees it.
 *
 * Suspends: never. Thread: the task that holds it. Errors: -EPERM the calling task does not hold
 * it (also if nobody does); -EINVAL. */
CORIO_API int corio_mutex_unlock(corio_mutex *mutex);

/* corio_mutex_destroy: ends the use of a mutex. A mutex needs no destruction; this is a check.
 *
 * Suspends: never. Thread: any. Errors: -EBUSY it is held, or somebody waits for it: it stays as it
 * is; -EINVAL. */
CORIO_API int corio_mutex_destroy(corio_mutex *mutex);

/* corio_mutex_wait_count: how many tasks wait for it, at some moment during the call. Suspends:
 * never. Thread: any. */
CORIO_API uint32_t corio_mutex_wait_count(const corio_mutex *mutex);

CORIO_END_DECLS

#endif
