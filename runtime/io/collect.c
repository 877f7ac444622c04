/* SPDX-License-Identifier: MIT
 *
 * collect.c - the way out: workers' lists into queues, queues into batches.
 *
 * Runs at quiescence, in the leader: it may touch every worker's lists.
 */
#include "runtime/io/reuse.h"

#include "runtime/base/alloc.h"
#include "runtime/base/panic.h"
#include "runtime/observe/probes.h"

#include <errno.h>
#include <string.h>

/* -- Arrays to use again -- */

enum { spares = sizeof((cr_io *)0)->spare / sizeof(cr_entries) };

/* Puts an array away for later: the largest ones are kept. */
static void put_away(cr_io *io, cr_entry *items, size_t capacity)
{
    for (unsigned i = 0; i < spares && items != NULL; i++) {
        if (io->spare[i].capacity >= capacity)
            continue;
        cr_entry *smaller = io->spare[i].items;
        size_t smaller_capacity = io->spare[i].capacity;
        io->spare[i] = (cr_entries){.items = items, .capacity = capacity};
        items = smaller;
        capacity = smaller_capacity;
    }
    cr_free(items);
}

/* An empty array, with room if one was put away: the smallest that was last of that size. */
static cr_entries take_spare(cr_io *io)
{
    for (unsigned i = spares; i-- > 0;) {
        cr_entries spare = io->spare[i];
        if (spare.items != NULL) {
            io->spare[i] = (cr_entries){0};
            return spare;
        }
    }
    return (cr_entries){0};
}

static cr_entries take_largest_spare(cr_io *io)
{
    cr_entries spare = io->spare[0];
    memmove(&io->spare[0], &io->spare[1], sizeof io->spare - sizeof io->spare[0]);
    io->spare[spares - 1] = (cr_entries){0};
    return spare;
}

void cr_storage_release(cr_io *io, cr_storage *storage)
{
    /* The last one has nobody beside it who could add to them. */
    if (CR_UNLIKELY(cr_load_32(&storage->references) != 1) &&
        cr_add_32(&storage->references, (uint32_t)-1) != 1)
        return;
    put_away(io, storage->items, storage->capacity);
    storage->next = io->spare_storage;
    io->spare_storage = storage;
}

static cr_storage *take_storage_head(cr_io *io)
{
    cr_storage *storage = io->spare_storage;
    if (storage == NULL)
        return cr_alloc_zeroed(sizeof *storage);
    io->spare_storage = storage->next;
    *storage = (cr_storage){.items = NULL};
    return storage;
}

/* -- Collecting -- */

/* Without memory for a batch, its requests fail; that needs no memory. */
void cr_answer_all(cr_worker *leader, cr_entry *entries, size_t count, int error)
{
    for (size_t i = 0; i < count; i++) {
        corio_request *request = cr_entry_request(&entries[i]);
        request->status = error;
        if (request->dispatcher->reuse != NULL)
            cr_reuse_fail(leader, request);
        cr_call *call = request->reserved_call;
        if (cr_request_done(request))
            cr_make_runnable_leader(leader, &call->park);
    }
}

bool cr_entries_move(cr_entries *to, cr_entries *from)
{
    size_t count = from->count - from->begin;
    if (count == 0)
        return true;
    if (to->count == to->begin) { /* nothing to move behind: the arrays change places */
        cr_entries empty = *to;
        *to = *from;
        *from = empty;
    } else if (cr_entries_reserve(to, count)) {
        memcpy(to->items + to->count, from->items + from->begin, count * sizeof(cr_entry));
        to->count += count;
    } else {
        return false;
    }
    from->begin = from->count = 0;
    return true;
}

static void append(cr_worker *leader, cr_entries *to, cr_entries *from)
{
    if (CR_LIKELY(cr_entries_move(to, from)))
        return;
    cr_answer_all(leader, from->items + from->begin, from->count - from->begin, -ENOMEM);
    from->begin = from->count = 0;
}

static void sort_entries(cr_io *io, cr_entries *entries)
{
    if (entries->count > entries->begin) /* else there may be no array */
        cr_order_sort(&io->order, entries->items + entries->begin, entries->count - entries->begin);
}

