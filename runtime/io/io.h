/* SPDX-License-Identifier: MIT
 *
 * io.h - requests on their way: asked by tasks, collected, handed over in batches, answered,
 * resumed.
 *
 *     corio_io -> worker's list --boundary--> dispatcher's queue -> batch -> dispatch
 *                                                ^                            |
 *                                                +-- retries, timers      complete
 *                                                          |                  |
 *     parked stacks to resume <----------------------------+--- replies <-----+
 *
 * A dispatcher that wants it answers equal requests once, and keeps answers: reuse.h.
 *
 * Threads: the lists of a worker are its own during a phase; everything else here is the leader's
 * (the worker that runs the boundary), or that of who hands over early (early.c), except for what a
 * batch's holder may touch (batch.c) and `replies`.
 *
 * Memory: entries live in arrays that wander from a worker's list into a batch, and from there (the
 * same slots, now naming parked stacks instead of requests) into the resume. Answering allocates
 * nothing, so it cannot fail.
 *
 * Edges
 *   reply.batch   complete -> cr_io_take_replies
 *                 the leader sees the answers, and the memory behind them
 */
#ifndef CR_IO_IO_H
#define CR_IO_IO_H

#include "runtime/base/event.h"
#include "runtime/io/late.h"
#include "runtime/io/order.h"
#include "runtime/io/tape.h"
#include "runtime/io/threads.h"
#include "runtime/sched/sched.h"

#include <corio/batch.h>
#include <corio/io.h>
#include <corio/statistics.h>
#include <stdio.h>

typedef struct cr_io cr_io;
typedef struct cr_reuse cr_reuse;

/* A growing array of entries; those before `begin` have left. */
typedef struct cr_entries {
    cr_entry *items;
    size_t begin;
    size_t count; /* end of the entries; count - begin are there */
    size_t capacity;
} cr_entries;

/* One corio_io or corio_io_all, in its frame. */
typedef struct cr_call {
    cr_park park;
    size_t open;      /* requests unanswered */
    uint32_t expired; /* its own deadline has passed: the leader's to set, holders may look */
    bool partial;     /* some of its requests are answered, not all */
} cr_call;

/* corio_io's frame: call and request side by side, so that one is found from the other without
 * reading either. */
typedef struct cr_single {
    cr_call call;
    corio_request request;
} cr_single;

/* What an entry of a request points to: the request, with this bit set if it is a cr_single's. */
enum { CR_ENTRY_SINGLE = 1 };

static inline bool cr_entry_is_single(const cr_entry *entry)
{
    return ((uintptr_t)entry->what & CR_ENTRY_SINGLE) != 0;
}

static inline corio_request *cr_entry_request(const cr_entry *entry)
{
    return (corio_request *)((uintptr_t)entry->what & ~(uintptr_t)CR_ENTRY_SINGLE);
}

/* corio_request.reserved_state */
enum { CR_REQUEST_OPEN, CR_REQUEST_ANSWERED, CR_REQUEST_RETRY, CR_REQUEST_TWICE };

struct corio_dispatcher {
    corio_dispatcher_options options; /* name is a copy */
    cr_io *io;
    unsigned number;
    size_t in_flight;        /* requests handed over and not taken back */
    cr_entries early;        /* asked in this phase, if it hands over early: see early.c */
    uint64_t early_since_ns; /* when the first of these was asked */
    cr_entries queue;   /* asked, in order: of earlier phases first, within a phase by spawn path */
    cr_entries retries; /* to go out at the next boundary */
    corio_phase_dispatcher handed; /* at this boundary; name: not set. If io->timed */
    cr_reuse *reuse;               /* NULL: every request is asked for itself */
};

/* The array behind a batch and its slices. */
typedef struct cr_storage {
    cr_entry *items;
    size_t capacity;
    uint32_t references;     /* batches and slices; slices are made by any thread */
    cr_late *late;           /* NULL: it is not watched, or has been told of */
    struct cr_storage *next; /* of those not in use */
} cr_storage;

