/* SPDX-License-Identifier: MIT
 *
 * postgres.h - dispatchers for PostgreSQL: a library of its own, libcorio-postgres.
 *
 * A corio_postgres is one database with a few connections in pipeline mode (libpq 14 or later). Two
 * kinds of dispatchers use it:
 *
 *   query   reads. A batch is cut over the connections; each sends its share in one pipeline and
 *           takes in all results. Equal keys can be folded into one array query.
 *   exec    writes. A batch is one transaction on one connection; its requests are answered after
 *           COMMIT only. Batches of a dispatcher are committed in the order in which they were
 *           handed over, those that are tried again excepted.
 *
 * What happens when the connection is lost: a query is asked again by itself, so it must be a
 * statement that may be repeated. A transaction that had not come to its COMMIT is run again too. If
 * it was lost while committing, nobody knows how that went: its requests get
 * CORIO_POSTGRES_EUNKNOWN, or are run again if the dispatcher is declared `idempotent`. Requests
 * are put off with a growing delay (50 ms, doubled each time up to 5 s, less a random part of up to
 * half of it) and at most `retries` times in a row; then they get the error. So a restart of the
 * server loses nothing that was acknowledged, and shows as a pause.
 *
 * Shares of a batch are complete on their own: with CORIO_WAIT_STRICT batches are the same whatever
 * the timing, as long as nothing is put off; see corio_wait_mode.
 *
 * Durability is the server's: with synchronous_commit = off it acknowledges what a crash may undo.
 *
 * Errors: requests get negated errno values: -ECONNREFUSED no connection can be made; -ECONNRESET
 * it was lost; -ETIMEDOUT statement_timeout_ms or batch_timeout_ms is over; -EAGAIN a deadlock or a
 * serialization failure (after as many tries); -EEXIST a constraint; -EDOM, -ERANGE a value that
 * does not fit (SQLSTATE class 22); -EBUSY a lock not available; -EACCES no permission; -EROFS;
 * -ENOSPC; -ENOMEM; -EIO; -EUCLEAN damaged data; -E2BIG a limit of the server; -EINVAL anything
 * else (the SQL, a parameter, an exception raised in SQL).
 */
#ifndef CORIO_POSTGRES_H
#define CORIO_POSTGRES_H

#include <corio/io.h>

#include <libpq-fe.h>

CORIO_BEGIN_DECLS

typedef struct corio_postgres corio_postgres;
typedef struct corio_postgres_memory corio_postgres_memory;
typedef struct corio_postgres_params corio_postgres_params;

/* The connection was lost while the transaction was being committed: it may be committed or not. */
#define CORIO_POSTGRES_EUNKNOWN (-4353)

/* Options of a database. Set `size` to sizeof(corio_postgres_options) and leave the rest zero for
 * the defaults. */
typedef struct corio_postgres_options {
    size_t size;
    const char *conninfo; /* "host=... dbname=..." or a URI, as for PQconnectdb; copied; NULL: "" */
    unsigned connections; /* at most, 1 to 64; made when needed; 0: one per CPU, at most 8 */
    unsigned connect_timeout_ms;   /* of one attempt; 0: 5,000 */
    unsigned statement_timeout_ms; /* the server ends a statement after this time; 0: never */
    /* A connection that has not finished its share of a batch after this time is closed, and the
     * requests without a result get -ETIMEDOUT; the server may work on until it notices, or until
     * statement_timeout_ms. The time begins when the share gets its connection;
     * to make that counts. 0: 30,000. */
    unsigned batch_timeout_ms;
    unsigned retries; /* times in a row that a batch is put off; 0: 10 (some 20 s); see above */
    /* Called for each new connection, to set what is to hold for the session. It is not in pipeline
     * mode yet: PQexec may be used. A negative result ends the attempt. NULL: none. Thread: an I/O
     * thread, or the one that opens the database. */
    int (*opened)(void *self, PGconn *connection);
    void *self; /* first argument of opened; borrowed until corio_postgres_close */
    /* If opening fails, libpq's or the server's words are written here, at most message_bytes
     * bytes. NULL: nowhere. */
    char *message;
    size_t message_bytes;
    /* No connection is made: for runtimes that replay (corio_runtime_replaying). SQL is not looked at
     * then, and other runtimes get -ENOTCONN from corio_postgres_add_query and _exec. */
    bool offline;
} corio_postgres_options;

