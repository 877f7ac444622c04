/* SPDX-License-Identifier: MIT
 *
 * model_mutex.c - the mutex: one holder at a time, who sees what the one before wrote; whoever waits
 * gets it; and in the end it is free.
 *
 * Each thread is a worker with one task. A task that suspends waits here for being made runnable,
 * which orders as a deque would.
 */
#include "runtime/sched/wait.c"
#include "runtime/sync/mutex.c"
#include "tests/model/model.h"

static struct {
    corio_mutex mutex;
    cr_sched sched;
    cr_worker workers[MODEL_THREADS];
    corio_task tasks[MODEL_THREADS];
    uint64_t count; /* under the mutex */
} world;

cr_worker *cr_worker_self(void)
{
    return &world.workers[model_self()];
}

void cr_suspend(cr_worker *worker, cr_park *park)
{
    park->task = worker->task;
    park->after(worker, park);
    model_receive(park, "waits for the mutex");
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

static void begin(void)
{
    memset(&world, 0, sizeof world);
    for (unsigned i = 0; i < MODEL_THREADS; i++)
        world.workers[i] = (cr_worker){.task = &world.tasks[i], .sched = &world.sched};
    model_name(&world.mutex, sizeof world.mutex, "mutex");
    model_name(&world.count, sizeof world.count, "count");
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

static void two_held(void)
{
    is_free();
    MODEL_CHECK(world.count == 2);
}

static void three_held(void)
{
    is_free();
    MODEL_CHECK(world.count == 3);
}

static void four_held(void)
{
    is_free();
    MODEL_CHECK(world.count == 4);
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"two_lock", begin, {lock_once, lock_once}, two_held, NULL},
        {"three_lock", begin, {lock_once, lock_once, lock_once}, three_held, NULL},
        {"two_lock_twice", begin, {lock_twice, lock_twice}, four_held, NULL},
        {"one_only_tries", begin, {lock_once, lock_once, try_once}, is_free, NULL},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 10000);
}
