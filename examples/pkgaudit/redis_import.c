/* SPDX-License-Identifier: MIT
 *
 * redis_import.c - the package universe into Redis.
 *
 * An import writes a new generation beside the valid one, makes it the valid one, and then removes
 * all others, those included that an interrupted import has left. A generation that another import
 * has removed meanwhile does not become valid.
 */
#include "dependency.h"
#include "redis_keys.h"
#include "sqlite_tables.h"
#include "staging.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    IMPORTS = 3,    /* tries, if the server goes away */
    TOGETHER = 128, /* packages of one MSET */
    PIPELINE = 8,   /* commands without their replies */
};

static int side_text(struct redis_store *store, int argc, const char **argv, redisReply **ret)
{
    *ret = redis_side(store, argc, argv);
    return *ret ? 0 : -ECANCELED;
}

/* For commands whose reply says nothing. */
static int side_done(struct redis_store *store, int argc, const char **argv)
{
    redisReply *reply;
    int rc = side_text(store, argc, argv, &reply);
    if (rc == 0)
        freeReplyObject(reply);
    return rc;
}

/* -- Writing -- */

/* A command in the making: its arguments lie in one buffer. */
struct command {
    const char *argv[2 * TOGETHER + 2];
    size_t bytes[2 * TOGETHER + 2];
    char *owned[2 * TOGETHER + 2];
    int argc;
};

struct import {
    struct redis_store *store;
    struct command edges; /* MSET */
    struct command texts; /* HSET */
    unsigned unanswered;
    int rc; /* -EAGAIN: the server went away */
};

static void command_begin(struct command *command, const char *name, const char *key)
{
    for (int i = 0; i < command->argc; i++)
        free(command->owned[i]);
    memset(command, 0, sizeof *command);
    for (const char *const *word = (const char *const[]){name, key, NULL}; *word; word++) {
        command->argv[command->argc] = *word;
        command->bytes[command->argc++] = strlen(*word);
    }
}

/* bytes: taken; NULL without memory. */
static void command_add(struct import *import, struct command *command, char *bytes, size_t length)
{
    if (!bytes) {
        import->rc = failure_set(import->store->store.failure, EXIT_OTHER, "no memory");
        return;
    }
    command->owned[command->argc] = bytes;
    command->argv[command->argc] = bytes;
    command->bytes[command->argc++] = length;
}

static void take_replies(struct import *import, unsigned leave)
{
    for (; import->rc == 0 && import->unanswered > leave; import->unanswered--) {
        redisReply *reply = NULL;
        if (redisGetReply(import->store->side, (void **)&reply) != REDIS_OK)
            import->rc = -EAGAIN;
        else if (redis_is_error(reply))
            import->rc = redis_failed(import->store, import->store->side, reply);
        freeReplyObject(reply);
    }
}

/* Sends what has arguments beyond its name and key. */
static void send_command(struct import *import, const struct command *command, int least)
{
    if (import->rc < 0 || command->argc <= least)
        return;
    if (redisAppendCommandArgv(import->store->side, command->argc,
                               (const char **)(uintptr_t)command->argv,
                               command->bytes) != REDIS_OK) {
        import->rc = -EAGAIN;
        return;
    }
    import->unanswered++;
    take_replies(import, PIPELINE);
}

static void key_of(const struct redis_store *store, const char *what, char *key)
{
    snprintf(key, REDIS_KEY_BYTES, REDIS_PREFIX "%s:%s", store->generation, what);
}

static void flush(struct import *import)
{
    char key[REDIS_KEY_BYTES];
    key_of(import->store, "texts", key);
    send_command(import, &import->edges, 1);
    send_command(import, &import->texts, 2);
    command_begin(&import->edges, "MSET", NULL);
    command_begin(&import->texts, "HSET", NULL);
    command_add(import, &import->texts, strdup(key), strlen(key));
}

