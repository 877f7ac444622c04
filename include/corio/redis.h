/* SPDX-License-Identifier: MIT
 *
 * redis.h - a dispatcher for Redis, over hiredis: a library of its own, libcorio-redis.
 *
 * A corio_redis is a small pool of connections to one server and the thread that serves them. The
 * commands of a batch are shared out among the connections and pipelined: they are written without
 * waiting for replies.
 *
 *     tasks --batch--> thread --+-> connection: c c c c ->  server
 *       ^                       +-> connection: c c c c ->
 *       +-- replies, in slices as they come: whole batches, or parts after linger_ns
 *
 * Folding (`fold`): the GETs of a batch become MGETs in which each key stands once, the SETs MSETs.
 * It is for plain `GET key` and `SET key value` with the default timeout. Where it shows: GET of a
 * key that holds no string gives nil instead of an error; of several SETs of a key the last in
 * spawn order counts; an error of an MSET is the error of all its SETs.
 *
 * Order: the commands of a batch are made at once, on several connections. A task that needs an
 * order asks one after the other. Blocking commands (BLPOP, WAIT) hold up those behind them on their
 * connection: give them a corio_redis of their own. Commands that change the connection (SELECT,
 * SUBSCRIBE, MULTI, CLIENT REPLY) must not be used.
 *
 * A server that is still loading its data is asked again until the command's time is up. Lost
 * connections are made again, with growing, jittered delays. Commands that were not written
 * yet, and those that may be done twice, are sent again, at most `retries` times. Any other command
 * has an unknown outcome then and gets CORIO_REDIS_EUNKNOWN: it was done once or not at all.
 *
 * Errors: CORIO_REDIS_EREPLY the server answered with an error: the reply has its words;
 * CORIO_REDIS_EUNKNOWN; -ETIMEDOUT (a command that may not be repeated was not done then, else the code
 * is CORIO_REDIS_EUNKNOWN); -ECONNREFUSED, -ENOENT and the like no connection can be made;
 * -EACCES user or password are refused, or there is no such database; -ECONNRESET the connection was
 * lost, time and again; -EPROTO no Redis server; -EINVAL not a command; -ENOMEM.
 */
#ifndef CORIO_REDIS_H
#define CORIO_REDIS_H

#include <corio/io.h>

#include <hiredis/hiredis.h>

CORIO_BEGIN_DECLS

typedef struct corio_redis corio_redis;

/* name, value, text: codes beside those of error.h. */
#define CORIO_REDIS_ERRORS(X)                                                                      \
    X(CORIO_REDIS_EREPLY, -4353, "the Redis server answered with an error")                        \
    X(CORIO_REDIS_EUNKNOWN, -4354,                                                                 \
      "the command was sent, but whether the Redis server has done it is unknown")

enum corio_redis_error_code {
#define CORIO_REDIS_ENUMERATOR(name, value, text) name = value,
    CORIO_REDIS_ERRORS(CORIO_REDIS_ENUMERATOR)
#undef CORIO_REDIS_ENUMERATOR
};

/* corio_redis_strerror: as corio_strerror, with the codes above. Suspends: never. Thread: any. */
CORIO_API const char *corio_redis_strerror(int code);

/* Whether a command may be sent a second time if its first outcome is unknown. */
typedef enum corio_redis_repeat {
    CORIO_REDIS_BY_NAME = 0, /* yes if it is known to only read (GET, HGETALL, LRANGE, ...) */
    CORIO_REDIS_REPEAT = 1,  /* yes: it reads, or doing it twice does no harm */
    CORIO_REDIS_ONCE = 2,    /* no */
} corio_redis_repeat;

/* A request. All it points to is borrowed until it is answered. */
typedef struct corio_redis_command {
    int argc;
    const char *const *argv;  /* the command's name, and its arguments */
    const size_t *argv_bytes; /* their lengths; NULL: they are strings */
    corio_redis_repeat repeat;
    uint64_t timeout_ns; /* from the hand-over on; 0: the dispatcher's default */
} corio_redis_command;

/* What a request gives. It is filled after 0 and after CORIO_REDIS_EREPLY, and released with
 * corio_redis_release; after other errors, and if it was released, `reply` is NULL. Several tasks
 * may have parts of one reply: it is read only. */
typedef struct corio_redis_reply {
    const redisReply *reply;
    void *reserved;
} corio_redis_reply;

/* Options of a pool. Set `size` to sizeof(corio_redis_options) and leave the rest zero for the
 * defaults. Strings are copied. */
