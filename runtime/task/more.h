/* SPDX-License-Identifier: MIT
 *
 * more.h - what few tasks have: open groups, cleanups, values, a deadline, a failure. One block,
 * made when the first of them is needed, so that the others pay one pointer.
 *
 * Who reads it: the task itself; and descendants, which look for values and marks on their way up.
 * Everything a descendant reads is published with release and never changed after.
 *
 * Edges
 *   more.made     cr_more_of -> walking up    a descendant sees a whole block
 *   more.value    corio_local_set -> corio_local_get
 */
#ifndef CR_TASK_MORE_H
#define CR_TASK_MORE_H

#include "runtime/base/timer.h"
#include "runtime/task/failure.h"
#include "runtime/task/task.h"

#include <corio/cancel.h>
#include <corio/group.h>

struct corio_group {
    cr_scope scope;
    corio_group *next; /* of the same task, newest first */
};

/* A cleanup that is to run when the task ends. */
typedef struct cr_deferred {
    struct cr_deferred *next; /* deferred before it */
    void (*fn)(void *arg);
    void *arg;
} cr_deferred;

/* A value bound by a task, for itself and the children spawned from then on. */
typedef struct cr_local {
    struct cr_local *next; /* bound before it */
    const void *key;
    void *value;
    uint64_t since; /* the task's spawns at that time: children from this index on see it */
} cr_local;

typedef struct cr_more {
    corio_group *groups; /* open */
    cr_failure *seen;    /* the failure that the last wait returned */
    cr_failure *leaving; /* what corio_fail was told: the task is on its way out */
    cr_deferred *deferred;
    cr_local *locals;
    cr_mark mark;         /* on the task itself */
    cr_timer timer;       /* sets it */
    uint64_t deadline_ns; /* 0: none */
} cr_more;

/* The task's block, made if there is none. NULL: no memory. The task only. */
cr_more *cr_more_of(corio_task *task);
/* Releases the block, when the task is complete. Cleanups have run, groups are closed. */
void cr_more_free(cr_cancel *cancel, cr_timers *timers, corio_task *task);

/* Remembers a failure (taken; NULL: none) as what the task's last wait returned. */
void cr_task_saw(corio_task *task, cr_failure *failure);
static inline cr_failure *cr_task_seen(const corio_task *task)
{
    return task->more != NULL ? task->more->seen : NULL;
}

/* The nearest deadline of a task and those above it; CR_NEVER: none. Thread: any, while the task
 * is not complete. */
uint64_t cr_task_deadline(const corio_task *task);

#endif
