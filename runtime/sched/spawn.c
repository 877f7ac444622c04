/* SPDX-License-Identifier: MIT
 *
 * spawn.c - closures into the deque, and out of it into a frame.
 *
 * A spawn writes one item; nothing is allocated. A wait takes items of its own scope back and calls
 * them on the waiter's stack (the waiter is blocked on them anyway); only when something else lies
 * on top, or the stack runs low, or the rest was stolen, does it park. Items of other scopes are
 * never called there: they could wait for what the waiter holds.
 */
#include "runtime/sched/sched.h"

#include "runtime/base/alloc.h"

#include <errno.h>
#include <string.h>

/* -- Closures to tasks -- */

/* The earlier of two failures by rank (see failure.h); the other one is released. */
static cr_failure *earlier(cr_failure *a, cr_failure *b)
{
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    bool first = a->rank_phase < b->rank_phase ||
                 (a->rank_phase == b->rank_phase && a->rank_index <= b->rank_index);
    cr_failure_destroy(first ? b : a);
    return first ? a : b;
}

static void wait_children(corio_task *task, cr_scope *scope);

static cr_failure *take_failure(cr_scope *scope)
{
    cr_failure *failure = scope->failure; /* all children are complete: the waiter's alone */
    scope->failure = NULL;
    return failure;
}

/* After the task's function: its children, and the groups it left open. An error of theirs
 * counts if it has none itself. */
static int task_finish(corio_task *task, int rc)
{
    cr_failure *first = NULL;
    wait_children(task, &task->scope);
    first = take_failure(&task->scope);
    while (task->groups != NULL) {
        corio_group *group = task->groups;
        wait_children(task, &group->scope);
        first = earlier(first, take_failure(&group->scope));
        task->groups = group->next;
        cr_free(group);
    }
    if (rc != 0 || first == NULL) {
        cr_failure_destroy(first);
        return rc;
    }
    cr_failure_destroy(task->seen);
    task->seen = first;
    return first->error.code;
}

static void task_failed(cr_scope *scope, corio_task *task, int rc)
{
    cr_sched *sched = cr_worker_self()->sched;
    cr_scope_fail(&sched->failure_lock, scope, task, rc, sched->phase);
}

void cr_task_call(cr_worker *worker, const cr_item *closure)
{
    corio_task task = {
        .parent = closure->scope->owner, .index = closure->index_bytes >> 8, .name = closure->name};
    alignas(16) uint64_t copy[4];
    void *arg = closure->arg;
    task.scope.owner = &task;
    if (closure->index_bytes & 0xff) {
        memcpy(copy, closure->copy, sizeof copy);
        arg = copy;
    }
    worker->task = &task;
    int rc = closure->fn(arg);
    if (task.scope.spawned != 0 || task.groups != NULL)
        rc = task_finish(&task, rc);
    if (CR_UNLIKELY(rc != 0))
        task_failed(closure->scope, &task, rc);
    if (CR_UNLIKELY(task.seen != NULL))
        cr_failure_destroy(task.seen);
}

void cr_task_arrive(cr_worker *worker, cr_scope *scope)
{
    cr_park *waiter = cr_scope_arrive(scope);
    if (waiter != NULL)
        cr_make_runnable(worker, waiter);
}

void cr_task_refuse(cr_worker *worker, const cr_item *closure, int code)
{
    corio_task task = {
        .parent = closure->scope->owner, .index = closure->index_bytes >> 8, .name = closure->name};
    cr_scope_fail(&worker->sched->failure_lock, closure->scope, &task, code, worker->sched->phase);
    cr_task_arrive(worker, closure->scope);
}

/* -- Waiting -- */

/* The newest item of the worker is a closure of this scope, and there is stack for it. */
static bool may_inline(const cr_worker *worker, const cr_scope *scope)
{
    const cr_item *top = cr_deque_peek_owner(&worker->deque);
    return top != NULL && top->scope == scope && top->fn != NULL &&
           (char *)__builtin_frame_address(0) > worker->inline_limit;
}

static const cr_park_reason waits = {.text = "waits for its children"};

static void sleep_on_scope(cr_worker *worker, cr_park *park)
{
    if (!cr_scope_sleep(park->object, park))
        cr_make_runnable(worker, park);
}

static void wait_children(corio_task *task, cr_scope *scope)
{
    cr_worker *worker = cr_worker_self();
    while (may_inline(worker, scope)) {
        const cr_item *taken = cr_deque_take_owner(&worker->deque);
        if (taken == NULL) /* stolen meanwhile */
            break;
        cr_item child = *taken;
        cr_task_call(worker, &child);
        worker = cr_worker_self();
        worker->task = task;
        scope->joined++;
    }
    if (cr_scope_unfinished(scope) != 0) {
        cr_park park = {.reason = &waits, .object = scope, .after = sleep_on_scope};
        cr_suspend(worker, &park);
    }
    cr_scope_reset(scope);
}

int cr_scope_wait(corio_task *task, cr_scope *scope)
{
    if (scope->spawned == 0)
        return 0;
    wait_children(task, scope);
    cr_failure *failure = take_failure(scope);
    if (CR_LIKELY(failure == NULL))
        return 0;
    cr_failure_destroy(task->seen);
    task->seen = failure;
    return failure->error.code;
}

/* -- Spawning -- */

/* The boundary has it in its own list and takes it from there. */
static void stop_holding(cr_park *park)
{
    (void)park;
}

static const cr_park_reason held = {.text = "is held in corio_go at a full window",
                                    .give_up = stop_holding};

