/* SPDX-License-Identifier: MIT
 *
 * reply.c - the way back: completed batches into parked stacks that may go on.
 *
 * The entries of a completed batch are rewritten in place, from "this request" to "this parked
 * stack", and the array itself becomes what workers resume from. Only if several batches are
 * complete are they merged, by spawn order.
 *
 * Edges
 *   reply.batch   see io.h
 */
#include "runtime/io/reuse.h"

#include "runtime/base/alloc.h"
#include "runtime/base/panic.h"

#include <errno.h>
#include <string.h>

void cr_io_begin(cr_io *io)
{
    for (size_t i = 0; i < io->in_use_count; i++)
        cr_storage_release(io, io->in_use[i]);
    io->in_use_count = 0;
    io->ready_count = 0;
    io->merged.count = 0;
    io->reused.count = 0;
}

bool cr_request_done(corio_request *request)
{
    cr_call *call = request->reserved_call;
    cr_io *io = request->dispatcher->io;
    bool done = --call->open == 0;
    if (call->partial == done) { /* some of several answers have come, or the rest of them */
        call->partial = !done;
        io->partial_calls += done ? (size_t)-1 : 1;
    }
    return done;
}

/* To the dispatcher's queue again, now or later; unless nobody wants it any more. */
static void again(cr_io *io, cr_worker *leader, const corio_batch *batch, const cr_entry *entry)
{
    corio_request *request = cr_entry_request(entry);
    corio_dispatcher *dispatcher = request->dispatcher;
    size_t index = (size_t)(entry - batch->storage->items);
    uint64_t due = cr_request_due(request);
    cr_entry kept = *entry;
    request->reserved_state = CR_REQUEST_OPEN;
    /* In a replay: if the one that asked had given up then (retry_one). */
    int given_up =
        io->replay.file != NULL ? request->status : cr_call_given_up(io, request->reserved_call);
    if (given_up != 0 && !cr_withdraw(leader, &kept, given_up))
        return;
    if (dispatcher->reuse != NULL && cr_reuse_again(dispatcher, &kept))
        return;
    if (due != 0 && cr_retry_later(io, due, &kept, batch->number, index))
        return;
    else if (cr_entries_reserve(&dispatcher->retries, 1))
        dispatcher->retries.items[dispatcher->retries.count++] = kept;
    else
        cr_answer_all(leader, &kept, 1, -ENOMEM);
}

/* Answers `count` entries of the batch and leaves the parked stacks that may go on at their front;
 * returns how many. */
static size_t take_entries(cr_io *io, cr_worker *leader, const corio_batch *batch,
                           cr_entry *entries, size_t count)
{
    bool some_retry = batch->retries > 0;
    size_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        if (CR_UNLIKELY(some_retry)) {
            if (cr_entry_request(&entries[i])->reserved_state == CR_REQUEST_RETRY) {
                again(io, leader, batch, &entries[i]);
                continue;
            }
        }
        cr_park *park = cr_entry_done(&entries[i]);
        if (park != NULL) {
            entries[ready] = entries[i];
            entries[ready++].what = park;
        }
    }
    return ready;
}

/* Without memory to remember a run of parked stacks they go through the leader's deque. */
static void add_ready(cr_io *io, cr_worker *leader, cr_entry *parks, size_t count)
{
    if (count == 0)
        return;
    if (cr_grow((void **)&io->ready, &io->ready_capacity, io->ready_count + 1, sizeof(cr_ready))) {
        io->ready[io->ready_count++] = (cr_ready){parks, count};
        return;
    }
    for (size_t i = 0; i < count; i++)
        cr_make_runnable_leader(leader, parks[i].what);
}

/* The storage must outlive the resume. Without memory to remember that, its stacks go through
 * the leader's deque. */
static bool keep_storage(cr_io *io, cr_storage *storage)
{
    if (!cr_grow((void **)&io->in_use, &io->in_use_capacity, io->in_use_count + 1,
                 sizeof(cr_storage *)))
        return false;
    io->in_use[io->in_use_count++] = storage;
    return true;
}

static void take_reply(cr_io *io, cr_worker *leader, corio_batch *batch)
{
    size_t own;
    bool kept = keep_storage(io, batch->storage);
    for (size_t i = cr_batch_own(batch, 0, &own); own > 0; i = cr_batch_own(batch, i + own, &own)) {
        cr_entry *entries = batch->entries + i;
        batch->dispatcher->in_flight -= own;
        io->in_flight -= own;
        if (CR_UNLIKELY(batch->storage->late != NULL))
            cr_late_taken(io, batch->storage, entries, own);
        if (CR_UNLIKELY(batch->dispatcher->reuse != NULL))
            cr_reuse_take(batch->dispatcher, entries, own);
        size_t ready = take_entries(io, leader, batch, entries, own);
        if (kept) {
            add_ready(io, leader, entries, ready);
            continue;
        }
        for (size_t at = 0; at < ready; at++)
            cr_make_runnable_leader(leader, entries[at].what);
    }
    if (!kept)
        cr_storage_release(io, batch->storage);
    cr_batch_retire(io, batch);
}