/* The list of a worker; behind the workers': what was asked in this phase and not handed over early. */
static cr_entries *list_of(const cr_io *io, corio_dispatcher *dispatcher, unsigned i)
{
    return i < io->sched->worker_count
               ? (cr_entries *)io->sched->workers[i]->asked + dispatcher->number
               : &dispatcher->early;
}

/* What has been asked, in spawn order. A single list is taken as it is. */
static cr_entries take_asked(cr_io *io, cr_worker *leader, corio_dispatcher *dispatcher)
{
    unsigned lists = io->sched->worker_count + 1;
    cr_entries fresh = {0};
    size_t places = 0, count = 0;
    for (unsigned i = 0; i < lists; i++) {
        const cr_entries *list = list_of(io, dispatcher, i);
        places += list->count > list->begin;
        count += list->count - list->begin;
    }
    bool merged = places > 1;
    if (merged) {
        fresh = take_largest_spare(io);
        merged = cr_entries_reserve(&fresh, count) && cr_order_begin(&io->order, places);
    }
    for (unsigned i = 0; i < lists; i++) {
        cr_entries *list = list_of(io, dispatcher, i);
        if (list->count == list->begin)
            continue;
        if (!merged) {
            append(leader, &fresh, list);
            if (list->items == NULL)
                *list = take_spare(io);
            continue;
        }
        cr_order_add(&io->order, list->items + list->begin, list->count - list->begin);
        list->begin = list->count = 0;
    }
    if (merged) {
        cr_order_merge(&io->order, fresh.items);
        fresh.count = count;
    } else {
        sort_entries(io, &fresh);
    }
    return fresh;
}

static void collect(cr_io *io, cr_worker *leader, corio_dispatcher *dispatcher)
{
    cr_entries fresh = take_asked(io, leader, dispatcher);
    if (CR_UNLIKELY(dispatcher->reuse != NULL) && fresh.count > fresh.begin)
        cr_reuse_collect(dispatcher, leader, &fresh);
    if (dispatcher->retries.count > 0) {
        append(leader, &fresh, &dispatcher->retries);
        sort_entries(io, &fresh);
    }
    append(leader, &dispatcher->queue, &fresh);
    put_away(io, fresh.items, fresh.capacity);
}

void cr_io_collect(cr_io *io, cr_worker *leader)
{
    for (size_t i = 0; i < io->dispatcher_count; i++)
        collect(io, leader, io->dispatchers[i]);
}

/* -- Handing over -- */

static size_t queued(const corio_dispatcher *dispatcher)
{
    return dispatcher->queue.count - dispatcher->queue.begin;
}

/* How many requests may go out in one call now. */
static size_t allowed(const corio_dispatcher *dispatcher)
{
    const corio_dispatcher_options *options = &dispatcher->options;
    size_t count = queued(dispatcher);
    if (options->max_batch > 0 && count > options->max_batch)
        count = options->max_batch;
    if (options->max_in_flight > 0) {
        size_t room = options->max_in_flight > dispatcher->in_flight
                          ? options->max_in_flight - dispatcher->in_flight
                          : 0;
        if (count > room)
            count = room;
    }
    return count;
}

/* The first `count` entries of the queue, as an array of their own. NULL: no memory. */
static cr_storage *take_storage(cr_io *io, cr_entries *queue, size_t count)
{
    cr_storage *storage = take_storage_head(io);
    if (storage == NULL)
        return NULL;
    if (queue->begin == 0 && count == queue->count) {
        storage->items = queue->items;
        storage->capacity = queue->capacity;
        *queue = take_spare(io);
        return storage;
    }
    cr_entries copy = {0};
    if (!cr_entries_reserve(&copy, count)) {
        cr_free(storage);
        return NULL;
    }
    memcpy(copy.items, queue->items + queue->begin, count * sizeof(cr_entry));
    storage->items = copy.items;
    storage->capacity = copy.capacity;
    queue->begin += count;
    if (queue->begin == queue->count)
        queue->begin = queue->count = 0;
    return storage;
}

static corio_batch *take_batch(cr_io *io, corio_dispatcher *dispatcher, size_t count)
{
    cr_storage *storage = take_storage(io, &dispatcher->queue, count);
    if (storage == NULL)
        return NULL;
    corio_batch *batch = cr_batch_create(dispatcher, storage, count);
    if (batch != NULL)
        return batch;
    /* Back into the queue's place: it was not handed over. */
    if (queued(dispatcher) == 0) {
        put_away(io, dispatcher->queue.items, dispatcher->queue.capacity);
        dispatcher->queue = (cr_entries){storage->items, 0, count, storage->capacity};
    } else {
        dispatcher->queue.begin -= count;
        cr_free(storage->items);
    }
    cr_free(storage);
    return NULL;
}

