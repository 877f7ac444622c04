/* SPDX-License-Identifier: MIT
 *
 * store_redis.c - the package universe in Redis.
 *
 *     batch    corio-redis with folding: the keys of a batch are MGETs over a few connections; answers
 *              are remembered in a cache that all tasks share
 *     single   see singly.h
 *     reader   hiredis as it is: a GET and a round trip for each key
 */
#include "cache.h"
#include "redis_keys.h"
#include "staging.h"

#include <corio/redis.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { RETRIES = 10 }; /* of the dispatcher: a server may take some seconds to come back */

static const uint64_t timeout_ns = 15000000000;

struct redis_question {
    struct question question;
    corio_redis *pool;
};

struct redis_reader {
    struct reader reader;
    redisContext *connection;
};

/* A request's input, and what it points to. */
struct get {
    corio_redis_command command;
    const char *argv[2];
    size_t bytes[2];
    char key[REDIS_KEY_BYTES];
};

static struct redis_store *of(struct store *store)
{
    return (struct redis_store *)store;
}

static int gone(struct store *store)
{
    return failure_set(store->failure, EXIT_DATABASE,
                       "database %s: data are gone (evicted, or replaced meanwhile): --refresh",
                       store->where);
}

/* -- The question -- */

static void release(struct sheet *sheet)
{
    corio_redis_reply *held = sheet->outputs;
    while (sheet->held > 0)
        corio_redis_release(&held[--sheet->held]);
}

static int ask_all(struct question *question, struct sheet *sheet, const uint32_t *ids,
                   uint32_t count)
{
    struct get *gets = sheet->inputs;
    corio_redis_reply *held = sheet->outputs;
    memset(held, 0, count * sizeof *held);
    for (uint32_t i = 0; i < count; i++) {
        struct get *get = &gets[i];
        get->argv[0] = "GET";
        get->bytes[0] = 3;
        get->argv[1] = get->key;
        get->bytes[1] = redis_edges_key(of(question->store), ids[i], get->key);
        get->command =
            (corio_redis_command){.argc = 2, .argv = get->argv, .argv_bytes = get->bytes};
        sheet->requests[i] = corio_redis_ask(question->dispatcher, &get->command, &held[i]);
    }
    sheet->held = count;
    return corio_io_all(sheet->requests, count);
}

