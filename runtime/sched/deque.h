/* SPDX-License-Identifier: MIT
 *
 * deque.h - the work-stealing deque of a worker.
 *
 *      taken     top                  bottom
 *        v        v                     v
 *     ..[ being  | t | t+1 | ... | b-1 ] b      thieves claim at top, oldest first, several at once;
 *         copied                                the owner pushes and takes at bottom
 *
 * The protocol is THE of Cilk-5 (Frigo, Leiserson, Randall, "The Implementation of the Cilk-5
 * Multithreaded Language", PLDI 1998, section 5), with claims of more than one item: one steal
 * moves a share of a long deque, so that the two sides meet on its cache lines once for many items.
 * Thieves exclude each other by the lock; the owner takes it only where a thief may want the same
 * item.
 *
 * It grows by doubling and is never full. The old array stays readable for thieves until
 * cr_deque_free_retired, which is called at quiescence, when no thief is inside.
 *
 * A deque is closed or open. While it is closed nobody steals, and the owner takes without a fence. The
 * first thief opens it, and puts a fence into every thread behind that (fences.h): an owner that lowers
 * bottom after it sees that the deque is open, and what it lowered before is seen by the thief. The owner
 * closes it again, under the lock, when nobody has stolen while it took some thousand items; more of
 * them if it was opened again soon (biased locking with its revocation, of Kawachiya, Koseki, Onodera,
 * "Lock Reservation", OOPSLA 2002).
 *
 * Why an item of an open deque is taken exactly once: a thief raises top and then reads bottom, the owner
 * lowers bottom and then reads top, each with a full fence between, so that at least one of them sees the
 * other's claim. A thief that sees it claims no more than what lies below; an owner that sees it
 * decides under the lock, when no thief is in the middle of a claim. So what a thief has claimed is
 * its own, and the owner does not fill these slots again before they have been copied: it looks for
 * room at taken, which follows when they have.
 *
 * Edges
 *   deque.item    push -> steal    a thief that sees bottom > i sees slot i whole, and what the
 *                                  pusher wrote before
 *   deque.array   grow -> steal    a thief that sees the array sees its slots
 *   deque.claim   take <-> steal   full fences: bottom written before top is read, top written
 *                                  before bottom is read
 *   deque.open    take <-> open    bottom written before open is read; open written before bottom is
 *                                  read: a fence in all threads by the one that opens
 *   deque.slot    steal -> push    a slot is copied before taken is raised: the owner does not
 *                                  overwrite it while it is read
 */
#ifndef CR_SCHED_DEQUE_H
#define CR_SCHED_DEQUE_H

#include "runtime/base/atomic.h"
#include "runtime/base/panic.h"
#include "runtime/base/spin.h"
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
    alignas(
        64) uint64_t top; /* written under the lock. In the middle of a claim it may be too high */
    uint64_t taken;       /* the same; slots below it may be filled again */
    uint64_t opened_ns;   /* the same: when it was opened last */
    uint32_t lock;
    alignas(64) uint64_t bottom; /* the owner writes this line; thieves read it */
    void *array;
    uint64_t taken_seen;   /* the owner's: taken of some time ago; as long as it is closed, taken */
    uint64_t top_seen;     /* the owner's: top when it last thought of closing */
    uint64_t closes_in;    /* the owner's: items that it takes before it does so again; 0: never */
    uint64_t closes_after; /* under the lock: how many that is at first */
    uint32_t open;         /* written under the lock */
} cr_deque;

enum { CR_STEAL_MOST = 64 };

/* always_open: there is no membarrier(2), or nobody takes the newest. -ENOMEM. */
int cr_deque_init(cr_deque *deque, bool always_open);
void cr_deque_fini(cr_deque *deque);
bool cr_deque_grow_owner(cr_deque *deque);   /* false: no memory, nothing changed */
void cr_deque_free_retired(cr_deque *deque); /* only while no thief is inside */
/* Of an open one: decides who gets the item at bottom, which the owner has lowered. */
bool cr_deque_take_open_owner(cr_deque *deque);
/* Takes the oldest item, and of a long deque a share: the rest of it goes to `rest`, the thief's own
 * (NULL: one item only). How many, at most CR_STEAL_MOST; 0: there is none, or another thief is at
 * it. */
uint64_t cr_deque_steal_any(cr_deque *deque, cr_item *ret_item, cr_deque *rest);
/* The owner takes the oldest item; false: empty. */
bool cr_deque_take_oldest_owner(cr_deque *deque, cr_item *ret_item);

static inline cr_deque_array *cr_deque_array_owner(const cr_deque *deque)
{
    return (cr_deque_array *)cr_load_ptr(&deque->array); /* the owner alone writes it */
}

/* The slot to fill next, if there is room for sure; else NULL. */
static inline cr_item *cr_deque_room_owner(const cr_deque *deque)
{
    uint64_t bottom = deque->bottom;
    cr_deque_array *array = cr_deque_array_owner(deque);
    bool room = bottom - deque->taken_seen <= array->mask;
    return CR_LIKELY(room) ? &array->slots[bottom & array->mask] : NULL;
}

/* The slot to fill next; NULL if there is no memory for it. cr_deque_publish_owner makes it an
 * item. */
static inline cr_item *cr_deque_reserve_owner(cr_deque *deque)
{
    cr_item *slot = cr_deque_room_owner(deque);
    if (CR_LIKELY(slot != NULL))
        return slot;
    /* [acquire deque.slot] thieves that raised taken have copied their slots */
    deque->taken_seen = cr_load_acquire_64(&deque->taken);
    slot = cr_deque_room_owner(deque);
    return slot != NULL || !cr_deque_grow_owner(deque) ? slot : cr_deque_room_owner(deque);
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
    *slot = *item;
    cr_deque_publish_owner(deque);
    return true;
}

/* True if it is empty for sure: taken_seen <= taken <= top <= bottom. */
static inline bool cr_deque_is_empty_owner(const cr_deque *deque)
{
    return deque->bottom == deque->taken_seen;
}

/* The newest item as it lies there, or NULL. It may be stolen at any moment: look, then take. */
static inline const cr_item *cr_deque_peek_owner(const cr_deque *deque)
{
    uint64_t bottom = deque->bottom;
    cr_deque_array *array = cr_deque_array_owner(deque);
    return cr_deque_is_empty_owner(deque) ? NULL : &array->slots[(bottom - 1) & array->mask];
}

/* Takes the item that cr_deque_peek_owner has found: the slot is the caller's until its next push.
 * False: it has been stolen. */
static inline bool cr_deque_take_peeked_owner(cr_deque *deque)
{
    cr_store_64(&deque->bottom, deque->bottom - 1);
    cr_compiler_barrier(); /* [deque.open] who opens it has the fence */
    return CR_LIKELY(!cr_load_32(&deque->open)) || cr_deque_take_open_owner(deque);
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
    return deque->bottom - cr_load_64(&deque->taken);
}

/* A thief need not open it. */
static inline bool cr_deque_is_open(const cr_deque *deque)
{
    return cr_load_32(&deque->open) != 0;
}

/* A look from outside; may be wrong at once. */
static inline bool cr_deque_maybe_more(const cr_deque *deque, int64_t than)
{
    return (int64_t)(cr_load_64(&deque->bottom) - cr_load_64(&deque->top)) > than;
}

static inline bool cr_deque_maybe_any(const cr_deque *deque)
{
    return cr_deque_maybe_more(deque, 0);
}

#endif
