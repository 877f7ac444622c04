/* SPDX-License-Identifier: MIT
 *
 * internal.h - what the files of the Redis dispatcher share.
 *
 *     batch -> work: an op per request          plan.c
 *                |
 *              units: a command each, for one op or, folded, for many
 *                |
 *     queue -> connection's in_flight -> reply  connection.c
 *       ^             |
 *       +---- lost ---+                         engine.c
 *
 * Invariants: everything but the inbox, the stats and replies in tasks' hands is the thread's alone.
 * An op is in exactly one unit until it is finished. A unit is in the queue or in flight on one
 * connection; one whose time is up stays there without ops until its reply has come or the
 * connection is closed, since replies are told apart only by their order.
 */
#ifndef CR_REDIS_INTERNAL_H
#define CR_REDIS_INTERNAL_H

#include "../kept.h"

#include <corio/redis.h>

struct cr_redis_work;

/* One request on its way. */
struct cr_redis_op {
    struct cr_redis_op *next; /* of the same unit */
    struct cr_redis_work *work;
    const corio_redis_command *command;
    corio_redis_reply *output; /* NULL: not wanted */
    uint32_t index;            /* in the batch */
    uint32_t element;          /* which of an MGET's values is its own */
};

/* A batch. */
struct cr_redis_work {
    struct cr_kept kept;
    uint64_t handed_ns;
    struct cr_redis_op ops[];
};

enum cr_redis_form {
    CR_REDIS_SINGLE,
    CR_REDIS_MGET,
    CR_REDIS_MSET,
    CR_REDIS_HELLO, /* AUTH or SELECT of the connection itself */
};

/* A command on its way. */
struct cr_redis_unit {
    struct cr_redis_unit *next;
    struct cr_redis_op *ops; /* NULL: nobody waits for the reply any more */
    size_t op_count;
    char *text; /* in Redis's protocol */
    size_t bytes;
    enum cr_redis_form form;
    bool repeatable;
    unsigned sends;
    size_t elements; /* of an MGET */
    uint64_t deadline_ns;
    uint64_t start; /* its first byte in all that was written to its connection */
};

struct cr_redis_list {
    struct cr_redis_unit *first;
    struct cr_redis_unit **last;
    size_t count;
};

enum cr_redis_state { CR_REDIS_DOWN, CR_REDIS_CONNECTING, CR_REDIS_GREETING, CR_REDIS_READY };

struct cr_redis_connection {
    redisContext *context; /* NULL: down */
    enum cr_redis_state state;
    struct cr_redis_list in_flight;
    size_t live;       /* of these, those somebody waits for, or HELLOs */
    uint64_t appended; /* bytes of commands since it was connected */
    bool replied;      /* to a command: it is a connection that works */
    unsigned failures; /* connections in a row that came to nothing */
    uint64_t retry_ns; /* when the next is due */
    uint64_t connect_deadline_ns;
    unsigned loading;  /* replies in a row that the server is loading its data */
    uint64_t pause_ns; /* no command before; 0: now */
    bool draining;     /* a reply is overdue: no further commands, and closed when nobody waits */
};

struct corio_redis {
    corio_redis_options options; /* all defaults filled in; strings are our own copies */
    struct cr_inbox inbox;
    pthread_t thread;
    bool has_thread;
    int wake_fd;
    pthread_mutex_t lock; /* of stats */
    corio_redis_stats stats;

    /* The thread's own. */
    struct cr_kept *works;
    struct cr_redis_list queue;
    struct cr_redis_connection *connections;
    uint64_t next_deadline_ns; /* no unit's is earlier */
    uint64_t random;
    int connect_error;
};

static inline void cr_redis_count(corio_redis *redis, uint64_t *counter, uint64_t n)
{
    pthread_mutex_lock(&redis->lock);
    *counter += n;
    pthread_mutex_unlock(&redis->lock);
}

/* command.c */
bool cr_redis_only_reads(const corio_redis_command *command);
/* Whether it is plain `GET key` (2 arguments) or `SET key value` (3). */
bool cr_redis_is_plain(const corio_redis_command *command, const char *name, int argc);
size_t cr_redis_arg_bytes(const corio_redis_command *command, int i);

/* plan.c: puts the units of a new batch into the queue; those without memory are finished. */
void cr_redis_plan(corio_redis *redis, struct cr_redis_work *work);
struct cr_redis_unit *cr_redis_unit_create(enum cr_redis_form form, int argc, const char **argv,
                                           const size_t *argv_bytes);
void cr_redis_unit_destroy(struct cr_redis_unit *unit);
void cr_redis_list_init(struct cr_redis_list *list);
void cr_redis_list_push(struct cr_redis_list *list, struct cr_redis_unit *unit);
struct cr_redis_unit *cr_redis_list_pop(struct cr_redis_list *list);

/* reply.c: finishes a unit's ops. With status 0 and a reply (taken), the reply decides. */
void cr_redis_finish(struct cr_redis_unit *unit, int status, redisReply *reply);

/* saved.c: for recordings. */
corio_save_fn cr_redis_save;
corio_restore_fn cr_redis_restore;
/* reply.c: a reply (taken) for one task; false: no memory. */
bool cr_redis_give(corio_redis_reply *to, redisReply *reply);

/* connection.c: each may lose the connection. */
void cr_redis_connect(corio_redis *redis, struct cr_redis_connection *connection);
void cr_redis_send(corio_redis *redis, struct cr_redis_connection *connection,
                   struct cr_redis_unit *unit);
void cr_redis_flush(corio_redis *redis, struct cr_redis_connection *connection);
void cr_redis_on_ready(corio_redis *redis, struct cr_redis_connection *connection, short events);
short cr_redis_events(const struct cr_redis_connection *connection);
/* Ends a connection: its commands go back into the queue or fail. */
void cr_redis_lose(corio_redis *redis, struct cr_redis_connection *connection, int error);

/* engine.c */
void *cr_redis_main(void *arg);

#endif