static int ask(struct question *question, struct sheet *sheet, const uint32_t *ids, uint32_t count,
               struct edges *answers)
{
    struct cache *cache = question->cache;
    release(sheet);
    if (sheet_reserve(sheet, count, sizeof(struct get), sizeof(corio_redis_reply)) < 0)
        return -ENOMEM;
    int rc = ask_all(question, sheet, ids, count);
    const corio_redis_reply *held = sheet->outputs;
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        rc = redis_edges(held[i].reply, &answers[i]);
        if (rc < 0)
            gone(question->store);
        else if (cache)
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

/* The pool is this question's alone. */
static void take_figures(const struct question *question, struct question_figures *ret)
{
    const struct redis_question *asked = (const struct redis_question *)question;
    corio_redis_stats stats = {.size = sizeof stats};
    corio_redis_get_stats(asked->pool, &stats);
    *ret = (struct question_figures){
        .requests = stats.requests,
        .unique = stats.unique,
        .statements = stats.commands,
        .batches = stats.batches,
        .smallest_batch = stats.smallest_batch,
        .largest_batch = stats.largest_batch,
    };
}

static void destroy_question(struct question *question)
{
    struct redis_question *asked = (struct redis_question *)question;
    cache_destroy(question->cache);
    corio_redis_destroy(asked->pool);
    free(asked);
}

static const struct question_kind question_kind = {
    .ask = ask,
    .recall = question_recall,
    .end_sheet = end_sheet,
    .take_figures = take_figures,
    .destroy = destroy_question,
};

static int create_pool(const struct redis_store *store, corio_redis **ret)
{
    const struct redis_place *place = &store->place;
    const corio_redis_options options = {
        .size = sizeof options,
        .host = place->host,
        .port = place->port,
        .unix_path = place->unix_path,
        .user = place->user,
        .password = place->password,
        .database = place->database,
        .connections = store->connections,
        .fold = true,
        .retries = RETRIES,
        .timeout_ns = timeout_ns,
    };
    return corio_redis_create(&options, ret);
}

static int create_question(struct store *store, corio_runtime *runtime, bool remember,
                           struct question **ret)
{
    struct redis_question *made = calloc(1, sizeof *made);
    if (!made)
        return store_failed(store, -ENOMEM);
    made->question = (struct question){
        .kind = &question_kind, .store = store, .cache = remember ? cache_create() : NULL};
    int rc = remember && !made->question.cache ? -ENOMEM : create_pool(of(store), &made->pool);
    if (rc == 0)
        rc = corio_redis_add(made->pool, runtime, &made->question.dispatcher);
    if (rc < 0) {
        destroy_question(&made->question);
        return store_failed(store, rc);
    }
    *ret = &made->question;
    return 0;
}

/* -- Plain threads -- */

static void close_reader(struct reader *base)
{
    struct redis_reader *reader = (struct redis_reader *)base;
    if (reader->connection)
        redisFree(reader->connection);
    free(reader);
}

static int open_reader(struct store *store, struct reader **ret)
{
    struct redis_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return store_failed(store, -ENOMEM);
    reader->reader.store = store;
    reader->connection = redis_connect(of(store));
    if (!reader->connection) {
        close_reader(&reader->reader);
        return -ECANCELED;
    }
    *ret = &reader->reader;
    return 0;
}

static int query(struct reader *base, uint32_t package, struct edges *ret)
{
    const struct redis_reader *reader = (const struct redis_reader *)base;
    struct redis_store *store = of(reader->reader.store);
    char key[REDIS_KEY_BYTES];
    const char *argv[] = {"GET", key};
    const size_t bytes[] = {3, redis_edges_key(store, package, key)};
    redisReply *reply = redisCommandArgv(reader->connection, 2, argv, bytes);
    struct edges edges;
    int rc;
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        rc = redis_failed(store, reader->connection, reply);
    else if ((rc = redis_edges(reply, &edges)) < 0)
        rc = gone(&store->store);
    else
        rc = edges_copy(&edges, ret);
    freeReplyObject(reply);
    return rc;
}

/* -- The store -- */

static void close_store(struct store *base)
{
    struct redis_store *store = of(base);
    if (store->side)
        redisFree(store->side);
    redis_place_fini(&store->place);
    free(base->where);
    free(store);
}

static int connect_store(struct redis_store *store, const char *url)
{
    int rc = redis_place_parse(url, &store->place);
    store->store.where = rc == 0 ? redis_place_text(&store->place) : NULL;
    if (rc == -EINVAL)
        return failure_set(store->store.failure, EXIT_USAGE,
                           "not a Redis URL (redis://HOST:PORT/DB, unix:///PATH?db=DB)");
    if (!store->store.where)
        return failure_set(store->store.failure, EXIT_OTHER, "no memory");
    store->side = redis_connect(store);
    return store->side ? 0 : -ECANCELED;
}

/* hiredis writes to lost connections with a signal, which must not end the program. */
static int open_store(const char *where, unsigned readers, struct failure *failure,
                      struct store **ret)
{
    struct redis_store *store = calloc(1, sizeof *store);
    if (!store)
        return failure_set(failure, EXIT_OTHER, "no memory");
    signal(SIGPIPE, SIG_IGN);
    store->store = (struct store){.kind = &store_redis, .failure = failure};
    store->connections = readers;
    if (!where)
        where = getenv("REDIS_URL");
    int rc = connect_store(store, where ? where : "redis://127.0.0.1");
    if (rc < 0)
        close_store(&store->store);
    else
        *ret = &store->store;
    return rc;
}

static int fingerprint(struct store *store, int64_t *ret)
{
    return redis_fingerprint(of(store), ret);
}

static int import(struct store *store, sqlite3 *from, int64_t new_fingerprint)
{
    return redis_import(of(store), from, new_fingerprint);
}

static int fill(struct store *store, struct ingest *ingest, int64_t new_fingerprint)
{
    return staging_fill(store, ingest, new_fingerprint, import);
}

/* "ID NAME\n": reads one. Returns where it ends, NULL at the end. */
static const char *next_name(const char *at, uint32_t *ret_id, struct text *ret_name)
{
    char *space;
    *ret_id = (uint32_t)strtoul(at, &space, 10);
    if (*space != ' ')
        return NULL;
    *ret_name = (struct text){space + 1, strcspn(space + 1, "\n")};
    return space + 1 + ret_name->length + 1;
}

static int load_names(const redisReply *names, struct universe *ret)
{
    uint32_t id, count = 0, largest = 0;
    struct text name;
    for (const char *at = names->str; (at = next_name(at, &id, &name)); count++)
        largest = id > largest ? id : largest;
    int rc = universe_init(ret, count, largest, names->len);
    const char *at = names->str;
    while (rc == 0 && (at = next_name(at, &id, &name)))
        universe_add(ret, id, name.at, name.length);
    return rc;
}

static int load(struct store *store, struct universe *ret)
{
    char key[REDIS_KEY_BYTES];
    const char *argv[] = {"GET", key};
    snprintf(key, sizeof key, REDIS_PREFIX "%s:names", of(store)->generation);
    redisReply *names = redis_side(of(store), 2, argv);
    if (!names)
        return -ECANCELED;
    int rc = names->type == REDIS_REPLY_STRING ? load_names(names, ret) : gone(store);
    freeReplyObject(names);
    return rc == -ENOMEM ? store_failed(store, rc) : rc;
}

static char *dependency_text(struct store *store, uint32_t package, unsigned position)
{
    char key[REDIS_KEY_BYTES], field[16];
    const char *argv[] = {"HGET", key, field};
    char *text = NULL;
    uint32_t found;
    struct text line;
    snprintf(key, sizeof key, REDIS_PREFIX "%s:texts", of(store)->generation);
    snprintf(field, sizeof field, "%u", package);
    redisReply *lines = redis_side(of(store), 3, argv);
    const char *at = lines && lines->type == REDIS_REPLY_STRING ? lines->str : NULL;
    while (!text && at && (at = next_name(at, &found, &line)))
        if (found == position)
            text = strndup(line.at, line.length);
    if (lines && !text)
        gone(store);
    freeReplyObject(lines);
    return text;
}

static void message(struct store *store, char *text, size_t bytes)
{
    (void)store; /* the library keeps none */
    (void)bytes;
    text[0] = '\0';
}

const struct store_kind store_redis = {
    .name = "redis",
    .where_is = "--db-url=redis://[USER:PASSWORD@]HOST[:PORT][/DB] or unix:///PATH[?db=DB];"
                " else REDIS_URL",
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
    .text_of = corio_redis_strerror,
    .message = message,
};
