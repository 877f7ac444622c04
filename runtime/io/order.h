/* SPDX-License-Identifier: MIT
 *
 * order.h - sorting entries by spawn path.
 *
 * A natural merge sort: a worker's list of one phase consists of runs, rising (resumed in spawn
 * order) or falling (taken from its deque, newest first). Runs are found, falling ones reversed, and
 * neighbours merged in passes. Knuth, The Art of Computer Programming, volume 3, section 5.2.4,
 * natural two-way merge.
 *
 * Passes move no entries, only runs, which are cut where another one has its place: what each worker
 * did at a stretch stays together, so there are few. The search for the place to cut doubles its
 * steps: Bentley and Yao, "An almost optimal algorithm for unbounded searching", Information
 * Processing Letters 5 (1976). At the end every entry is copied once.
 */
#ifndef CR_IO_ORDER_H
#define CR_IO_ORDER_H

#include "runtime/task/task.h"

/* Sorted entries that lie behind each other, somewhere. */
typedef struct cr_run {
    cr_entry *at;
    size_t count;
} cr_run;

typedef struct cr_runs {
    cr_run *items;
    size_t count;
    size_t capacity;
} cr_runs;

/* What is being sorted, and memory that sorts keep between calls. */
typedef struct cr_order {
    cr_runs runs;
    size_t entries; /* in all runs */
    size_t places;  /* to be added yet */
    bool unsorted;  /* there was no memory to tell runs apart */
    cr_runs spare_runs;
    size_t *sequences; /* where each begins in `runs` */
    size_t sequences_capacity;
    cr_entry *spare;
    size_t spare_capacity;
} cr_order;

/* Sorts by spawn path; entries of the same task by the address of `what` (the requests of one
 * call lie in an array). It cannot fail: without memory it takes a slower way. */
void cr_order_sort(cr_order *order, cr_entry *entries, size_t count);

/* The same for entries that lie in several places: begin (false: no memory, nothing is begun), add
 * each place (falling runs are reversed there), merge into another one with room for all. */
bool cr_order_begin(cr_order *order, size_t places);
void cr_order_add(cr_order *order, cr_entry *entries, size_t count);
void cr_order_merge(cr_order *order, cr_entry *to);

void cr_order_fini(cr_order *order);

#endif
