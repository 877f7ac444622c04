/* SPDX-License-Identifier: MIT
 *
 * connection.c - one connection: made, greeted, written to, read from, lost.
 *
 *     down --connect--> connecting --writable--> greeting (AUTH, SELECT) --replies--> ready
 *       ^                                                                               |
 *       +---------------------------------- lost ---------------------------------------+
 *
 * Nothing here waits. hiredis formats and parses; its context is never in blocking mode.
 */
#include "internal.h"

#include <errno.h>
#include <hiredis/sds.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* -- Lost -- */

static uint64_t next_random(corio_redis *redis)
{
    redis->random ^= redis->random << 13;
    redis->random ^= redis->random >> 7;
    redis->random ^= redis->random << 17;
    return redis->random;
}

/* Between half of the doubled delay and all of it, so that many clients do not come back at once. */
static uint64_t backoff_ns(corio_redis *redis, unsigned failures)
{
    unsigned doublings = failures < 30 ? failures : 30;
    uint64_t delay = redis->options.backoff_ns;
    while (doublings-- > 1 && delay < redis->options.most_backoff_ns)
        delay *= 2;
    if (delay > redis->options.most_backoff_ns)
        delay = redis->options.most_backoff_ns;
    return delay / 2 + next_random(redis) % (delay / 2 + 1);
}

/* Bytes that the kernel has been given. */
static uint64_t sent(const struct cr_redis_connection *connection)
{
    const char *unsent = connection->context->obuf;
    return connection->appended - (unsent ? sdslen((const sds)unsent) : 0);
}

/* A command of a lost connection: again, or the end. */
static void settle(corio_redis *redis, struct cr_redis_unit *unit, bool was_sent, int error,
                   struct cr_redis_list *again)
{
    if (!unit->ops) {
        cr_redis_unit_destroy(unit);
    } else if (was_sent && !unit->repeatable) {
        cr_redis_finish(unit, CORIO_REDIS_EUNKNOWN, NULL);
        cr_redis_unit_destroy(unit);
    } else if (was_sent && unit->sends > redis->options.retries) {
        cr_redis_finish(unit, error, NULL);
        cr_redis_unit_destroy(unit);
    } else {
        unit->sends -= !was_sent;
        cr_redis_count(redis, &redis->stats.retries, was_sent);
        cr_redis_list_push(again, unit);
    }
}

/* Before all that wait in the queue already: they are older. */
static void put_first(struct cr_redis_list *queue, struct cr_redis_list *units)
{
    struct cr_redis_unit *unit;
    while ((unit = cr_redis_list_pop(queue)))
        cr_redis_list_push(units, unit);
    cr_redis_list_init(queue);
    while ((unit = cr_redis_list_pop(units)))
        cr_redis_list_push(queue, unit);
}

void cr_redis_lose(corio_redis *redis, struct cr_redis_connection *connection, int error)
{
    struct cr_redis_list again;
    struct cr_redis_unit *unit;
    bool was_ready = connection->state == CR_REDIS_READY;
    bool was_good = was_ready && connection->replied;
    uint64_t sent_bytes = connection->context ? sent(connection) : 0;
    cr_redis_list_init(&again);
    while ((unit = cr_redis_list_pop(&connection->in_flight)))
        settle(redis, unit, unit->start < sent_bytes, error, &again);
    put_first(&redis->queue, &again);
    if (connection->context)
        redisFree(connection->context);
    connection->context = NULL;
    connection->state = CR_REDIS_DOWN;
    connection->live = 0;
    connection->draining = false;
    connection->pause_ns = 0;
    if (was_ready)
        cr_redis_count(redis, &redis->stats.lost, 1);
    if (was_good) {
        connection->failures = 0;
        connection->retry_ns = 0;
        return;
    }
    redis->connect_error = error;
    connection->failures++;
    connection->retry_ns = cr_clock_ns() + backoff_ns(redis, connection->failures);
}

/* hiredis's words for what went wrong are its own; errno says more where it was a system call. */
static int context_error(const redisContext *context, int system_error)
{
    switch (context->err) {
    case REDIS_ERR_IO:
        return system_error > 0 ? -system_error : -EIO;
    case REDIS_ERR_EOF:
        return -ECONNRESET;
    case REDIS_ERR_PROTOCOL:
        return -EPROTO;
    case REDIS_ERR_OOM:
        return -ENOMEM;
    default: /* mostly a name that does not resolve */
        return -EHOSTUNREACH;
    }
}

/* -- Made -- */

static bool say(corio_redis *redis, struct cr_redis_connection *connection, int argc,
                const char **argv)
{
    struct cr_redis_unit *unit = cr_redis_unit_create(CR_REDIS_HELLO, argc, argv, NULL);
    if (!unit)
        return false;
    unit->deadline_ns = connection->connect_deadline_ns;
    cr_redis_send(redis, connection, unit);
    return true;
}

static void greet(corio_redis *redis, struct cr_redis_connection *connection)
{
    const corio_redis_options *options = &redis->options;
    char database[16];
    snprintf(database, sizeof database, "%d", options->database);
    const char *auth[] = {"AUTH", options->password, NULL};
    const char *auth_user[] = {"AUTH", options->user, options->password};
    const char *select[] = {"SELECT", database};
    bool said = true;
    connection->state = CR_REDIS_GREETING;
    if (options->password)
        said = say(redis, connection, options->user ? 3 : 2, options->user ? auth_user : auth);
    if (said && options->database > 0)
        said = say(redis, connection, 2, select);
    if (!said)
        cr_redis_lose(redis, connection, -ENOMEM);
    else if (connection->in_flight.count > 0)
        cr_redis_flush(redis, connection);
}

