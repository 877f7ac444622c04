/* SPDX-License-Identifier: MIT
 *
 * threads.c - the audit's steps on plain threads, for comparison: what one would write without
 * corio.
 *
 * Each thread takes the next root, walks its closure, and looks up every member in a cache that all
 * threads share; what is not there it asks the database itself, over its own connection with its
 * own prepared statement.
 */
#include "audit.h"
#include "cache.h"

#include <stdlib.h>

struct worker {
    struct threads *threads;
    pthread_t thread;
    struct reader *reader;
    int rc;
};

struct threads {
    struct audit *audit;
    struct cache *cache;
    struct worker *workers;
    unsigned count;
    audit_job *job;
    uint32_t jobs;
    atomic_uint next;
};

/* -- Asking -- */

static int ask(struct asker *asker, const uint32_t *ids, uint32_t count, struct edges *answers)
{
    struct reader *reader = asker->worker->reader;
    struct cache *cache = asker->worker->threads->cache;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        if (cache_find(cache, ids[i], &answers[i]))
            continue;
        reader->statements++;
        rc = reader->store->kind->query(reader, ids[i], &answers[i]);
        if (rc == 0)
            rc = cache_keep(cache, ids[i], &answers[i]);
    }
    return rc;
}

/* -- Threads -- */

int threads_create(struct audit *audit, struct threads **ret_threads)
{
    struct threads *threads = calloc(1, sizeof *threads);
    if (!threads)
        return failure_set(audit->failure, EXIT_OTHER, "no memory");
    threads->audit = audit;
    threads->cache = cache_create();
    threads->workers = calloc(audit->options.threads, sizeof *threads->workers);
    int rc = threads->cache && threads->workers
                 ? 0
                 : failure_set(audit->failure, EXIT_OTHER, "no memory");
    for (unsigned i = 0; rc == 0 && i < audit->options.threads; i++) {
        threads->workers[i].threads = threads;
        rc = audit->store->kind->open_reader(audit->store, &threads->workers[i].reader);
        threads->count += rc == 0;
    }
    if (rc < 0)
        threads_destroy(threads);
    else
        *ret_threads = threads;
    return rc;
}

static void *run_jobs(void *arg)
{
    struct worker *worker = arg;
    struct threads *threads = worker->threads;
    struct asker asker = {.ask = ask, .worker = worker};
    int rc = 0;
    while (rc == 0) {
        uint32_t index = atomic_fetch_add(&threads->next, 1);
        if (index >= threads->jobs)
            break;
        rc = threads->job(threads->audit, &asker, index);
    }
    if (rc < 0)
        store_failed(threads->audit->store, rc);
    free(asker.answers);
    worker->rc = rc;
    return NULL;
}

int threads_run(struct threads *threads, audit_job *job, uint32_t count)
{
    unsigned started = 0;
    threads->job = job;
    threads->jobs = count;
    atomic_store(&threads->next, 0);
    while (started < threads->count && pthread_create(&threads->workers[started].thread, NULL,
                                                      run_jobs, &threads->workers[started]) == 0)
        started++;
    int rc = started > 0
                 ? 0
                 : failure_set(threads->audit->failure, EXIT_OTHER, "a thread cannot be made");
    for (unsigned i = 0; i < started; i++) {
        pthread_join(threads->workers[i].thread, NULL);
        if (rc == 0)
            rc = threads->workers[i].rc;
    }
    return rc;
}

uint64_t threads_statements(const struct threads *threads)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < threads->count; i++)
        sum += threads->workers[i].reader->statements;
    return sum;
}

void threads_destroy(struct threads *threads)
{
    for (unsigned i = 0; i < threads->count; i++)
        threads->audit->store->kind->close_reader(threads->workers[i].reader);
    cache_destroy(threads->cache);
    free(threads->workers);
    free(threads);
}
