/* SPDX-License-Identifier: MIT
 *
 * internal.h - what the files of the PostgreSQL dispatchers share.
 *
 *     batch --dispatch--> plan --+-- share --+            +--> connection 0: share, share, ...
 *           (plan.c)             +-- share --+--> queue --+--> connection 1: share, ...
 *                                +-- share --+  (pool.c)  +--> ...
 *
 * A share is the part of a batch that goes through one connection: a slice of the batch, and the
 * entries (different questions) that it asks. Shares take turns in the queue of the database; the
 * I/O thread that has a connection works on until the queue is empty, so no I/O thread ever blocks
 * for its turn, and no more of them are in use than there are connections.
 *
 * Invariants: a connection is used by one thread at a time: whoever took it from the idle ones.
 * Dispatchers are added outside of runs only, so the list of statements does not change while
 * shares run. A handle that is not NULL is in pipeline mode with nothing outstanding between
 * shares: whoever leaves it otherwise drops it.
 *
 * Edges
 *   plan.end   a share's entries and its last look at the plan -> the last share, which ends it
 */
#ifndef CR_POSTGRES_INTERNAL_H
#define CR_POSTGRES_INTERNAL_H

#include <corio/batch.h>
#include <corio/postgres.h>

#include <pthread.h>
#include <stdatomic.h>

#define CR_POSTGRES_CONNECTIONS_MAX 64

/* -- Memory (memory.c) -- */

struct cr_postgres_chunk;

struct corio_postgres_memory {
    struct cr_postgres_chunk *chunks;
    char *at; /* free space of the newest block */
    char *end;
    atomic_uint holders; /* requests, and then tasks, that have the answer */
};

corio_postgres_memory *cr_postgres_memory_create(void);

/* -- Parameters (params.c) -- */

struct corio_postgres_params {
    unsigned statement; /* of the dispatcher */
    unsigned statement_count;
    int count; /* the highest that is set */
    const char *values[CORIO_POSTGRES_PARAMETERS];
    int lengths[CORIO_POSTGRES_PARAMETERS];
    int formats[CORIO_POSTGRES_PARAMETERS];
    char numbers[CORIO_POSTGRES_PARAMETERS][24]; /* text of _int64 */
    corio_postgres_memory *scratch;              /* NULL: none yet */
};

/* -- Connections (connection.c) and what is sent through them (pipeline.c) -- */

/* What a place in a pipeline is. */
enum cr_postgres_op_kind {
    CR_POSTGRES_REQUEST, /* item: of the share, for `send` */
    CR_POSTGRES_PREPARE, /* item: index of a statement of the database */
    CR_POSTGRES_BEGIN,   /* and further plain commands; see command_text */
    CR_POSTGRES_SAVE,
    CR_POSTGRES_RELEASE,
    CR_POSTGRES_UNDO, /* to the savepoint */
    CR_POSTGRES_COMMIT,
    CR_POSTGRES_ROLLBACK,
    CR_POSTGRES_TIMEOUT, /* sets statement_timeout */
    CR_POSTGRES_SYNC,
    CR_POSTGRES_FLUSH,   /* no result */
    CR_POSTGRES_NOTHING, /* was a request; was not sent */
};

struct cr_postgres_op {
    uint32_t kind;
    uint32_t item;
};

struct cr_postgres_connection {
    corio_postgres *database;
    PGconn *handle;  /* NULL: none yet, or lost */
    size_t prepared; /* statements of the database, from the first, that it knows */
    struct cr_postgres_op *ops;
    size_t op_count;
    size_t op_capacity;
};

/* What a pipeline's user sees of it. */
struct cr_postgres_user {
    /* Queues the request `item` of its own counting. Returns 0, 1 if there is nothing to send, or
     * a negative code, which ends the pipeline. */
    int (*send)(void *self, struct cr_postgres_connection *connection, uint32_t item);
    /* Takes what came for any op but a SYNC. result: given. */
    void (*take)(void *self, const struct cr_postgres_op *op, PGresult *result);
    void *self;
};

