/* SPDX-License-Identifier: MIT
 *
 * pipeline.c - sends many commands through one connection and takes their results meanwhile.
 *
 *     ops        R R R S R R S          R: request, S: sync point
 *     sent           -------^           queued in libpq, flushed as far as the socket takes it
 *     received   ---^                   results come in the order of the ops
 *
 * Both ends move at once: a client that only sends would stop for ever when the server, with nobody
 * reading its answers, stops reading. So the socket is non-blocking, and poll(2) waits for
 * whichever side can move, up to the deadline.
 *
 * libpq gives a command's results, then a NULL; a sync point's result has no NULL behind it.
 */
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { AT_ONCE = 256 /* ops queued between looks at the socket */ };

struct progress {
    struct cr_postgres_connection *connection;
    const struct cr_postgres_user *user;
    uint64_t deadline_ns;
    size_t sent;
    size_t received;
    PGresult *result; /* of the command at `received`, until its NULL comes */
    bool blocked;     /* libpq has bytes that the socket does not take */
    bool strayed;     /* a NULL came that belongs to no command; twice in a row is a confusion */
};

uint64_t cr_postgres_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t cr_postgres_deadline_ns(const corio_postgres *database)
{
    return cr_postgres_now_ns() + (uint64_t)database->options.batch_timeout_ms * 1000000;
}

int cr_postgres_op(struct cr_postgres_connection *connection, enum cr_postgres_op_kind kind,
                   uint32_t item)
{
    if (connection->op_count == connection->op_capacity) {
        size_t capacity = connection->op_capacity ? 2 * connection->op_capacity : 64;
        struct cr_postgres_op *ops = realloc(connection->ops, capacity * sizeof *ops);
        if (!ops)
            return -ENOMEM;
        connection->ops = ops;
        connection->op_capacity = capacity;
    }
    connection->ops[connection->op_count++] = (struct cr_postgres_op){kind, item};
    return 0;
}

/* -- Sending -- */

static int send_text(PGconn *handle, const char *sql)
{
    return PQsendQueryParams(handle, sql, 0, NULL, NULL, NULL, NULL, 0);
}

static int send_command(struct cr_postgres_connection *connection, const struct cr_postgres_op *op)
{
    static const char *const texts[] = {
        [CR_POSTGRES_BEGIN] = "BEGIN",
        [CR_POSTGRES_SAVE] = "SAVEPOINT corio",
        [CR_POSTGRES_RELEASE] = "RELEASE SAVEPOINT corio",
        [CR_POSTGRES_UNDO] = "ROLLBACK TO SAVEPOINT corio",
        [CR_POSTGRES_COMMIT] = "COMMIT",
        [CR_POSTGRES_ROLLBACK] = "ROLLBACK",
    };
    const struct cr_postgres_statement *statement;
    char text[64];
    switch (op->kind) {
    case CR_POSTGRES_SYNC:
        return PQpipelineSync(connection->handle);
    case CR_POSTGRES_FLUSH:
        return PQsendFlushRequest(connection->handle);
    case CR_POSTGRES_PREPARE:
        statement = &connection->database->statements[op->item];
        return PQsendPrepare(connection->handle, statement->name, statement->sql,
                             statement->type ? 1 : 0, &statement->type);
    case CR_POSTGRES_TIMEOUT:
        snprintf(text, sizeof text, "SET statement_timeout = %u", op->item);
        return send_text(connection->handle, text);
    default:
        return send_text(connection->handle, texts[op->kind]);
    }
}

static int send_op(struct progress *progress, struct cr_postgres_op *op)
{
    const struct cr_postgres_user *user = progress->user;
    if (op->kind != CR_POSTGRES_REQUEST)
        return send_command(progress->connection, op) ? 0 : -ECONNRESET;
    int rc = user->send(user->self, progress->connection, op->item);
    if (rc > 0)
        op->kind = CR_POSTGRES_NOTHING;
    return rc < 0 ? rc : 0;
}

