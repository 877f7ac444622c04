/* SPDX-License-Identifier: MIT
 *
 * io_world.h - the I/O part of the library as it is, with one leader and a few requests: for the
 * models of replies and of batches. It is included by one source file.
 *
 * Item n is the answer to request n: made by who answers, taken by the leader when the request's
 * stack may go on.
 */
#ifndef MODEL_IO_WORLD_H
#define MODEL_IO_WORLD_H

#include "runtime/base/event.c"
#include "runtime/base/thread.c"
#include "runtime/base/timer.c"
#include "runtime/io/batch.c"
#include "runtime/io/cache.c"
#include "runtime/io/collect.c"
#include "runtime/io/dedup.c"
#include "runtime/io/dispatcher.c"
#include "runtime/io/early.c"
#include "runtime/io/known.c"
#include "runtime/io/order.c"
#include "runtime/io/reply.c"
#include "runtime/io/request.c"
#include "runtime/io/threads.c"
#include "runtime/io/withdraw.c"
#include "runtime/task/cancel.c"
#include "runtime/task/path.c"
#include "tests/model/model.h"
#include "tests/model/no_sim.h"

enum { most_requests = 4, most_hands = 4 };

static struct {
    cr_io *io; /* on the heap, as its runtime: who touches it after the end is told */
    cr_sched sched;
    cr_worker leader;
    cr_worker *workers[1];
    corio_dispatcher *dispatcher;
    corio_task task;
    cr_single calls[most_requests];
    corio_batch *hands[most_hands]; /* what was given to whom */
    unsigned given;
} world;

/* -- What is not part of it -- */

cr_worker *cr_worker_self(void)
{
    return &world.leader;
}

void cr_suspend(cr_worker *worker, cr_park *park)
{
    (void)worker;
    (void)park;
    model_fail("nobody suspends here");
}

void cr_make_runnable_leader(cr_worker *leader, cr_park *park)
{
    (void)leader;
    (void)park;
    model_fail("there is memory for all");
}

uint64_t cr_task_deadline(const corio_task *task)
{
    (void)task;
    return CR_NEVER;
}

void cr_trace_complete(cr_trace *trace, const char *dispatcher, uint64_t batch, size_t requests)
{
    (void)trace;
    (void)dispatcher;
    (void)batch;
    (void)requests;
}

void cr_trace_dispatch(cr_trace_buffer *buffer, const char *dispatcher, uint64_t batch,
                       size_t requests, uint64_t from_ns, uint64_t to_ns)
{
    (void)buffer;
    (void)dispatcher;
    (void)batch;
    (void)requests;
    (void)from_ns;
    (void)to_ns;
}

void cr_log_batch(cr_log *log, const corio_batch *batch)
{
    (void)log;
    (void)batch;
}

void cr_record_replies(struct cr_io *io, const struct corio_batch *replies)
{
    (void)io;
    (void)replies;
}

void cr_record_again(struct cr_io *io, uint64_t batch, uint64_t index)
{
    (void)io;
    (void)batch;
    (void)index;
}

int cr_replay_dispatch(void *self, struct corio_batch *batch)
{
    (void)self;
    (void)batch;
    return -EINVAL;
}

void cr_replay_answer(struct cr_io *io)
{
    (void)io;
}

bool cr_replay_again(struct cr_io *io, uint64_t *ret_batch, uint64_t *ret_index)
{
    (void)io;
    (void)ret_batch;
    (void)ret_index;
    return false;
}

void cr_late_begin(cr_io *io, const corio_batch *batch)
{
    (void)io;
    (void)batch;
}

void cr_late_taken(cr_io *io, cr_storage *storage, const cr_entry *entries, size_t count)
{
    (void)io;
    (void)storage;
    (void)entries;
    (void)count;
}

/* -- Requests and answers -- */