static void add_edges(struct import *import, sqlite3_stmt *edges, uint32_t package)
{
    struct edges_buffer buffer = {0};
    char key[REDIS_KEY_BYTES];
    size_t key_bytes = redis_edges_key(import->store, package, key);
    int rc = 0;
    sqlite3_bind_int64(edges, 1, package);
    while (rc == 0 && sqlite3_step(edges) == SQLITE_ROW) {
        const struct edge edge = sqlite_edge(edges);
        rc = edges_append(&buffer, &edge);
    }
    int end = staging_end(&import->store->store, sqlite3_reset(edges));
    if (rc == 0)
        rc = end;
    size_t bytes = sizeof(uint32_t) + buffer.edges.length;
    char *value = rc == 0 ? malloc(bytes) : NULL;
    if (value) {
        memcpy(value, &buffer.edges.rows, sizeof(uint32_t));
        if (buffer.edges.length > 0)
            memcpy(value + sizeof(uint32_t), buffer.edges.bytes, buffer.edges.length);
    }
    free((void *)buffer.edges.bytes);
    command_add(import, &import->edges, strdup(key), key_bytes);
    command_add(import, &import->edges, value, bytes);
}

/* "POSITION TEXT\n" for each dependency. */
static void print_texts(sqlite3_stmt *alternatives, FILE *to)
{
    int position = -1;
    while (sqlite3_step(alternatives) == SQLITE_ROW) {
        int now = sqlite3_column_int(alternatives, 0);
        if (now != position)
            fprintf(to, "%s%d ", position >= 0 ? "\n" : "", now);
        dependency_print(to, now != position, (const char *)sqlite3_column_text(alternatives, 1),
                         (enum relation)sqlite3_column_int(alternatives, 2),
                         (const char *)sqlite3_column_text(alternatives, 3));
        position = now;
    }
    if (position >= 0)
        fputc('\n', to);
}

static void add_texts(struct import *import, sqlite3_stmt *alternatives, uint32_t package)
{
    char *texts = NULL, field[16];
    size_t bytes = 0;
    FILE *stream = open_memstream(&texts, &bytes);
    sqlite3_bind_int64(alternatives, 1, package);
    if (stream)
        print_texts(alternatives, stream);
    if (staging_end(&import->store->store, sqlite3_reset(alternatives)) < 0)
        import->rc = -ECANCELED;
    if (stream && fclose(stream) != 0) {
        free(texts);
        texts = NULL;
    }
    if (texts && bytes == 0) {
        free(texts);
        return;
    }
    int length = snprintf(field, sizeof field, "%u", package);
    command_add(import, &import->texts, strdup(field), (size_t)length);
    command_add(import, &import->texts, texts, bytes);
}

static void add_packages(struct import *import, sqlite3 *from)
{
    struct store *store = &import->store->store;
    sqlite3_stmt *packages = NULL, *edges = NULL, *alternatives = NULL;
    int rc = staging_query(store, from, "SELECT id FROM package ORDER BY id", &packages);
    if (rc == 0)
        rc = staging_query(store, from, sqlite_edges_sql, &edges);
    if (rc == 0)
        rc = staging_query(store, from,
                           "SELECT position, target, relation, version FROM dependency"
                           " WHERE package = ?1 ORDER BY position, alternative",
                           &alternatives);
    import->rc = rc;
    flush(import);
    for (unsigned i = 1; import->rc == 0 && sqlite3_step(packages) == SQLITE_ROW; i++) {
        uint32_t package = (uint32_t)sqlite3_column_int64(packages, 0);
        add_edges(import, edges, package);
        add_texts(import, alternatives, package);
        if (i % TOGETHER == 0) {
            flush(import);
            if (import->rc == 0)
                import->rc = failure_if_interrupted(store->failure);
        }
    }
    rc = staging_end(store, sqlite3_finalize(packages));
    if (import->rc == 0)
        import->rc = rc;
    flush(import);
    sqlite3_finalize(edges);
    sqlite3_finalize(alternatives);
}

static void add_names(struct import *import, sqlite3 *from)
{
    struct universe universe;
    struct command command = {.argc = 0};
    char *names = NULL, key[REDIS_KEY_BYTES];
    size_t bytes = 0;
    if (import->rc < 0)
        return;
    import->rc = sqlite_load(from, &universe);
    if (import->rc < 0) {
        failure_set(import->store->store.failure, EXIT_OTHER, "no memory");
        return;
    }
    FILE *stream = open_memstream(&names, &bytes);
    for (uint32_t i = 0; stream && i < universe.count; i++)
        fprintf(stream, "%u %s\n", universe.sorted[i], universe.name[universe.sorted[i]]);
    if (stream && fclose(stream) != 0) {
        free(names);
        names = NULL;
    }
    universe_fini(&universe);
    key_of(import->store, "names", key);
    command_begin(&command, "SET", key);
    command_add(import, &command, names, bytes);
    send_command(import, &command, 2);
    command_begin(&command, NULL, NULL);
}

