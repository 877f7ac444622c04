/* SPDX-License-Identifier: MIT
 *
 * barrier.c - parties that wait for each other.
 *
 * Those who have arrived in this round are the queue. Who comes last takes all of them out in one
 * step under its lock, and does not wait itself: from then on whoever arrives belongs to the next
 * round. Breaking and resetting take all of them out in the same way, so each is woken once. Giving
 * up happens at quiescence only (wait.h), and breaks the barrier there.
 *
 * Edges
 *   wait.queue   see wait.h; what each party wrote before it is seen by all behind it
 */
#include "runtime/sched/wait.h"

#include <corio/barrier.h>
#include <errno.h>

typedef struct party {
    cr_wait wait;
    bool queued;
} party;

enum { EARLY = 0, LAST = 1 };

/* A task arrives: EARLY, LAST (all who wait are to be woken) or CORIO_EBROKEN. */
static int arrive_locked(corio_barrier *barrier, cr_wait **ret_woken)
{
    corio_waiters *queue = &barrier->reserved_waiters;
    if (barrier->reserved_broken != 0)
        return CORIO_EBROKEN;
    if (queue->reserved_count + 1 < barrier->reserved_parties)
        return EARLY;
    *ret_woken = cr_waiters_take_all_locked(queue);
    return LAST;
}

/* The stack has been left. Once queued, and unlocked, the task may be running already. */
static void enqueue(cr_worker *worker, cr_park *park)
{
    party *mine = (party *)cr_wait_of(park);
    corio_waiters *queue = mine->wait.queue;
    cr_wait *woken = NULL;
    cr_waiters_lock(queue);
    int how = arrive_locked(park->object, &woken);
    mine->queued = true; /* or what there is to be done in its place has been done */
    if (how == EARLY)
        cr_wait_append_locked(&mine->wait);
    else
        park->result = how;
    cr_waiters_unlock(queue);
    cr_wait_wake_all(worker, woken);
    if (how != EARLY)
        cr_make_runnable(worker, park);
}

/* The others go on, but for those who give up at this boundary themselves: in a deadlock all do. */
static void give_up(cr_worker *leader, cr_park *park)
{
    corio_barrier *barrier = park->object;
    cr_wait_give_up(leader, park);
    cr_store_32(&barrier->reserved_broken, 1);
    cr_wait *wait = park->result != -EDEADLK ? cr_waiters_first(&barrier->reserved_waiters) : NULL;
    while (wait != NULL) {
        cr_wait *next = wait->behind;
        if (!cr_wait_is_cancelled(leader, wait)) {
            cr_wait_remove_locked(wait);
            cr_end_park(leader, &wait->park, CORIO_EBROKEN);
        }
        wait = next;
    }
}

static const cr_park_reason waits = {.text = "waits in corio_barrier_wait", .give_up = give_up};

/* Ends the round for all who wait. */
static void end_round(cr_worker *worker, corio_barrier *barrier, bool broken)
{
    cr_waiters_lock(&barrier->reserved_waiters);
    cr_wait *woken = cr_waiters_take_all_locked(&barrier->reserved_waiters);
    for (cr_wait *wait = woken; wait != NULL; wait = wait->behind)
        wait->park.result = CORIO_EBROKEN;
    cr_store_32(&barrier->reserved_broken, broken);
    cr_waiters_unlock(&barrier->reserved_waiters);
    cr_wait_wake_all(worker, woken);
}

int corio_barrier_wait_until(corio_barrier *barrier, uint64_t deadline_ns)
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (barrier == NULL || barrier->reserved_parties == 0)
        return -EINVAL;
    cr_wait *woken = NULL;
    cr_waiters_lock(&barrier->reserved_waiters);
    int how = arrive_locked(barrier, &woken);
    cr_waiters_unlock(&barrier->reserved_waiters);
    cr_wait_wake_all(worker, woken);
    if (how != EARLY)
        return how;
    party mine = {.wait = {.park = {.reason = &waits, .object = barrier},
                           .guard = &barrier->reserved_waiters,
                           .queue = &barrier->reserved_waiters}};
    int rc = cr_wait_with(worker, &mine.wait, deadline_ns, enqueue);
    if (!mine.queued) /* it could not even wait */
        end_round(worker, barrier, true);
    return rc;
}

int corio_barrier_wait(corio_barrier *barrier)
{
    return corio_barrier_wait_until(barrier, CR_NEVER);
}

int corio_barrier_reset(corio_barrier *barrier)
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (barrier == NULL)
        return -EINVAL;
    end_round(worker, barrier, false);
    return 0;
}

int corio_barrier_init(corio_barrier *barrier, uint32_t parties)
{
    if (barrier == NULL || parties == 0)
        return -EINVAL;
    *barrier = (corio_barrier)CORIO_BARRIER_INIT(parties);
    return 0;
}

bool corio_barrier_is_broken(const corio_barrier *barrier)
{
    return barrier != NULL && cr_load_32(&barrier->reserved_broken) != 0;
}

uint32_t corio_barrier_wait_count(const corio_barrier *barrier)
{
    return barrier != NULL ? cr_load_32(&barrier->reserved_waiters.reserved_count) : 0;
}
