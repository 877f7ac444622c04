/* SPDX-License-Identifier: MIT
 *
 * exec.c - a share of writes: a batch as one transaction.
 *
 *     first     BEGIN R R R flush               one round trip; the server stops at the first error
 *                    |
 *         none failed|           some failed (and not all_or_nothing)
 *                    |                 |
 *                    |    second    ROLLBACK, BEGIN SAVE sync, then for each request
 *                    |                 R RELEASE SAVE sync UNDO sync
 *                    v                 |
 *     commit    COMMIT sync <----------+
 *
 * In the second pass nothing depends on what the client has seen, so it is one round trip too: if R
 * went well, the savepoint is moved behind it and UNDO undoes nothing; if not, RELEASE and SAVE are
 * skipped up to the sync point, and UNDO goes back to the savepoint before R and makes the
 * transaction usable again.
 *
 * A request whose row function refuses its row must be undone though the server is content: it is
 * left out of a further pass.
 *
 * Until COMMIT is sent nothing is committed, whatever happens. After it, only its result tells.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

struct transaction {
    struct cr_postgres_share *share;
    uint64_t deadline_ns;
    bool refused;    /* in this pass, by the server */
    bool rejected;   /* in this pass, by a row function */
    bool again;      /* a deadlock or the like: the transaction is to be run again */
    bool committing; /* COMMIT is on its way */
    int all;         /* an error of the transaction itself */
};

/* -- The pipeline's side -- */

static int send_request(void *self, struct cr_postgres_connection *connection, uint32_t item)
{
    (void)connection;
    struct transaction *transaction = self;
    return cr_postgres_send(transaction->share, &transaction->share->entries[item]);
}

static void take_request(struct transaction *transaction, struct cr_postgres_entry *entry,
                         PGresult *result)
{
    cr_postgres_take(transaction->share, entry, result);
    if (entry->status >= 0)
        return;
    if (entry->fixed)
        transaction->rejected = true;
    else
        transaction->refused = true;
    if (entry->again)
        transaction->again = true;
}

static void take_command(struct transaction *transaction, const struct cr_postgres_op *op,
                         PGresult *result)
{
    corio_postgres *database = transaction->share->plan->face->database;
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_FATAL_ERROR) {
        transaction->all = cr_postgres_refused(database, result);
        transaction->again = cr_postgres_transient(transaction->all);
    } else if (op->kind == CR_POSTGRES_COMMIT && status == PGRES_COMMAND_OK &&
               strcmp(PQcmdStatus(result), "COMMIT") == 0) {
        transaction->share->commits++;
    } else if (op->kind == CR_POSTGRES_COMMIT) {
        transaction->all = -EIO; /* the server rolled back instead, without an error */
    }
    PQclear(result);
}

static void take(void *self, const struct cr_postgres_op *op, PGresult *result)
{
    struct transaction *transaction = self;
    if (op->kind == CR_POSTGRES_REQUEST)
        take_request(transaction, &transaction->share->entries[op->item], result);
    else
        take_command(transaction, op, result);
}

/* -- Passes -- */

static int add_op(struct transaction *transaction, enum cr_postgres_op_kind kind)
{
    return cr_postgres_op(transaction->share->connection, kind, 0);
}

/* Runs what was added, if adding went well. */
static int run(struct transaction *transaction, int added)
{
    struct cr_postgres_connection *connection = transaction->share->connection;
    const struct cr_postgres_user user = {send_request, take, transaction};
    if (added == 0)
        return cr_postgres_pipeline(connection, &user, transaction->deadline_ns);
    connection->op_count = 0;
    cr_postgres_drop(connection); /* a transaction may be open */
    return added;
}

/* What is not fixed is open again. */
static void reopen(struct transaction *transaction)
{
    struct cr_postgres_share *share = transaction->share;
    transaction->refused = transaction->rejected = false;
    for (size_t i = 0; i < share->entry_count; i++) {
        struct cr_postgres_entry *entry = &share->entries[i];
        if (entry->fixed)
            continue;
        cr_postgres_clear_output(share->plan->face, entry);
        entry->status = CR_POSTGRES_OPEN;
        entry->full = false;
        entry->again = false;
    }
}

static int add_requests(struct transaction *transaction, bool saved)
{
    struct cr_postgres_share *share = transaction->share;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < share->entry_count; i++) {
        if (share->entries[i].fixed)
            continue;
        rc = cr_postgres_op(share->connection, CR_POSTGRES_REQUEST, (uint32_t)i);
        static const uint8_t behind[] = {CR_POSTGRES_RELEASE, CR_POSTGRES_SAVE, CR_POSTGRES_SYNC,
                                         CR_POSTGRES_UNDO, CR_POSTGRES_SYNC};
        for (size_t at = 0; saved && rc == 0 && at < sizeof behind; at++)
            rc = add_op(transaction, behind[at]);
    }
    return rc;
}

