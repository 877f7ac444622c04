/* SPDX-License-Identifier: MIT
 *
 * sqlite.h - dispatchers for SQLite: a library of its own, libcorio-sqlite.
 *
 * A corio_sqlite is one database file with several reader connections and one writer. Two kinds of
 * dispatchers use it:
 *
 *   query   one SELECT for each request. Requests of a batch with the same key are asked once; the
 *           keys are shared out among the reader connections, one of them used by the dispatching
 *           thread, the others by threads of the corio_sqlite, made when they are first needed.
 *           Each reader asks in one read transaction, so it sees one state of the database; two
 *           readers may see two. The batch is answered as a whole.
 *   exec    one or more statements for each request. A batch is one transaction on the writer, and
 *           batches of a dispatcher that come while the writer works share the next one; they are
 *           committed in the order in which they were handed over.
 *
 * Durability: the writer uses WAL (with CORIO_SQLITE_SYNC_NORMAL by default). A committed batch
 * survives a crash of the process in every mode; a power failure may undo the last commits unless
 * CORIO_SQLITE_SYNC_FULL is set, and with CORIO_SQLITE_SYNC_OFF it may damage the file.
 *
 * Errors: requests get negated errno values: -EBUSY locked by another process beyond
 * busy_timeout_ms and busy_retries; -ENOSPC disk full, or max_page_count; -EUCLEAN damaged, or not
 * a database; -EEXIST a constraint; -EIO; -ENOMEM; -EROFS read only; -EACCES no permission; -ENOENT
 * cannot be opened; -E2BIG a limit of SQLite; -EINTR interrupted; -EINVAL anything else (the SQL, a
 * bind, a type). corio_sqlite_message tells SQLite's own words.
 */
#ifndef CORIO_SQLITE_H
#define CORIO_SQLITE_H

#include <corio/io.h>

#include <sqlite3.h>

CORIO_BEGIN_DECLS

typedef struct corio_sqlite corio_sqlite;
typedef struct corio_sqlite_memory corio_sqlite_memory;

/* How hard a commit is pressed on the disk (PRAGMA synchronous); see above. */
typedef enum corio_sqlite_sync {
    CORIO_SQLITE_SYNC_NORMAL = 0,
    CORIO_SQLITE_SYNC_FULL = 1,
    CORIO_SQLITE_SYNC_OFF = 2,
} corio_sqlite_sync;

/* Options of a database. Set `size` to sizeof(corio_sqlite_options) and leave the rest zero for
 * the defaults. */
typedef struct corio_sqlite_options {
    size_t size;
    const char *path;         /* file name, copied; made if it does not exist, unless read_only */
    unsigned readers;         /* reader connections, 1 to 64; 0: one per CPU, at most 8 */
    unsigned busy_timeout_ms; /* how long one try waits for another process's lock; 0: 5,000 */
    /* Tries of a batch after the first that found it locked; 0: 3. A dispatcher that writes counts
     * its tries in a row, of whatever batch: a batch that comes late to a lock has fewer. */
    unsigned busy_retries;
    size_t mmap_bytes; /* most bytes of the file that are mapped for reading; 0: 256 MiB */
    corio_sqlite_sync sync;
    bool read_only; /* no writer: corio_sqlite_add_exec gives -EROFS */
    /* Called for each connection, the writer first, to add functions or collations or to make
     * tables. A negative result ends the opening. NULL: none. */
    int (*opened)(void *self, sqlite3 *connection);
    void *self; /* first argument of opened; borrowed until corio_sqlite_close */
    /* No file is opened: for runtimes that replay (corio_runtime_replaying). There is no writer then,
     * SQL is not looked at, and other runtimes get -ENOTCONN from corio_sqlite_add_query and _exec. */
    bool offline;
} corio_sqlite_options;

/* corio_sqlite_open: opens a database.
 *
 * options: borrowed for the call; ret_database: given; release it with corio_sqlite_close.
 * Suspends: never. Thread: any. Errors: as above; -EINVAL an option is out of range. */
CORIO_API int corio_sqlite_open(const corio_sqlite_options *options,
                                corio_sqlite **ret_database) CORIO_MUST_CHECK;

/* corio_sqlite_close: closes the connections and releases all answers. NULL is ignored.
 *
 * database: taken; runtimes that have one of its dispatchers must have been destroyed before.
 * Suspends: never. Thread: any. */
CORIO_API void corio_sqlite_close(corio_sqlite *database);

/* corio_sqlite_error: the negative code, as listed above, for a result code of SQLite; 0 for
 * SQLITE_OK, SQLITE_ROW and SQLITE_DONE. Suspends: never. Thread: any. */
CORIO_API int corio_sqlite_error(int result);

/* corio_sqlite_message: what SQLite said about the last failure of this database, "" if there was
 * none.
 *
 * text: gets at most `bytes` bytes, always terminated if bytes > 0. Returns the length of the
 * whole text. Suspends: never. Thread: any. */
