/* SPDX-License-Identifier: MIT
 *
 * tally.h - what a worker does in a phase, counted for the statistics.
 *
 * A worker has one of these only if somebody wants to know. It is the worker's during a phase and
 * the leader's at a boundary.
 */
#ifndef CR_OBSERVE_TALLY_H
#define CR_OBSERVE_TALLY_H

#include "runtime/base/clock.h"
#include "runtime/task/task.h"

enum { CR_TALLY_LEVELS = 16, CR_TALLY_PATH = 24 * (CR_TALLY_LEVELS + 1) };

typedef struct cr_tally {
    uint64_t closures;      /* started in this phase */
    uint64_t continuations; /* resumed in this phase */
    /* What suspended or ended last in this phase: copied, as the task may be gone when it is asked
     * for. */
    uint64_t last_ns; /* 0: nothing */
    const char *name;
    uint64_t indices[CR_TALLY_LEVELS]; /* of the task, its parent, ... */
    unsigned levels;
    bool deeper;   /* there are more */
    uint64_t root; /* number of the job that is the root; 0: none, or there are more levels */
} cr_tally;

static inline void cr_tally_last(cr_tally *tally, const corio_task *task)
{
    unsigned levels = 0;
    tally->last_ns = cr_now_ns();
    tally->name = task->name;
    for (; task->parent != NULL && levels < CR_TALLY_LEVELS; task = task->parent)
        tally->indices[levels++] = task->index;
    tally->levels = levels;
    tally->deeper = task->parent != NULL;
    tally->root = tally->deeper ? 0 : task->index;
}

/* As corio_task_path_text, but "(..., 3, 4)" if it was too deep to keep. `text` has CR_TALLY_PATH
 * bytes. */
void cr_tally_path(const cr_tally *tally, char *text);

#endif
