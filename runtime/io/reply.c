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
#include "runtime/io/io.h"

#include "runtime/base/alloc.h"
#include "runtime/base/panic.h"

#include <string.h>

void cr_io_begin(cr_io *io)
{
    for (size_t i = 0; i < io->in_use_count; i++)
        cr_storage_release(io, io->in_use[i]);
    io->in_use_count = 0;
    io->ready_count = 0;
    io->merged.count = 0;
    io->pushed = 0;
}

bool cr_request_done(corio_request *request)
{
    cr_call *call = request->reserved_call;
    return --call->open == 0;
}

/* To the dispatcher's queue again, now or later. */
static void again(cr_io *io, cr_worker *leader, corio_request *request, const cr_entry *entry)
{
    corio_dispatcher *dispatcher = request->dispatcher;
    uint64_t due = request->reserved_due_ns;
    cr_entry kept = *entry;
    request->reserved_state = CR_REQUEST_OPEN;
    if (due != 0 && cr_timer_add(io, due, &kept))
        return;
    if (cr_entries_reserve(&dispatcher->retries, 1))
        dispatcher->retries.items[dispatcher->retries.count++] = kept;
    else
        cr_answer_all(io, leader, &kept, 1, -12 /* -ENOMEM */);
}

/* Answers entries [0, count) and leaves the parked stacks that may go on at their front; returns
 * how many. A request of corio_io that is not to be retried needs no look: its call has no
 * other. */
static size_t take_entries(cr_io *io, cr_worker *leader, cr_entry *entries, size_t count,
                           bool some_retry)
{
    size_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        corio_request *request = cr_entry_request(&entries[i]);
        if (CR_LIKELY(cr_entry_is_single(&entries[i]) && !some_retry)) {
            entries[ready] = entries[i];
            entries[ready++].what =
                (char *)request - offsetof(cr_single, request) + offsetof(cr_single, call.park);
        } else if (request->reserved_state == CR_REQUEST_RETRY) {
            again(io, leader, request, &entries[i]);
        } else if (cr_request_done(request)) {
            cr_call *call = request->reserved_call;
            entries[ready] = entries[i];
            entries[ready++].what = &call->park;
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
        cr_make_runnable(leader, parks[i].what);
    io->pushed += count;
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
        size_t ready = take_entries(io, leader, entries, own, batch->retries > 0);
        if (kept) {
            add_ready(io, leader, entries, ready);
            continue;
        }
        for (size_t at = 0; at < ready; at++)
            cr_make_runnable(leader, entries[at].what);
        io->pushed += ready;
    }
    if (!kept)
        cr_storage_release(io, batch->storage);
    cr_batch_retire(io, batch);
}

void cr_io_take_replies(cr_io *io, cr_worker *leader)
{
    if (cr_load_ptr((void *const *)&io->replies) == NULL)
        return;
    /* [acquire reply.batch] answers are seen */
    corio_batch *batch = cr_swap_ptr(&io->replies, NULL);
    while (batch != NULL) {
        corio_batch *next = batch->next;
        take_reply(io, leader, batch);
        batch = next;
    }
}

size_t cr_io_resume_list(cr_io *io, cr_worker *leader, cr_entry **ret_parks)
{
    *ret_parks = NULL;
    if (io->ready_count <= 1) {
        *ret_parks = io->ready_count ? io->ready[0].parks : NULL;
        return io->ready_count ? io->ready[0].count : 0;
    }
    size_t count = 0;
    for (size_t i = 0; i < io->ready_count; i++)
        count += io->ready[i].count;
    if (!cr_entries_reserve(&io->merged, count)) {
        for (size_t i = 0; i < io->ready_count; i++) {
            for (size_t at = 0; at < io->ready[i].count; at++)
                cr_make_runnable(leader, io->ready[i].parks[at].what);
        }
        return 0;
    }
    /* Replies come newest first. */
    size_t at = 0;
    for (size_t i = io->ready_count; i-- > 0;) {
        memcpy(io->merged.items + at, io->ready[i].parks, io->ready[i].count * sizeof(cr_entry));
        at += io->ready[i].count;
    }
    cr_order_sort(&io->order, io->merged.items, count);
    *ret_parks = io->merged.items;
    return count;
}

/* -- Timers: a binary heap -- */

static void swap_timers(cr_timer *a, cr_timer *b)
{
    cr_timer kept = *a;
    *a = *b;
    *b = kept;
}

bool cr_timer_add(cr_io *io, uint64_t due_ns, const cr_entry *entry)
{
    if (!cr_grow((void **)&io->timers, &io->timer_capacity, io->timer_count + 1, sizeof(cr_timer)))
        return false;
    size_t at = io->timer_count++;
    io->timers[at] = (cr_timer){due_ns, *entry};
    while (at > 0 && io->timers[(at - 1) / 2].due_ns > io->timers[at].due_ns) {
        swap_timers(&io->timers[(at - 1) / 2], &io->timers[at]);
        at = (at - 1) / 2;
    }
    return true;
}

static cr_entry pop_timer(cr_io *io)
{
    cr_entry first = io->timers[0].entry;
    io->timers[0] = io->timers[--io->timer_count];
    for (size_t at = 0;;) {
        size_t child = 2 * at + 1;
        if (child >= io->timer_count)
            return first;
        if (child + 1 < io->timer_count && io->timers[child + 1].due_ns < io->timers[child].due_ns)
            child++;
        if (io->timers[at].due_ns <= io->timers[child].due_ns)
            return first;
        swap_timers(&io->timers[at], &io->timers[child]);
        at = child;
    }
}

uint64_t cr_io_next_timer(const cr_io *io)
{
    return io->timer_count > 0 ? io->timers[0].due_ns : CR_NEVER;
}

void cr_io_fire_timers(cr_io *io, uint64_t now_ns)
{
    while (io->timer_count > 0 && io->timers[0].due_ns <= now_ns) {
        const corio_request *request = cr_entry_request(&io->timers[0].entry);
        corio_dispatcher *dispatcher = request->dispatcher;
        if (!cr_entries_reserve(&dispatcher->retries, 1))
            return; /* next time */
        dispatcher->retries.items[dispatcher->retries.count++] = pop_timer(io);
    }
}
