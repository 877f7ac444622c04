/* SPDX-License-Identifier: MIT
 *
 * postgres_tables.h - the package universe's tables in PostgreSQL, in a schema of its own, and the
 * connection beside those of the dispatcher for what no task asks for.
 */
#ifndef PKGAUDIT_POSTGRES_TABLES_H
#define PKGAUDIT_POSTGRES_TABLES_H

#include "store.h"

#include <libpq-fe.h>
#include <sqlite3.h>

struct postgres_store {
    struct store store;
    char *conninfo;
    PGconn *side; /* one thread at a time: it is used outside of the audit */
    struct corio_postgres *database;
};

/* A package's edges: of $1 = id; of many, $1 = ids, with the id as the first column. */
extern const char postgres_edges_sql[];
extern const char postgres_edges_of_many_sql[];
/* All names in order, and a dependency's alternatives: of $1 = package, $2 = position. */
extern const char postgres_names_sql[];
extern const char postgres_alternatives_sql[];

/* libpq's words have line ends and tabs in them; this takes them out. */
void postgres_one_line(char *text);
/* Notes what a result says, or with NULL: why there is no connection. */
int postgres_failed(struct store *store, PGconn *connection, const PGresult *result);

/* Runs a statement on the side connection, text in and out; params: count texts. Connects again, for
 * some seconds, when the server went away. Returns a result with rows or without, or NULL with the
 * failure noted. */
PGresult *postgres_side(struct postgres_store *store, const char *sql, int count,
                        const char *const *params);

/* What the data is made from, 0 if there is none. Refuses a schema of another program. */
int postgres_fingerprint(struct postgres_store *store, int64_t *ret);
/* Replaces the schema by the tables of an SQLite database, in one transaction. */
int postgres_import(struct postgres_store *store, sqlite3 *from, int64_t fingerprint);

#endif
