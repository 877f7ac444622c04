/* SPDX-License-Identifier: MIT
 *
 * trace.h - what happened when, as Chrome trace JSON.
 *
 *     worker's buffer --full, or the end--> file          completions --> file
 *
 * Tracks: one per worker, with a slice for each stretch that a task ran (an inlined child interrupts
 * its parent's); one for the phase engine (CPU phases, I/O phases, in
 * these dispatch calls and waiting); one for
 * completions. A task that waits (I/O, children, a lock) is an asynchronous slice from park to
 * resume, with the batch that its request travelled in.
 *
 * Threads: a buffer is its worker's; at quiescence also the leader's own is used for the phase
 * engine's track. The file is under the lock. Nothing is lost: a full buffer is written out.
 */
#ifndef CR_OBSERVE_TRACE_H
#define CR_OBSERVE_TRACE_H

#include "runtime/task/task.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

enum { CR_TRACE_BYTES = 1 << 16, CR_TRACE_NAME = 64, CR_TRACE_PATH = 192 };

typedef struct cr_trace {
    pthread_mutex_t lock;
    FILE *file;
    int error; /* first one of writing */
    uint64_t began_ns;
    unsigned workers;
} cr_trace;

typedef struct cr_trace_buffer {
    cr_trace *trace;
    unsigned worker;
    size_t used;
    /* The stretch that is being run. */
    uint64_t since_ns; /* 0: none */
    char name[CR_TRACE_NAME];
    char path[CR_TRACE_PATH];
    char bytes[CR_TRACE_BYTES];
} cr_trace_buffer;

int cr_trace_open(cr_trace *trace, const char *path, unsigned workers);
int cr_trace_close(cr_trace *trace); /* the first error of writing or closing */
cr_trace_buffer *cr_trace_buffer_create(cr_trace *trace, unsigned worker);
void cr_trace_buffer_destroy(cr_trace_buffer *buffer); /* writes out; NULL is ignored */

/* -- A worker's -- */

void cr_trace_spawn(cr_trace_buffer *buffer, const corio_task *parent, const char *name,
                    uint64_t index);
void cr_trace_run(cr_trace_buffer *buffer, const corio_task *task); /* runs from now on */
void cr_trace_finish(cr_trace_buffer *buffer, const corio_task *task, int rc);
void cr_trace_park(cr_trace_buffer *buffer, const cr_park *park);
void cr_trace_resume(cr_trace_buffer *buffer, const cr_park *park);
void cr_trace_log(cr_trace_buffer *buffer, const corio_task *task, const char *format,
                  va_list args);

/* -- The leader's -- */

void cr_trace_phase(cr_trace_buffer *buffer, const char *what, uint64_t phase, uint64_t from_ns,
                    uint64_t to_ns);
void cr_trace_dispatch(cr_trace_buffer *buffer, const char *dispatcher, uint64_t batch,
                       size_t requests, uint64_t from_ns, uint64_t to_ns);

/* -- Any thread's -- */

void cr_trace_complete(cr_trace *trace, const char *dispatcher, uint64_t batch, size_t requests);

#endif
