/* SPDX-License-Identifier: MIT
 *
 * connection.c - making a connection, and making it ready: pipeline mode, session settings, prepared
 * statements.
 *
 *     none --connect--> blocking mode --opened()--> pipeline mode --prepare--> ready
 *       ^                                                                        |
 *       +------------------------------- drop -----------------------------------+
 *
 * There is no reset: a lost connection is dropped, and the next share that gets it makes another.
 * Nobody sleeps here between attempts: the requests are put off (plan.c), and the next attempt comes
 * with them.
 */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

void cr_postgres_drop(struct cr_postgres_connection *connection)
{
    PQfinish(connection->handle);
    connection->handle = NULL;
    connection->prepared = 0;
}

static int shake_hands(PGconn *handle, uint64_t deadline_ns)
{
    int rc = 0;
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
    while (rc == 0 && wanted != PGRES_POLLING_OK) {
        if (PQstatus(handle) == CONNECTION_BAD || wanted == PGRES_POLLING_FAILED)
            return PQconnectionNeedsPassword(handle) || PQconnectionUsedPassword(handle)
                       ? -EACCES
                       : -ECONNREFUSED;
        rc = cr_postgres_wait(handle, wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                              deadline_ns);
        if (rc > 0)
            wanted = PQconnectPoll(handle);
        rc = rc < 0 ? rc : 0;
    }
    return rc;
}

static int begin_session(corio_postgres *database, PGconn *handle)
{
    const corio_postgres_options *options = &database->options;
    PQsetNoticeReceiver(handle, ignore_notice, NULL);
    int rc = options->opened ? options->opened(options->self, handle) : 0;
    if (rc < 0)
        return rc;
    if (PQsetnonblocking(handle, 1) != 0 || !PQenterPipelineMode(handle))
        return -ECONNRESET;
    return 0;
}

static int connect_once(struct cr_postgres_connection *connection, uint64_t deadline_ns)
{
    corio_postgres *database = connection->database;
    const char *const names[] = {"dbname", "fallback_application_name", NULL};
    const char *const values[] = {database->options.conninfo, "corio", NULL};
    uint64_t until =
        cr_postgres_now_ns() + (uint64_t)database->options.connect_timeout_ms * 1000000;
    PGconn *handle = PQconnectStartParams(names, values, 1);
    if (!handle)
        return -ENOMEM;
    int rc = shake_hands(handle, until < deadline_ns ? until : deadline_ns);
    if (rc == 0)
        rc = begin_session(database, handle);
    if (rc < 0) {
        cr_postgres_say(database, PQerrorMessage(handle));
        PQfinish(handle);
        return rc;
    }
    connection->handle = handle;
    pthread_mutex_lock(&database->lock);
    database->connects++;
    pthread_mutex_unlock(&database->lock);
    return 0;
}

/* -- Preparing -- */

struct preparing {
    corio_postgres *database;
    int refused;
};

static void take_prepared(void *self, const struct cr_postgres_op *op, PGresult *result)
{
    (void)op;
    struct preparing *preparing = self;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool known = sqlstate && strcmp(sqlstate, "42P05") == 0; /* it has been prepared before */
    if (PQresultStatus(result) != PGRES_COMMAND_OK && !known)
        preparing->refused = cr_postgres_refused(preparing->database, result);
    PQclear(result);
}

/* Each statement has a sync point: one that is refused (its table is gone) does not keep the others
 * from being prepared; its requests will be told. */
static int prepare(struct cr_postgres_connection *connection, bool fresh, uint64_t deadline_ns,
                   int *ret_refused)
{
    corio_postgres *database = connection->database;
    struct preparing preparing = {.database = database};
    const struct cr_postgres_user user = {.take = take_prepared, .self = &preparing};
    unsigned timeout_ms = database->options.statement_timeout_ms;
    int rc = 0;
    if (fresh && timeout_ms > 0) {
        rc = cr_postgres_op(connection, CR_POSTGRES_TIMEOUT, timeout_ms);
        if (rc == 0)
            rc = cr_postgres_op(connection, CR_POSTGRES_SYNC, 0);
    }
    for (size_t i = connection->prepared; rc == 0 && i < database->statement_count; i++) {
        rc = cr_postgres_op(connection, CR_POSTGRES_PREPARE, (uint32_t)i);
        if (rc == 0)
            rc = cr_postgres_op(connection, CR_POSTGRES_SYNC, 0);
    }
    if (rc < 0) {
        connection->op_count = 0;
        return rc;
    }
    rc = cr_postgres_pipeline(connection, &user, deadline_ns);
    if (rc == 0)
        connection->prepared = database->statement_count;
    if (ret_refused)
        *ret_refused = preparing.refused;
    return rc;
}

/* A server that has gone has said so to an idle connection, too: seen here, it costs nobody a
 * try. */
static bool is_alive(PGconn *handle)
{
    struct pollfd socket = {.fd = PQsocket(handle), .events = POLLIN};
    if (poll(&socket, 1, 0) <= 0)
        return true;
    return !(socket.revents & (POLLHUP | POLLERR)) && PQconsumeInput(handle) &&
           PQstatus(handle) == CONNECTION_OK;
}

int cr_postgres_ready(struct cr_postgres_connection *connection, uint64_t deadline_ns,
                      int *ret_refused)
{
    if (ret_refused)
        *ret_refused = 0;
    if (connection->handle && !is_alive(connection->handle))
        cr_postgres_drop(connection);
    bool fresh = !connection->handle;
    int rc = fresh ? connect_once(connection, deadline_ns) : 0;
    if (rc == 0 && (fresh || connection->prepared < connection->database->statement_count))
        rc = prepare(connection, fresh, deadline_ns, ret_refused);
    return rc;
}
