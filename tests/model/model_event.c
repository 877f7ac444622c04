/* SPDX-License-Identifier: MIT
 *
 * model_event.c - the event count: no signal between the look and the sleep is lost, and who reads
 * the new value sees what was written before.
 *
 * The file is the library's; ck_ec below it is the model's own (include/ck_ec.h).
 */
#include "runtime/base/event.c"
#include "tests/model/model.h"

static struct {
    cr_event event;
    uint32_t ready[2]; /* something to do; relaxed */
} world;

static void begin(void)
{
    memset(&world, 0, sizeof world);
    cr_event_init(&world.event);
    model_name(&world.event, sizeof world.event, "event");
    model_name(world.ready, sizeof world.ready, "ready");
}

static void signal_number(unsigned number)
{
    model_make(number);
    cr_store_32(&world.ready[number], 1);
    cr_event_signal(&world.event);
}

static void signal_0(void)
{
    signal_number(0);
}

static void signal_1(void)
{
    signal_number(1);
}

static void signal_both(void)
{
    signal_number(0);
    signal_number(1);
}

/* Looks, and sleeps if there is nothing. */
static void sleep_until(uint32_t wanted)
{
    for (;;) {
        uint32_t seen = cr_event_value(&world.event);
        if (cr_load_32(&world.ready[0]) + cr_load_32(&world.ready[1]) == wanted)
            return;
        cr_event_wait(&world.event, seen, CR_NEVER);
    }
}

static void wait_for_one(void)
{
    sleep_until(1);
}

static void wait_for_two(void)
{
    sleep_until(2);
}

/* The value alone tells. */
static void wait_for_value(void)
{
    while (cr_event_value(&world.event) == 0)
        cr_event_wait(&world.event, 0, CR_NEVER);
    model_take(0);
}

static void wait_for_value_two(void)
{
    uint32_t seen;
    while ((seen = cr_event_value(&world.event)) != 2)
        cr_event_wait(&world.event, seen, CR_NEVER);
    model_take(0);
    model_take(1);
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"a_signal_wakes", begin, {wait_for_one, signal_0}, NULL, NULL},
        {"two_signals_wake", begin, {wait_for_two, signal_0, signal_1}, NULL, NULL},
        {"a_signal_wakes_all", begin, {wait_for_one, wait_for_one, signal_0}, NULL, NULL},
        {"a_thread_signals_twice", begin, {wait_for_two, wait_for_two, signal_both}, NULL, NULL},
        {"what_was_written_is_seen",
         begin,
         {wait_for_value, signal_0},
         model_check_all_taken,
         NULL},
        {"what_two_wrote_is_seen",
         begin,
         {wait_for_value_two, signal_0, signal_1},
         model_check_all_taken,
         NULL},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 10000);
}