static int run_plain(struct transaction *transaction)
{
    int rc = add_op(transaction, CR_POSTGRES_BEGIN);
    if (rc == 0)
        rc = add_requests(transaction, false);
    if (rc == 0)
        rc = add_op(transaction, CR_POSTGRES_FLUSH);
    return run(transaction, rc);
}

static int run_saved(struct transaction *transaction)
{
    static const uint8_t before[] = {CR_POSTGRES_SYNC, CR_POSTGRES_ROLLBACK, CR_POSTGRES_BEGIN,
                                     CR_POSTGRES_SAVE, CR_POSTGRES_SYNC};
    int rc = 0;
    reopen(transaction);
    for (size_t at = 0; rc == 0 && at < sizeof before; at++)
        rc = add_op(transaction, before[at]);
    if (rc == 0)
        rc = add_requests(transaction, true);
    return run(transaction, rc);
}

/* A further pass leaves out what a row function rejected, so there is an end to them. */
static int run_passes(struct transaction *transaction)
{
    int rc = run_plain(transaction);
    bool again = transaction->refused || transaction->rejected;
    if (transaction->share->plan->face->all_or_nothing)
        return rc;
    while (rc == 0 && again && !transaction->again && transaction->all == 0) {
        rc = run_saved(transaction);
        again = transaction->rejected;
    }
    return rc;
}

/* -- Ends -- */

static int commit(struct transaction *transaction)
{
    int rc = add_op(transaction, CR_POSTGRES_COMMIT);
    if (rc == 0)
        rc = add_op(transaction, CR_POSTGRES_SYNC);
    transaction->committing = rc == 0;
    return run(transaction, rc);
}

/* If this fails the connection is dropped, and the server rolls back by itself. */
static void rollback(struct transaction *transaction)
{
    int rc = add_op(transaction, CR_POSTGRES_SYNC);
    if (rc == 0)
        rc = add_op(transaction, CR_POSTGRES_ROLLBACK);
    if (rc == 0)
        rc = add_op(transaction, CR_POSTGRES_SYNC);
    (void)run(transaction, rc);
}

/* All but those whose error was found here share the transaction's fate. */
static void settle_all(struct cr_postgres_share *share, int code, bool again)
{
    for (size_t i = 0; i < share->entry_count; i++) {
        struct cr_postgres_entry *entry = &share->entries[i];
        if (entry->fixed)
            continue;
        cr_postgres_clear_output(share->plan->face, entry);
        entry->status = CR_POSTGRES_OPEN;
    }
    cr_postgres_settle(share, code, again);
}

/* One failed, so all do: those that did not fail by themselves are cancelled. */
static void cancel_others(struct cr_postgres_share *share)
{
    for (size_t i = 0; i < share->entry_count; i++) {
        struct cr_postgres_entry *entry = &share->entries[i];
        if (entry->status < 0)
            continue;
        cr_postgres_clear_output(share->plan->face, entry);
        entry->status = -ECANCELED;
    }
}

static bool some_failed(const struct cr_postgres_share *share)
{
    for (size_t i = 0; i < share->entry_count; i++) {
        if (share->entries[i].status < 0)
            return true;
    }
    return false;
}

/* The connection failed. */
static void settle_lost(struct transaction *transaction, int code)
{
    struct cr_postgres_share *share = transaction->share;
    if (transaction->committing)
        settle_all(share, CORIO_POSTGRES_EUNKNOWN, share->plan->face->idempotent);
    else
        settle_all(share, code, cr_postgres_transient(code));
}

static void run_transaction(struct transaction *transaction)
{
    struct cr_postgres_share *share = transaction->share;
    int rc = run_passes(transaction);
    bool undo = transaction->again || transaction->all < 0;
    bool cancel = share->plan->face->all_or_nothing && some_failed(share);
    if (rc == 0 && (undo || cancel))
        rollback(transaction);
    else if (rc == 0)
        rc = commit(transaction);
    if (rc < 0)
        settle_lost(transaction, rc);
    else if (transaction->again)
        settle_all(share, transaction->all < 0 ? transaction->all : -EAGAIN, true);
    else if (transaction->all < 0)
        settle_all(share, transaction->all, false);
    else if (cancel)
        cancel_others(share);
}

void cr_postgres_exec_share(struct cr_postgres_share *share)
{
    struct transaction transaction = {
        .share = share, .deadline_ns = cr_postgres_deadline_ns(share->plan->face->database)};
    int rc = cr_postgres_ready(share->connection, transaction.deadline_ns, NULL);
    if (rc == 0)
        run_transaction(&transaction);
    else
        cr_postgres_settle_lost(share, rc, transaction.deadline_ns);
}
