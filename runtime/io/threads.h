/* SPDX-License-Identifier: MIT
 *
 * threads.h - the I/O threads: they call functions on slices, at most `permits` at once.
 *
 * A thread is made when a job comes, none is idle and there are permits left; it stays until the
 * end. Mutex and condition variable: a job is an I/O operation of microseconds at least.
 */
#ifndef CR_IO_THREADS_H
#define CR_IO_THREADS_H

#include <corio/batch.h>
#include <pthread.h>
#include <stddef.h>

typedef struct cr_threads {
    pthread_mutex_t lock;
    pthread_cond_t work;
    corio_batch *first, *last; /* jobs that wait */
    size_t waiting;
    unsigned idle;
    unsigned started;
    unsigned permits;
    bool stop;
    pthread_t *threads;
} cr_threads;

int cr_threads_init(cr_threads *threads, unsigned permits); /* -ENOMEM */
void cr_threads_fini(cr_threads *threads);                  /* ends when all jobs are done */

/* Queues the batch's job. Errors: -EAGAIN no thread can be made, and there is none. */
int cr_threads_submit(cr_threads *threads, corio_batch *batch);

#endif
