/* SPDX-License-Identifier: MIT
 *
 * deque.h - the work-stealing deque of a worker.
 *
 *      top                    bottom
 *       v                       v
 *     [ t | t+1 | ...  |  b-1 ] b        thieves take at top, oldest first;
 *                                        the owner pushes and takes at bottom
 *
 * Chase and Lev, "Dynamic Circular Work-Stealing Deque" (SPAA 2005), in the C11 form of Le, Pop,
 * Cohen and Zappa Nardelli, "Correct and Efficient Work-Stealing for Weak Memory Models" (PPoPP
 * 2013), figure 1. Slots are eight words: a thief reads them word by word and throws them away if
 * its compare-and-swap on top fails, so a torn read is never used.
 *
 * It grows by doubling and is never full. The old array stays readable for thieves until
 * cr_deque_free_retired, which is called at quiescence, when no thief is inside.
 *
 * Why an item is taken exactly once: indices only rise at top, by compare-and-swap, so two thieves
 * never get the same one. The owner takes b-1 without one only if, after its full fence, top < b-1:
 * a thief that is to get b-1 must read bottom > b-1 after reading top == b-1, and the two fences
 * make one of them see the other. With top == b-1 the owner uses the compare-and-swap as well.
 *
 * Edges
 *   deque.item    push -> steal    a thief that sees bottom > i sees slot i whole, and what the
 *                                  pusher wrote before
 *   deque.array   grow -> steal    a thief that sees the array sees its slots
 *   deque.last    take <-> steal   full fences: bottom written before top is read, top read before
 *                                  bottom
 *   deque.slot    steal -> push    a slot is read before top is raised: the owner does not
 *                                  overwrite it while it is read
 */
#ifndef CR_SCHED_DEQUE_H
#define CR_SCHED_DEQUE_H

#include "runtime/base/atomic.h"
#include "runtime/base/panic.h"
#include "runtime/task/task.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct cr_deque_array {
    uint64_t mask;                  /* slots - 1 */
    struct cr_deque_array *retired; /* the smaller one before it */
    alignas(64) cr_item slots[];
} cr_deque_array;

typedef struct cr_deque {
    alignas(64) uint64_t top;    /* thieves write it */
    alignas(64) uint64_t bottom; /* the owner writes this line; thieves read it */
    void *array;
    uint64_t top_seen; /* the owner's: a top of some time ago */
} cr_deque;

typedef enum cr_steal { CR_STEAL_EMPTY, CR_STEAL_LOST, CR_STEAL_GOT } cr_steal;

int cr_deque_init(cr_deque *deque); /* -ENOMEM */
void cr_deque_fini(cr_deque *deque);
bool cr_deque_grow_owner(cr_deque *deque);   /* false: no memory, nothing changed */
void cr_deque_free_retired(cr_deque *deque); /* only while no thief is inside */

static inline cr_deque_array *cr_deque_array_owner(const cr_deque *deque)
{
    return (cr_deque_array *)cr_load_ptr(&deque->array); /* the owner alone writes it */
}

/* The slot to fill next, if there is room for sure; else NULL. */
static inline cr_item *cr_deque_room_owner(const cr_deque *deque)
{
    uint64_t bottom = deque->bottom;
    cr_deque_array *array = cr_deque_array_owner(deque);
    return CR_LIKELY(bottom - deque->top_seen <= array->mask) ? &array->slots[bottom & array->mask]
                                                              : NULL;
}

/* The slot to fill next; NULL if there is no memory for it. cr_deque_publish_owner makes it an
 * item. */
static inline cr_item *cr_deque_reserve_owner(cr_deque *deque)
{
    uint64_t bottom = deque->bottom;
    cr_deque_array *array = cr_deque_array_owner(deque);
    if (CR_UNLIKELY(bottom - deque->top_seen > array->mask)) {
        /* [acquire deque.slot] thieves that raised top have read their slots */
        deque->top_seen = cr_load_acquire_64(&deque->top);
        if (bottom - deque->top_seen > array->mask) {
            if (!cr_deque_grow_owner(deque))
                return NULL;
            array = cr_deque_array_owner(deque);
        }
    }
    return &array->slots[bottom & array->mask];
}

/* Word `word` of an item: atomic, for a thief may read it, to throw it away. */
static inline void cr_item_store(cr_item *slot, unsigned word, uint64_t value)
{
    cr_store_64((uint64_t *)slot + word, value);
}

