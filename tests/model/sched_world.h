/* SPDX-License-Identifier: MIT
 *
 * sched_world.h - workers as they are, from their main function to their end, but for the stacks: a
 * task is a function that is called. For the models of quiescence and of parking. It is included by
 * one source file.
 *
 * Task n is item n: made by who pushes it, or, from first_resumed on, by the leader that resumes it;
 * taken by who runs it.
 * Thread n is worker n; worker 0 is the one that runs and stops the others. The deques begin with
 * two slots, and of two or more items a thief takes half.
 */
#ifndef MODEL_SCHED_WORLD_H
#define MODEL_SCHED_WORLD_H

#define CR_STEAL_SHARE        2
#define CR_DEQUE_CLOSES_AFTER 1
#define CR_ALONE_LEAST_NS     UINT64_C(3000000000) /* some looks at the explorer's clock */

#include "runtime/base/event.c"
#include "runtime/base/sanitizer.c"
#include "runtime/base/thread.c"
#include "runtime/base/timer.c"
#include "runtime/sched/alone.c"
#include "runtime/sched/deque.c"
#include "runtime/sched/idle.c"
#include "runtime/sched/range.c"
#include "runtime/sched/start.c"
#include "runtime/sched/steal.c"
#include "runtime/task/cancel.c"
#include "tests/model/model.h"
#include "tests/model/no_sim.h"

enum { most_workers = 3, most_tasks = 24, first_resumed = 8, small_slots = 2 };

/* What a task does; and how many are resumed after phase n (0: the run is over). */
typedef void task_body(cr_worker *worker, unsigned number);
typedef unsigned resumed_after(unsigned phase);

static struct {
    cr_sched sched;
    cr_worker *workers[most_workers];
    task_body *body;
    resumed_after *resumed;
    unsigned made;
    /* Plain, each written by one worker in a phase and read by the leader after it. */
    unsigned ran[most_workers];
    /* Written by the leader, read in the phase. */
    unsigned phase;
    cr_park parks[most_tasks];
    cr_entry entries[most_tasks];
} world;

/* -- What is not part of it -- */

cr_exceptions_fn *cr_exceptions_find(void)
{
    return NULL;
}

void *cr_overflow_thread_init(void)
{
    return NULL;
}

void cr_overflow_thread_fini(void *alternate)
{
    (void)alternate;
}

int cr_stack_pool_init(cr_stack_pool *pool, size_t stack_bytes, size_t max_stacks, unsigned workers)
{
    (void)pool;
    (void)stack_bytes;
    (void)max_stacks;
    (void)workers;
    return 0;
}

void cr_stack_pool_fini(cr_stack_pool *pool)
{
    (void)pool;
}

/* -- Tasks -- */

static int some_function(void *arg)
{
    (void)arg;
    return 0;
}

static cr_item task_item(unsigned number)
{
    model_make(number);
    return (cr_item){.fn = some_function, .index_bytes = (uint64_t)number << 8};
}

static void push(cr_worker *worker, unsigned number)
{
    cr_item item = task_item(number);
    MODEL_CHECK(cr_deque_push_owner(&worker->deque, &item));
    cr_pushed(worker);
}

static void run_task(cr_worker *worker, const cr_item *item)
{
    unsigned number = (unsigned)(item->index_bytes >> 8);
    if (item->fn == NULL)
        number = (unsigned)(item->park - world.parks);
    MODEL_CHECK(world.phase == world.sched.phase);
    world.ran[worker->number]++;
    model_take(number);
    world.body(worker, number);
}

void cr_run_from_home(cr_worker *worker, const cr_item *item)
{
    cr_item next = *item;
    do {
        run_task(worker, &next);
    } while (cr_next_own(worker, &next));
}

/* -- The boundary -- */

static void check_quiescence(const cr_sched *sched)
{
    unsigned ran = 0;
    for (unsigned i = 0; i < sched->worker_count; i++)
        ran += world.ran[i];
    MODEL_CHECK(ran == model_taken());
    MODEL_CHECK(!cr_work_visible(sched));
    model_check_all_taken();
}

static bool boundary(void *owner, cr_worker *leader)
{
    cr_sched *sched = &world.sched;
    MODEL_CHECK(owner == &world);
    check_quiescence(sched);
    for (unsigned i = 0; i < sched->worker_count; i++)
        cr_deque_free_retired(&sched->workers[i]->deque);
    unsigned count = world.resumed(world.phase);
    world.phase++;
    sched->phase++;
    if (count == 0) { /* as phase/boundary.c does it */
        cr_store_release_32(&sched->over, 1);
        if (leader->number != 0)
            cr_wake_worker(sched, sched->workers[0]);
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        model_make(world.made + i);
        world.entries[i].what = &world.parks[world.made + i];
    }
    world.made += count;
    cr_resume_all(leader, world.entries, count);
    return true;
}

/* -- Threads -- */

static cr_worker *create_worker(unsigned number)
{
    cr_worker *worker = model_alloc(sizeof *worker);
    bool fenced = world.sched.push_needs_fence;
    MODEL_CHECK(cr_deque_init(&worker->deque, fenced) == 0);
    cr_free(worker->deque.array);
    worker->deque.array = array_create(small_slots);
    worker->behind.open = true;
    worker->range.fenced = fenced;
    worker->sched = &world.sched;
    worker->number = number;
    worker->random = 0x9e3779b97f4a7c15u * (number + 1);
    worker->last_victim = number ? 0 : world.sched.worker_count - 1;
    worker->thread = (pthread_t)number;
    cr_event_init(&worker->event);
    return worker;
}

static void begin_sched(unsigned workers, bool push_needs_fence, task_body *body,
                        resumed_after *resumed)
{
    static const char *const names[] = {"worker 0", "worker 1", "worker 2"};
    memset(&world, 0, sizeof world);
    world.body = body;
    world.resumed = resumed;
    world.made = first_resumed;
    cr_sched *sched = &world.sched;
    sched->workers = world.workers;
    sched->worker_count = workers;
    sched->most_sharers = workers;
    sched->push_needs_fence = push_needs_fence;
    sched->owner = &world;
    sched->boundary = boundary;
    for (unsigned i = 0; i < workers; i++) {
        world.workers[i] = create_worker(i);
        model_name(&world.workers[i]->range, sizeof(cr_range), "range");
        model_name(&world.workers[i]->event, sizeof(cr_event), "event");
        model_name(world.workers[i], sizeof(cr_worker), names[i]);
    }
    cr_sched_specialise(sched);
    model_name(&sched->active, 4, "active");
    model_name(&sched->idle, 4, "idle");
    model_name(&sched->over, 4, "over");
    model_name(&sched->stop, 4, "stop");
    model_name(&sched->sleep_lock, sizeof sched->sleep_lock, "sleep_lock");
    model_name(sched, sizeof *sched, "sched");
}

static void run(void)
{
    cr_item root = task_item(0);
    cr_sched_run(&world.sched, &root);
    MODEL_CHECK(world.phase > 0); /* the leader's: whoever has run reads what it left */
    stop_threads(&world.sched, world.sched.worker_count);
}

static void work_1(void)
{
    (void)worker_main(world.workers[1]);
}

static void work_2(void)
{
    (void)worker_main(world.workers[2]);
}

static void all_ended(void)
{
    model_check_all_taken();
    MODEL_CHECK(world.sched.active == 0 && world.sched.idle == 0 && world.sched.sleepers == NULL);
}

#endif
