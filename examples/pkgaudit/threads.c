/* SPDX-License-Identifier: MIT
 *
 * threads.c - the audit's steps on plain threads, for comparison: what one would write without
 * corio.
 *
 * Each thread takes the next root, walks its closure, and looks up every member in a cache that all
 * threads share; what is not there it asks the database itself, over its own connection with its
 * own prepared statement. The cache is cut into shards, each with a mutex. Two threads that miss
 * the same key at once both ask; the first answer stays.
 */
#include "audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SHARDS = 64, FIRST_SLOTS = 64 };

struct cached {
    uint32_t package; /* 0: free */
    struct edges edges;
};

struct shard {
    pthread_mutex_t lock;
    struct cached *slots;
    uint32_t slot_count;
    uint32_t count;
};

struct reader {
    struct threads *threads;
    pthread_t thread;
    sqlite3 *connection;
    sqlite3_stmt *statement;
    uint64_t statements;
    int rc;
};

struct threads {
    struct audit *audit;
    struct shard shards[SHARDS];
    struct reader *readers;
    unsigned count;
    audit_job *job;
    uint32_t jobs;
    atomic_uint next;
};

/* -- The cache -- */

static struct cached *find_slot(const struct shard *shard, uint32_t package)
{
    uint32_t mask = shard->slot_count - 1;
    uint32_t at = (package * 0x9e3779b1u) >> 8 & mask;
    while (shard->slots[at].package != 0 && shard->slots[at].package != package)
        at = (at + 1) & mask;
    return &shard->slots[at];
}

static bool look_up(struct threads *threads, uint32_t package, struct edges *ret)
{
    struct shard *shard = &threads->shards[package % SHARDS];
    bool found = false;
    pthread_mutex_lock(&shard->lock);
    if (shard->count > 0) {
        const struct cached *slot = find_slot(shard, package);
        found = slot->package != 0;
        if (found)
            *ret = slot->edges;
    }
    pthread_mutex_unlock(&shard->lock);
    return found;
}

static int make_room_locked(struct shard *shard)
{
    if (2 * shard->count < shard->slot_count)
        return 0;
    struct shard larger = {.slot_count = shard->slot_count ? 2 * shard->slot_count : FIRST_SLOTS};
    larger.slots = calloc(larger.slot_count, sizeof *larger.slots);
    if (!larger.slots)
        return -ENOMEM;
    for (uint32_t i = 0; i < shard->slot_count; i++)
        if (shard->slots[i].package != 0)
            *find_slot(&larger, shard->slots[i].package) = shard->slots[i];
    free(shard->slots);
    shard->slots = larger.slots;
    shard->slot_count = larger.slot_count;
    return 0;
}

