/* SPDX-License-Identifier: MIT */
#include "runtime/sched/deque.h"

#include "runtime/base/alloc.h"

#include <errno.h>

enum { first_slots = 256 };

static cr_deque_array *array_create(uint64_t slots)
{
    if (slots > (SIZE_MAX - sizeof(cr_deque_array)) / sizeof(cr_item))
        return NULL;
    cr_deque_array *array = cr_alloc_aligned_raw(sizeof *array + slots * sizeof(cr_item));
    if (array != NULL)
        *array = (cr_deque_array){.mask = slots - 1};
    return array;
}

int cr_deque_init(cr_deque *deque)
{
    *deque = (cr_deque){.top = 1, .bottom = 1, .top_seen = 1};
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

bool cr_deque_grow_owner(cr_deque *deque)
{
    cr_deque_array *old = cr_deque_array_owner(deque);
    cr_deque_array *grown = array_create(2 * (old->mask + 1));
    if (grown == NULL)
        return false;
    for (uint64_t i = deque->top_seen; i != deque->bottom; i++)
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
