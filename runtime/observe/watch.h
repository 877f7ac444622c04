/* SPDX-License-Identifier: MIT
 *
 * watch.h - what a worker does in a phase, counted for the statistics.
 *
 * A worker has one of these only if somebody wants to know. It is the worker's during a phase and
 * the leader's at a boundary.
 */
#ifndef CR_OBSERVE_WATCH_H
#define CR_OBSERVE_WATCH_H

#include "runtime/base/clock.h"
#include "runtime/task/task.h"

enum { CR_WATCH_LEVELS = 16, CR_WATCH_PATH = 24 * CR_WATCH_LEVELS };

typedef struct cr_watch {
    uint64_t closures;      /* started in this phase */
    uint64_t continuations; /* resumed in this phase */
    /* What suspended or ended last in this phase: copied, as the task may be gone when it is asked
     * for. */
    uint64_t last_ns; /* 0: nothing */
    const char *name;
    uint64_t indices[CR_WATCH_LEVELS]; /* of the task, its parent, ... */
    unsigned levels;
    bool deeper; /* there are more */
} cr_watch;

static inline void cr_watch_last(cr_watch *watch, const corio_task *task)
{
    unsigned levels = 0;
    watch->last_ns = cr_now_ns();
    watch->name = task->name;
    for (; task->parent != NULL && levels < CR_WATCH_LEVELS; task = task->parent)
        watch->indices[levels++] = task->index;
    watch->levels = levels;
    watch->deeper = task->parent != NULL;
}

/* As corio_task_path_text, but "(..., 3, 4)" if it was too deep to keep. `text` has CR_WATCH_PATH
 * bytes. */
void cr_watch_path(const cr_watch *watch, char *text);

#endif
