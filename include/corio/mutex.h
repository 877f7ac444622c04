/* SPDX-License-Identifier: MIT
 *
 * mutex.h - mutual exclusion between tasks. A task that has to wait is suspended; no thread is
 * blocked.
 *
 * A task may hold a mutex through I/O. Who gets a contended mutex first depends on timing, so
 * batches of programs that race for locks may differ with the number of workers.
 */
#ifndef CORIO_MUTEX_H
#define CORIO_MUTEX_H

#include <corio/task.h>

CORIO_BEGIN_DECLS

/* Lives where the caller puts it. Zeroed memory is a free mutex. The members are the library's. */
typedef struct corio_mutex {
    void *reserved_owner;
    void *reserved_head;
    void *reserved_tail;
    uint32_t reserved_lock;
    uint32_t reserved_waiting;
} corio_mutex;

#define CORIO_MUTEX_INIT                                                                           \
    {                                                                                              \
        NULL, NULL, NULL, 0, 0                                                                     \
    }

/* corio_mutex_lock: waits until the calling task holds the mutex. Waiters are served first come,
 * first served.
 *
 * Suspends: maybe. Thread: a task only. Errors: -EPERM not called from a task; -EINVAL; -EDEADLK
 * the task holds it already, or nothing can run any more and the mutex would never come free: it
 * is not held then. */
CORIO_API int corio_mutex_lock(corio_mutex *mutex) CORIO_MUST_CHECK;

/* corio_mutex_try_lock: the same without waiting. Errors: -EBUSY it is held; else as
 * corio_mutex_lock. Suspends: never. */
CORIO_API int corio_mutex_try_lock(corio_mutex *mutex) CORIO_MUST_CHECK;

/* corio_mutex_unlock: gives the mutex to the task that has waited longest, or frees it.
 *
 * Suspends: never. Thread: the task that holds it. Errors: -EPERM the calling task does not hold
 * it; -EINVAL. */
CORIO_API int corio_mutex_unlock(corio_mutex *mutex);

/* corio_mutex_wait_count: how many tasks wait for it, at some moment during the call. Suspends:
 * never. Thread: any. */
CORIO_API uint32_t corio_mutex_wait_count(const corio_mutex *mutex);

CORIO_END_DECLS

#endif
