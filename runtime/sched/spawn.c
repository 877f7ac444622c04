/* SPDX-License-Identifier: MIT
 *
 * spawn.c - closures into the deque, and out of it into a frame.
 *
 * A spawn writes one item; nothing is allocated. A closure becomes a task in the frame of
 * cr_task_call, and that frame stays until the task's children are complete and its cleanups have
 * run.
 */
#include "runtime/sched/sched.h"

#include "runtime/base/alloc.h"
#include "runtime/base/options.h"
#include "runtime/sched/leave.h"
#include "runtime/sched/wait.h"

#include <corio/fail.h>
#include <errno.h>
#include <string.h>

/* -- The end of a task -- */

/* The earlier of two failures by rank (see failure.h); the other one is released. */
static cr_failure *earlier(cr_failure *a, cr_failure *b)
{
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    bool first = a->rank_step < b->rank_step ||
                 (a->rank_step == b->rank_step && a->rank_index <= b->rank_index);
    cr_failure_destroy(first ? b : a);
    return first ? a : b;
}

/* A task that ends with an error needs its children no longer. Those that it spawned and has not
 * waited for: whether they have finished by now depends on timing, and the step in which the task
 * ends must not. */
static void cancel_children(cr_cancel *cancel, corio_task *task)
{
    if (task->scope.spawned != 0)
        cr_scope_cancel_quietly(cancel, &task->scope);
    for (corio_group *group = task->more != NULL ? task->more->groups : NULL; group != NULL;
         group = group->next)
        if (group->scope.spawned != 0)
            cr_scope_cancel_quietly(cancel, &group->scope);
}

/* Waits for all children, closes the groups left open. Their first error (given); NULL: none. */
static cr_failure *join_all(corio_task *task)
{
    cr_scope_join(cr_worker_self(), task, &task->scope);
    cr_failure *first = cr_scope_take_failure(&task->scope);
    while (task->more != NULL && task->more->groups != NULL) {
        corio_group *group = task->more->groups;
        cr_scope_join(cr_worker_self(), task, &group->scope);
        first = earlier(first, cr_scope_take_failure(&group->scope));
        (void)corio_group_close(group);
    }
    return first;
}

/* Children's errors count if the task has none itself; and if it only passes on the -ECANCELED that
 * a spawn into their cancelled scope gave it. A shield holds until they are complete. */
static int finish_children(corio_task *task, int rc)
{
    cr_failure *first = join_all(task);
    cr_store_32(&task->shielded, 0);
    const cr_cancel *cancel = &cr_worker_self()->sched->cancel;
    if (first != NULL && rc == -ECANCELED && cr_task_cancelled(cancel, task) == CR_NOT_CANCELLED)
        rc = 0;
    if (rc != 0 || first == NULL) {
        cr_failure_destroy(first);
        return rc;
    }
    rc = first->error.code;
    cr_task_saw(task, first);
    return rc;
}

/* A task that was cancelled by its own deadline ends with that. */
static int own_deadline(corio_task *task, int rc)
{
    cr_more *more = task->more;
    if (rc != -ECANCELED || cr_load_64(&more->mark.word) == CR_MARK_NONE)
        return rc;
    cr_failure_destroy(more->leaving);
    more->leaving = cr_failure_plain(task, -ETIMEDOUT, "the deadline has passed");
    return -ETIMEDOUT;
}

/* A scope may be cancelled, and so have an error, without children. */
static inline bool was_cancelled(const cr_scope *scope)
{
    return cr_load_64(&scope->mark.word) != CR_MARK_NONE;
}

/* After the task's function, if it has children or anything else to put in order. */
static __attribute__((noinline)) int task_finish(corio_task *task, int rc)
{
    if (rc != 0)
        cancel_children(&cr_worker_self()->sched->cancel, task);
    rc = finish_children(task, rc);
    if (task->more == NULL)
        return rc;
    if (task->more->deferred != NULL) {
        int late = cr_run_deferred(task);
        rc = finish_children(task, rc != 0 ? rc : late);
    }
    return own_deadline(task, rc);
}

/* No children, nothing to put in order, no error that a cancellation brought. */
static inline bool left_nothing(const corio_task *task)
{
    return task->scope.spawned == 0 && task->more == NULL && !was_cancelled(&task->scope);
}

