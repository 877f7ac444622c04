/* SPDX-License-Identifier: MIT
 *
 * sqlite_tables.c - the package universe's tables in an SQLite file.
 */
#include "sqlite_tables.h"

#include "dependency.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { APPLICATION_ID = 0x706b6761, SCHEMA_VERSION = 1 };

/* Both orders follow from the primary keys: nothing is sorted. */
const char sqlite_edges_sql[] =
    "SELECT d.position, d.relation, d.version, c.owner_id, c.provided, c.version"
    " FROM dependency AS d LEFT JOIN candidate AS c ON c.name = d.target"
    " WHERE d.package = ?1 ORDER BY d.position, d.alternative, c.provided, c.owner, c.version";

static const char schema_sql[] =
    "PRAGMA application_id = 1886087009;"
    "PRAGMA user_version = 1;"
    "CREATE TABLE IF NOT EXISTS package("
    "  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, version TEXT NOT NULL, architecture TEXT "
    "NOT NULL);"
    "CREATE TABLE IF NOT EXISTS dependency("
    "  package INTEGER NOT NULL, position INTEGER NOT NULL, alternative INTEGER NOT NULL, target "
    "TEXT NOT NULL,"
    "  relation INTEGER NOT NULL, version TEXT NOT NULL, PRIMARY KEY(package, position, "
    "alternative)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS candidate("
    "  name TEXT NOT NULL, provided INTEGER NOT NULL, owner TEXT NOT NULL, version TEXT NOT NULL,"
    "  owner_id INTEGER NOT NULL, PRIMARY KEY(name, provided, owner, version)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS candidate_owner ON candidate(owner_id);"
    "CREATE TABLE IF NOT EXISTS note(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;";

/* -- Edges -- */

static struct text column(sqlite3_stmt *statement, int i)
{
    const void *at = sqlite3_column_blob(statement, i);
    return (struct text){at, (size_t)sqlite3_column_bytes(statement, i)};
}

struct edge sqlite_edge(sqlite3_stmt *statement)
{
    return (struct edge){
        .head = {.owner = (uint32_t)sqlite3_column_int64(statement, 3),
                 .position = (uint16_t)sqlite3_column_int(statement, 0),
                 .relation = (uint8_t)sqlite3_column_int(statement, 1),
                 .provided = (uint8_t)sqlite3_column_int(statement, 4)},
        .want = column(statement, 2),
        .have = column(statement, 5),
    };
}

/* -- Opening -- */

static int64_t pragma(sqlite3 *connection, const char *sql)
{
    int64_t value = -1;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

/* Runs statements without rows. A file size limit is a full disk to the user. */
static int run_sql(sqlite3 *connection, const char *sql)
{
    int rc = corio_sqlite_error(sqlite3_exec(connection, sql, NULL, NULL, NULL));
    int system = sqlite3_system_errno(connection);
    return rc == -EIO && (system == ENOSPC || system == EDQUOT || system == EFBIG) ? -ENOSPC : rc;
}

/* Refuses a database of another program, makes the tables in an empty one. Readers come after
 * the writer. */
static int prepare_tables(void *self, sqlite3 *connection)
{
    bool *foreign = self;
    if (pragma(connection, "PRAGMA query_only") == 1)
        return 0;
    int64_t tables = pragma(connection, "SELECT count(*) FROM sqlite_schema");
    int64_t application = pragma(connection, "PRAGMA application_id");
    if (tables < 0)
        return corio_sqlite_error(sqlite3_errcode(connection));
    *foreign = tables > 0 && (application != APPLICATION_ID ||
                              pragma(connection, "PRAGMA user_version") != SCHEMA_VERSION);
    if (*foreign)
        return -EUCLEAN;
    if (tables > 0)
        return 0;
    return run_sql(connection, schema_sql);
}

int sqlite_failed(struct failure *failure, int code, const corio_sqlite *database, const char *path)
{
    char words[200] = "";
    if (database)
        corio_sqlite_message(database, words, sizeof words);
    return failure_of_database(failure, code, corio_strerror(code), words, path);
}

int sqlite_open_tables(const char *path, unsigned readers, corio_sqlite_sync sync,
                       struct failure *failure, corio_sqlite **ret)
{
    bool foreign = false;
    const corio_sqlite_options options = {
        .size = sizeof options,
        .path = path,
        .readers = readers,
        .sync = sync,
        .opened = prepare_tables,
        .self = &foreign,
    };
    int rc = corio_sqlite_open(&options, ret);
    if (foreign)
        return failure_set(failure, EXIT_DATABASE,
                           "database %s: made by another program or version; left alone", path);
    if (rc == -EUCLEAN)
        return failure_set(failure, EXIT_DATABASE,
                           "database %s: damaged, or not an SQLite database", path);
    return rc < 0 ? sqlite_failed(failure, rc, NULL, path) : 0;
}

/* -- Notes -- */

int64_t sqlite_note(corio_sqlite *database, const char *key)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT value FROM note WHERE key = '%s'", key);
    int64_t value = pragma(corio_sqlite_writer(database), sql);
    return value < 0 ? 0 : value;
}

