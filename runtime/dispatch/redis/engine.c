/* SPDX-License-Identifier: MIT
 *
 * engine.c - the thread: shares out the queue, polls, keeps the time.
 *
 *     inbox -> plan -> queue -> connections -> poll -> replies, lost connections, deadlines -> give
 *
 * A connection that is down is made again only while commands wait, so an idle pool is at rest.
 * When no connection can be made in 1 + retries tries, what waits fails with that error, and the
 * count begins anew with the next command.
 */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* -- Connections -- */

/* Those that take commands, or soon will. */
static size_t count_open(const corio_redis *redis)
{
    size_t count = 0;
    for (unsigned i = 0; i < redis->options.connections; i++)
        count += redis->connections[i].state != CR_REDIS_DOWN && !redis->connections[i].draining;
    return count;
}

static bool may_connect(const corio_redis *redis, const struct cr_redis_connection *connection)
{
    return connection->state == CR_REDIS_DOWN && connection->failures <= redis->options.retries;
}

/* No connection is there, and one has been tried as often as the options say, in vain. */
static bool has_given_up(const corio_redis *redis)
{
    bool any = false;
    for (unsigned i = 0; i < redis->options.connections; i++) {
        if (redis->connections[i].state != CR_REDIS_DOWN)
            return false;
        any |= redis->connections[i].failures > redis->options.retries;
    }
    return any;
}

static void fail_queue(corio_redis *redis)
{
    struct cr_redis_unit *unit;
    while ((unit = cr_redis_list_pop(&redis->queue))) {
        cr_redis_finish(unit, redis->connect_error, NULL);
        cr_redis_unit_destroy(unit);
    }
    for (unsigned i = 0; i < redis->options.connections; i++) {
        redis->connections[i].failures = 0;
        redis->connections[i].retry_ns = 0;
    }
}

/* No more connections than there are commands. */
static void connect_some(corio_redis *redis)
{
    size_t wanted = redis->queue.count;
    if (wanted == 0)
        return;
    uint64_t now = cr_clock_ns();
    size_t open = count_open(redis);
    for (unsigned i = 0; i < redis->options.connections && open < wanted; i++) {
        struct cr_redis_connection *connection = &redis->connections[i];
        if (!may_connect(redis, connection) || now < connection->retry_ns)
            continue;
        cr_redis_connect(redis, connection);
        open += connection->state != CR_REDIS_DOWN;
    }
    if (has_given_up(redis))
        fail_queue(redis);
}

/* -- Sharing out -- */

static bool takes_more(const corio_redis *redis, const struct cr_redis_connection *connection)
{
    return connection->state == CR_REDIS_READY && !connection->draining &&
           connection->pause_ns == 0 && connection->in_flight.count < redis->options.pipeline;
}

static void feed(corio_redis *redis, struct cr_redis_connection *connection, size_t most)
{
    size_t count = 0;
    while (count < most && redis->queue.count > 0 && takes_more(redis, connection)) {
        cr_redis_send(redis, connection, cr_redis_list_pop(&redis->queue));
        count++;
    }
    cr_redis_count(redis, &redis->stats.commands, count);
    if (count > 0 && connection->context)
        cr_redis_flush(redis, connection);
}

/* In equal parts, as far as pipelines have room. */
static void share_out(corio_redis *redis)
{
    unsigned left = 0;
    for (unsigned i = 0; i < redis->options.connections; i++) {
        struct cr_redis_connection *connection = &redis->connections[i];
        if (connection->pause_ns > 0 && connection->pause_ns <= cr_clock_ns())
            connection->pause_ns = 0;
        left += takes_more(redis, connection);
    }
    for (unsigned i = 0; i < redis->options.connections && left > 0; i++) {
        struct cr_redis_connection *connection = &redis->connections[i];
        if (!takes_more(redis, connection))
            continue;
        feed(redis, connection, (redis->queue.count + left - 1) / left);
        left--;
    }
}

/* -- Time -- */

static void expire_unit(corio_redis *redis, struct cr_redis_unit *unit, bool was_sent)
{
    int status = was_sent && !unit->repeatable ? CORIO_REDIS_EUNKNOWN : -ETIMEDOUT;
    cr_redis_count(redis, &redis->stats.timeouts, 1);
    cr_redis_finish(unit, status, NULL);
}

static void earlier(uint64_t *deadline_ns, uint64_t other_ns)
{
    if (other_ns < *deadline_ns)
        *deadline_ns = other_ns;
}

static void expire_queued(corio_redis *redis, uint64_t now)
{
    struct cr_redis_list kept;
    struct cr_redis_unit *unit;
    cr_redis_list_init(&kept);
    while ((unit = cr_redis_list_pop(&redis->queue))) {
        if (unit->deadline_ns > now) {
            earlier(&redis->next_deadline_ns, unit->deadline_ns);
            cr_redis_list_push(&kept, unit);
        } else {
            expire_unit(redis, unit, false);
            cr_redis_unit_destroy(unit);
        }
    }
    cr_redis_list_init(&redis->queue);
    while ((unit = cr_redis_list_pop(&kept)))
        cr_redis_list_push(&redis->queue, unit);
}

