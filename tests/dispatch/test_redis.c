/* SPDX-License-Identifier: MIT
 *
 * test_redis.c - the Redis dispatcher, against a redis-server of its own on a unix socket: folding,
 * errors, restarts, timeouts. Skipped (77) where there is no redis-server.
 */
#include "server.h"

#include <corio.h>
#include <corio/redis.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TASKS = 10000, KEYS = 100 };

static const uint64_t ms = 1000000;

/* -- The server -- */

static struct {
    char directory[64];
    char socket[96];
    char port_text[16];
    int port;
    struct server process;
} the;

/* Until it prints `ready`; `save`: it begins with the data that was saved before, slowly. */
static int start_server_until(const char *ready, bool save)
{
    char line[256];
    const char *const argv[] = {"redis-server",
                                "--port",
                                the.port_text,
                                "--bind",
                                "127.0.0.1",
                                "--unixsocket",
                                the.socket,
                                "--save",
                                "",
                                "--appendonly",
                                "no",
                                "--dir",
                                the.directory,
                                "--loglevel",
                                "notice",
                                "--key-load-delay",
                                save ? "500" : "0",
                                "--loading-process-events-interval-bytes",
                                "1024",
                                NULL};
    int rc = SERVER_ENDED;
    for (int tries = 0; rc == SERVER_ENDED && tries < 5; tries++) { /* a port may be taken */
        the.port = server_free_port();
        snprintf(the.port_text, sizeof the.port_text, "%d", the.port);
        rc = server_start(&the.process, argv, ready, line, sizeof line);
    }
    return rc;
}

static int start_server(void)
{
    return start_server_until("eady to accept connections", false);
}

static redisContext *side_connection(void)
{
    redisContext *context = redisConnectUnix(the.socket);
    assert_non_null(context);
    assert_int_equal(context->err, 0);
    return context;
}

/* A number from INFO: what stands behind `name` in that section. */
static long long info(const char *section, const char *name)
{
    redisContext *context = side_connection();
    redisReply *reply = redisCommand(context, "INFO %s", section);
    const char *at = strstr(reply->str, name);
    long long value = at ? strtoll(at + strlen(name), NULL, 10) : 0;
    freeReplyObject(reply);
    redisFree(context);
    return value;
}

static void say(const char *command)
{
    redisContext *context = side_connection();
    freeReplyObject(redisCommand(context, command));
    redisFree(context);
}

static void fill_server(void)
{
    redisContext *context = side_connection();
    freeReplyObject(redisCommand(context, "FLUSHALL"));
    for (int i = 0; i < KEYS; i++)
        freeReplyObject(redisCommand(context, "SET k%d v%d", i, i));
    freeReplyObject(redisCommand(context, "CONFIG RESETSTAT"));
    redisFree(context);
}

/* -- Worlds -- */

struct world {
    corio_redis *redis;
    corio_runtime *runtime;
    corio_dispatcher *dispatcher;
    int status[5];
    corio_redis_reply replies[2];
    corio_task_fn *root;
    int result;
    FILE *said;
};

static const corio_redis_options unix_options = {.size = sizeof unix_options,
                                                 .unix_path = the.socket,
                                                 .timeout_ns = 60000000000u,
                                                 .retries = 1000,
                                                 .backoff_ns = 1000000,
                                                 .most_backoff_ns = 20000000};

static void open_world(struct world *world, const corio_redis_options *options, unsigned workers)
{
    memset(world, 0, sizeof *world);
    assert_int_equal(corio_redis_create(options, &world->redis), 0);
    corio_options runtime = CORIO_OPTIONS_INIT;
    runtime.workers = workers;
    assert_int_equal(corio_runtime_create(&runtime, &world->runtime), 0);
    assert_int_equal(corio_redis_add(world->redis, world->runtime, &world->dispatcher), 0);
}

static void close_world(struct world *world)
{
    assert_int_equal(corio_runtime_destroy(world->runtime), 0);
    corio_redis_destroy(world->redis);
}

static corio_redis_stats stats_of(const struct world *world)
{
    corio_redis_stats stats = {.size = sizeof stats};
    assert_int_equal(corio_redis_get_stats(world->redis, &stats), 0);
    return stats;
}