typedef struct cr_carve {
    size_t first, count;
} cr_carve;

/* corio_batch.state: one of these, plus CR_BATCH_STATES times a number that changes with every
 * holder (made, given to a job): a former holder who says too late that he is done changes
 * nothing. */
enum {
    CR_BATCH_OPEN,
    CR_BATCH_SUBMITTED,
    CR_BATCH_COMPLETE,
    CR_BATCH_CARVED_UP,
    CR_BATCH_STATES,
};

struct corio_batch {
    corio_dispatcher *dispatcher;
    cr_storage *storage;
    cr_entry *entries; /* in storage */
    size_t count;
    uint64_t phase;
    uint64_t number;  /* of the hand-over, counted from 1: slices have their batch's */
    uint32_t state;   /* atomic, so that use after completion is noticed */
    int fault;        /* first misuse */
    size_t answered;  /* respond, fail and retry that went well */
    size_t retries;   /* of these, retry */
    cr_carve *carves; /* slices made of it, sorted */
    size_t carve_count;
    size_t carve_capacity;
    size_t carved; /* requests in them */
    corio_batch_fn *job;
    void *job_arg;
    corio_batch *next;     /* in replies, answered, the job queue or a quarantine */
    corio_batch *next_all; /* of the runtime */
    bool slice;
};

/* Heads of batches that are complete, oldest first: not used again for a while, to notice stale use. */
typedef struct cr_quarantine {
    corio_batch *first, *last;
    size_t count;
} cr_quarantine;

/* Parked stacks that were answered: part of a storage, which is kept until they have been
 * resumed. */
typedef struct cr_ready {
    cr_entry *parks;
    size_t count;
} cr_ready;

/* A request that is to go out again later. */
typedef struct cr_retry {
    cr_timer timer; /* not armed in a replay */
    cr_entry entry;
    uint64_t batch, index; /* where it was put off */
    cr_io *io;
    struct cr_retry *before,
        *behind; /* all of the runtime, in the order in which they were put off */
} cr_retry;

/* The batch log, and one of an earlier run that this one is compared with. */
typedef struct cr_log {
    bool wanted; /* one of the two is open, or there is a recording */
    FILE *file;
    FILE *check;
    int error; /* of writing, the first */
    char *line;
    size_t line_bytes;
    char *recorded; /* the line of `check` read last */
    size_t recorded_bytes;
    bool ahead;       /* and not compared yet */
    uint64_t number;  /* of lines compared */
    bool differs;     /* the runs have parted */
    char *difference; /* a text for a report; NULL once it is taken */
} cr_log;

struct cr_io {
    cr_sched *sched;
    corio_dispatcher **dispatchers;
    size_t dispatcher_count;
    size_t dispatcher_capacity;
    size_t in_flight; /* of all dispatchers */
    size_t partial_calls;
    uint64_t resumes; /* times that tasks went on behind an I/O phase */
    cr_order order;

    cr_ready *ready;
    size_t ready_count;
    size_t ready_capacity;
    cr_entries merged;   /* the resume array if it comes from several batches */
    cr_entries reused;   /* to resume, of requests that have not been asked */
    cr_storage **in_use; /* behind `ready`; released at the next boundary */
    size_t in_use_count;
    size_t in_use_capacity;

    cr_retry *delayed, *delayed_last;
    uint32_t handled; /* changes of the marks that have been looked at */
    bool some_expired;
    bool some_reuse; /* a dispatcher has a cr_reuse */

    cr_threads threads;
    cr_entries spare[4]; /* arrays to use again */
    cr_storage *spare_storage;

    cr_quarantine quarantine;
    pthread_mutex_t batch_lock;
    cr_quarantine slices; /* the same, under batch_lock: slices are made by any thread */
    corio_batch *batches; /* all, for the end; under batch_lock */
    corio_batch
        *answered; /* complete when its dispatch function returned to the leader, newest first */