/* Appends an op to those of the next pipeline. -ENOMEM. */
int cr_postgres_op(struct cr_postgres_connection *connection, enum cr_postgres_op_kind kind,
                   uint32_t item);

/* Sends the ops and takes all results, both at the same time; then there are no ops. Returns 0 or
 * -ECONNRESET, -ETIMEDOUT, -ENOMEM: the connection is dropped then. */
int cr_postgres_pipeline(struct cr_postgres_connection *connection,
                         const struct cr_postgres_user *user, uint64_t deadline_ns);

uint64_t cr_postgres_now_ns(void);
/* When a share that begins now must be over. */
uint64_t cr_postgres_deadline_ns(const corio_postgres *database);
/* Waits until the socket can do one of `events` (of poll(2)). Returns what it can do, 0 if that is
 * to be found out again, or -ETIMEDOUT, -ECONNRESET. */
int cr_postgres_wait(const PGconn *handle, short events, uint64_t deadline_ns);

/* Makes the connection ready for use: connected, with all statements prepared.
 *
 * ret_refused: the code of the last statement that was refused, 0 for none; may be NULL. Returns 0
 * or -ECONNREFUSED, -ECONNRESET, -ETIMEDOUT, -EACCES, -ENOMEM, or what `opened` returned. */
int cr_postgres_ready(struct cr_postgres_connection *connection, uint64_t deadline_ns,
                      int *ret_refused);
void cr_postgres_drop(struct cr_postgres_connection *connection);

/* -- Dispatchers -- */

struct cr_postgres_statement {
    char name[32];
    char *sql;
    Oid type; /* of $1; 0: as the server finds */
};

struct cr_postgres_share;
struct cr_postgres_plan;

/* A dispatcher; corio_dispatcher_self points to it. */
struct cr_postgres_face {
    corio_postgres *database;
    struct cr_postgres_face *next;
    corio_postgres_request request; /* sql is not kept */
    size_t first_statement;         /* of the database's */
    unsigned statement_count;
    bool exec;
    /* Of queries. */
    unsigned group;
    corio_postgres_fold fold;
    unsigned key_column;
    const void *(*key)(void *self, const void *input, size_t *ret_bytes);
    /* Of execs. */
    bool all_or_nothing;
    bool idempotent;

    uint64_t (*hash)(void *self, const void *input);
    int (*save)(void *self, const void *output, corio_sink *sink);
    int (*restore)(void *self, corio_postgres_memory *memory, const void *bytes, size_t count,
                   void *output);
    atomic_uint lost_in_row; /* batches put off in a row */

    /* Under the database's lock. */
    corio_postgres_stats stats;
    struct cr_postgres_plan *spare; /* plans that nobody uses */
    bool writing; /* exec: a share is in the queue or at work; the others wait here */
    struct cr_postgres_share *first_turn;
    struct cr_postgres_share **last_turn;
};

/* entry.status; else 0 or a negative code */
enum { CR_POSTGRES_OPEN = 1 };

/* One question: a request, or with folding all requests with the same key. */
struct cr_postgres_entry {
    const void *input;
    void *output;
    int status;
    bool again; /* put it off, if it may be */
    bool full;  /* the row function wants no more */
    bool fixed; /* the status was found here and not by the server: it holds for further passes */
    /* With folding. */
    const void *key; /* borrowed from the first request that has it */
    size_t key_bytes;
    uint64_t hash;
    unsigned requests; /* that have it */
};

struct cr_postgres_share {
    struct cr_postgres_share *next; /* in a queue */
    struct cr_postgres_plan *plan;
    struct cr_postgres_connection *connection; /* while at work */
    corio_batch *batch;
    size_t first; /* requests of the plan */
    size_t count;
    struct cr_postgres_entry *entries;
    size_t entry_count;
    uint64_t statements; /* sent */
    uint64_t commits;
};

