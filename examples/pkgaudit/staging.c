/* SPDX-License-Identifier: MIT
 *
 * staging.c - the packages on their way into a database that is not SQLite.
 */
#include "staging.h"

#include "sqlite_tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 512 };

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int make_folder(char *folder, struct failure *failure)
{
    const char *parent = getenv("TMPDIR");
    snprintf(folder, PATH_BYTES, "%s/pkgaudit-XXXXXX", parent && parent[0] ? parent : "/tmp");
    if (mkdtemp(folder))
        return 0;
    return failure_set(failure, errno == ENOSPC ? EXIT_DISK_FULL : EXIT_OTHER,
                       "temporary folder %s: %s", folder, strerror(errno));
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"db", "db-wal", "db-shm"};
    char path[PATH_BYTES + 16];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

int staging_fill(struct store *store, struct ingest *ingest, int64_t fingerprint,
                 staging_import *import)
{
    char folder[PATH_BYTES];
    char path[PATH_BYTES + 16];
    int rc = make_folder(folder, store->failure);
    if (rc < 0)
        return rc;
    snprintf(path, sizeof path, "%s/db", folder);
    ingest->path = path;
    rc = sqlite_open_tables(path, 1, CORIO_SQLITE_SYNC_OFF, store->failure, &ingest->database);
    if (rc == 0)
        rc = ingest_run(ingest, fingerprint);
    double begin = seconds();
    if (rc == 0)
        rc = import(store, corio_sqlite_writer(ingest->database), fingerprint);
    ingest->wall_s += seconds() - begin;
    corio_sqlite_close(ingest->database);
    ingest->database = NULL;
    ingest->path = NULL;
    remove_folder(folder);
    return rc;
}

int staging_query(struct store *store, sqlite3 *from, const char *sql, sqlite3_stmt **ret)
{
    *ret = NULL;
    return staging_end(store, sqlite3_prepare_v2(from, sql, -1, ret, NULL));
}

int staging_end(struct store *store, int result)
{
    return result == SQLITE_OK ? 0
                               : failure_set(store->failure, EXIT_OTHER, "temporary database: %s",
                                             sqlite3_errstr(result));
}