static bool is_text(const corio_redis_reply *reply, const char *text)
{
    return reply->reply && reply->reply->len == strlen(text) &&
           memcmp(reply->reply->str, text, strlen(text)) == 0;
}

static int call(const struct world *world, int argc, const char *const *argv,
                corio_redis_reply *reply)
{
    const corio_redis_command command = {.argc = argc, .argv = argv};
    return corio_redis_call(world->dispatcher, &command, reply);
}

/* -- Many tasks, folded and not -- */

struct getting {
    const struct world *world;
    int number;
};

static int get_one(void *arg)
{
    const struct getting *getting = arg;
    char key[16], value[16];
    corio_redis_reply reply;
    snprintf(key, sizeof key, "k%d", getting->number % KEYS);
    snprintf(value, sizeof value, "v%d", getting->number % KEYS);
    int rc = corio_redis_get(getting->world->dispatcher, key, &reply);
    if (rc == 0 && !is_text(&reply, value))
        rc = -EBADMSG;
    corio_redis_release(&reply);
    return rc;
}

static int get_from_many(void *arg)
{
    for (int i = 0; i < TASKS; i++) {
        struct getting getting = {arg, i};
        corio_go_copy(get_one, &getting, sizeof getting);
    }
    return corio_wait();
}

static void ten_thousand_tasks_get_their_values(void **state)
{
    (void)state;
    static const unsigned workers[] = {1, 2, 8};
    for (int i = 0; i < 6; i++) {
        struct world world;
        corio_redis_options options = unix_options;
        options.fold = i % 2 == 1;
        fill_server();
        open_world(&world, &options, workers[i / 2]);
        assert_int_equal(corio_run(world.runtime, get_from_many, &world), 0);
        corio_redis_stats stats = stats_of(&world);
        assert_int_equal(stats.requests, TASKS);
        assert_int_equal(stats.batches, 1);
        assert_int_equal(stats.commands, options.fold ? 1 : TASKS);
        assert_int_equal(stats.folded, options.fold ? TASKS : 0);
        assert_int_equal(stats.unique, options.fold ? KEYS : TASKS);
        assert_int_equal(stats.smallest_batch, TASKS);
        assert_int_equal(info("commandstats", "cmdstat_get:calls="), options.fold ? 0 : TASKS);
        assert_int_equal(info("commandstats", "cmdstat_mget:calls="), options.fold ? 1 : 0);
        assert_int_equal(info("stats", "keyspace_hits:"), options.fold ? KEYS : TASKS);
        close_world(&world);
    }
}

static void stats_of_an_older_program_are_filled_as_far_as_they_go(void **state)
{
    (void)state;
    struct world world;
    corio_redis_options options = unix_options;
    corio_redis_stats stats = {.size = offsetof(corio_redis_stats, smallest_batch),
                               .smallest_batch = 77};
    fill_server();
    open_world(&world, &options, 1);
    assert_int_equal(corio_run(world.runtime, get_from_many, &world), 0);
    assert_int_equal(corio_redis_get_stats(world.redis, &stats), 0);
    assert_int_equal(stats.largest_batch, TASKS);
    assert_int_equal(stats.smallest_batch, 77);
    assert_int_equal(stats.size, offsetof(corio_redis_stats, smallest_batch));
    stats.size--;
    assert_int_equal(corio_redis_get_stats(world.redis, &stats), -EINVAL);
    close_world(&world);
}

static int set_one(void *arg)
{
    const struct getting *setting = arg;
    char key[16], value[16];
    snprintf(key, sizeof key, "s%d", setting->number % 1000);
    int bytes = snprintf(value, sizeof value, "%d", setting->number);
    return corio_redis_set(setting->world->dispatcher, key, value, (size_t)bytes);
}

static int set_from_many(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        struct getting setting = {arg, i};
        corio_go_copy(set_one, &setting, sizeof setting);
    }
    return corio_wait();
}

static void the_last_of_folded_sets_counts(void **state)
{
    (void)state;
    struct world world;
    corio_redis_options options = unix_options;
    options.fold = true;
    fill_server();
    open_world(&world, &options, 8);
    assert_int_equal(corio_run(world.runtime, set_from_many, &world), 0);
    assert_int_equal(info("commandstats", "cmdstat_mset:calls="), 2); /* 512 keys each at most */
    assert_int_equal(info("commandstats", "cmdstat_set:calls="), 0);
    redisContext *context = side_connection();
    for (int i = 0; i < 1000; i += 111) {
        redisReply *reply = redisCommand(context, "GET s%d", i);
        assert_int_equal(atoi(reply->str), 1000 + i);
        freeReplyObject(reply);
    }
    redisFree(context);
    close_world(&world);
}

