/* SPDX-License-Identifier: MIT
 *
 * pool.c - opening and closing a database, and whose turn it is on its connections.
 *
 *     start: a connection is idle -> submitted to an I/O thread;  none -> queue
 *     an I/O thread with a connection: share, next in the queue, ..., queue empty -> idle again
 *
 * Shares of an exec dispatcher come into the queue one at a time: the next batch follows when the
 * one before is answered.
 */
#include "internal.h"

#include "../options.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_CONNECTIONS = 8,
    DEFAULT_CONNECT_MS = 5000,
    DEFAULT_BATCH_MS = 30000,
    DEFAULT_RETRIES = 10,
};

static unsigned cpu_count(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : (unsigned)count;
}

/* -- Turns -- */

static void push_locked(struct cr_postgres_share ***last, struct cr_postgres_share *share)
{
    share->next = NULL;
    **last = share;
    *last = &share->next;
}

static struct cr_postgres_share *pop_locked(struct cr_postgres_share **first,
                                            struct cr_postgres_share ***last)
{
    struct cr_postgres_share *share = *first;
    if (share) {
        *first = share->next;
        if (!share->next)
            *last = first;
    }
    return share;
}

/* What this connection does next; NULL: it is idle now. */
static struct cr_postgres_share *next_share(struct cr_postgres_connection *connection)
{
    corio_postgres *database = connection->database;
    pthread_mutex_lock(&database->lock);
    struct cr_postgres_share *share = pop_locked(&database->first_share, &database->last_share);
    if (share)
        share->connection = connection;
    else
        database->idle[database->idle_count++] = connection;
    pthread_mutex_unlock(&database->lock);
    return share;
}

/* The next batch of an exec dispatcher may begin. */
static void pass_turn(struct cr_postgres_face *face)
{
    corio_postgres *database = face->database;
    pthread_mutex_lock(&database->lock);
    struct cr_postgres_share *turn = pop_locked(&face->first_turn, &face->last_turn);
    face->writing = turn != NULL;
    if (turn)
        push_locked(&database->last_share, turn);
    pthread_mutex_unlock(&database->lock);
}

/* The connection is passed on before the answers: whoever asks again at once finds it idle, and needs
 * no other. Once a share has ended it may be gone, and its plan in use again. */
static int work(void *arg, corio_batch *batch)
{
    (void)batch;
    struct cr_postgres_share *share = arg;
    struct cr_postgres_connection *connection = share->connection;
    while (share) {
        struct cr_postgres_face *face = share->plan->face;
        if (face->exec) {
            cr_postgres_exec_share(share);
            pass_turn(face);
        } else {
            cr_postgres_query_share(share);
        }
        struct cr_postgres_share *next = next_share(connection);
        cr_postgres_end_share(share);
        share = next;
    }
    return CORIO_LATER;
}

void cr_postgres_start(struct cr_postgres_share *share)
{
    struct cr_postgres_face *face = share->plan->face;
    corio_postgres *database = face->database;
    struct cr_postgres_connection *connection = NULL;
    pthread_mutex_lock(&database->lock);
    if (face->exec && face->writing)
        push_locked(&face->last_turn, share);
    else if (database->idle_count == 0)
        push_locked(&database->last_share, share);
    else
        connection = database->idle[--database->idle_count];
    face->writing = face->exec;
    pthread_mutex_unlock(&database->lock);
    if (!connection)
        return;
    share->connection = connection;
    if (corio_batch_submit(share->batch, work, share) < 0)
        work(share, share->batch);
}

/* -- Opening and closing -- */

static int fill_options(corio_postgres_options *to, const corio_postgres_options *from)
{
    if (!cr_options_take(to, sizeof *to, from, offsetof(corio_postgres_options, offline)) ||
        to->connections > CR_POSTGRES_CONNECTIONS_MAX || to->statement_timeout_ms > INT32_MAX)
        return -EINVAL;
    unsigned cpus = cpu_count();
    if (to->connections == 0)
        to->connections = cpus < DEFAULT_CONNECTIONS ? cpus : DEFAULT_CONNECTIONS;
    if (to->connect_timeout_ms == 0)
        to->connect_timeout_ms = DEFAULT_CONNECT_MS;
    if (to->batch_timeout_ms == 0)
        to->batch_timeout_ms = DEFAULT_BATCH_MS;
    if (to->retries == 0)
        to->retries = DEFAULT_RETRIES;
    to->conninfo = strdup(to->conninfo ? to->conninfo : "");
    return to->conninfo ? 0 : -ENOMEM;
}

static int check_conninfo(corio_postgres *database)
{
    char *words = NULL;
    PQconninfoOption *parsed = PQconninfoParse(database->options.conninfo, &words);
    if (words)
        cr_postgres_say(database, words);
    PQfreemem(words);
    PQconninfoFree(parsed);
    return parsed ? 0 : -EINVAL;
}

static int make_connections(corio_postgres *database)
{
    unsigned count = database->options.connections;
    database->connections = calloc(count, sizeof *database->connections);
    if (!database->connections)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++)
        database->connections[i].database = database;
    for (unsigned i = count; i-- > 0;)
        database->idle[database->idle_count++] = &database->connections[i];
    if (database->options.offline)
        return 0;
    return cr_postgres_ready(&database->connections[0], cr_postgres_deadline_ns(database), NULL);
}

static void tell_why(const corio_postgres_options *options, corio_postgres *database)
{
    if (options->message && options->message_bytes > 0)
        corio_postgres_message(database, options->message, options->message_bytes);
}

int corio_postgres_open(const corio_postgres_options *options, corio_postgres **ret_database)
{
    if (!ret_database)
        return -EINVAL;
    corio_postgres *database = calloc(1, sizeof *database);
    if (!database)
        return -ENOMEM;
    int rc = fill_options(&database->options, options);
    if (rc < 0) {
        free(database);
        return rc;
    }
    pthread_mutex_init(&database->lock, NULL);
    database->last_share = &database->first_share;
    database->random = cr_postgres_now_ns() | 1;
    rc = check_conninfo(database);
    if (rc == 0)
        rc = make_connections(database);
    if (rc < 0) {
        tell_why(options, database);
        corio_postgres_close(database);
        return rc;
    }
    *ret_database = database;
    return 0;
}

static void destroy_plans(struct cr_postgres_plan *plan)
{
    while (plan) {
        struct cr_postgres_plan *next = plan->next;
        cr_postgres_plan_destroy(plan);
        plan = next;
    }
}

void corio_postgres_close(corio_postgres *database)
{
    if (!database)
        return;
    while (database->faces) {
        struct cr_postgres_face *face = database->faces;
        database->faces = face->next;
        destroy_plans(face->spare);
        free(face);
    }
    for (unsigned i = 0; database->connections && i < database->options.connections; i++) {
        PQfinish(database->connections[i].handle);
        free(database->connections[i].ops);
    }
    for (size_t i = 0; i < database->statement_count; i++)
        free(database->statements[i].sql);
    pthread_mutex_destroy(&database->lock);
    free(database->statements);
    free(database->connections);
    free((char *)database->options.conninfo);
    free(database);
}
