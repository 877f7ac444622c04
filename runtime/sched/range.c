/* SPDX-License-Identifier: MIT
 *
 * range.c - claiming, stealing and robbing: what is not done for each index. The protocol stands in range.h.
 */
#include "runtime/sched/range.h"

#include "runtime/base/fences.h"
#include "runtime/base/spin.h"

/* At once: not more than an owner runs through in a few microseconds if the tasks are short. */
enum { most_claimed = 32 };

void cr_range_set_owner(cr_range *range, uint32_t begin, uint32_t end)
{
    cr_spin_lock(&range->lock);
    cr_range_set(range, begin, begin, end);
    cr_spin_unlock(&range->lock); /* [release range.share] */
}

static bool claim_share_locked(cr_range *range, uint32_t *ret_index)
{
    uint32_t count = range->end - range->claimed;
    uint32_t share = (count + 1) / 2;
    share = share < most_claimed ? share : most_claimed;
    *ret_index = range->claimed;
    cr_store_32(&range->next, range->claimed + (share > 0));
    cr_store_32(&range->claimed, range->claimed + share);
    return share > 0;
}

bool cr_range_claim_owner(cr_range *range, uint32_t *ret_index)
{
    if (!cr_range_maybe_any(range))
        return false;
    cr_spin_lock(&range->lock);
    bool got = claim_share_locked(range, ret_index);
    cr_spin_unlock(&range->lock);
    return got;
}

/* The owner has raised next, and a robber had lowered claimed, maybe only for a moment. */
bool cr_range_settle_owner(cr_range *range, uint32_t *ret_index)
{
    cr_spin_lock(&range->lock);
    bool got = *ret_index < range->claimed;
    if (!got)
        cr_store_32(&range->next,
                    range->claimed); /* and nothing lies behind it: who robs finds nothing else */
    cr_spin_unlock(&range->lock);
    return got;
}

static bool halve_locked(cr_range *victim, uint32_t *ret_begin, uint32_t *ret_end)
{
    uint32_t claimed = victim->claimed, end = victim->end;
    *ret_begin = claimed + (end - claimed) / 2;
    *ret_end = end;
    cr_store_32(&victim->end, *ret_begin);
    return claimed < end;
}

bool cr_range_steal(cr_range *victim, uint32_t *ret_begin, uint32_t *ret_end)
{
    if (!cr_range_maybe_unclaimed(victim) ||
        !cr_spin_try_lock(&victim->lock)) /* [acquire range.share] */
        return false;
    bool got = halve_locked(victim, ret_begin, ret_end);
    cr_spin_unlock(&victim->lock);
    return got;
}

/* claimed is written: what the owner takes after this it takes with that. */
static void fence_owner(const cr_range *range)
{
    if (range->fenced)
        cr_fence_full(); /* [full range.claim] without membarrier(2) */
    else
        cr_fence_threads(); /* [full range.claim] */
}

static bool rob_half_locked(cr_range *victim, uint32_t *ret_begin, uint32_t *ret_end)
{
    uint32_t next = cr_load_32(&victim->next), claimed = victim->claimed;
    if (victim->end > claimed || next >= claimed)
        return halve_locked(victim, ret_begin, ret_end);
    uint32_t middle = next + (claimed - next) / 2;
    cr_store_32(&victim->claimed, middle);
    fence_owner(victim);
    next = cr_load_32(&victim->next);
    if (next > middle) { /* the owner was faster, or is about to wait for the lock */
        middle = next < claimed ? next : claimed;
        cr_store_32(&victim->claimed, middle);
    }
    cr_store_32(&victim->end, middle);
    *ret_begin = middle;
    *ret_end = claimed;
    return middle < claimed;
}

bool cr_range_rob(cr_range *victim, uint32_t *ret_begin, uint32_t *ret_end)
{
    if (!cr_range_maybe_any(victim) || !cr_spin_try_lock(&victim->lock))
        return false;
    bool got = rob_half_locked(victim, ret_begin, ret_end);
    cr_spin_unlock(&victim->lock);
    return got;
}
