/* SPDX-License-Identifier: MIT */
#include "runtime/io/threads.h"

#include "runtime/base/alloc.h"
#include "runtime/base/atomic.h"
#include "runtime/base/thread.h"
#include "runtime/io/io.h"

#include <errno.h>

static corio_batch *next_job(cr_threads *threads)
{
    pthread_mutex_lock(&threads->lock);
    threads->idle++;
    while (threads->first == NULL && !threads->stop)
        pthread_cond_wait(&threads->work, &threads->lock);
    threads->idle--;
    corio_batch *batch = threads->first;
    if (batch != NULL) {
        threads->first = batch->next;
        threads->waiting--;
    }
    pthread_mutex_unlock(&threads->lock);
    return batch;
}

static void run_job(corio_batch *batch)
{
    uint32_t held = cr_batch_hold(batch); /* the job's own now */
    cr_batch_returned(batch, held, batch->job(batch->job_arg, batch));
}

static void *thread_main(void *arg)
{
    cr_threads *threads = arg;
    corio_batch *batch;
    while ((batch = next_job(threads)) != NULL)
        run_job(batch);
    return NULL;
}

void cr_sim_submit(cr_sim *sim, corio_batch *batch)
{
    batch->next = sim->jobs;
    sim->jobs = batch;
    sim->job_count++;
}

bool cr_sim_run_a_job(cr_sim *sim)
{
    corio_batch **at = &sim->jobs;
    if (sim->job_count == 0)
        return false;
    for (uint64_t place = cr_sim_draw(sim, sim->job_count); place > 0; place--)
        at = &(*at)->next;
    corio_batch *batch = *at;
    *at = batch->next;
    sim->job_count--;
    run_job(batch);
    return true;
}

static int start_thread_locked(cr_threads *threads)
{
    int rc = cr_thread_create(&threads->threads[threads->started], thread_main, threads);
    if (rc == 0)
        threads->started++;
    return rc;
}

int cr_threads_submit(cr_threads *threads, corio_batch *batch)
{
    int rc = 0;
    pthread_mutex_lock(&threads->lock);
    if (threads->idle <= threads->waiting && threads->started < threads->permits)
        rc = start_thread_locked(threads);
    if (threads->started > 0) { /* fewer threads than wished for do the work too */
        rc = 0;
        batch->next = NULL;
        if (threads->first == NULL)
            threads->first = batch;
        else
            threads->last->next = batch;
        threads->last = batch;
        threads->waiting++;
        pthread_cond_signal(&threads->work);
    }
    pthread_mutex_unlock(&threads->lock);
    return rc;
}

int cr_threads_init(cr_threads *threads, unsigned permits)
{
    *threads = (cr_threads){.permits = permits};
    threads->threads = cr_alloc_zeroed(permits * sizeof *threads->threads);
    if (threads->threads == NULL)
        return -ENOMEM;
    pthread_mutex_init(&threads->lock, NULL);
    pthread_cond_init(&threads->work, NULL);
    return 0;
}

void cr_threads_fini(cr_threads *threads)
{
    if (threads->threads == NULL)
        return;
    pthread_mutex_lock(&threads->lock);
    threads->stop = true;
    pthread_cond_broadcast(&threads->work);
    pthread_mutex_unlock(&threads->lock);
    for (unsigned i = 0; i < threads->started; i++)
        pthread_join(threads->threads[i], NULL);
    cr_free(threads->threads);
    pthread_mutex_destroy(&threads->lock);
    pthread_cond_destroy(&threads->work);
    threads->threads = NULL;
}
