/* SPDX-License-Identifier: MIT
 *
 * failure.h - where an error came from: made when a task fails, passed up the tree with its error
 * code, and longer by a name at each level.
 *
 * Which error of a scope is the first must not depend on timing: the one of the earliest step, and
 * within a step the one of the child that was spawned first. `rank_...` holds that; it is set anew
 * at each level on the way up.
 */
#ifndef CR_TASK_FAILURE_H
#define CR_TASK_FAILURE_H

#include "runtime/task/task.h"

#include <corio/error.h>
#include <stdarg.h>
#include <unwind.h>

/* What travels through the frames of a task that corio_fail leaves. */
typedef struct cr_raised {
    struct _Unwind_Exception exception;
    int code;
    unsigned uncaught; /* C++ exceptions on their way when it was raised (exceptions.h) */
} cr_raised;

typedef struct cr_failure {
    corio_error error;
    uint64_t rank_step;
    uint64_t rank_index; /* of the child, counted from 1; 0: the scope was cancelled as such */
    const char **chain;  /* error.chain */
    size_t chain_capacity;
    struct cr_failure *cause; /* error.cause */
    cr_raised raised;
} cr_failure;

/* A failure of `task` itself: `format` (NULL: none) says why. Never NULL: without memory a constant
 * that has the code and no place. */
cr_failure *cr_failure_create(const corio_task *task, int code, const char *format, va_list args);
cr_failure *cr_failure_plain(const corio_task *task, int code, const char *text);
void cr_failure_destroy(cr_failure *failure); /* NULL is ignored */
/* It goes through `task` on its way up. */
void cr_failure_pass(cr_failure *failure, const corio_task *task);
/* What led to it (taken). */
void cr_failure_because(cr_failure *failure, cr_failure *cause);
/* The backtrace of the caller. */
void cr_failure_trace(cr_failure *failure);
/* It can be raised: it is no constant. */
bool cr_failure_is_own(const cr_failure *failure);

/* `child`, of the scope, ended with `code`; its failure is found where the child has it. The scope
 * is cancelled behind the child unless it keeps going. */
void cr_scope_fail(cr_cancel *cancel, cr_scope *scope, corio_task *child, int code);
/* Cancels the children of a scope; `failure` (taken) is what its wait returns if it has no earlier
 * one. `by`: the child of the scope that it comes from, which counts as if that had failed; NULL:
 * none. */
void cr_scope_cancel(cr_cancel *cancel, cr_scope *scope, const corio_task *by, cr_failure *failure);
/* The same without a reason of its own: who waits has an error already. */
void cr_scope_cancel_quietly(cr_cancel *cancel, cr_scope *scope);

#endif
