/* SPDX-License-Identifier: MIT
 *
 * database.c - what is asked of SQLite: known, postings, store.
 */
#include "indexer.h"

#include <errno.h>

corio_dispatcher *store;
struct known known;
struct postings_of postings_of;
sqlite3_int64 this_run;

const char schema[] =
    "CREATE TABLE IF NOT EXISTS file (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, bytes "
    "INTEGER NOT NULL,"
    " changed_ns INTEGER NOT NULL, hash BLOB NOT NULL, run INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS file_hash ON file (hash);"
    "CREATE TABLE IF NOT EXISTS word (word TEXT NOT NULL, file INTEGER NOT NULL, count INTEGER NOT "
    "NULL,"
    " PRIMARY KEY (word, file)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS word_file ON word (file);";

static int bind_path(void *self, sqlite3_stmt *statement, const void *input)
{
    (void)self;
    const struct file_key *key = input;
    return corio_sqlite_error(sqlite3_bind_text(statement, 1, key->path, -1, SQLITE_STATIC));
}

static const void *path_key(void *self, const void *input, size_t *ret_bytes)
{
    (void)self;
    const struct file_key *key = input;
    *ret_bytes = strlen(key->path);
    return key->path;
}

static int take_known(void *self, corio_sqlite_memory *memory, sqlite3_stmt *statement,
                      void *output)
{
    (void)self;
    (void)memory;
    *(struct file_known *)output = (struct file_known){sqlite3_column_int64(statement, 0),
                                                       sqlite3_column_int64(statement, 1), true};
    return 1;
}

static int take_posting(void *self, corio_sqlite_memory *memory, sqlite3_stmt *statement,
                        void *output)
{
    (void)self;
    struct postings *list = output;
    if (list->length == list->capacity) {
        size_t more = list->capacity ? 2 * list->capacity : 16;
        void *items =
            corio_sqlite_grow(memory, (void *)list->items, list->capacity * sizeof *list->items,
                              more * sizeof *list->items);
        if (!items)
            return -ENOMEM;
        list->items = items;
        list->capacity = more;
    }
    struct posting *items = (struct posting *)list->items;
    items[list->length++] =
        (struct posting){sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1)};
    return 0;
}

/* In a recording: the postings alone. */
static int save_postings(void *self, const void *output, corio_sink *sink)
{
    (void)self;
    const struct postings *list = output;
    return corio_sink_write(sink, list->items ? (const void *)list->items : "",
                            list->length * sizeof *list->items);
}

static int restore_postings(void *self, corio_sqlite_memory *memory, const void *bytes,
                            size_t count, void *output)
{
    (void)self;
    struct postings *list = output;
    void *items = corio_sqlite_alloc(memory, count);
    if (!items)
        return -ENOMEM;
    memcpy(items, bytes, count);
    *list = (struct postings){.items = items, .length = count / sizeof *list->items};
    return 0;
}

enum { sql_seen, sql_forget, sql_file, sql_word };

/* One file, inside the transaction of its batch. An error undoes this file and no other. */
static int store_file(void *self, sqlite3_stmt *const *sql, const void *input, void *output)
{
    (void)self;
    (void)output;
    const struct file_data *file = input;
    if (!file->words) {
        sqlite3_bind_text(sql[sql_seen], 1, file->path, -1, SQLITE_STATIC);
        sqlite3_bind_int64(sql[sql_seen], 2, this_run);
        return corio_sqlite_step(sql[sql_seen]);
    }
    sqlite3_bind_text(sql[sql_forget], 1, file->path, -1, SQLITE_STATIC);
    int rc = corio_sqlite_step(sql[sql_forget]);
    if (rc < 0)
        return rc;
    sqlite3_bind_text(sql[sql_file], 1, file->path, -1, SQLITE_STATIC);
    sqlite3_bind_int64(sql[sql_file], 2, file->bytes);
    sqlite3_bind_int64(sql[sql_file], 3, file->changed_ns);
    sqlite3_bind_blob(sql[sql_file], 4, file->hash, sizeof file->hash, SQLITE_STATIC);
    sqlite3_bind_int64(sql[sql_file], 5, this_run);
    rc = corio_sqlite_step(sql[sql_file]);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < file->word_count; i++) {
        sqlite3_bind_text(sql[sql_word], 1, file->words[i].word, -1, SQLITE_STATIC);
        sqlite3_bind_int64(sql[sql_word], 2, file->words[i].count);
        sqlite3_bind_text(sql[sql_word], 3, file->path, -1, SQLITE_STATIC);
        rc = corio_sqlite_step(sql[sql_word]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Of the path: the other members are addresses, or come from it. */
static uint64_t hash_of_path(void *self, const void *input)
{
    (void)self;
    const struct file_data *file = input;
    return corio_hash_bytes(CORIO_HASH_BEGIN, file->path, strlen(file->path));
}

int add_dispatchers(corio_sqlite *database, corio_runtime *runtime)
{
    const corio_sqlite_query query_known = {
        .size = sizeof query_known,
        .name = "known",
        .sql = "SELECT bytes, changed_ns FROM file WHERE path = ?1",
        .input_bytes = sizeof(struct file_key),
        .output_bytes = sizeof(struct file_known),
        .bind = bind_path,
        .row = take_known,
        .key = path_key,
    };
    const corio_sqlite_query query_postings = {
        .size = sizeof query_postings,
        .name = "postings",
        .sql = "SELECT file, count FROM word WHERE word = ?1 ORDER BY file",
        .input_bytes = sizeof(struct file_key),
        .output_bytes = sizeof(struct postings),
        .bind = bind_path,
        .row = take_posting,
        .key = path_key,
        .save = save_postings,
        .restore = restore_postings,
    };
    const corio_sqlite_exec exec_store = {
        .size = sizeof exec_store,
        .name = "store",
        .sql = {"UPDATE file SET run = ?2 WHERE path = ?1",
                "DELETE FROM word WHERE file = (SELECT id FROM file WHERE path = ?1)",
                "INSERT INTO file (path, bytes, changed_ns, hash, run) VALUES (?1, ?2, ?3, ?4, ?5) "
                "ON CONFLICT (path)"
                " DO UPDATE SET bytes = ?2, changed_ns = ?3, hash = ?4, run = ?5",
                "INSERT INTO word VALUES (?1, (SELECT id FROM file WHERE path = ?3), ?2)"},
        .input_bytes = sizeof(struct file_data),
        .execute = store_file,
        .hash = hash_of_path,
    };
    int rc = corio_sqlite_add_query(database, runtime, &query_known, &known.dispatcher);
    if (rc == 0)
        rc = corio_sqlite_add_query(database, runtime, &query_postings, &postings_of.dispatcher);
    if (rc == 0)
        rc = corio_sqlite_add_exec(database, runtime, &exec_store, &store);
    return rc;
}
