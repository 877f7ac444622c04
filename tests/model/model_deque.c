/* SPDX-License-Identifier: MIT
 *
 * model_deque.c - the work-stealing deque: one owner, one or two thieves. Each item is taken once,
 * whole, and with what its pusher wrote before.
 *
 * A deque begins closed, and may be closed again after each item that the owner takes; or it is always
 * open, as without membarrier.
 *
 * The array begins with two slots, so that a few items are enough to go round it and to grow it; and
 * of a deque of two or more a thief takes half.
 */
#define CR_STEAL_SHARE        2
#define CR_DEQUE_CLOSES_AFTER 1
#include "runtime/sched/deque.c"
#include "tests/model/model.h"

enum { small_slots = 2, words = 8 };

static cr_deque deque;
static cr_deque rests[MODEL_THREADS]; /* the thieves' own */

static void create(cr_deque *made, bool always_open)
{
    MODEL_CHECK(cr_deque_init(made, always_open) == 0);
    cr_free(made->array);
    made->array = array_create(small_slots);
}

static void begin_deque(bool always_open)
{
    create(&deque, always_open);
    cr_deque_array *array = deque.array;
    model_name(&deque.top, 8, "top");
    model_name(&deque.taken, 8, "taken");
    model_name(&deque.lock, 4, "lock");
    model_name(&deque.open, 4, "open");
    model_name(&deque.bottom, 8, "bottom");
    model_name(&deque.array, 8, "array");
    model_name(array->slots, small_slots * sizeof(cr_item), "slots");
    for (unsigned i = 1; i < MODEL_THREADS; i++)
        create(&rests[i], always_open);
}

static void begin(void)
{
    begin_deque(false);
}

static void begin_open(void)
{
    begin_deque(true);
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

static bool take_oldest(void)
{
    cr_item item;
    bool got = cr_deque_take_oldest_owner(&deque, &item);
    if (got)
        take_whole(&item);
    return got;
}

static void steal(void)
{
    cr_deque *rest = &rests[model_self()];
    cr_item item;
    uint64_t count = cr_deque_steal_any(&deque, &item, rest);
    if (count == 0)
        return;
    take_whole(&item);
    const cr_item *next;
    while (--count > 0 && (next = cr_deque_take_owner(rest)) != NULL)
        take_whole(next);
    MODEL_CHECK(count == 0);
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

static void push_three_and_take_three(void)
{
    for (unsigned number = 0; number < 3; number++)
        push(number);
    for (unsigned number = 0; number < 3; number++)
        take();
}

/* What a thief has seen is taken and pushed again meanwhile, another item in the same place. */
static void push_take_and_push(void)
{
    push(0);
    push(1);
    take();
    push(2);
    take();
    take();
}

/* Below the place where it has grown: the old array has another item there. */
static void push_grow_take_and_push(void)
{
    for (unsigned number = 0; number < 3; number++)
        push(number);
    take();
    take();
    push(3);
    push(4);
    take();
}

static void push_four(void)
{
    for (unsigned number = 0; number < 4; number++)
        push(number);
    take();
}

/* A thief whose share another one steals from. */
static void steal_and_be_robbed(void)
{
    cr_deque *rest = &rests[1];
    for (unsigned i = 0; i < 2; i++) {
        cr_item item;
        const cr_item *next;
        if (cr_deque_steal_any(&deque, &item, rest) == 0)
            continue;
        take_whole(&item);
        while ((next = cr_deque_take_owner(rest)) != NULL)
            take_whole(next);
    }
}

static void rob(void)
{
    for (unsigned i = 0; i < 2; i++) {
        cr_item item;
        if (cr_deque_steal_any(&rests[1], &item, NULL) != 0)
            take_whole(&item);
    }
}

static void push_and_take_the_oldest_in_turn(void)
{
    for (unsigned number = 0; number < 3; number++)
        push(number);
    take_oldest();
    take_oldest();
    push(3);
    take_oldest();
    take_oldest();
}

static void push_two_and_take_the_oldest(void)
{
    push(0);
    push(1);
    take_oldest();
    take_oldest();
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
    for (unsigned i = 1; i < MODEL_THREADS; i++) {
        MODEL_CHECK(!cr_deque_maybe_any(&rests[i]));
        cr_deque_fini(&rests[i]);
    }
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
        {"three_items_go_to_one_each",
         begin,
         {push_three_and_take_three, steal_twice},
         take_the_rest,
         NULL},
        {"an_item_in_the_place_of_another",
         begin,
         {push_take_and_push, steal_once, steal_once},
         take_the_rest,
         NULL},
        {"an_item_below_where_it_grew",
         begin,
         {push_grow_take_and_push, steal_twice, steal_once},
         take_the_rest,
         NULL},
        {"a_thief_is_robbed", begin, {push_four, steal_and_be_robbed, rob}, take_the_rest, NULL},
        {"the_oldest_in_turn",
         begin,
         {push_and_take_the_oldest_in_turn, steal_once, steal_once},
         take_the_rest,
         NULL},
        {"the_oldest_goes_to_one",
         begin,
         {push_two_and_take_the_oldest, steal_twice},
         take_the_rest,
         NULL},
        {"the_last_item_goes_to_one_open",
         begin_open,
         {push_and_take_one, steal_once},
         take_the_rest,
         NULL},
        {"items_in_turn_open",
         begin_open,
         {push_and_take_in_turn, steal_twice},
         take_the_rest,
         NULL},
        {"growing_loses_nothing_open",
         begin_open,
         {push_and_grow, steal_twice},
         take_the_rest,
         NULL},
        {"an_item_in_the_place_of_another_open",
         begin_open,
         {push_take_and_push, steal_once, steal_once},
         take_the_rest,
         NULL},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 4000);
}