typedef struct call_of_dispatch {
    uint64_t batch; /* its number */
    size_t requests;
    uint64_t began_ns, ended_ns;
} call_of_dispatch;

/* For the trace: the calls learn what their requests travel in. */
static void number_calls(const corio_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        cr_call *call = cr_entry_request(&batch->entries[i])->reserved_call;
        call->park.batch = batch->number;
    }
}

/* Somebody wants to know of it. */
static void handed_over(const cr_io *io, cr_trace_buffer *trace, corio_dispatcher *dispatcher,
                        const call_of_dispatch *what)
{
    corio_phase_dispatcher *handed = &dispatcher->handed;
    handed->batches++;
    handed->requests += what->requests;
    handed->dispatch_ns += what->ended_ns - what->began_ns;
    if (what->requests > handed->largest)
        handed->largest = what->requests;
    if (io->trace != NULL)
        cr_trace_dispatch(trace, dispatcher->options.name, what->batch, what->requests,
                          what->began_ns, what->ended_ns);
}

/* false: no memory, they are where they were. */
static bool hand_over(cr_io *io, cr_trace_buffer *trace, corio_dispatcher *dispatcher, size_t count,
                      bool leads)
{
    corio_batch *batch = take_batch(io, dispatcher, count);
    if (batch == NULL)
        return false;
    dispatcher->in_flight += count;
    io->in_flight += count;
    io->batch_total++;
    io->request_total += count;
    if (io->log.wanted)
        cr_log_batch(&io->log, batch);
    if (CR_UNLIKELY(io->late_ns != 0))
        cr_late_begin(io, batch);
    if (CR_UNLIKELY(io->trace != NULL))
        number_calls(batch);
    if (CR_UNLIKELY(dispatcher->reuse != NULL))
        cr_reuse_hand_over(dispatcher, batch->entries, count, batch->number);
    bool timed = io->timed || io->trace != NULL;
    uint64_t began = CR_UNLIKELY(timed) ? cr_now_ns() : 0, number = batch->number;
    CR_PROBE4(batch_dispatch, dispatcher->options.name, number, count, batch->phase);
    uint32_t held = cr_load_32(&batch->state);
    int rc = dispatcher->options.dispatch(dispatcher->options.self, batch);
    if (leads)
        cr_batch_returned_to_leader(batch, held, rc);
    else
        cr_batch_returned(batch, held, rc);
    if (CR_UNLIKELY(timed))
        handed_over(io, trace, dispatcher, &(call_of_dispatch){number, count, began, cr_now_ns()});
    return true;
}

static void refuse(cr_worker *leader, cr_entries *queue, size_t count)
{
    cr_answer_all(leader, queue->items + queue->begin, count, -ENOMEM);
    queue->begin += count;
    if (queue->begin == queue->count)
        queue->begin = queue->count = 0;
}

void cr_io_send(cr_io *io, corio_dispatcher **dispatchers, size_t dispatcher_count,
                cr_trace_buffer *trace, cr_worker *leader)
{
    for (size_t i = 0; i < dispatcher_count; i++) {
        size_t count;
        while ((count = allowed(dispatchers[i])) > 0) {
            if (CR_LIKELY(hand_over(io, trace, dispatchers[i], count, leader != NULL)))
                continue;
            if (leader == NULL)
                return;
            refuse(leader, &dispatchers[i]->queue, count);
        }
    }
}

bool cr_early_queue(cr_io *io, corio_dispatcher *dispatcher)
{
    cr_entries *early = &dispatcher->early;
    if (!cr_entries_reserve(&dispatcher->queue, early->count - early->begin))
        return false;
    sort_entries(io, early);
    return cr_entries_move(&dispatcher->queue, early);
}

bool cr_io_queued(const cr_io *io)
{
    for (size_t i = 0; i < io->dispatcher_count; i++) {
        if (allowed(io->dispatchers[i]) > 0 || io->dispatchers[i]->retries.count > 0)
            return true;
    }
    return false;
}