/* -- Commands and errors -- */

static int various(void *arg)
{
    struct world *world = arg;
    corio_redis_reply reply;
    const char *const rpush[] = {"RPUSH", "list", "a", "b", "c"};
    const char *const lrange[] = {"LRANGE", "list", "0", "-1"};
    const char *const hget[] = {"HGET", "nothing", "here"};
    bool good = call(world, 5, rpush, &reply) == 0 && reply.reply->integer == 3;
    corio_redis_release(&reply);
    good &= call(world, 4, lrange, &reply) == 0 && reply.reply->elements == 3 &&
            strcmp(reply.reply->element[2]->str, "c") == 0;
    corio_redis_release(&reply);
    good &= call(world, 3, hget, &reply) == 0 && reply.reply->type == REDIS_REPLY_NIL;
    corio_redis_release(&reply);
    corio_redis_release(&reply);
    good &= corio_redis_set(world->dispatcher, "bytes", "a\0b", 3) == 0;
    good &= corio_redis_get(world->dispatcher, "bytes", &reply) == 0 && reply.reply->len == 3 &&
            memcmp(reply.reply->str, "a\0b", 3) == 0;
    corio_redis_release(&reply);
    return good ? 0 : -EBADMSG;
}

static void any_command_is_answered(void **state)
{
    (void)state;
    struct world world;
    fill_server();
    open_world(&world, &unix_options, 2);
    assert_int_equal(corio_run(world.runtime, various, &world), 0);
    close_world(&world);
}

enum { BAD = 5 };

static int good_and_bad(void *arg)
{
    struct world *world = arg;
    const char *const get[] = {"GET", "k1"};
    const char *const lpush[] = {"LPUSH", "k1", "x"};
    const char *const nonsense[] = {"NONSENSE"};
    const char *const get_other[] = {"GET", "k2"};
    const corio_redis_command commands[BAD] = {{.argc = 2, .argv = get},
                                               {.argc = 3, .argv = lpush},
                                               {.argc = 1, .argv = nonsense},
                                               {.argc = 0},
                                               {.argc = 2, .argv = get_other}};
    corio_redis_reply replies[BAD];
    corio_request requests[BAD];
    for (int i = 0; i < BAD; i++)
        requests[i] = corio_redis_ask(world->dispatcher, &commands[i], &replies[i]);
    corio_io_all(requests, BAD);
    for (int i = 0; i < BAD; i++)
        world->status[i] = requests[i].status;
    bool good = is_text(&replies[0], "v1") && is_text(&replies[4], "v2") &&
                strncmp(replies[1].reply->str, "WRONGTYPE", 9) == 0 &&
                strncmp(replies[2].reply->str, "ERR unknown command", 19) == 0 && !replies[3].reply;
    for (int i = 0; i < BAD; i++)
        corio_redis_release(&replies[i]);
    return good ? 0 : -EBADMSG;
}

static void an_error_reaches_its_request_only(void **state)
{
    (void)state;
    for (int fold = 0; fold < 2; fold++) {
        struct world world;
        corio_redis_options options = unix_options;
        options.fold = fold == 1;
        fill_server();
        open_world(&world, &options, 2);
        assert_int_equal(corio_run(world.runtime, good_and_bad, &world), 0);
        assert_int_equal(world.status[0], 0);
        assert_int_equal(world.status[1], CORIO_REDIS_EREPLY);
        assert_int_equal(world.status[2], CORIO_REDIS_EREPLY);
        assert_int_equal(world.status[3], -EINVAL);
        assert_int_equal(world.status[4], 0);
        close_world(&world);
    }
}

static void codes_have_words(void **state)
{
    (void)state;
    assert_string_equal(corio_redis_strerror(CORIO_REDIS_EREPLY),
                        "the Redis server answered with an error");
    assert_string_equal(corio_redis_strerror(CORIO_EINDEX), corio_strerror(CORIO_EINDEX));
}