static int send_some(struct progress *progress)
{
    struct cr_postgres_connection *connection = progress->connection;
    size_t end = progress->sent + AT_ONCE;
    if (end > connection->op_count)
        end = connection->op_count;
    while (!progress->blocked && progress->sent < end) {
        int rc = send_op(progress, &connection->ops[progress->sent]);
        if (rc < 0)
            return rc;
        progress->sent++;
    }
    int flushed = PQflush(connection->handle);
    progress->blocked = flushed > 0;
    return flushed < 0 ? -ECONNRESET : 0;
}

/* -- Receiving -- */

/* The server ends a session with an error of severity FATAL, or without a word. */
static bool is_end(const PGconn *handle, const PGresult *result)
{
    if (PQresultStatus(result) != PGRES_FATAL_ERROR)
        return false;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return PQstatus(handle) == CONNECTION_BAD ||
           (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0));
}

static void pass_on(struct progress *progress, const struct cr_postgres_op *op)
{
    PGresult *result = progress->result;
    progress->result = NULL;
    progress->received++;
    if (op->kind == CR_POSTGRES_SYNC)
        PQclear(result);
    else
        progress->user->take(progress->user->self, op, result);
}

/* One look at what libpq has: a result, or the NULL behind it. */
static int receive_one(struct progress *progress, const struct cr_postgres_op *op)
{
    PGconn *handle = progress->connection->handle;
    PGresult *result = PQgetResult(handle);
    if (result && is_end(handle, result)) {
        cr_postgres_say(progress->connection->database, PQresultErrorMessage(result));
        PQclear(result);
        return -ECONNRESET;
    }
    if (!result && !progress->result) {
        bool lost = progress->strayed || PQstatus(handle) == CONNECTION_BAD;
        progress->strayed = true;
        return lost ? -ECONNRESET : 0;
    }
    progress->strayed = false;
    if (result) {
        PQclear(progress->result);
        progress->result = result;
    }
    if (!result || op->kind == CR_POSTGRES_SYNC)
        pass_on(progress, op);
    return 0;
}

static int receive_some(struct progress *progress)
{
    while (progress->received < progress->sent) {
        const struct cr_postgres_op *op = &progress->connection->ops[progress->received];
        if (op->kind == CR_POSTGRES_NOTHING || op->kind == CR_POSTGRES_FLUSH) {
            progress->received++;
            continue;
        }
        if (PQisBusy(progress->connection->handle))
            return 0;
        int rc = receive_one(progress, op);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* -- Both -- */

int cr_postgres_wait(const PGconn *handle, short events, uint64_t deadline_ns)
{
    uint64_t now = cr_postgres_now_ns();
    if (now >= deadline_ns)
        return -ETIMEDOUT;
    uint64_t ms = (deadline_ns - now) / 1000000 + 1;
    struct pollfd socket = {.fd = PQsocket(handle), .events = events};
    int ready = poll(&socket, 1, ms < INT_MAX ? (int)ms : INT_MAX);
    if (ready < 0)
        return errno == EINTR ? 0 : -ECONNRESET;
    return ready > 0 ? socket.revents : 0;
}

static int wait_for_socket(struct progress *progress)
{
    PGconn *handle = progress->connection->handle;
    bool send = progress->blocked || progress->sent < progress->connection->op_count;
    short events = send ? POLLIN | POLLOUT : POLLIN;
    int ready = cr_postgres_wait(handle, events, progress->deadline_ns);
    if (ready < 0)
        return ready;
    return !(ready & ~POLLOUT) || PQconsumeInput(handle) ? 0 : -ECONNRESET;
}

static int advance(struct progress *progress)
{
    int rc = 0;
    while (rc == 0 && progress->received < progress->connection->op_count) {
        rc = send_some(progress);
        if (rc == 0)
            rc = receive_some(progress);
        if (rc == 0 && progress->received < progress->connection->op_count)
            rc = wait_for_socket(progress);
    }
    return rc;
}

int cr_postgres_pipeline(struct cr_postgres_connection *connection,
                         const struct cr_postgres_user *user, uint64_t deadline_ns)
{
    struct progress progress = {.connection = connection, .user = user, .deadline_ns = deadline_ns};
    int rc = advance(&progress);
    PQclear(progress.result);
    connection->op_count = 0;
    if (rc < 0) {
        if (rc == -ECONNRESET)
            cr_postgres_say(connection->database, PQerrorMessage(connection->handle));
        cr_postgres_drop(connection);
    }
    return rc;
}
