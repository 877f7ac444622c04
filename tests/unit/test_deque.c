/* SPDX-License-Identifier: MIT
 *
 * The deque, one thread: order, growth, what a failed take leaves behind. (Threads: tests/stress.)
 */
#include "harness.h"

#include "runtime/sched/deque.h"

static cr_item item_of(uint64_t number)
{
    cr_item item = {.index_bytes = number};
    for (int i = 0; i < 4; i++)
        item.copy[i] = number * 10 + (uint64_t)i;
    return item;
}

static void assert_item(const cr_item *item, uint64_t number)
{
    cr_item expected = item_of(number);
    assert_memory_equal(item, &expected, sizeof expected);
}

static void push(cr_deque *deque, uint64_t number)
{
    cr_item item = item_of(number);
    assert_true(cr_deque_push_owner(deque, &item));
}

static void owner_takes_newest_and_thief_oldest(void **state)
{
    (void)state;
    cr_deque deque;
    cr_item stolen;
    assert_int_equal(cr_deque_init(&deque, false), 0);
    for (uint64_t i = 0; i < 6; i++)
        push(&deque, i);
    assert_item(cr_deque_peek_owner(&deque), 5);
    assert_item(cr_deque_take_owner(&deque), 5);
    assert_int_equal(cr_deque_steal_any(&deque, &stolen, NULL), 1);
    assert_item(&stolen, 0);
    assert_int_equal(cr_deque_steal_any(&deque, &stolen, NULL), 1);
    assert_item(&stolen, 1);
    assert_item(cr_deque_take_owner(&deque), 4);
    assert_item(cr_deque_take_owner(&deque), 3);
    assert_true(cr_deque_maybe_any(&deque));
    assert_item(cr_deque_take_owner(&deque), 2); /* the last one */
    assert_null(cr_deque_take_owner(&deque));
    assert_null(cr_deque_peek_owner(&deque));
    assert_false(cr_deque_maybe_any(&deque));
    assert_int_equal(cr_deque_steal_any(&deque, &stolen, NULL), 0);
    push(&deque, 7);
    assert_int_equal(cr_deque_steal_any(&deque, &stolen, NULL), 1);
    assert_item(&stolen, 7);
    assert_null(cr_deque_take_owner(&deque));
    cr_deque_fini(&deque);
}

static void growing_keeps_every_item(void **state)
{
    (void)state;
    cr_deque deque;
    cr_item stolen;
    assert_int_equal(cr_deque_init(&deque, false), 0);
    uint64_t pushed = 0, oldest = 0;
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 1000; i++)
            push(&deque, pushed++);
        for (int i = 0; i < 300; i++) {
            assert_int_equal(cr_deque_steal_any(&deque, &stolen, NULL), 1);
            assert_item(&stolen, oldest++);
        }
    }
    cr_deque_free_retired(&deque);
    while (pushed > oldest)
        assert_item(cr_deque_take_owner(&deque), --pushed);
    assert_null(cr_deque_take_owner(&deque));
    cr_deque_fini(&deque);
}

static void thief_takes_a_share_of_a_long_deque(void **state)
{
    (void)state;
    cr_deque deque, own;
    cr_item stolen;
    assert_int_equal(cr_deque_init(&deque, false), 0);
    assert_int_equal(cr_deque_init(&own, false), 0);
    uint64_t pushed = 0, oldest = 0;
    while (pushed < 8)
        push(&deque, pushed++);
    assert_int_equal(cr_deque_steal_any(&deque, &stolen, &own), 1);
    assert_item(&stolen, oldest++);
    assert_true(cr_deque_is_empty_owner(&own));
    while (pushed < 100000)
        push(&deque, pushed++);
    for (int round = 0; round < 10; round++) { /* around the thief's array */
        assert_int_equal(cr_deque_steal_any(&deque, &stolen, &own), CR_STEAL_MOST);
        assert_item(&stolen, oldest);
        for (uint64_t i = CR_STEAL_MOST - 1; i > 0; i--)
            assert_item(cr_deque_take_owner(&own), oldest + i);
        assert_null(cr_deque_take_owner(&own));
        oldest += CR_STEAL_MOST;
    }
    while (pushed > oldest)
        assert_item(cr_deque_take_owner(&deque), --pushed);
    assert_null(cr_deque_take_owner(&deque));
    cr_deque_fini(&deque);
    cr_deque_fini(&own);
}

static void owner_takes_oldest_of_a_queue(void **state)
{
    (void)state;
    cr_deque deque;
    cr_item item;
    assert_int_equal(cr_deque_init(&deque, false), 0);
    assert_false(cr_deque_take_oldest_owner(&deque, &item));
    uint64_t pushed = 0, oldest = 0;
    for (int round = 0; round < 1000; round++) { /* around the array; it need not grow */
        push(&deque, pushed++);
        push(&deque, pushed++);
        assert_true(cr_deque_take_oldest_owner(&deque, &item));
        assert_item(&item, oldest++);
        assert_true(cr_deque_take_oldest_owner(&deque, &item));
        assert_item(&item, oldest++);
        assert_false(cr_deque_take_oldest_owner(&deque, &item));
    }
    assert_null(cr_deque_array_owner(&deque)->retired);
    cr_deque_fini(&deque);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owner_takes_newest_and_thief_oldest),
        cmocka_unit_test(growing_keeps_every_item),
        cmocka_unit_test(thief_takes_a_share_of_a_long_deque),
        cmocka_unit_test(owner_takes_oldest_of_a_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