static inline void cr_deque_publish_owner(cr_deque *deque)
{
    /* [release deque.item] the slot is filled; now it may be seen */
    cr_store_release_64(&deque->bottom, deque->bottom + 1);
}

static inline bool cr_deque_push_owner(cr_deque *deque, const cr_item *item)
{
    cr_item *slot = cr_deque_reserve_owner(deque);
    if (CR_UNLIKELY(slot == NULL))
        return false;
    for (unsigned word = 0; word < 8; word++)
        cr_item_store(slot, word, ((const uint64_t *)item)[word]);
    cr_deque_publish_owner(deque);
    return true;
}

/* True if it is empty for sure: top_seen <= top <= bottom. */
static inline bool cr_deque_is_empty_owner(const cr_deque *deque)
{
    return deque->bottom == deque->top_seen;
}

/* The newest item as it lies there, or NULL. It may be stolen at any moment: look, then take. */
static inline const cr_item *cr_deque_peek_owner(const cr_deque *deque)
{
    uint64_t bottom = deque->bottom;
    cr_deque_array *array = cr_deque_array_owner(deque);
    /* top is only a hint here: cr_deque_take_owner decides */
    return bottom == deque->top_seen ? NULL : &array->slots[(bottom - 1) & array->mask];
}

/* Takes the item that cr_deque_peek_owner has found: the slot is the caller's until its next push.
 * False: it has been stolen. */
static inline bool cr_deque_take_peeked_owner(cr_deque *deque)
{
    uint64_t bottom = deque->bottom - 1;
    cr_store_64(&deque->bottom, bottom);
    cr_fence_full(); /* [full deque.last] thieves see the lower bottom before top is read */
    uint64_t top = cr_load_64(&deque->top);
    if (CR_LIKELY((int64_t)(bottom - top) > 0)) /* not the last one: no thief can reach it */
        return true;
    bool got = bottom == top && cr_cas_64(&deque->top, top, top + 1);
    cr_store_64(&deque->bottom, bottom + 1); /* empty again, bottom == top */
    deque->top_seen = bottom + 1;            /* top has reached bottom one way or the other */
    return got;
}

/* Takes the newest item. NULL: empty. */
static inline const cr_item *cr_deque_take_owner(cr_deque *deque)
{
    const cr_item *item = cr_deque_peek_owner(deque);
    return item != NULL && cr_deque_take_peeked_owner(deque) ? item : NULL;
}

/* Items at most: thieves may have taken some. */
static inline uint64_t cr_deque_length_owner(const cr_deque *deque)
{
    return deque->bottom - cr_load_64(&deque->top);
}

/* A look from outside; may be wrong at once. */
static inline bool cr_deque_maybe_any(const cr_deque *deque)
{
    return (int64_t)(cr_load_64(&deque->bottom) - cr_load_64(&deque->top)) > 0;
}

/* Takes the oldest item into *ret_item. CR_STEAL_LOST: somebody else got it, look again. */
static inline cr_steal cr_deque_steal_any(cr_deque *deque, cr_item *ret_item)
{
    uint64_t top = cr_load_acquire_64(&deque->top);
#if !defined(__x86_64__)
    cr_fence_full(); /* [full deque.last] top is read before bottom; x86 keeps loads in order by itself */
#endif
    /* [acquire deque.item] */
    uint64_t bottom = cr_load_acquire_64(&deque->bottom);
    if ((int64_t)(bottom - top) <= 0)
        return CR_STEAL_EMPTY;
    /* [acquire deque.array] */
    cr_deque_array *array = cr_load_acquire_ptr(&deque->array);
    const uint64_t *slot = (const uint64_t *)&array->slots[top & array->mask];
    uint64_t *copy = (uint64_t *)ret_item;
    for (unsigned word = 0; word < 8; word++)
        copy[word] = cr_load_64(slot + word);
    /* [release deque.slot] the words are read before top rises. ck's compare-and-swap orders
     * nothing on AArch64: without this fence a word could be read after the owner has filled the
     * slot again. */
    ck_pr_fence_load_atomic();
    return cr_cas_64(&deque->top, top, top + 1) ? CR_STEAL_GOT : CR_STEAL_LOST;
}

#endif
