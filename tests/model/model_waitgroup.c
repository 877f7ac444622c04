/* SPDX-License-Identifier: MIT
 *
 * model_waitgroup.c - the wait group: whoever waits goes on when the count is zero, and sees what was
 * done before; a group that has come to zero is used again at once.
 *
 * What is done is item n: made before corio_waitgroup_done. So that several may see it, it is a plain
 * word that they read.
 */
#include "runtime/sync/waitgroup.c"
#include "tests/model/model.h"
#include "tests/model/wait_world.h"

static struct {
    corio_waitgroup group;
    uint64_t done[MODEL_THREADS];
} shared;

static void begin(unsigned tasks, uint64_t count)
{
    begin_tasks(tasks);
    memset(&shared, 0, sizeof shared);
    shared.group.reserved_count = count;
    model_name(&shared.group.reserved_count, 8, "count");
    model_name(&shared.group.reserved_waiters, sizeof shared.group.reserved_waiters, "queue");
    model_name(shared.done, sizeof shared.done, "done");
}

static void begin_two_for_one(void)
{
    begin(3, 2);
}

static void begin_one_for_two(void)
{
    begin(3, 1);
}

static void begin_one_for_one(void)
{
    begin(2, 1);
}

static void finish(void)
{
    shared.done[model_self()] = 1;
    MODEL_CHECK(corio_waitgroup_done(&shared.group) == 0);
}

static void wait_for(unsigned first, unsigned count)
{
    MODEL_CHECK(corio_waitgroup_wait(&shared.group) == 0);
    for (unsigned i = first; i < first + count; i++)
        MODEL_CHECK(shared.done[i] == 1);
}

static void wait_for_two(void)
{
    wait_for(0, 2);
}

static void wait_for_one(void)
{
    wait_for(0, 1);
}

/* Zero, and the next round at once: whoever waits belongs to one of them. */
static void finish_two_rounds(void)
{
    shared.done[0] = 1;
    MODEL_CHECK(corio_waitgroup_done(&shared.group) == 0);
    MODEL_CHECK(corio_waitgroup_add(&shared.group, 1) == 0);
    MODEL_CHECK(corio_waitgroup_done(&shared.group) == 0);
}

/* One that waits, and then is waited for. */
static void wait_and_go_round(void)
{
    wait_for_one();
    MODEL_CHECK(corio_waitgroup_add(&shared.group, 1) == 0);
    MODEL_CHECK(corio_waitgroup_done(&shared.group) == 0);
}

static void wait_twice(void)
{
    wait_for_one();
    wait_for_one();
}

static void add_and_finish(void)
{
    MODEL_CHECK(corio_waitgroup_add(&shared.group, 1) == 0);
    finish();
    MODEL_CHECK(corio_waitgroup_done(&shared.group) == 0);
}

static void nobody_is_left(void)
{
    MODEL_CHECK(corio_waitgroup_count(&shared.group) == 0);
    MODEL_CHECK(shared.group.reserved_waiters.reserved_head == NULL);
    MODEL_CHECK(shared.group.reserved_waiters.reserved_count == 0);
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"two_are_waited_for",
         begin_two_for_one,
         {finish, finish, wait_for_two, work, work, work},
         nobody_is_left,
         tasks_ended},
        {"two_wait",
         begin_one_for_two,
         {finish, wait_for_one, wait_for_one, work, work, work},
         nobody_is_left,
         tasks_ended},
        {"a_group_is_used_again",
         begin_one_for_two,
         {finish_two_rounds, wait_for_one, wait_for_one, work, work, work},
         nobody_is_left,
         tasks_ended},
        {"a_waiter_begins_the_next_round",
         begin_one_for_two,
         {finish, wait_and_go_round, wait_twice, work, work, work},
         nobody_is_left,
         tasks_ended},
        {"the_count_goes_up_and_down",
         begin_one_for_one,
         {add_and_finish, wait_for_one, work, work},
         nobody_is_left,
         tasks_ended},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 4000);
}
