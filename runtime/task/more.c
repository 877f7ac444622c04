/* SPDX-License-Identifier: MIT */
#include "runtime/task/more.h"

#include "runtime/base/alloc.h"
#include "runtime/base/clock.h"

#include <errno.h>

cr_more *cr_more_of(corio_task *task)
{
    if (task->more != NULL)
        return task->more;
    cr_more *more = cr_alloc_zeroed(sizeof *more);
    if (more == NULL)
        return NULL;
    /* [release more.made] */
    cr_store_release_ptr(&task->more, more);
    return more;
}

void cr_more_free(cr_cancel *cancel, cr_timers *timers, corio_task *task)
{
    cr_more *more = task->more;
    if (more->deadline_ns != 0)
        cr_timers_disarm(timers, &more->timer);
    cr_mark_clear(cancel, &more->mark);
    while (more->locals != NULL) {
        cr_local *local = more->locals;
        more->locals = local->next;
        cr_free(local);
    }
    cr_failure_destroy(more->seen);
    cr_failure_destroy(more->leaving);
    cr_free(more);
    task->more = NULL;
}

void cr_task_saw(corio_task *task, cr_failure *failure)
{
    cr_more *more = failure != NULL ? cr_more_of(task) : task->more;
    if (more == NULL) { /* without memory the code alone goes on */
        cr_failure_destroy(failure);
        return;
    }
    cr_failure_destroy(more->seen);
    more->seen = failure;
}

uint64_t cr_task_deadline(const corio_task *task)
{
    uint64_t nearest = CR_NEVER;
    for (; task != NULL && !cr_load_32(&task->shielded); task = task->parent) {
        /* [acquire more.made] */
        const cr_more *more = cr_load_acquire_ptr((void *const *)&task->more);
        uint64_t deadline = more != NULL ? cr_load_64(&more->deadline_ns) : 0;
        if (deadline != 0 && deadline < nearest)
            nearest = deadline;
    }
    return nearest;
}

/* -- Values -- */

int corio_local_set(const void *key, void *value)
{
    corio_task *task = corio_self();
    if (task == NULL)
        return -EPERM;
    if (key == NULL)
        return -EINVAL;
    cr_more *more = cr_more_of(task);
    cr_local *local = more != NULL ? cr_alloc(sizeof *local) : NULL;
    if (local == NULL)
        return -ENOMEM;
    *local = (cr_local){more->locals, key, value, task->spawns};
    /* [release more.value] */
    cr_store_release_ptr(&more->locals, local);
    return 0;
}

/* The newest binding of `key` by this task that a child of index `below` - 1 may see. */
static const cr_local *find(const corio_task *task, const void *key, uint64_t below)
{
    /* [acquire more.made] */
    const cr_more *more = cr_load_acquire_ptr((void *const *)&task->more);
    if (more == NULL)
        return NULL;
    /* [acquire more.value] */
    const cr_local *local = cr_load_acquire_ptr((void *const *)&more->locals);
    while (local != NULL && (local->key != key || local->since >= below))
        local = local->next;
    return local;
}

void *corio_local_get(const void *key)
{
    const corio_task *task = corio_self();
    uint64_t below = UINT64_MAX; /* all its own */
    for (; task != NULL; task = task->parent) {
        const cr_local *local = find(task, key, below);
        if (local != NULL)
            return local->value;
        below = task->index + 1; /* of its parent's: those bound before it was spawned */
    }
    return NULL;
}
