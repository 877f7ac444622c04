/* SPDX-License-Identifier: MIT
 *
 * stress_deque.c - an owner and thieves on one deque: every item is taken exactly once, and whole.
 */
#include "runtime/base/fences.h"
#include "runtime/sched/deque.h"
#include "tests/stress/stress.h"

#include <pthread.h>
#include <sched.h>

enum { words = 8, most_thieves = 3 };

static struct {
    cr_deque deque;
    unsigned char *taken; /* how often item i was taken */
    uint64_t pushed;
    uint64_t total;
    uint64_t got; /* by thieves and owner together */
    uint32_t stop;
    unsigned thieves;
    bool always_open;
    bool rest; /* thieves leave it alone */
    pthread_t threads[most_thieves];
} world;

/* All eight words tell the item's number, so that a torn copy shows. */
static void write_item(cr_item *item, uint64_t number)
{
    uint64_t copy[words];
    for (unsigned word = 0; word < words; word++)
        copy[word] = mix(number) + word;
    copy[words - 1] = number;
    memcpy(item, copy, sizeof *item);
}

static void count_item(const cr_item *item)
{
    uint64_t copy[words];
    memcpy(copy, item, sizeof copy);
    uint64_t number = copy[words - 1];
    CHECK(number < world.total);
    for (unsigned word = 0; word < words - 1; word++)
        CHECK(copy[word] == mix(number) + word);
    CHECK(__atomic_fetch_add(&world.taken[number], 1, __ATOMIC_RELAXED) == 0);
    __atomic_fetch_add(&world.got, 1, __ATOMIC_RELAXED);
}

static void *thief(void *arg)
{
    (void)arg;
    cr_deque rest;
    CHECK(cr_deque_init(&rest, false) == 0);
    cr_item item;
    while (!__atomic_load_n(&world.stop, __ATOMIC_ACQUIRE)) {
        if (!__atomic_load_n(&world.rest, __ATOMIC_RELAXED) &&
            cr_deque_steal_any(&world.deque, &item, &rest) > 0)
            count_item(&item);
        else if (world.thieves > 1)
            sched_yield();
        const cr_item *next;
        while ((next = cr_deque_take_owner(&rest)) != NULL)
            count_item(next);
    }
    cr_deque_fini(&rest);
    return NULL;
}

static void begin(uint64_t total, unsigned thieves)
{
    CHECK(cr_deque_init(&world.deque, world.always_open) == 0);
    world.taken = calloc(total, 1);
    CHECK(world.taken != NULL);
    world.pushed = 0;
    world.got = 0;
    world.total = total;
    world.stop = 0;
    world.thieves = thieves;
    for (unsigned i = 0; i < thieves; i++)
        CHECK(pthread_create(&world.threads[i], NULL, thief, NULL) == 0);
}

static void push(void)
{
    cr_item item;
    write_item(&item, world.pushed);
    CHECK(cr_deque_push_owner(&world.deque, &item));
    world.pushed++;
}

static bool take(void)
{
    const cr_item *item = cr_deque_take_owner(&world.deque);
    if (item != NULL)
        count_item(item);
    return item != NULL;
}

static void end(void)
{
    while (take())
        ;
    while (__atomic_load_n(&world.got, __ATOMIC_RELAXED) < world.pushed)
        sched_yield(); /* thieves that have an item and have not counted it */
    __atomic_store_n(&world.stop, 1, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < world.thieves; i++)
        pthread_join(world.threads[i], NULL);
    CHECK(world.pushed == world.total && world.got == world.total);
    for (uint64_t i = 0; i < world.total; i++)
        CHECK(world.taken[i] == 1);
    CHECK(!cr_deque_maybe_any(&world.deque));
    cr_deque_fini(&world.deque);
    free(world.taken);
}

/* Two at the end of the deque at the same time, most of the time: `burst` items are never more. */
static void keep_it_short(unsigned thieves, uint64_t burst, uint64_t total)
{
    uint64_t seed = burst;
    begin(total, thieves);
    while (world.pushed < world.total) {
        uint64_t count = 1 + draw(&seed, burst);
        for (uint64_t i = 0; i < count && world.pushed < world.total; i++)
            push();
        while (take())
            ;
    }
    end();
}

static void the_last_item_goes_to_one_of_two(void)
{
    keep_it_short(1, 1, 1000000 * stress_factor);
}

static void the_last_but_one_too(void)
{
    keep_it_short(1, 2, 1000000 * stress_factor);
}

static void a_few_items_go_to_one_of_many(void)
{
    keep_it_short(most_thieves, 4, 500000 * stress_factor);
}

static void every_item_is_taken_once_at_any_length(void)
{
    uint64_t seed = 1;
    begin(1000000 * stress_factor, most_thieves);
    while (world.pushed < world.total) {
        uint64_t count = draw(&seed, 64);
        for (uint64_t i = 0; i < count && world.pushed < world.total; i++)
            push();
        count = draw(&seed, 64);
        while (count-- > 0 && take())
            ;
    }
    end();
}

/* From 256 slots on, again and again: thieves read old arrays while the owner fills the new one. */
static void growing_loses_nothing(void)
{
    for (unsigned long round = 0; round < 100 * stress_factor; round++) {
        uint64_t seed = round;
        begin(3000, 1 + (unsigned)(round % most_thieves));
        while (world.pushed < world.total) {
            push();
            if (draw(&seed, 16) == 0)
                take();
        }
        end();
    }
}

/* The slots are used again and again, by items that differ: an overwritten slot would show. */
static void a_slot_is_not_filled_before_it_is_read(void)
{
    begin(1000000 * stress_factor, 1);
    while (world.pushed < world.total) {
        push();
        while (world.deque.bottom - cr_load_64(&world.deque.taken) >= 255)
            cr_cpu_relax();
    }
    end();
}

/* Thieves rest until it is closed, and the owner goes on taking while they open it. */
static void every_item_is_taken_once_while_it_is_opened_and_closed(void)
{
    unsigned long opened = 0;
    begin(4000000 * stress_factor, most_thieves);
    while (world.pushed + 2 < world.total) {
        bool open = cr_deque_is_open(&world.deque);
        __atomic_store_n(&world.rest, open, __ATOMIC_RELAXED);
        push();
        if (!open)
            push();
        take();
        take();
        opened += !open && cr_deque_is_open(&world.deque);
    }
    while (world.pushed < world.total)
        push();
    __atomic_store_n(&world.rest, false, __ATOMIC_RELAXED);
    end();
    CHECK(opened > 10);
}

int main(int argc, char **argv)
{
    stress_begin(argc, argv);
    CHECK(cr_fence_threads_register());
    FACT(the_last_item_goes_to_one_of_two);
    FACT(the_last_but_one_too);
    FACT(a_few_items_go_to_one_of_many);
    FACT(every_item_is_taken_once_at_any_length);
    FACT(growing_loses_nothing);
    FACT(a_slot_is_not_filled_before_it_is_read);
    FACT(every_item_is_taken_once_while_it_is_opened_and_closed);
    world.always_open = true;
    FACT(the_last_item_goes_to_one_of_two);
    FACT(a_few_items_go_to_one_of_many);
    FACT(every_item_is_taken_once_at_any_length);
    return stress_end();
}