/* What is left to do when a task's function has returned, unless that is nothing; what it ends with. */
static __attribute__((noinline)) int task_end(corio_task *task, int rc)
{
    if (!left_nothing(task))
        rc = task_finish(task, rc);
    cr_sched *sched = cr_worker_self()->sched;
    if (rc != 0)
        cr_scope_fail(&sched->cancel, task->in, task, rc);
    if (task->more != NULL)
        cr_more_free(&sched->cancel, &sched->timers, task);
    return rc;
}

/* -- Closures to tasks -- */

/* How many bytes of its argument a closure has copied. */
static inline unsigned copied(const cr_item *closure)
{
    return closure->index_bytes & 0xff;
}

/* What a closure carries, see CR_ITEM_CARRIES; NULL: nothing. */
static inline void *carried(const cr_item *closure)
{
    return CR_UNLIKELY(copied(closure) == CR_ITEM_CARRIES) ? closure->arg : NULL;
}

/* What a sanitizer knows the edge by from the spawn of a child to its start. Neighbours have their own,
 * so that what the parent does behind a spawn is not taken for seen by an earlier child. */
static const void *spawn_edge(const cr_scope *scope, uint64_t index)
{
    enum { edges = 7 };
    _Static_assert(edges * sizeof(uint64_t) <= offsetof(cr_scope, owner), "not cr_scope_edge's");
    return (const char *)scope + index % edges * sizeof(uint64_t);
}

/* Calls the closure's function as `task`. The closure may lie in a slot of the deque, which is filled
 * again from then on. */
static inline __attribute__((always_inline)) int run(cr_worker *worker, corio_task *task,
                                                     const cr_item *closure, bool copy,
                                                     bool careful)
{
    alignas(16) uint64_t words[4];
    void *arg = closure->arg;
    if (copy) {
        for (unsigned word = 0; word < 4; word++)
            words[word] = cr_load_64(&closure->copy[word]); /* narrow loads: see fill_copy */
        arg = words;
    }
    worker->task = task;
    int rc = careful ? cr_land(closure->fn, arg) : cr_land_here(closure->fn, arg);
    return CR_LIKELY(left_nothing(task) && rc == 0) ? 0 : task_end(task, rc);
}

/* The same as cr_task_call, whatever there is to look at. */
static __attribute__((noinline)) void call_with_care(cr_worker *worker, const cr_item *closure)
{
    cr_scope *scope = closure->scope;
    uint64_t index = closure->index_bytes >> 8;
    void *block = carried(closure);
    if (cr_child_cancelled(&worker->sched->cancel, scope, index) != CR_NOT_CANCELLED) {
        cr_free(block);
        return;
    }
    corio_task task;
    cr_task_init(&task, scope, index, closure->name);
    bool special = worker->special;
    if (special)
        cr_note_start(worker, &task);
    cr_tell_acquire(spawn_edge(scope, index));
    int rc = run(worker, &task, closure, block == NULL && copied(closure) > 0, true);
    if (special)
        cr_note_end(cr_worker_self(), &task, rc);
    cr_free(block);
    cr_tell_release(cr_scope_edge(scope));
}

void cr_task_call(cr_worker *worker, const cr_item *closure)
{
    if (CR_UNLIKELY(worker->special) || CR_UNLIKELY(copied(closure) == CR_ITEM_CARRIES) ||
        cr_cancel_any(&worker->sched->cancel)) {
        call_with_care(worker, closure);
        return;
    }
    corio_task task;
    cr_task_init(&task, closure->scope, closure->index_bytes >> 8, closure->name);
    (void)run(worker, &task, closure, copied(closure) > 0, false);
}

void cr_task_refuse(cr_worker *worker, const cr_item *closure, int code)
{
    corio_task task;
    cr_task_init(&task, closure->scope, closure->index_bytes >> 8, closure->name);
    cr_free(carried(closure));
    if (code != -ECANCELED)
        cr_scope_fail(&worker->sched->cancel, closure->scope, &task, code);
    cr_task_arrive(worker, closure->scope, 1);
}

/* -- Spawning -- */

static const cr_park_reason held = {.text = "is held in corio_go at a full window",
                                    .give_up = cr_wait_give_up};

