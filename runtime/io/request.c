/* SPDX-License-Identifier: MIT
 *
 * request.c - asking: the task's side.
 *
 * A request is written into the worker's own list and the stack is parked. Nobody looks at the list
 * before the boundary, and by then the stack has been left: so there is no shared write and nothing
 * to order here.
 */
#include "runtime/io/io.h"

#include "runtime/base/alloc.h"
#include "runtime/base/panic.h"

#include <corio/time.h>
#include <errno.h>

bool cr_entries_reserve(cr_entries *entries, size_t more)
{
    return CR_LIKELY(entries->count + more <= entries->capacity) ||
           cr_grow((void **)&entries->items, &entries->capacity, entries->count + more,
                   sizeof(cr_entry));
}

/* The worker's list for a dispatcher. */
static cr_entries *asked(cr_worker *worker, const corio_dispatcher *dispatcher)
{
    return (cr_entries *)worker->asked + dispatcher->number;
}

static int check(const cr_worker *worker, const corio_dispatcher *dispatcher)
{
    return dispatcher != NULL && dispatcher->io->sched == worker->sched ? 0 : -EINVAL;
}

/* tag: CR_ENTRY_SINGLE or 0 */
static inline __attribute__((always_inline)) int ask(cr_worker *worker, corio_request *request,
                                                     cr_call *call, uintptr_t tag)
{
    cr_entries *list = asked(worker, request->dispatcher);
    if (CR_UNLIKELY(!cr_entries_reserve(list, 1)))
        return -ENOMEM;
    request->status = 0;
    request->reserved_state = CR_REQUEST_OPEN;
    request->reserved_call = call;
    const corio_task *task = worker->task;
    list->items[list->count++] =
        (cr_entry){.what = (char *)request + tag, .parent = task->parent, .index = task->index};
    return 0;
}

int corio_io(corio_dispatcher *dispatcher, const void *input, void *output)
{
    cr_worker *worker = cr_worker_self();
    if (CR_UNLIKELY(worker == NULL || worker->task == NULL))
        return -EPERM;
    int rc = check(worker, dispatcher);
    if (CR_LIKELY(rc == 0))
        rc = cr_check_cancelled(worker);
    if (CR_UNLIKELY(rc != 0))
        return rc;
    cr_single single;
    single.request = (corio_request){.dispatcher = dispatcher, .input = input, .output = output};
    single.call = (cr_call){.open = 1};
    rc = ask(worker, &single.request, &single.call, CR_ENTRY_SINGLE);
    if (CR_UNLIKELY(rc != 0))
        return rc;
    cr_suspend(worker, &single.call.park);
    return single.request.status;
}

/* Takes back what has been asked, newest first. */
static void take_back(cr_worker *worker, corio_request *requests, size_t count)
{
    while (count > 0)
        asked(worker, requests[--count].dispatcher)->count--;
}

/* Whether the task may ask all of them: 0, or the error. */
static int check_all(const cr_worker *worker, const corio_request *requests, size_t count)
{
    if (requests == NULL)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (check(worker, requests[i].dispatcher) != 0)
            return -EINVAL;
    }
    return cr_check_cancelled(worker);
}

/* The deadline of a call, in its frame. */
typedef struct limit {
    cr_timer timer;
    cr_io *io;
    cr_call *call;
} limit;

static void expire(void *context, cr_timer *timer)
{
    const limit *passed = (const limit *)timer;
    (void)context;
    cr_store_32(&passed->call->expired, 1);
    passed->io->some_expired = true; /* the leader's */
}

/* All are asked: parks until all are answered. */
static void park_call(cr_worker *worker, cr_call *call, cr_io *io, uint64_t deadline_ns,
                      int *ret_rc)
{
    limit until = {.timer.fire = expire, .io = io, .call = call};
    cr_timers *timers = &worker->sched->timers;
    *ret_rc = deadline_ns != CR_NEVER ? cr_timers_arm(timers, &until.timer, deadline_ns) : 0;
    if (*ret_rc != 0)
        return;
    cr_suspend(worker, &call->park);
    if (deadline_ns != CR_NEVER)
        cr_timers_disarm(timers, &until.timer);
}

/* None was asked: nobody takes a status for an answer. */
static int refuse_all(corio_request *requests, size_t count, int error)
{
    for (size_t i = 0; i < count; i++)
        requests[i].status = error;
    return error;
}

int corio_io_all_until(corio_request *requests, size_t count, uint64_t deadline_ns)
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (count == 0)
        return 0;
    int rc = check_all(worker, requests, count);
    if (rc != 0)
        return rc == -EINVAL ? rc : refuse_all(requests, count, rc);
    cr_call call = {.park = {.object = requests}, .open = count};
    for (size_t i = 0; i < count; i++) {
        requests[i].reserved_due_ns = 0; /* of an earlier call */
        rc = ask(worker, &requests[i], &call, 0);
        if (rc != 0) {
            take_back(worker, requests, i);
            return refuse_all(requests, count, rc);
        }
    }
    park_call(worker, &call, requests[0].dispatcher->io, deadline_ns, &rc);
    if (rc != 0) {
        take_back(worker, requests, count);
        return refuse_all(requests, count, rc);
    }
    for (size_t i = 0; i < count; i++) {
        if (requests[i].status != 0)
            return requests[i].status;
    }
    return 0;
}

int corio_io_all(corio_request *requests, size_t count)
{
    return corio_io_all_until(requests, count, CR_NEVER);
}

int corio_io_until(corio_dispatcher *dispatcher, const void *input, void *output,
                   uint64_t deadline_ns)
{
    if (deadline_ns == CR_NEVER)
        return corio_io(dispatcher, input, output);
    corio_request request = {.dispatcher = dispatcher, .input = input, .output = output};
    return corio_io_all_until(&request, 1, deadline_ns);
}
