/* SPDX-License-Identifier: MIT
 *
 * internal.h - what the files of the SQLite dispatchers share.
 *
 *     corio_sqlite --+-- writer connection   one batch at a time, in order (exec.c)
 *                    +-- reader connections  taken and given back by shares of a batch (query.c)
 *                    +-- helpers             threads that read along (help.c)
 *                    +-- faces               the dispatchers, freed with the database
 *
 * Invariants: a connection is used by one thread at a time (SQLITE_OPEN_NOMUTEX relies on it):
 * readers by whoever took them from the pool, the writer by the batch whose turn it is. Dispatchers
 * are added outside of runs only, so their statements are prepared on every connection before any
 * share is read.
 */
#ifndef CR_SQLITE_INTERNAL_H
#define CR_SQLITE_INTERNAL_H

#include <corio/batch.h>
#include <corio/sqlite.h>

#include <pthread.h>
#include <stdatomic.h>

#define CR_SQLITE_READERS_MAX 64

struct plan;

/* A connection and the statements that every batch needs. */
struct cr_sqlite_connection {
    sqlite3 *handle;
    sqlite3_stmt *begin;
    sqlite3_stmt *commit;
    unsigned number; /* index among the readers */
};

/* The head of each dispatcher's state; corio_dispatcher_self points to it. */
struct cr_sqlite_face {
    corio_sqlite *database;
    struct cr_sqlite_face *next;
    void (*destroy)(struct cr_sqlite_face *face);
    corio_sqlite_stats stats; /* under the database's lock */
};

/* A batch that waits for the writer. */
struct cr_sqlite_turn {
    struct cr_sqlite_turn *next;
    struct cr_sqlite_face *face;
    corio_batch *batch;
    int each[]; /* how each request went */
};

struct corio_sqlite {
    corio_sqlite_options options; /* all defaults filled in; path is our own copy */
    struct cr_sqlite_connection writer;
    struct cr_sqlite_connection *readers;
    struct cr_sqlite_face *faces;

    pthread_mutex_t lock;
    pthread_cond_t reader_back;
    struct cr_sqlite_connection *idle[CR_SQLITE_READERS_MAX]; /* readers nobody uses */
    unsigned idle_count;
    atomic_uint_fast64_t
        changes;         /* commits of the writer, and changes by others that were noticed */
    struct plan *offers; /* plans that want helpers */
    pthread_cond_t offered;
    pthread_t helpers[CR_SQLITE_READERS_MAX];
    unsigned helper_count;
    bool closing;
    bool writing; /* some thread works on the writer and will look at the turns when it is done */
    struct cr_sqlite_turn *first_turn;
    struct cr_sqlite_turn **last_turn;
    char message[256]; /* SQLite's words for the last failure */
};

/* connection.c */
int cr_sqlite_connect(corio_sqlite *database, bool writer, struct cr_sqlite_connection *ret);
void cr_sqlite_disconnect(struct cr_sqlite_connection *connection);
int cr_sqlite_prepare(corio_sqlite *database, struct cr_sqlite_connection *connection,
                      const char *sql, sqlite3_stmt **ret);
struct cr_sqlite_connection *cr_sqlite_take_reader(corio_sqlite *database);
void cr_sqlite_give_reader(corio_sqlite *database, struct cr_sqlite_connection *reader);
void cr_sqlite_add_face(corio_sqlite *database, struct cr_sqlite_face *face);

/* Keeps SQLite's words for a failure on this connection; returns the negative code for `result`. */
int cr_sqlite_failed(corio_sqlite *database, struct cr_sqlite_connection *connection, int result);

/* Steps a statement without rows to its end and resets it; returns SQLite's own result code. */
int cr_sqlite_finish(sqlite3_stmt *statement);

/* Counts a batch of n requests. The caller holds the lock. */
void cr_sqlite_count_batch_locked(struct cr_sqlite_face *face, size_t n);

/* help.c */
void cr_sqlite_end_helpers(corio_sqlite *database);

/* memory.c: pieces that grow in chunks and are freed all at once. */
struct cr_sqlite_chunk;

struct corio_sqlite_memory {
    struct cr_sqlite_chunk *chunks;
    char *at; /* free space of the newest chunk */
    char *end;
    char *newest; /* the newest allocation: the one that can grow in place */
    size_t bytes; /* of all chunks */
};

void cr_sqlite_memory_fini(corio_sqlite_memory *memory);
/* Hands all chunks of `from` to `to`; `from` is empty then. */
void cr_sqlite_memory_move(corio_sqlite_memory *to, corio_sqlite_memory *from);

#endif
