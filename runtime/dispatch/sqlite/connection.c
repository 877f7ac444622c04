/* SPDX-License-Identifier: MIT
 *
 * connection.c - opening and closing a database, and the pool of readers.
 */
#include "internal.h"

#include "../options.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_READERS = 8,
    DEFAULT_BUSY_MS = 5000,
    DEFAULT_BUSY_RETRIES = 3,
    DEFAULT_MMAP_BYTES = 256 << 20,
};

static unsigned cpu_count(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : (unsigned)count;
}

static int fill_options(corio_sqlite_options *to, const corio_sqlite_options *from)
{
    if (!cr_options_take(to, sizeof *to, from, offsetof(corio_sqlite_options, offline)) ||
        !to->path || to->readers > CR_SQLITE_READERS_MAX || to->busy_timeout_ms > INT32_MAX ||
        (unsigned)to->sync > CORIO_SQLITE_SYNC_OFF)
        return -EINVAL;
    if (to->readers == 0) {
        unsigned cpus = cpu_count();
        to->readers = cpus < DEFAULT_READERS ? cpus : DEFAULT_READERS;
    }
    if (to->busy_timeout_ms == 0)
        to->busy_timeout_ms = DEFAULT_BUSY_MS;
    if (to->busy_retries == 0)
        to->busy_retries = DEFAULT_BUSY_RETRIES;
    if (to->mmap_bytes == 0)
        to->mmap_bytes = DEFAULT_MMAP_BYTES;
    to->path = strdup(to->path);
    return to->path ? 0 : -ENOMEM;
}

/* WAL first: what follows depends on the journal. A file that is no database is found out here. */
static int configure(corio_sqlite *database, struct cr_sqlite_connection *connection, bool writer)
{
    static const char *const sync_names[] = {"NORMAL", "FULL", "OFF"};
    char sql[256];
    if (writer)
        snprintf(sql, sizeof sql,
                 "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; PRAGMA cache_size=-65536",
                 sync_names[database->options.sync]);
    else
        snprintf(sql, sizeof sql,
                 "PRAGMA query_only=1; PRAGMA mmap_size=%zu; PRAGMA schema_version",
                 database->options.mmap_bytes);
    int result = sqlite3_exec(connection->handle, sql, NULL, NULL, NULL);
    if (result != SQLITE_OK)
        return cr_sqlite_failed(database, connection, result);
    return 0;
}

