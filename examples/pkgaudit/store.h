/* SPDX-License-Identifier: MIT
 *
 * store.h - the package universe in SQLite.
 *
 *     package     id, name, version, architecture       one version of each name
 *     dependency  package, position, alternative -> target, relation, version
 *     candidate   name -> owner, version                what can meet a dependency on a name: the package of that name
 *                                                       (provided = 0), and those that provide it
 *                                                       (provided = 1)
 *     note        key, value                            where the data came from
 */
#ifndef PKGAUDIT_STORE_H
#define PKGAUDIT_STORE_H

#include "failure.h"
#include "version.h"

/* What is asked for each package: its dependencies in order, each with its candidates in order.
 * Key: the package's id. */
extern const char store_edges_sql[];

/* The answer: records one after the other, each a head, the demanded and the offered version
 * (both with their end mark), padded to 4 bytes. */
struct edges {
    const unsigned char *bytes;
    uint32_t length;
    uint32_t rows;
};

struct edge_head {
    uint32_t owner; /* the candidate's id; 0: there is no candidate */
    uint16_t position;
    uint8_t relation; /* enum relation */
    uint8_t provided;
    uint16_t want_bytes; /* of the versions, with their end marks */
    uint16_t have_bytes;
};

/* Bytes of the record for the statement's present row; writes it. */
size_t store_edge_bytes(sqlite3_stmt *statement);
void store_edge_write(sqlite3_stmt *statement, char *to, size_t bytes);

/* The same as callbacks of a query dispatcher: input uint32_t, output struct edges. */
int store_edges_bind(void *self, sqlite3_stmt *statement, const void *input);
int store_edges_row(void *self, corio_sqlite_memory *memory, sqlite3_stmt *statement, void *output);

/* All names, sorted bytewise, and the ids that go with them. */
struct universe {
    uint32_t count;
    uint32_t largest_id;
    uint32_t *sorted;  /* ids in order of their names */
    const char **name; /* by id; NULL where there is none */
    uint64_t *hash;    /* of the name, by id */
    char *text;
};

/* Opens the database, makes its tables if need be. Failures are noted. */
int store_open(const char *path, unsigned readers, struct failure *failure,
               corio_sqlite **ret_store);

/* Notes: 0 if there is none of this key. */
int64_t store_note(corio_sqlite *store, const char *key);
int store_set_note(corio_sqlite *store, const char *key, int64_t value);

/* Forgets all packages and the note "complete". Returns 0 or a negative code. */
int store_clear(corio_sqlite *store);

int store_load(corio_sqlite *store, struct universe *ret);
void universe_fini(struct universe *universe);
/* The id of a name, 0 if there is none. */
uint32_t universe_find(const struct universe *universe, const char *name, size_t length);

/* "a (>= 1) | b": dependency `position` of a package as text, given; NULL without memory. */
char *store_dependency_text(corio_sqlite *store, uint32_t package, unsigned position);

#endif