/* corio_postgres_open: opens a database, with one connection at first.
 *
 * options: borrowed for the call; ret_database: given; release it with corio_postgres_close.
 * Suspends: never (it blocks the thread). Thread: any. Errors: -EINVAL an option is out of range or
 * the conninfo string is malformed; -EACCES a password is needed or wrong; -ECONNREFUSED,
 * -ETIMEDOUT no connection; -ENOMEM; what `opened` returned. */
CORIO_API int corio_postgres_open(const corio_postgres_options *options,
                                  corio_postgres **ret_database) CORIO_MUST_CHECK;

/* corio_postgres_close: closes the connections and releases all answers. NULL is ignored.
 *
 * database: taken; runtimes that have one of its dispatchers must have been destroyed before.
 * Suspends: never. Thread: any. */
CORIO_API void corio_postgres_close(corio_postgres *database);

/* corio_postgres_error: the negative code, as listed above, for an SQLSTATE of five characters; 0
 * for NULL. Suspends: never. Thread: any. */
CORIO_API int corio_postgres_error(const char *sqlstate);

/* corio_postgres_strerror: the text for CORIO_POSTGRES_EUNKNOWN, else corio_strerror's. Suspends:
 * never. Thread: any. */
CORIO_API const char *corio_postgres_strerror(int code);

/* corio_postgres_message: the words of the last failure of this database, "" if there was none.
 *
 * text: gets at most `bytes` bytes, always terminated if bytes > 0. Returns the length of the whole
 * text. Suspends: never. Thread: any. */
CORIO_API size_t corio_postgres_message(corio_postgres *database, char *text, size_t bytes);

/* Most parameters that a request can set. */
#define CORIO_POSTGRES_PARAMETERS 32

/* corio_postgres_use: chooses the statement of a request, by its index in `sql`; the first
 * otherwise.
 *
 * corio_postgres_bind_text, _bytes, _int64, _null: set parameter $n, n from 1 on. _text: in the
 * server's text form, terminated. _bytes: in its binary form (of text and bytea: the bytes
 * themselves). _int64: as a number in text form, for parameters of any type that takes one.
 * Parameters left out below the highest one set are NULL.
 *
 * text, data: borrowed until the bind function has returned; what needs making can be put into
 * corio_postgres_scratch, which is valid as long (NULL: no memory).
 *
 * Suspends: never. Thread: the bind function that was given `params`. Errors: -EINVAL n is out of
 * range, text or data is NULL, or more than 1 GiB; corio_postgres_use: no such statement. */
CORIO_API int corio_postgres_use(corio_postgres_params *params, unsigned statement);
CORIO_API int corio_postgres_bind_text(corio_postgres_params *params, unsigned n, const char *text);
CORIO_API int corio_postgres_bind_bytes(corio_postgres_params *params, unsigned n, const void *data,
                                        size_t bytes);
CORIO_API int corio_postgres_bind_int64(corio_postgres_params *params, unsigned n, int64_t value);
CORIO_API int corio_postgres_bind_null(corio_postgres_params *params, unsigned n);
CORIO_API void *corio_postgres_scratch(corio_postgres_params *params, size_t bytes);

/* corio_postgres_int64: a value of type smallint, integer or bigint, in text or binary form; 0 if it
 * is NULL or of another type (numbers in text form are read whatever their type). Suspends: never.
 * Thread: the result's holder. */
CORIO_API int64_t corio_postgres_int64(const PGresult *result, int row, int column);

/* corio_postgres_alloc: memory for an answer of variable size, to be pointed to from the output;
 * aligned to 8. It belongs to `memory`.
 *
 * Returns NULL if there is no memory, or `memory` is NULL. Suspends: never. Thread: the row or failed
 * function that was given `memory`. */
CORIO_API void *corio_postgres_alloc(corio_postgres_memory *memory, size_t bytes);

/* corio_postgres_free: releases an answer's memory. NULL is ignored.
 *
 * memory: taken. With folding several tasks have the same memory, so what is in it is read only; it
 * goes when the last of them has released it. Suspends: never. Thread: any. */
CORIO_API void corio_postgres_free(corio_postgres_memory *memory);

/* Most statements of a dispatcher. */
#define CORIO_POSTGRES_STATEMENTS 8

