/* SPDX-License-Identifier: MIT
 *
 * semaphore.c - permits, taken first come, first served.
 *
 * Count and queue change under the queue's lock, and always so that afterwards the first in the
 * queue asks for more than there is: whoever adds permits, or leaves the queue, takes out those who
 * have enough now, and takes their permits for them in the same step. So nobody waits for what is
 * there, and a permit is given to one task only. Giving up happens at quiescence only (wait.h).
 *
 * Edges
 *   wait.queue   see wait.h; what was written before release is seen behind the acquire that it
 *                lets go on
 */
#include "runtime/sched/wait.h"

#include <corio/semaphore.h>
#include <errno.h>

typedef struct taker {
    cr_wait wait;
    uint64_t permits;
} taker;

static uint64_t permits_of(cr_wait *wait)
{
    return ((taker *)wait)->permits;
}

static bool take_locked(corio_semaphore *semaphore, uint64_t permits)
{
    if (semaphore->reserved_count < permits)
        return false;
    cr_store_64(&semaphore->reserved_count, semaphore->reserved_count - permits);
    return true;
}

/* Behind all who wait already. */
static bool join_locked(corio_semaphore *semaphore, uint64_t permits)
{
    return cr_waiters_first(&semaphore->reserved_waiters) == NULL &&
           take_locked(semaphore, permits);
}

/* The first in the queue, out of it and with its permits; NULL: there are too few for it. */
static cr_wait *serve_locked(corio_semaphore *semaphore)
{
    cr_wait *first = cr_waiters_first(&semaphore->reserved_waiters);
    if (first == NULL || !take_locked(semaphore, permits_of(first)))
        return NULL;
    cr_wait_remove_locked(first);
    return first;
}

static bool enter(cr_wait *wait)
{
    return !join_locked(wait->park.object, permits_of(wait));
}

/* Those behind may have enough now. One that is cancelled itself is given up next. */
static void give_up(cr_worker *leader, cr_park *park)
{
    corio_semaphore *semaphore = park->object;
    cr_wait_give_up(leader, park);
    for (;;) {
        const cr_wait *first = cr_waiters_first(&semaphore->reserved_waiters);
        if (first == NULL || cr_wait_is_cancelled(leader, first))
            return;
        cr_wait *served = serve_locked(semaphore);
        if (served == NULL)
            return;
        cr_end_park(leader, &served->park, 0);
    }
}

static const cr_park_reason acquires = {.text = "waits in corio_semaphore_acquire",
                                        .give_up = give_up};

static int try_acquire(const cr_worker *worker, corio_semaphore *semaphore, uint64_t permits)
{
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (semaphore == NULL)
        return -EINVAL;
    if (permits == 0)
        return 0;
    cr_waiters_lock(&semaphore->reserved_waiters);
    bool taken = join_locked(semaphore, permits);
    cr_waiters_unlock(&semaphore->reserved_waiters);
    return taken ? 0 : -EBUSY;
}

int corio_semaphore_try_acquire(corio_semaphore *semaphore, uint64_t permits)
{
    return try_acquire(cr_worker_self(), semaphore, permits);
}

int corio_semaphore_acquire_until(corio_semaphore *semaphore, uint64_t permits,
                                  uint64_t deadline_ns)
{
    cr_worker *worker = cr_worker_self();
    int rc = try_acquire(worker, semaphore, permits);
    if (rc != -EBUSY)
        return rc;
    taker mine = {.wait = {.park = {.reason = &acquires, .object = semaphore},
                           .guard = &semaphore->reserved_waiters,
                           .queue = &semaphore->reserved_waiters,
                           .enter = enter},
                  .permits = permits};
    return cr_wait_in(worker, &mine.wait, deadline_ns);
}

int corio_semaphore_acquire(corio_semaphore *semaphore, uint64_t permits)
{
    return corio_semaphore_acquire_until(semaphore, permits, CR_NEVER);
}

/* All who have enough now, out of the queue, as a list through `behind`. */
static cr_wait *serve_all_locked(corio_semaphore *semaphore)
{
    cr_wait *first = NULL;
    cr_wait **end = &first;
    for (cr_wait *served; (served = serve_locked(semaphore)) != NULL; end = &served->behind)
        *end = served;
    *end = NULL;
    return first;
}

int corio_semaphore_release(corio_semaphore *semaphore, uint64_t permits)
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (semaphore == NULL)
        return -EINVAL;
    cr_waiters_lock(&semaphore->reserved_waiters);
    bool fits = permits <= UINT64_MAX - semaphore->reserved_count;
    if (fits)
        cr_store_64(&semaphore->reserved_count, semaphore->reserved_count + permits);
    cr_wait *served = serve_all_locked(semaphore);
    cr_waiters_unlock(&semaphore->reserved_waiters);
    cr_wait_wake_all(worker, served);
    return fits ? 0 : -EOVERFLOW;
}

int corio_semaphore_init(corio_semaphore *semaphore, uint64_t permits)
{
    if (semaphore == NULL)
        return -EINVAL;
    *semaphore = (corio_semaphore)CORIO_SEMAPHORE_INIT(permits);
    return 0;
}

uint64_t corio_semaphore_count(const corio_semaphore *semaphore)
{
    return semaphore != NULL ? cr_load_64(&semaphore->reserved_count) : 0;
}

uint32_t corio_semaphore_wait_count(const corio_semaphore *semaphore)
{
    return semaphore != NULL ? cr_load_32(&semaphore->reserved_waiters.reserved_count) : 0;
}
