/* SPDX-License-Identifier: MIT
 *
 * mutex.c - a mutex with first-come hand-over.
 *
 *     word:  0                 free
 *            task              held, nobody waits
 *            task | waiting    held, the queue is not empty
 *
 * The word alone decides who holds it. The queue, and the change of the `waiting` bit, are under a
 * small spin lock that is held for a few instructions and never across a suspension. The bit is set
 * together with the first entry and cleared with the last, so an unlocker that sees it finds
 * somebody in the queue. Unlocking with waiters gives the mutex to the first one without freeing it
 * in between: nobody can walk in.
 *
 * Edges
 *   mutex.hold   unlock -> lock   what the last holder wrote is seen by the next: by the word, or, handed over, by the
 *                                 deque that the waiter's stack travels through (deque.item)
 *   mutex.queue  release -> acquire of the spin lock
 */
#include "runtime/sched/sched.h"

#include <corio/mutex.h>
#include <errno.h>
#include <sched.h>

enum { waiting_bit = 1, spins_before_yield = 100 };

static void lock_queue(corio_mutex *mutex)
{
    /* [acquire mutex.queue] */
    for (unsigned spins = 0; !cr_cas_32(&mutex->reserved_lock, 0, 1); spins++) {
        if (spins < spins_before_yield)
            cr_cpu_relax();
        else
            sched_yield();
    }
}

static void unlock_queue(corio_mutex *mutex)
{
    /* [release mutex.queue] */
    cr_store_release_32(&mutex->reserved_lock, 0);
}

static const corio_task *holder_of(const void *word)
{
    return (const corio_task *)((uintptr_t)word & ~(uintptr_t)waiting_bit);
}

static void *with_waiters(const void *task)
{
    return (void *)((uintptr_t)task | waiting_bit);
}

static const corio_task *holder(const cr_park *park)
{
    return holder_of(((const corio_mutex *)park->object)->reserved_owner);
}

static void append_locked(corio_mutex *mutex, cr_park *park)
{
    park->next = NULL;
    if (mutex->reserved_head == NULL)
        mutex->reserved_head = park;
    else
        ((cr_park *)mutex->reserved_tail)->next = park;
    mutex->reserved_tail = park;
    cr_store_32(&mutex->reserved_waiting, mutex->reserved_waiting + 1);
}

/* The stack of the task has been left: put it into the queue, or let it have the mutex if it has
 * come free. */
static void enqueue(cr_worker *worker, cr_park *park)
{
    corio_mutex *mutex = park->object;
    bool got = false;
    lock_queue(mutex);
    for (;;) {
        void *word = cr_load_ptr(&mutex->reserved_owner);
        /* [acquire mutex.hold] if it is free */
        got = word == NULL && cr_cas_ptr(&mutex->reserved_owner, NULL, park->task);
        if (got || (word != NULL && cr_cas_ptr(&mutex->reserved_owner, word, with_waiters(word))))
            break;
    }
    if (!got)
        append_locked(mutex, park);
    unlock_queue(mutex);
    if (got)
        cr_make_runnable(worker, park);
}

/* At quiescence: out of the queue. */
static void give_up(cr_park *park)
{
    corio_mutex *mutex = park->object;
    cr_park *before = NULL;
    for (cr_park *at = mutex->reserved_head; at != park; at = at->next)
        before = at;
    if (before == NULL)
        mutex->reserved_head = park->next;
    else
        before->next = park->next;
    if (mutex->reserved_tail == park)
        mutex->reserved_tail = before;
    mutex->reserved_waiting--;
    if (mutex->reserved_head == NULL)
        mutex->reserved_owner = (void *)(uintptr_t)holder_of(mutex->reserved_owner);
}

static const cr_park_reason locks = {
    .text = "waits in corio_mutex_lock", .holder = holder, .give_up = give_up};

static int try_lock(corio_mutex *mutex, corio_task *task)
{
    if (task == NULL)
        return -EPERM;
    if (mutex == NULL)
        return -EINVAL;
    /* [acquire mutex.hold] */
    if (cr_cas_ptr(&mutex->reserved_owner, NULL, task))
        return 0;
    return holder_of(cr_load_ptr(&mutex->reserved_owner)) == task ? -EDEADLK : -EBUSY;
}

int corio_mutex_try_lock(corio_mutex *mutex)
{
    return try_lock(mutex, corio_self());
}

int corio_mutex_lock(corio_mutex *mutex)
{
    cr_worker *worker = cr_worker_self();
    int rc = try_lock(mutex, worker != NULL ? worker->task : NULL);
    if (rc != -EBUSY)
        return rc;
    cr_park park = {.reason = &locks, .object = mutex, .after = enqueue};
    cr_suspend(worker, &park);
    return park.result;
}

int corio_mutex_unlock(corio_mutex *mutex)
{
    cr_worker *worker = cr_worker_self();
    corio_task *task = worker != NULL ? worker->task : NULL;
    if (task == NULL)
        return -EPERM;
    if (mutex == NULL)
        return -EINVAL;
    /* [release mutex.hold] */
    if (cr_cas_ptr(&mutex->reserved_owner, task, NULL))
        return 0;
    if (holder_of(cr_load_ptr(&mutex->reserved_owner)) != task)
        return -EPERM;
    lock_queue(mutex);
    cr_park *next = mutex->reserved_head;
    mutex->reserved_head = next->next;
    cr_store_32(&mutex->reserved_waiting, mutex->reserved_waiting - 1);
    /* [release mutex.hold] */
    cr_store_release_ptr(&mutex->reserved_owner,
                         next->next != NULL ? with_waiters(next->task) : next->task);
    unlock_queue(mutex);
    cr_make_runnable(worker, next);
    return 0;
}

uint32_t corio_mutex_wait_count(const corio_mutex *mutex)
{
    return mutex != NULL ? cr_load_32(&mutex->reserved_waiting) : 0;
}
