/* SPDX-License-Identifier: MIT
 *
 * cancel.h - who is cancelled.
 *
 * A mark lies on a scope (its children are cancelled, all or those spawned behind the one that
 * failed) or on a task (its deadline has passed). A task is cancelled if there is a mark on it, on
 * the scope it was spawned into that covers its index, or if its parent is; a shield on a task ends
 * the search. Nothing is pushed down the tree: whoever wants to know walks up, and only while there
 * are marks at all (`live`). What it finds it leaves behind in the tasks that it passed, so that a
 * tree of any depth is walked about once: not for every level of an error that climbs, nor for every
 * task of a cancelled chain.
 *
 * When it takes effect. A CPU phase has one or more *steps*, each ending in quiescence. A mark
 * takes effect on queued closures at once, on everything that waits when its step ends (settle.c).
 * The waiter of a marked scope goes on in a later step than the mark's, and a task that is
 * cancelled in the present step still parks in its blocking calls, until the step's end. So what
 * happens in each step does not depend on which closures had been started when the mark was set:
 *
 *   - A failing child marks only those spawned behind it. So the child that is lowest in spawn
 *     order among those that fail in a step always runs, and always gives the scope its error.
 *   - Requests of cancelled tasks never go out, whether asked before the mark or after it.
 *   - A child that was never started, and one that was and gives up in the next step, let the
 *     waiter go on in that same next step. For that, nothing below a mark takes a further step:
 *     its calls return at once, and errors in there are not settled.
 *
 * Edges
 *   cancel.mark   setting a mark (under the lock) -> walking
 *                 who sees the word sees its step
 *   cancel.epoch  setting a mark -> `checked` of a task: a task found free at epoch e is free of
 *                 all marks set before the epoch became e
 *   cancel.shield raising a shield -> `doomed` of a task: one found cancelled stays so until a
 *                 shield is raised
 *   cancel.changes setting a mark -> the leader: who sees the change sees the mark
 */
#ifndef CR_TASK_CANCEL_H
#define CR_TASK_CANCEL_H

#include "runtime/base/atomic.h"
#include "runtime/base/panic.h"

#include <corio/task.h>
#include <pthread.h>
#include <stdalign.h>

struct cr_scope;

typedef struct cr_mark {
    uint64_t word; /* 0: none; 1: all; n + 2: children behind index n, and all when the step ends */
    bool partial;  /* it is in cr_cancel.partial: the scope must stay until the step ends */
    /* Set with the word: */
    uint64_t step;
    struct cr_scope *next; /* in cr_cancel.partial */
} cr_mark;

enum { CR_MARK_NONE = 0, CR_MARK_ALL = 1, CR_MARK_BEHIND = 2 };

/* One per runtime. */
typedef struct cr_cancel {
    pthread_mutex_t lock;     /* failures and marks of all scopes */
    uint64_t step;            /* written at quiescence; a canceller may read it at any time */
    struct cr_scope *partial; /* scopes with a mark behind an index; under the lock */
    /* Read by every task that starts. */
    alignas(64) uint32_t live; /* marks that lie somewhere */
    uint32_t earlier;          /* of these, set in an earlier step */
    uint32_t epoch;            /* marks set so far */
    uint32_t changes;          /* of these, such as may let somebody give up who waits */
    uint32_t shields;          /* raised so far; never 0 */
} cr_cancel;

typedef enum cr_cancelled {
    CR_NOT_CANCELLED,
    CR_CANCELLED_NOW,     /* in this step */
    CR_CANCELLED_EARLIER, /* in an earlier one */
} cr_cancelled;

void cr_cancel_init(cr_cancel *cancel);
void cr_cancel_fini(cr_cancel *cancel);
void cr_cancel_new_run(cr_cancel *cancel);

/* Sets or widens a mark. scope: whose mark it is, if the word is CR_MARK_BEHIND or more. */
void cr_mark_set_locked(cr_cancel *cancel, cr_mark *mark, struct cr_scope *scope, uint64_t word);
/* Takes the mark away. The owner, when the children are complete and the mark's step is over. */
void cr_mark_clear(cr_cancel *cancel, cr_mark *mark);
/* At quiescence: marks behind an index become marks on all. */
void cr_cancel_widen(cr_cancel *cancel);
/* At quiescence, when all that is to be done at it is done. */
void cr_cancel_next_step(cr_cancel *cancel);
/* A shield was raised, or taken away: what was found must be looked at again. */
void cr_cancel_forget(cr_cancel *cancel);

cr_cancelled cr_task_cancelled_slow(const cr_cancel *cancel, corio_task *task);
cr_cancelled cr_child_cancelled_slow(const cr_cancel *cancel, const struct cr_scope *scope,
                                     uint64_t index);

static inline bool cr_cancel_any(const cr_cancel *cancel)
{
    return CR_UNLIKELY(cr_load_32(&cancel->live) != 0);
}

/* Whether a task is cancelled. Thread: any, while the task is not complete. */
static inline cr_cancelled cr_task_cancelled(const cr_cancel *cancel, corio_task *task)
{
    return cr_cancel_any(cancel) ? cr_task_cancelled_slow(cancel, task) : CR_NOT_CANCELLED;
}

/* Whether it was cancelled in an earlier step. Cheap for a task whose only marks near are those of
 * an error on its way up. */
static inline bool cr_task_cancelled_earlier(const cr_cancel *cancel, corio_task *task)
{
    return CR_UNLIKELY(cr_load_32(&cancel->earlier) != 0) &&
           cr_task_cancelled_slow(cancel, task) == CR_CANCELLED_EARLIER;
}

/* cr_task_cancelled for a child that has not been started. */
static inline cr_cancelled cr_child_cancelled(const cr_cancel *cancel, const struct cr_scope *scope,
                                              uint64_t index)
{
    return cr_cancel_any(cancel) ? cr_child_cancelled_slow(cancel, scope, index) : CR_NOT_CANCELLED;
}

#endif
