/* SPDX-License-Identifier: MIT
 *
 * watch.h - a thread that looks on while tasks run: at those that hold the CPU phase, and at requests
 * that are to be handed over early.
 *
 *     CPU phase: look, nap, look, nap, ...       somebody ran last time and has not let go since?
 *                                                requests that have waited long enough? (io/early.c)
 *     I/O phase, and between runs: asleep        until a CPU phase begins
 *
 * It exists only if something is to be watched. It looks four times within the shortest limit, at most once a
 * millisecond, and wakes nobody. A CPU phase that begins while it naps costs nothing more than two
 * stores and a fence; one that begins while it is asleep, a wake-up.
 *
 * Edges
 *   watch.asleep   its going to sleep <-> cr_watch_computing: of the two stores one is seen
 *                  (it says that it sleeps, and looks whether tasks run; the leader says that tasks
 *                  run, and looks whether it sleeps; each with a full fence between)
 */
#ifndef CR_PHASE_WATCH_H
#define CR_PHASE_WATCH_H

#include "runtime/base/event.h"
#include "runtime/observe/trace.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* What has been seen of a worker's turn (turn.h). */
typedef struct cr_watched {
    uint64_t number;
    uint64_t since_ns; /* when it was seen first */
    bool told;
} cr_watched;

typedef struct cr_watch {
    struct corio_runtime *runtime;
    uint64_t period_ns;     /* changes between runs only */
    cr_trace_buffer *trace; /* its own; NULL: no trace is written */
    cr_watched *workers;    /* its own */
    pthread_t thread;
    cr_event event;
    uint32_t computing; /* a CPU phase goes on */
    uint32_t asleep;
    uint32_t stop;
} cr_watch;

/* From the next run on it looks often enough for this limit. Errors: -ENOMEM, -EAGAIN. */
int cr_watch_within(struct corio_runtime *runtime, uint64_t limit_ns);
/* NULL is ignored. */
void cr_watch_stop(cr_watch *watch);

void cr_watch_set_computing(cr_watch *watch, bool computing);

/* A CPU phase begins or ends: said by who begins the run and by the leader. NULL is ignored. */
static inline void cr_watch_computing(cr_watch *watch, bool computing)
{
    if (watch != NULL)
        cr_watch_set_computing(watch, computing);
}

#endif
