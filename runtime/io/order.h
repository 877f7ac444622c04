/* SPDX-License-Identifier: MIT
 *
 * order.h - sorting entries by spawn path.
 *
 * A natural merge sort: a worker's list of one phase consists of long runs, rising (resumed in
 * spawn order) or falling (taken from its deque, newest first). Runs are found, falling ones
 * reversed, and neighbours merged in passes. Knuth, The Art of Computer Programming, volume 3,
 * section 5.2.4, natural two-way merge.
 */
#ifndef CR_IO_ORDER_H
#define CR_IO_ORDER_H

#include "runtime/task/task.h"

/* Memory that sorts keep between calls. */
typedef struct cr_order {
    cr_entry *spare;
    size_t spare_capacity;
    size_t *runs;
    size_t runs_capacity;
} cr_order;

/* Sorts by spawn path; entries of the same task by the address of `what` (the requests of one
 * call lie in an array). It cannot fail: without memory it takes a slower way. */
void cr_order_sort(cr_order *order, cr_entry *entries, size_t count);
void cr_order_fini(cr_order *order);

#endif
