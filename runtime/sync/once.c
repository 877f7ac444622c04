/* SPDX-License-Identifier: MIT
 *
 * once.c - one execution for all.
 *
 *     idle -> running -> done
 *               | ^
 *               +-+ failed: the first that waits runs next (none: idle)
 *
 * The state changes under the queue's lock. Who ends an execution takes all out of the queue
 * (done), or hands the execution to the first (failed), in the same step: so there is one at a
 * time, and nobody waits for one that is over. Giving up happens at quiescence only (wait.h).
 *
 * Edges
 *   once.done    an execution -> callers that find it done   what fn wrote is seen
 *   wait.queue   see wait.h; the same for those who waited
 */
#include "runtime/sched/wait.h"

#include <corio/once.h>
#include <errno.h>

/* TOLD: done, and a sanitizer is to be told by who finds that without the lock. */
enum { IDLE, RUNNING, DONE, TOLD };

typedef struct caller {
    cr_wait wait;
    bool runs; /* it is its turn to call the function */
} caller;

static caller *caller_of(cr_wait *wait)
{
    return (caller *)wait;
}

/* If nobody runs, the task does from now on. */
static bool begin_locked(corio_once *once, corio_task *task)
{
    if (once->reserved_state != IDLE)
        return false;
    cr_store_32(&once->reserved_state, RUNNING);
    once->reserved_runner = task;
    return true;
}

static bool enter(cr_wait *wait)
{
    corio_once *once = wait->park.object;
    if (once->reserved_state >= DONE)
        return false;
    caller_of(wait)->runs = begin_locked(once, wait->park.task);
    return !caller_of(wait)->runs;
}

static const corio_task *holder(const cr_park *park, uint64_t *ret_identity)
{
    *ret_identity = 0;
    return ((const corio_once *)park->object)->reserved_runner;
}

static const cr_park_reason waits = {
    .text = "waits in corio_once_do", .holder = holder, .give_up = cr_wait_give_up};

/* After an execution: who is to be woken. */
static cr_wait *end_locked(corio_once *once, bool done)
{
    corio_waiters *queue = &once->reserved_waiters;
    if (done) {
        cr_tell_release(once);
        /* [release once.done] */
        cr_store_release_32(&once->reserved_state, cr_order_is_told() ? TOLD : DONE);
        return cr_waiters_take_all_locked(queue);
    }
    cr_store_32(&once->reserved_state, IDLE);
    cr_wait *first = cr_waiters_first(queue);
    if (first == NULL)
        return NULL;
    cr_wait_remove_locked(first);
    first->behind = NULL;
    caller_of(first)->runs = begin_locked(once, first->park.task);
    return first;
}

static int run(corio_once *once, corio_task_fn *fn, void *arg)
{
    corio_task *task = corio_self();
    int rc = cr_land(fn, arg);
    cr_worker *worker = cr_worker_self();
    cr_waiters_lock(&once->reserved_waiters);
    cr_wait *woken = end_locked(once, rc >= 0);
    cr_waiters_unlock(&once->reserved_waiters);
    cr_wait_wake_all(worker, woken);
    if (task->more != NULL && task->more->leaving != NULL)
        cr_leave_again(task);
    return rc;
}

static int wait_or_run(cr_worker *worker, corio_once *once, corio_task_fn *fn, void *arg,
                       uint64_t deadline_ns)
{
    caller mine = {.wait = {.park = {.reason = &waits, .object = once},
                            .guard = &once->reserved_waiters,
                            .queue = &once->reserved_waiters,
                            .enter = enter}};
    int rc = cr_wait_in(worker, &mine.wait, deadline_ns);
    return rc == 0 && mine.runs ? run(once, fn, arg) : rc;
}

bool corio_once_is_done(const corio_once *once)
{
    /* [acquire once.done] */
    uint32_t state = once != NULL ? cr_load_acquire_32(&once->reserved_state) : IDLE;
    if (CR_UNLIKELY(state == TOLD))
        cr_tell_acquire(once);
    return state >= DONE;
}

int corio_once_do_until(corio_once *once, corio_task_fn *fn, void *arg, uint64_t deadline_ns)
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (once == NULL || fn == NULL)
        return -EINVAL;
    if (corio_once_is_done(once))
        return 0;
    cr_waiters_lock(&once->reserved_waiters);
    bool runs = begin_locked(once, worker->task);
    bool own = !runs && once->reserved_state == RUNNING && once->reserved_runner == worker->task;
    cr_waiters_unlock(&once->reserved_waiters);
    if (runs)
        return run(once, fn, arg);
    return own ? -EDEADLK : wait_or_run(worker, once, fn, arg, deadline_ns);
}

int corio_once_do(corio_once *once, corio_task_fn *fn, void *arg)
{
    return corio_once_do_until(once, fn, arg, CR_NEVER);
}