/* A connection that owes overdue replies, and no others, is given up. */
static void expire_in_flight(corio_redis *redis, struct cr_redis_connection *connection,
                             uint64_t now)
{
    for (struct cr_redis_unit *unit = connection->in_flight.first; unit; unit = unit->next) {
        if (!unit->ops)
            continue;
        if (unit->deadline_ns > now) {
            earlier(&redis->next_deadline_ns, unit->deadline_ns);
            continue;
        }
        expire_unit(redis, unit, true);
        connection->draining = true;
        connection->live--;
    }
}

static void keep_time(corio_redis *redis)
{
    uint64_t now = cr_clock_ns();
    if (now >= redis->next_deadline_ns) {
        redis->next_deadline_ns = UINT64_MAX;
        expire_queued(redis, now);
        for (unsigned i = 0; i < redis->options.connections; i++)
            expire_in_flight(redis, &redis->connections[i], now);
    }
    for (unsigned i = 0; i < redis->options.connections; i++) {
        struct cr_redis_connection *connection = &redis->connections[i];
        bool greets =
            connection->state == CR_REDIS_CONNECTING || connection->state == CR_REDIS_GREETING;
        if (connection->draining && connection->live == 0)
            cr_redis_lose(redis, connection, -ETIMEDOUT);
        else if (greets && now >= connection->connect_deadline_ns)
            cr_redis_lose(redis, connection, -ETIMEDOUT);
    }
}

/* When there is something to do even if no file is ready. */
static uint64_t next_wake_ns(const corio_redis *redis, uint64_t due_ns)
{
    uint64_t wake_ns = redis->next_deadline_ns;
    bool wants_more = count_open(redis) < redis->queue.count;
    if (due_ns > 0)
        earlier(&wake_ns, due_ns);
    for (unsigned i = 0; i < redis->options.connections; i++) {
        const struct cr_redis_connection *connection = &redis->connections[i];
        if (connection->state == CR_REDIS_CONNECTING || connection->state == CR_REDIS_GREETING)
            earlier(&wake_ns, connection->connect_deadline_ns);
        else if (connection->pause_ns > 0 && redis->queue.count > 0)
            earlier(&wake_ns, connection->pause_ns);
        else if (wants_more && may_connect(redis, connection))
            earlier(&wake_ns, connection->retry_ns);
    }
    return wake_ns;
}

/* -- The loop -- */

static bool take_inbox(corio_redis *redis)
{
    bool stop;
    struct cr_kept *kept = cr_inbox_take(&redis->inbox, &redis->works, &stop);
    for (; kept; kept = kept->next)
        cr_redis_plan(redis, (struct cr_redis_work *)kept);
    return !stop || redis->works;
}

static void work_destroy(struct cr_kept *kept)
{
    cr_kept_fini(kept);
    free(kept); /* it is the first member of its work */
}

static int poll_all(corio_redis *redis, struct pollfd *files, uint64_t wake_ns)
{
    files[0] = (struct pollfd){.fd = redis->wake_fd, .events = POLLIN};
    for (unsigned i = 0; i < redis->options.connections; i++) {
        const struct cr_redis_connection *connection = &redis->connections[i];
        files[i + 1] = (struct pollfd){.fd = -1};
        if (connection->context)
            files[i + 1] = (struct pollfd){.fd = connection->context->fd,
                                           .events = cr_redis_events(connection)};
    }
    uint64_t now = cr_clock_ns();
    uint64_t left = wake_ns > now ? wake_ns - now : 0;
    struct timespec limit = {.tv_sec = (time_t)(left / 1000000000),
                             .tv_nsec = (long)(left % 1000000000)};
    return ppoll(files, redis->options.connections + 1, wake_ns == UINT64_MAX ? NULL : &limit,
                 NULL);
}

static void serve(corio_redis *redis, uint64_t due_ns)
{
    struct pollfd files[65];
    uint64_t count;
    if (poll_all(redis, files, next_wake_ns(redis, due_ns)) <= 0)
        return;
    if (files[0].revents && read(redis->wake_fd, &count, sizeof count) < 0)
        return;
    for (unsigned i = 0; i < redis->options.connections; i++) {
        if (files[i + 1].revents && redis->connections[i].context)
            cr_redis_on_ready(redis, &redis->connections[i], files[i + 1].revents);
    }
}

void *cr_redis_main(void *arg)
{
    corio_redis *redis = arg;
    uint64_t due_ns = 0; /* see cr_kept_due_ns */
    while (take_inbox(redis)) {
        connect_some(redis);
        share_out(redis);
        bool partly = due_ns > 0 && cr_clock_ns() >= due_ns;
        bool left = cr_kept_give_all(&redis->works, partly, work_destroy);
        due_ns = cr_kept_due_ns(due_ns, left, partly, redis->options.linger_ns);
        serve(redis, due_ns);
        keep_time(redis);
    }
    return NULL;
}