/* -- Making it valid -- */

/* Makes the new generation the valid one, unless another import has removed it. */
static int publish(struct redis_store *store, int64_t fingerprint)
{
    static const char script[] =
        "if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return 0 end"
        " redis.call('SET', KEYS[2], ARGV[2]) return 1";
    char current[80];
    const char *argv[] = {"EVAL", script, "2", REDIS_GENERATIONS, REDIS_CURRENT, store->generation,
                          current};
    redisReply *reply;
    snprintf(current, sizeof current, "%d %x %s %" PRId64, REDIS_VERSION, redis_byte_order(),
             store->generation, fingerprint);
    int rc = side_text(store, 7, argv, &reply);
    if (rc < 0)
        return rc;
    if (reply->integer != 1)
        rc = failure_set(store->store.failure, EXIT_DATABASE,
                         "database %s: another pkgaudit has replaced the data meanwhile; run again",
                         store->store.where);
    freeReplyObject(reply);
    return rc;
}

/* -- Removing what is not -- */

/* UNLINKs the keys of one SCAN's reply; *cursor: where to go on. */
static int remove_found(struct redis_store *store, const redisReply *found, char *cursor)
{
    const redisReply *keys = found->element[1];
    const char **argv = calloc(keys->elements + 1, sizeof *argv);
    if (!argv)
        return failure_set(store->store.failure, EXIT_OTHER, "no memory");
    snprintf(cursor, 24, "%s", found->element[0]->str);
    argv[0] = "UNLINK";
    for (size_t i = 0; i < keys->elements; i++)
        argv[i + 1] = keys->element[i]->str;
    int rc = keys->elements > 0 ? side_done(store, (int)keys->elements + 1, argv) : 0;
    free(argv);
    return rc;
}

static int remove_generation(struct redis_store *store, const char *generation)
{
    char pattern[REDIS_KEY_BYTES], cursor[24] = "0";
    const char *forget[] = {"SREM", REDIS_GENERATIONS, generation};
    const char *scan[] = {"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"};
    snprintf(pattern, sizeof pattern, REDIS_PREFIX "%.19s:*", generation);
    int rc = side_done(store, 3, forget);
    do {
        redisReply *found;
        if (rc == 0 && (rc = side_text(store, 6, scan, &found)) == 0) {
            rc = remove_found(store, found, cursor);
            freeReplyObject(found);
        }
    } while (rc == 0 && strcmp(cursor, "0") != 0);
    return rc;
}

static int remove_others(struct redis_store *store)
{
    const char *list[] = {"SMEMBERS", REDIS_GENERATIONS};
    redisReply *generations;
    int rc = side_text(store, 2, list, &generations);
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < generations->elements; i++)
        if (strcmp(generations->element[i]->str, store->generation) != 0)
            rc = remove_generation(store, generations->element[i]->str);
    freeReplyObject(generations);
    return rc;
}

/* -- All together -- */

static int import_once(struct redis_store *store, sqlite3 *from, int64_t fingerprint)
{
    struct import import = {.store = store};
    uint64_t random;
    const char *begin[] = {"SADD", REDIS_GENERATIONS, store->generation};
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return failure_set(store->store.failure, EXIT_OTHER, "no random number");
    snprintf(store->generation, sizeof store->generation, "%016" PRIx64, random);
    import.rc = side_done(store, 3, begin);
    if (import.rc == 0)
        add_packages(&import, from);
    add_names(&import, from);
    take_replies(&import, 0);
    command_begin(&import.edges, NULL, NULL);
    command_begin(&import.texts, NULL, NULL);
    return import.rc < 0 ? import.rc : publish(store, fingerprint);
}

int redis_import(struct redis_store *store, sqlite3 *from, int64_t fingerprint)
{
    int rc = -EAGAIN;
    for (unsigned imports = 0; rc == -EAGAIN && imports < IMPORTS; imports++)
        rc = import_once(store, from, fingerprint);
    if (rc == -EAGAIN)
        return redis_failed(store, store->side, NULL);
    return rc < 0 ? rc : remove_others(store);
}
