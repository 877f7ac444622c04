/* SPDX-License-Identifier: MIT
 *
 * model_range.c - shares of the resume array: an owner takes from the front, thieves take halves and
 * make them their own, or rob it of what it has claimed. Each index is taken once, and what the leader wrote
 * there is seen. With membarrier and with fences.
 */
#include "runtime/sched/range.c"
#include "tests/model/model.h"

enum { workers = 3, indices = 5 };

static struct {
    cr_range ranges[workers];
    uint32_t active;
} world;

static void begin_ranges(bool fenced)
{
    world.active = 0;
    for (unsigned i = 0; i < workers; i++)
        world.ranges[i] = (cr_range){.fenced = fenced};
    model_name(world.ranges, sizeof world.ranges, "range");
    model_name(&world.active, sizeof world.active, "active");
}

static void begin(void)
{
    begin_ranges(false);
}

static void begin_fenced(void)
{
    begin_ranges(true);
}

static void take_all(unsigned worker)
{
    uint32_t index;
    while (cr_range_maybe_any(&world.ranges[worker]) &&
           cr_range_take_owner(&world.ranges[worker], &index))
        model_take(index);
}

/* As take_half in steal.c does it. */
static void keep_half(unsigned thief, uint32_t begin, uint32_t end)
{
    cr_range_set_owner(&world.ranges[thief], begin + 1, end);
    model_take(begin);
    take_all(thief);
}

static void steal_from(unsigned thief, unsigned victim)
{
    uint32_t begin, end;
    if (cr_range_steal(&world.ranges[victim], &begin, &end))
        keep_half(thief, begin, end);
}

static void rob(unsigned thief, unsigned victim)
{
    uint32_t begin, end;
    if (cr_range_rob(&world.ranges[victim], &begin, &end))
        keep_half(thief, begin, end);
}

/* The leader: the array, the ranges, and then the others may come. */
static void share_out(uint32_t claimed, uint32_t own)
{
    for (unsigned item = 0; item < indices; item++)
        model_make(item);
    cr_range_set(&world.ranges[0], 0, claimed, own);
    cr_range_set(&world.ranges[1], own, own, indices);
    cr_store_release_32(&world.active, 1);
}

static void lead(void)
{
    share_out(0, indices);
    take_all(0);
}

static void lead_and_share(void)
{
    share_out(0, 2);
    take_all(0);
    steal_from(0, 1);
}

static void lead_and_claim_all(void)
{
    share_out(indices, indices);
    take_all(0);
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

static void robber_1(void)
{
    if (!enter())
        return;
    rob(1, 0);
    rob(1, 0);
}

static void robber_2(void)
{
    if (!enter())
        return;
    rob(2, 0);
    rob(2, 1);
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
        {"a_robber", begin, {lead_and_claim_all, robber_1}, take_the_rest, NULL},
        {"a_robber_fenced", begin_fenced, {lead_and_claim_all, robber_1}, take_the_rest, NULL},
        {"robbers_of_robbers",
         begin,
         {lead_and_claim_all, robber_1, robber_2},
         take_the_rest,
         NULL},
        {"a_robber_and_a_thief", begin, {lead, robber_1, work_2}, take_the_rest, NULL},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 10000);
}
