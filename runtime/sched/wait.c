/* SPDX-License-Identifier: MIT */
#include "runtime/sched/wait.h"

#include <errno.h>

void cr_wait_append_locked(cr_wait *wait)
{
    corio_waiters *queue = wait->queue;
    wait->before = queue->reserved_tail;
    wait->behind = NULL;
    if (wait->before == NULL)
        queue->reserved_head = wait;
    else
        wait->before->behind = wait;
    queue->reserved_tail = wait;
    cr_store_32(&queue->reserved_count, queue->reserved_count + 1);
}

void cr_wait_remove_locked(cr_wait *wait)
{
    corio_waiters *queue = wait->queue;
    if (wait->before == NULL)
        queue->reserved_head = wait->behind;
    else
        wait->before->behind = wait->behind;
    if (wait->behind == NULL)
        queue->reserved_tail = wait->before;
    else
        wait->behind->before = wait->before;
    cr_store_32(&queue->reserved_count, queue->reserved_count - 1);
}

/* Identities are given out to workers in blocks. */
uint64_t cr_identity_new(cr_worker *worker)
{
    enum { block_bits = 20 };
    static uint64_t blocks;
    const uint64_t sign = cr_order_is_told() ? (uint64_t)1 << 63 : 0;
    if ((worker->identities & ((1u << block_bits) - 1)) == 0)
        worker->identities = (cr_add_64(&blocks, 1) << block_bits) + 1;
    return worker->identities++ | sign;
}

/* The stack of the task has been left. Once queued, and unlocked, it may be running already. */
static void enqueue(cr_worker *worker, cr_park *park)
{
    cr_wait *wait = cr_wait_of(park);
    corio_waiters *guard = wait->guard;
    cr_waiters_lock(guard);
    bool stays = wait->enter == NULL || wait->enter(wait);
    if (stays)
        cr_wait_append_locked(wait);
    cr_waiters_unlock(guard);
    if (!stays)
        cr_make_runnable(worker, park);
}

void cr_wait_give_up(cr_worker *leader, cr_park *park)
{
    (void)leader;
    cr_wait_remove_locked(cr_wait_of(park)); /* at quiescence nobody else has the lock */
}

static void time_out(void *context, cr_timer *timer)
{
    cr_wait *wait = (cr_wait *)((char *)timer - offsetof(cr_wait, timer));
    if (wait->park.stack->park != NULL) /* not given up already, at this very boundary */
        cr_give_up(context, &wait->park, -ETIMEDOUT);
}

int cr_wait_with(cr_worker *worker, cr_wait *wait, uint64_t deadline_ns,
                 void (*after)(cr_worker *worker, cr_park *park))
{
    int rc = cr_check_cancelled(worker);
    if (rc != 0)
        return rc;
    cr_sched *sched = worker->sched;
    if (deadline_ns != CR_NEVER) {
        wait->timer.fire = time_out;
        rc = cr_timers_arm(&sched->timers, &wait->timer, deadline_ns);
        if (rc != 0)
            return rc;
    }
    wait->park.after = after;
    cr_suspend(worker, &wait->park);
    if (deadline_ns != CR_NEVER)
        cr_timers_disarm(&sched->timers, &wait->timer);
    return wait->park.result;
}

int cr_wait_in(cr_worker *worker, cr_wait *wait, uint64_t deadline_ns)
{
    return cr_wait_with(worker, wait, deadline_ns, enqueue);
}
