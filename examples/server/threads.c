/* SPDX-License-Identifier: MIT
 *
 * threads.c - for comparison: a thread and an SQLite connection for each connection.
 *
 * A change is a transaction of its own. Writers take turns by a mutex of this program, and not by
 * SQLite's own way, which is to try again after a sleep.
 */
#include "server.h"

#include <corio/sqlite.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { stack_bytes = 256 << 10 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, writing = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static unsigned running;        /* connections; under the lock */
static uint64_t finds, changes; /* relaxed atomics */

/* -- The database -- */

struct database {
    sqlite3 *connection;
    sqlite3_stmt *find, *begin, *commit, *rollback, *change[3];
};

static int prepare(struct database *database, const char *sql, sqlite3_stmt **ret)
{
    return corio_sqlite_error(sqlite3_prepare_v2(database->connection, sql, -1, ret, NULL));
}

static void close_database(struct database *database)
{
    sqlite3_finalize(database->find);
    sqlite3_finalize(database->begin);
    sqlite3_finalize(database->commit);
    sqlite3_finalize(database->rollback);
    for (int i = 0; i < 3; i++)
        sqlite3_finalize(database->change[i]);
    sqlite3_close(database->connection);
}

static int open_database(struct database *database)
{
    *database = (struct database){0};
    int rc = corio_sqlite_error(
        sqlite3_open_v2(config.database, &database->connection,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL));
    if (rc == 0) /* as corio-sqlite does */
        rc = corio_sqlite_error(sqlite3_exec(database->connection,
                                             "PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL;"
                                             "PRAGMA synchronous=FULL; PRAGMA mmap_size=268435456;",
                                             NULL, NULL, NULL));
    return rc < 0
               ? rc
               : corio_sqlite_error(sqlite3_exec(database->connection, schema, NULL, NULL, NULL));
}

static int prepare_all(struct database *database)
{
    const struct {
        const char *sql;
        sqlite3_stmt **statement;
    } all[] = {{sql_find, &database->find},        {"BEGIN IMMEDIATE", &database->begin},
               {"COMMIT", &database->commit},      {"ROLLBACK", &database->rollback},
               {sql_update, &database->change[0]}, {sql_insert, &database->change[1]},
               {sql_remove, &database->change[2]}};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof all / sizeof *all; i++)
        rc = prepare(database, all[i].sql, all[i].statement);
    return rc;
}

static int find_value(void *self, const struct key *key, struct bytes *value)
{
    struct database *database = self;
    __atomic_add_fetch(&finds, 1, __ATOMIC_RELAXED);
    int rc = bind_key(database->find, key);
    if (rc < 0)
        return rc;
    int result = sqlite3_step(database->find);
    if (result == SQLITE_ROW)
        rc = bytes_append(value, sqlite3_column_blob(database->find, 0),
                          (size_t)sqlite3_column_bytes(database->find, 0));
    else
        rc = result == SQLITE_DONE ? -ENOENT : corio_sqlite_error(result);
    sqlite3_reset(database->find);
    return rc;
}

static int change_value(void *self, const struct change *change, struct changed *ret_changed)
{
    struct database *database = self;
    __atomic_add_fetch(&changes, 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&writing);
    int rc = corio_sqlite_step(database->begin);
    if (rc == 0) {
        rc = apply_change(database->change, change, ret_changed);
        if (rc == 0)
            rc = corio_sqlite_step(database->commit);
        if (!sqlite3_get_autocommit(database->connection))
            corio_sqlite_step(database->rollback);
    }
    pthread_mutex_unlock(&writing);
    return rc;
}

/* -- The network -- */

static int wait_for(int fd, short events, uint64_t end_ns)
{
    uint64_t now = corio_now_ns();
    uint64_t left = end_ns > now ? end_ns - now : 0;
    struct pollfd file = {.fd = fd, .events = events};
    const struct timespec limit = {.tv_sec = (time_t)(left / 1000000000),
                                   .tv_nsec = (long)(left % 1000000000)};
    int rc = ppoll(&file, 1, &limit, NULL);
    return rc > 0 ? 0 : rc == 0 ? -ETIMEDOUT : -errno;
}

