/* SPDX-License-Identifier: MIT */
#include "runtime/io/order.h"

#include "runtime/base/alloc.h"

#include <stdlib.h>
#include <string.h>

static int compare(const cr_entry *a, const cr_entry *b)
{
    int order = cr_path_compare(a->parent, a->index, b->parent, b->index);
    if (order != 0)
        return order;
    return a->what < b->what ? -1 : a->what > b->what;
}

static int compare_void(const void *a, const void *b)
{
    return compare(a, b);
}

/* End of the run that begins at `begin`; a falling run is turned round. */
static size_t next_run(cr_entry *entries, size_t begin, size_t count)
{
    size_t end = begin + 1;
    if (end == count)
        return end;
    if (compare(&entries[begin], &entries[end]) <= 0) {
        while (end < count && compare(&entries[end - 1], &entries[end]) <= 0)
            end++;
        return end;
    }
    while (end < count && compare(&entries[end - 1], &entries[end]) > 0)
        end++;
    for (size_t low = begin, high = end - 1; low < high; low++, high--) {
        cr_entry moved = entries[low];
        entries[low] = entries[high];
        entries[high] = moved;
    }
    return end;
}

/* Merges [0, middle) and [middle, end) of `from` into `to`. */
static void merge(const cr_entry *from, size_t middle, size_t end, cr_entry *to)
{
    size_t left = 0, right = middle;
    while (left < middle && right < end)
        *to++ = compare(&from[left], &from[right]) <= 0 ? from[left++] : from[right++];
    memcpy(to, from + left, (middle - left) * sizeof *to);
    to += middle - left;
    memcpy(to, from + right, (end - right) * sizeof *to);
}

/* Merges neighbouring runs of `from` into `to`; returns how many runs are left. runs[i] is where
 * run i begins, with runs[count_runs] the end of all. */
static size_t merge_pass(const cr_entry *from, cr_entry *to, size_t *runs, size_t count_runs)
{
    size_t left = 0;
    for (size_t run = 0; run < count_runs; run += 2) {
        size_t begin = runs[run];
        size_t middle = runs[run + 1];
        size_t end = run + 2 <= count_runs ? runs[run + 2] : middle;
        merge(from + begin, middle - begin, end - begin, to + begin);
        runs[left++] = begin;
    }
    runs[left] = runs[count_runs];
    return left;
}

void cr_order_sort(cr_order *order, cr_entry *entries, size_t count)
{
    size_t run_count = 0;
    for (size_t at = 0; at < count; at = next_run(entries, at, count)) {
        if (!cr_grow((void **)&order->runs, &order->runs_capacity, run_count + 3, sizeof(size_t))) {
            qsort(entries, count, sizeof *entries, compare_void);
            return;
        }
        order->runs[run_count++] = at;
    }
    if (run_count <= 1)
        return;
    if (!cr_grow((void **)&order->spare, &order->spare_capacity, count, sizeof *entries)) {
        qsort(entries, count, sizeof *entries, compare_void);
        return;
    }
    order->runs[run_count] = count;
    cr_entry *from = entries, *to = order->spare;
    while (run_count > 1) {
        run_count = merge_pass(from, to, order->runs, run_count);
        cr_entry *done = to;
        to = from;
        from = done;
    }
    if (from != entries)
        memcpy(entries, from, count * sizeof *entries);
}

void cr_order_fini(cr_order *order)
{
    cr_free(order->spare);
    cr_free(order->runs);
    *order = (cr_order){0};
}
