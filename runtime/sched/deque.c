/* SPDX-License-Identifier: MIT
 *
 * deque.c - growing, and stealing: what is not done for each item. The protocol stands in deque.h.
 */
#include "runtime/sched/deque.h"

#include "runtime/base/alloc.h"
#include "runtime/base/clock.h"
#include "runtime/base/fences.h"

#include <errno.h>
#include <string.h>

enum { first_slots = 256 };

#ifndef CR_DEQUE_CLOSES_AFTER
#define CR_DEQUE_CLOSES_AFTER 1024
#endif

static cr_deque_array *array_create(uint64_t slots)
{
    if (slots > (SIZE_MAX - sizeof(cr_deque_array)) / sizeof(cr_item))
        return NULL;
    cr_deque_array *array = cr_alloc_aligned_raw(sizeof *array + slots * sizeof(cr_item));
    if (array != NULL)
        *array = (cr_deque_array){.mask = slots - 1};
    return array;
}

int cr_deque_init(cr_deque *deque, bool always_open)
{
    *deque = (cr_deque){.top = 1, .taken = 1, .bottom = 1, .taken_seen = 1, .open = always_open};
    deque->closes_in = always_open ? 0 : CR_DEQUE_CLOSES_AFTER;
    deque->closes_after = CR_DEQUE_CLOSES_AFTER;
    deque->array = array_create(first_slots);
    return deque->array != NULL ? 0 : -ENOMEM;
}

void cr_deque_fini(cr_deque *deque)
{
    if (deque->array == NULL)
        return;
    cr_deque_free_retired(deque);
    cr_free(deque->array);
    deque->array = NULL;
}

/* A thief in the middle of a claim copies from whichever array it has: both hold what is not taken. */
bool cr_deque_grow_owner(cr_deque *deque)
{
    cr_deque_array *old = cr_deque_array_owner(deque);
    cr_deque_array *grown = array_create(2 * (old->mask + 1));
    if (grown == NULL)
        return false;
    for (uint64_t i = deque->taken_seen; i != deque->bottom; i++)
        grown->slots[i & grown->mask] = old->slots[i & old->mask];
    grown->retired = old;
    /* [release deque.array] the copied slots come with it */
    cr_store_release_ptr(&deque->array, grown);
    return true;
}

void cr_deque_free_retired(cr_deque *deque)
{
    cr_deque_array *array = cr_deque_array_owner(deque);
    while (array->retired != NULL) {
        cr_deque_array *old = array->retired;
        array->retired = old->retired;
        cr_free(old);
    }
}

/* -- Stealing -- */

/* Of a long deque a share, of a short one, as recursion makes it, the oldest: it is the largest, and
 * for each item that another worker runs its parent may have to be parked. */
#ifndef CR_STEAL_SHARE
#define CR_STEAL_SHARE 8
#endif

static uint64_t share_of(uint64_t length, uint64_t most)
{
    uint64_t share = (length + CR_STEAL_SHARE - 1) / CR_STEAL_SHARE;
    return share < most ? share : most;
}

/* How many items the thief has room for. */
static uint64_t most_for(const cr_deque *rest)
{
    if (rest == NULL)
        return 1;
    /* [acquire deque.slot] */
    uint64_t used = rest->bottom - cr_load_acquire_64(&rest->taken);
    uint64_t room = cr_deque_array_owner(rest)->mask + 1 - used;
    return 1 + (room < CR_STEAL_MOST ? room : CR_STEAL_MOST - 1);
}

/* An owner that closes it as soon as it is left alone would be interrupted for each steal, and all others with
 * it: the sooner it has had to be opened again, the longer it stays open. */
static void open_locked(cr_deque *deque)
{
    enum { soon_ns = 1000000, most = CR_DEQUE_CLOSES_AFTER << 10 };
    uint64_t now = cr_now_ns();
    bool soon = now - deque->opened_ns < soon_ns;
    deque->opened_ns = now;
    if (!soon)
        deque->closes_after = CR_DEQUE_CLOSES_AFTER;
    else if (deque->closes_after < most)
        deque->closes_after *= 2;
    cr_store_32(&deque->open, 1);
    cr_fence_threads(); /* [full deque.open] the owner sees that it is open before bottom is read */
}

