/* SPDX-License-Identifier: MIT
 *
 * batched.c - a task for each connection: what they wait for and ask goes out in batches.
 *
 *     root -- acceptor -- a task for each connection, as many as its window lets in
 *          -- stopper     waits for the signal
 *
 * The ring has two dispatchers, so that a batch of sends, which is whole at once, does not wait for
 * one of receives, which comes back in parts; and what has come is not held back for more
 * (linger_ns): the next phase takes all that came during this one, and the writer all that waits.
 */
#include "server.h"

#include <corio/sqlite.h>
#include <corio/uring.h>

#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct value {
    const void *data; /* valid until the task suspends again */
    size_t length;
    bool found;
};
CORIO_DISPATCHER(finder, struct key, struct value);
CORIO_DISPATCHER(changer, struct change, struct changed);

static struct finder finder;
static struct changer changer;
static corio_dispatcher *waiting, *sending;
static corio_runtime *runtime;

/* -- The database -- */

static int bind_input(void *self, sqlite3_stmt *statement, const void *input)
{
    (void)self;
    return bind_key(statement, input);
}

static int take_row(void *self, corio_sqlite_memory *memory, sqlite3_stmt *statement, void *output)
{
    (void)self;
    struct value *value = output;
    value->length = (size_t)sqlite3_column_bytes(statement, 0);
    void *data = corio_sqlite_alloc(memory, value->length + 1);
    if (!data)
        return -ENOMEM;
    if (value->length > 0)
        memcpy(data, sqlite3_column_blob(statement, 0), value->length);
    value->data = data;
    value->found = true;
    return 1;
}

static const void *key_of(void *self, const void *input, size_t *ret_bytes)
{
    (void)self;
    const struct key *key = input;
    *ret_bytes = key->length;
    return key->data;
}

static int execute(void *self, sqlite3_stmt *const *statements, const void *input, void *output)
{
    (void)self;
    return apply_change(statements, input, output);
}

static uint64_t hash_change(void *self, const void *input)
{
    (void)self;
    const struct change *change = input;
    uint64_t hash = corio_hash_bytes(CORIO_HASH_BEGIN, change->key.data, change->key.length);
    return change->value ? corio_hash_bytes(hash, change->value, change->length) : hash;
}

static int add_database(corio_sqlite *database)
{
    const corio_sqlite_query query = {.size = sizeof query,
                                      .name = "find",
                                      .sql = sql_find,
                                      .input_bytes = sizeof(struct key),
                                      .output_bytes = sizeof(struct value),
                                      .bind = bind_input,
                                      .row = take_row,
                                      .key = key_of};
    const corio_sqlite_exec exec = {.size = sizeof exec,
                                    .name = "change",
                                    .sql = {sql_update, sql_insert, sql_remove},
                                    .input_bytes = sizeof(struct change),
                                    .output_bytes = sizeof(struct changed),
                                    .execute = execute,
                                    .hash = hash_change};
    int rc = corio_sqlite_add_query(database, runtime, &query, &finder.dispatcher);
    return rc < 0 ? rc : corio_sqlite_add_exec(database, runtime, &exec, &changer.dispatcher);
}

/* -- How a connection waits and asks -- */

static int receive(int fd, void *buffer, size_t bytes, uint64_t timeout_ns)
{
    const corio_uring_request request = {.op = CORIO_URING_RECV,
                                         .fd = fd,
                                         .buffer = buffer,
                                         .bytes = bytes,
                                         .timeout_ns = timeout_ns};
    return corio_uring_call(waiting, &request);
}

static int send_all(int fd, const void *data, size_t bytes, uint64_t timeout_ns)
{
    corio_uring_request request = {
        .op = CORIO_URING_SEND, .fd = fd, .data = data, .bytes = bytes, .timeout_ns = timeout_ns};
    while (request.bytes > 0) {
        int rc = corio_uring_call(sending, &request);
        if (rc < 0)
            return rc;
        request.data = (const char *)request.data + rc;
        request.bytes -= (size_t)rc;
    }
    return 0;
}