CORIO_API size_t corio_sqlite_message(const corio_sqlite *database, char *text, size_t bytes);

/* corio_sqlite_writer: the writer connection, for set-up outside of runs; NULL if read_only or offline.
 * Borrowed. Thread: any, while no run is going on. */
CORIO_API sqlite3 *corio_sqlite_writer(corio_sqlite *database);

/* corio_sqlite_alloc: memory for an answer of variable size, to be pointed to from the output;
 * aligned to 8. corio_sqlite_grow: makes the allocation `old` of old_bytes (NULL: none yet) larger,
 * keeping its content; it moves only now and then if it is the newest one.
 *
 * Answers of equal requests point to the same memory, so it is read only for the tasks. It is
 * valid until the asking task next suspends (in any function that says it may): copy what is
 * needed for longer. Returns NULL if there is no memory. Suspends: never. Thread: the row
 * function that was given `memory`. */
CORIO_API void *corio_sqlite_alloc(corio_sqlite_memory *memory, size_t bytes);
CORIO_API void *corio_sqlite_grow(corio_sqlite_memory *memory, void *old, size_t old_bytes,
                                  size_t bytes);

/* A query dispatcher. Set `size`, `sql`, the sizes, `bind` and `row`; the rest may be zero. */
typedef struct corio_sqlite_query {
    size_t size;         /* sizeof(corio_sqlite_query) */
    const char *name;    /* copied; for logs and reports; NULL: "sqlite" */
    const char *sql;     /* one statement that only reads; copied */
    size_t input_bytes;  /* of a request's input */
    size_t output_bytes; /* of a request's output: it is zeroed before the first row */
    /* Binds a request's input to the statement. Text and blobs of the input may be bound with
     * SQLITE_STATIC. Returns 0 or a negative code, which the request gets. Thread: the
     * dispatching one and the corio_sqlite's own; several at a time, each with a connection. */
    int (*bind)(void *self, sqlite3_stmt *statement, const void *input);
    /* Takes one row into the output. It is called once per row, and only for one of several
     * equal requests: the output is then copied bytewise to the others. Returns 0 to go on, 1 to
     * leave the rows that follow, or a negative code, which the request gets. Thread: as bind. */
    int (*row)(void *self, corio_sqlite_memory *memory, sqlite3_stmt *statement, void *output);
    /* Tells which requests are equal: those whose keys are. Returns the key, borrowed from the
     * input, and its length. NULL: the whole input (wrong where an input holds pointers or
     * padding). Thread: the dispatching one, and those of tasks that call corio_sqlite_recall. */
    const void *(*key)(void *self, const void *input, size_t *ret_bytes);
    void *self; /* first argument of the three; borrowed until the runtime's end */
    /* For comparisons: every request by itself, equal ones too, one after the other on one
     * connection, without a read transaction around them. */
    bool singly;
    /* Keep answers for later batches and for corio_sqlite_recall, in up to about this much memory;
     * 0, singly, or in a runtime that records or replays: keep none. They are dropped when another connection has changed the database
     * (PRAGMA data_version, looked up before and after each batch). */
    size_t remember_bytes;
    size_t max_batch;     /* see corio_dispatcher_options */
    size_t max_in_flight; /* see corio_dispatcher_options */
    /* For corio_options.record and replay, where the output points to `memory`: `save` writes what
     * `restore` makes the output of, which is zero before; with memory as for `row`. Both return 0 or
     * a negative code, as corio_save_fn and corio_restore_fn. NULL: the output's bytes; a row function
     * that has taken memory then ends the recording with -ENOTSUP. */
    int (*save)(void *self, const void *output, corio_sink *sink);
    int (*restore)(void *self, corio_sqlite_memory *memory, const void *bytes, size_t count,
                   void *output);
} corio_sqlite_query;

/* corio_sqlite_add_query: adds a query dispatcher to a runtime that is not running.
 *
 * query: borrowed for the call; ret_dispatcher: borrowed, lives as long as the runtime.
 * Suspends: never. Thread: any, outside of runs.
 * Errors: -EINVAL bad argument, or SQL that does not prepare or writes; -ENOTCONN the database is
 * offline; as corio_dispatcher_add. */
CORIO_API int corio_sqlite_add_query(corio_sqlite *database, corio_runtime *runtime,
                                     const corio_sqlite_query *query,
                                     corio_dispatcher **ret_dispatcher) CORIO_MUST_CHECK;