static void begin_io(corio_dispatch_fn *dispatch, size_t max_batch)
{
    memset(&world, 0, sizeof world);
    world.io = model_alloc(sizeof *world.io);
    world.workers[0] = &world.leader;
    world.sched.workers = world.workers;
    world.sched.worker_count = 1;
    world.leader.sched = &world.sched;
    MODEL_CHECK(cr_io_init(world.io, &world.sched, 2) == 0);
    corio_dispatcher_options options = {
        .size = sizeof options, .name = "d", .dispatch = dispatch, .max_batch = max_batch};
    MODEL_CHECK(cr_dispatcher_add(world.io, &options, &world.dispatcher) == 0);
    model_name(&world.io->replies, sizeof world.io->replies, "replies");
    model_name(&world.io->replied, sizeof world.io->replied, "replied");
    model_name(&world.io->replying, sizeof world.io->replying, "replying");
    model_name(world.io, sizeof *world.io, "io");
    model_name(world.calls, sizeof world.calls, "calls");
}

/* As corio_io does it. */
static void ask_for(unsigned number)
{
    cr_single *call = &world.calls[number];
    call->request.dispatcher = world.dispatcher;
    call->call.open = 1;
    world.task.index = number;
    world.leader.task = &world.task;
    MODEL_CHECK(ask(&world.leader, &call->request, &call->call, CR_ENTRY_SINGLE) == 0);
}

static unsigned number_of(const corio_request *request)
{
    return (unsigned)((const cr_single *)((const char *)request - offsetof(cr_single, request)) -
                      world.calls);
}

static void answer(corio_batch *batch, size_t i)
{
    model_make(number_of(cr_entry_request(&batch->entries[i])));
    MODEL_CHECK(corio_batch_respond(batch, i) == 0);
}

static void answer_all(corio_batch *batch)
{
    for (size_t i = 0; i < corio_batch_len(batch); i++)
        answer(batch, i);
}

/* -- Batches from hand to hand -- */

static void give(unsigned hand, corio_batch *batch)
{
    world.hands[hand] = batch;
    model_publish(&world.hands[hand]);
}

static corio_batch *get(unsigned hand)
{
    model_receive(&world.hands[hand], "waits for a batch");
    return world.hands[hand];
}

static int give_to_the_next(void *self, corio_batch *batch)
{
    (void)self;
    give(world.given++, batch);
    return CORIO_LATER;
}

/* -- The leader -- */

static void resume_all(void)
{
    for (size_t i = 0; i < world.io->ready_count; i++) {
        for (size_t at = 0; at < world.io->ready[i].count; at++) {
            const cr_park *park = world.io->ready[i].parks[at].what;
            const cr_single *call =
                (const cr_single *)((const char *)park - offsetof(cr_single, call.park));
            MODEL_CHECK(call->request.status == 0 &&
                        call->request.reserved_state == CR_REQUEST_ANSWERED);
            model_take((unsigned)(call - world.calls));
        }
    }
}

/* What phase/boundary.c does to wait. */
static void wait_for_some(void)
{
    cr_io *io = world.io;
    uint32_t seen = cr_event_value(&io->replied);
    if (!cr_io_replied(io))
        cr_event_wait(&io->replied, seen, CR_NEVER);
    cr_io_take_replies(io, &world.leader);
}

/* Phases until all requests are answered. */
static void run_phases(void)
{
    cr_io *io = world.io;
    do {
        cr_io_begin(io);
        cr_io_collect(io, &world.leader);
        cr_io_dispatch(io, &world.leader);
        cr_io_take_replies(io, &world.leader);
        while (io->ready_count == 0 && io->in_flight > 0 && world.dispatcher->retries.count == 0)
            wait_for_some();
        resume_all();
    } while (io->in_flight > 0 || cr_io_queued(io));
    MODEL_CHECK(!cr_io_replied(io));
}

static void lead(unsigned requests)
{
    for (unsigned number = 0; number < requests; number++)
        ask_for(number);
    run_phases();
}

/* The runtime's end. */
static void end_io(void)
{
    cr_io_fini(world.io);
    model_free(world.io);
}

/* All answers have arrived, and nothing is left. */
static void end_well(void)
{
    model_check_all_taken();
    model_check_all_freed();
}

#endif
