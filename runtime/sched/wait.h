/* SPDX-License-Identifier: MIT
 *
 * wait.h - suspending in a queue: what mutexes, wait groups and the like are made of.
 *
 *     task: cr_wait_in -> the stack is left -> enter() under the lock --> queued
 *                                                                            \-> goes on at once
 *     who ends the wait: takes it out under the lock, makes it runnable
 *     the leader, at quiescence: gives it up (deadline, cancelled, deadlock)
 *
 * What the waiter waits for is looked at once more in enter(), under the queue's spin lock: whoever
 * changes it holds the lock too, so no wake-up is lost. Giving up happens at quiescence only, so it
 * never races with a wake-up.
 *
 * Edges
 *   wait.queue   that of the queue's lock: spin.lock in spin.h
 */
#ifndef CR_SCHED_WAIT_H
#define CR_SCHED_WAIT_H

#include "runtime/base/clock.h"
#include "runtime/base/spin.h"
#include "runtime/sched/sched.h"

typedef struct cr_wait cr_wait;

/* Lives in the frame of the call that waits. */
struct cr_wait {
    cr_park park;         /* reason, object: set by the caller */
    corio_waiters *guard; /* whose lock guards the queue: outlives the wait */
    corio_waiters *queue; /* often the same; enter() may choose it */
    cr_wait *before;
    cr_wait *behind;
    /* Under the lock: false: there is nothing to wait for any more. NULL: stays. */
    bool (*enter)(cr_wait *wait);
    cr_timer timer;
};

/* Suspends the calling task in the queue, until somebody takes it out and makes it runnable, or
 * the clock reaches deadline_ns (CR_NEVER: no limit). Returns park.result: 0, -ECANCELED,
 * -ETIMEDOUT, -EDEADLK; or -ECANCELED, -ENOMEM at once. */
int cr_wait_in(cr_worker *worker, cr_wait *wait, uint64_t deadline_ns);

/* The same for those that queue up in their own way: `after` runs once the stack is left, and puts
 * it where it is found, or makes it runnable. Of *wait only park and timer are used. */
int cr_wait_with(cr_worker *worker, cr_wait *wait, uint64_t deadline_ns,
                 void (*after)(cr_worker *worker, cr_park *park));

/* give_up of all reasons that have nothing else to put right. */
void cr_wait_give_up(cr_worker *leader, cr_park *park);

void cr_wait_append_locked(cr_wait *wait);
void cr_wait_remove_locked(cr_wait *wait);

/* Makes those of a list (through `behind`) runnable that were taken out of a queue. */
static inline void cr_wait_wake_all(cr_worker *worker, cr_wait *first)
{
    while (first != NULL) {
        cr_wait *next = first->behind; /* read before it runs */
        cr_make_runnable(worker, &first->park);
        first = next;
    }
}

/* At quiescence: it is cancelled, so it is given up at this very boundary, if it was not yet. */
static inline bool cr_wait_is_cancelled(const cr_worker *leader, const cr_wait *wait)
{
    return cr_task_cancelled(&leader->sched->cancel, wait->park.task) != CR_NOT_CANCELLED;
}

/* A number that is the calling task's alone, for good: the address of a task that has ended may be
 * another's by now. Its sign only says that a sanitizer is to be told (mutex.c). */
uint64_t cr_identity_new(cr_worker *worker);
static inline uint64_t cr_identity_of(cr_worker *worker)
{
    corio_task *task = worker->task;
    if (CR_UNLIKELY(task->identity == 0))
        task->identity = cr_identity_new(worker);
    return task->identity;
}

static inline cr_wait *cr_wait_of(cr_park *park)
{
    return (cr_wait *)((char *)park - offsetof(cr_wait, park));
}

static inline cr_wait *cr_waiters_first(const corio_waiters *queue)
{
    return (cr_wait *)queue->reserved_head;
}

/* Everybody out of a queue, as a list through `behind`. */
static inline cr_wait *cr_waiters_take_all_locked(corio_waiters *queue)
{
    cr_wait *first = cr_waiters_first(queue);
    queue->reserved_head = NULL;
    queue->reserved_tail = NULL;
    cr_store_32(&queue->reserved_count, 0);
    return first;
}

static inline void cr_waiters_lock(corio_waiters *queue)
{
    cr_spin_lock(&queue->reserved_lock);
}

/* A sanitizer is told here alone, once for both sides: the program's own accesses lie before the lock and
 * behind the unlock. Who touches its memory in between tells of the acquire first. */
static inline void cr_waiters_unlock(corio_waiters *queue)
{
    cr_tell_acquire(&queue->reserved_lock);
    cr_tell_release(&queue->reserved_lock);
    cr_spin_unlock(&queue->reserved_lock);
}

#endif
