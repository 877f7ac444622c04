/* SPDX-License-Identifier: MIT
 *
 * add.c - adding dispatchers: their statements join the database's list, and are prepared at once on
 * one connection, so that wrong SQL is found here.
 */
#include "internal.h"

#include "../options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_GROUP = 64, LARGEST_GROUP = 65536 };

/* Of the server's catalog: bigint[], text[]. */
enum { TYPE_INT64_ARRAY = 1016, TYPE_TEXT_ARRAY = 1009 };

static int add_statement(corio_postgres *database, const char *sql, Oid type)
{
    size_t count = database->statement_count + 1;
    struct cr_postgres_statement *statements =
        realloc(database->statements, count * sizeof *statements);
    if (!statements)
        return -ENOMEM;
    database->statements = statements;
    struct cr_postgres_statement *statement = &statements[count - 1];
    *statement = (struct cr_postgres_statement){.sql = strdup(sql), .type = type};
    if (!statement->sql)
        return -ENOMEM;
    /* A name is not used twice, not even after a failure: a connection may know it. */
    snprintf(statement->name, sizeof statement->name, "corio_%u", database->next_name++);
    database->statement_count = count;
    return 0;
}

static void remove_statements(corio_postgres *database, size_t first)
{
    while (database->statement_count > first)
        free(database->statements[--database->statement_count].sql);
    for (unsigned i = 0; i < database->options.connections; i++) {
        if (database->connections[i].prepared > first)
            database->connections[i].prepared = first;
    }
}

static int add_statements(struct cr_postgres_face *face)
{
    static const Oid types[] = {0, TYPE_INT64_ARRAY, TYPE_TEXT_ARRAY};
    corio_postgres *database = face->database;
    const corio_postgres_request *request = &face->request;
    int rc = database->idle_count > 0 ? 0 : -EBUSY;
    int refused = 0;
    face->first_statement = database->statement_count;
    for (unsigned i = 0; rc == 0 && i < CORIO_POSTGRES_STATEMENTS && request->sql[i]; i++) {
        rc = add_statement(database, request->sql[i], types[face->fold]);
        face->statement_count = i + 1;
    }
    /* Nobody uses a connection now; this one is the next that will be. */
    if (rc == 0)
        rc = cr_postgres_ready(database->idle[database->idle_count - 1],
                               cr_postgres_deadline_ns(database), &refused);
    return rc < 0 ? rc : refused < 0 ? -EINVAL : 0;
}

static uint64_t hash_input(void *self, const void *input)
{
    const struct cr_postgres_face *face = self;
    size_t bytes = 0;
    if (face->hash)
        return face->hash(face->request.self, input);
    const void *key = face->key(face->request.self, input, &bytes);
    return corio_hash_bytes(CORIO_HASH_BEGIN, key, bytes);
}

static int add_dispatcher(struct cr_postgres_face *face, corio_runtime *runtime,
                          corio_dispatcher_options *options, corio_dispatcher **ret)
{
    options->size = sizeof *options;
    options->name = options->name ? options->name : "postgres";
    options->input_bytes = face->request.input_bytes;
    options->output_bytes = face->request.output_bytes;
    options->dispatch = cr_postgres_dispatch;
    options->self = face;
    options->hash = face->hash || face->key ? hash_input : NULL;
    options->save = cr_postgres_save;
    options->restore = cr_postgres_restore;
    options->not_recorded = face->request.with_memory && !face->save;
    return corio_dispatcher_add(runtime, options, ret);
}

/* Takes `like`, whose functions and numbers are filled in. */
static int add_face(corio_postgres *database, corio_runtime *runtime,
                    const struct cr_postgres_face *like, corio_dispatcher_options *options,
                    corio_dispatcher **ret)
{
    if (!like->save != !like->restore)
        return -EINVAL;
    if (database->options.offline && !corio_runtime_replaying(runtime))
        return -ENOTCONN;
    struct cr_postgres_face *face = malloc(sizeof *face);
    if (!face)
        return -ENOMEM;
    *face = *like;
    face->database = database;
    face->last_turn = &face->first_turn;
    int rc = database->options.offline ? 0 : add_statements(face);
    memset(face->request.sql, 0, sizeof face->request.sql); /* not ours to keep */
    if (rc == 0)
        rc = add_dispatcher(face, runtime, options, ret);
    if (rc < 0) {
        remove_statements(database, face->first_statement);
        free(face);
        return rc;
    }
    pthread_mutex_lock(&database->lock);
    face->next = database->faces;
    database->faces = face;
    pthread_mutex_unlock(&database->lock);
    return 0;
}

