/* SPDX-License-Identifier: MIT
 *
 * rwlock.c - many readers or one writer, first come first served.
 *
 * All of it changes under the queue's lock, and always so that afterwards the first in the queue
 * cannot go on: whoever unlocks, or leaves the queue, takes out those who can and makes them
 * holders in the same step. So nobody waits for a lock that it could have, and nobody walks in
 * between. Giving up happens at quiescence only (wait.h).
 *
 * Edges
 *   wait.queue   see wait.h; what was written before unlock is seen behind the lock that follows it
 */
#include "runtime/sched/wait.h"

#include <corio/rwlock.h>
#include <errno.h>

static const cr_park_reason reads, writes;

static bool is_writer(const cr_wait *wait)
{
    return wait->park.reason == &writes;
}

static bool take_locked(corio_rwlock *lock, corio_task *task, bool to_write)
{
    if (lock->reserved_writer != 0 || (to_write && lock->reserved_readers != 0))
        return false;
    if (to_write) {
        lock->reserved_writer = task->identity;
        lock->reserved_holder = task;
    } else {
        lock->reserved_readers++;
    }
    return true;
}

/* Behind all who wait already. */
static bool join_locked(corio_rwlock *lock, corio_task *task, bool to_write)
{
    return cr_waiters_first(&lock->reserved_waiters) == NULL && take_locked(lock, task, to_write);
}

/* The first in the queue, out of it and a holder; NULL: it is not its turn. */
static cr_wait *serve_locked(corio_rwlock *lock)
{
    cr_wait *first = cr_waiters_first(&lock->reserved_waiters);
    if (first == NULL || !take_locked(lock, first->park.task, is_writer(first)))
        return NULL;
    cr_wait_remove_locked(first);
    return first;
}

static bool enter(cr_wait *wait)
{
    return !join_locked(wait->park.object, wait->park.task, is_writer(wait));
}

/* It may be the turn of those behind now. One that is cancelled itself is given up next. */
static void give_up(cr_worker *leader, cr_park *park)
{
    corio_rwlock *lock = park->object;
    cr_wait_give_up(leader, park);
    for (;;) {
        const cr_wait *first = cr_waiters_first(&lock->reserved_waiters);
        if (first == NULL || cr_wait_is_cancelled(leader, first))
            return;
        cr_wait *served = serve_locked(lock);
        if (served == NULL)
            return;
        cr_end_park(leader, &served->park, 0);
    }
}

/* For the report of a deadlock. Readers are not known. */
static const corio_task *holder(const cr_park *park, uint64_t *ret_identity)
{
    const corio_rwlock *lock = park->object;
    *ret_identity = lock->reserved_writer;
    return lock->reserved_writer != 0 ? lock->reserved_holder : NULL;
}

static const cr_park_reason reads = {
    .text = "waits in corio_rwlock_read", .holder = holder, .give_up = give_up};
static const cr_park_reason writes = {
    .text = "waits in corio_rwlock_write", .holder = holder, .give_up = give_up};

static int try_lock(cr_worker *worker, corio_rwlock *lock, bool to_write)
{
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (lock == NULL)
        return -EINVAL;
    uint64_t identity = cr_identity_of(worker);
    cr_waiters_lock(&lock->reserved_waiters);
    bool own = lock->reserved_writer == identity;
    bool taken = join_locked(lock, worker->task, to_write);
    cr_waiters_unlock(&lock->reserved_waiters);
    if (taken)
        return 0;
    return own ? -EDEADLK : -EBUSY;
}

static int lock_until(corio_rwlock *lock, bool to_write, uint64_t deadline_ns)
{
    cr_worker *worker = cr_worker_self();
    int rc = try_lock(worker, lock, to_write);
    if (rc != -EBUSY)
        return rc;
    cr_wait wait = {.park = {.reason = to_write ? &writes : &reads, .object = lock},
                    .guard = &lock->reserved_waiters,
                    .queue = &lock->reserved_waiters,
                    .enter = enter};
    return cr_wait_in(worker, &wait, deadline_ns);
}

int corio_rwlock_try_read(corio_rwlock *lock)
{
    return try_lock(cr_worker_self(), lock, false);
}

int corio_rwlock_try_write(corio_rwlock *lock)
{
    return try_lock(cr_worker_self(), lock, true);
}

int corio_rwlock_read_until(corio_rwlock *lock, uint64_t deadline_ns)
{
    return lock_until(lock, false, deadline_ns);
}

int corio_rwlock_read(corio_rwlock *lock)
{
    return lock_until(lock, false, CR_NEVER);
}

int corio_rwlock_write_until(corio_rwlock *lock, uint64_t deadline_ns)
{
    return lock_until(lock, true, deadline_ns);
}

int corio_rwlock_write(corio_rwlock *lock)
{
    return lock_until(lock, true, CR_NEVER);
}

/* False: the task cannot be a holder. */
static bool leave_locked(corio_rwlock *lock, const corio_task *task)
{
    if (lock->reserved_writer != 0) {
        if (lock->reserved_writer != task->identity)
            return false;
        lock->reserved_writer = 0;
        return true;
    }
    if (lock->reserved_readers == 0)
        return false;
    lock->reserved_readers--;
    return true;
}

/* All whose turn it is, out of the queue, as a list through `behind`. */
static cr_wait *serve_all_locked(corio_rwlock *lock)
{
    cr_wait *first = NULL;
    cr_wait **end = &first;
    for (cr_wait *served; (served = serve_locked(lock)) != NULL; end = &served->behind)
        *end = served;
    *end = NULL;
    return first;
}

int corio_rwlock_unlock(corio_rwlock *lock)
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (lock == NULL)
        return -EINVAL;
    cr_waiters_lock(&lock->reserved_waiters);
    bool left = leave_locked(lock, worker->task);
    cr_wait *served = left ? serve_all_locked(lock) : NULL;
    cr_waiters_unlock(&lock->reserved_waiters);
    cr_wait_wake_all(worker, served);
    return left ? 0 : -EPERM;
}

int corio_rwlock_destroy(corio_rwlock *lock)
{
    if (lock == NULL)
        return -EINVAL;
    cr_waiters_lock(&lock->reserved_waiters);
    bool used = lock->reserved_writer != 0 || lock->reserved_readers != 0 ||
                cr_waiters_first(&lock->reserved_waiters) != NULL;
    cr_waiters_unlock(&lock->reserved_waiters);
    return used ? -EBUSY : 0;
}

uint32_t corio_rwlock_wait_count(const corio_rwlock *lock)
{
    return lock != NULL ? cr_load_32(&lock->reserved_waiters.reserved_count) : 0;
}
