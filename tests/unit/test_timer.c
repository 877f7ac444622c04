/* SPDX-License-Identifier: MIT
 *
 * The heap of timers: order, and taking out from anywhere.
 */
#include "harness.h"

#include "runtime/base/clock.h"
#include "runtime/base/timer.h"

enum { count = 500 };

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    return x ^ (x >> 27);
}

static void timers_are_due_in_order_whatever_is_disarmed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        cr_timers timers;
        static cr_timer all[count];
        memset(all, 0, sizeof all);
        cr_timers_init(&timers);
        assert_true(cr_timers_next(&timers) == CR_NEVER);
        for (uint64_t i = 0; i < count; i++)
            assert_int_equal(cr_timers_arm(&timers, &all[i], mix(seed * count + i) % 100), 0);
        size_t left = count;
        for (uint64_t i = 0; i < count; i++) {
            if (mix(i + seed) % 3 != 0)
                continue;
            cr_timers_disarm(&timers, &all[i]);
            cr_timers_disarm(&timers, &all[i]); /* not armed: ignored */
            left--;
        }
        uint64_t last_due = 0, last_order = 0;
        for (cr_timer *timer; (timer = cr_timers_take_due(&timers, 99)) != NULL; left--) {
            assert_true(timer->due_ns > last_due ||
                        (timer->due_ns == last_due && timer->order >= last_order));
            last_due = timer->due_ns;
            last_order = timer->order;
            assert_int_equal(timer->at, 0);
        }
        assert_int_equal(left, 0);
        cr_timers_fini(&timers);
    }
}

static void timer_is_not_due_before_its_time(void **state)
{
    (void)state;
    cr_timers timers;
    cr_timer timer = {.at = 0};
    cr_timers_init(&timers);
    assert_int_equal(cr_timers_arm(&timers, &timer, 50), 0);
    assert_null(cr_timers_take_due(&timers, 49));
    assert_int_equal(cr_timers_next(&timers), 50);
    assert_ptr_equal(cr_timers_take_due(&timers, 50), &timer);
    cr_timers_fini(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_are_due_in_order_whatever_is_disarmed),
        cmocka_unit_test(timer_is_not_due_before_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