/* Takes *edges into the cache, or, if another thread was first, gives back that one's. */
static int remember(struct threads *threads, uint32_t package, struct edges *edges)
{
    struct shard *shard = &threads->shards[package % SHARDS];
    pthread_mutex_lock(&shard->lock);
    int rc = make_room_locked(shard);
    if (rc == 0) {
        struct cached *slot = find_slot(shard, package);
        if (slot->package != 0) {
            free((void *)edges->bytes);
            *edges = slot->edges;
        } else {
            *slot = (struct cached){package, *edges};
            shard->count++;
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return rc;
}

/* -- Asking -- */

static int add_row(struct edges *edges, size_t *room, sqlite3_stmt *statement)
{
    size_t bytes = store_edge_bytes(statement);
    if (edges->length + bytes > *room) {
        *room = 2 * *room + bytes + 512;
        void *moved = realloc((void *)edges->bytes, *room);
        if (!moved)
            return -ENOMEM;
        edges->bytes = moved;
    }
    store_edge_write(statement, (char *)edges->bytes + edges->length, bytes);
    edges->length += (uint32_t)bytes;
    edges->rows++;
    return 0;
}

static int query(struct reader *reader, uint32_t package, struct edges *ret)
{
    struct edges edges = {0};
    size_t room = 0;
    int result = SQLITE_ROW;
    int rc = store_edges_bind(NULL, reader->statement, &package);
    while (rc == 0 && (result = sqlite3_step(reader->statement)) == SQLITE_ROW)
        rc = add_row(&edges, &room, reader->statement);
    sqlite3_reset(reader->statement);
    reader->statements++;
    if (rc == 0)
        rc = corio_sqlite_error(result);
    if (rc < 0)
        free((void *)edges.bytes);
    else
        *ret = edges;
    return rc;
}

static int ask(struct asker *asker, const uint32_t *ids, uint32_t count, struct edges *answers)
{
    struct reader *reader = asker->reader;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        if (look_up(reader->threads, ids[i], &answers[i]))
            continue;
        rc = query(reader, ids[i], &answers[i]);
        if (rc == 0)
            rc = remember(reader->threads, ids[i], &answers[i]);
    }
    return rc;
}

/* -- Threads -- */

static int open_reader(struct threads *threads, struct reader *reader)
{
    struct audit *audit = threads->audit;
    reader->threads = threads;
    int result = sqlite3_open_v2(audit->options.path, &reader->connection,
                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_exec(reader->connection, "PRAGMA query_only=1; PRAGMA mmap_size=268435456",
                              NULL, NULL, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_prepare_v3(reader->connection, store_edges_sql, -1,
                                    SQLITE_PREPARE_PERSISTENT, &reader->statement, NULL);
    if (result == SQLITE_OK)
        return 0;
    return failure_of_database(audit->failure, corio_sqlite_error(result), NULL,
                               audit->options.path);
}

int threads_create(struct audit *audit, struct threads **ret_threads)
{
    struct threads *threads = calloc(1, sizeof *threads);
    if (!threads)
        return failure_set(audit->failure, EXIT_OTHER, "no memory");
    threads->audit = audit;
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_init(&threads->shards[i].lock, NULL);
    threads->readers = calloc(audit->options.threads, sizeof *threads->readers);
    int rc = threads->readers ? 0 : failure_set(audit->failure, EXIT_OTHER, "no memory");
    for (unsigned i = 0; rc == 0 && i < audit->options.threads; i++) {
        rc = open_reader(threads, &threads->readers[i]);
        threads->count++;
    }
    if (rc < 0)
        threads_destroy(threads);
    else
        *ret_threads = threads;
    return rc;
}

static void *run_jobs(void *arg)
{
    struct reader *reader = arg;
    struct threads *threads = reader->threads;
    struct asker asker = {.ask = ask, .reader = reader};
    int rc = 0;
    while (rc == 0) {
        uint32_t index = atomic_fetch_add(&threads->next, 1);
        if (index >= threads->jobs)
            break;
        rc = threads->job(threads->audit, &asker, index);
    }
    if (rc < 0)
        failure_of_database(threads->audit->failure, rc, NULL, threads->audit->options.path);
    free(asker.answers);
    reader->rc = rc;
    return NULL;
}

int threads_run(struct threads *threads, audit_job *job, uint32_t count)
{
    unsigned started = 0;
    threads->job = job;
    threads->jobs = count;
    atomic_store(&threads->next, 0);
    while (started < threads->count && pthread_create(&threads->readers[started].thread, NULL,
                                                      run_jobs, &threads->readers[started]) == 0)
        started++;
    int rc = started > 0
                 ? 0
                 : failure_set(threads->audit->failure, EXIT_OTHER, "a thread cannot be made");
    for (unsigned i = 0; i < started; i++) {
        pthread_join(threads->readers[i].thread, NULL);
        if (rc == 0)
            rc = threads->readers[i].rc;
    }
    return rc;
}

uint64_t threads_statements(const struct threads *threads)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < threads->count; i++)
        sum += threads->readers[i].statements;
    return sum;
}

static void free_shard(struct shard *shard)
{
    for (uint32_t i = 0; i < shard->slot_count; i++)
        free((void *)shard->slots[i].edges.bytes);
    free(shard->slots);
    pthread_mutex_destroy(&shard->lock);
}

void threads_destroy(struct threads *threads)
{
    for (unsigned i = 0; i < threads->count; i++) {
        sqlite3_finalize(threads->readers[i].statement);
        sqlite3_close_v2(threads->readers[i].connection);
    }
    for (unsigned i = 0; i < SHARDS; i++)
        free_shard(&threads->shards[i]);
    free(threads->readers);
    free(threads);
}