    bool strict;    /* the I/O phase waits for all */
    uint32_t early; /* some dispatcher hands over early; if not, the next are not used */
    pthread_mutex_t early_lock;
    pthread_cond_t early_free; /* `exchanging` has become false */
    bool exchanging;           /* under early_lock */

    cr_trace *trace; /* NULL: none is written */
    bool timed;      /* somebody wants to know how long dispatch functions take */
    cr_log log;
    cr_record record;
    cr_replay replay;
    cr_place place; /* of the boundary that is going on */
    uint64_t batch_total, request_total;
    uint64_t late_ns;         /* a batch that is out for longer is told of; 0: none is */
    cr_late *oldest, *newest; /* not told of yet */

    alignas(64) corio_batch
        *replies; /* complete, newest first; pushed by any thread, taken by the leader */
    cr_event replied;
    uint32_t replying; /* threads that are telling of a reply: cr_io_fini waits for them */
};

/* In a recording. */
static inline cr_moment cr_io_moment(const cr_io *io)
{
    return (cr_moment){.phase = io->sched->phase, .place = io->place};
}

/* Answers are recorded, or come from a recording. */
static inline bool cr_io_is_taped(const cr_io *io)
{
    return io->record.file != NULL || io->replay.file != NULL;
}

/* Whether something may come without any task's doing: answers, or what was put off. */
static inline bool cr_io_waits(const cr_io *io)
{
    return io->in_flight > 0 || io->delayed != NULL;
}

int cr_io_init(cr_io *io, cr_sched *sched, unsigned permits);
void cr_io_stop(cr_io *io); /* no thread answers any more */
void cr_io_fini(cr_io *io);

/* -- The leader's steps at a boundary, in this order -- */

void cr_io_begin(cr_io *io); /* what the last resume used is released */
void cr_io_collect(
    cr_io *io,
    cr_worker *leader); /* workers' lists and retries into the dispatchers' queues, sorted */
/* Queues into batches, as far as the limits allow. What there is no memory for is refused by the
 * leader; or, without one, stays. */
void cr_io_send(cr_io *io, corio_dispatcher **dispatchers, size_t dispatcher_count,
                cr_trace_buffer *trace, cr_worker *leader);
static inline void cr_io_dispatch(cr_io *io, cr_worker *leader)
{
    cr_io_send(io, io->dispatchers, io->dispatcher_count, leader->trace, leader);
}
void cr_io_take_replies(cr_io *io, cr_worker *leader);
/* In a replay: what has been put off goes out again, as it did when it was recorded. */
void cr_io_replay_retries(cr_io *io, cr_worker *leader);
bool cr_io_queued(const cr_io *io); /* something waits for its turn, or is to be retried now */
/* Requests of cancelled tasks and expired calls that have not been handed over are answered. */
void cr_io_withdraw(cr_io *io, cr_worker *leader);
/* There is something for cr_io_take_replies. */
static inline bool cr_io_replied(const cr_io *io)
{
    return io->answered != NULL || cr_load_ptr((void *const *)&io->replies) != NULL;
}
/* Something is to be resumed. */
static inline bool cr_io_ready(const cr_io *io)
{
    return io->ready_count > 0 || io->reused.count > 0;
}
/* All that is ready, in spawn order. */
size_t cr_io_resume_list(cr_io *io, cr_worker *leader, cr_entry **ret_parks);

/* -- Early dispatch (early.c) -- */

/* A CPU phase begins or ends: said by who begins the run and by the leader, if io->early. */
void cr_early_begin(cr_io *io);
void cr_early_end(cr_io *io);
/* In a CPU phase: hands over what is due, if nobody does. At home, or on no worker's thread; trace: the
 * thread's, NULL: none. */
void cr_early_hand_over(cr_io *io, cr_trace_buffer *trace);
void cr_early_add(cr_io *io, const corio_dispatcher *dispatcher);
/* By who exchanges: its early list to its queue, under early_lock; false: no memory. */
bool cr_early_queue(cr_io *io, corio_dispatcher *dispatcher);

