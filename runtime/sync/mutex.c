/* SPDX-License-Identifier: MIT
 *
 * mutex.c - a mutex with first-come hand-over.
 *
 *     word:  0                      free
 *            identity << 1          held, nobody waits
 *            identity << 1 | 1      held, the queue is not empty
 *
 * The word alone decides who holds it. An identity is a number that a task gets when it first locks
 * a mutex, and no other task gets: the address of a task that has ended may be another's by now.
 * The queue, and the change of the `waiting` bit, are under the queue's lock. The bit is set
 * together with the first entry and cleared with the last, so an unlocker that sees it finds
 * somebody in the queue. Unlocking with waiters gives the mutex to the first one without freeing it
 * in between: nobody can walk in.
 *
 * Edges
 *   mutex.hold   unlock -> lock   what the last holder wrote is seen by the next: by the word, or,
 *                                 handed over, by the deque that the waiter's stack travels through
 *                                 (deque.item)
 *
 * Where a sanitizer is to be told of that edge, identities are negative (cr_identity_new), and unlock
 * sees it by the look that it takes at them anyway; lock by worker->special. The word does not
 * contain the sign.
 */
#include "runtime/sync/mutex.h"

#include <corio/mutex.h>
#include <errno.h>

enum { waiting_bit = 1 };

static corio_mutex *mutex_of(const cr_park *park)
{
    return park->object;
}

/* For the report of a deadlock. */
static const corio_task *holder(const cr_park *park, uint64_t *ret_identity)
{
    const corio_mutex *mutex = mutex_of(park);
    *ret_identity = mutex->reserved_word >> 1;
    return mutex->reserved_holder;
}

/* The stack of the task has been left: it stays in the queue, or has the mutex if that has come
 * free. */
static bool enter(cr_wait *wait)
{
    corio_mutex *mutex = mutex_of(&wait->park);
    for (;;) {
        uint64_t word = cr_load_64(&mutex->reserved_word);
        /* [acquire mutex.hold] if it is free */
        if (word == 0 && cr_cas_64(&mutex->reserved_word, 0, wait->park.task->identity << 1)) {
            cr_store_ptr(&mutex->reserved_holder, wait->park.task);
            cr_tell_acquire(mutex);
            return false;
        }
        if (word != 0 && cr_cas_64(&mutex->reserved_word, word, word | waiting_bit))
            return true;
    }
}

static void give_up(cr_worker *leader, cr_park *park)
{
    corio_mutex *mutex = mutex_of(park);
    cr_wait_give_up(leader, park);
    if (cr_waiters_first(&mutex->reserved_waiters) == NULL)
        mutex->reserved_word &= ~(uint64_t)waiting_bit;
}

static const cr_park_reason locks = {
    .text = "waits in corio_mutex_lock", .holder = holder, .give_up = give_up};

/* The calling task takes it if it is free. */
static inline bool take(cr_worker *worker, corio_mutex *mutex, uint64_t word)
{
    /* [acquire mutex.hold] */
    if (!cr_cas_64(&mutex->reserved_word, 0, word))
        return false;
    cr_store_ptr(&mutex->reserved_holder, worker->task);
    return true;
}

static int check(const cr_worker *worker, const corio_mutex *mutex)
{
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    return mutex != NULL ? 0 : -EINVAL;
}

int corio_mutex_try_lock(corio_mutex *mutex)
{
    cr_worker *worker = cr_worker_self();
    int rc = check(worker, mutex);
    if (rc != 0)
        return rc;
    uint64_t word = cr_identity_of(worker) << 1;
    uint64_t seen = cr_load_64(&mutex->reserved_word);
    if (seen == 0 && take(worker, mutex, word)) {
        cr_tell_acquire(mutex);
        return 0;
    }
    return (seen & ~(uint64_t)waiting_bit) == word ? -EDEADLK : -EBUSY;
}

int corio_mutex_lock_until(corio_mutex *mutex, uint64_t deadline_ns)
{
    cr_worker *worker = cr_worker_self();
    if (worker != NULL && worker->task != NULL)
        worker = cr_preemption_point(worker);
    int rc = corio_mutex_try_lock(mutex);
    if (rc != -EBUSY)
        return rc;
    cr_wait wait = {.park = {.reason = &locks, .object = mutex},
                    .guard = &mutex->reserved_waiters,
                    .queue = &mutex->reserved_waiters,
                    .enter = enter};
    return cr_wait_in(worker, &wait, deadline_ns);
}

int corio_mutex_lock(corio_mutex *mutex)
{
    cr_worker *worker = cr_worker_self();
    if (CR_LIKELY(check(worker, mutex) == 0 && !worker->special) &&
        take(worker, mutex, cr_identity_of(worker) << 1))
        return 0;
    return corio_mutex_lock_until(mutex, CR_NEVER);
}

static cr_wait *hand_over(corio_mutex *mutex)
{
    corio_waiters *queue = &mutex->reserved_waiters;
    cr_waiters_lock(queue);
    cr_wait *next = cr_waiters_first(queue);
    cr_wait_remove_locked(next);
    uint64_t word = next->park.task->identity << 1;
    cr_store_ptr(&mutex->reserved_holder, next->park.task);
    /* [release mutex.hold] */
    cr_store_release_64(&mutex->reserved_word,
                        cr_waiters_first(queue) != NULL ? word | waiting_bit : word);
    cr_waiters_unlock(queue);
    return next;
}

bool cr_mutex_is_held_by(const corio_mutex *mutex, const corio_task *task)
{
    uint64_t word = task->identity << 1;
    return word != 0 /* it has locked one */ &&
           (cr_load_64(&mutex->reserved_word) & ~(uint64_t)waiting_bit) == word;
}

cr_wait *cr_mutex_release(corio_mutex *mutex, const corio_task *task)
{
    cr_tell_release(mutex);
    /* [release mutex.hold] */
    if (CR_LIKELY(cr_cas_64(&mutex->reserved_word, task->identity << 1, 0)))
        return NULL;
    return hand_over(mutex);
}

int corio_mutex_unlock(corio_mutex *mutex)
{
    cr_worker *worker = cr_worker_self();
    int rc = check(worker, mutex);
    if (CR_UNLIKELY(rc != 0))
        return rc;
    int64_t identity = (int64_t)worker->task->identity;
    if (CR_UNLIKELY(identity <= 0)) {
        if (identity == 0) /* it has never locked any */
            return -EPERM;
        cr_tell_release(mutex);
    }
    uint64_t word = (uint64_t)identity << 1;
    /* [release mutex.hold] */
    if (CR_LIKELY(cr_cas_64(&mutex->reserved_word, word, 0)))
        return 0;
    if (!cr_mutex_is_held_by(mutex, worker->task))
        return -EPERM;
    cr_make_runnable(worker, &hand_over(mutex)->park);
    (void)cr_preemption_point(worker);
    return 0;
}

int corio_mutex_destroy(corio_mutex *mutex)
{
    if (mutex == NULL)
        return -EINVAL;
    return cr_load_64(&mutex->reserved_word) == 0 ? 0 : -EBUSY;
}

uint32_t corio_mutex_wait_count(const corio_mutex *mutex)
{
    return mutex != NULL ? cr_load_32(&mutex->reserved_waiters.reserved_count) : 0;
}