/* Parks the spawner until a boundary finds room in the scope's window, and makes it. */
static int hold(cr_worker *worker, cr_scope *scope)
{
    corio_waiters *queue = &worker->sched->held;
    cr_wait wait = {.park = {.reason = &held, .object = scope}, .guard = queue, .queue = queue};
    return cr_wait_in(worker, &wait, CR_NEVER);
}

/* What few spawns need: a place in a cancelled or full scope. */
static int may_spawn(cr_worker *worker, const corio_task *task, cr_scope *scope)
{
    if (cr_child_cancelled(&worker->sched->cancel, scope, task->spawns) == CR_CANCELLED_EARLIER)
        return -ECANCELED;
    return scope->window != 0 && cr_scope_window_used(scope) >= scope->window ? hold(worker, scope)
                                                                              : 0;
}

/* Word by word, and read that way too: a wide load of what narrow stores have just written waits
 * until they are in the cache. */
static inline void fill_copy(cr_item *slot, const char *arg, size_t bytes)
{
    uint64_t value;
    unsigned word = 0;
    for (; bytes >= sizeof value; bytes -= sizeof value, arg += sizeof value) {
        memcpy(&value, arg, sizeof value);
        cr_store_64(&slot->copy[word++], value);
    }
    if (bytes > 0) {
        value = 0;
        memcpy(&value, arg, bytes);
        cr_store_64(&slot->copy[word], value);
    }
}

/* Fills the slot and publishes it. bytes 0: arg is passed on as it is. */
static inline __attribute__((always_inline)) void publish(cr_worker *worker, cr_item *slot,
                                                          corio_task *task, cr_scope *scope,
                                                          const char *name, corio_task_fn *fn,
                                                          const void *arg, size_t bytes)
{
    slot->fn = fn;
    slot->scope = scope;
    slot->name = name;
    slot->index_bytes = task->spawns++ << 8 | bytes;
    if (bytes == 0 || bytes == CR_ITEM_CARRIES)
        slot->arg = (void *)(uintptr_t)arg;
    else
        fill_copy(slot, arg, bytes);
    scope->spawned++;
    cr_deque_publish_owner(&worker->deque);
}

/* The usual spawn: false if there is more to look at than that, and nothing has been done. Calls
 * nothing before it is through, so that nothing has to be saved. */
static inline __attribute__((always_inline)) bool spawn_plainly(cr_worker *worker, const char *name,
                                                                corio_task_fn *fn, const void *arg,
                                                                size_t bytes)
{
    corio_task *task;
    if (CR_UNLIKELY(worker == NULL) || CR_UNLIKELY((task = worker->task) == NULL) ||
        CR_UNLIKELY(fn == NULL) || CR_UNLIKELY(name == NULL) || CR_UNLIKELY(worker->special) ||
        CR_UNLIKELY(task->scope.window != 0) || cr_cancel_any(&worker->sched->cancel))
        return false;
    cr_item *slot = cr_deque_room_owner(&worker->deque);
    if (CR_UNLIKELY(slot == NULL))
        return false;
    publish(worker, slot, task, &task->scope, name, fn, arg, bytes);
    cr_pushed_plainly(worker);
    return true;
}

static int spawn(cr_worker *worker, corio_task *task, cr_scope *scope, const char *name,
                 corio_task_fn *fn, const void *arg, size_t bytes)
{
    if (scope->window != 0 || cr_cancel_any(&worker->sched->cancel)) {
        int rc = may_spawn(worker, task, scope);
        if (rc != 0)
            return rc;
        worker = cr_worker_self();
    }
    cr_item *slot = cr_deque_reserve_owner(&worker->deque);
    if (slot == NULL)
        return -ENOMEM;
    if (worker->special)
        cr_note_spawn(worker, task, name);
    cr_tell_release(spawn_edge(scope, task->spawns));
    publish(worker, slot, task, scope, name, fn, arg, bytes);
    cr_pushed(worker);
    (void)cr_preemption_point(worker);
    return 0;
}

