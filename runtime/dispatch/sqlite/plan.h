/* SPDX-License-Identifier: MIT
 *
 * plan.h - the state of query dispatchers.
 *
 * A plan is one batch on its way:
 *
 *     requests   0 1 2 3 4 5 6 7      of_request: each request's entry
 *                 \ | \|/  |  \|
 *     entries      a   b   c   d      one for each different key; recalled ones have their answer already
 *                  |       |   |
 *     asked        a       c   d      the entries that the database is asked for, claimed a few at a time
 *
 *     shares       0 (the dispatching thread's), 1 ... (those of helpers that joined): each claims and reads entries;
 *                  the last one to end answers and completes the batch
 *
 * Life: an answer's memory must be there until the task that has it suspends again. Dispatch
 * functions are called when no task runs, so at a call for a later phase all tasks resumed before
 * the previous phase's end have suspended again. Generations count the phases in which this
 * dispatcher is called and no call of a task has some of its answers and waits for others
 * (corio_batch_partial_calls). A plan that was complete in generation g has its tasks resumed at the
 * end of g's or, if it came late, of the next generation's phase: its memory is reused from g + 2
 * on.
 */
#ifndef CR_SQLITE_PLAN_H
#define CR_SQLITE_PLAN_H

#include "internal.h"

#include <stdatomic.h>

struct query;

/* One answer, in one piece: the output, and behind it the key (if it is to be remembered). It is
 * what requests are answered from, now and later: nothing is copied to remember it. */
struct answer {
    uint64_t hash;
    size_t key_bytes;
    char output[]; /* aligned to 16 */
};

struct entry {
    const void *key; /* borrowed from the first request that has it */
    size_t key_bytes;
    uint64_t hash;
    const void *input;
    struct answer *answer; /* filled if status is 0 */
    int status;
};

struct share {
    corio_sqlite_memory memory; /* what this share's reader took in */
};

struct plan {
    struct plan *next;
    struct query *query;
    corio_batch *batch;
    size_t requests;
    uint32_t *of_request;
    struct entry *entries;
    size_t entry_count;
    uint32_t *asked;
    size_t asked_count;
    uint32_t *slots; /* open addressing: entry + 1, 0 is free */
    size_t slot_count;
    size_t capacity; /* requests that the arrays above have room for */
    struct share shares[CR_SQLITE_READERS_MAX];
    unsigned share_count; /* under the database's lock while the plan is offered, as the next two */
    unsigned wanted;      /* helpers that may still join */
    struct plan *next_offer; /* valid if any is wanted */

    atomic_size_t claimed;    /* entries of `asked` taken by shares */
    atomic_uint unfinished;   /* shares that still read */
    atomic_bool busy;         /* an entry found the database locked */
    unsigned tries;           /* batches put off in a row before this one */
    uint64_t data_version;    /* seen before it began */
    bool done;                /* under the database's lock: complete, and nobody uses it */
    uint64_t done_generation; /* valid if done */
};

/* Answers kept for later, by hash: open addressing. Slots are filled while others look into them,
 * and never changed; a larger table takes the place of a full one. */
struct slot {
    uint64_t hash; /* valid if there is an answer */
    _Atomic(struct answer *) answer;
};

struct table {
    struct table *next; /* of those replaced */
    size_t slot_count;
    struct slot slots[];
};

struct recall {
    pthread_mutex_t lock;          /* for all but looking up */
    _Atomic(struct table *) table; /* NULL: nothing is remembered */
    struct table *replaced;        /* tasks may look into them until the next dispatch */
    size_t count;
    corio_sqlite_memory memory;  /* answers and what they point to */
    corio_sqlite_memory retired; /* dropped, but tasks may still look at it */
    uint64_t retired_generation; /* no plan was in flight at this one; 0: not seen yet */
    uint64_t data_version;
    uint64_t changes;                  /* the database's count when data_version was asked for */
    struct cr_sqlite_connection watch; /* asks for the data version */
    sqlite3_stmt *ask_version;
};

struct query {
    struct cr_sqlite_face face;
    corio_sqlite_query options; /* name and sql are not kept */
    sqlite3_stmt **statements;  /* one per reader */
    struct plan *plans;         /* all that are not spare, newest first */
    struct plan *spare;
    uint64_t generation;
    uint64_t last_phase;
    struct recall recall;
    atomic_uint busy_in_row; /* batches put off in a row */
    atomic_bool points;      /* a row function has taken memory: relaxed, read between phases */
    corio_sqlite_memory restored; /* in a replay: of answers that tasks may look at */
    uint64_t restored_at;         /* corio_batch_resumes then */
};

/* plan.c */
int cr_sqlite_plan_reserve(struct plan *plan, size_t requests);
/* Sorts the batch's requests into entries, and these into recalled and asked ones. */
int cr_sqlite_plan_fill(struct plan *plan, corio_batch *batch);
void cr_sqlite_plan_clear(struct plan *plan);
void cr_sqlite_plan_destroy(struct plan *plan);

/* saved.c: for recordings. */
corio_save_fn cr_sqlite_save;
corio_restore_fn cr_sqlite_restore;

/* query.c */
void cr_sqlite_query_destroy(struct cr_sqlite_face *face);
/* A helper's part of a plan that it has joined. */
void cr_sqlite_read_along(struct plan *plan, struct share *share);

/* help.c: lets that many helpers join the plan until it is withdrawn. */
void cr_sqlite_offer(struct plan *plan, unsigned helpers);
void cr_sqlite_withdraw(struct plan *plan);

/* recall.c */
int cr_sqlite_recall_init(struct query *query);
void cr_sqlite_recall_fini(struct query *query);
/* Drops everything if the database has changed or the memory is used up. in_flight: plans not
 * done. */
void cr_sqlite_recall_check(struct query *query, size_t in_flight);
struct entry cr_sqlite_entry(const struct query *query, const void *input);
struct answer *cr_sqlite_recall_find(const struct query *query, const struct entry *entry);
/* Takes over the answers of a plan that is read, and the memory behind them. */
void cr_sqlite_recall_keep(struct query *query, struct plan *plan);
/* Room for the answer to an entry, its output zero. NULL: no memory. */
struct answer *cr_sqlite_answer_create(const struct query *query, corio_sqlite_memory *memory,
                                       const struct entry *entry);

#endif
