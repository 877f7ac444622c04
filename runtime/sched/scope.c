/* SPDX-License-Identifier: MIT
 *
 * scope.c - waiting for the children of a scope; groups; cancelling them.
 *
 * A wait takes closures of its own scope back from the deque and calls them on the waiter's stack
 * (the waiter is blocked on them anyway); only when something else lies on top, or the stack runs
 * low, or the rest was stolen, does it park. Closures of other scopes are never called there: they
 * could wait for what the waiter holds.
 *
 * The waiter of a scope that was marked in the present step goes on when the step ends (cancel.h),
 * even if all children are complete before.
 */
#include "runtime/sched/sched.h"

#include "runtime/base/alloc.h"
#include "runtime/base/clock.h"
#include "runtime/base/options.h"

#include <corio/time.h>
#include <errno.h>
#include <string.h>

/* -- Waiting -- */

/* The newest item of the worker, if it is a closure of this scope, and there is stack for it. */
static inline const cr_item *peek_child(cr_worker *worker, const cr_scope *scope)
{
    const cr_item *top = cr_deque_peek_owner(&worker->deque);
    if (cr_worker_simulated(worker) && cr_sim_draw(&worker->sched->sim, 2) == 0)
        return NULL; /* as if it had been stolen */
    /* The parked stack of a continuation is at another address than a scope. */
    bool is_child = top != NULL && top->scope == scope;
    return is_child && (char *)__builtin_frame_address(0) > worker->inline_limit ? top : NULL;
}

static const cr_park_reason waits = {.text = "waits for its children"};

/* A mark set in this step lies on the scope. Read by the waiter when the children are complete, or
 * by the last of them: both see what all children did. A waiter that was itself cancelled in an
 * earlier step does not wait for the end of this one: all below a mark is complete in the step after
 * it, whatever had been started. (Not if a child failed that was not cancelled with it, having a
 * shield: that mark is on a list until the step ends.) */
static bool must_settle(const cr_worker *worker, const cr_scope *scope)
{
    const cr_cancel *cancel = &worker->sched->cancel;
    /* [acquire cancel.mark] */
    return CR_UNLIKELY(cr_load_acquire_64(&scope->mark.word) != CR_MARK_NONE) &&
           scope->mark.step == cr_load_64(&cancel->step) &&
           (scope->mark.partial || cr_task_cancelled(cancel, scope->owner) != CR_CANCELLED_EARLIER);
}

static void settle_later(cr_worker *worker, cr_park *waiter)
{
    waiter->next = worker->settling;
    worker->settling = waiter;
}

/* What waits for a root is no stack: the boundary. */
static void end_root(cr_worker *worker, cr_park *waiter)
{
    waiter->next = worker->ended;
    worker->ended = waiter;
}

static void wake_waiter(cr_worker *worker, const cr_scope *scope, cr_park *waiter)
{
    if (CR_UNLIKELY(scope->owner == NULL))
        end_root(worker, waiter);
    else if (must_settle(worker, scope))
        settle_later(worker, waiter);
    else
        cr_make_runnable(worker, waiter);
}

void cr_task_arrive(cr_worker *worker, cr_scope *scope, uint64_t count)
{
    cr_park *waiter = cr_scope_arrive(scope, count);
    if (waiter != NULL)
        wake_waiter(worker, scope, waiter);
}

void cr_arrive_all(cr_worker *worker)
{
    cr_scope *scope = worker->arriving;
    worker->arriving = NULL;
    cr_task_arrive(worker, scope, worker->arriving_count);
}

static void sleep_on_scope(cr_worker *worker, cr_park *park)
{
    cr_scope *scope = park->object;
    if (!cr_scope_sleep(scope, park))
        wake_waiter(worker, scope, park);
}

/* Calls a child on the waiter's stack, if the newest item is one. The slot is read before the child
 * can push, so the closure need not be copied. */
static inline bool call_child(cr_worker *worker, const cr_scope *scope)
{
    const cr_item *child = peek_child(worker, scope);
    if (child == NULL || !cr_deque_take_peeked_owner(&worker->deque))
        return false;
    cr_task_call(worker, child);
    return true;
}

/* For children that run elsewhere, and for what a mark on the scope asks for. */
static __attribute__((noinline)) void wait_for_rest(cr_worker *worker, cr_scope *scope)
{
    if (cr_scope_unfinished(scope) != 0 || must_settle(worker, scope)) {
        cr_park park = {.reason = &waits, .object = scope, .after = sleep_on_scope};
        cr_suspend(worker, &park);
        worker = cr_worker_self();
    }
    if (cr_load_64(&scope->mark.word) != CR_MARK_NONE)
        cr_mark_clear(&worker->sched->cancel, &scope->mark);
}

