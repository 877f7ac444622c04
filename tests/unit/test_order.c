/* SPDX-License-Identifier: MIT
 *
 * The natural merge sort by spawn path.
 */
#include "harness.h"

#include "runtime/io/order.h"

static uint64_t state_of_random = 1;

static uint64_t next_random(void)
{
    state_of_random = state_of_random * 6364136223846793005u + 1442695040888963407u;
    return state_of_random >> 33;
}

static int compare(const void *a, const void *b)
{
    const cr_entry *x = a, *y = b;
    int order = cr_path_compare(x->parent, x->index, y->parent, y->index);
    return order != 0 ? order : x->what < y->what ? -1 : x->what > y->what;
}

static void sort_and_compare(cr_order *order, cr_entry *entries, size_t count)
{
    cr_entry *expected = malloc((count + 1) * sizeof *expected);
    memcpy(expected, entries, count * sizeof *expected);
    qsort(expected, count, sizeof *expected, compare);
    cr_order_sort(order, entries, count);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(entries[i].what, expected[i].what);
        assert_int_equal(entries[i].index, expected[i].index);
    }
    free(expected);
}

/* Cuts the entries into places, out of order, and merges these. */
static void merge_and_compare(cr_order *order, const cr_entry *entries, size_t count)
{
    enum { places = 5 };
    cr_entry *apart = malloc((count + 1) * sizeof *apart);
    cr_entry *together = malloc((count + 1) * sizeof *together);
    memcpy(apart, entries, count * sizeof *apart);
    assert_true(cr_order_begin(order, places));
    for (size_t i = 0; i < places; i++) {
        size_t place = (i * 3) % places;
        size_t begin = count * place / places, end = count * (place + 1) / places;
        cr_order_add(order, apart + begin, end - begin);
    }
    cr_order_merge(order, together);
    qsort(apart, count, sizeof *apart, compare);
    assert_memory_equal(together, apart, count * sizeof *apart);
    free(apart);
    free(together);
}

/* What workers leave who have shared a range out by halves: pieces of a rising order, each cut from
 * the end of another's. */
static void deal(cr_entry *entries, const corio_task *parent, size_t count, size_t pieces)
{
    size_t at = 0;
    for (size_t piece = 0; piece < pieces; piece++) {
        for (size_t i = piece; i < count && at < count; i += 1 + next_random() % 3, at++)
            entries[at] = (cr_entry){.what = &entries[at], .parent = parent, .index = i};
    }
    for (; at < count; at++)
        entries[at] = (cr_entry){.what = &entries[at], .parent = parent, .index = at};
}

static void runs_in_several_places_are_merged(void **state)
{
    (void)state;
    cr_order order = {0};
    corio_task root = {0};
    cr_entry entries[2000];
    for (size_t round = 0; round < 500; round++) {
        size_t count = next_random() % 2000;
        deal(entries, &root, count, 1 + next_random() % 40);
        merge_and_compare(&order, entries, count);
    }
    cr_order_fini(&order);
}

static void any_mixture_of_runs_is_sorted(void **state)
{
    (void)state;
    cr_order order = {0};
    corio_task root = {0}, left = {.parent = &root, .index = 3},
               right = {.parent = &root, .index = 9};
    corio_task *const parents[] = {&root, &left, &right};
    cr_entry entries[300];
    for (int round = 0; round < 2000; round++) {
        size_t count = (size_t)round % 300;
        int kind = round % 4;
        for (size_t i = 0; i < count; i++) {
            uint64_t index = kind == 0   ? i
                             : kind == 1 ? count - i
                             : kind == 2 ? (i * 37) % 50
                                         : next_random() % 1000;
            entries[i] = (cr_entry){.what = (void *)(uintptr_t)(count - i),
                                    .parent = parents[kind < 2 ? 0 : next_random() % 3],
                                    .index = index};
        }
        merge_and_compare(&order, entries, count);
        sort_and_compare(&order, entries, count);
    }
    cr_order_fini(&order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_mixture_of_runs_is_sorted),
        cmocka_unit_test(runs_in_several_places_are_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
