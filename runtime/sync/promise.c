/* SPDX-License-Identifier: MIT
 *
 * promise.c - a value from anywhere, for tasks that wait for it.
 *
 *     open -> fulfilled (value), failed (code), broken (-EOWNERDEAD); for good
 *
 * State and queue change under the queue's lock. Who ends the open state takes everybody out of the
 * queue in the same step. A task makes the waiters of its own run runnable, as all primitives do. Any
 * other thread must not: there may be no CPU phase, or it ends at this moment. It moves them to the
 * queue `woken` of their runtime, from which the leader lets them go on (settle.c), and wakes that.
 *
 *     promise's queue --task--> deque
 *             |
 *             +--other thread--> runtime->woken --leader--> deque
 *
 * Giving up happens at quiescence (wait.h), but other threads do not stop for that: so it looks, under
 * the locks, in which of the two queues the waiter is. One in `woken` may be given up: the promise
 * stays fulfilled, only that call has not seen it.
 *
 * A runtime is used by another thread only while that holds the lock of its `woken`, with a waiter in
 * it or about to be: the run cannot end before the leader has had that lock. The promise itself is
 * held by each call that uses it.
 *
 * While a task waits it is counted in `outside` of its runtime: no deadlock.
 *
 * Edges
 *   wait.queue       see wait.h; of the promise: what was written before fulfilling is seen behind
 *                    wait, by those who come later, too; of `woken`: the same for who waited
 *   promise.holder   giving it back -> the last one, who frees it
 */
#include "runtime/phase/runtime.h"

#include "runtime/base/alloc.h"
#include "runtime/sched/wait.h"

#include <corio/promise.h>
#include <errno.h>

typedef enum promise_state {
    OPEN,
    FULFILLED, /* or failed */
    BROKEN,
} promise_state;

struct corio_promise {
    corio_waiters waiters;
    promise_state state; /* this and what follows: under the queue's lock */
    int code;
    void *value;
    uint32_t holders; /* and calls */
};

typedef struct waiter {
    cr_wait wait;
    corio_runtime *runtime;
} waiter;

static waiter *waiter_of(cr_wait *wait)
{
    return (waiter *)wait;
}

/* -- Life -- */

int corio_promise_create(corio_promise **ret_promise)
{
    if (ret_promise == NULL)
        return -EINVAL;
    corio_promise *promise = cr_alloc_zeroed(sizeof *promise);
    if (promise == NULL)
        return -ENOMEM;
    promise->holders = 1;
    *ret_promise = promise;
    return 0;
}

static corio_promise *hold(corio_promise *promise)
{
    cr_add_32(&promise->holders, 1);
    return promise;
}

static void give_back(corio_promise *promise)
{
    /* [release promise.holder] [acquire promise.holder] */
    if (cr_add_32(&promise->holders, (uint32_t)-1) == 1)
        cr_free(promise);
}

corio_promise *corio_promise_share(corio_promise *promise)
{
    return promise != NULL ? hold(promise) : NULL;
}

/* -- Fulfilling -- */

static void wake_from_outside(waiter *woken)
{
    corio_waiters *queue = &woken->runtime->woken;
    cr_waiters_lock(queue);
    bool first = cr_waiters_first(queue) == NULL;
    woken->wait.queue = queue;
    cr_wait_append_locked(&woken->wait);
    if (first) /* else the leader knows, and has not come yet */
        cr_event_signal(&woken->runtime->io.replied);
    cr_waiters_unlock(queue);
}

/* Of those who waited (a list), the ones that the caller can make runnable, as a list; the others
 * go to their runtimes. */
static cr_wait *sort_out(cr_wait *first)
{
    const cr_worker *worker = cr_worker_self();
    const void *own = worker != NULL && worker->task != NULL ? worker->sched->owner : NULL;
    cr_wait *here = NULL, **end = &here;
    while (first != NULL) {
        cr_wait *wait = first;
        first = wait->behind; /* read before it is in another queue */
        if (waiter_of(wait)->runtime == own) {
            *end = wait;
            end = &wait->behind;
        } else {
            wake_from_outside(waiter_of(wait));
        }
    }
    *end = NULL;
    return here;
}