/* -- Between the files of this folder -- */

bool cr_entries_reserve(cr_entries *entries, size_t more);
/* Moves all entries of `from` behind those of `to`; false: no memory, nothing is changed. */
bool cr_entries_move(cr_entries *to, cr_entries *from);
/* Answers request `request` for the leader: its call may become runnable. True if it did. */
bool cr_request_done(corio_request *request);
/* The stack to resume if the request of an entry, which is answered, was its call's last; else NULL. A
 * request of corio_io needs no look: its call has no other. */
static inline cr_park *cr_entry_done(const cr_entry *entry)
{
    corio_request *request = cr_entry_request(entry);
    if (CR_LIKELY(cr_entry_is_single(entry)))
        return &((cr_single *)((char *)request - offsetof(cr_single, request)))->call.park;
    cr_call *call = request->reserved_call;
    return cr_request_done(request) ? &call->park : NULL;
}
/* Answers requests for the leader, with an error, and those that follow them. It needs no memory. */
void cr_answer_all(cr_worker *leader, cr_entry *entries, size_t count, int error);
/* The request of an entry, not in flight, gives up. True if one that follows it is in the entry now,
 * and is to be asked in its place. */
bool cr_withdraw(cr_worker *leader, cr_entry *entry, int code);
/* What a request of the call is to be answered with instead of going out; 0: nothing. */
int cr_call_given_up(const cr_io *io, const cr_call *call);
/* A request that was put off as number `index` of the batch. false: no memory. */
bool cr_retry_later(cr_io *io, uint64_t due_ns, const cr_entry *entry, uint64_t batch,
                    uint64_t index);
void cr_retry_remove(cr_retry *retry); /* out of io->delayed, and freed */

/* All of a new storage, `count` entries. */
corio_batch *cr_batch_create(corio_dispatcher *dispatcher, cr_storage *storage, size_t count);
void cr_batch_retire(cr_io *io, corio_batch *batch);
/* Opens the batch for a new holder; returns the state, for cr_batch_returned. */
uint32_t cr_batch_hold(corio_batch *batch);
/* What a dispatch function or job returned. `held`: the state when the batch was given to it. */
void cr_batch_returned(corio_batch *batch, uint32_t held, int rc);
/* The same in the leader, which need not be told. */
void cr_batch_returned_to_leader(corio_batch *batch, uint32_t held, int rc);
/* Number of the first request at or after `i` that is the batch's own, and how many follow it
 * without a gap. */
size_t cr_batch_own(const corio_batch *batch, size_t i, size_t *ret_count);
void cr_storage_release(cr_io *io, cr_storage *storage);

/* In a simulation: instead of the I/O threads. */
void cr_sim_submit(cr_sim *sim, corio_batch *batch);
bool cr_sim_run_a_job(cr_sim *sim); /* any one; false: there is none */

/* The options whole, as this runtime takes them. Errors: -EINVAL they cannot be any, or not here;
 * -ENOTSUP not while requests are recorded or replayed. */
int cr_dispatcher_options(const cr_io *io, const corio_dispatcher_options *options,
                          corio_dispatcher_options *ret_options);
/* options: from cr_dispatcher_options. */
int cr_dispatcher_add(cr_io *io, const corio_dispatcher_options *options,
                      corio_dispatcher **ret_dispatcher);

int cr_log_open(cr_log *log, const char *path, const char *check);
int cr_log_close(cr_log *log); /* the first error of opening, writing or closing */
void cr_log_batch(cr_log *log, const corio_batch *batch);
/* Where this run parts from a recorded one, for a report: lines, or NULL for nothing. */
void cr_log_differ(cr_log *log, uint64_t number, const char *expected, const char *found);
/* Nothing of this run is missing; false: it has differed. */
bool cr_log_end_run(cr_log *log);

#endif
