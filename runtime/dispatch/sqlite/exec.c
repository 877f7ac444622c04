/* SPDX-License-Identifier: MIT
 *
 * exec.c - the exec dispatcher: what waits is one transaction.
 *
 * The writer is one connection, so batches take turns, in the order in which they were handed over.
 * The first is submitted to an I/O thread; those that come while it works wait in the database's
 * list, and the same thread goes on with them. No I/O thread ever blocks for its turn.
 *
 *     begin immediate -> each request (in a savepoint if it may use several statements) -> commit
 *     -> answers
 *
 * Batches of one dispatcher that have come to wait for the writer go into one transaction: where
 * answers stream, what meets in a phase may be little, and a commit costs the same for much. If
 * that transaction fails, each batch gets one of its own, so that an error reaches its batch only.
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

/* How a transaction went: its own error, which all get, or each request's, which are in the turns. */
struct outcome {
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

static void run_requests(struct exec *exec, struct cr_sqlite_turn *turn, struct outcome *outcome)
{
    size_t n = corio_batch_len(turn->batch);
    for (size_t i = 0; i < n && outcome->all == 0; i++) {
        const void *input = corio_batch_input(turn->batch, i);
        int rc = exec->options.execute ? run_free(exec, input, corio_batch_output(turn->batch, i))
                                       : run_plain(exec, input);
        turn->each[i] = rc;
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

static void run_transaction(struct exec *exec, struct cr_sqlite_turn *turns,
                            struct outcome *outcome)
{
    corio_sqlite *database = exec->face.database;
    struct cr_sqlite_connection *writer = &database->writer;
    int result = cr_sqlite_finish(writer->begin);
    if (result != SQLITE_OK) {
        outcome->all = cr_sqlite_failed(database, writer, result);
        return;
    }
    for (struct cr_sqlite_turn *turn = turns; turn; turn = turn->next)
        run_requests(exec, turn, outcome);
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

static void answer(struct exec *exec, struct cr_sqlite_turn *turn, const struct outcome *outcome,
                   bool put_off)
{
    size_t n = corio_batch_len(turn->batch);
    bool undone = exec->options.all_or_nothing && outcome->failed > 0;
    for (size_t i = 0; i < n; i++) {
        if (put_off)
            corio_batch_retry(turn->batch, i, busy_delay_ns << exec->busy);
        else if (outcome->all < 0)
            corio_batch_fail(turn->batch, i, outcome->all);
        else if (turn->each[i] < 0 || undone)
            corio_batch_fail(turn->batch, i, turn->each[i] < 0 ? turn->each[i] : -ECANCELED);
        else
            corio_batch_respond(turn->batch, i);
    }
    corio_batch_complete(turn->batch);
}

static void count(struct exec *exec, const struct cr_sqlite_turn *turns,
                  const struct outcome *outcome)
{
    corio_sqlite_stats *stats = &exec->face.stats;
    pthread_mutex_lock(&exec->face.database->lock);
    stats->transactions++;
    for (const struct cr_sqlite_turn *turn = turns; turn; turn = turn->next) {
        size_t n = corio_batch_len(turn->batch);
        cr_sqlite_count_batch_locked(&exec->face, n);
        stats->unique += n;
        stats->statements += outcome->all == 0 ? n : 0;
        stats->busy += outcome->all == -EBUSY;
    }
    pthread_mutex_unlock(&exec->face.database->lock);
}

/* Runs the turns' transaction and answers them; takes the turns. */
static void run_together(struct exec *exec, struct cr_sqlite_turn *turns)
{
    struct outcome outcome = {0};
    run_transaction(exec, turns, &outcome);
    bool apart = outcome.all < 0 && outcome.all != -EBUSY && turns->next;
    bool put_off = outcome.all == -EBUSY && exec->busy < exec->face.database->options.busy_retries;
    if (!apart)
        count(exec, turns, &outcome);
    for (struct cr_sqlite_turn *turn = turns, *next; turn; turn = next) {
        next = turn->next;
        turn->next = NULL;
        if (apart) {
            run_together(exec, turn);
        } else {
            answer(exec, turn, &outcome, put_off);
            free(turn);
        }
    }
    exec->busy = put_off ? exec->busy + 1 : 0;
}

/* Cuts off the batches that share the next transaction; NULL: nothing waits. */
static struct cr_sqlite_turn *cut_turns_locked(corio_sqlite *database)
{
    struct cr_sqlite_turn *first = database->first_turn, *last = first;
    if (!first)
        return NULL;
    const corio_sqlite_exec *options = &((struct exec *)first->face)->options;
    size_t most = options->max_batch ? options->max_batch : SIZE_MAX;
    size_t length = corio_batch_len(first->batch);
    while (!options->all_or_nothing && last->next && last->next->face == first->face &&
           corio_batch_len(last->next->batch) <= most - length) {
        last = last->next;
        length += corio_batch_len(last->batch);
    }
    database->first_turn = last->next;
    if (!last->next)
        database->last_turn = &database->first_turn;
    last->next = NULL;
    return first;
}

/* Works on all that waits. The batch it was submitted with is in the list, too. */
static int take_turns(void *arg, corio_batch *batch)
{
    corio_sqlite *database = arg;
    (void)batch;
    for (;;) {
        pthread_mutex_lock(&database->lock);
        struct cr_sqlite_turn *turns = cut_turns_locked(database);
        database->writing = turns != NULL;
        pthread_mutex_unlock(&database->lock);
        if (!turns)
            return CORIO_LATER;
        run_together((struct exec *)turns->face, turns);
    }
}

static int dispatch(void *self, corio_batch *batch)
{
    struct exec *exec = self;
    corio_sqlite *database = exec->face.database;
    struct cr_sqlite_turn *turn =
        malloc(sizeof *turn + corio_batch_len(batch) * sizeof turn->each[0]);
    if (!turn)
        return -ENOMEM;
    turn->next = NULL;
    turn->face = &exec->face;
    turn->batch = batch;
    pthread_mutex_lock(&database->lock);
    *database->last_turn = turn;
    database->last_turn = &turn->next;
    bool wait = database->writing;
    database->writing = true;
    pthread_mutex_unlock(&database->lock);
    if (wait)
        return CORIO_LATER;
    if (corio_batch_submit(batch, take_turns, database) < 0)
        return take_turns(database, batch);
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