int cr_sqlite_prepare(corio_sqlite *database, struct cr_sqlite_connection *connection,
                      const char *sql, sqlite3_stmt **ret)
{
    int result =
        sqlite3_prepare_v3(connection->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
    if (result != SQLITE_OK)
        return cr_sqlite_failed(database, connection, result);
    return *ret ? 0 : -EINVAL;
}

/* If it failed by what SQLite told it, that is worth keeping. */
static int call_opened(corio_sqlite *database, struct cr_sqlite_connection *connection)
{
    int rc = database->options.opened(database->options.self, connection->handle);
    int last = sqlite3_extended_errcode(connection->handle);
    if (rc < 0 && rc == corio_sqlite_error(last))
        return cr_sqlite_failed(database, connection, last);
    return rc < 0 ? rc : 0;
}

int cr_sqlite_connect(corio_sqlite *database, bool writer, struct cr_sqlite_connection *ret)
{
    struct cr_sqlite_connection connection = {0};
    const corio_sqlite_options *options = &database->options;
    int flags =
        SQLITE_OPEN_NOMUTEX | (options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    if (writer)
        flags |= SQLITE_OPEN_CREATE;
    int rc = 0;
    int result = sqlite3_open_v2(options->path, &connection.handle, flags, NULL);
    if (result != SQLITE_OK)
        rc = cr_sqlite_failed(database, &connection, result);
    if (rc == 0) {
        sqlite3_extended_result_codes(connection.handle, 1);
        sqlite3_busy_timeout(connection.handle, (int)options->busy_timeout_ms);
        rc = configure(database, &connection, writer);
    }
    if (rc == 0)
        rc = cr_sqlite_prepare(database, &connection, writer ? "BEGIN IMMEDIATE" : "BEGIN",
                               &connection.begin);
    if (rc == 0)
        rc = cr_sqlite_prepare(database, &connection, "COMMIT", &connection.commit);
    if (rc == 0 && options->opened)
        rc = call_opened(database, &connection);
    if (rc < 0) {
        cr_sqlite_disconnect(&connection);
        return rc;
    }
    *ret = connection;
    return 0;
}

void cr_sqlite_disconnect(struct cr_sqlite_connection *connection)
{
    sqlite3_finalize(connection->begin);
    sqlite3_finalize(connection->commit);
    sqlite3_close_v2(connection->handle);
    memset(connection, 0, sizeof *connection);
}

static int connect_all(corio_sqlite *database)
{
    int rc = database->options.read_only ? 0 : cr_sqlite_connect(database, true, &database->writer);
    for (unsigned i = 0; rc == 0 && i < database->options.readers; i++) {
        rc = cr_sqlite_connect(database, false, &database->readers[i]);
        database->readers[i].number = i;
        if (rc == 0)
            database->idle[database->idle_count++] = &database->readers[i];
    }
    return rc;
}

int corio_sqlite_open(const corio_sqlite_options *options, corio_sqlite **ret_database)
{
    if (!ret_database)
        return -EINVAL;
    corio_sqlite *database = calloc(1, sizeof *database);
    if (!database)
        return -ENOMEM;
    int rc = fill_options(&database->options, options);
    if (rc < 0) {
        free(database);
        return rc;
    }
    pthread_mutex_init(&database->lock, NULL);
    pthread_cond_init(&database->reader_back, NULL);
    pthread_cond_init(&database->offered, NULL);
    database->last_turn = &database->first_turn;
    database->readers = calloc(database->options.readers, sizeof *database->readers);
    rc = database->readers ? 0 : -ENOMEM;
    if (rc == 0 && !database->options.offline)
        rc = connect_all(database);
    if (rc < 0) {
        corio_sqlite_close(database);
        return rc;
    }
    *ret_database = database;
    return 0;
}

void corio_sqlite_close(corio_sqlite *database)
{
    if (!database)
        return;
    cr_sqlite_end_helpers(database);
    while (database->faces) {
        struct cr_sqlite_face *face = database->faces;
        database->faces = face->next;
        face->destroy(face);
    }
    for (unsigned i = 0; database->readers && i < database->options.readers; i++)
        cr_sqlite_disconnect(&database->readers[i]);
    cr_sqlite_disconnect(&database->writer);
    pthread_cond_destroy(&database->reader_back);
    pthread_cond_destroy(&database->offered);
    pthread_mutex_destroy(&database->lock);
    free(database->readers);
    free((char *)database->options.path);
    free(database);
}

sqlite3 *corio_sqlite_writer(corio_sqlite *database)
{
    return database->writer.handle;
}

int cr_sqlite_finish(sqlite3_stmt *statement)
{
    while (sqlite3_step(statement) == SQLITE_ROW)
        ;
    return sqlite3_reset(statement);
}

int corio_sqlite_step(sqlite3_stmt *statement)
{
    return corio_sqlite_error(cr_sqlite_finish(statement));
}

/* Blocks while all readers are in use: they come back without needing anything from this thread. */
struct cr_sqlite_connection *cr_sqlite_take_reader(corio_sqlite *database)
{
    pthread_mutex_lock(&database->lock);
    while (database->idle_count == 0)
        pthread_cond_wait(&database->reader_back, &database->lock);
    struct cr_sqlite_connection *reader = database->idle[--database->idle_count];
    pthread_mutex_unlock(&database->lock);
    return reader;
}

void cr_sqlite_give_reader(corio_sqlite *database, struct cr_sqlite_connection *reader)
{
    pthread_mutex_lock(&database->lock);
    database->idle[database->idle_count++] = reader;
    pthread_cond_signal(&database->reader_back);
    pthread_mutex_unlock(&database->lock);
}

void cr_sqlite_add_face(corio_sqlite *database, struct cr_sqlite_face *face)
{
    face->database = database;
    face->stats.size = sizeof face->stats;
    pthread_mutex_lock(&database->lock);
    face->next = database->faces;
    database->faces = face;
    pthread_mutex_unlock(&database->lock);
}

void cr_sqlite_count_batch_locked(struct cr_sqlite_face *face, size_t n)
{
    corio_sqlite_stats *stats = &face->stats;
    if (stats->batches == 0 || n < stats->smallest_batch)
        stats->smallest_batch = n;
    if (n > stats->largest_batch)
        stats->largest_batch = n;
    stats->batches++;
    stats->requests += n;
}

int corio_sqlite_dispatcher_stats(const corio_dispatcher *dispatcher, corio_sqlite_stats *stats)
{
    if (!dispatcher || !stats || stats->size < sizeof *stats)
        return -EINVAL;
    struct cr_sqlite_face *face = corio_dispatcher_self(dispatcher);
    pthread_mutex_lock(&face->database->lock);
    *stats = face->stats;
    pthread_mutex_unlock(&face->database->lock);
    return 0;
}
