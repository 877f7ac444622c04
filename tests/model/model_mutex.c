/* SPDX-License-Identifier: MIT
 *
 * model_mutex.c - the mutex: one holder at a time, who sees what the one before wrote; whoever waits
 * gets it; and in the end it is free.
 *
 * The first threads are tasks, each on a worker of its own; as many further ones are these workers
 * when the task has left its stack: they do what comes after, while the task may already run again.
 * Being made runnable orders as a deque would.
 */
#include "runtime/sched/wait.c"
#include "runtime/sync/mutex.c"
#include "tests/model/model.h"
#include "tests/model/no_sim.h"

static struct {
    corio_mutex mutex;
    cr_sched sched;
    cr_worker workers[MODEL_THREADS];
    corio_task tasks[MODEL_THREADS];
    cr_park *left[MODEL_THREADS]; /* by task i, to its worker */
    unsigned task_count;
    uint64_t count; /* under the mutex */
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
    model_receive(park, "waits for the mutex");
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

/* Nobody is cancelled, has a deadline, or gives up. */
cr_cancelled cr_task_cancelled_slow(const cr_cancel *cancel, corio_task *task)
{
    (void)cancel;
    (void)task;
    return CR_NOT_CANCELLED;
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

static void begin(unsigned tasks)
{
    memset(&world, 0, sizeof world);
    world.task_count = tasks;
    for (unsigned i = 0; i < MODEL_THREADS; i++)
        world.workers[i] = (cr_worker){.task = &world.tasks[i], .sched = &world.sched};
    model_name(&world.mutex, sizeof world.mutex, "mutex");
    model_name(&world.count, sizeof world.count, "count");
}

static void begin_two(void)
{
    begin(2);
}

static void begin_three(void)
{
    begin(3);
}

static void hold(void)
{
    model_enter(1);
    world.count++;
    model_leave();
    MODEL_CHECK(corio_mutex_unlock(&world.mutex) == 0);
}

static void lock_once(void)
{
    MODEL_CHECK(corio_mutex_lock(&world.mutex) == 0);
    hold();
}

static void lock_twice(void)
{
    lock_once();
    lock_once();
}

static void try_once(void)
{
    int rc = corio_mutex_try_lock(&world.mutex);
    MODEL_CHECK(rc == 0 || rc == -EBUSY);
    if (rc == 0)
        hold();
}

static void is_free(void)
{
    MODEL_CHECK(corio_mutex_wait_count(&world.mutex) == 0);
    MODEL_CHECK(corio_mutex_destroy(&world.mutex) == 0);
    MODEL_CHECK(world.mutex.reserved_waiters.reserved_head == NULL);
}

/* The tasks have ended; their workers wait for more. */
static bool tasks_ended(void)
{
    return model_ended(world.task_count);
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"two_lock", begin_two, {lock_once, lock_once, work, work}, is_free, tasks_ended},
        {"three_lock",
         begin_three,
         {lock_once, lock_once, lock_once, work, work, work},
         is_free,
         tasks_ended},
        {"two_lock_twice", begin_two, {lock_twice, lock_twice, work, work}, is_free, tasks_ended},
        {"one_only_tries",
         begin_three,
         {lock_once, lock_once, try_once, work, work, work},
         is_free,
         tasks_ended},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 6000);
}