/* How a request is asked, and its answer taken; of both kinds of dispatchers. The functions are
 * called in I/O threads, several at a time for different connections.
 *
 * What the output is:
 *
 *   row                 output_bytes of any kind, filled by the row function.
 *   row, with_memory    begins with a `corio_postgres_memory *`: the functions may take pieces of it
 *                       with corio_postgres_alloc. It is given to the task, which releases it with
 *                       corio_postgres_free, after an error, too. NULL if there was no row.
 *   no row              a `PGresult *`: the whole result. It is given to the task, which releases it
 *                       with PQclear. A request that the server refused has its error there; after
 *                       any other error it is NULL.
 *
 * Set a pointer to NULL before asking: a request that was not even handed over leaves it alone. */
typedef struct corio_postgres_request {
    const char *sql[CORIO_POSTGRES_STATEMENTS]; /* copied; the first NULL ends them */
    size_t input_bytes;                         /* of a request's input */
    size_t output_bytes;                        /* of a request's output */
    bool binary;                                /* results in binary form */
    bool with_memory;                           /* see above */
    /* Sets a request's parameters. Returns 0 or a negative code, which the request gets; nothing is
     * sent then. It may be called again for the same request. NULL: no parameters. */
    int (*bind)(void *self, corio_postgres_params *params, const void *input);
    /* Takes one row into the output, which was zeroed before the first. memory: NULL unless
     * with_memory is set. Returns 0 to go on, 1 to leave the rows that follow, or a negative code,
     * which the request gets (of an exec dispatcher: its changes are undone then). */
    int (*row)(void *self, corio_postgres_memory *memory, const PGresult *result, int row,
               void *output);
    /* Told of a request that the server refused: the words are in `error` (PQresultErrorMessage,
     * PQresultErrorField). What it puts into the zeroed output reaches the task together with the
     * code. NULL: none. */
    void (*failed)(void *self, corio_postgres_memory *memory, const PGresult *error, void *output);
    void *self; /* first argument of all functions; borrowed until the runtime's end */
} corio_postgres_request;

/* What kind of key is folded. */
typedef enum corio_postgres_fold {
    CORIO_POSTGRES_FOLD_NONE = 0,
    CORIO_POSTGRES_FOLD_INT64 = 1, /* $1 is bigint[]; a key is an int64_t */
    CORIO_POSTGRES_FOLD_TEXT = 2,  /* $1 is text[]; a key is text of any length */
} corio_postgres_fold;

/* A query dispatcher. Set `size`, `request.sql` and the sizes; the rest may be zero.
 *
 * Its statements must only read, or be such that asking again does no harm: they are asked again
 * after a lost connection, and after a neighbour's error. Each is a transaction of its own or shares
 * one with its neighbours in the pipeline; they see a state of the database each.
 *
 * Errors and their cost: after a refused statement the server skips what follows in the pipeline up
 * to the next sync point. There is one after every `group` requests; those skipped are asked a
 * second time, each with a sync point of its own. So a pipeline without errors pays for few sync
 * points, and one with any number of errors at most two statements per request and two round trips.
 *
 * Folding: the one statement has one parameter, an array, and gives rows that name their key:
 *
 *     SELECT key, price FROM item WHERE key = ANY($1)
 *
 * Each key of a batch is asked once, whatever the number of requests that have it; the keys are cut
 * over the connections, one array each. A row goes to all requests with its key, which column
 * key_column must give back unchanged: a row whose key was not asked for fails the whole array with
 * -EBADMSG. A request whose key gets no row has a zeroed output and status 0. If the server refuses
 * an array because of a value in it (SQLSTATE classes 21, 22, 38, 39, P0), its halves are asked, and
 * so on until the bad key is alone: about 2 log2(keys) further statements for one bad key. Other
 * errors are those of all keys of the array. */
typedef struct corio_postgres_query {
    size_t size;      /* sizeof(corio_postgres_query) */
    const char *name; /* copied; for logs and reports; NULL: "postgres" */
    corio_postgres_request request;
    unsigned group; /* requests between sync points, 1 to 65,536; 0: 64 */
    corio_postgres_fold fold;
    unsigned key_column; /* of the rows, from 0 on */
    /* With folding: a request's key, borrowed from the input, and its length. It is used instead of
     * `request.bind`. NULL: the whole input. Thread: the dispatching one. */
    const void *(*key)(void *self, const void *input, size_t *ret_bytes);
    /* See corio_dispatcher_options; NULL: of the key if there is a key function, else of the
     * input's bytes. */
    uint64_t (*hash)(void *self, const void *input);
    size_t max_batch;     /* see corio_dispatcher_options */
    size_t max_in_flight; /* see corio_dispatcher_options */
    /* For corio_options.record and replay, with_memory: `save` writes what `restore` makes the output
     * of, which is zero but for its memory. Both return 0 or a negative code, as corio_save_fn and
     * corio_restore_fn. NULL: such a dispatcher cannot be recorded; others need none. */
    int (*save)(void *self, const void *output, corio_sink *sink);
    int (*restore)(void *self, corio_postgres_memory *memory, const void *bytes, size_t count,
                   void *output);
} corio_postgres_query;

