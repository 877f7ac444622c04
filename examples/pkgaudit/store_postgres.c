/* SPDX-License-Identifier: MIT
 *
 * store_postgres.c - the package universe in PostgreSQL.
 *
 *     batch    corio-postgres with folding: the keys of a batch are one array for each connection;
 *              answers are remembered in a cache that all tasks share
 *     single   see singly.h
 *     reader   libpq as it is: a prepared statement, a round trip for each key
 */
#include "cache.h"
#include "dependency.h"
#include "postgres_tables.h"
#include "staging.h"

#include <corio/postgres.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct postgres_reader {
    struct reader reader;
    PGconn *connection;
};

/* What a task gets; see corio_postgres_request. */
struct answer {
    corio_postgres_memory *memory;
    struct edges edges;
    size_t room;
};

static struct postgres_store *of(struct store *store)
{
    return (struct postgres_store *)store;
}

/* -- Rows -- */

static struct text text_at(const PGresult *result, int row, int column)
{
    return (struct text){PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column)};
}

/* The edge in a row's columns from `first` on. */
static struct edge edge_at(const PGresult *result, int row, int first)
{
    return (struct edge){
        .head = {.owner = (uint32_t)corio_postgres_int64(result, row, first + 3),
                 .position = (uint16_t)corio_postgres_int64(result, row, first),
                 .relation = (uint8_t)corio_postgres_int64(result, row, first + 1),
                 .provided = (uint8_t)corio_postgres_int64(result, row, first + 4)},
        .want = text_at(result, row, first + 2),
        .have = text_at(result, row, first + 5),
    };
}

/* -- The question -- */

static int make_room(struct answer *answer, size_t bytes)
{
    size_t length = answer->edges.length;
    if (length + bytes <= answer->room)
        return 0;
    size_t room = 2 * (length + bytes);
    char *moved = corio_postgres_alloc(answer->memory, room);
    if (!moved)
        return -ENOMEM;
    if (length > 0)
        memcpy(moved, answer->edges.bytes, length);
    answer->edges.bytes = (unsigned char *)moved;
    answer->room = room;
    return 0;
}

static int take_row(void *self, corio_postgres_memory *memory, const PGresult *result, int row,
                    void *output)
{
    (void)self;
    (void)memory;
    struct answer *answer = output;
    const struct edge edge = edge_at(result, row, 1);
    size_t bytes = edge_bytes(&edge);
    if (make_room(answer, bytes) < 0)
        return -ENOMEM;
    edge_write(&edge, (char *)answer->edges.bytes + answer->edges.length, bytes);
    answer->edges.length += (uint32_t)bytes;
    answer->edges.rows++;
    return 0;
}

static void release(struct sheet *sheet)
{
    struct answer *held = sheet->outputs;
    while (sheet->held > 0)
        corio_postgres_free(held[--sheet->held].memory);
}

static int ask_all(struct question *question, struct sheet *sheet, const uint32_t *ids,
                   uint32_t count)
{
    int64_t *keys = sheet->inputs;
    struct answer *held = sheet->outputs;
    memset(held, 0, count * sizeof *held);
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = ids[i];
        sheet->requests[i].dispatcher = question->dispatcher;
        sheet->requests[i].input = &keys[i];
        sheet->requests[i].output = &held[i];
    }
    int rc = corio_io_all(sheet->requests, count);
    sheet->held = count;
    return rc;
}

static int ask(struct question *question, struct sheet *sheet, const uint32_t *ids, uint32_t count,
               struct edges *answers)
{
    struct cache *cache = question->cache;
    release(sheet);
    if (sheet_reserve(sheet, count, sizeof(int64_t), sizeof(struct answer)) < 0)
        return -ENOMEM;
    int rc = ask_all(question, sheet, ids, count);
    const struct answer *held = sheet->outputs;
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        answers[i] = held[i].edges;
        if (cache)
            rc = cache_keep_copy(cache, ids[i], &answers[i]);
    }
    if (cache)
        release(sheet);
    return rc;
}

static void end_sheet(struct sheet *sheet)
{
    release(sheet);
    sheet_free(sheet);
}

