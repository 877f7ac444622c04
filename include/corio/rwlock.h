/* SPDX-License-Identifier: MIT
 *
 * rwlock.h - a lock that many tasks hold to read, or one to write. A task that has to wait is
 * suspended; no thread is blocked.
 *
 * First come, first served: a writer that waits lets no new reader past it, and readers that wait
 * side by side go on together. So a task that reads must not lock to read again, for a writer may
 * wait in between; and a reader cannot become a writer: it unlocks, locks to write, and looks
 * again.
 *
 * A task may hold it through I/O. One that ends while it holds it leaves it locked for good, as
 * with a mutex. Who gets it first depends on timing if tasks race for it, and so may batches.
 */
#ifndef CORIO_RWLOCK_H
#define CORIO_RWLOCK_H

#include <corio/task.h>
#include <corio/waiters.h>

CORIO_BEGIN_DECLS

/* Lives where the caller puts it. Zeroed memory is a free lock. The members are the library's. */
typedef struct corio_rwlock {
    uint64_t reserved_writer;
    void *reserved_holder;
    uint64_t reserved_readers;
    corio_waiters reserved_waiters;
} corio_rwlock;

#define CORIO_RWLOCK_INIT                                                                          \
    {                                                                                              \
        0, NULL, 0, CORIO_WAITERS_INIT                                                             \
    }

/* corio_rwlock_read: waits until the calling task may read: nobody writes, and nobody waits before
 * it. corio_rwlock_write: until it may write: nobody else reads or writes. _until: gives up when
 * the clock reaches deadline_ns.
 *
 * Suspends: maybe. Thread: a task only. Cancelled: returns, if it would have to wait. Errors: the
 * lock is not held then: -EPERM not called from a task; -EINVAL no lock; -EDEADLK the task writes
 * already, or nothing can run any more and the lock would never come free (also if the task itself
 * reads); -ECANCELED; -ETIMEDOUT; -ENOMEM no memory for the timer. */
CORIO_API int corio_rwlock_read(corio_rwlock *lock) CORIO_MUST_CHECK;
CORIO_API int corio_rwlock_read_until(corio_rwlock *lock, uint64_t deadline_ns) CORIO_MUST_CHECK;
CORIO_API int corio_rwlock_write(corio_rwlock *lock) CORIO_MUST_CHECK;
CORIO_API int corio_rwlock_write_until(corio_rwlock *lock, uint64_t deadline_ns) CORIO_MUST_CHECK;

/* corio_rwlock_try_read, corio_rwlock_try_write: the same without waiting. Errors: -EBUSY it would
 * have to wait; else as above. Suspends: never. */
CORIO_API int corio_rwlock_try_read(corio_rwlock *lock) CORIO_MUST_CHECK;
CORIO_API int corio_rwlock_try_write(corio_rwlock *lock) CORIO_MUST_CHECK;

/* corio_rwlock_unlock: ends what the calling task does with the lock, and lets those go on whose
 * turn it is. Readers are counted and not known by name: while others read, an unlock too many by a
 * task that does not is not noticed.
 *
 * Suspends: never. Thread: a task that holds it. Errors: -EPERM nobody holds it, or another task
 * writes; -EINVAL no lock. */
CORIO_API int corio_rwlock_unlock(corio_rwlock *lock);

/* corio_rwlock_destroy: ends the use of a lock. It needs no destruction; this is a check.
 *
 * Suspends: never. Thread: any. Errors: -EBUSY it is held, or somebody waits for it: it stays as it
 * is; -EINVAL. */
CORIO_API int corio_rwlock_destroy(corio_rwlock *lock);

/* corio_rwlock_wait_count: how many tasks wait for it, at some moment during the call. Suspends:
 * never. Thread: any. */
CORIO_API uint32_t corio_rwlock_wait_count(const corio_rwlock *lock);

CORIO_END_DECLS

#endif