/* The general form. group: NULL: the task's own scope. */
static __attribute__((noinline)) int go(corio_group *group, const char *name, corio_task_fn *fn,
                                        const void *arg, size_t bytes)
{
    cr_worker *worker = cr_worker_self();
    corio_task *task = worker != NULL ? worker->task : NULL;
    if (CR_UNLIKELY(task == NULL))
        return -EPERM;
    if (CR_UNLIKELY(fn == NULL || name == NULL))
        return -EINVAL;
    cr_scope *scope = group != NULL ? &group->scope : &task->scope;
    if (CR_UNLIKELY(scope->owner != task))
        return -EPERM;
    return spawn(worker, task, scope, name, fn, arg, bytes);
}

static bool may_copy(const void *arg, size_t bytes)
{
    return arg != NULL && bytes > 0 && bytes <= CORIO_COPY_MAX;
}

CR_READS_HERE int corio_go_named(const char *name, corio_task_fn *fn, void *arg)
{
    return CR_LIKELY(spawn_plainly(cr_worker_here, name, fn, arg, 0)) ? 0
                                                                      : go(NULL, name, fn, arg, 0);
}

static __attribute__((noinline)) int go_copy(const char *name, corio_task_fn *fn, const void *arg,
                                             size_t bytes)
{
    if (corio_self() == NULL)
        return -EPERM;
    return may_copy(arg, bytes) ? go(NULL, name, fn, arg, bytes) : -EINVAL;
}

CR_READS_HERE int corio_go_copy_named(const char *name, corio_task_fn *fn, const void *arg,
                                      size_t bytes)
{
    return CR_LIKELY(may_copy(arg, bytes) && spawn_plainly(cr_worker_here, name, fn, arg, bytes))
               ? 0
               : go_copy(name, fn, arg, bytes);
}

int corio_group_go_named(corio_group *group, const char *name, corio_task_fn *fn, void *arg)
{
    if (corio_self() == NULL)
        return -EPERM;
    return group != NULL ? go(group, name, fn, arg, 0) : -EINVAL;
}

int corio_group_go_copy_named(corio_group *group, const char *name, corio_task_fn *fn,
                              const void *arg, size_t bytes)
{
    if (corio_self() == NULL)
        return -EPERM;
    return group != NULL && may_copy(arg, bytes) ? go(group, name, fn, arg, bytes) : -EINVAL;
}

corio_task *corio_self(void)
{
    const cr_worker *worker = cr_worker_self();
    return worker != NULL ? worker->task : NULL;
}

/* -- Spawning with options: a closure that carries them in a block -- */

enum { most_copy_bytes = 1 << 20 };

typedef struct with {
    corio_task_fn *fn;
    void *arg;
    uint64_t deadline_ns;
    const void *key;
    void *value;
    alignas(16) char copy[];
} with;

/* In the new task. The block goes when that is complete, with its children and those of its
 * cleanups: they may look at the copy. */
static int start_with(void *arg)
{
    const with *given = arg;
    if (given->deadline_ns != 0 && corio_now_ns() >= given->deadline_ns)
        return -ETIMEDOUT;
    int rc = given->deadline_ns != 0 ? corio_set_deadline(given->deadline_ns) : 0;
    if (rc == 0 && given->key != NULL)
        rc = corio_local_set(given->key, given->value);
    return rc == 0 ? given->fn(given->arg) : rc;
}

int corio_go_with(const corio_go_options *options, corio_task_fn *fn, const void *arg)
{
    if (corio_self() == NULL)
        return -EPERM;
    corio_go_options taken;
    if (options == NULL || !cr_options_copy(&taken, sizeof taken, options) || fn == NULL ||
        taken.copy_bytes > most_copy_bytes || (taken.copy_bytes > 0 && arg == NULL))
        return -EINVAL;
    with *given = cr_alloc(sizeof *given + taken.copy_bytes);
    if (given == NULL)
        return -ENOMEM;
    *given = (with){.fn = fn,
                    .arg = (void *)(uintptr_t)arg,
                    .deadline_ns = taken.deadline_ns,
                    .key = taken.key,
                    .value = taken.value};
    if (taken.copy_bytes > 0)
        given->arg = memcpy(given->copy, arg, taken.copy_bytes);
    int rc = go(taken.group, taken.name != NULL ? taken.name : "task", start_with, given,
                CR_ITEM_CARRIES);
    if (rc != 0)
        cr_free(given);
    return rc;
}
