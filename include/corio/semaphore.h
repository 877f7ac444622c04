/* SPDX-License-Identifier: MIT
 *
 * semaphore.h - a count of permits that tasks take and give back.
 *
 *     static corio_semaphore connections = CORIO_SEMAPHORE_INIT(8);
 *
 *     corio_semaphore_acquire(&connections, 1);        suspends while there are fewer
 *     ... corio_semaphore_release(&connections, 1);    by any task
 *
 * First come, first served, whatever they ask for: who asks for many is not overtaken by those who
 * ask for few. A permit belongs to nobody: a task that ends does not give back what it has taken.
 * Who gets permits first depends on timing if tasks race for them, and so may batches.
 */
#ifndef CORIO_SEMAPHORE_H
#define CORIO_SEMAPHORE_H

#include <corio/task.h>
#include <corio/waiters.h>

CORIO_BEGIN_DECLS

/* Lives where the caller puts it. Zeroed memory has no permits. The members are the library's. */
typedef struct corio_semaphore {
    uint64_t reserved_count;
    corio_waiters reserved_waiters;
} corio_semaphore;

#define CORIO_SEMAPHORE_INIT(permits)                                                              \
    {                                                                                              \
        (permits), CORIO_WAITERS_INIT                                                              \
    }

/* corio_semaphore_init: makes a semaphore; CORIO_SEMAPHORE_INIT at run time.
 *
 * permits: how many there are at first. Suspends: never. Thread: any, while nobody uses it. Errors:
 * -EINVAL no semaphore. */
CORIO_API int corio_semaphore_init(corio_semaphore *semaphore, uint64_t permits);

/* corio_semaphore_acquire: takes `permits` permits, all at once, as soon as there are so many and
 * nobody waits before it; 0 takes nothing and does not wait. corio_semaphore_acquire_until: gives
 * up when the clock reaches deadline_ns.
 *
 * Suspends: maybe. Thread: a task only. Cancelled: returns, if it would have to wait. Errors:
 * nothing is taken then: -EPERM not called from a task; -EINVAL no semaphore; -EDEADLK nothing can
 * run any more and there would never be enough; -ECANCELED; -ETIMEDOUT; -ENOMEM no memory for the
 * timer. */
CORIO_API int corio_semaphore_acquire(corio_semaphore *semaphore,
                                      uint64_t permits) CORIO_MUST_CHECK;
CORIO_API int corio_semaphore_acquire_until(corio_semaphore *semaphore, uint64_t permits,
                                            uint64_t deadline_ns) CORIO_MUST_CHECK;

/* corio_semaphore_try_acquire: the same without waiting. Errors: -EBUSY there are too few, or
 * others wait already; else as corio_semaphore_acquire. Suspends: never. */
CORIO_API int corio_semaphore_try_acquire(corio_semaphore *semaphore,
                                          uint64_t permits) CORIO_MUST_CHECK;

/* corio_semaphore_release: gives `permits` permits back, or adds new ones, and lets those go on
 * that have enough now.
 *
 * Suspends: never. Thread: a task only, not only one that has acquired. Errors: -EPERM not called
 * from a task; -EINVAL no semaphore; -EOVERFLOW there would be more than UINT64_MAX: nothing is
 * released. */
CORIO_API int corio_semaphore_release(corio_semaphore *semaphore, uint64_t permits);

/* corio_semaphore_count: the permits that nobody has, at some moment during the call.
 * corio_semaphore_wait_count: the tasks that wait. Suspends: never. Thread: any. */
CORIO_API uint64_t corio_semaphore_count(const corio_semaphore *semaphore);
CORIO_API uint32_t corio_semaphore_wait_count(const corio_semaphore *semaphore);

CORIO_END_DECLS

#endif
