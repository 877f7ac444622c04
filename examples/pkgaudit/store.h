/* SPDX-License-Identifier: MIT
 *
 * store.h - the package universe in a database, of whatever kind. What is in it:
 *
 *     package     id, name, version, architecture       one version of each name
 *     dependency  package, position, alternative -> target, relation, version
 *     candidate   name -> owner, version                what can meet a dependency on a name: the package of that name
 *                                                       (provided = 0), and those that provide it
 *                                                       (provided = 1)
 *     note        key, value                            where the data came from
 *
 * A kind of database is a file of its own (store_KIND.c) with a struct store_kind. Which of them are
 * built is the build's choice; the rest of the program does not know them apart.
 */
#ifndef PKGAUDIT_STORE_H
#define PKGAUDIT_STORE_H

#include "edges.h"
#include "failure.h"
#include "universe.h"

#include <corio.h>

struct cache;
struct ingest;
struct store_kind;

/* An open database; the first member of what the kind makes of it. */
struct store {
    const struct store_kind *kind;
    struct failure *failure; /* borrowed */
    char *where;             /* for messages and reports: no password is in it */
};

/* The question for a package's edges, as a dispatcher of one runtime: key is the package's id. The
 * first member of what the kind makes of it. */
struct question {
    const struct question_kind *kind;
    struct store *store;
    corio_dispatcher *dispatcher;
    struct cache *cache; /* what the program remembers of it; NULL: nothing, or the library does */
};

/* What one task asks with. Zero at first; its content is the question's. */
struct sheet {
    corio_request *requests;
    void *inputs;
    void *outputs;
    uint32_t room;
    uint32_t held; /* outputs that hold something */
};

struct question_figures {
    uint64_t requests; /* in batches */
    uint64_t unique;   /* keys left when those of a batch are counted once */
    uint64_t statements;
    uint64_t batches;
    uint64_t smallest_batch;
    uint64_t largest_batch;
};

struct question_kind {
    /* Called by a task: answers all of ids[0..count); the answers are valid until the sheet's next
     * use. Returns 0 or a negative code. Suspends. */
    int (*ask)(struct question *question, struct sheet *sheet, const uint32_t *ids, uint32_t count,
               struct edges *answers);
    /* Called by a task, of a question that was told to remember: what is known of ids[0..count),
     * without suspending; the answers are valid until the task suspends. */
    void (*recall)(struct question *question, const uint32_t *ids, uint32_t count,
                   struct edges *answers, bool *found);
    /* Releases what a sheet holds, and the sheet's memory. */
    void (*end_sheet)(struct sheet *sheet);
    void (*take_figures)(const struct question *question, struct question_figures *ret);
    /* After the runtime's end. */
    void (*destroy)(struct question *question);
};

/* A connection of a plain thread's own; the first member of what the kind makes of it. */
struct reader {
    struct store *store;
    uint64_t statements; /* asked */
};

struct store_kind {
    const char *name;     /* of --db */
    const char *where_is; /* --help's line: what --db-url takes */
    /* where: see where_is; NULL: the kind's default. readers: connections for reading, 0: the
     * library's default. Failures of all functions are noted in the store's failure. */
    int (*open)(const char *where, unsigned readers, struct failure *failure, struct store **ret);
    void (*close)(struct store *store);
    /* What the data is made from; 0: there is none, or it is not complete. */
    int (*fingerprint)(struct store *store, int64_t *ret);
    /* Replaces the data by those of the ingest's source. */
    int (*fill)(struct store *store, struct ingest *ingest, int64_t fingerprint);
    int (*load)(struct store *store, struct universe *ret);
    /* "a (>= 1) | b": dependency `position` of a package as text, given; NULL with the failure noted. */
    char *(*dependency_text)(struct store *store, uint32_t package, unsigned position);
    int (*question)(struct store *store, corio_runtime *runtime, bool remember,
                    struct question **ret);
    /* For comparison: each request is a query of its own. NULL: see singly.h. */
    int (*single)(struct store *store, corio_runtime *runtime, struct question **ret);
    int (*open_reader)(struct store *store, struct reader **ret);
    /* ret: given: its bytes lie on the heap. */
    int (*query)(struct reader *reader, uint32_t package, struct edges *ret);
    void (*close_reader)(struct reader *reader);
    /* What a code means, and what the database said last: one line, cut at bytes > 0. */
    const char *(*text_of)(int code);
    void (*message)(struct store *store, char *text, size_t bytes);
};

/* All kinds in this build, sqlite first; NULL ends them. */
extern const struct store_kind *const store_kinds[];
/* The file kind, which is in every build. */
extern const struct store_kind store_sqlite;
extern const struct store_kind store_postgres, store_redis; /* where they are built */
/* By name; NULL: not in this build. */
const struct store_kind *store_kind_find(const char *name);

/* Notes what a request to the database or the library came to; see failure_set. */
int store_failed(struct store *store, int code);

/* Before another try to reach a server: waits, longer with each. False: it has been tried for some
 * 15 s, or the program is to end. */
bool store_pause(unsigned tries);

/* A question's `recall`, of its cache. */
void question_recall(struct question *question, const uint32_t *ids, uint32_t count,
                     struct edges *answers, bool *found);

/* Makes room for `count` requests of these sizes. Returns 0 or -ENOMEM. */
int sheet_reserve(struct sheet *sheet, uint32_t count, size_t input_bytes, size_t output_bytes);
void sheet_free(struct sheet *sheet);

#endif
