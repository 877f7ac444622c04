/* SPDX-License-Identifier: MIT
 *
 * model_deque.c - the work-stealing deque: one owner, one or two thieves. Each item is taken once,
 * whole, and with what its pusher wrote before.
 *
 * The array begins with two slots, so that a few items are enough to go round it and to grow it.
 */
#include "runtime/sched/deque.c"
#include "tests/model/model.h"

enum { small_slots = 2, words = 8 };

static cr_deque deque;

static void begin(void)
{
    deque = (cr_deque){.top = 1, .bottom = 1, .top_seen = 1};
    cr_deque_array *array = array_create(small_slots);
    deque.array = array;
    model_name(&deque.top, 8, "top");
    model_name(&deque.bottom, 8, "bottom");
    model_name(&deque.array, 8, "array");
    model_name(array->slots, small_slots * sizeof(cr_item), "slots");
}

static void begin_late(void)
{
    begin();
    cr_deque_array *array = deque.array;
    model_late(array->slots, small_slots * sizeof(cr_item));
}

/* All words of item n are n + 1. */
static void push(unsigned number)
{
    cr_item item;
    uint64_t copy[words];
    for (unsigned word = 0; word < words; word++)
        copy[word] = number + 1;
    memcpy(&item, copy, sizeof item);
    model_make(number);
    MODEL_CHECK(cr_deque_push_owner(&deque, &item));
}

static void take_whole(const cr_item *item)
{
    uint64_t copy[words];
    memcpy(copy, item, sizeof copy);
    for (unsigned word = 1; word < words; word++)
        MODEL_CHECK(copy[word] == copy[0]);
    model_take((unsigned)copy[0] - 1);
}

static bool take(void)
{
    const cr_item *item = cr_deque_take_owner(&deque);
    if (item != NULL)
        take_whole(item);
    return item != NULL;
}

static bool steal(void)
{
    cr_item item;
    cr_steal result = cr_deque_steal_any(&deque, &item);
    if (result != CR_STEAL_GOT)
        return false;
    model_bind(&item, sizeof item);
    take_whole(&item);
    return true;
}

static void steal_once(void)
{
    steal();
}

static void steal_twice(void)
{
    steal();
    steal();
}

static void push_and_take_one(void)
{
    push(0);
    take();
}

static void push_two_and_take_two(void)
{
    push(0);
    push(1);
    take();
    take();
}

/* The last but one may still be a thief's when the owner takes again. */
static void push_and_take_in_turn(void)
{
    push(0);
    take();
    push(1);
    push(2);
    take();
}

/* Slot 0 is filled again as soon as item 0 is gone. */
static void push_around(void)
{
    push(0);
    push(1);
    if (cr_load_64(&deque.top) != deque.bottom - 2)
        push(2);
}

static void push_and_grow(void)
{
    for (unsigned number = 0; number < 3; number++)
        push(number);
    take();
}

/* The third is in the new array only. */
static void push_three(void)
{
    for (unsigned number = 0; number < 3; number++)
        push(number);
}

static void push_and_grow_twice(void)
{
    for (unsigned number = 0; number < 5; number++)
        push(number);
    take();
    take();
}

static void take_the_rest(void)
{
    while (take())
        ;
    MODEL_CHECK(!cr_deque_maybe_any(&deque) && cr_deque_is_empty_owner(&deque));
    model_check_all_taken();
    cr_deque_free_retired(&deque);
    cr_deque_fini(&deque);
    model_check_all_freed();
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"the_last_item_goes_to_one", begin, {push_and_take_one, steal_once}, take_the_rest, NULL},
        {"the_last_item_goes_to_one_of_three",
         begin,
         {push_and_take_one, steal_once, steal_once},
         take_the_rest,
         NULL},
        {"two_items_go_to_one_each",
         begin,
         {push_two_and_take_two, steal_twice},
         take_the_rest,
         NULL},
        {"items_in_turn", begin, {push_and_take_in_turn, steal_twice}, take_the_rest, NULL},
        {"a_slot_is_filled_again", begin, {push_around, steal_twice}, take_the_rest, NULL},
        {"growing_loses_nothing", begin, {push_and_grow, steal_twice}, take_the_rest, NULL},
        {"the_new_array_is_seen_with_its_item",
         begin,
         {push_three, steal_twice, steal_once},
         take_the_rest,
         NULL},
        {"growing_twice_loses_nothing",
         begin,
         {push_and_grow_twice, steal_twice, steal_once},
         take_the_rest,
         NULL},
        {"a_late_read_is_of_its_own_item",
         begin_late,
         {push_around, steal_twice},
         take_the_rest,
         NULL},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 6000);
}
