/* SPDX-License-Identifier: MIT
 *
 * range.h - a worker's share of the tasks that a boundary resumes: a range of indices into one
 * array, in one word.
 *
 *     word:  | begin : 32 | end : 32 |      the owner takes begin, a thief takes the upper half
 *
 * Every index is in at most one range, and every change is a compare-and-swap of the whole word by
 * somebody counted active, so an index is taken once. A word cannot come back to an earlier value
 * within a phase (a taken index is in no range again), and an active thief keeps its phase from
 * ending: there is no ABA.
 *
 * Edges
 *   range.share   set (leader, before active rises from zero) -> take, split: the array is seen whole, through
 *                 quiescence.enter; a thief's set of its own range is ordered by the victim's word
 */
#ifndef CR_SCHED_RANGE_H
#define CR_SCHED_RANGE_H

#include "runtime/base/atomic.h"

typedef struct cr_range {
    uint64_t word;
} cr_range;

static inline uint64_t cr_range_pack(uint32_t begin, uint32_t end)
{
    return (uint64_t)begin << 32 | end;
}

static inline void cr_range_set(cr_range *range, uint32_t begin, uint32_t end)
{
    /* [release range.share] */
    cr_store_release_64(&range->word, cr_range_pack(begin, end));
}

/* A look from outside; may be wrong at once. */
static inline bool cr_range_maybe_any(const cr_range *range)
{
    uint64_t word = cr_load_64(&range->word);
    return (uint32_t)(word >> 32) < (uint32_t)word;
}

/* Takes the lowest index. The owner (or, to be simple, anybody active). */
static inline bool cr_range_take(cr_range *range, uint32_t *ret_index)
{
    for (;;) {
        uint64_t word = cr_load_64(&range->word);
        uint32_t begin = (uint32_t)(word >> 32), end = (uint32_t)word;
        if (begin >= end)
            return false;
        /* [acquire range.share] */
        if (cr_cas_64(&range->word, word, cr_range_pack(begin + 1, end))) {
            *ret_index = begin;
            return true;
        }
    }
}

/* Takes the upper half of a victim's range: [*ret_begin, *ret_end). */
static inline bool cr_range_split(cr_range *victim, uint32_t *ret_begin, uint32_t *ret_end)
{
    for (;;) {
        uint64_t word = cr_load_64(&victim->word);
        uint32_t begin = (uint32_t)(word >> 32), end = (uint32_t)word;
        if (begin >= end)
            return false;
        uint32_t middle = begin + (end - begin) / 2;
        /* [acquire range.share] */
        if (cr_cas_64(&victim->word, word, cr_range_pack(begin, middle))) {
            *ret_begin = middle;
            *ret_end = end;
            return true;
        }
    }
}

#endif