/* Parks the spawner until a boundary finds room in the scope's window. */
static int hold(cr_worker *worker, cr_scope *scope)
{
    cr_park park = {.reason = &held, .object = scope, .next = worker->held};
    worker->held = &park; /* looked at by the boundary only, when this stack has been left */
    cr_suspend(worker, &park);
    return park.result; /* the boundary has set window_used */
}

static int spawn(cr_worker *worker, corio_task *task, cr_scope *scope, const char *name,
                 corio_task_fn *fn, const void *arg, size_t bytes)
{
    if (CR_UNLIKELY(scope->window != 0)) {
        if (scope->window_used >= scope->window) {
            int rc = hold(worker, scope);
            if (rc != 0)
                return rc;
            worker = cr_worker_self();
        }
    }
    cr_item *slot = cr_deque_reserve_owner(&worker->deque);
    if (CR_UNLIKELY(slot == NULL))
        return -ENOMEM;
    cr_item_store(slot, 0, (uint64_t)(uintptr_t)fn);
    cr_item_store(slot, 1, (uint64_t)(uintptr_t)scope);
    cr_item_store(slot, 2, (uint64_t)(uintptr_t)name);
    cr_item_store(slot, 3, task->spawns++ << 8 | bytes);
    if (bytes == 0) {
        cr_item_store(slot, 4, (uint64_t)(uintptr_t)arg);
    } else {
        uint64_t copy[4] = {0};
        memcpy(copy, arg, bytes);
        for (unsigned word = 0; word < 4; word++)
            cr_item_store(slot, 4 + word, copy[word]);
    }
    scope->spawned++;
    scope->window_used++;
    cr_deque_publish_owner(&worker->deque);
    cr_pushed(worker);
    return 0;
}

/* The calling task, or NULL. */
static corio_task *current_task(cr_worker *worker)
{
    return worker != NULL ? worker->task : NULL;
}

int corio_go_named(const char *name, corio_task_fn *fn, void *arg)
{
    cr_worker *worker = cr_worker_self();
    corio_task *task = current_task(worker);
    if (CR_UNLIKELY(task == NULL))
        return -EPERM;
    if (CR_UNLIKELY(fn == NULL || name == NULL))
        return -EINVAL;
    return spawn(worker, task, &task->scope, name, fn, arg, 0);
}

int corio_go_copy_named(const char *name, corio_task_fn *fn, const void *arg, size_t bytes)
{
    cr_worker *worker = cr_worker_self();
    corio_task *task = current_task(worker);
    if (task == NULL)
        return -EPERM;
    if (fn == NULL || name == NULL || arg == NULL || bytes == 0 || bytes > CORIO_COPY_MAX)
        return -EINVAL;
    return spawn(worker, task, &task->scope, name, fn, arg, bytes);
}

int corio_wait(void)
{
    corio_task *task = current_task(cr_worker_self());
    if (CR_UNLIKELY(task == NULL))
        return -EPERM;
    return cr_scope_wait(task, &task->scope);
}

int corio_set_window(uint32_t children)
{
    corio_task *task = current_task(cr_worker_self());
    if (task == NULL)
        return -EPERM;
    task->scope.window = children;
    return 0;
}

corio_task *corio_self(void)
{
    return current_task(cr_worker_self());
}

const corio_error *corio_task_error(void)
{
    corio_task *task = current_task(cr_worker_self());
    return task != NULL && task->seen != NULL ? &task->seen->error : NULL;
}

/* -- Groups -- */

int corio_group_open(uint32_t window, corio_group **ret_group)
{
    corio_task *task = current_task(cr_worker_self());
    if (task == NULL)
        return -EPERM;
    if (ret_group == NULL)
        return -EINVAL;
    corio_group *group = cr_alloc(sizeof *group);
    if (group == NULL)
        return -ENOMEM;
    cr_scope_init(&group->scope, task, window);
    group->next = task->groups;
    task->groups = group;
    *ret_group = group;
    return 0;
}

/* 0 if the calling task may use the group. */
static int check_group(const corio_group *group)
{
    corio_task *task = current_task(cr_worker_self());
    if (task == NULL)
        return -EPERM;
    if (group == NULL)
        return -EINVAL;
    return group->scope.owner == task ? 0 : -EPERM;
}

int corio_group_go_named(corio_group *group, const char *name, corio_task_fn *fn, void *arg)
{
    int rc = check_group(group);
    if (rc != 0)
        return rc;
    if (fn == NULL || name == NULL)
        return -EINVAL;
    return spawn(cr_worker_self(), group->scope.owner, &group->scope, name, fn, arg, 0);
}

int corio_group_go_copy_named(corio_group *group, const char *name, corio_task_fn *fn,
                              const void *arg, size_t bytes)
{
    int rc = check_group(group);
    if (rc != 0)
        return rc;
    if (fn == NULL || name == NULL || arg == NULL || bytes == 0 || bytes > CORIO_COPY_MAX)
        return -EINVAL;
    return spawn(cr_worker_self(), group->scope.owner, &group->scope, name, fn, arg, bytes);
}

int corio_group_wait(corio_group *group)
{
    int rc = check_group(group);
    return rc != 0 ? rc : cr_scope_wait(group->scope.owner, &group->scope);
}

int corio_group_close(corio_group *group)
{
    if (group == NULL)
        return 0;
    int rc = check_group(group);
    if (rc != 0)
        return rc;
    corio_task *task = group->scope.owner;
    rc = cr_scope_wait(task, &group->scope);
    corio_group **at = &task->groups;
    while (*at != group)
        at = &(*at)->next;
    *at = group->next;
    cr_free(group);
    return rc;
}
