/* SPDX-License-Identifier: MIT
 *
 * exec.c - the exec dispatcher: a batch is one transaction.
 *
 * The writer is one connection, so batches take turns, in the order in which they were handed over.
 * The first is submitted to an I/O thread; those that come while it works wait in the database's
 * list, and the same thread goes on with them. No I/O thread ever blocks for its turn.
 *
 *     begin immediate -> each request (in a savepoint if it may use several statements) -> commit
 *     -> answers
 *
 * Requests are answered after the commit only: a task that has its answer can rely on it.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A put-off batch comes back after this time, doubled with each further try. */
static const uint64_t busy_delay_ns = 10000000;

struct exec {
    struct cr_sqlite_face face;
    corio_sqlite_exec options; /* name and sql are not kept */
    sqlite3_stmt *statements[CORIO_SQLITE_STATEMENTS];
    sqlite3_stmt *save;
    sqlite3_stmt *release;
    sqlite3_stmt *undo;
    unsigned busy; /* batches put off in a row */
};

/* How a batch went: its own error, which all get, or each request's. */
struct outcome {
    int *each;
    int all;
    size_t failed;
};

static int run_plain(struct exec *exec, const void *input)
{
    int rc = exec->options.bind(exec->options.self, exec->statements[0], input);
    if (rc < 0)
        return rc;
    int result = cr_sqlite_finish(exec->statements[0]);
    if (result != SQLITE_OK)
        return cr_sqlite_failed(exec->face.database, &exec->face.database->writer, result);
    return 0;
}

static void reset_all(struct exec *exec)
{
    for (unsigned i = 0; i < CORIO_SQLITE_STATEMENTS && exec->statements[i]; i++)
        sqlite3_reset(exec->statements[i]);
}

static int run_free(struct exec *exec, const void *input, void *output)
{
    if (output)
        memset(output, 0, exec->options.output_bytes);
    int result = cr_sqlite_finish(exec->save);
    if (result != SQLITE_OK)
        return cr_sqlite_failed(exec->face.database, &exec->face.database->writer, result);
    int rc = exec->options.execute(exec->options.self, exec->statements, input, output);
    int last = sqlite3_extended_errcode(exec->face.database->writer.handle);
    if (rc < 0 && rc == corio_sqlite_error(last))
        rc = cr_sqlite_failed(exec->face.database, &exec->face.database->writer, last);
    reset_all(exec);
    if (rc < 0)
        cr_sqlite_finish(exec->undo);
    cr_sqlite_finish(exec->release);
    return rc < 0 ? rc : 0;
}

/* After these SQLite may have rolled the transaction back by itself, or nothing further can
 * succeed. */
static bool ends_transaction(struct exec *exec, int rc)
{
    return rc == -ENOSPC || rc == -EIO || rc == -ENOMEM || rc == -EUCLEAN || rc == -EINTR ||
           sqlite3_get_autocommit(exec->face.database->writer.handle);
}

static void run_requests(struct exec *exec, corio_batch *batch, struct outcome *outcome)
{
    size_t n = corio_batch_len(batch);
    for (size_t i = 0; i < n && outcome->all == 0; i++) {
        const void *input = corio_batch_input(batch, i);
        int rc = exec->options.execute ? run_free(exec, input, corio_batch_output(batch, i))
                                       : run_plain(exec, input);
        outcome->each[i] = rc;
        outcome->failed += rc < 0;
        if (rc < 0 && ends_transaction(exec, rc))
            outcome->all = rc;
    }
}

static void rollback(sqlite3 *handle)
{
    if (!sqlite3_get_autocommit(handle))
        sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
}

static void run_transaction(struct exec *exec, corio_batch *batch, struct outcome *outcome)
{
    corio_sqlite *database = exec->face.database;
    struct cr_sqlite_connection *writer = &database->writer;
    int result = cr_sqlite_finish(writer->begin);
    if (result != SQLITE_OK) {
        outcome->all = cr_sqlite_failed(database, writer, result);
        return;
    }
    run_requests(exec, batch, outcome);
    bool undo = outcome->all < 0 || (exec->options.all_or_nothing && outcome->failed > 0);
    if (!undo) {
        result = cr_sqlite_finish(writer->commit);
        if (result != SQLITE_OK)
            outcome->all = cr_sqlite_failed(database, writer, result);
        else /* relaxed: those who are told of the commit are told after this */
            atomic_fetch_add_explicit(&database->changes, 1, memory_order_relaxed);
    }
    rollback(writer->handle);
}

static void answer(struct exec *exec, corio_batch *batch, const struct outcome *outcome)
{
    size_t n = corio_batch_len(batch);
    bool undone = exec->options.all_or_nothing && outcome->failed > 0;
    bool put_off = outcome->all == -EBUSY && exec->busy < exec->face.database->options.busy_retries;
    for (size_t i = 0; i < n; i++) {
        if (put_off)
            corio_batch_retry(batch, i, busy_delay_ns << exec->busy);
        else if (outcome->all < 0)
            corio_batch_fail(batch, i, outcome->all);
        else if (outcome->each[i] < 0 || undone)
            corio_batch_fail(batch, i, outcome->each[i] < 0 ? outcome->each[i] : -ECANCELED);
        else
            corio_batch_respond(batch, i);
    }
    exec->busy = put_off ? exec->busy + 1 : 0;
}