/* What is there is taken without waiting, as in the ring. */
static int receive(int fd, void *buffer, size_t bytes, uint64_t timeout_ns)
{
    for (uint64_t end_ns = corio_now_ns() + timeout_ns;;) {
        ssize_t n = recv(fd, buffer, bytes, MSG_DONTWAIT);
        if (n >= 0)
            return (int)n;
        int rc = errno == EAGAIN ? wait_for(fd, POLLIN, end_ns) : -errno;
        if (rc < 0 && rc != -EINTR)
            return rc;
    }
}

static int send_all(int fd, const void *data, size_t bytes, uint64_t timeout_ns)
{
    const char *at = data;
    for (uint64_t end_ns = corio_now_ns() + timeout_ns; bytes > 0;) {
        ssize_t n = send(fd, at, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        int rc = n >= 0 ? 0 : errno == EAGAIN ? wait_for(fd, POLLOUT, end_ns) : -errno;
        if (rc < 0 && rc != -EINTR)
            return rc;
        at += n > 0 ? n : 0;
        bytes -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static void read_figures(struct figures *ret)
{
    *ret = (struct figures){.finds = __atomic_load_n(&finds, __ATOMIC_RELAXED),
                            .changes = __atomic_load_n(&changes, __ATOMIC_RELAXED)};
    ret->find_batches = ret->finds;
    ret->change_batches = ret->changes;
    ret->commits = ret->changes;
}

static const struct ways ways = {.name = "threaded",
                                 .receive = receive,
                                 .send = send_all,
                                 .find = find_value,
                                 .change = change_value,
                                 .figures = read_figures};

/* -- Threads -- */

static void end_one(void)
{
    pthread_mutex_lock(&lock);
    running--;
    pthread_cond_signal(&ended);
    pthread_mutex_unlock(&lock);
}

static void *connection(void *arg)
{
    int fd = (int)(intptr_t)arg;
    struct database database;
    if (open_database(&database) == 0 && prepare_all(&database) == 0)
        serve_connection(&ways, &database, fd);
    else
        close(fd);
    close_database(&database);
    end_one();
    return NULL;
}

static void start_one(const pthread_attr_t *attributes, int fd)
{
    pthread_mutex_lock(&lock);
    while (running == config.connections)
        pthread_cond_wait(&ended, &lock);
    running++;
    pthread_mutex_unlock(&lock);
    pthread_t thread;
    if (pthread_create(&thread, attributes, connection, (void *)(intptr_t)fd) != 0) {
        close(fd);
        end_one();
    }
}

static void *stopper(void *arg)
{
    (void)arg;
    struct signalfd_siginfo signal;
    while (read(config.stop, &signal, sizeof signal) < 0 && errno == EINTR)
        ;
    stop_serving();
    return NULL;
}

static int accept_all(void)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    int rc = 0;
    while (rc == 0) {
        int fd = accept4(config.listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            start_one(&attributes, fd);
        else if (open_stopping())
            break;
        else if (may_accept_again(errno))
            usleep(10000);
        else
            rc = -errno;
    }
    pthread_attr_destroy(&attributes);
    return rc;
}

int serve_threaded(void)
{
    pthread_t thread;
    struct database database; /* kept open: the last one to close it would empty the log */
    int rc = open_database(&database);
    if (rc == 0)
        rc = -pthread_create(&thread, NULL, stopper, NULL);
    if (rc == 0) {
        if ((rc = accept_all()) < 0)
            ask_to_stop();
        pthread_join(thread, NULL);
        pthread_mutex_lock(&lock);
        while (running > 0)
            pthread_cond_wait(&ended, &lock);
        pthread_mutex_unlock(&lock);
    }
    close_database(&database);
    return rc;
}