/* corio_sqlite_recall: answers a request from what the dispatcher remembers, without suspending.
 * corio_sqlite_recall_many: the same for `count` of them, for less than one by one costs.
 * For tasks that ask much that others have asked before: what is there costs a look into a table,
 * and only the rest is worth a batch.
 *
 *     if (corio_sqlite_recall(edges, &key, &answer) != 0)
 *         rc = corio_io(edges, &key, &answer);
 *
 * What it finds is as fresh as the dispatcher's last batch, and so at least as fresh as the last
 * answer that this task got from it; a change of the database by another process since that batch
 * is not noticed before the next one. After a commit of an exec dispatcher of the same corio_sqlite
 * nothing is found until the query dispatcher's next batch. In a phase everything is found that
 * batches of earlier phases have read (with CORIO_WAIT_STRICT: that, and nothing else).
 *
 * input, output: as for corio_io; what the output points to is valid until the task next suspends.
 * inputs, outputs: arrays of them; found: gets for each whether it is answered. Returns 0 if it is
 * answered (many: how many are). Suspends: never. Thread: a task of the dispatcher's runtime.
 * Errors: -ENOENT it is not remembered; -EINVAL not a query dispatcher, or nothing to look for. */
CORIO_API int corio_sqlite_recall(corio_dispatcher *dispatcher, const void *input, void *output);
CORIO_API int corio_sqlite_recall_many(corio_dispatcher *dispatcher, const void *inputs,
                                       void *outputs, size_t count, bool *found);

/* Most statements of an exec dispatcher. */
#define CORIO_SQLITE_STATEMENTS 8

/* An exec dispatcher. Set `size`, `sql`, `input_bytes`, and one of `bind` and `execute`; the
 * rest may be zero. */
typedef struct corio_sqlite_exec {
    size_t size;                              /* sizeof(corio_sqlite_exec) */
    const char *name;                         /* copied; NULL: "sqlite" */
    const char *sql[CORIO_SQLITE_STATEMENTS]; /* copied; the first NULL ends them */
    size_t input_bytes;                       /* of a request's input */
    size_t output_bytes; /* of a request's output: zeroed before `execute` is called */
    /* The plain form: binds the input to the first statement, which is then run to its end.
     * Returns 0 or a negative code, which the request gets. Thread: an I/O thread. */
    int (*bind)(void *self, sqlite3_stmt *statement, const void *input);
    /* The free form: steps any of the statements, any number of times (corio_sqlite_step), and
     * fills the output. All it changes is undone if it returns a negative code. Thread: an I/O
     * thread. */
    int (*execute)(void *self, sqlite3_stmt *const *statements, const void *input, void *output);
    uint64_t (*hash)(
        void *self,
        const void *input); /* see corio_dispatcher_options; NULL: of the input's bytes */
    void *self;             /* first argument of the three; borrowed until the runtime's end */
    /* One failed request undoes its whole batch; the others get -ECANCELED. Such batches have a
     * transaction each. */
    bool all_or_nothing;
    size_t max_batch;     /* see corio_dispatcher_options: most requests in a transaction */
    size_t max_in_flight; /* see corio_dispatcher_options */
} corio_sqlite_exec;

/* corio_sqlite_add_exec: adds an exec dispatcher to a runtime that is not running.
 *
 * A request that fails does not change the database; the others of its batch are committed,
 * unless all_or_nothing is set. If the transaction itself fails (disk full, an I/O error, the
 * commit), it is rolled back and all its requests get that error; but if several batches shared it,
 * each gets one of its own first. exec: borrowed for the call;
 * ret_dispatcher: borrowed, lives as long as the runtime. Suspends: never. Thread: any, outside
 * of runs. Errors: -EINVAL bad argument, or SQL that does not prepare; -EROFS the database is
 * read_only; -ENOTCONN it is offline; as corio_dispatcher_add. A recording has the output's bytes. */
CORIO_API int corio_sqlite_add_exec(corio_sqlite *database, corio_runtime *runtime,
                                    const corio_sqlite_exec *exec,
                                    corio_dispatcher **ret_dispatcher) CORIO_MUST_CHECK;

/* corio_sqlite_step: steps a statement that gives no rows to its end and resets it, ready for the
 * next bind.
 *
 * Returns 0 or a negative code. Suspends: never. Thread: where the statement is used. */
CORIO_API int corio_sqlite_step(sqlite3_stmt *statement);

/* Figures of one dispatcher, since it was added. */
typedef struct corio_sqlite_stats {
    size_t size;       /* set by the caller to sizeof(corio_sqlite_stats) */
    uint64_t batches;  /* batches handed over */
    uint64_t requests; /* requests in them */
    uint64_t unique; /* keys left when those of a batch are counted once (exec, singly: requests) */
    uint64_t remembered;   /* of these, answered from memory */
    uint64_t statements;   /* of these, asked of the database (exec: requests executed) */
    uint64_t transactions; /* read or write transactions, at most */
    uint64_t busy;         /* batches put off because the database was locked */
    uint64_t largest_batch;
    uint64_t smallest_batch;
} corio_sqlite_stats;

/* corio_sqlite_dispatcher_stats: fills *stats, whose size field the caller has set.
 *
 * dispatcher: one that corio_sqlite_add_query or corio_sqlite_add_exec gave.
 * Suspends: never. Thread: any. Errors: -EINVAL a bad pointer or size. */
CORIO_API int corio_sqlite_dispatcher_stats(const corio_dispatcher *dispatcher,
                                            corio_sqlite_stats *stats);

CORIO_END_DECLS

#endif