static void take_figures(const struct question *question, struct question_figures *ret)
{
    corio_postgres_stats stats = {.size = sizeof stats};
    corio_postgres_dispatcher_stats(question->dispatcher, &stats);
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
    cache_destroy(question->cache);
    free(question);
}

static const struct question_kind question_kind = {
    .ask = ask,
    .recall = question_recall,
    .end_sheet = end_sheet,
    .take_figures = take_figures,
    .destroy = destroy_question,
};

static int create_question(struct store *store, corio_runtime *runtime, bool remember,
                           struct question **ret)
{
    struct question *made = malloc(sizeof *made);
    if (!made)
        return store_failed(store, -ENOMEM);
    *made = (struct question){
        .kind = &question_kind, .store = store, .cache = remember ? cache_create() : NULL};
    const corio_postgres_query query = {
        .size = sizeof query,
        .name = "edges",
        .request = {.sql = {postgres_edges_of_many_sql},
                    .input_bytes = sizeof(int64_t),
                    .output_bytes = sizeof(struct answer),
                    .binary = true,
                    .with_memory = true,
                    .row = take_row},
        .fold = CORIO_POSTGRES_FOLD_INT64,
    };
    int rc = remember && !made->cache ? -ENOMEM
                                      : corio_postgres_add_query(of(store)->database, runtime,
                                                                 &query, &made->dispatcher);
    if (rc < 0) {
        destroy_question(made);
        return store_failed(store, rc);
    }
    *ret = made;
    return 0;
}

/* -- Plain threads -- */

static void close_reader(struct reader *base)
{
    struct postgres_reader *reader = (struct postgres_reader *)base;
    PQfinish(reader->connection);
    free(reader);
}

static int open_reader(struct store *store, struct reader **ret)
{
    struct postgres_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return store_failed(store, -ENOMEM);
    reader->reader.store = store;
    reader->connection = PQconnectdb(of(store)->conninfo);
    PGresult *result = PQprepare(reader->connection, "edges", postgres_edges_sql, 0, NULL);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (good)
        *ret = &reader->reader;
    else
        postgres_failed(store, reader->connection, result);
    PQclear(result);
    if (!good)
        close_reader(&reader->reader);
    return good ? 0 : -ECANCELED;
}

static int query(struct reader *base, uint32_t package, struct edges *ret)
{
    const struct postgres_reader *reader = (const struct postgres_reader *)base;
    const uint32_t key = htonl(package);
    const char *values[] = {(const char *)&key};
    const int lengths[] = {sizeof key}, formats[] = {1};
    struct edges_buffer buffer = {0};
    PGresult *result = PQexecPrepared(reader->connection, "edges", 1, values, lengths, formats, 1);
    int rc = PQresultStatus(result) == PGRES_TUPLES_OK
                 ? 0
                 : postgres_failed(reader->reader.store, reader->connection, result);
    int rows = rc == 0 ? PQntuples(result) : 0;
    for (int row = 0; rc == 0 && row < rows; row++) {
        const struct edge edge = edge_at(result, row, 0);
        rc = edges_append(&buffer, &edge);
    }
    PQclear(result);
    if (rc < 0)
        free((void *)buffer.edges.bytes);
    else
        *ret = buffer.edges;
    return rc;
}

/* -- The store -- */

static void close_store(struct store *base)
{
    struct postgres_store *store = of(base);
    corio_postgres_close(store->database);
    PQfinish(store->side);
    free(store->conninfo);
    free(base->where);
    free(store);
}

static int describe(struct postgres_store *store)
{
    const char *host = PQhost(store->side);
    int length = asprintf(&store->store.where, "dbname=%s host=%s port=%s", PQdb(store->side),
                          host ? host : "", PQport(store->side));
    if (length < 0)
        store->store.where = NULL;
    return length < 0 ? failure_set(store->store.failure, EXIT_OTHER, "no memory") : 0;
}