int sqlite_set_note(corio_sqlite *database, const char *key, int64_t value)
{
    char sql[160];
    snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO note VALUES('%s', %lld)", key,
             (long long)value);
    return run_sql(corio_sqlite_writer(database), sql);
}

int sqlite_clear(corio_sqlite *database)
{
    static const char sql[] =
        "BEGIN IMMEDIATE; DELETE FROM note; DELETE FROM dependency; DELETE FROM candidate;"
        "DELETE FROM package; COMMIT";
    int rc = run_sql(corio_sqlite_writer(database), sql);
    if (rc < 0)
        sqlite3_exec(corio_sqlite_writer(database), "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* -- Names -- */

int sqlite_load(sqlite3 *connection, struct universe *ret)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_exec(connection, "BEGIN", NULL, NULL, NULL);
    int64_t count = pragma(connection, "SELECT count(*) FROM package");
    int64_t largest = pragma(connection, "SELECT ifnull(max(id), 0) FROM package");
    int64_t bytes =
        pragma(connection, "SELECT ifnull(sum(length(CAST(name AS BLOB)) + 1), 0) FROM package");
    int result = sqlite3_prepare_v2(connection, "SELECT id, name FROM package ORDER BY name", -1,
                                    &statement, NULL);
    bool good = count >= 0 && largest >= 0 && bytes >= 0 && result == SQLITE_OK;
    int rc = good ? universe_init(ret, (uint32_t)count, (uint32_t)largest, (size_t)bytes)
                  : corio_sqlite_error(sqlite3_errcode(connection));
    while (rc == 0 && (result = sqlite3_step(statement)) == SQLITE_ROW)
        universe_add(ret, (uint32_t)sqlite3_column_int64(statement, 0),
                     (const char *)sqlite3_column_text(statement, 1),
                     (size_t)sqlite3_column_bytes(statement, 1));
    sqlite3_finalize(statement);
    sqlite3_exec(connection, "COMMIT", NULL, NULL, NULL);
    if (rc == 0 && (rc = corio_sqlite_error(result)) < 0)
        universe_fini(ret);
    return rc;
}

/* -- Texts -- */

char *sqlite_dependency_text(sqlite3 *connection, uint32_t package, unsigned position)
{
    static const char sql[] = "SELECT target, relation, version FROM dependency"
                              " WHERE package = ?1 AND position = ?2 ORDER BY alternative";
    sqlite3_stmt *statement = NULL;
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    if (!stream)
        return NULL;
    if (sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, package);
        sqlite3_bind_int64(statement, 2, position);
    }
    for (bool first = true; statement && sqlite3_step(statement) == SQLITE_ROW; first = false)
        dependency_print(stream, first, (const char *)sqlite3_column_text(statement, 0),
                         (enum relation)sqlite3_column_int(statement, 1),
                         (const char *)sqlite3_column_text(statement, 2));
    bool good = sqlite3_finalize(statement) == SQLITE_OK;
    if (fclose(stream) != 0 || !good || bytes == 0) {
        free(text);
        return NULL;
    }
    return text;
}