/* corio_postgres_add_query: adds a query dispatcher to a runtime that is not running. Its statements
 * are prepared here on one connection, on the others when they are first used.
 *
 * query: borrowed for the call; ret_dispatcher: borrowed, lives as long as the runtime. Suspends:
 * never. Thread: any, outside of runs of all runtimes that use the database. Errors: -EINVAL bad
 * argument, or SQL that does not prepare (corio_postgres_message); -EBUSY a run uses the database;
 * -ENOTCONN it is offline; as corio_postgres_open and corio_dispatcher_add.
 *
 * In a replay a PGresult has status, columns and values; of a refused request, its status only; what
 * PQcmdStatus and PQcmdTuples tell is not recorded. */
CORIO_API int corio_postgres_add_query(corio_postgres *database, corio_runtime *runtime,
                                       const corio_postgres_query *query,
                                       corio_dispatcher **ret_dispatcher) CORIO_MUST_CHECK;

/* An exec dispatcher. Set `size`, `request.sql` and the sizes; the rest may be zero.
 *
 * Its statements must not begin or end transactions themselves.
 *
 * A batch costs two round trips: BEGIN and all statements; then, if none failed, COMMIT. If one
 * failed and all_or_nothing is not set, the transaction is rolled back and all is run again with a
 * savepoint after each request, in one pipeline: about four statements per request instead of one,
 * for batches with a failed request only. A statement that ran twice counts once; what is outside of
 * transactions in the server (sequences) notices. */
typedef struct corio_postgres_exec {
    size_t size;      /* sizeof(corio_postgres_exec) */
    const char *name; /* copied; for logs and reports; NULL: "postgres" */
    corio_postgres_request request;
    bool all_or_nothing; /* one failed request undoes its whole batch; the others get -ECANCELED */
    bool idempotent;     /* to run a request that is committed already does no harm */
    uint64_t (*hash)(void *self, const void *input); /* see corio_dispatcher_options; NULL: of the
                                                        input's bytes */
    size_t max_batch;     /* see corio_dispatcher_options: most requests in a transaction */
    size_t max_in_flight; /* see corio_dispatcher_options */
    /* As those of corio_postgres_query. */
    int (*save)(void *self, const void *output, corio_sink *sink);
    int (*restore)(void *self, corio_postgres_memory *memory, const void *bytes, size_t count,
                   void *output);
} corio_postgres_exec;

/* corio_postgres_add_exec: adds an exec dispatcher to a runtime that is not running.
 *
 * A request that fails does not change the database; the others of its batch are committed, unless
 * all_or_nothing is set. If the transaction itself fails (a deferred constraint, a full disk), all
 * its requests get that error. For the rest see corio_postgres_add_query. */
CORIO_API int corio_postgres_add_exec(corio_postgres *database, corio_runtime *runtime,
                                      const corio_postgres_exec *exec,
                                      corio_dispatcher **ret_dispatcher) CORIO_MUST_CHECK;

/* Figures of one dispatcher, since it was added. */
typedef struct corio_postgres_stats {
    size_t size;         /* set by the caller to sizeof(corio_postgres_stats) */
    uint64_t batches;    /* batches handed over */
    uint64_t requests;   /* requests in them */
    uint64_t unique;     /* with folding: keys left when those of a batch are counted once */
    uint64_t statements; /* statements sent for requests, repeated ones counted again */
    uint64_t commits;    /* exec: transactions committed */
    uint64_t put_off;    /* requests put off: lost connection, deadlock, serialization failure */
    uint64_t largest_batch;
    uint64_t smallest_batch;
    uint64_t connects; /* connections made by the database, for all its dispatchers */
} corio_postgres_stats;

/* corio_postgres_dispatcher_stats: fills *stats, whose size field the caller has set.
 *
 * dispatcher: one that corio_postgres_add_query or corio_postgres_add_exec gave. Suspends: never.
 * Thread: any. Errors: -EINVAL a bad pointer or size. */
CORIO_API int corio_postgres_dispatcher_stats(const corio_dispatcher *dispatcher,
                                              corio_postgres_stats *stats);

CORIO_END_DECLS

#endif
