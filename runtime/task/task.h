/* SPDX-License-Identifier: MIT
 *
 * task.h - tasks, scopes, closures and parked stacks: the nouns of the scheduler.
 *
 *     closure (cr_item, in a deque)
 *        | started
 *        v
 *     task (corio_task, in a frame of the stack that runs it)
 *        | suspends: its stack is parked whole
 *        v
 *     park record (cr_park, in the frame of the call that suspends)
 *
 * A task lives in the frame that called its function, and that frame stays until all children are
 * complete: so a child may follow its parent pointer at any time, and a spawn path needs no memory
 * of its own.
 *
 * Counting a scope's children
 *   spawned, joined   the owner's alone: children spawned, and children that finished on the
 *                     owner's own stack (inlined)
 *   arrived           shared: 0, less the children that finished elsewhere. A waiter that
 *                     is to sleep adds the number it still waits for (spawned - joined); from then
 *                     on the value is what is left. It is zero after a finisher's subtraction
 *                     exactly once, and that finisher wakes the waiter. Before the waiter added,
 *                     the value is negative, so no finisher can see zero too early, and none that
 *                     sees another value touches the scope again.
 *
 * Edges
 *   scope.arrive   cr_scope_arrive -> cr_scope_unfinished, cr_scope_sleep, the last cr_scope_arrive
 *                  what a child wrote is seen by its waiter
 */
#ifndef CR_TASK_TASK_H
#define CR_TASK_TASK_H

#include "runtime/base/atomic.h"
#include "runtime/base/context.h"
#include "runtime/task/cancel.h"

#include <corio/group.h>
#include <corio/task.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cr_worker;
struct cr_stack;
struct cr_failure;

/* The part that begins as zero comes first, and so does that of a task: a few wide stores when a
 * task starts. */
typedef struct cr_scope {
    uint64_t spawned;
    uint64_t joined;
    uint64_t arrived; /* two's complement */
    /* Under the failure lock; the waiter's once all children are complete. */
    struct cr_failure *failure;
    uint32_t errors; /* failures of children; as `failure` */
    uint32_t window; /* 0: none */
    /* `spawned` less the children that take room in the window: those unfinished at the boundary
     * that ended the last hold, and those spawned since. The owner's; wraps around. */
    uint32_t window_base;
    uint32_t keep_going;    /* an error does not cancel the others */
    struct cr_park *waiter; /* set before the waiter adds to arrived; read by who makes it zero */
    cr_mark mark;           /* on children of this scope */
    corio_task *owner;
} cr_scope;

struct corio_task {
    uint64_t spawns;      /* children spawned so far, into any scope */
    struct cr_more *more; /* what few tasks have (more.h); NULL for most. Read by descendants. */
    uint64_t identity;    /* who it is to a mutex; 0: it has not locked any */
    uint64_t doomed;      /* found cancelled: step of the mark << 32 | shields raised (cancel.h) */
    uint32_t checked;     /* the epoch at which it was found not to be cancelled (cancel.h) */
    uint32_t shielded;    /* its own calls, and its children, are not cancelled from above */
    cr_scope scope;
    corio_task *parent; /* NULL: a root */
    cr_scope *in;       /* the scope it was spawned into */
    uint64_t index;     /* number of this spawn among its parent's; of a root: 0 for that of the
                         * run, else the submission's */
    const char *name;
};

/* A closure or, with fn == NULL, a continuation: what deques hold. */
typedef struct cr_item {
    corio_task_fn *fn;
    union {
        cr_scope *scope;      /* of a closure */
        struct cr_park *park; /* of a continuation */
    };
    const char *name;
    uint64_t index_bytes; /* spawn index << 8 | bytes copied, or CR_ITEM_CARRIES */
    union {
        void *arg;
        uint64_t copy[4];
    };
} cr_item;
enum {
    /* The argument is a block that is to be released when the task is complete, or never starts. */
    CR_ITEM_CARRIES = 0xff
};
_Static_assert(sizeof(cr_item) == 64 && CORIO_COPY_MAX == 32, "an item is one cache line");

/* Why a stack is parked: for the deadlock report, and for getting out of it. */
typedef struct cr_park_reason {
    const char *text; /* "task NAME (PATH) ..." */
    /* Who has what it waits for; that task may be complete, and its address another's by now: so
     * with its identity, 0 if it is alive for sure. NULL, or returns NULL: nobody in particular. */
    const corio_task *(*holder)(const struct cr_park *park, uint64_t *ret_identity);
    /* At quiescence, for -EDEADLK, -ECANCELED or -ETIMEDOUT: takes it out of its queue. NULL: it
     * cannot give up. */
    void (*give_up)(struct cr_worker *leader, struct cr_park *park);
} cr_park_reason;

