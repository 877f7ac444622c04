/* SPDX-License-Identifier: MIT
 *
 * staging.h - the packages on their way into a database that is not SQLite: ingest.h's rules are kept
 * in one place, a temporary SQLite file, and what came of them is copied in bulk.
 */
#ifndef PKGAUDIT_STAGING_H
#define PKGAUDIT_STAGING_H

#include "ingest.h"
#include "store.h"

/* Copies the tables to a store, replacing what it had; failures are noted. */
typedef int staging_import(struct store *store, sqlite3 *from, int64_t fingerprint);

/* A store's `fill`. */
int staging_fill(struct store *store, struct ingest *ingest, int64_t fingerprint,
                 staging_import *import);

/* A query of a staging database. A failure is noted. */
int staging_query(struct store *store, sqlite3 *from, const char *sql, sqlite3_stmt **ret);
/* What sqlite3_reset or sqlite3_finalize says at its end: rows that cannot be read are no last row. */
int staging_end(struct store *store, int result);

#endif
