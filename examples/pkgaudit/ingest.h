/* SPDX-License-Identifier: MIT
 *
 * ingest.h - fills the database from the stanzas of a source.
 *
 * Of several stanzas with one name the highest version is kept; of equal versions the one whose
 * architecture is first in byte order; of equal ones the first read. Stanzas for other
 * architectures than the audited one and "all" are left out.
 */
#ifndef PKGAUDIT_INGEST_H
#define PKGAUDIT_INGEST_H

#include "failure.h"
#include "source.h"

#include <corio/sqlite.h>

struct ingest {
    corio_sqlite *database;
    const char *path; /* of the database, for messages */
    struct source *source;
    const char *architecture;
    unsigned workers; /* 0: the library's default */
    struct failure *failure;
    /* Filled: */
    uint64_t stanzas;
    uint64_t batches;
    uint64_t largest_batch;
    double wall_s;
};

/* Empties the database and fills it. It has no mark "complete" until the last batch is
 * committed, so what an interrupted run leaves is filled anew by the next. Returns 0, or a
 * negative code with the failure noted. */
int ingest_run(struct ingest *ingest, int64_t fingerprint);

#endif