/* A batch on its way. */
struct cr_postgres_plan {
    struct cr_postgres_plan *next;
    struct cr_postgres_face *face;
    size_t requests;
    struct cr_postgres_entry *entries;
    size_t entry_count;
    uint32_t *of_request; /* with folding: each request's entry */
    uint32_t *slots;      /* with folding, open addressing: entry + 1, 0 is free */
    size_t slot_count;
    size_t capacity; /* requests that the arrays above have room for */
    char *outputs;   /* with folding: of the entries */
    size_t outputs_bytes;
    struct cr_postgres_share shares[CR_POSTGRES_CONNECTIONS_MAX];
    unsigned share_count;
    atomic_uint unfinished; /* shares */
    atomic_bool settled;    /* some entry has its final answer */
};

struct corio_postgres {
    corio_postgres_options options; /* all defaults filled in; conninfo is our own copy */
    struct cr_postgres_connection *connections;
    struct cr_postgres_statement *statements;
    size_t statement_count;
    unsigned next_name;

    pthread_mutex_t lock;
    struct cr_postgres_connection *idle[CR_POSTGRES_CONNECTIONS_MAX]; /* last in, first out */
    unsigned idle_count;
    struct cr_postgres_share *first_share; /* the queue */
    struct cr_postgres_share **last_share;
    struct cr_postgres_face *faces;
    uint64_t connects;
    uint64_t random;
    char message[512];
};

/* -- pool.c -- */

/* Starts a share now, or when its turn comes. */
void cr_postgres_start(struct cr_postgres_share *share);

/* -- error.c -- */

/* Keeps words for corio_postgres_message. */
void cr_postgres_say(corio_postgres *database, const char *words);
/* Keeps the words of an error result; returns its code. */
int cr_postgres_refused(corio_postgres *database, const PGresult *result);
/* The error may be gone at the next try. */
bool cr_postgres_transient(int code);

/* -- plan.c -- */

int cr_postgres_dispatch(void *self, corio_batch *batch);
struct cr_postgres_entry *cr_postgres_find_key(const struct cr_postgres_plan *plan, const void *key,
                                               size_t bytes);
/* Entries that have no answer yet get this one. */
void cr_postgres_settle(struct cr_postgres_share *share, int code, bool again);
/* The same for a connection that failed with `code`: another try may help, unless time is up. */
void cr_postgres_settle_lost(struct cr_postgres_share *share, int code, uint64_t deadline_ns);
/* Releases what an entry's output holds, and zeroes it. */
void cr_postgres_clear_output(const struct cr_postgres_face *face, struct cr_postgres_entry *entry);
/* All entries have an answer: answers the requests. */
void cr_postgres_end_share(struct cr_postgres_share *share);
void cr_postgres_plan_destroy(struct cr_postgres_plan *plan);

/* -- request.c: a request's way to the wire and its answer's way back -- */

int cr_postgres_send(struct cr_postgres_share *share, struct cr_postgres_entry *entry);
/* Queues the share's entries [first, first + count) as one array. */
int cr_postgres_send_keys(struct cr_postgres_share *share, size_t first, size_t count);
/* Takes a result into an entry. result: given. */
void cr_postgres_take(struct cr_postgres_share *share, struct cr_postgres_entry *entry,
                      PGresult *result);
void cr_postgres_take_row(struct cr_postgres_share *share, struct cr_postgres_entry *entry,
                          const PGresult *result, int row);
/* Gives an entry the error in `result`. */
void cr_postgres_tell_error(struct cr_postgres_share *share, struct cr_postgres_entry *entry,
                            const PGresult *result);

/* -- saved.c: for recordings -- */

corio_save_fn cr_postgres_save;
corio_restore_fn cr_postgres_restore;

/* -- query.c, exec.c: work on a share with a connection, until every entry has an answer -- */

void cr_postgres_query_share(struct cr_postgres_share *share);
void cr_postgres_exec_share(struct cr_postgres_share *share);

#endif
