/* SPDX-License-Identifier: MIT
 *
 * switch.c - leaving a stack for another one.
 *
 * All jumps are made by leave(). The park record of the stack left travels as the jump's argument;
 * the arrival (on whatever stack that is) stores its context and runs its `after`. So nobody can
 * resume a stack that is still in use.
 */
#include "runtime/sched/sched.h"

#include "runtime/base/alloc.h"
#include "runtime/observe/probes.h"

static void base_loop(cr_transfer transfer);

/* What the arrival does for the stack that was left. */
static void arrive(cr_transfer transfer)
{
    cr_park *left = transfer.data;
    left->context = transfer.from;
    if (left->after != NULL)
        left->after(cr_worker_self(), left);
}

/* Where a worker goes: a context, and what its fields say while it is there. Inlined wherever one is made: a copy
 * would be made by wide loads, which wait for the narrow stores before. */
typedef struct place {
    cr_context context;
    cr_stack *stack; /* NULL: home */
    corio_task *task;
    char *inline_limit;
} place;

static void *place_fiber(const cr_worker *worker, const place *to)
{
    if (to->stack == NULL)
        return worker->home_fiber;
    if (to->stack->fiber == NULL)
        to->stack->fiber = __tsan_create_fiber(0);
    return to->stack->fiber;
}

/* Right before the jump, in the function that jumps. */
static inline __attribute__((always_inline)) void announce(const cr_worker *worker, const place *to,
                                                           void **ret_fake)
{
    if (cr_sanitized_address())
        __sanitizer_start_switch_fiber(
            ret_fake, to->stack != NULL ? to->stack->low : worker->home_low,
            to->stack != NULL ? cr_stack_bytes(to->stack) : worker->home_bytes);
    if (cr_sanitized_thread())
        __tsan_switch_to_fiber(place_fiber(worker, to), 0);
}

/* Behind it, on the next stack. */
static inline __attribute__((always_inline)) void announce_arrival(void *fake)
{
    if (cr_sanitized_address())
        __sanitizer_finish_switch_fiber(fake, NULL, NULL);
}

#if defined(__x86_64__) && !defined(CR_CONTEXT_BOOST)
/* cr_context_jump without a `call`. The processor predicts returns from the calls it has seen;
 * the switch leaves by a jump, so a call of it would stay unanswered, and every return on the
 * next stack, up to the task's own code, would be mispredicted: measured at a quarter of an I/O
 * round. Not for leaf functions: it pushes into what would be their red zone. */
static inline cr_transfer jump(cr_context to, void *data)
{
    cr_transfer back;
    __asm__ __volatile__("leaq 1f(%%rip), %%rcx\n\t"
                         "pushq %%rcx\n\t"
                         "jmp cr_jump_fcontext\n"
                         "1:"
                         : "=a"(back.from), "=d"(back.data), "+D"(to), "+S"(data)
                         :
                         : "rcx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
                           "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                           "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)",
                           "st(5)", "st(6)", "st(7)", "cc", "memory");
    return back;
}
#else
static inline cr_transfer jump(cr_context to, void *data)
{
    return cr_context_jump(to, data);
}
#endif

/* The worker's fields say that it is there; the context is still to be jumped to. */
static inline __attribute__((always_inline)) cr_context move_to(cr_worker *worker, place to)
{
    worker->stack = to.stack;
    worker->task = to.task;
    worker->inline_limit = to.inline_limit;
    return to.context;
}

/* Leaves the current stack. Returns when somebody comes back to it, on whatever worker. Inlined,
 * so that what lies on the stack that is left, and has to be fetched again when it is resumed,
 * is as little as possible. `told`: sanitizers are, if there are any. */
static inline __attribute__((always_inline)) void leave(cr_worker *worker, cr_park *park, place to,
                                                        bool told)
{
    void *fake = NULL;
    cr_context context = move_to(worker, to);
    if (told)
        announce(worker, &to, &fake);
    cr_transfer back = jump(context, park);
    if (told)
        announce_arrival(fake);
    arrive(back);
}