typedef struct corio_redis_options {
    size_t size;
    const char *host; /* NULL: 127.0.0.1; a name is looked up by the thread, which waits for it */
    int port;         /* 0: 6379 */
    const char *unix_path; /* a unix socket instead of host and port */
    const char *user;      /* for AUTH; NULL: the default user */
    const char *password;  /* NULL: no AUTH */
    int database;          /* for SELECT */
    unsigned connections;  /* 1 to 64; 0: 2 */
    unsigned pipeline;     /* most commands unanswered on a connection; 0: 4,096 */
    bool fold;             /* GETs into MGETs, SETs into MSETs */
    unsigned retries;      /* further sends of a command, and further tries to connect; 0: 3 */
    uint64_t timeout_ns;   /* default of commands; 0: 5 s */
    uint64_t connect_timeout_ns; /* of one try; 0: 2 s */
    uint64_t backoff_ns; /* first delay between tries to connect, doubled each time; 0: 10 ms */
    uint64_t most_backoff_ns; /* 0: 1 s */
    uint64_t linger_ns;       /* most that a reply waits for its batch to become whole; 0: 1 ms */
    size_t max_batch;         /* see corio_dispatcher_options */
    size_t max_in_flight;     /* see corio_dispatcher_options */
} corio_redis_options;

/* corio_redis_create: makes a pool and its thread. Connections are made when commands come.
 *
 * options: borrowed for the call; NULL for all defaults. ret_redis: given; release it with
 * corio_redis_destroy. Suspends: never. Thread: any. Errors: -EINVAL an option is out of range;
 * -ENOMEM; -EAGAIN a thread cannot be made; -EMFILE, -ENFILE too many files. */
CORIO_API int corio_redis_create(const corio_redis_options *options,
                                 corio_redis **ret_redis) CORIO_MUST_CHECK;

/* corio_redis_destroy: closes the connections and ends the thread. NULL is ignored. Replies may be
 * released later.
 *
 * redis: taken; runtimes that have its dispatcher must have been destroyed before. Suspends: never.
 * Thread: any. */
CORIO_API void corio_redis_destroy(corio_redis *redis);

/* corio_redis_add: adds the pool's dispatcher to a runtime that is not running. Several runtimes may
 * share a pool.
 *
 * ret_dispatcher: borrowed, lives as long as the runtime. Suspends: never. Thread: any, outside of
 * runs. Errors: as corio_dispatcher_add. */
CORIO_API int corio_redis_add(corio_redis *redis, corio_runtime *runtime,
                              corio_dispatcher **ret_dispatcher) CORIO_MUST_CHECK;

/* Figures of a pool, since it was created. */
typedef struct corio_redis_stats {
    size_t size;       /* set by the caller to sizeof(corio_redis_stats) */
    uint64_t batches;  /* batches handed over */
    uint64_t requests; /* requests in them */
    uint64_t commands; /* commands sent, those sent again too */
    uint64_t folded;   /* requests that went out within an MGET or MSET */
    uint64_t sends;    /* system calls that wrote commands */
    uint64_t connects; /* connections made */
    uint64_t lost;     /* connections lost or given up */
    uint64_t retries;  /* commands sent again */
    uint64_t timeouts; /* commands whose time was up */
    uint64_t largest_batch;
    uint64_t smallest_batch;
    uint64_t unique; /* requests left when those folded that have one key are counted once */
} corio_redis_stats;

/* corio_redis_get_stats: fills *stats, whose size field the caller has set; the fields that it has
 * room for.
 *
 * Suspends: never. Thread: any. Errors: -EINVAL a bad pointer or size. */
CORIO_API int corio_redis_get_stats(corio_redis *redis, corio_redis_stats *stats);

/* corio_redis_call: sends a command and suspends until its reply is there.
 *
 * command: borrowed. ret_reply: given, see corio_redis_reply; NULL: not wanted. Suspends: always.
 * Thread: a task only. Errors: as above, and those of corio_io. */
CORIO_API int corio_redis_call(corio_dispatcher *dispatcher, const corio_redis_command *command,
                               corio_redis_reply *ret_reply);

/* corio_redis_ask: one of several requests for corio_io_all; command and reply are borrowed until it
 * returns. Suspends: never. Thread: any. */
CORIO_API corio_request corio_redis_ask(corio_dispatcher *dispatcher,
                                        const corio_redis_command *command,
                                        corio_redis_reply *reply);

/* corio_redis_get: GET of a key that is a string. corio_redis_set: SET. Both as corio_redis_call.
 *
 * ret_reply: given. value: `bytes` bytes, borrowed. Suspends: always. Thread: a task only. Errors: as
 * corio_redis_call. */
CORIO_API int corio_redis_get(corio_dispatcher *dispatcher, const char *key,
                              corio_redis_reply *ret_reply);
CORIO_API int corio_redis_set(corio_dispatcher *dispatcher, const char *key, const void *value,
                              size_t bytes);

/* corio_redis_release: releases a reply (taken); one that is empty, or NULL, is ignored.
 * Suspends: never. Thread: any. */
CORIO_API void corio_redis_release(corio_redis_reply *reply);

CORIO_END_DECLS

#endif
