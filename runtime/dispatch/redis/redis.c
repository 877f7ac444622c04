/* SPDX-License-Identifier: MIT
 *
 * redis.c - making and ending a pool, and batches into works.
 */
#include "internal.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    MOST_CONNECTIONS = 64,
    DEFAULT_CONNECTIONS = 2,
    DEFAULT_PIPELINE = 4096,
    DEFAULT_RETRIES = 3
};

static const uint64_t millisecond_ns = 1000000;

/* -- Dispatching -- */

static void wake(const corio_redis *redis)
{
    const uint64_t one = 1;
    while (write(redis->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static struct cr_redis_work *work_create(corio_batch *batch)
{
    size_t count = corio_batch_len(batch);
    struct cr_redis_work *work = calloc(1, sizeof *work + count * sizeof *work->ops);
    if (!work)
        return NULL;
    if (cr_kept_init(&work->kept, batch) < 0) {
        free(work);
        return NULL;
    }
    work->handed_ns = cr_clock_ns();
    for (size_t i = 0; i < count; i++)
        work->ops[i] = (struct cr_redis_op){.work = work,
                                            .command = corio_batch_input(batch, i),
                                            .output = corio_batch_output(batch, i),
                                            .index = (uint32_t)i};
    return work;
}

static int dispatch(void *self, corio_batch *batch)
{
    corio_redis *redis = self;
    size_t count = corio_batch_len(batch);
    struct cr_redis_work *work = work_create(batch);
    if (!work)
        return -ENOMEM;
    pthread_mutex_lock(&redis->lock);
    if (redis->stats.batches == 0 || count < redis->stats.smallest_batch)
        redis->stats.smallest_batch = count;
    redis->stats.batches++;
    redis->stats.requests += count;
    redis->stats.unique += count;
    if (count > redis->stats.largest_batch)
        redis->stats.largest_batch = count;
    pthread_mutex_unlock(&redis->lock);
    cr_inbox_push(&redis->inbox, &work->kept);
    wake(redis);
    return CORIO_LATER;
}

/* For the batch log: the arguments, not where they lie. */
static uint64_t hash_input(void *self, const void *input)
{
    (void)self;
    const corio_redis_command *command = input;
    uint64_t hash = CORIO_HASH_BEGIN;
    for (int i = 0; command->argv && i < command->argc && command->argv[i]; i++) {
        size_t bytes = cr_redis_arg_bytes(command, i);
        hash = corio_hash_bytes(hash, command->argv[i], bytes);
        hash = corio_hash_bytes(hash, &bytes, sizeof bytes);
    }
    return hash;
}

int corio_redis_add(corio_redis *redis, corio_runtime *runtime, corio_dispatcher **ret_dispatcher)
{
    if (!redis || !runtime || !ret_dispatcher)
        return -EINVAL;
    const corio_dispatcher_options options = {
        .size = sizeof options,
        .name = "redis",
        .input_bytes = sizeof(corio_redis_command),
        .output_bytes = sizeof(corio_redis_reply),
        .dispatch = dispatch,
        .self = redis,
        .hash = hash_input,
        .save = cr_redis_save,
        .restore = cr_redis_restore,
        .max_batch = redis->options.max_batch,
        .max_in_flight = redis->options.max_in_flight,
    };
    return corio_dispatcher_add(runtime, &options, ret_dispatcher);
}

/* -- Life -- */

static bool copy_string(const char **string)
{
    if (*string)
        *string = strdup(*string);
    return *string != NULL;
}

static int copy_strings(corio_redis_options *to, const corio_redis_options *from)
{
    to->host = from->host ? from->host : "127.0.0.1";
    bool good = copy_string(&to->host);
    good &= copy_string(&to->unix_path) || !from->unix_path;
    good &= copy_string(&to->user) || !from->user;
    good &= copy_string(&to->password) || !from->password;
    return good ? 0 : -ENOMEM;
}

static void free_strings(corio_redis_options *options)
{
    free((char *)options->host);
    free((char *)options->unix_path);
    free((char *)options->user);
    free((char *)options->password);
}

static void fill_numbers(corio_redis_options *to)
{
    to->port = to->port ? to->port : 6379;
    to->connections = to->connections ? to->connections : DEFAULT_CONNECTIONS;
    to->pipeline = to->pipeline ? to->pipeline : DEFAULT_PIPELINE;
    to->retries = to->retries ? to->retries : DEFAULT_RETRIES;
    to->timeout_ns = to->timeout_ns ? to->timeout_ns : 5000 * millisecond_ns;
    to->connect_timeout_ns =
        to->connect_timeout_ns ? to->connect_timeout_ns : 2000 * millisecond_ns;
    to->backoff_ns = to->backoff_ns ? to->backoff_ns : 10 * millisecond_ns;
    to->most_backoff_ns = to->most_backoff_ns ? to->most_backoff_ns : 1000 * millisecond_ns;
    to->linger_ns = to->linger_ns ? to->linger_ns : millisecond_ns;
}

static int fill_options(corio_redis_options *to, const corio_redis_options *from)
{
    static const corio_redis_options defaults = {.size = sizeof defaults};
    from = from ? from : &defaults;
    if (from->size < sizeof *from || from->port < 0 || from->port > 65535 || from->database < 0 ||
        from->connections > MOST_CONNECTIONS || (from->user && !from->password))
        return -EINVAL;
    *to = *from;
    fill_numbers(to);
    return copy_strings(to, from);
}

static int start(corio_redis *redis)
{
    redis->connections = calloc(redis->options.connections, sizeof *redis->connections);
    if (!redis->connections)
        return -ENOMEM;
    for (unsigned i = 0; i < redis->options.connections; i++)
        cr_redis_list_init(&redis->connections[i].in_flight);
    redis->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (redis->wake_fd < 0)
        return -errno;
    int rc = cr_thread_start(&redis->thread, cr_redis_main, redis);
    redis->has_thread = rc == 0;
    return rc;
}

int corio_redis_create(const corio_redis_options *options, corio_redis **ret_redis)
{
    if (!ret_redis)
        return -EINVAL;
    corio_redis *redis = calloc(1, sizeof *redis);
    if (!redis)
        return -ENOMEM;
    redis->wake_fd = -1;
    redis->next_deadline_ns = UINT64_MAX;
    redis->random = (cr_clock_ns() ^ (uintptr_t)redis) | 1;
    redis->stats.size = sizeof redis->stats;
    cr_inbox_init(&redis->inbox);
    cr_redis_list_init(&redis->queue);
    pthread_mutex_init(&redis->lock, NULL);
    int rc = fill_options(&redis->options, options);
    if (rc == 0)
        rc = start(redis);
    if (rc < 0) {
        corio_redis_destroy(redis);
        return rc;
    }
    *ret_redis = redis;
    return 0;
}

static void close_connection(struct cr_redis_connection *connection)
{
    struct cr_redis_unit *unit;
    while ((unit = cr_redis_list_pop(&connection->in_flight)))
        cr_redis_unit_destroy(unit);
    if (connection->context)
        redisFree(connection->context);
}

void corio_redis_destroy(corio_redis *redis)
{
    if (!redis)
        return;
    if (redis->has_thread) {
        cr_inbox_stop(&redis->inbox);
        wake(redis);
        pthread_join(redis->thread, NULL);
    }
    for (unsigned i = 0; redis->connections && i < redis->options.connections; i++)
        close_connection(&redis->connections[i]);
    if (redis->wake_fd >= 0)
        close(redis->wake_fd);
    pthread_mutex_destroy(&redis->lock);
    cr_inbox_fini(&redis->inbox);
    free_strings(&redis->options);
    free(redis->connections);
    free(redis);
}

int corio_redis_get_stats(corio_redis *redis, corio_redis_stats *stats)
{
    const size_t least = offsetof(corio_redis_stats, smallest_batch); /* the first version's */
    if (!redis || !stats || stats->size < least)
        return -EINVAL;
    size_t size = stats->size;
    pthread_mutex_lock(&redis->lock);
    memcpy(stats, &redis->stats, size < sizeof *stats ? size : sizeof *stats);
    pthread_mutex_unlock(&redis->lock);
    stats->size = size;
    return 0;
}