static void mark_ready(corio_redis *redis, struct cr_redis_connection *connection)
{
    connection->state = CR_REDIS_READY;
    cr_redis_count(redis, &redis->stats.connects, 1);
}

static void connected(corio_redis *redis, struct cr_redis_connection *connection)
{
    int error = 0;
    socklen_t bytes = sizeof error;
    if (getsockopt(connection->context->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0)
        error = errno;
    if (error != 0) {
        cr_redis_lose(redis, connection, -error);
        return;
    }
    if (!redis->options.unix_path)
        redisEnableKeepAlive(connection->context);
    greet(redis, connection);
    if (connection->state == CR_REDIS_GREETING && connection->in_flight.count == 0)
        mark_ready(redis, connection);
}

void cr_redis_connect(corio_redis *redis, struct cr_redis_connection *connection)
{
    const corio_redis_options *options = &redis->options;
    errno = 0;
    connection->context = options->unix_path ? redisConnectUnixNonBlock(options->unix_path)
                                             : redisConnectNonBlock(options->host, options->port);
    int error = errno;
    connection->state = CR_REDIS_CONNECTING;
    connection->appended = 0;
    connection->replied = false;
    connection->connect_deadline_ns = cr_clock_ns() + options->connect_timeout_ns;
    if (!connection->context)
        cr_redis_lose(redis, connection, -ENOMEM);
    else if (connection->context->err)
        cr_redis_lose(redis, connection, context_error(connection->context, error));
}

/* -- Written and read -- */

void cr_redis_send(corio_redis *redis, struct cr_redis_connection *connection,
                   struct cr_redis_unit *unit)
{
    unit->start = connection->appended;
    unit->sends++;
    connection->live++;
    cr_redis_list_push(&connection->in_flight, unit);
    /* On an error nothing was appended; the unit counts as unsent then. */
    if (redisAppendFormattedCommand(connection->context, unit->text, unit->bytes) != REDIS_OK) {
        cr_redis_lose(redis, connection, -ENOMEM);
        return;
    }
    connection->appended += unit->bytes;
}

void cr_redis_flush(corio_redis *redis, struct cr_redis_connection *connection)
{
    int done = 0;
    errno = 0;
    bool written = redisBufferWrite(connection->context, &done) == REDIS_OK;
    int error = errno;
    cr_redis_count(redis, &redis->stats.sends, 1);
    if (!written)
        cr_redis_lose(redis, connection, context_error(connection->context, error));
}

/* A server that has just started has done nothing yet: the command goes back into the queue, and the
 * connection rests. */
static bool put_back(corio_redis *redis, struct cr_redis_connection *connection,
                     struct cr_redis_unit *unit, redisReply *reply)
{
    bool loading = reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "LOADING ", 8) == 0;
    if (!loading || !unit->ops) {
        connection->loading = 0;
        return false;
    }
    freeReplyObject(reply);
    unit->sends--;
    cr_redis_list_push(&redis->queue, unit);
    cr_redis_count(redis, &redis->stats.retries, 1);
    if (connection->pause_ns == 0)
        connection->pause_ns = cr_clock_ns() + backoff_ns(redis, ++connection->loading);
    return true;
}

/* False: the connection is lost. */
static bool take_reply(corio_redis *redis, struct cr_redis_connection *connection,
                       redisReply *reply)
{
    struct cr_redis_unit *unit = cr_redis_list_pop(&connection->in_flight);
    if (!unit) { /* a push message, or no Redis server */
        freeReplyObject(reply);
        cr_redis_lose(redis, connection, -EPROTO);
        return false;
    }
    connection->replied |= unit->form != CR_REDIS_HELLO;
    if (connection->replied)
        connection->failures = 0;
    bool refused = unit->form == CR_REDIS_HELLO && reply->type == REDIS_REPLY_ERROR;
    connection->live -= unit->ops || unit->form == CR_REDIS_HELLO;
    if (put_back(redis, connection, unit, reply))
        return true;
    cr_redis_finish(unit, 0, reply);
    cr_redis_unit_destroy(unit);
    if (refused) {
        cr_redis_lose(redis, connection, -EACCES);
        return false;
    }
    if (connection->state == CR_REDIS_GREETING && connection->in_flight.count == 0)
        mark_ready(redis, connection);
    return true;
}

static void receive(corio_redis *redis, struct cr_redis_connection *connection)
{
    redisContext *context = connection->context;
    void *reply;
    errno = 0;
    if (redisBufferRead(context) != REDIS_OK) {
        cr_redis_lose(redis, connection, context_error(context, errno));
        return;
    }
    for (;;) {
        if (redisReaderGetReply(context->reader, &reply) != REDIS_OK) {
            cr_redis_lose(redis, connection,
                          context->reader->err == REDIS_ERR_OOM ? -ENOMEM : -EPROTO);
            return;
        }
        if (!reply || !take_reply(redis, connection, reply))
            return;
    }
}

short cr_redis_events(const struct cr_redis_connection *connection)
{
    if (connection->state == CR_REDIS_CONNECTING)
        return POLLOUT;
    const char *unsent = connection->context->obuf;
    return unsent && sdslen((const sds)unsent) > 0 ? POLLIN | POLLOUT : POLLIN;
}

void cr_redis_on_ready(corio_redis *redis, struct cr_redis_connection *connection, short events)
{
    if (connection->state == CR_REDIS_CONNECTING) {
        connected(redis, connection);
        return;
    }
    if (events & (POLLIN | POLLHUP | POLLERR))
        receive(redis, connection);
    if (connection->context && events & POLLOUT)
        cr_redis_flush(redis, connection);
}