static cr_wait *end_locked(corio_promise *promise, promise_state state, int code, void *value)
{
    promise->state = state;
    promise->code = code;
    promise->value = value;
    return sort_out(cr_waiters_take_all_locked(&promise->waiters));
}

/* 0 if it was open. */
static int end(corio_promise *promise, promise_state state, int code, void *value)
{
    cr_wait *woken = NULL;
    hold(promise); /* a waiter may give it back before this call is done */
    cr_waiters_lock(&promise->waiters);
    int rc = promise->state == OPEN ? 0 : promise->state == BROKEN ? -EOWNERDEAD : -EALREADY;
    if (rc == 0)
        woken = end_locked(promise, state, code, value);
    cr_waiters_unlock(&promise->waiters);
    give_back(promise);
    if (woken != NULL) {
        cr_worker *worker = cr_worker_self();
        cr_wait_wake_all(worker, woken);
        (void)cr_preemption_point(worker);
    }
    return rc;
}

int corio_promise_fulfil(corio_promise *promise, void *value)
{
    return promise != NULL ? end(promise, FULFILLED, 0, value) : -EINVAL;
}

int corio_promise_fail(corio_promise *promise, int code)
{
    return promise != NULL && code < 0 ? end(promise, FULFILLED, code, NULL) : -EINVAL;
}

void corio_promise_destroy(corio_promise *promise)
{
    if (promise == NULL)
        return;
    (void)end(promise, BROKEN, -EOWNERDEAD, NULL);
    give_back(promise);
}

/* -- Waiting -- */

static bool enter(cr_wait *wait)
{
    const corio_promise *promise = wait->park.object;
    return promise->state == OPEN;
}

static void give_up(cr_worker *leader, cr_park *park)
{
    cr_wait *wait = cr_wait_of(park);
    corio_waiters *woken = &((corio_runtime *)leader->sched->owner)->woken;
    cr_waiters_lock(wait->guard);
    bool is_woken = wait->queue == woken;
    if (is_woken)
        cr_waiters_lock(woken);
    cr_wait_remove_locked(wait);
    if (is_woken)
        cr_waiters_unlock(woken);
    cr_waiters_unlock(wait->guard);
}

static const cr_park_reason waits = {.text = "waits in corio_promise_wait", .give_up = give_up};

/* What has become of it; -EBUSY: nothing yet. */
static int look(corio_promise *promise, void **ret_value)
{
    cr_waiters_lock(&promise->waiters);
    int rc = promise->state == OPEN ? -EBUSY : promise->code;
    if (rc == 0 && ret_value != NULL)
        *ret_value = promise->value;
    cr_waiters_unlock(&promise->waiters);
    return rc;
}

static int wait_until(cr_worker *worker, corio_promise *promise, uint64_t deadline_ns)
{
    corio_runtime *runtime = worker->sched->owner;
    waiter mine = {.wait = {.park = {.reason = &waits, .object = promise},
                            .guard = &promise->waiters,
                            .queue = &promise->waiters,
                            .enter = enter},
                   .runtime = runtime};
    cr_add_32(&runtime->outside, 1);
    int rc = cr_wait_in(worker, &mine.wait, deadline_ns);
    cr_add_32(&runtime->outside, (uint32_t)-1);
    return rc;
}

int corio_promise_wait_until(corio_promise *promise, uint64_t deadline_ns, void **ret_value)
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (promise == NULL)
        return -EINVAL;
    hold(promise); /* others may give theirs back from here on */
    int rc = look(promise, ret_value);
    if (rc == -EBUSY)
        rc = wait_until(worker, promise, deadline_ns);
    if (rc == 0)
        rc = look(promise, ret_value);
    give_back(promise);
    return rc;
}

int corio_promise_wait(corio_promise *promise, void **ret_value)
{
    return corio_promise_wait_until(promise, CR_NEVER, ret_value);
}

int corio_promise_try_wait(corio_promise *promise, void **ret_value)
{
    return promise != NULL ? look(promise, ret_value) : -EINVAL;
}

uint32_t corio_promise_wait_count(const corio_promise *promise)
{
    return promise != NULL ? cr_load_32(&promise->waiters.reserved_count) : 0;
}