/* Claims the oldest items: [top before, top now). Returns how many. */
static uint64_t claim_locked(cr_deque *deque, uint64_t most)
{
    uint64_t top = cr_load_64(&deque->top); /* the lock's holder alone writes it */
    int64_t length = (int64_t)(cr_load_64(&deque->bottom) - top);
    if (length <= 0)
        return 0;
    uint64_t share = share_of((uint64_t)length, most);
    cr_store_64(&deque->top, top + share);
    cr_fence_full(); /* [full deque.claim] the owner sees the higher top before bottom is read */
    /* [acquire deque.item] The array is as new as that. */
    length = (int64_t)(cr_load_acquire_64(&deque->bottom) - top);
    if (length < (int64_t)share) { /* the owner was faster, or is about to wait for the lock */
        share = length > 0 ? (uint64_t)length : 0;
        cr_store_64(&deque->top, top + share);
        cr_fence_full(); /* [sleep.push] top was too high: who went to sleep may have missed an item,
                          * which the thief's next look must not miss as well (idle.c) */
    }
    return share;
}

static uint64_t steal_locked(cr_deque *deque, cr_item *ret_item, cr_deque *rest)
{
    uint64_t count = claim_locked(deque, most_for(rest));
    if (count == 0)
        return 0;
    uint64_t taken = cr_load_64(&deque->taken); /* the lock's holder alone writes it */
    /* [acquire deque.array] */
    const cr_deque_array *array = cr_load_acquire_ptr(&deque->array);
    *ret_item = array->slots[taken & array->mask];
    for (uint64_t i = 1; i < count; i++)
        CR_INVARIANT(cr_deque_push_owner(rest, &array->slots[(taken + i) & array->mask]));
    /* [release deque.slot] the slots have been copied */
    cr_store_release_64(&deque->taken, taken + count);
    return count;
}

uint64_t cr_deque_steal_any(cr_deque *deque, cr_item *ret_item, cr_deque *rest)
{
    if (!cr_deque_maybe_any(deque) || !cr_spin_try_lock(&deque->lock))
        return 0;
    if (!deque->open)
        open_locked(deque);
    uint64_t count = steal_locked(deque, ret_item, rest);
    cr_spin_unlock(&deque->lock);
    return count;
}

/* -- The owner, where a thief may be -- */

bool cr_deque_take_oldest_owner(cr_deque *deque, cr_item *ret_item)
{
    if (cr_deque_is_empty_owner(deque))
        return false;
    cr_spin_lock(&deque->lock);
    bool got = steal_locked(deque, ret_item, NULL);
    deque->taken_seen = deque->taken;
    cr_spin_unlock(&deque->lock);
    return got;
}

/* The item at bottom is the owner's, or the thief's that has claimed it. */
static bool settle(cr_deque *deque)
{
    cr_spin_lock(&deque->lock);
    uint64_t bottom = deque->bottom, top = deque->top;
    bool got = (int64_t)(bottom - top) >= 0;
    if (!got) {
        cr_store_64(&deque->bottom, bottom + 1); /* empty: top has reached it */
        deque->taken_seen = bottom + 1;
    }
    cr_spin_unlock(&deque->lock);
    return got;
}

static void close_if_left_alone(cr_deque *deque)
{
    deque->closes_in = 1;
    if (!cr_spin_try_lock(&deque->lock))
        return;
    bool alone = deque->top == deque->top_seen;
    deque->top_seen = deque->top;
    deque->taken_seen = deque->taken;
    deque->closes_in = deque->closes_after;
    cr_store_32(&deque->open, !alone);
    cr_spin_unlock(&deque->lock);
}

bool cr_deque_take_open_owner(cr_deque *deque)
{
    cr_fence_full(); /* [full deque.claim] thieves see the lower bottom before top is read */
    uint64_t top = cr_load_64(&deque->top);
    bool got = CR_LIKELY((int64_t)(deque->bottom - top) >= 0) || settle(deque);
    if (CR_UNLIKELY(--deque->closes_in == 0))
        close_if_left_alone(deque);
    return got;
}
