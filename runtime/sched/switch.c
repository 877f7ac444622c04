/* SPDX-License-Identifier: MIT
 *
 * switch.c - leaving a stack for another one.
 *
 * All jumps are made by cr_leave. The park record of the stack left travels as the jump's argument;
 * the arrival (on whatever stack that is) stores its context and runs its `after`. So nobody can
 * resume a stack that is still in use.
 */
#include "runtime/sched/sched.h"

#include "runtime/base/alloc.h"

static void base_loop(cr_transfer transfer);

/* What the arrival does for the stack that was left. */
static void arrive(cr_transfer transfer)
{
    cr_park *left = transfer.data;
    left->context = transfer.from;
    if (left->after != NULL)
        left->after(cr_worker_self(), left);
}

/* Where a worker goes: a context, and what its fields say while it is there. */
typedef struct place {
    cr_context context;
    cr_stack *stack; /* NULL: home */
    corio_task *task;
} place;

#if CR_TSAN
static void *place_fiber(cr_worker *worker, const place *to)
{
    if (to->stack == NULL)
        return worker->home.fiber;
    if (to->stack->sanitizer.fiber == NULL)
        to->stack->sanitizer.fiber = __tsan_create_fiber(0);
    return to->stack->sanitizer.fiber;
}
#endif

/* Leaves the current stack. Returns when somebody comes back to it, on whatever worker. */
static void cr_leave(cr_worker *worker, cr_park *park, const place *to)
{
    worker->stack = to->stack;
    worker->task = to->task;
    if (to->stack != NULL)
        worker->inline_limit = to->stack->low + worker->sched->inline_margin;
#if CR_ASAN
    void *fake;
    if (to->stack != NULL)
        __sanitizer_start_switch_fiber(&fake, to->stack->sanitizer.low, to->stack->sanitizer.bytes);
    else
        __sanitizer_start_switch_fiber(&fake, worker->home_low, worker->home_bytes);
#endif
#if CR_TSAN
    __tsan_switch_to_fiber(place_fiber(worker, to), 0);
#endif
    cr_transfer back = cr_context_jump(to->context, park);
#if CR_ASAN
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
    arrive(back);
}

/* The base loop of a free stack, entered for the first time if need be. */
static place base_place(cr_stack *stack)
{
    if (stack->base == NULL)
        stack->base =
            cr_context_make(cr_stack_top(stack), (size_t)((char *)stack - stack->low), base_loop);
    return (place){.context = stack->base, .stack = stack};
}

static place park_place(cr_park *park)
{
    park->stack->park = NULL;
    return (place){.context = park->context, .stack = park->stack, .task = park->task};
}

static place home_place(cr_worker *worker)
{
    return (place){.context = worker->home.context};
}

/* Where `item` is to be run; false if it is a closure and there is no stack for it. */
static bool item_place(cr_worker *worker, const cr_item *item, place *ret_place)
{
    if (item->fn == NULL) {
        *ret_place = park_place(item->park);
        return true;
    }
    cr_stack *stack = cr_stack_take(&worker->sched->pool, &worker->stacks);
    if (stack == NULL)
        return false;
    worker->item = *item;
    *ret_place = base_place(stack);
    return true;
}

/* No stack is left for this closure: it waits for the boundary. */
static void starve(cr_worker *worker, const cr_item *closure)
{
    cr_sched *sched = worker->sched;
    pthread_mutex_lock(&sched->starved_lock);
    bool kept = cr_grow((void **)&sched->starved, &sched->starved_capacity,
                        sched->starved_count + 1, sizeof(cr_item));
    if (kept)
        sched->starved[sched->starved_count++] = *closure;
    pthread_mutex_unlock(&sched->starved_lock);
    if (!kept)
        cr_task_refuse(worker, closure, CORIO_ESTACKS);
}

/* The next thing of the worker's own that can be run; else home. */
static place next_place(cr_worker *worker)
{
    cr_item item;
    place to;
    while (cr_next_own(worker, &item)) {
        if (item_place(worker, &item, &to))
            return to;
        starve(worker, &item);
    }
    return home_place(worker);
}

void cr_suspend(cr_worker *worker, cr_park *park)
{
    park->stack = worker->stack;
    park->task = worker->task;
    worker->stack->park = park;
    cr_store_64(&worker->stats.suspends, worker->stats.suspends + 1);
    place to = next_place(worker);
    cr_leave(worker, park, &to);
}

void cr_run_from_home(cr_worker *worker, const cr_item *item)
{
    place to;
    if (!item_place(worker, item, &to)) {
        starve(worker, item);
        return;
    }
    cr_leave(worker, &worker->home, &to);
}

/* The base loop has left its stack: it is free now, with the loop parked in it. */
static void give_stack(cr_worker *worker, cr_park *park)
{
    park->stack->base = park->context;
    cr_stack_give(&worker->sched->pool, &worker->stacks, park->stack);
}

/* Runs closures until there are none of the worker's own; returns what comes next. */
static place run_closures(cr_worker *worker)
{
    cr_item item = worker->item;
    for (;;) {
        cr_scope *scope = item.scope;
        cr_task_call(worker, &item);
        worker = cr_worker_self();
        worker->task = NULL;
        cr_task_arrive(worker, scope);
        if (!cr_next_own(worker, &item))
            return home_place(worker);
        if (item.fn == NULL)
            return park_place(item.park);
    }
}

static void base_loop(cr_transfer transfer)
{
#if CR_ASAN
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
    arrive(transfer);
    cr_park free_park = {.stack = cr_worker_self()->stack, .after = give_stack};
    for (;;) {
        place to = run_closures(cr_worker_self());
        cr_leave(cr_worker_self(), &free_park, &to);
    }
}

void cr_make_runnable(cr_worker *worker, cr_park *park)
{
    cr_item item = {.fn = NULL, .park = park};
    if (CR_LIKELY(cr_deque_push_owner(&worker->deque, &item))) {
        cr_pushed(worker);
        return;
    }
    /* No memory to grow: kept where thieves cannot see it, but run all the same. */
    park->next = worker->overflow;
    worker->overflow = park;
}