static int get_twice(void *arg)
{
    struct world *world = arg;
    const char *const get[] = {"GET", "k1"};
    const corio_redis_command command = {.argc = 2, .argv = get};
    corio_request requests[2];
    corio_redis_reply *replies = world->replies;
    for (int i = 0; i < 2; i++)
        requests[i] = corio_redis_ask(world->dispatcher, &command, &replies[i]);
    return corio_io_all(requests, 2);
}

static void replies_outlive_the_pool(void **state)
{
    (void)state;
    struct world world;
    corio_redis_options options = unix_options;
    options.fold = true;
    fill_server();
    open_world(&world, &options, 1);
    assert_int_equal(corio_run(world.runtime, get_twice, &world), 0);
    corio_redis_reply *replies = world.replies;
    close_world(&world);
    corio_redis_release(&replies[0]);
    assert_true(is_text(&replies[1], "v1"));
    corio_redis_release(&replies[1]);
}

/* -- A server that goes -- */

static int ping(void *arg)
{
    const char *const argv[] = {"PING"};
    return call(arg, 1, argv, NULL);
}

static void *run_root(void *arg)
{
    struct world *world = arg;
    world->result = corio_run_named(world->runtime, "root", world->root, world);
    return NULL;
}

/* Runs `root`; the server is stopped before, killed when commands have been written to it, and
 * started again. */
static void run_over_a_restart(struct world *world, corio_task_fn *root)
{
    pthread_t thread;
    assert_int_equal(corio_run(world->runtime, ping, world), 0); /* connected */
    uint64_t sends = stats_of(world).sends;
    kill(the.process.pid, SIGSTOP);
    world->root = root;
    assert_int_equal(pthread_create(&thread, NULL, run_root, world), 0);
    while (stats_of(world).sends <= sends)
        sched_yield();
    unlink(the.socket); /* a dying server still accepts */
    server_end(&the.process, SIGKILL);
    assert_int_equal(start_server(), 0);
    pthread_join(thread, NULL);
    assert_int_equal(world->result, 0);
}

static int read_write_and_repeat(void *arg)
{
    struct world *world = arg;
    const char *const get[] = {"GET", "k1"};
    const char *const incr[] = {"INCR", "counter"};
    const char *const set[] = {"SET", "again", "1"};
    const corio_redis_command commands[3] = {
        {.argc = 2, .argv = get},
        {.argc = 2, .argv = incr},
        {.argc = 3, .argv = set, .repeat = CORIO_REDIS_REPEAT},
    };
    corio_redis_reply replies[3];
    corio_request requests[3];
    for (int i = 0; i < 3; i++)
        requests[i] = corio_redis_ask(world->dispatcher, &commands[i], &replies[i]);
    corio_io_all(requests, 3);
    for (int i = 0; i < 3; i++) {
        world->status[i] = requests[i].status;
        corio_redis_release(&replies[i]);
    }
    return 0;
}

static void after_a_restart_only_unrepeatable_writes_are_unknown(void **state)
{
    (void)state;
    struct world world;
    corio_redis_options options = unix_options;
    options.connections = 1;
    open_world(&world, &options, 2);
    run_over_a_restart(&world, read_write_and_repeat);
    assert_int_equal(world.status[0], 0);
    assert_int_equal(world.status[1], CORIO_REDIS_EUNKNOWN);
    assert_int_equal(world.status[2], 0);
    assert_int_equal(stats_of(&world).lost, 1);
    assert_int_equal(stats_of(&world).connects, 2);
    assert_int_equal(stats_of(&world).retries, 2);
    close_world(&world);
}

static int count_up(void *arg)
{
    struct world *world = arg;
    const char *const incr[] = {"INCR", "counter"};
    const corio_redis_command command = {.argc = 2, .argv = incr};
    corio_redis_reply replies[4];
    corio_request requests[4];
    for (int i = 0; i < 4; i++)
        requests[i] = corio_redis_ask(world->dispatcher, &command, &replies[i]);
    corio_io_all(requests, 4);
    for (int i = 0; i < 4; i++) {
        world->status[i] = requests[i].status;
        corio_redis_release(&replies[i]);
    }
    return 0;
}

