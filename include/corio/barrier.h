/* SPDX-License-Identifier: MIT
 *
 * barrier.h - a place where a number of tasks wait for each other, again and again.
 *
 *     corio_barrier_init(&barrier, 3);
 *
 *     for (int round = 0; round < 100; round++) {      in each of three tasks
 *         work(round);
 *         rc = corio_barrier_wait(&barrier);
 *     }
 *
 * A task that gives up waiting breaks the barrier: the others would wait for it in vain. They go on
 * with CORIO_EBROKEN, at once or when they arrive, until corio_barrier_reset.
 */
#ifndef CORIO_BARRIER_H
#define CORIO_BARRIER_H

#include <corio/task.h>
#include <corio/waiters.h>

CORIO_BEGIN_DECLS

/* Lives where the caller puts it; it needs to be told the number of parties. The members are the
 * library's. */
typedef struct corio_barrier {
    uint32_t reserved_parties;
    uint32_t reserved_broken;
    corio_waiters reserved_waiters;
} corio_barrier;

#define CORIO_BARRIER_INIT(parties)                                                                \
    {                                                                                              \
        (parties), 0, CORIO_WAITERS_INIT                                                           \
    }

/* corio_barrier_init: makes a barrier; CORIO_BARRIER_INIT at run time.
 *
 * parties: how many wait for each other; 1 or more. Suspends: never. Thread: any, while nobody uses
 * it. Errors: -EINVAL no barrier, no parties. */
CORIO_API int corio_barrier_init(corio_barrier *barrier, uint32_t parties);

/* corio_barrier_wait: waits until as many tasks as there are parties wait, then lets all of them go
 * on; the next round begins at that moment. corio_barrier_wait_until: gives up when the clock
 * reaches deadline_ns.
 *
 * Returns 0; 1 to the one that came last. Suspends: unless it comes last. Thread: a task only.
 * Cancelled: returns, if it would have to wait. Errors: CORIO_EBROKEN the barrier is broken, or
 * becomes so while the task waits, or is reset; -EPERM not called from a task; -EINVAL no barrier,
 * or without parties; and these break it: -ECANCELED; -ETIMEDOUT; -EDEADLK nothing can run any more
 * and the others would never come (all who wait get that); -ENOMEM no memory for the timer. */
CORIO_API int corio_barrier_wait(corio_barrier *barrier) CORIO_MUST_CHECK;
CORIO_API int corio_barrier_wait_until(corio_barrier *barrier,
                                       uint64_t deadline_ns) CORIO_MUST_CHECK;

/* corio_barrier_reset: begins a new round of a barrier that is not broken any more. Those who wait
 * go on with CORIO_EBROKEN.
 *
 * Suspends: never. Thread: a task only. Errors: -EPERM not called from a task; -EINVAL no
 * barrier. */
CORIO_API int corio_barrier_reset(corio_barrier *barrier);

/* corio_barrier_is_broken: whether it is. corio_barrier_wait_count: how many tasks wait. At some
 * moment during the call. Suspends: never. Thread: any. */
CORIO_API bool corio_barrier_is_broken(const corio_barrier *barrier);
CORIO_API uint32_t corio_barrier_wait_count(const corio_barrier *barrier);

CORIO_END_DECLS

#endif
