/* SPDX-License-Identifier: MIT
 *
 * settle.c - the end of a step: marks take effect.
 *
 *     quiescence -> waiters of scopes that failed in this step go on
 *                -> everything that waits and is cancelled gives up: queued requests, locks, sleeps
 *                -> if anything can run now: the next step of the same CPU phase, no I/O yet
 *
 * So an error has reached whoever handles it, however many levels above, before anything is handed
 * over, and no batch contains what somebody has just been told not to wait for. Why this does not
 * depend on timing is said in task/cancel.h.
 */
#include "runtime/phase/runtime.h"

#include "runtime/sched/wait.h"

#include <errno.h>

bool cr_can_run(const cr_worker *leader)
{
    /* A waiter that is to settle, or a root that has ended: a closure has been refused at this
     * boundary, and the next step, which nobody has anything to do in, ends at once. */
    return cr_deque_length_owner(&leader->deque) > 0 || leader->overflow != NULL ||
           leader->settling != NULL || leader->ended != NULL;
}

static void wake_settling(cr_sched *sched, cr_worker *leader)
{
    for (unsigned i = 0; i < sched->worker_count; i++) {
        cr_worker *worker = sched->workers[i];
        while (worker->settling != NULL) {
            cr_park *waiter = worker->settling;
            worker->settling = waiter->next;
            cr_make_runnable_leader(leader, waiter);
        }
    }
}

/* A parked stack, whose call gives up if its task is cancelled. I/O is not among these. */
static void look_at(void *arg, cr_stack *stack)
{
    cr_worker *leader = arg;
    cr_park *park = stack->park;
    if (park->reason->give_up != NULL &&
        cr_task_cancelled(&leader->sched->cancel, park->task) != CR_NOT_CANCELLED)
        cr_give_up(leader, park, -ECANCELED);
}

static void give_up_cancelled(corio_runtime *runtime, cr_worker *leader)
{
    cr_sched *sched = &runtime->sched;
    cr_io *io = &runtime->io;
    if (sched->cancel.partial != NULL)
        cr_cancel_widen(&sched->cancel);
    /* [acquire cancel.changes] a canceller's mark; those of tasks are seen since quiescence */
    uint32_t changes = cr_load_acquire_32(&sched->cancel.changes);
    bool some = changes != io->handled && cr_cancel_any(&sched->cancel);
    io->handled = changes;
    if (some)
        cr_stack_pool_each_parked(&sched->pool, look_at, leader);
    if (some || io->some_expired)
        cr_io_withdraw(io, leader);
}

static void fire_timers(cr_sched *sched, cr_worker *leader)
{
    cr_timer *timer;
    if (cr_timers_next(&sched->timers) == CR_NEVER)
        return;
    while ((timer = cr_timers_take_due(&sched->timers, cr_sched_now(sched))) != NULL)
        timer->fire(leader, timer);
}

/* Who was let go on by another thread. */
static void take_woken(corio_runtime *runtime, cr_worker *leader)
{
    corio_waiters *woken = &runtime->woken;
    cr_waiters_lock(woken);
    cr_wait *first = cr_waiters_take_all_locked(woken);
    cr_waiters_unlock(woken);
    while (first != NULL) {
        cr_wait *next = first->behind;
        cr_end_park(leader, &first->park, 0);
        first = next;
    }
}

void cr_apply_changes(corio_runtime *runtime, cr_worker *leader)
{
    if (CR_UNLIKELY(cr_load_32(&runtime->woken.reserved_count) != 0))
        take_woken(runtime, leader);
    if (cr_jobs_pending(&runtime->roots))
        cr_jobs_take(runtime, leader);
    fire_timers(&runtime->sched, leader);
    if (CR_UNLIKELY(runtime->io.replay.file != NULL))
        cr_io_replay_retries(&runtime->io, leader);
    give_up_cancelled(runtime, leader);
}

bool cr_settle(corio_runtime *runtime, cr_worker *leader)
{
    cr_sched *sched = &runtime->sched;
    wake_settling(sched, leader);
    give_up_cancelled(runtime, leader);
    return cr_can_run(leader);
}
