/* SPDX-License-Identifier: MIT
 *
 * store.c - the package universe in SQLite.
 */
#include "store.h"

#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { APPLICATION_ID = 0x706b6761, SCHEMA_VERSION = 1 };

/* Both orders follow from the primary keys: nothing is sorted. */
const char store_edges_sql[] =
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

size_t store_edge_bytes(sqlite3_stmt *statement)
{
    size_t want = (size_t)sqlite3_column_bytes(statement, 2) + 1;
    size_t have = (size_t)sqlite3_column_bytes(statement, 5) + 1;
    return (sizeof(struct edge_head) + want + have + 3) & ~(size_t)3;
}

static size_t put_text(sqlite3_stmt *statement, int column, char *to)
{
    size_t bytes = (size_t)sqlite3_column_bytes(statement, column);
    if (bytes > 0)
        memcpy(to, sqlite3_column_blob(statement, column), bytes);
    to[bytes] = '\0';
    return bytes + 1;
}

void store_edge_write(sqlite3_stmt *statement, char *to, size_t bytes)
{
    struct edge_head head = {
        .owner = (uint32_t)sqlite3_column_int64(statement, 3),
        .position = (uint16_t)sqlite3_column_int(statement, 0),
        .relation = (uint8_t)sqlite3_column_int(statement, 1),
        .provided = (uint8_t)sqlite3_column_int(statement, 4),
    };
    memset(to + bytes - 4, 0, 4); /* the padding */
    char *at = to + sizeof head;
    head.want_bytes = (uint16_t)put_text(statement, 2, at);
    head.have_bytes = (uint16_t)put_text(statement, 5, at + head.want_bytes);
    memcpy(to, &head, sizeof head);
}

int store_edges_bind(void *self, sqlite3_stmt *statement, const void *input)
{
    (void)self;
    return corio_sqlite_error(sqlite3_bind_int64(statement, 1, *(const uint32_t *)input));
}

int store_edges_row(void *self, corio_sqlite_memory *memory, sqlite3_stmt *statement, void *output)
{
    (void)self;
    struct edges *edges = output;
    size_t bytes = store_edge_bytes(statement);
    char *grown =
        corio_sqlite_grow(memory, (void *)edges->bytes, edges->length, edges->length + bytes);
    if (!grown)
        return -ENOMEM;
    store_edge_write(statement, grown + edges->length, bytes);
    edges->bytes = (unsigned char *)grown;
    edges->length += (uint32_t)bytes;
    edges->rows++;
    return 0;
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

int store_open(const char *path, unsigned readers, struct failure *failure,
               corio_sqlite **ret_store)
{
    bool foreign = false;
    const corio_sqlite_options options = {
        .size = sizeof options,
        .path = path,
        .readers = readers,
        .sync = CORIO_SQLITE_SYNC_NORMAL,
        .opened = prepare_tables,
        .self = &foreign,
    };
    int rc = corio_sqlite_open(&options, ret_store);
    if (foreign)
        return failure_set(failure, EXIT_DATABASE,
                           "database %s: made by another program or version; left alone", path);
    if (rc == -EUCLEAN)
        return failure_set(failure, EXIT_DATABASE,
                           "database %s: damaged, or not an SQLite database", path);
    return rc < 0 ? failure_of_database(failure, rc, NULL, path) : 0;
}

/* -- Notes -- */

int64_t store_note(corio_sqlite *store, const char *key)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT value FROM note WHERE key = '%s'", key);
    int64_t value = pragma(corio_sqlite_writer(store), sql);
    return value < 0 ? 0 : value;
}

int store_set_note(corio_sqlite *store, const char *key, int64_t value)
{
    char sql[160];
    snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO note VALUES('%s', %lld)", key,
             (long long)value);
    return run_sql(corio_sqlite_writer(store), sql);
}