/* Those that came back to the leader, and behind them those that threads have told of. */
static corio_batch *take_completed(cr_io *io)
{
    corio_batch *told = NULL, **end = &io->answered;
    if (cr_load_ptr((void *const *)&io->replies) != NULL) {
        /* [acquire reply.batch] answers are seen */
        told = cr_swap_ptr(&io->replies, NULL);
        cr_tell_acquire(&io->replies);
    }
    while (*end != NULL)
        end = &(*end)->next;
    *end = told;
    corio_batch *first = io->answered;
    io->answered = NULL;
    return first;
}

void cr_io_take_replies(cr_io *io, cr_worker *leader)
{
    if (CR_UNLIKELY(io->replay.file != NULL))
        cr_replay_answer(io);
    corio_batch *batch = take_completed(io);
    if (batch == NULL)
        return;
    if (CR_UNLIKELY(io->record.file != NULL))
        cr_record_replies(io, batch);
    while (batch != NULL) {
        corio_batch *next = batch->next;
        take_reply(io, leader, batch);
        batch = next;
    }
}

size_t cr_io_resume_list(cr_io *io, cr_worker *leader, cr_entry **ret_parks)
{
    *ret_parks = NULL;
    if (CR_UNLIKELY(io->reused.count > 0)) {
        cr_order_sort(&io->order, io->reused.items, io->reused.count);
        add_ready(io, leader, io->reused.items, io->reused.count);
    }
    if (io->ready_count <= 1) {
        *ret_parks = io->ready_count ? io->ready[0].parks : NULL;
        return io->ready_count ? io->ready[0].count : 0;
    }
    size_t count = 0;
    for (size_t i = 0; i < io->ready_count; i++)
        count += io->ready[i].count;
    if (!cr_entries_reserve(&io->merged, count) || !cr_order_begin(&io->order, io->ready_count)) {
        for (size_t i = 0; i < io->ready_count; i++) {
            for (size_t at = 0; at < io->ready[i].count; at++)
                cr_make_runnable_leader(leader, io->ready[i].parks[at].what);
        }
        return 0;
    }
    for (size_t i = io->ready_count; i-- > 0;) /* mostly they come newest first */
        cr_order_add(&io->order, io->ready[i].parks, io->ready[i].count);
    cr_order_merge(&io->order, io->merged.items);
    *ret_parks = io->merged.items;
    return count;
}

/* -- Delayed retries -- */

static void fire(void *context, cr_timer *timer)
{
    cr_retry *retry = (cr_retry *)timer;
    corio_dispatcher *dispatcher = cr_entry_request(&retry->entry)->dispatcher;
    if (CR_UNLIKELY(retry->io->record.file != NULL))
        cr_record_again(retry->io, retry->batch, retry->index);
    if (cr_entries_reserve(&dispatcher->retries, 1))
        dispatcher->retries.items[dispatcher->retries.count++] = retry->entry;
    else
        cr_answer_all(context, &retry->entry, 1, -ENOMEM);
    cr_retry_remove(retry);
}

bool cr_retry_later(cr_io *io, uint64_t due_ns, const cr_entry *entry, uint64_t batch,
                    uint64_t index)
{
    cr_retry *retry = cr_alloc(sizeof *retry);
    if (retry == NULL)
        return false;
    *retry = (cr_retry){.timer.fire = fire,
                        .entry = *entry,
                        .batch = batch,
                        .index = index,
                        .io = io,
                        .before = io->delayed_last};
    if (io->replay.file == NULL && cr_timers_arm(&io->sched->timers, &retry->timer, due_ns) != 0) {
        cr_free(retry);
        return false;
    }
    if (io->delayed_last != NULL)
        io->delayed_last->behind = retry;
    else
        io->delayed = retry;
    io->delayed_last = retry;
    return true;
}

void cr_retry_remove(cr_retry *retry)
{
    cr_io *io = retry->io;
    if (retry->before != NULL)
        retry->before->behind = retry->behind;
    else
        io->delayed = retry->behind;
    if (retry->behind != NULL)
        retry->behind->before = retry->before;
    else
        io->delayed_last = retry->before;
    cr_free(retry);
}

/* Mostly the first: they go out again in the order in which they were put off. */
static cr_retry *find_retry(const cr_io *io, uint64_t batch, uint64_t index)
{
    cr_retry *retry = io->delayed;
    while (retry != NULL && (retry->batch != batch || retry->index != index))
        retry = retry->behind;
    return retry;
}

void cr_io_replay_retries(cr_io *io, cr_worker *leader)
{
    uint64_t batch, index;
    while (cr_replay_again(io, &batch, &index)) {
        cr_retry *retry = find_retry(io, batch, index);
        if (retry != NULL) /* else it was answered for want of memory */
            fire(leader, &retry->timer);
    }
    while (io->replay.error != 0 && io->delayed != NULL) {
        cr_answer_all(leader, &io->delayed->entry, 1, io->replay.error);
        cr_retry_remove(io->delayed);
    }
}
