/* SPDX-License-Identifier: MIT
 *
 * redis_keys.c - the package universe in Redis: connections, keys, what is valid.
 */
#include "redis_keys.h"

#include <corio/redis.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct timeval connect_timeout = {5, 0};

/* -- Connections -- */

int redis_failed(struct redis_store *store, const redisContext *connection, const redisReply *reply)
{
    const char *words = reply ? reply->str : connection ? connection->errstr : "";
    int code = reply                                ? CORIO_REDIS_EREPLY
               : connection && connection->err == 0 ? -ENOMEM
                                                    : -ECONNRESET;
    return failure_of_database(store->store.failure, code, corio_redis_strerror(code),
                               words ? words : "", store->store.where);
}

bool redis_is_error(const redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_ERROR;
}

static redisContext *open_context(const struct redis_place *place)
{
    return place->unix_path ? redisConnectUnixWithTimeout(place->unix_path, connect_timeout)
                            : redisConnectWithTimeout(place->host, place->port, connect_timeout);
}

/* AUTH and SELECT. Returns NULL, or the error reply; a lost connection shows in the context. */
static redisReply *greet(redisContext *connection, const struct redis_place *place)
{
    redisReply *reply = NULL;
    if (place->password && place->user)
        reply = redisCommand(connection, "AUTH %s %s", place->user, place->password);
    else if (place->password)
        reply = redisCommand(connection, "AUTH %s", place->password);
    if (redis_is_error(reply))
        return reply;
    freeReplyObject(reply);
    reply = place->database ? redisCommand(connection, "SELECT %d", place->database) : NULL;
    if (redis_is_error(reply))
        return reply;
    freeReplyObject(reply);
    return NULL;
}

redisContext *redis_connect(struct redis_store *store)
{
    redisContext *connection = open_context(&store->place);
    redisReply *refused =
        connection && connection->err == 0 ? greet(connection, &store->place) : NULL;
    if (connection && connection->err == 0 && !refused)
        return connection;
    redis_failed(store, connection, refused);
    freeReplyObject(refused);
    if (connection)
        redisFree(connection);
    return NULL;
}

static bool is_lost(const struct redis_store *store)
{
    return !store->side || store->side->err != 0;
}

static bool is_loading(const redisReply *reply)
{
    return redis_is_error(reply) && strncmp(reply->str, "LOADING", 7) == 0;
}

/* Waits, and connects anew. False: see store_pause. */
static bool wait_for_server(struct redis_store *store, unsigned tries)
{
    if (!store_pause(tries))
        return false;
    if (!is_lost(store))
        return true;
    if (store->side)
        redisFree(store->side);
    store->side = open_context(&store->place);
    if (!is_lost(store))
        freeReplyObject(greet(store->side, &store->place));
    return true;
}

redisReply *redis_side(struct redis_store *store, int argc, const char **argv)
{
    for (unsigned tries = 0;; tries++) {
        redisReply *reply = is_lost(store) ? NULL : redisCommandArgv(store->side, argc, argv, NULL);
        if (reply && !redis_is_error(reply))
            return reply;
        bool again = is_loading(reply) || is_lost(store);
        if (!again || !wait_for_server(store, tries)) {
            redis_failed(store, store->side, reply);
            freeReplyObject(reply);
            return NULL;
        }
        freeReplyObject(reply);
    }
}

/* -- Edges -- */

size_t redis_edges_key(const struct redis_store *store, uint32_t package, char *key)
{
    return (size_t)snprintf(key, REDIS_KEY_BYTES, REDIS_PREFIX "%s:e:%u", store->generation,
                            package);
}

int redis_edges(const redisReply *reply, struct edges *ret)
{
    uint32_t rows;
    if (reply->type != REDIS_REPLY_STRING || reply->len < sizeof rows)
        return -ENODATA;
    memcpy(&rows, reply->str, sizeof rows);
    *ret = (struct edges){(const unsigned char *)reply->str + sizeof rows,
                          (uint32_t)(reply->len - sizeof rows), rows};
    return 0;
}

/* -- Fingerprint -- */

/* The numbers in the edges are in this machine's byte order. */
unsigned redis_byte_order(void)
{
    const unsigned char bytes[4] = {1, 2, 3, 4};
    unsigned word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

int redis_fingerprint(struct redis_store *store, int64_t *ret)
{
    const char *argv[] = {"GET", REDIS_CURRENT};
    unsigned version = 0, order = 0;
    char generation[sizeof store->generation];
    int64_t fingerprint;
    int rc = 0;
    *ret = 0;
    redisReply *reply = redis_side(store, 2, argv);
    if (!reply)
        return -ECANCELED;
    if (reply->type == REDIS_REPLY_STRING) {
        int fields =
            sscanf(reply->str, "%u %x %19s %" SCNd64, &version, &order, generation, &fingerprint);
        if (fields != 4 || version != REDIS_VERSION)
            rc = failure_set(store->store.failure, EXIT_DATABASE,
                             "database %s: " REDIS_CURRENT
                             " was made by another program or version; left alone",
                             store->store.where);
        else if (order == redis_byte_order()) {
            memcpy(store->generation, generation, sizeof generation);
            *ret = fingerprint;
        }
    }
    freeReplyObject(reply);
    return rc;
}