/* The base loop of a free stack, entered for the first time if need be. */
static inline __attribute__((always_inline)) place base_place(const cr_worker *worker,
                                                              cr_stack *stack)
{
    if (stack->base == NULL)
        stack->base =
            cr_context_make(cr_stack_top(stack), (size_t)((char *)stack - stack->low), base_loop);
    return (place){.context = stack->base,
                   .stack = stack,
                   .inline_limit = stack->low + worker->sched->inline_margin};
}

static inline __attribute__((always_inline)) place park_place(const cr_park *park)
{
    return (place){.context = park->context,
                   .stack = park->stack,
                   .task = park->task,
                   .inline_limit = park->inline_limit};
}

static inline __attribute__((always_inline)) place home_place(cr_worker *worker)
{
    return (place){.context = worker->home.context};
}

/* Where `item` is to be run; false if it is a closure and there is no stack for it. */
static inline __attribute__((always_inline)) bool item_place(cr_worker *worker, const cr_item *item,
                                                             place *ret_place)
{
    if (item->fn == NULL) {
        *ret_place = park_place(item->park);
        return true;
    }
    cr_stack *stack = cr_stack_take(&worker->sched->pool, &worker->stacks);
    if (stack == NULL)
        return false;
    worker->item = *item;
    *ret_place = base_place(worker, stack);
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

/* The next thing of the worker's own that can be run; else, or for an errand, home. */
static inline __attribute__((always_inline)) place next_place(cr_worker *worker)
{
    cr_item item;
    place to;
    while (CR_LIKELY(!worker->errand) && cr_next_own(worker, &item)) {
        if (item_place(worker, &item, &to))
            return to;
        starve(worker, &item);
    }
    return home_place(worker);
}

static __attribute__((noinline)) cr_context move_to_next(cr_worker *worker)
{
    return move_to(worker, next_place(worker));
}

/* With all that few have: somebody who looks on, exceptions, a sanitizer. */
static __attribute__((noinline)) void suspend_specially(cr_worker *worker, cr_park *park)
{
    cr_exceptions kept = cr_exceptions_take(worker->exceptions);
    if (worker->special)
        cr_note_park(worker, park);
    cr_park *next = worker->errand ? NULL : cr_next_resume(worker);
    leave(worker, park, next != NULL ? park_place(next) : next_place(worker), true);
    cr_tell_acquire(park);
    worker = cr_worker_self();
    cr_exceptions_put(worker->exceptions, &kept);
    if (park->noted)
        cr_note_resume(worker, park);
}

void cr_suspend(cr_worker *worker, cr_park *park)
{
    /* One by one: a wide load of what narrow stores have written a moment ago waits for these. */
    park->stack = cr_load_ptr((void **)&worker->stack);
    park->task = cr_load_ptr((void **)&worker->task);
    park->inline_limit = worker->inline_limit;
    if (park->reason != NULL)
        worker->stack->park = park;
    cr_store_64(&worker->stats.suspends, worker->stats.suspends + 1);
    worker->ending = false;
    if (CR_UNLIKELY(worker->arriving != NULL))
        cr_arrive_all(worker);
    if (CR_UNLIKELY(worker->special) || cr_exceptions_any(worker->exceptions)) {
        suspend_specially(worker, park);
    } else {
        /* All leave from here, wherever to: so the returns behind it are those that the processor predicts. */
        cr_park *next = cr_next_resume(worker);
        cr_context to =
            CR_LIKELY(next != NULL) ? move_to(worker, park_place(next)) : move_to_next(worker);
        arrive(jump(to, park));
    }
    if (park->reason != NULL)
        park->stack->park = NULL;
}

static __attribute__((noinline)) void leave_home_specially(cr_worker *worker, place to)
{
    leave(worker, &worker->home, to, true);
}

void cr_run_from_home(cr_worker *worker, const cr_item *item)
{
    place to;
    if (!item_place(worker, item, &to)) {
        starve(worker, item);
        return;
    }
    if (CR_UNLIKELY(worker->special))
        leave_home_specially(worker, to);
    else
        leave(worker, &worker->home, to, false);
}

/* The base loop has left its stack: it is free now, with the loop parked in it. */
static void give_stack(cr_worker *worker, cr_park *park)
{
    park->stack->base = park->context;
    cr_stack_give(&worker->sched->pool, &worker->stacks, park->stack);
}

/* A task of this scope that goes on: it ends in another base loop, which finds those that have arrived here, or
 * suspends, and then the scope is told. */
static bool goes_on_in(const cr_item *item, const cr_scope *scope)
{
    return item->park->task != NULL && item->park->task->in == scope;
}

/* Runs closures until there are none of the worker's own; returns what comes next. */
static place run_closures(cr_worker *worker)
{
    cr_item item = worker->item;
    for (;;) {
        cr_scope *scope = item.scope;
        CR_PROBE3(task_start, item.name, scope->owner, item.index_bytes >> 8);
        cr_task_call(worker, &item);
        CR_PROBE3(task_end, item.name, scope->owner, item.index_bytes >> 8);
        worker = cr_worker_self();
        worker->task = NULL;
        worker->ending = true;
        worker->arriving_count = worker->arriving == scope ? worker->arriving_count + 1 : 1;
        worker->arriving = scope;
        bool more = cr_next_own(worker, &item);
        /* Another child of the same scope: that is not complete before it is. */
        if (more && item.fn != NULL && item.scope == scope)
            continue;
        if (more && item.fn == NULL && goes_on_in(&item, scope))
            return park_place(item.park);
        cr_arrive_all(worker);
        if (!more && !cr_next_own(worker, &item))
            return home_place(worker);
        if (item.fn == NULL)
            return park_place(item.park);
    }
}

static void base_loop(cr_transfer transfer)
{
    announce_arrival(NULL);
    arrive(transfer);
    cr_park free_park = {.stack = cr_worker_self()->stack, .after = give_stack};
    for (;;) {
        place to = run_closures(cr_worker_self());
        cr_worker *worker = cr_worker_self();
        leave(worker, &free_park, to, worker->special);
    }
}

/* In place: what a continuation needs of an item is two words. */
static inline bool push_in(cr_deque *deque, cr_park *park)
{
    cr_item *slot = cr_deque_reserve_owner(deque);
    if (CR_UNLIKELY(slot == NULL))
        return false;
    slot->fn = NULL;
    slot->park = park;
    cr_deque_publish_owner(deque);
    return true;
}

static inline void push_park(cr_worker *worker, cr_park *park)
{
    if (CR_LIKELY(push_in(&worker->deque, park)))
        return;
    /* No memory to grow: kept where thieves cannot see it, but run all the same. */
    park->next = worker->overflow;
    worker->overflow = park;
}

void cr_make_runnable_leader(cr_worker *leader, cr_park *park)
{
    cr_tell_release(park);
    push_park(leader, park);
}

static __attribute__((noinline)) void make_runnable_specially(cr_worker *worker, cr_park *park)
{
    cr_make_runnable_leader(worker, park);
    cr_pushed(worker);
}

void cr_make_runnable(cr_worker *worker, cr_park *park)
{
    if (CR_UNLIKELY(worker->special)) {
        make_runnable_specially(worker, park);
        return;
    }
    push_park(worker, park);
    cr_pushed(worker);
}

void cr_make_runnable_behind(cr_worker *worker, cr_park *park)
{
    if (cr_worker_simulated(worker)) { /* any may be next: there is one place for all */
        cr_make_runnable(worker, park);
        return;
    }
    if (CR_LIKELY(push_in(&worker->behind, park)))
        cr_pushed(worker);
    else
        cr_make_runnable(worker, park);
}

void cr_end_park(cr_worker *leader, cr_park *park, int result)
{
    park->result = result;
    park->stack->park = NULL; /* nobody gives it up any more */
    cr_make_runnable_leader(leader, park);
}

void cr_give_up(cr_worker *leader, cr_park *park, int result)
{
    park->result = result; /* the reason may look at it */
    park->reason->give_up(leader, park);
    cr_end_park(leader, park, result);
}
