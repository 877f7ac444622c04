/* SPDX-License-Identifier: MIT
 *
 * model_quiescence.c - the end of a phase: when the count of active workers is zero no task runs and
 * none can, whoever was asleep or on the way; the leader sees all of the phase, and the next phase
 * sees all of the leader.
 */
#include "tests/model/sched_world.h"

static unsigned resume_none(unsigned phase)
{
    (void)phase;
    return 0;
}

static unsigned resume_two(unsigned phase)
{
    return phase == 0 ? 2 : 0;
}

static unsigned resume_two_twice(unsigned phase)
{
    return phase < 2 ? 2 : 0;
}

static unsigned resume_shares(unsigned phase)
{
    return phase == 0 ? 4 * world.sched.worker_count : 0;
}

/* 0 -> 1, 2; 1 -> 3 */
static void spawn_tree(cr_worker *worker, unsigned number)
{
    if (number == 0) {
        push(worker, 1);
        push(worker, 2);
    } else if (number == 1) {
        push(worker, 3);
    }
}

static void spawn_one(cr_worker *worker, unsigned number)
{
    if (number == 0)
        push(worker, 1);
}

/* The deque of the first phase is another one in the second. */
static void spawn_and_grow(cr_worker *worker, unsigned number)
{
    if (number == 0) {
        for (unsigned child = 1; child <= 3; child++)
            push(worker, child);
    } else if (number >= first_resumed) {
        push(worker, 4 + number - first_resumed);
    }
}

/* The second run begins while others may still be on their way to sleep after the first. */
static void run_twice(void)
{
    static const unsigned roots[] = {0, 4};
    for (unsigned i = 0; i < 2; i++) {
        cr_item root = task_item(roots[i]);
        cr_sched_run(&world.sched, &root);
        MODEL_CHECK(model_taken() == (i + 1) * 2 && world.phase == i + 1);
    }
    stop_threads(&world.sched, world.sched.worker_count);
}

static void spawn_one_in_each(cr_worker *worker, unsigned number)
{
    if (number % 4 == 0)
        push(worker, number + 1);
}

static void begin_runs(void)
{
    begin_sched(2, false, spawn_one_in_each, resume_none);
}

static void begin_runs_3(void)
{
    begin_sched(3, false, spawn_one_in_each, resume_none);
}

static void begin_tree(void)
{
    begin_sched(2, false, spawn_tree, resume_none);
}

static void begin_tree_3(void)
{
    begin_sched(3, false, spawn_tree, resume_none);
}

static void begin_phases(void)
{
    begin_sched(2, false, spawn_one, resume_two_twice);
}

static void begin_shares(void)
{
    begin_sched(2, false, spawn_one, resume_shares);
}

static void begin_shares_spin(void)
{
    begin_shares();
    world.sched.most_spinners = 1;
    world.sched.cpus = 3;
}

static void begin_shares_3(void)
{
    begin_sched(3, false, spawn_one, resume_shares);
}

/* More workers than processors: one of them has no part. */
static void begin_shares_of_two(void)
{
    begin_shares_3();
    world.sched.most_sharers = 2;
    world.sched.cpus = 2;
}

static void begin_growing(void)
{
    begin_sched(2, false, spawn_and_grow, resume_two);
}

static void begin_growing_3(void)
{
    begin_sched(3, false, spawn_and_grow, resume_two);
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"tasks_that_spawn", begin_tree, {run, work_1}, all_ended, NULL},
        {"tasks_that_spawn_on_three", begin_tree_3, {run, work_1, work_2}, all_ended, NULL},
        {"three_phases", begin_phases, {run, work_1}, all_ended, NULL},
        {"two_runs", begin_runs, {run_twice, work_1}, all_ended, NULL},
        {"two_runs_on_three", begin_runs_3, {run_twice, work_1, work_2}, all_ended, NULL},
        {"shares_of_sleepers", begin_shares, {run, work_1}, all_ended, NULL},
        {"shares_of_spinners", begin_shares_spin, {run, work_1}, all_ended, NULL},
        {"shares_on_three", begin_shares_3, {run, work_1, work_2}, all_ended, NULL},
        {"shares_of_two_of_three", begin_shares_of_two, {run, work_1, work_2}, all_ended, NULL},
        {"deques_that_grow", begin_growing, {run, work_1}, all_ended, NULL},
        {"deques_that_grow_on_three", begin_growing_3, {run, work_1, work_2}, all_ended, NULL},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 1200);
}