void cr_scope_join(cr_worker *worker, corio_task *task, cr_scope *scope)
{
    while (call_child(worker, scope)) {
        worker = cr_worker_self();
        worker->task = task;
        scope->joined++;
        if (CR_UNLIKELY(worker->special))
            cr_note_run(worker, task);
    }
    if (CR_UNLIKELY(cr_scope_unfinished(scope) != 0 ||
                    cr_load_64(&scope->mark.word) != CR_MARK_NONE))
        wait_for_rest(worker, scope);
    cr_tell_acquire(cr_scope_edge(scope));
    cr_scope_reset(scope);
}

cr_failure *cr_scope_take_failure(cr_scope *scope)
{
    cr_failure *failure = scope->failure; /* all children are complete: the waiter's alone */
    if (CR_LIKELY(failure == NULL))
        return NULL;
    if (cr_failure_is_own(failure))
        failure->error.others = scope->errors - 1;
    scope->failure = NULL;
    scope->errors = 0;
    return failure;
}

int cr_scope_wait(cr_worker *worker, corio_task *task, cr_scope *scope)
{
    if (scope->spawned == 0 && cr_load_64(&scope->mark.word) == CR_MARK_NONE)
        return 0;
    cr_scope_join(worker, task, scope);
    const cr_cancel *cancel = &cr_worker_self()->sched->cancel;
    cr_failure *failure = cr_scope_take_failure(scope);
    if (CR_LIKELY(failure == NULL)) /* children that were cancelled from above have no error */
        return cr_task_cancelled(cancel, task) != CR_NOT_CANCELLED ? -ECANCELED : 0;
    int code = failure->error.code;
    cr_task_saw(task, failure);
    return code;
}

/* A deadline of a wait: in its frame. */
typedef struct scope_timer {
    cr_timer timer;
    cr_scope *scope;
} scope_timer;

static void scope_times_out(void *context, cr_timer *timer)
{
    cr_worker *leader = context;
    cr_scope *scope = ((scope_timer *)timer)->scope;
    cr_scope_cancel(&leader->sched->cancel, scope, NULL,
                    cr_failure_plain(scope->owner, -ETIMEDOUT, "the deadline has passed"));
}

static int scope_wait_until(corio_task *task, cr_scope *scope, uint64_t deadline_ns)
{
    cr_worker *worker = cr_worker_self();
    if (deadline_ns == CR_NEVER)
        return cr_scope_wait(worker, task, scope);
    cr_timers *timers = &worker->sched->timers;
    scope_timer limit = {.timer.fire = scope_times_out, .scope = scope};
    int rc = cr_timers_arm(timers, &limit.timer, deadline_ns);
    if (rc != 0)
        return rc;
    rc = cr_scope_wait(worker, task, scope);
    cr_timers_disarm(timers, &limit.timer);
    return rc;
}

int corio_wait_until(uint64_t deadline_ns)
{
    corio_task *task = corio_self();
    return task != NULL ? scope_wait_until(task, &task->scope, deadline_ns) : -EPERM;
}

CR_READS_HERE int corio_wait(void)
{
    cr_worker *worker = cr_worker_here;
    corio_task *task = CR_LIKELY(worker != NULL) ? worker->task : NULL;
    return CR_LIKELY(task != NULL) ? cr_scope_wait(worker, task, &task->scope) : -EPERM;
}

int corio_set_window(uint32_t children)
{
    corio_task *task = corio_self();
    if (task == NULL)
        return -EPERM;
    task->scope.window = children;
    return 0;
}

int corio_set_keep_going(bool on)
{
    corio_task *task = corio_self();
    if (task == NULL)
        return -EPERM;
    cr_cancel *cancel = &cr_worker_self()->sched->cancel;
    pthread_mutex_lock(&cancel->lock); /* read there when a child fails */
    task->scope.keep_going = on;
    pthread_mutex_unlock(&cancel->lock);
    return 0;
}

const corio_error *corio_task_error(void)
{
    corio_task *task = corio_self();
    const cr_failure *seen = task != NULL ? cr_task_seen(task) : NULL;
    return seen != NULL ? &seen->error : NULL;
}

/* -- Groups -- */

/* The deadline of a group is armed from open to close. */
typedef struct timed_group {
    corio_group group;
    scope_timer limit;
} timed_group;

int corio_group_open(const corio_group_options *options, corio_group **ret_group)
{
    corio_group_options taken = {.size = sizeof taken};
    corio_task *task = corio_self();
    if (task == NULL)
        return -EPERM;
    if (ret_group == NULL || (options != NULL && !cr_options_copy(&taken, sizeof taken, options)))
        return -EINVAL;
    cr_more *more = cr_more_of(task);
    timed_group *timed = more != NULL ? cr_alloc_zeroed(sizeof *timed) : NULL;
    if (timed == NULL)
        return -ENOMEM;
    corio_group *group = &timed->group;
    cr_scope_init(&group->scope, task, taken.window);
    group->scope.keep_going = taken.keep_going;
    timed->limit = (scope_timer){.timer.fire = scope_times_out, .scope = &group->scope};
    if (taken.deadline_ns != 0 && cr_timers_arm(&cr_worker_self()->sched->timers,
                                                &timed->limit.timer, taken.deadline_ns) != 0) {
        cr_free(timed);
        return -ENOMEM;
    }
    group->next = more->groups;
    more->groups = group;
    *ret_group = group;
    return 0;
}

