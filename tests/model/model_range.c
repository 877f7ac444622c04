/* SPDX-License-Identifier: MIT
 *
 * model_range.c - shares of the resume array: an owner takes from the front, thieves take halves and
 * make them their own. Each index is taken once, and what the leader wrote there is seen.
 */
#include "runtime/sched/range.h"
#include "tests/model/model.h"

enum { workers = 3, indices = 5 };

static struct {
    cr_range ranges[workers];
    uint32_t active;
} world;

static void begin(void)
{
    world.active = 0;
    for (unsigned i = 0; i < workers; i++)
        world.ranges[i].word = 0;
    model_name(world.ranges, sizeof world.ranges, "range");
    model_name(&world.active, sizeof world.active, "active");
}

static void take_all(unsigned worker)
{
    uint32_t index;
    while (cr_range_maybe_any(&world.ranges[worker]) &&
           cr_range_take(&world.ranges[worker], &index))
        model_take(index);
}

/* As steal_range does it. */
static void steal_from(unsigned thief, unsigned victim)
{
    uint32_t begin, end;
    if (!cr_range_maybe_any(&world.ranges[victim]) ||
        !cr_range_split(&world.ranges[victim], &begin, &end))
        return;
    cr_range_set(&world.ranges[thief], begin + 1, end);
    model_take(begin);
    take_all(thief);
}

/* The leader: the array, the ranges, and then the others may come. */
static void share_out(uint32_t own)
{
    for (unsigned item = 0; item < indices; item++)
        model_make(item);
    cr_range_set(&world.ranges[0], 0, own);
    cr_range_set(&world.ranges[1], own, indices);
    cr_store_release_32(&world.active, 1);
}

static void lead(void)
{
    share_out(indices);
    take_all(0);
}

static void lead_and_share(void)
{
    share_out(2);
    take_all(0);
    steal_from(0, 1);
}

static bool enter(void)
{
    return cr_load_acquire_32(&world.active) != 0;
}

static void work_1(void)
{
    if (!enter())
        return;
    take_all(1);
    steal_from(1, 0);
    steal_from(1, 2);
}

static void work_2(void)
{
    if (!enter())
        return;
    steal_from(2, 0);
    steal_from(2, 1);
}

/* Ranges of threads that came too early are left. */
static void take_the_rest(void)
{
    for (unsigned i = 0; i < workers; i++)
        take_all(i);
    model_check_all_taken();
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"one_thief", begin, {lead, work_1}, take_the_rest, NULL},
        {"thieves_of_thieves", begin, {lead, work_1, work_2}, take_the_rest, NULL},
        {"shares_for_two", begin, {lead_and_share, work_1, work_2}, take_the_rest, NULL},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 10000);
}
