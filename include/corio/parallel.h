/* SPDX-License-Identifier: MIT
 *
 * parallel.h - a loop over a range of numbers, by tasks; and a result from it.
 *
 * The range is cut into chunks of `grain` numbers (the last may be shorter), and halved, chunk by
 * chunk, into a tree of tasks. Its shape is a matter of the range and the grain only:
 *
 *                  [0, 50) in grains of 10
 *               [0, 20)              [20, 50)
 *          [0, 10) [10, 20)   [20, 30)    [30, 50)
 *                                     [30, 40) [40, 50)
 *
 * So corio_reduce combines the same values in the same order whatever the number of workers:
 * floating point results are the same, bit for bit. Requests are in the order of the range in their
 * batch.
 */
#ifndef CORIO_PARALLEL_H
#define CORIO_PARALLEL_H

#include <corio/task.h>

CORIO_BEGIN_DECLS

/* Does the numbers begin to end - 1. Returns 0 or a negative code. */
typedef int corio_range_fn(uint64_t begin, uint64_t end, void *arg);
/* The same, and writes their value. */
typedef int corio_map_fn(uint64_t begin, uint64_t end, void *arg, void *value);
/* Makes *into the value of what it stands for and of what *next stands for, which comes right
 * behind it in the range. Returns 0 or a negative code. */
typedef int corio_combine_fn(void *into, const void *next, void *arg);

/* corio_parallel_for: calls fn(from, to, arg) for each chunk of the range, in tasks below the
 * calling task, and waits for them. fn may do whatever a task may: ask for I/O, wait, spawn (its
 * children are waited for). Chunks that wait keep a stack each: for very many that do, see
 * corio_set_window.
 *
 * begin, end: the numbers begin to end - 1; none if they are equal. grain: numbers per chunk; 0:
 * chosen by the range's length, for at most 1,024 chunks. arg: borrowed for the call. name: of the
 * tasks; borrowed for good (the macro gives the function's name). Returns 0, or the first error, as
 * corio_wait does: it cancels the others. Suspends: maybe. Thread: a task only. Cancelled: the
 * tasks are, so it returns soon. Errors: -EPERM not called from a task; -EINVAL begin lies behind
 * end, no function; -ENOMEM; -ECANCELED; else fn's. */
CORIO_API int corio_parallel_for_named(const char *name, uint64_t begin, uint64_t end,
                                       uint64_t grain, corio_range_fn *fn, void *arg);
#define corio_parallel_for(begin, end, grain, fn, arg)                                             \
    corio_parallel_for_named(#fn, (begin), (end), (grain), (fn), (arg))

/* corio_reduce: calls map(from, to, arg, &part) for each chunk, and combine(&part, &next, arg) for
 * neighbours, up the tree: each value is combined with the one right behind it, always the same
 * two. combine need be associative only as far as the result is to be independent of the grain.
 *
 * value: value_bytes bytes, written on success, and with anything on errors; an empty range leaves
 * it as it is. Aligned for any type up to 16 bytes are the values that map and combine get. Values
 * of up to 128 bytes live in the tasks' frames, larger ones are allocated. The rest is as with
 * corio_parallel_for. Errors: as corio_parallel_for; -EINVAL no value; else map's and combine's. */
CORIO_API int corio_reduce_named(const char *name, uint64_t begin, uint64_t end, uint64_t grain,
                                 corio_map_fn *map, corio_combine_fn *combine, void *arg,
                                 void *value, size_t value_bytes);
#define corio_reduce(begin, end, grain, map, combine, arg, value, value_bytes)                     \
    corio_reduce_named(#map, (begin), (end), (grain), (map), (combine), (arg), (value),            \
                       (value_bytes))

CORIO_END_DECLS

#endif
