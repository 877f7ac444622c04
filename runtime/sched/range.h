/* SPDX-License-Identifier: MIT
 *
 * range.h - a worker's share of the tasks that a boundary resumes: indices into one array.
 *
 *      next         claimed         end
 *       v             v              v
 *       [ the owner's | anybody's    )        the owner takes at next, thieves take the upper half
 *
 * The owner claims some of the lowest indices at a time, under the lock, and takes these without it: half
 * of what is there, 32 at most, so that a thief finds the rest (the leader's range may begin with more
 * claimed). What is the owner's by then may still be had
 * from it, if it turns out to take long with the first of them: that is what `rob` is for, at the price of
 * a fence in every thread.
 *
 * Every index is in one range, and is taken once. Thieves, and the owner when it claims, exclude each
 * other by the lock. A robber lowers claimed, puts a fence into the owner, and reads next; the owner
 * raises next and then reads claimed: so the robber sees that an index is the owner's, or the owner
 * sees that it is not, and then decides under the lock, when no robber is in the middle of it.
 *
 * As long as the owner does not set it anew, next rises and end falls, so that a look from outside at the two
 * sees too much rather than too little. What it may miss is what its owner is about to take, or sets at
 * that moment: the owner is active, and looks whether somebody sleeps behind that (idle.c).
 *
 * Edges
 *   range.share   set (leader, before active rises from zero) -> take, steal: the array is seen whole, through
 *                 quiescence.enter; a thief's set of its own range is ordered by the locks
 *   range.claim   take <-> rob   next written before claimed is read; claimed written before next is read:
 *                 a fence in all threads (fences.h), or without it a full one in each
 */
#ifndef CR_SCHED_RANGE_H
#define CR_SCHED_RANGE_H

#include "runtime/base/atomic.h"
#include "runtime/base/panic.h"

#include <stdalign.h>

typedef struct cr_range {
    alignas(64) uint32_t next; /* the owner's: it writes it without the lock */
    /* As end under the lock; next <= claimed <= end, but while an index is being decided. */
    uint32_t claimed;
    uint32_t end;
    uint32_t lock;
    bool fenced; /* no membarrier(2): the owner has the fence */
} cr_range;

/* The leader, at quiescence. [begin, claimed) is the owner's at once. */
static inline void cr_range_set(cr_range *range, uint32_t begin, uint32_t claimed, uint32_t end)
{
    cr_store_32(&range->next, begin);
    cr_store_32(&range->claimed, claimed);
    cr_store_32(&range->end, end);
}

/* The owner, of an empty one, while others may look. */
void cr_range_set_owner(cr_range *range, uint32_t begin, uint32_t end);
/* Takes the upper half of what is anybody's: [*ret_begin, *ret_end). False: nothing, or somebody is at it. */
bool cr_range_steal(cr_range *victim, uint32_t *ret_begin, uint32_t *ret_end);
/* The same of what is the owner's, if nothing else is left. */
bool cr_range_rob(cr_range *victim, uint32_t *ret_begin, uint32_t *ret_end);
/* Parts of cr_range_take_owner: claims more; finds out who has the index before next. */
bool cr_range_claim_owner(cr_range *range, uint32_t *ret_index);
bool cr_range_settle_owner(cr_range *range, uint32_t *ret_index);

/* A look from outside; may be wrong at once. */
static inline bool cr_range_maybe_any(const cr_range *range)
{
    return cr_load_32(&range->next) < cr_load_32(&range->end);
}

/* The same: whether there is more than the owner has claimed. */
static inline bool cr_range_maybe_unclaimed(const cr_range *range)
{
    return cr_load_32(&range->claimed) < cr_load_32(&range->end);
}

static inline uint32_t cr_range_length_owner(const cr_range *range)
{
    return cr_load_32(&range->end) - range->next;
}

/* Takes the lowest index. */
static inline bool cr_range_take_owner(cr_range *range, uint32_t *ret_index)
{
    uint32_t next = range->next;
    if (CR_UNLIKELY(next >= cr_load_32(&range->claimed)))
        return cr_range_claim_owner(range, ret_index);
    cr_store_32(&range->next, next + 1);
    cr_compiler_barrier(); /* [range.claim] the robber has the fence */
    if (CR_UNLIKELY(range->fenced))
        cr_fence_full(); /* [full range.claim] without membarrier(2) */
    *ret_index = next;
    return CR_LIKELY(next < cr_load_32(&range->claimed)) || cr_range_settle_owner(range, ret_index);
}

#endif
