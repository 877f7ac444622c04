/* SPDX-License-Identifier: MIT
 *
 * model_parking.c - sleeping and waking: a task that can be run by a sleeper is, and at most one is
 * woken at a time and wakes the next. Tasks wait for others to start, so that a lost wake-up leaves
 * nobody who can go on.
 *
 * Each case runs with membarrier and with fences.
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

static unsigned resume_shares(unsigned phase)
{
    return phase == 0 ? 4 * world.sched.worker_count : 0;
}

static bool two_started(void)
{
    return model_taken() >= 2;
}

static bool three_started(void)
{
    return model_taken() >= 3;
}

/* The root goes on only when another worker has come for its child. */
static void wait_for_child(cr_worker *worker, unsigned number)
{
    if (number != 0)
        return;
    push(worker, 1);
    model_await(two_started, "waits for the child to start");
}

/* All three run at once. */
static void wait_for_both(cr_worker *worker, unsigned number)
{
    if (number == 0) {
        push(worker, 1);
        push(worker, 2);
    }
    model_await(three_started, "waits for three to start");
}

/* One child after the other; the other worker may be on its way to sleep. */
static void wait_for_each(cr_worker *worker, unsigned number)
{
    if (number != 0)
        return;
    push(worker, 1);
    model_await(two_started, "waits for the first child");
    push(worker, 2);
    model_await(three_started, "waits for the second child");
}

/* The child's child is run by a third, or by the root's worker. */
static void wait_in_a_chain(cr_worker *worker, unsigned number)
{
    if (number < 2)
        push(worker, number + 1);
    if (number == 0)
        model_await(three_started, "waits for the grandchild");
}

/* Two parked stacks that need each other. */
static void wait_for_each_other(cr_worker *worker, unsigned number)
{
    (void)worker;
    if (number >= first_resumed)
        model_await(three_started, "waits for the other stack");
}

static bool the_last_one_started(void)
{
    return model_has_taken(first_resumed + 11);
}

/* The first needs the last: of twelve. */
static void wait_for_another_share(cr_worker *worker, unsigned number)
{
    (void)worker;
    if (number == first_resumed)
        model_await(the_last_one_started, "waits for the last of them");
}

static bool a_later_one_started(void)
{
    return model_has_taken(first_resumed + 4);
}

/* The first of one share needs the first of the other. */
static void wait_for_the_other_share(cr_worker *worker, unsigned number)
{
    (void)worker;
    if (number == first_resumed)
        model_await(a_later_one_started, "waits for the other share");
}

#define BEGIN(name, workers, body, resumed)                                                        \
    static void begin_##name(void)                                                                 \
    {                                                                                              \
        begin_sched(workers, false, body, resumed);                                                \
    }                                                                                              \
    static void begin_##name##_fences(void)                                                        \
    {                                                                                              \
        begin_sched(workers, true, body, resumed);                                                 \
    }

BEGIN(child, 2, wait_for_child, resume_none)
BEGIN(each, 2, wait_for_each, resume_none)
BEGIN(both, 3, wait_for_both, resume_none)
BEGIN(chain, 3, wait_in_a_chain, resume_none)
BEGIN(stacks, 2, wait_for_each_other, resume_two)
BEGIN(shares, 2, wait_for_the_other_share, resume_shares)

static void begin_spinning(void)
{
    begin_child();
    world.sched.most_spinners = 1;
    world.sched.cpus = 3;
}

/* The leader takes a resume for its own, and the others come later. */
static void let_the_leader_be_alone(void)
{
    for (unsigned size = 0; size < CR_ALONE_SIZES; size++)
        world.sched.alone.times[size].shared_ns = 1;
}

static void begin_alone(void)
{
    begin_shares();
    let_the_leader_be_alone();
}

static void begin_alone_of_three(void)
{
    begin_sched(3, false, wait_for_another_share, resume_shares);
    let_the_leader_be_alone();
    world.sched.most_spinners = 1;
    world.sched.cpus = 3;
}

/* Thieves find the deques open, so that no fence of theirs stands in for another. */
static void open_deques(void)
{
    for (unsigned i = 0; i < world.sched.worker_count; i++) {
        world.workers[i]->deque.open = true;
        world.workers[i]->deque.closes_in = 0;
    }
}

static void begin_each_open(void)
{
    begin_each();
    open_deques();
}

static void begin_both_open(void)
{
    begin_both();
    open_deques();
}

static void begin_chain_open(void)
{
    begin_chain();
    open_deques();
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"a_child_wakes", begin_child, {run, work_1}, all_ended, NULL},
        {"a_child_wakes_fences", begin_child_fences, {run, work_1}, all_ended, NULL},
        {"a_child_wakes_or_is_seen", begin_spinning, {run, work_1}, all_ended, NULL},
        {"each_child_wakes", begin_each, {run, work_1}, all_ended, NULL},
        {"each_child_wakes_fences", begin_each_fences, {run, work_1}, all_ended, NULL},
        {"two_children_wake_two", begin_both, {run, work_1, work_2}, all_ended, NULL},
        {"two_children_wake_two_fences", begin_both_fences, {run, work_1, work_2}, all_ended, NULL},
        {"children_in_a_chain", begin_chain, {run, work_1, work_2}, all_ended, NULL},
        {"children_in_a_chain_fences", begin_chain_fences, {run, work_1, work_2}, all_ended, NULL},
        {"each_child_wakes_open", begin_each_open, {run, work_1}, all_ended, NULL},
        {"two_children_wake_two_open", begin_both_open, {run, work_1, work_2}, all_ended, NULL},
        {"children_in_a_chain_open", begin_chain_open, {run, work_1, work_2}, all_ended, NULL},
        {"stacks_that_meet", begin_stacks, {run, work_1}, all_ended, NULL},
        {"stacks_that_meet_fences", begin_stacks_fences, {run, work_1}, all_ended, NULL},
        {"a_leader_alone_is_joined", begin_alone, {run, work_1}, all_ended, NULL},
        {"a_leader_alone_is_joined_by_one",
         begin_alone_of_three,
         {run, work_1, work_2},
         all_ended,
         NULL},
        {"shares_that_meet", begin_shares, {run, work_1}, all_ended, NULL},
        {"shares_that_meet_fences", begin_shares_fences, {run, work_1}, all_ended, NULL},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 1200);
}