int store_clear(corio_sqlite *store)
{
    static const char sql[] =
        "BEGIN IMMEDIATE; DELETE FROM note; DELETE FROM dependency; DELETE FROM candidate;"
        "DELETE FROM package; COMMIT";
    int rc = run_sql(corio_sqlite_writer(store), sql);
    if (rc < 0)
        sqlite3_exec(corio_sqlite_writer(store), "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* -- Names -- */

static int reserve(sqlite3 *connection, struct universe *universe)
{
    int64_t count = pragma(connection, "SELECT count(*) FROM package");
    int64_t largest = pragma(connection, "SELECT ifnull(max(id), 0) FROM package");
    int64_t bytes =
        pragma(connection, "SELECT ifnull(sum(length(CAST(name AS BLOB)) + 1), 0) FROM package");
    if (count < 0 || largest < 0 || bytes < 0)
        return corio_sqlite_error(sqlite3_errcode(connection));
    universe->count = (uint32_t)count;
    universe->largest_id = (uint32_t)largest;
    universe->sorted = calloc((size_t)count + 1, sizeof *universe->sorted);
    universe->name = calloc((size_t)largest + 1, sizeof *universe->name);
    universe->hash = calloc((size_t)largest + 1, sizeof *universe->hash);
    universe->text = malloc((size_t)bytes + 1);
    return universe->sorted && universe->name && universe->hash && universe->text ? 0 : -ENOMEM;
}

static int load_names(sqlite3_stmt *statement, struct universe *universe)
{
    uint32_t count = 0;
    char *at = universe->text;
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW && count < universe->count) {
        uint32_t id = (uint32_t)sqlite3_column_int64(statement, 0);
        size_t bytes = (size_t)sqlite3_column_bytes(statement, 1);
        memcpy(at, sqlite3_column_text(statement, 1), bytes + 1);
        universe->sorted[count++] = id;
        universe->name[id] = at;
        universe->hash[id] = corio_hash_bytes(CORIO_HASH_BEGIN, at, bytes);
        at += bytes + 1;
    }
    return corio_sqlite_error(result);
}

int store_load(corio_sqlite *store, struct universe *ret)
{
    sqlite3 *connection = corio_sqlite_writer(store);
    struct universe universe = {0};
    sqlite3_stmt *statement = NULL;
    sqlite3_exec(connection, "BEGIN", NULL, NULL, NULL);
    int rc = reserve(connection, &universe);
    if (rc == 0)
        rc = corio_sqlite_error(sqlite3_prepare_v2(
            connection, "SELECT id, name FROM package ORDER BY name", -1, &statement, NULL));
    if (rc == 0)
        rc = load_names(statement, &universe);
    sqlite3_finalize(statement);
    sqlite3_exec(connection, "COMMIT", NULL, NULL, NULL);
    if (rc < 0)
        universe_fini(&universe);
    else
        *ret = universe;
    return rc;
}

void universe_fini(struct universe *universe)
{
    free(universe->sorted);
    free(universe->name);
    free(universe->hash);
    free(universe->text);
    *universe = (struct universe){0};
}

uint32_t universe_find(const struct universe *universe, const char *name, size_t length)
{
    uint32_t low = 0;
    uint32_t high = universe->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *at = universe->name[universe->sorted[middle]];
        int order = strncmp(at, name, length);
        if (order == 0 && at[length] == '\0')
            return universe->sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

/* -- Texts -- */

char *store_dependency_text(corio_sqlite *store, uint32_t package, unsigned position)
{
    static const char sql[] = "SELECT target, relation, version FROM dependency"
                              " WHERE package = ?1 AND position = ?2 ORDER BY alternative";
    sqlite3_stmt *statement = NULL;
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    if (!stream)
        return NULL;
    if (sqlite3_prepare_v2(corio_sqlite_writer(store), sql, -1, &statement, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, package);
        sqlite3_bind_int64(statement, 2, position);
    }
    for (bool first = true; statement && sqlite3_step(statement) == SQLITE_ROW; first = false) {
        enum relation relation = (enum relation)sqlite3_column_int(statement, 1);
        fprintf(stream, "%s%s", first ? "" : " | ",
                (const char *)sqlite3_column_text(statement, 0));
        if (relation != RELATION_ANY)
            fprintf(stream, " (%s %s)", relation_text(relation),
                    (const char *)sqlite3_column_text(statement, 2));
    }
    sqlite3_finalize(statement);
    fclose(stream);
    return text;
}
