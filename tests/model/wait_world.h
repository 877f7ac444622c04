/* SPDX-License-Identifier: MIT
 *
 * wait_world.h - tasks that wait for each other in queues, as they are (sched/wait.c): for the models
 * of what is made of them. It is included by one source file.
 *
 * The first threads are tasks, each on a worker of its own; as many further ones are these workers
 * when the task has left its stack: they do what comes after, while the task may already run again.
 * Being made runnable orders as a deque would. Nobody has a deadline; who is cancelled was so from
 * the beginning.
 */
#ifndef MODEL_WAIT_WORLD_H
#define MODEL_WAIT_WORLD_H

#include "runtime/sched/wait.c"
#include "tests/model/model.h"
#include "tests/model/no_sim.h"

static struct {
    cr_sched sched;
    cr_worker workers[MODEL_THREADS];
    corio_task tasks[MODEL_THREADS];
    cr_park *left[MODEL_THREADS]; /* by task i, to its worker */
    unsigned task_count;
    unsigned cancelled; /* the first so many tasks */
} world;

cr_worker *cr_worker_self(void)
{
    return &world.workers[model_self()];
}

void cr_suspend(cr_worker *worker, cr_park *park)
{
    park->task = worker->task;
    cr_park **left = &world.left[worker - world.workers];
    *left = park;
    model_publish(left);
    model_receive(park, "waits");
}

static void work(void)
{
    unsigned number = model_self() - world.task_count;
    for (;;) {
        model_receive(&world.left[number], "has its task running");
        cr_park *park = world.left[number];
        park->after(&world.workers[number], park);
    }
}

void cr_make_runnable(cr_worker *worker, cr_park *park)
{
    (void)worker;
    model_publish(park);
}

void cr_make_runnable_leader(cr_worker *leader, cr_park *park)
{
    (void)leader;
    (void)park;
    model_fail("nobody gives up");
}

/* In the present step: so it waits like the others. */
cr_cancelled cr_task_cancelled_slow(const cr_cancel *cancel, corio_task *task)
{
    (void)cancel;
    return (unsigned)(task - world.tasks) < world.cancelled ? CR_CANCELLED_NOW : CR_NOT_CANCELLED;
}

int cr_timers_arm(cr_timers *timers, cr_timer *timer, uint64_t due_ns)
{
    (void)timers;
    (void)timer;
    (void)due_ns;
    return -ENOMEM;
}

void cr_timers_disarm(cr_timers *timers, cr_timer *timer)
{
    (void)timers;
    (void)timer;
}

void cr_give_up(cr_worker *leader, cr_park *park, int result)
{
    (void)leader;
    (void)park;
    (void)result;
}

static void begin_tasks(unsigned count)
{
    memset(&world, 0, sizeof world);
    world.task_count = count;
    for (unsigned i = 0; i < MODEL_THREADS; i++)
        world.workers[i] = (cr_worker){.task = &world.tasks[i], .sched = &world.sched};
}

static inline void cancel_first(unsigned count)
{
    world.cancelled = count;
    world.sched.cancel.live = count;
}

/* The tasks have ended; their workers wait for more. */
static bool tasks_ended(void)
{
    return model_ended(world.task_count);
}

#endif