/* 0 if the calling task may use the group. */
static int check_group(const corio_group *group)
{
    corio_task *task = corio_self();
    if (task == NULL)
        return -EPERM;
    if (group == NULL)
        return -EINVAL;
    return group->scope.owner == task ? 0 : -EPERM;
}

int corio_group_wait_until(corio_group *group, uint64_t deadline_ns)
{
    int rc = check_group(group);
    return rc != 0 ? rc : scope_wait_until(group->scope.owner, &group->scope, deadline_ns);
}

int corio_group_wait(corio_group *group)
{
    return corio_group_wait_until(group, CR_NEVER);
}

int corio_group_close(corio_group *group)
{
    if (group == NULL)
        return 0;
    int rc = check_group(group);
    if (rc != 0)
        return rc;
    corio_task *task = group->scope.owner;
    rc = cr_scope_wait(cr_worker_self(), task, &group->scope);
    corio_group **at = &task->more->groups;
    while (*at != group)
        at = &(*at)->next;
    *at = group->next;
    cr_timers_disarm(&cr_worker_self()->sched->timers, &((timed_group *)group)->limit.timer);
    cr_free(group);
    return rc;
}

/* -- Cancelling -- */

/* By the owner, or by a task below it: of several that do so in the same step the one that is lowest
 * in spawn order counts. */
static int cancel_scope(cr_scope *scope, int code)
{
    cr_cancel *cancel = &cr_worker_self()->sched->cancel;
    const corio_task *by = corio_self();
    while (by != NULL && by->in != scope)
        by = by->parent;
    cr_scope_cancel(cancel, scope, by, cr_failure_plain(corio_self(), code, "cancelled"));
    return 0;
}

int corio_cancel_children(int code)
{
    corio_task *task = corio_self();
    if (task == NULL)
        return -EPERM;
    return code < 0 ? cancel_scope(&task->scope, code) : -EINVAL;
}

int corio_group_cancel(corio_group *group, int code)
{
    if (corio_self() == NULL)
        return -EPERM;
    return group != NULL && code < 0 ? cancel_scope(&group->scope, code) : -EINVAL;
}

int corio_shield(bool on)
{
    cr_worker *worker = cr_worker_self();
    corio_task *task = corio_self();
    if (task == NULL)
        return -EPERM;
    int before = cr_load_32(&task->shielded) != 0;
    cr_store_32(&task->shielded, on);
    if (before != on)
        cr_cancel_forget(&worker->sched->cancel);
    return before;
}

int corio_cancelled(void)
{
    cr_worker *worker = cr_worker_self();
    corio_task *task = corio_self();
    if (task == NULL)
        return -EPERM;
    uint64_t deadline = cr_task_deadline(task);
    if (deadline != CR_NEVER && cr_sched_now(worker->sched) >= deadline)
        return -ETIMEDOUT;
    bool cancelled = cr_task_cancelled(&worker->sched->cancel, task) != CR_NOT_CANCELLED;
    return cancelled ? -ECANCELED : 0;
}

/* -- Deadlines -- */

static void task_times_out(void *context, cr_timer *timer)
{
    cr_worker *leader = context;
    cr_more *more = (cr_more *)((char *)timer - offsetof(cr_more, timer));
    cr_cancel *cancel = &leader->sched->cancel;
    pthread_mutex_lock(&cancel->lock);
    cr_mark_set_locked(cancel, &more->mark, NULL, CR_MARK_ALL);
    pthread_mutex_unlock(&cancel->lock);
}

int corio_set_deadline(uint64_t deadline_ns)
{
    corio_task *task = corio_self();
    if (task == NULL)
        return -EPERM;
    cr_timers *timers = &cr_worker_self()->sched->timers;
    cr_more *more = cr_more_of(task);
    if (more == NULL)
        return -ENOMEM;
    if (more->deadline_ns != 0)
        cr_timers_disarm(timers, &more->timer);
    more->timer.fire = task_times_out;
    int rc = deadline_ns != 0 ? cr_timers_arm(timers, &more->timer, deadline_ns) : 0;
    cr_store_64(&more->deadline_ns, rc == 0 ? deadline_ns : 0);
    return rc;
}

uint64_t corio_deadline(void)
{
    return cr_task_deadline(corio_self());
}

uint64_t corio_now_ns(void)
{
    cr_worker *worker = cr_worker_self();
    return worker != NULL ? cr_sched_now(worker->sched) : cr_now_ns();
}
