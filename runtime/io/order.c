/* SPDX-License-Identifier: MIT */
#include "runtime/io/order.h"

#include "runtime/base/alloc.h"

#include <stdlib.h>
#include <string.h>

static inline __attribute__((always_inline)) int compare(const cr_entry *a, const cr_entry *b)
{
    if (CR_LIKELY(a->parent == b->parent && a->index != b->index))
        return a->index < b->index ? -1 : 1;
    int order = cr_path_compare(a->parent, a->index, b->parent, b->index);
    if (order != 0)
        return order;
    return a->what < b->what ? -1 : a->what > b->what;
}

static int compare_void(const void *a, const void *b)
{
    return compare(a, b);
}

/* -- Finding runs -- */

static void reverse(cr_entry *entries, size_t count)
{
    for (size_t low = 0, high = count - 1; low < high; low++, high--) {
        cr_entry moved = entries[low];
        entries[low] = entries[high];
        entries[high] = moved;
    }
}

/* Length of the run that the entries begin with; a falling run is turned round. */
static size_t first_run(cr_entry *entries, size_t count)
{
    size_t end = 1;
    if (end == count)
        return end;
    if (compare(&entries[0], &entries[1]) <= 0) {
        while (end < count && compare(&entries[end - 1], &entries[end]) <= 0)
            end++;
        return end;
    }
    while (end < count && compare(&entries[end - 1], &entries[end]) > 0)
        end++;
    reverse(entries, end);
    return end;
}

static bool reserve_runs(cr_runs *runs, size_t count)
{
    return cr_grow((void **)&runs->items, &runs->capacity, count, sizeof *runs->items);
}

bool cr_order_begin(cr_order *order, size_t places)
{
    order->runs.count = order->entries = 0;
    order->places = places;
    order->unsorted = false;
    return reserve_runs(&order->runs, places);
}

void cr_order_add(cr_order *order, cr_entry *entries, size_t count)
{
    cr_runs *runs = &order->runs;
    size_t to_come = --order->places; /* each has a run reserved */
    order->entries += count;
    while (count > 0) {
        size_t length = first_run(entries, count);
        if (length < count && !reserve_runs(runs, runs->count + 2 + to_come)) {
            order->unsorted = true;
            length = count;
        }
        runs->items[runs->count++] = (cr_run){entries, length};
        entries += length;
        count -= length;
    }
}

/* -- Merging -- */

/* How many entries of the run are not above `bound`; the first is not. */
static size_t count_below(const cr_run *run, const cr_entry *bound)
{
    const cr_entry *at = run->at;
    if (compare(&at[run->count - 1], bound) <= 0)
        return run->count;
    size_t low = 0, high = 1; /* low is not above, high may be */
    while (high < run->count && compare(&at[high], bound) <= 0) {
        low = high;
        high *= 2;
    }
    if (high > run->count)
        high = run->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (compare(&at[middle], bound) <= 0)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* Moves what comes before `bound` from the first run of a sequence; returns where that begins now. */
static cr_run *take_below(cr_run *from, const cr_entry *bound, cr_run *to)
{
    size_t count = count_below(from, bound);
    *to = (cr_run){from->at, count};
    from->at += count;
    from->count -= count;
    return from->count == 0 ? from + 1 : from;
}

/* Merges two sequences, [left, middle) and [middle, end), into `to`; returns its end. */
static cr_run *merge_two(cr_run *left, cr_run *middle, const cr_run *end, cr_run *to)
{
    cr_run *right = middle;
    while (left < middle && right < end) {
        if (compare(left->at, right->at) <= 0)
            left = take_below(left, right->at, to++);
        else
            right = take_below(right, left->at, to++);
    }
    while (left < middle)
        *to++ = *left++;
    while (right < end)
        *to++ = *right++;
    return to;
}

/* Merges neighbouring sequences, of which there are `count`; returns how many are left. */
static size_t merge_pass(cr_order *order, size_t count)
{
    cr_run *from = order->runs.items, *to = order->spare_runs.items;
    size_t *sequences = order->sequences, left = 0;
    for (size_t i = 0; i < count; i += 2) {
        size_t begin = sequences[i], middle = sequences[i + 1];
        size_t end = i + 2 <= count ? sequences[i + 2] : middle;
        sequences[left++] = (size_t)(to - order->spare_runs.items);
        to = merge_two(from + begin, from + middle, from + end, to);
    }
    order->spare_runs.count = (size_t)(to - order->spare_runs.items);
    sequences[left] = order->spare_runs.count;
    cr_runs merged = order->spare_runs;
    order->spare_runs = order->runs;
    order->runs = merged;
    return left;
}

/* Every run may be cut down to single entries. */
static bool reserve_passes(cr_order *order)
{
    return reserve_runs(&order->runs, order->entries) &&
           reserve_runs(&order->spare_runs, order->entries) &&
           cr_grow((void **)&order->sequences, &order->sequences_capacity, order->runs.count + 1,
                   sizeof *order->sequences);
}

static void copy_runs(const cr_order *order, cr_entry *to)
{
    for (size_t i = 0; i < order->runs.count; i++) {
        const cr_run *run = &order->runs.items[i];
        memcpy(to, run->at, run->count * sizeof *to);
        to += run->count;
    }
}

void cr_order_merge(cr_order *order, cr_entry *to)
{
    size_t count = order->runs.count;
    if (order->unsorted || (count > 1 && !reserve_passes(order))) {
        copy_runs(order, to);
        qsort(to, order->entries, sizeof *to, compare_void);
        return;
    }
    if (count > 1) {
        for (size_t i = 0; i <= count; i++)
            order->sequences[i] = i;
    }
    while (count > 1)
        count = merge_pass(order, count);
    copy_runs(order, to);
}

void cr_order_sort(cr_order *order, cr_entry *entries, size_t count)
{
    bool begun = cr_order_begin(order, 1);
    if (begun)
        cr_order_add(order, entries, count);
    if (begun && order->runs.count <= 1 && !order->unsorted)
        return;
    if (!begun ||
        !cr_grow((void **)&order->spare, &order->spare_capacity, count, sizeof *entries)) {
        qsort(entries, count, sizeof *entries, compare_void);
        return;
    }
    cr_order_merge(order, order->spare);
    memcpy(entries, order->spare, count * sizeof *entries);
}

void cr_order_fini(cr_order *order)
{
    cr_free(order->spare);
    cr_free(order->sequences);
    cr_free(order->runs.items);
    cr_free(order->spare_runs.items);
    *order = (cr_order){0};
}