static bool is_request(const corio_postgres_request *request)
{
    if (!request->sql[0])
        return false;
    if (!request->row)
        return request->output_bytes == sizeof(PGresult *) && !request->with_memory;
    return !request->with_memory || request->output_bytes >= sizeof(corio_postgres_memory *);
}

static bool is_folding(const corio_postgres_query *query)
{
    const corio_postgres_request *request = &query->request;
    bool whole_input_fits =
        query->fold != CORIO_POSTGRES_FOLD_INT64 || request->input_bytes == sizeof(int64_t);
    return (unsigned)query->fold <= CORIO_POSTGRES_FOLD_TEXT && !request->sql[1] && request->row &&
           !request->bind && (query->key || whole_input_fits);
}

int corio_postgres_add_query(corio_postgres *database, corio_runtime *runtime,
                             const corio_postgres_query *options, corio_dispatcher **ret_dispatcher)
{
    corio_postgres_query taken;
    const corio_postgres_query *query = &taken;
    if (!database || !runtime || !ret_dispatcher ||
        !cr_options_take(&taken, sizeof taken, options, offsetof(corio_postgres_query, save)) ||
        !is_request(&query->request) || query->group > LARGEST_GROUP)
        return -EINVAL;
    if (query->fold != CORIO_POSTGRES_FOLD_NONE && !is_folding(query))
        return -EINVAL;
    const struct cr_postgres_face like = {
        .request = query->request,
        .group = query->group ? query->group : DEFAULT_GROUP,
        .fold = query->fold,
        .key_column = query->key_column,
        .key = query->fold != CORIO_POSTGRES_FOLD_NONE ? query->key : NULL,
        .hash = query->hash,
        .save = query->save,
        .restore = query->restore,
    };
    corio_dispatcher_options dispatcher = {
        .name = query->name, .max_batch = query->max_batch, .max_in_flight = query->max_in_flight};
    return add_face(database, runtime, &like, &dispatcher, ret_dispatcher);
}

/* An exec dispatcher may be content with the code alone. */
static bool is_silent(const corio_postgres_request *request)
{
    return request->sql[0] && !request->row && request->output_bytes == 0 && !request->with_memory;
}

static int no_row(void *self, corio_postgres_memory *memory, const PGresult *result, int row,
                  void *output)
{
    (void)self;
    (void)memory;
    (void)result;
    (void)row;
    (void)output;
    return 1;
}

int corio_postgres_add_exec(corio_postgres *database, corio_runtime *runtime,
                            const corio_postgres_exec *options, corio_dispatcher **ret_dispatcher)
{
    corio_postgres_exec taken;
    const corio_postgres_exec *exec = &taken;
    if (!database || !runtime || !ret_dispatcher ||
        !cr_options_take(&taken, sizeof taken, options, offsetof(corio_postgres_exec, save)) ||
        !(is_request(&exec->request) || is_silent(&exec->request)))
        return -EINVAL;
    struct cr_postgres_face like = {
        .request = exec->request,
        .exec = true,
        .all_or_nothing = exec->all_or_nothing,
        .idempotent = exec->idempotent,
        .hash = exec->hash,
        .save = exec->save,
        .restore = exec->restore,
    };
    if (!like.request.row && like.request.output_bytes == 0)
        like.request.row = no_row;
    corio_dispatcher_options dispatcher = {
        .name = exec->name, .max_batch = exec->max_batch, .max_in_flight = exec->max_in_flight};
    return add_face(database, runtime, &like, &dispatcher, ret_dispatcher);
}

int corio_postgres_dispatcher_stats(const corio_dispatcher *dispatcher, corio_postgres_stats *stats)
{
    if (!dispatcher || !stats || stats->size < sizeof *stats)
        return -EINVAL;
    struct cr_postgres_face *face = corio_dispatcher_self(dispatcher);
    pthread_mutex_lock(&face->database->lock);
    face->stats.size = sizeof face->stats;
    face->stats.connects = face->database->connects;
    *stats = face->stats;
    pthread_mutex_unlock(&face->database->lock);
    return 0;
}
