/* SPDX-License-Identifier: MIT
 *
 * condition.c - waiting for a signal, with a mutex.
 *
 *     holds the mutex -> queued, mutex released -> signalled -> locks the mutex like anybody
 *                                               -> given up  -> the same, shielded
 *
 * A waiter is queued and lets go of the mutex in one step under the queue's lock, when its stack
 * has been left: a signaller needs that lock, so it comes before the step, and then the mutex was
 * still held and nothing had changed that the waiter had not seen; or behind it, and finds the
 * waiter. It is taken out by one signaller. Giving up happens at quiescence only (wait.h). The
 * mutex's own lock is taken within the queue's, never the other way round.
 *
 * Edges
 *   wait.queue   see wait.h; mutex.hold, see mutex.c
 */
#include "runtime/sync/mutex.h"

#include <corio/condition.h>
#include <errno.h>

typedef struct waiter {
    cr_wait wait;
    corio_mutex *mutex;
    bool queued; /* and the mutex released */
} waiter;

static waiter *waiter_of(cr_wait *wait)
{
    return (waiter *)wait;
}

/* All who wait use the same mutex. */
static bool fits_locked(const corio_waiters *queue, const waiter *mine)
{
    cr_wait *first = cr_waiters_first(queue);
    return first == NULL || waiter_of(first)->mutex == mine->mutex;
}

/* The stack has been left. Once queued, and unlocked, the task may be running already. */
static void enqueue(cr_worker *worker, cr_park *park)
{
    waiter *mine = waiter_of(cr_wait_of(park));
    corio_waiters *queue = mine->wait.queue;
    cr_wait *next = NULL; /* who gets the mutex */
    cr_waiters_lock(queue);
    bool fits = fits_locked(queue, mine);
    if (fits) {
        mine->queued = true;
        cr_wait_append_locked(&mine->wait);
        next = cr_mutex_release(mine->mutex, park->task);
    }
    cr_waiters_unlock(queue);
    if (!fits)
        cr_make_runnable(worker, park);
    else if (next != NULL)
        cr_make_runnable(worker, &next->park);
}

static const cr_park_reason waits = {.text = "waits in corio_condition_wait",
                                     .give_up = cr_wait_give_up};

/* In every case but a deadlock. */
static int lock_again(corio_mutex *mutex)
{
    int rc = corio_mutex_try_lock(mutex);
    if (rc != -EBUSY)
        return rc;
    int shielded = corio_shield(true);
    rc = corio_mutex_lock(mutex);
    (void)corio_shield(shielded > 0);
    return rc;
}

int corio_condition_wait_until(corio_condition *condition, corio_mutex *mutex, uint64_t deadline_ns)
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (condition == NULL || mutex == NULL)
        return -EINVAL;
    if (!cr_mutex_is_held_by(mutex, worker->task))
        return -EPERM;
    waiter mine = {.wait = {.park = {.reason = &waits, .object = condition},
                            .guard = &condition->reserved_waiters,
                            .queue = &condition->reserved_waiters},
                   .mutex = mutex};
    int rc = cr_wait_with(worker, &mine.wait, deadline_ns, enqueue);
    if (!mine.queued) /* the mutex is held still */
        return rc != 0 ? rc : -EINVAL;
    return lock_again(mutex) == 0 ? rc : -ENOTRECOVERABLE;
}

int corio_condition_wait(corio_condition *condition, corio_mutex *mutex)
{
    return corio_condition_wait_until(condition, mutex, CR_NEVER);
}

/* The first one, out of the queue, as a list. */
static cr_wait *take_first_locked(corio_waiters *queue)
{
    cr_wait *first = cr_waiters_first(queue);
    if (first == NULL)
        return NULL;
    cr_wait_remove_locked(first);
    first->behind = NULL;
    return first;
}

static int wake(corio_condition *condition, cr_wait *take_locked(corio_waiters *queue))
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (condition == NULL)
        return -EINVAL;
    corio_waiters *queue = &condition->reserved_waiters;
    cr_waiters_lock(queue);
    cr_wait *woken = take_locked(queue);
    cr_waiters_unlock(queue);
    cr_wait_wake_all(worker, woken);
    return 0;
}

int corio_condition_signal(corio_condition *condition)
{
    return wake(condition, take_first_locked);
}

int corio_condition_broadcast(corio_condition *condition)
{
    return wake(condition, cr_waiters_take_all_locked);
}

uint32_t corio_condition_wait_count(const corio_condition *condition)
{
    return condition != NULL ? cr_load_32(&condition->reserved_waiters.reserved_count) : 0;
}
