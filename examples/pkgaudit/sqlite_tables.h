/* SPDX-License-Identifier: MIT
 *
 * sqlite_tables.h - the package universe in an SQLite file: the tables themselves. What is to go into
 * another kind of database is put together in such a file first; see staging.h.
 */
#ifndef PKGAUDIT_SQLITE_TABLES_H
#define PKGAUDIT_SQLITE_TABLES_H

#include "edges.h"
#include "failure.h"
#include "universe.h"

#include <corio/sqlite.h>

/* What is asked for each package: its dependencies in order, each with its candidates in order.
 * Key: the package's id. */
extern const char sqlite_edges_sql[];
/* The statement's present row; the texts are borrowed until its next step. */
struct edge sqlite_edge(sqlite3_stmt *statement);

/* Opens the database, makes its tables if need be. Failures are noted. */
int sqlite_open_tables(const char *path, unsigned readers, corio_sqlite_sync sync,
                       struct failure *failure, corio_sqlite **ret);
/* Notes what a request to it came to; `database` may be NULL. */
int sqlite_failed(struct failure *failure, int code, const corio_sqlite *database,
                  const char *path);

/* Notes: 0 if there is none of this key. */
int64_t sqlite_note(corio_sqlite *database, const char *key);
int sqlite_set_note(corio_sqlite *database, const char *key, int64_t value);
/* Forgets all packages and notes. Returns 0 or a negative code. */
int sqlite_clear(corio_sqlite *database);
/* All names. Returns 0 or a negative code. */
int sqlite_load(sqlite3 *connection, struct universe *ret);
/* "a (>= 1) | b" as text, given; NULL without memory. */
char *sqlite_dependency_text(sqlite3 *connection, uint32_t package, unsigned position);

#endif