static int connect_store(struct postgres_store *store, unsigned readers)
{
    char words[300] = "";
    const corio_postgres_options options = {.size = sizeof options,
                                            .conninfo = store->conninfo,
                                            .connections = readers,
                                            .message = words,
                                            .message_bytes = sizeof words};
    store->side = PQconnectdb(store->conninfo);
    if (PQstatus(store->side) != CONNECTION_OK)
        return postgres_failed(&store->store, store->side, NULL);
    int rc = corio_postgres_open(&options, &store->database);
    postgres_one_line(words);
    if (rc < 0)
        return failure_of_database(store->store.failure, rc, corio_postgres_strerror(rc), words,
                                   store->store.where);
    free(store->store.where);
    return describe(store);
}

static int open_store(const char *where, unsigned readers, struct failure *failure,
                      struct store **ret)
{
    struct postgres_store *store = calloc(1, sizeof *store);
    if (!store)
        return failure_set(failure, EXIT_OTHER, "no memory");
    setenv("PGAPPNAME", "pkgaudit", 0);
    store->store =
        (struct store){.kind = &store_postgres, .failure = failure, .where = strdup("postgres")};
    store->conninfo = strdup(where ? where : "");
    int rc = store->conninfo && store->store.where ? connect_store(store, readers)
                                                   : failure_set(failure, EXIT_OTHER, "no memory");
    if (rc < 0)
        close_store(&store->store);
    else
        *ret = &store->store;
    return rc;
}

static int fingerprint(struct store *store, int64_t *ret)
{
    return postgres_fingerprint(of(store), ret);
}

static int import(struct store *store, sqlite3 *from, int64_t new_fingerprint)
{
    return postgres_import(of(store), from, new_fingerprint);
}

static int fill(struct store *store, struct ingest *ingest, int64_t new_fingerprint)
{
    return staging_fill(store, ingest, new_fingerprint, import);
}

static int load(struct store *store, struct universe *ret)
{
    PGresult *result = postgres_side(of(store), postgres_names_sql, 0, NULL);
    if (!result)
        return -ECANCELED;
    int rows = PQntuples(result);
    size_t bytes = 0;
    uint32_t largest = 0;
    for (int row = 0; row < rows; row++) {
        uint32_t id = (uint32_t)corio_postgres_int64(result, row, 0);
        largest = id > largest ? id : largest;
        bytes += (size_t)PQgetlength(result, row, 1) + 1;
    }
    int rc = universe_init(ret, (uint32_t)rows, largest, bytes);
    for (int row = 0; rc == 0 && row < rows; row++)
        universe_add(ret, (uint32_t)corio_postgres_int64(result, row, 0),
                     PQgetvalue(result, row, 1), (size_t)PQgetlength(result, row, 1));
    PQclear(result);
    return rc < 0 ? store_failed(store, rc) : 0;
}

static char *dependency_text(struct store *store, uint32_t package, unsigned position)
{
    char numbers[2][16];
    const char *params[] = {numbers[0], numbers[1]};
    char *text = NULL;
    size_t bytes = 0;
    snprintf(numbers[0], sizeof numbers[0], "%u", package);
    snprintf(numbers[1], sizeof numbers[1], "%u", position);
    PGresult *result = postgres_side(of(store), postgres_alternatives_sql, 2, params);
    FILE *stream = result ? open_memstream(&text, &bytes) : NULL;
    int rows = stream ? PQntuples(result) : 0;
    for (int row = 0; row < rows; row++)
        dependency_print(stream, row == 0, PQgetvalue(result, row, 0),
                         (enum relation)corio_postgres_int64(result, row, 1),
                         PQgetvalue(result, row, 2));
    if (stream && fclose(stream) != 0) {
        free(text);
        text = NULL;
    }
    PQclear(result);
    return text;
}

static void message(struct store *store, char *text, size_t bytes)
{
    text[0] = '\0';
    if (of(store)->database)
        corio_postgres_message(of(store)->database, text, bytes);
    postgres_one_line(text);
}

const struct store_kind store_postgres = {
    .name = "postgres",
    .where_is =
        "--db-url=postgresql://... or \"host=... dbname=...\"; else PGHOST, PGDATABASE, ...",
    .open = open_store,
    .close = close_store,
    .fingerprint = fingerprint,
    .fill = fill,
    .load = load,
    .dependency_text = dependency_text,
    .question = create_question,
    .open_reader = open_reader,
    .query = query,
    .close_reader = close_reader,
    .text_of = corio_postgres_strerror,
    .message = message,
};