/* A stack at rest, and what is to happen to it. It lives in the frame that parked. */
typedef struct cr_park {
    cr_context context; /* set on arrival at the next stack, before `after` */
    struct cr_stack *stack;
    corio_task *task; /* which task goes on when it is resumed */
    /* Runs once the stack is left; NULL: nothing. */
    void (*after)(struct cr_worker *worker, struct cr_park *park);
    char *inline_limit;           /* the stack's, kept here so that resuming touches fewer lines */
    const cr_park_reason *reason; /* NULL: I/O, which is never part of a deadlock */
    void *object;                 /* scope, mutex, ... */
    struct cr_park *next;         /* in whatever list it is */
    int result;                   /* what the call that parked returns */
    bool noted;                   /* its end is to be told of, too (note.c) */
    uint64_t batch;               /* if traced: the last one that its request travelled in */
} cr_park;

/* Something with a place in spawn order: a request on its way out, a parked stack on its way
 * back. The place is kept here so that sorting touches no frame. */
typedef struct cr_entry {
    void *what; /* corio_request or cr_park */
    const corio_task *parent;
    uint64_t index;
} cr_entry;

static inline void cr_scope_init(cr_scope *scope, corio_task *owner, uint32_t window)
{
    *scope = (cr_scope){.owner = owner, .window = window};
}

static inline void cr_task_init(corio_task *task, cr_scope *in, uint64_t index, const char *name)
{
    /* All but what is set below: eight wide stores, in pieces that the compiler makes them of. */
    _Static_assert(offsetof(corio_task, scope.owner) == 128, "what begins as zero");
    memset(task, 0, 64);
    memset((char *)task + 64, 0, 64);
    task->scope.owner = task;
    task->parent = in->owner;
    task->in = in;
    task->index = index;
    task->name = name;
}

/* How many children are unfinished; 0 means all they wrote is seen. Owner only (or anybody at
 * quiescence). */
static inline uint64_t cr_scope_unfinished(const cr_scope *scope)
{
    /* [acquire scope.arrive] */
    return scope->spawned - scope->joined + cr_load_acquire_64(&scope->arrived);
}

/* Children finished on another stack than the owner's. Returns the waiter if these were the last
 * ones; the scope must not be touched any more otherwise. */
static inline cr_park *cr_scope_arrive(cr_scope *scope, uint64_t count)
{
    /* [release scope.arrive] [acquire scope.arrive] */
    return cr_add_64(&scope->arrived, -count) == count ? scope->waiter : NULL;
}

/* The owner, off its stack, goes to sleep. Returns false if all children had finished: it must
 * be woken at once. */
static inline bool cr_scope_sleep(cr_scope *scope, cr_park *waiter)
{
    uint64_t left = scope->spawned - scope->joined;
    scope->waiter = waiter;
    /* [acquire scope.arrive] [release scope.arrive] the last finisher sees waiter */
    return cr_add_64(&scope->arrived, left) + left != 0;
}

/* How many children count for the window. Owner only (or at quiescence). */
static inline uint32_t cr_scope_window_used(const cr_scope *scope)
{
    return (uint32_t)scope->spawned - scope->window_base;
}

/* Whether all children are complete, also while the owner sleeps. At quiescence. */
static inline bool cr_scope_is_complete(const cr_scope *scope)
{
    return (scope->waiter != NULL ? scope->arrived : cr_scope_unfinished(scope)) == 0;
}

/* What a sanitizer knows scope.arrive by. */
static inline const void *cr_scope_edge(const cr_scope *scope)
{
    return &scope->owner;
}

/* All children are complete: ready for the next round. Owner only. */
static inline void cr_scope_reset(cr_scope *scope)
{
    scope->waiter = NULL;
    scope->spawned = 0;
    scope->joined = 0;
    scope->window_base = 0;
    cr_store_64(&scope->arrived, 0); /* the owner's alone now */
}

/* Order of spawn paths, for tasks not yet or no longer here: (parent, index) stands for a task.
 * A task comes before its children. Returns <0, 0, >0. */
int cr_path_compare(const corio_task *a_parent, uint64_t a_index, const corio_task *b_parent,
                    uint64_t b_index);

#endif
