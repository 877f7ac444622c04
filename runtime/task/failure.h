/* SPDX-License-Identifier: MIT
 *
 * failure.h - where an error came from: made when a task fails, passed up the tree with its error
 * code.
 *
 * Which error of a scope is the first must not depend on timing: the one of the earliest phase, and
 * within a phase the one of the child that was spawned first. `rank` holds that; it is set anew at
 * each level on the way up.
 */
#ifndef CR_TASK_FAILURE_H
#define CR_TASK_FAILURE_H

#include "runtime/task/task.h"

#include <pthread.h>

typedef struct cr_failure {
    corio_error error;
    uint64_t rank_phase;
    uint64_t rank_index; /* the text of error.path follows */
} cr_failure;

/* `child`, of the scope, ended with `code` in `phase`. Takes child->seen if that is where the
 * error came from. */
void cr_scope_fail(pthread_mutex_t *lock, cr_scope *scope, corio_task *child, int code,
                   uint64_t phase);

/* A failure of `task` itself. Never NULL: without memory a constant that has the code and no
 * place. */
cr_failure *cr_failure_create(const corio_task *task, int code);
void cr_failure_destroy(cr_failure *failure); /* NULL is ignored */

#endif