static void run_batch(struct exec *exec, corio_batch *batch)
{
    size_t n = corio_batch_len(batch);
    struct outcome outcome = {.each = calloc(n, sizeof(int))};
    if (outcome.each)
        run_transaction(exec, batch, &outcome);
    else
        outcome.all = -ENOMEM;
    pthread_mutex_lock(&exec->face.database->lock);
    cr_sqlite_count_batch_locked(&exec->face, n);
    exec->face.stats.unique += n;
    exec->face.stats.statements += outcome.all == 0 ? n : 0;
    exec->face.stats.transactions++;
    exec->face.stats.busy += outcome.all == -EBUSY;
    pthread_mutex_unlock(&exec->face.database->lock);
    answer(exec, batch, &outcome);
    free(outcome.each);
    corio_batch_complete(batch);
}

/* Works on its own batch, then on all that came meanwhile. */
static int take_turns(void *arg, corio_batch *batch)
{
    struct exec *exec = arg;
    corio_sqlite *database = exec->face.database;
    for (;;) {
        run_batch(exec, batch);
        pthread_mutex_lock(&database->lock);
        struct cr_sqlite_turn *turn = database->first_turn;
        if (turn) {
            database->first_turn = turn->next;
            if (!turn->next)
                database->last_turn = &database->first_turn;
        } else {
            database->writing = false;
        }
        pthread_mutex_unlock(&database->lock);
        if (!turn)
            return CORIO_LATER;
        exec = (struct exec *)turn->face;
        batch = turn->batch;
        free(turn);
    }
}

static int dispatch(void *self, corio_batch *batch)
{
    struct exec *exec = self;
    corio_sqlite *database = exec->face.database;
    struct cr_sqlite_turn *turn = malloc(sizeof *turn);
    if (!turn)
        return -ENOMEM;
    *turn = (struct cr_sqlite_turn){.face = &exec->face, .batch = batch};
    pthread_mutex_lock(&database->lock);
    bool wait = database->writing;
    if (wait) {
        *database->last_turn = turn;
        database->last_turn = &turn->next;
    }
    database->writing = true;
    pthread_mutex_unlock(&database->lock);
    if (wait)
        return CORIO_LATER;
    free(turn);
    if (corio_batch_submit(batch, take_turns, exec) < 0)
        return take_turns(exec, batch);
    return CORIO_LATER;
}

static void destroy(struct cr_sqlite_face *face)
{
    struct exec *exec = (struct exec *)face;
    for (unsigned i = 0; i < CORIO_SQLITE_STATEMENTS; i++)
        sqlite3_finalize(exec->statements[i]);
    sqlite3_finalize(exec->save);
    sqlite3_finalize(exec->release);
    sqlite3_finalize(exec->undo);
    free(exec);
}

static int prepare_all(corio_sqlite *database, struct exec *exec, const corio_sqlite_exec *from)
{
    struct cr_sqlite_connection *writer = &database->writer;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < CORIO_SQLITE_STATEMENTS && from->sql[i]; i++)
        rc = cr_sqlite_prepare(database, writer, from->sql[i], &exec->statements[i]);
    if (rc == 0)
        rc = cr_sqlite_prepare(database, writer, "SAVEPOINT corio", &exec->save);
    if (rc == 0)
        rc = cr_sqlite_prepare(database, writer, "RELEASE corio", &exec->release);
    if (rc == 0)
        rc = cr_sqlite_prepare(database, writer, "ROLLBACK TO corio", &exec->undo);
    return rc;
}

static uint64_t hash_input(void *self, const void *input)
{
    struct exec *exec = self;
    return exec->options.hash(exec->options.self, input);
}

static int add_dispatcher(corio_runtime *runtime, struct exec *exec, const char *name,
                          corio_dispatcher **ret)
{
    const corio_dispatcher_options options = {
        .size = sizeof options,
        .name = name ? name : "sqlite",
        .input_bytes = exec->options.input_bytes,
        .output_bytes = exec->options.output_bytes,
        .dispatch = dispatch,
        .self = exec,
        .hash = exec->options.hash ? hash_input : NULL,
        .max_batch = exec->options.max_batch,
        .max_in_flight = exec->options.max_in_flight,
    };
    return corio_dispatcher_add(runtime, &options, ret);
}

int corio_sqlite_add_exec(corio_sqlite *database, corio_runtime *runtime,
                          const corio_sqlite_exec *options, corio_dispatcher **ret_dispatcher)
{
    if (!database || !runtime || !options || options->size < sizeof *options || !options->sql[0] ||
        !ret_dispatcher || !options->bind == !options->execute)
        return -EINVAL;
    if (database->options.read_only)
        return -EROFS;
    if (database->options.offline && !corio_runtime_replaying(runtime))
        return -ENOTCONN;
    struct exec *exec = calloc(1, sizeof *exec);
    if (!exec)
        return -ENOMEM;
    exec->face.database = database;
    exec->face.destroy = destroy;
    exec->options = *options;
    int rc = database->options.offline ? 0 : prepare_all(database, exec, options);
    if (rc == 0)
        rc = add_dispatcher(runtime, exec, options->name, ret_dispatcher);
    if (rc < 0) {
        destroy(&exec->face);
        return rc;
    }
    cr_sqlite_add_face(database, &exec->face);
    return 0;
}
