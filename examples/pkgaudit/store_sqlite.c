/* SPDX-License-Identifier: MIT
 *
 * store_sqlite.c - the package universe in an SQLite file.
 *
 *     batch    corio-sqlite: equal requests of a batch are asked once, several connections read; it
 *              remembers the answers by itself until the database changes
 *     single   the same dispatcher, told to ask every request by itself
 */
#include "ingest.h"
#include "sqlite_tables.h"
#include "store.h"

#include <errno.h>
#include <stdlib.h>

enum { REMEMBER_BYTES = 256 * 1024 * 1024 /* enough for every package there is */ };

struct sqlite_store {
    struct store store;
    corio_sqlite *database;
};

struct sqlite_reader {
    struct reader reader;
    sqlite3 *connection;
    sqlite3_stmt *statement;
};

static corio_sqlite *database_of(const struct store *store)
{
    return ((const struct sqlite_store *)store)->database;
}

/* -- The question -- */

static int bind_package(void *self, sqlite3_stmt *statement, const void *input)
{
    (void)self;
    return corio_sqlite_error(sqlite3_bind_int64(statement, 1, *(const uint32_t *)input));
}

static int take_row(void *self, corio_sqlite_memory *memory, sqlite3_stmt *statement, void *output)
{
    (void)self;
    struct edges *edges = output;
    const struct edge edge = sqlite_edge(statement);
    size_t bytes = edge_bytes(&edge);
    char *grown =
        corio_sqlite_grow(memory, (void *)edges->bytes, edges->length, edges->length + bytes);
    if (!grown)
        return -ENOMEM;
    edge_write(&edge, grown + edges->length, bytes);
    edges->bytes = (unsigned char *)grown;
    edges->length += (uint32_t)bytes;
    edges->rows++;
    return 0;
}

static int ask(struct question *question, struct sheet *sheet, const uint32_t *ids, uint32_t count,
               struct edges *answers)
{
    if (sheet_reserve(sheet, count, 0, 0) < 0)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        sheet->requests[i].dispatcher = question->dispatcher;
        sheet->requests[i].input = &ids[i];
        sheet->requests[i].output = &answers[i];
    }
    return corio_io_all(sheet->requests, count);
}

static void recall(struct question *question, const uint32_t *ids, uint32_t count,
                   struct edges *answers, bool *found)
{
    corio_sqlite_recall_many(question->dispatcher, ids, answers, count, found);
}

static void take_figures(const struct question *question, struct question_figures *ret)
{
    corio_sqlite_stats stats = {.size = sizeof stats};
    corio_sqlite_dispatcher_stats(question->dispatcher, &stats);
    *ret = (struct question_figures){
        .requests = stats.requests,
        .unique = stats.unique,
        .statements = stats.statements,
        .batches = stats.batches,
        .smallest_batch = stats.smallest_batch,
        .largest_batch = stats.largest_batch,
    };
}

static void destroy_question(struct question *question)
{
    free(question);
}

static const struct question_kind question_kind = {
    .ask = ask,
    .recall = recall,
    .end_sheet = sheet_free,
    .take_figures = take_figures,
    .destroy = destroy_question,
};

static int create_question(struct store *store, corio_runtime *runtime, bool singly, bool remember,
                           struct question **ret)
{
    struct question *question = malloc(sizeof *question);
    if (!question)
        return store_failed(store, -ENOMEM);
    *question = (struct question){.kind = &question_kind, .store = store};
    const corio_sqlite_query query = {
        .size = sizeof query,
        .name = "edges",
        .sql = sqlite_edges_sql,
        .input_bytes = sizeof(uint32_t),
        .output_bytes = sizeof(struct edges),
        .bind = bind_package,
        .row = take_row,
        .singly = singly,
        .remember_bytes = remember ? REMEMBER_BYTES : 0,
    };
    int rc = corio_sqlite_add_query(database_of(store), runtime, &query, &question->dispatcher);
    if (rc < 0) {
        free(question);
        return store_failed(store, rc);
    }
    *ret = question;
    return 0;
}

static int batch_question(struct store *store, corio_runtime *runtime, bool remember,
                          struct question **ret)
{
    return create_question(store, runtime, false, remember, ret);
}

