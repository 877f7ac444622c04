/* SPDX-License-Identifier: MIT
 *
 * parallel.c - loops over ranges, by recursive halving.
 *
 *     caller --> [0, 50) --> [0, 20) --> [0, 10)    a task each; leaves call the user's function
 *                        \          \-> [10, 20)
 *                         \-> [20, 50) ...
 *
 * Both halves are spawned, the left one first: spawn order is the order of the range. The waiter
 * takes the right half, thieves find the left one, the largest there is. The tree hangs on a scope
 * of its own in the caller's frame, so that the caller's children are not waited for; a task of its
 * own stands at the top, so that the user's functions, which may leave by corio_fail, never run in
 * the caller. What a node needs, its value too, lives in its frame, which stays until its children
 * are complete.
 */
#include "runtime/sched/sched.h"

#include "runtime/base/alloc.h"

#include <corio/parallel.h>
#include <errno.h>

enum { most_chunks = 1024, most_frame_bytes = 128 };

static uint64_t grain_for(uint64_t begin, uint64_t end, uint64_t grain)
{
    return grain != 0 ? grain : (end - begin - 1) / most_chunks + 1;
}

/* Where to halve the range: between chunks. `end`: it is a single one. */
static uint64_t split(uint64_t begin, uint64_t end, uint64_t grain)
{
    uint64_t chunks = (end - begin - 1) / grain + 1;
    return chunks > 1 ? begin + chunks / 2 * grain : end;
}

/* Runs a tree from its top. part: copied. */
static int run_tree(const char *name, corio_task_fn *fn, const void *part, size_t bytes)
{
    corio_task *task = corio_self();
    corio_group top = {.next = NULL};
    cr_scope_init(&top.scope, task, 0);
    int rc = corio_group_go_copy_named(&top, name, fn, part, bytes);
    return rc == 0 ? cr_scope_wait(cr_worker_self(), task, &top.scope) : rc;
}

/* Runs both halves below the calling task. */
static int run_halves(const char *name, corio_task_fn *fn, const void *left, const void *right,
                      size_t bytes)
{
    int rc = corio_go_copy_named(name, fn, left, bytes);
    if (rc == 0)
        rc = corio_go_copy_named(name, fn, right, bytes);
    int first = corio_wait();
    return first != 0 ? first : rc;
}

/* -- For -- */

typedef struct loop {
    const char *name;
    uint64_t grain;
    corio_range_fn *fn;
    void *arg;
} loop;

typedef struct loop_part {
    const loop *all;
    uint64_t begin;
    uint64_t end;
} loop_part;

static int run_loop(void *arg)
{
    const loop_part *mine = arg;
    const loop *all = mine->all;
    uint64_t middle = split(mine->begin, mine->end, all->grain);
    if (middle == mine->end)
        return all->fn(mine->begin, mine->end, all->arg);
    loop_part left = {all, mine->begin, middle};
    loop_part right = {all, middle, mine->end};
    return run_halves(all->name, run_loop, &left, &right, sizeof left);
}

int corio_parallel_for_named(const char *name, uint64_t begin, uint64_t end, uint64_t grain,
                             corio_range_fn *fn, void *arg)
{
    if (corio_self() == NULL)
        return -EPERM;
    if (name == NULL || begin > end || fn == NULL)
        return -EINVAL;
    if (begin == end)
        return 0;
    loop all = {name, grain_for(begin, end, grain), fn, arg};
    loop_part top = {&all, begin, end};
    return run_tree(name, run_loop, &top, sizeof top);
}

/* -- Reduce -- */

typedef struct reduction {
    const char *name;
    uint64_t grain;
    corio_map_fn *map;
    corio_combine_fn *combine;
    void *arg;
    size_t value_bytes;
} reduction;

typedef struct reduction_part {
    const reduction *all;
    uint64_t begin;
    uint64_t end;
    void *value;
} reduction_part;

typedef struct pair {
    const reduction_part *whole;
    uint64_t middle;
    void *next; /* room for the right half's value */
} pair;

static int reduce_part(void *arg);

static int reduce_halves(void *arg)
{
    const pair *what = arg;
    const reduction_part *whole = what->whole;
    const reduction *all = whole->all;
    reduction_part left = {all, whole->begin, what->middle, whole->value};
    reduction_part right = {all, what->middle, whole->end, what->next};
    int rc = run_halves(all->name, reduce_part, &left, &right, sizeof left);
    return rc == 0 ? all->combine(whole->value, what->next, all->arg) : rc;
}

/* The value is released also when combine leaves the task. */
static int reduce_on_heap(const reduction_part *mine, uint64_t middle)
{
    corio_task *task = corio_self();
    pair what = {mine, middle, cr_alloc(mine->all->value_bytes)};
    if (what.next == NULL)
        return -ENOMEM;
    int rc = cr_land(reduce_halves, &what);
    cr_free(what.next);
    if (task->more != NULL && task->more->leaving != NULL)
        cr_leave_again(task);
    return rc;
}

static __attribute__((noinline)) int reduce_in_frame(const reduction_part *mine, uint64_t middle)
{
    alignas(16) char next[most_frame_bytes];
    pair what = {mine, middle, next};
    return reduce_halves(&what);
}

static int reduce_part(void *arg)
{
    const reduction_part *mine = arg;
    const reduction *all = mine->all;
    uint64_t middle = split(mine->begin, mine->end, all->grain);
    if (middle == mine->end)
        return all->map(mine->begin, mine->end, all->arg, mine->value);
    return all->value_bytes <= most_frame_bytes ? reduce_in_frame(mine, middle)
                                                : reduce_on_heap(mine, middle);
}

int corio_reduce_named(const char *name, uint64_t begin, uint64_t end, uint64_t grain,
                       corio_map_fn *map, corio_combine_fn *combine, void *arg, void *value,
                       size_t value_bytes)
{
    if (corio_self() == NULL)
        return -EPERM;
    if (name == NULL || begin > end || map == NULL || combine == NULL || value == NULL)
        return -EINVAL;
    if (begin == end)
        return 0;
    reduction all = {name, grain_for(begin, end, grain), map, combine, arg, value_bytes};
    reduction_part top = {&all, begin, end, value};
    return run_tree(name, reduce_part, &top, sizeof top);
}
