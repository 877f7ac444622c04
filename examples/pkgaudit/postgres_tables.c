/* SPDX-License-Identifier: MIT
 *
 * postgres_tables.c - the package universe's tables in PostgreSQL.
 *
 * The schema is dropped and made anew in one transaction, so others see the old data or the new. Its
 * comment is our mark: another program's schema of this name is left alone. If the server goes away
 * meanwhile, all is done once more: nothing was committed, or the same.
 */
#include "postgres_tables.h"

#include "staging.h"

#include <corio/postgres.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SCHEMA "corio_pkgaudit"
#define MARK   "pkgaudit 1"

enum {
    COPY_BYTES = 65536,
    IMPORTS = 3,
    LOCK = 0x706b6761, /* of the advisory lock: one import at a time */
};

#define EDGES                                                                                      \
    "d.position, d.relation, d.version, coalesce(c.owner_id, 0), coalesce(c.provided, 0),"         \
    " coalesce(c.version, '') "
#define CANDIDATES " LEFT JOIN " SCHEMA ".candidate AS c ON c.name = d.target "
#define ORDER      "d.position, d.alternative, c.provided, c.owner, c.version"

const char postgres_edges_sql[] = "SELECT " EDGES "FROM " SCHEMA ".dependency AS d" CANDIDATES
                                  "WHERE d.package = $1 ORDER BY " ORDER;

const char postgres_edges_of_many_sql[] =
    "SELECT d.package, " EDGES "FROM unnest($1) AS asked(package)"
    " JOIN " SCHEMA ".dependency AS d ON d.package = asked.package" CANDIDATES
    "ORDER BY d.package, " ORDER;

const char postgres_names_sql[] = "SELECT id, name FROM " SCHEMA ".package ORDER BY name";

const char postgres_alternatives_sql[] =
    "SELECT target, relation, version FROM " SCHEMA ".dependency"
    " WHERE package = $1 AND position = $2 ORDER BY alternative";

/* Byte order, whatever the database's collation is. */
static const char schema_sql[] =
    "CREATE SCHEMA " SCHEMA ";"
    "COMMENT ON SCHEMA " SCHEMA " IS '" MARK "';"
    "CREATE TABLE " SCHEMA ".package(id integer, name text COLLATE \"C\" NOT NULL,"
    "  version text NOT NULL, architecture text NOT NULL);"
    "CREATE TABLE " SCHEMA ".dependency(package integer, position smallint,"
    "  alternative smallint, target text COLLATE \"C\" NOT NULL, relation smallint NOT NULL,"
    "  version text NOT NULL);"
    "CREATE TABLE " SCHEMA ".candidate(name text COLLATE \"C\", provided smallint,"
    "  owner text COLLATE \"C\", version text COLLATE \"C\", owner_id integer NOT NULL);"
    "CREATE TABLE " SCHEMA ".note(key text PRIMARY KEY, value bigint NOT NULL)";

/* Sorted in one go, when the rows are there. What is asked for lies in the indexes themselves. */
static const char keys_sql[] =
    "ALTER TABLE " SCHEMA ".package ADD PRIMARY KEY(id);"
    "ALTER TABLE " SCHEMA ".dependency ADD PRIMARY KEY(package, position, alternative)"
    "  INCLUDE(target, relation, version);"
    "ALTER TABLE " SCHEMA ".candidate ADD PRIMARY KEY(name, provided, owner, version)"
    "  INCLUDE(owner_id);"
    "ANALYZE " SCHEMA ".package; ANALYZE " SCHEMA ".dependency; ANALYZE " SCHEMA ".candidate";

/* -- The side connection -- */

void postgres_one_line(char *text)
{
    for (char *at = text; *at; at++)
        if (*at == '\n' || *at == '\t')
            *at = at[1] ? ' ' : '\0';
}

int postgres_failed(struct store *store, PGconn *connection, const PGresult *result)
{
    char words[300];
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    int code = sqlstate ? corio_postgres_error(sqlstate) : result ? -ECONNRESET : -ECONNREFUSED;
    snprintf(words, sizeof words, "%s",
             sqlstate ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)
                      : PQerrorMessage(connection));
    postgres_one_line(words);
    return failure_of_database(store->failure, code, corio_postgres_strerror(code), words,
                               store->where);
}