static void writes_that_were_not_sent_are_done_once(void **state)
{
    (void)state;
    struct world world;
    corio_redis_options options = unix_options;
    options.connections = 1;
    options.pipeline = 1;
    open_world(&world, &options, 2);
    run_over_a_restart(&world, count_up);
    assert_int_equal(world.status[0], CORIO_REDIS_EUNKNOWN);
    for (int i = 1; i < 4; i++)
        assert_int_equal(world.status[i], 0);
    redisContext *context = side_connection();
    redisReply *reply = redisCommand(context, "GET counter");
    assert_int_equal(atoi(reply->str), 3);
    freeReplyObject(reply);
    redisFree(context);
    close_world(&world);
}

static int reads_in_rounds(void *arg)
{
    const struct getting *getting = arg;
    char key[16];
    snprintf(key, sizeof key, "k%d", getting->number % KEYS);
    for (int i = 0; i < 5; i++) {
        corio_redis_reply reply;
        int rc = corio_redis_get(getting->world->dispatcher, key, &reply);
        corio_redis_release(&reply);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int many_read_in_rounds(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        struct getting getting = {arg, i};
        corio_go_copy(reads_in_rounds, &getting, sizeof getting);
    }
    return corio_wait();
}

static void reads_survive_a_restart(void **state)
{
    (void)state;
    static const unsigned workers[] = {1, 2, 8};
    for (int i = 0; i < 3; i++) {
        struct world world;
        fill_server();
        open_world(&world, &unix_options, workers[i]);
        run_over_a_restart(&world, many_read_in_rounds);
        assert_int_equal(stats_of(&world).requests, 10001);
        close_world(&world);
    }
}

static int get_last(void *arg)
{
    struct world *world = arg;
    corio_redis_reply reply;
    char key[16], value[16];
    snprintf(key, sizeof key, "k%d", KEYS - 1);
    snprintf(value, sizeof value, "v%d", KEYS - 1);
    int rc = corio_redis_get(world->dispatcher, key, &reply);
    if (rc == 0 && !is_text(&reply, value))
        rc = -EBADMSG;
    corio_redis_release(&reply);
    return rc;
}

static void a_server_that_loads_is_asked_again(void **state)
{
    (void)state;
    struct world world;
    char path[128];
    fill_server();
    redisContext *context = side_connection();
    for (int i = 0; i < 2000; i++)
        freeReplyObject(redisCommand(context, "SET filler%d %0100d", i, i));
    freeReplyObject(redisCommand(context, "SAVE"));
    redisFree(context);
    unlink(the.socket);
    server_end(&the.process, SIGKILL);
    assert_int_equal(start_server_until("Server initialized", true), 0);
    open_world(&world, &unix_options, 1);
    assert_int_equal(corio_run(world.runtime, get_last, &world), 0);
    assert_true(stats_of(&world).retries > 0);
    close_world(&world);
    snprintf(path, sizeof path, "%s/dump.rdb", the.directory);
    unlink(path);
}

/* -- Timeouts -- */

static int wait_in_vain(void *arg)
{
    struct world *world = arg;
    const char *const get[] = {"GET", "k1"};
    const char *const incr[] = {"INCR", "counter"};
    const corio_redis_command commands[2] = {
        {.argc = 2, .argv = get, .timeout_ns = 5 * ms},
        {.argc = 2, .argv = incr, .timeout_ns = 300 * ms},
    };
    corio_redis_reply replies[2];
    corio_request requests[2];
    for (int i = 0; i < 2; i++)
        requests[i] = corio_redis_ask(world->dispatcher, &commands[i], &replies[i]);
    corio_io_all(requests, 2);
    for (int i = 0; i < 2; i++)
        world->status[i] = requests[i].status;
    kill(the.process.pid, SIGCONT);
    return ping(arg);
}

static void a_timeout_ends_its_request_only(void **state)
{
    (void)state;
    struct world world;
    fill_server();
    open_world(&world, &unix_options, 2);
    assert_int_equal(corio_run(world.runtime, ping, &world), 0);
    kill(the.process.pid, SIGSTOP);
    assert_int_equal(corio_run(world.runtime, wait_in_vain, &world), 0);
    assert_int_equal(world.status[0], -ETIMEDOUT);
    assert_int_equal(world.status[1], CORIO_REDIS_EUNKNOWN);
    assert_int_equal(stats_of(&world).timeouts, 2);
    close_world(&world);
}

static int block_beside_others(void *arg)
{
    struct world *world = arg;
    const char *const blpop[] = {"BLPOP", "empty", "0"};
    const char *const get[] = {"GET", "k1"};
    const corio_redis_command commands[2] = {
        {.argc = 3, .argv = blpop, .timeout_ns = 5 * ms},
        {.argc = 2, .argv = get},
    };
    corio_redis_reply replies[2];
    corio_request requests[2];
    for (int i = 0; i < 2; i++)
        requests[i] = corio_redis_ask(world->dispatcher, &commands[i], &replies[i]);
    corio_io_all(requests, 2);
    for (int i = 0; i < 2; i++) {
        world->status[i] = requests[i].status;
        corio_redis_release(&replies[i]);
    }
    return 0;
}

/* The other connection is free: a command that blocks is on one of two. */
static void a_blocking_command_leaves_other_connections_alone(void **state)
{
    (void)state;
    struct world world;
    fill_server();
    open_world(&world, &unix_options, 1);
    assert_int_equal(corio_run(world.runtime, block_beside_others, &world), 0);
    /* On a busy machine its time may be up before there is a connection. */
    assert_true(world.status[0] == CORIO_REDIS_EUNKNOWN || world.status[0] == -ETIMEDOUT);
    assert_int_equal(world.status[1], 0);
    close_world(&world);
}

/* -- No server, or not for us -- */

static void no_server_is_an_error_until_there_is_one(void **state)
{
    (void)state;
    struct world world;
    corio_redis_options options = unix_options;
    options.retries = 2;
    open_world(&world, &options, 2);
    server_end(&the.process, SIGKILL);
    assert_int_equal(corio_run(world.runtime, ping, &world), -ECONNREFUSED);
    assert_int_equal(corio_run(world.runtime, many_read_in_rounds, &world), -ECONNREFUSED);
    assert_int_equal(start_server(), 0);
    assert_int_equal(corio_run(world.runtime, ping, &world), 0);
    close_world(&world);
}

static void a_refused_greeting_is_an_error(void **state)
{
    (void)state;
    struct world world;
    corio_redis_options options = unix_options;
    options.retries = 1;
    options.password = "secret";
    open_world(&world, &options, 1);
    assert_int_equal(corio_run(world.runtime, ping, &world), -EACCES);
    close_world(&world);
    options.password = NULL;
    options.database = 999;
    open_world(&world, &options, 1);
    assert_int_equal(corio_run(world.runtime, ping, &world), -EACCES);
    close_world(&world);
}

static int set_in_database(void *arg)
{
    struct world *world = arg;
    return corio_redis_set(world->dispatcher, "here", "1", 1);
}

static void it_greets_with_user_password_and_database(void **state)
{
    (void)state;
    struct world world;
    corio_redis_options options = {.size = sizeof options,
                                   .port = the.port,
                                   .user = "somebody",
                                   .password = "secret",
                                   .database = 3};
    fill_server();
    say("ACL SETUSER somebody on >secret ~* +@all");
    open_world(&world, &options, 1);
    assert_int_equal(corio_run(world.runtime, set_in_database, &world), 0);
    assert_int_equal(info("keyspace", "db3:keys="), 1);
    close_world(&world);
    say("ACL DELUSER somebody");
}

static void limits_are_kept(void **state)
{
    (void)state;
    struct world world;
    corio_redis_options options = unix_options;
    options.max_batch = 100;
    options.max_in_flight = 200;
    fill_server();
    open_world(&world, &options, 2);
    assert_int_equal(corio_run(world.runtime, get_from_many, &world), 0);
    assert_int_equal(stats_of(&world).requests, TASKS);
    assert_true(stats_of(&world).largest_batch <= 100);
    close_world(&world);
}

/* -- Recordings -- */

/* All that a reply says, as text. */
static void print_reply(FILE *to, const redisReply *reply)
{
    fprintf(to, "%d:%lld:", reply->type, reply->integer);
    if (reply->str)
        fwrite(reply->str, 1, reply->len, to);
    fputc('[', to);
    for (size_t i = 0; i < reply->elements; i++)
        print_reply(to, reply->element[i]);
    fputc(']', to);
}

static int say_all(void *arg)
{
    struct world *world = arg;
    FILE *said = world->said;
    static const char *const commands[][6] = {
        {"SET", "n", "7"},
        {"INCR", "n"},
        {"GET", "n"},
        {"GET", "k1"},
        {"GET", "absent"},
        {"LPUSH", "k1", "not a list"},
        {"EVAL", "return {1, {'a', {}, 'b'}, false, 'c\\r\\nd', -5, {ok = 'fine'}}", "0"},
        {"ECHO", ""},
        {"NONSENSE"},
    };
    enum { count = sizeof commands / sizeof *commands };
    for (int i = 0; i < count; i++) {
        corio_redis_reply reply;
        int argc = 0;
        while (argc < 6 && commands[i][argc])
            argc++;
        int rc = call(world, argc, commands[i], &reply);
        fprintf(said, "%d ", rc);
        if (reply.reply)
            print_reply(said, reply.reply);
        corio_redis_release(&reply);
    }
    return get_from_many(arg);
}

static void a_replay_needs_no_server(void **state)
{
    (void)state;
    char path[96], *said[2];
    size_t bytes[2];
    snprintf(path, sizeof path, "%s/recording", the.directory);
    fill_server();
    for (int replay = 0; replay < 2; replay++) {
        struct world world;
        corio_redis_options options = unix_options;
        options.fold = true;
        options.unix_path = replay ? "/nowhere/at/all" : the.socket;
        setenv(replay ? "CORIO_REPLAY" : "CORIO_RECORD", path, 1);
        open_world(&world, &options, 1 + (unsigned)replay);
        unsetenv(replay ? "CORIO_REPLAY" : "CORIO_RECORD");
        world.said = open_memstream(&said[replay], &bytes[replay]);
        assert_int_equal(corio_run(world.runtime, say_all, &world), 0);
        fclose(world.said);
        assert_int_equal(stats_of(&world).requests == 0, replay);
        close_world(&world);
    }
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(said[0], said[1], bytes[0]);
    assert_non_null(strstr(said[0], "1:0:b["));
    free(said[0]);
    free(said[1]);
    unlink(path);
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    corio_redis *redis;
    const corio_redis_options bad[] = {
        {.size = 1},
        {.size = sizeof *bad, .port = 65536},
        {.size = sizeof *bad, .connections = 65},
        {.size = sizeof *bad, .database = -1},
        {.size = sizeof *bad, .user = "without a password"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(corio_redis_create(&bad[i], &redis), -EINVAL);
    assert_int_equal(corio_redis_create(NULL, NULL), -EINVAL);
    corio_redis_destroy(NULL);
    corio_redis_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_tasks_get_their_values),
        cmocka_unit_test(stats_of_an_older_program_are_filled_as_far_as_they_go),
        cmocka_unit_test(the_last_of_folded_sets_counts),
        cmocka_unit_test(any_command_is_answered),
        cmocka_unit_test(an_error_reaches_its_request_only),
        cmocka_unit_test(codes_have_words),
        cmocka_unit_test(replies_outlive_the_pool),
        cmocka_unit_test(after_a_restart_only_unrepeatable_writes_are_unknown),
        cmocka_unit_test(writes_that_were_not_sent_are_done_once),
        cmocka_unit_test(reads_survive_a_restart),
        cmocka_unit_test(a_server_that_loads_is_asked_again),
        cmocka_unit_test(a_timeout_ends_its_request_only),
        cmocka_unit_test(a_blocking_command_leaves_other_connections_alone),
        cmocka_unit_test(no_server_is_an_error_until_there_is_one),
        cmocka_unit_test(a_refused_greeting_is_an_error),
        cmocka_unit_test(it_greets_with_user_password_and_database),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(a_replay_needs_no_server),
    };
    strcpy(the.directory, "/tmp/corio-redis-XXXXXX");
    if (!mkdtemp(the.directory))
        return 1;
    snprintf(the.socket, sizeof the.socket, "%s/socket", the.directory);
    int rc = start_server();
    if (rc == 0) {
        rc = cmocka_run_group_tests(tests, NULL, NULL);
        server_end(&the.process, SIGKILL);
    } else {
        printf("no redis-server\n");
        rc = rc == SERVER_ABSENT ? 77 : 1;
    }
    unlink(the.socket);
    rmdir(the.directory);
    return rc;
}