static int find_value(void *self, const struct key *key, struct bytes *value)
{
    (void)self;
    struct value found = {0};
    int rc = finder_io(finder, key, &found);
    return rc < 0 ? rc : found.found ? bytes_append(value, found.data, found.length) : -ENOENT;
}

static int change_value(void *self, const struct change *change, struct changed *ret_changed)
{
    (void)self;
    return changer_io(changer, change, ret_changed);
}

static void read_figures(struct figures *ret)
{
    corio_stats run = {.size = sizeof run};
    corio_sqlite_stats finds = {.size = sizeof finds}, changes = {.size = sizeof changes};
    corio_runtime_stats(runtime, &run);
    corio_sqlite_dispatcher_stats(finder.dispatcher, &finds);
    corio_sqlite_dispatcher_stats(changer.dispatcher, &changes);
    *ret = (struct figures){.phases = run.phases,
                            .finds = finds.requests,
                            .find_batches = finds.batches,
                            .changes = changes.requests,
                            .change_batches = changes.batches,
                            .commits = changes.transactions};
}

static const struct ways ways = {.name = "batched",
                                 .receive = receive,
                                 .send = send_all,
                                 .find = find_value,
                                 .change = change_value,
                                 .figures = read_figures};

/* -- Tasks -- */

static int connection(void *arg)
{
    serve_connection(&ways, NULL, *(int *)arg);
    return 0;
}

static int acceptor(void *arg)
{
    (void)arg;
    corio_set_window(config.connections); /* corio_go waits when they are that many */
    for (;;) {
        int fd = corio_uring_accept(waiting, config.listener, NULL, NULL);
        if (fd < 0 && open_stopping())
            return 0;
        if (fd >= 0)
            fd = corio_go_copy(connection, &fd, sizeof fd) < 0 ? close(fd), -ENOMEM : 0;
        if (fd < 0 && may_accept_again(-fd))
            corio_sleep(10000000); /* until some connections have ended */
        else if (fd < 0)
            return ask_to_stop(), fd;
    }
}

static int stopper(void *arg)
{
    (void)arg;
    struct signalfd_siginfo signal;
    int rc = corio_uring_read(waiting, config.stop, &signal, sizeof signal, -1);
    stop_serving();
    return rc < 0 ? rc : 0;
}

static int root(void *arg)
{
    (void)arg;
    int rc = corio_go(stopper, NULL);
    if (rc == 0)
        rc = corio_go(acceptor, NULL);
    int waited = corio_wait();
    return rc < 0 ? rc : waited;
}

static int run(corio_sqlite *database, corio_uring *uring)
{
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = config.workers;
    int rc = corio_runtime_create(&options, &runtime);
    if (rc < 0)
        return rc;
    rc = add_database(database);
    if (rc == 0)
        rc = corio_uring_add(uring, runtime, &waiting);
    if (rc == 0)
        rc = corio_uring_add(uring, runtime, &sending);
    if (rc == 0)
        rc = corio_run(runtime, root, NULL);
    corio_runtime_destroy(runtime);
    return rc;
}

int serve_batched(void)
{
    const corio_sqlite_options with = {
        .size = sizeof with, .path = config.database, .sync = CORIO_SQLITE_SYNC_FULL};
    const corio_uring_options ring = {.size = sizeof ring, .linger_ns = 1};
    corio_sqlite *database = NULL;
    corio_uring *uring = NULL;
    int rc = corio_sqlite_open(&with, &database);
    if (rc == 0)
        rc = corio_sqlite_error(
            sqlite3_exec(corio_sqlite_writer(database), schema, NULL, NULL, NULL));
    if (rc == 0)
        rc = corio_uring_create(&ring, &uring);
    if (rc == 0)
        rc = run(database, uring);
    corio_uring_destroy(uring);
    corio_sqlite_close(database);
    return rc;
}