/* Waits, and connects anew. False: see store_pause. */
static bool wait_for_server(struct postgres_store *store, unsigned tries)
{
    if (!store_pause(tries))
        return false;
    PQreset(store->side);
    return true;
}

/* The connection is gone: libpq may find out a little later than the statement fails. */
static bool is_lost(const struct postgres_store *store, const PGresult *result)
{
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    bool failed = result && PQresultStatus(result) == PGRES_FATAL_ERROR;
    return PQstatus(store->side) != CONNECTION_OK ||
           (failed && (!sqlstate || strncmp(sqlstate, "57P0", 4) == 0)); /* is shut down */
}

static bool is_good(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

PGresult *postgres_side(struct postgres_store *store, const char *sql, int count,
                        const char *const *params)
{
    for (unsigned tries = 0;; tries++) {
        PGresult *result = PQexecParams(store->side, sql, count, NULL, params, NULL, NULL, 0);
        if (is_good(result))
            return result;
        if (!is_lost(store, result) || !wait_for_server(store, tries)) {
            postgres_failed(&store->store, store->side, result);
            PQclear(result);
            return NULL;
        }
        PQclear(result);
    }
}

/* -- Fingerprint -- */

/* Returns 1 if our schema is there, 0 if there is none, or a negative code. */
static int find_schema(struct postgres_store *store)
{
    static const char sql[] = "SELECT coalesce(obj_description(oid, 'pg_namespace'), '')"
                              " FROM pg_namespace WHERE nspname = '" SCHEMA "'";
    PGresult *result = postgres_side(store, sql, 0, NULL);
    if (!result)
        return -ECANCELED;
    int rows = PQntuples(result);
    bool ours = rows > 0 && strcmp(PQgetvalue(result, 0, 0), MARK) == 0;
    PQclear(result);
    if (rows > 0 && !ours)
        return failure_set(store->store.failure, EXIT_DATABASE,
                           "database %s: the schema " SCHEMA
                           " was made by another program or version; left alone",
                           store->store.where);
    return rows > 0;
}

int postgres_fingerprint(struct postgres_store *store, int64_t *ret)
{
    static const char sql[] = "SELECT value FROM " SCHEMA ".note WHERE key = 'fingerprint'";
    int found = find_schema(store);
    *ret = 0;
    if (found <= 0)
        return found;
    PGresult *result = postgres_side(store, sql, 0, NULL);
    if (!result)
        return -ECANCELED;
    if (PQntuples(result) > 0)
        *ret = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return 0;
}

/* -- Import -- */

struct copy {
    struct postgres_store *store;
    char bytes[COPY_BYTES];
    size_t length;
    bool lost;
};

static void flush_copy(struct copy *copy)
{
    if (copy->length > 0 && !copy->lost)
        copy->lost = PQputCopyData(copy->store->side, copy->bytes, (int)copy->length) != 1;
    copy->length = 0;
}

static void put_byte(struct copy *copy, char byte)
{
    if (copy->length == sizeof copy->bytes)
        flush_copy(copy);
    copy->bytes[copy->length++] = byte;
}

/* A value in COPY's text form. */
static void put_value(struct copy *copy, const char *value)
{
    static const char special[] = "\\\n\r\t";
    static const char letters[] = "\\nrt";
    for (; *value; value++) {
        const char *found = strchr(special, *value);
        if (found)
            put_byte(copy, '\\');
        put_byte(copy, found ? letters[found - special] : *value);
    }
}

static void put_row(struct copy *copy, sqlite3_stmt *row)
{
    int columns = sqlite3_column_count(row);
    for (int i = 0; i < columns; i++) {
        const unsigned char *value = sqlite3_column_text(row, i);
        put_value(copy, value ? (const char *)value : "");
        put_byte(copy, i + 1 < columns ? '\t' : '\n');
    }
}

/* Plain statements. Returns 0 or -EAGAIN if the server went away, or another code with the failure
 * noted. */
static int run_sql(struct postgres_store *store, const char *sql)
{
    PGresult *result = PQexec(store->side, sql);
    int rc = is_good(result)          ? 0
             : is_lost(store, result) ? -EAGAIN
                                      : postgres_failed(&store->store, store->side, result);
    PQclear(result);
    return rc;
}

/* The COPY's own result, then none. */
static int end_copy(struct copy *copy)
{
    struct postgres_store *store = copy->store;
    flush_copy(copy);
    if (!copy->lost)
        copy->lost = PQputCopyEnd(store->side, NULL) != 1;
    int rc = copy->lost ? -EAGAIN : 0;
    for (PGresult *result; (result = PQgetResult(store->side)); PQclear(result))
        if (rc == 0 && !is_good(result))
            rc = is_lost(store, result) ? -EAGAIN
                                        : postgres_failed(&store->store, store->side, result);
    return rc;
}

static int copy_table(struct postgres_store *store, sqlite3 *from, const char *table,
                      const char *columns)
{
    char sql[256];
    struct copy copy = {.store = store};
    sqlite3_stmt *rows;
    snprintf(sql, sizeof sql, "SELECT %s FROM %s", columns, table);
    int rc = staging_query(&store->store, from, sql, &rows);
    if (rc < 0)
        return rc;
    snprintf(sql, sizeof sql, "COPY " SCHEMA ".%s(%s) FROM STDIN (FREEZE)", table, columns);
    PGresult *result = PQexec(store->side, sql);
    if (PQresultStatus(result) != PGRES_COPY_IN)
        rc = is_lost(store, result) ? -EAGAIN : postgres_failed(&store->store, store->side, result);
    PQclear(result);
    while (rc == 0 && !copy.lost && !interrupted && sqlite3_step(rows) == SQLITE_ROW)
        put_row(&copy, rows);
    if (rc == 0)
        rc = end_copy(&copy);
    int end = staging_end(&store->store, sqlite3_finalize(rows));
    if (rc == 0)
        rc = end;
    return rc < 0 ? rc : failure_if_interrupted(store->store.failure);
}

static int copy_tables(struct postgres_store *store, sqlite3 *from)
{
    static const char *const tables[][2] = {
        {"package", "id, name, version, architecture"},
        {"dependency", "package, position, alternative, target, relation, version"},
        {"candidate", "name, provided, owner, version, owner_id"},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof *tables; i++)
        rc = copy_table(store, from, tables[i][0], tables[i][1]);
    return rc;
}

static int import_once(struct postgres_store *store, sqlite3 *from, int64_t fingerprint)
{
    char sql[200];
    snprintf(sql, sizeof sql, "BEGIN; SELECT pg_advisory_xact_lock(%d)", LOCK);
    int rc = run_sql(store, sql);
    if (rc == 0 && (rc = find_schema(store)) > 0)
        rc = run_sql(store, "DROP SCHEMA " SCHEMA " CASCADE");
    if (rc == 0)
        rc = run_sql(store, schema_sql);
    if (rc == 0)
        rc = copy_tables(store, from);
    if (rc == 0)
        rc = run_sql(store, keys_sql);
    snprintf(sql, sizeof sql,
             "INSERT INTO " SCHEMA ".note VALUES('fingerprint', %" PRId64 "); COMMIT", fingerprint);
    if (rc == 0)
        rc = run_sql(store, sql);
    if (rc < 0 && rc != -EAGAIN)
        PQclear(PQexec(store->side, "ROLLBACK"));
    return rc;
}

int postgres_import(struct postgres_store *store, sqlite3 *from, int64_t fingerprint)
{
    int rc = -EAGAIN;
    PQclear(
        PQexec(store->side, "SET client_min_messages = warning")); /* DROP tells what it drops */
    for (unsigned imports = 0; rc == -EAGAIN && imports < IMPORTS; imports++) {
        for (unsigned tries = 0; imports > 0; tries++)
            if (!wait_for_server(store, tries) || !is_lost(store, NULL))
                break;
        rc = import_once(store, from, fingerprint);
    }
    return rc == -EAGAIN ? postgres_failed(&store->store, store->side, NULL) : rc;
}
