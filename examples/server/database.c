/* SPDX-License-Identifier: MIT
 *
 * database.c - schema and statements.
 */
#include "server.h"

#include <corio/sqlite.h>

const char schema[] =
    "CREATE TABLE IF NOT EXISTS kv (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT;";
const char sql_find[] = "SELECT value FROM kv WHERE key = ?1";
const char sql_update[] = "UPDATE kv SET value = ?2 WHERE key = ?1";
const char sql_insert[] = "INSERT INTO kv VALUES (?1, ?2)";
const char sql_remove[] = "DELETE FROM kv WHERE key = ?1";

enum { update, insert, remove_key };

int bind_key(sqlite3_stmt *statement, const struct key *key)
{
    return corio_sqlite_error(
        sqlite3_bind_blob(statement, 1, key->data, (int)key->length, SQLITE_STATIC));
}

static int run(sqlite3_stmt *statement, const struct change *change)
{
    int rc = bind_key(statement, &change->key);
    if (rc == 0 && change->value)
        rc = corio_sqlite_error(
            sqlite3_bind_blob64(statement, 2, change->value, change->length, SQLITE_STATIC));
    return rc < 0 ? rc : corio_sqlite_step(statement);
}

int apply_change(sqlite3_stmt *const *statements, const struct change *change,
                 struct changed *ret_changed)
{
    sqlite3 *connection = sqlite3_db_handle(statements[update]);
    int rc = run(statements[change->value ? update : remove_key], change);
    if (rc < 0)
        return rc;
    ret_changed->was_there = sqlite3_changes(connection) > 0;
    return change->value && !ret_changed->was_there ? run(statements[insert], change) : 0;
}