static int single_question(struct store *store, corio_runtime *runtime, struct question **ret)
{
    return create_question(store, runtime, true, false, ret);
}

/* -- Plain threads -- */

static void close_reader(struct reader *base)
{
    struct sqlite_reader *reader = (struct sqlite_reader *)base;
    sqlite3_finalize(reader->statement);
    sqlite3_close_v2(reader->connection);
    free(reader);
}

static int open_reader(struct store *store, struct reader **ret)
{
    struct sqlite_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return store_failed(store, -ENOMEM);
    reader->reader.store = store;
    int result = sqlite3_open_v2(store->where, &reader->connection,
                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_exec(reader->connection, "PRAGMA query_only=1; PRAGMA mmap_size=268435456",
                              NULL, NULL, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_prepare_v3(reader->connection, sqlite_edges_sql, -1,
                                    SQLITE_PREPARE_PERSISTENT, &reader->statement, NULL);
    if (result != SQLITE_OK) {
        close_reader(&reader->reader);
        return store_failed(store, corio_sqlite_error(result));
    }
    *ret = &reader->reader;
    return 0;
}

static int query(struct reader *base, uint32_t package, struct edges *ret)
{
    const struct sqlite_reader *reader = (const struct sqlite_reader *)base;
    struct edges_buffer buffer = {0};
    int result = SQLITE_ROW;
    int rc = bind_package(NULL, reader->statement, &package);
    while (rc == 0 && (result = sqlite3_step(reader->statement)) == SQLITE_ROW) {
        const struct edge edge = sqlite_edge(reader->statement);
        rc = edges_append(&buffer, &edge);
    }
    sqlite3_reset(reader->statement);
    if (rc == 0)
        rc = corio_sqlite_error(result);
    if (rc < 0)
        free((void *)buffer.edges.bytes);
    else
        *ret = buffer.edges;
    return rc;
}

/* -- The store -- */

static int open_store(const char *where, unsigned readers, struct failure *failure,
                      struct store **ret)
{
    struct sqlite_store *store = calloc(1, sizeof *store);
    char *path = strdup(where);
    if (!store || !path) {
        free(store);
        free(path);
        return failure_set(failure, EXIT_OTHER, "no memory");
    }
    int rc = sqlite_open_tables(path, readers, CORIO_SQLITE_SYNC_NORMAL, failure, &store->database);
    if (rc < 0) {
        free(store);
        free(path);
        return rc;
    }
    store->store = (struct store){.kind = &store_sqlite, .failure = failure, .where = path};
    *ret = &store->store;
    return 0;
}

static void close_store(struct store *store)
{
    corio_sqlite_close(database_of(store));
    free(store->where);
    free(store);
}

static int fingerprint(struct store *store, int64_t *ret)
{
    corio_sqlite *database = database_of(store);
    *ret = sqlite_note(database, "complete") == 1 ? sqlite_note(database, "fingerprint") : 0;
    return 0;
}

static int fill(struct store *store, struct ingest *ingest, int64_t new_fingerprint)
{
    ingest->database = database_of(store);
    ingest->path = store->where;
    return ingest_run(ingest, new_fingerprint);
}

static int load(struct store *store, struct universe *ret)
{
    int rc = sqlite_load(corio_sqlite_writer(database_of(store)), ret);
    return rc < 0 ? store_failed(store, rc) : 0;
}

static char *dependency_text(struct store *store, uint32_t package, unsigned position)
{
    sqlite3 *connection = corio_sqlite_writer(database_of(store));
    char *text = sqlite_dependency_text(connection, package, position);
    int rc = text ? 0 : corio_sqlite_error(sqlite3_errcode(connection));
    if (!text)
        store_failed(store, rc < 0 ? rc : -ENOMEM);
    return text;
}

static void message(struct store *store, char *text, size_t bytes)
{
    corio_sqlite_message(database_of(store), text, bytes);
}

const struct store_kind store_sqlite = {
    .name = "sqlite",
    .where_is = "a file: see --database",
    .open = open_store,
    .close = close_store,
    .fingerprint = fingerprint,
    .fill = fill,
    .load = load,
    .dependency_text = dependency_text,
    .question = batch_question,
    .single = single_question,
    .open_reader = open_reader,
    .query = query,
    .close_reader = close_reader,
    .text_of = corio_strerror,
    .message = message,
};
