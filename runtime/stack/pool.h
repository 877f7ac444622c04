/* SPDX-License-Identifier: MIT
 *
 * pool.h - the stacks of a runtime: one reservation of address space, cut into slots.
 *
 *     slot:   | guard page | stack_bytes of stack, growing down      | cr_stack | colour |
 *             low address                                                        high address
 *
 * - Address space is reserved once; pages are paid for when touched. Slots are made readable in
 *   chunks, in order.
 * - A slot is a page longer than stack_bytes: were the distance a power of two, the tops of all
 *   stacks would fall into a sixteenth of the TLB's sets. The colour (0 to 31 cache lines) does the
 *   same for the sets of the caches. Neighbours differ by one: as many stacks as a worker takes at once
 *   have the same distance, which the processor can predict.
 * - The head, cr_stack, lives at the stack's top, on the page that is touched anyway.
 * - A free stack is a parked base loop: `base` is its context, so that taking it is one jump. A
 *   trimmed one is zero again.
 *
 * Who may touch what: a cache is its worker's (between runs and at a boundary: the leader's). The
 * pool's shared part is under `lock`. Stacks in use belong to the worker that runs on them, or to
 * whom their park record was handed.
 */
#ifndef CR_STACK_POOL_H
#define CR_STACK_POOL_H

#include "runtime/base/context.h"
#include "runtime/base/sanitizer.h"

#include <corio/runtime.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cr_park;

enum { CR_STACK_CACHE = 64, CR_STACK_COLOURS = 32, CR_STACK_KEEP = 256 };

typedef struct cr_stack {
    char *low; /* lowest byte that may be used */
    /* What was suspended here last, other than for I/O: at a deadlock, what is. */
    struct cr_park *park;
    /* Free: the parked base loop; NULL: never entered since it was mapped or trimmed. */
    cr_context base;
    uint32_t slot;
    uint32_t in_use;
    void *fiber; /* ThreadSanitizer's; NULL: none yet */
#if CR_VALGRIND
    unsigned valgrind; /* its number there */
#endif
} cr_stack;

typedef struct cr_stack_cache {
    cr_stack *stacks[CR_STACK_CACHE];
    unsigned count;
} cr_stack_cache;

typedef struct cr_stack_pool {
    char *memory;
    size_t page_bytes;
    size_t stack_bytes;
    size_t slot_bytes;
    size_t max_stacks;
    const char *(*task_name)(void); /* what the calling thread runs, or NULL; async-signal-safe */
    unsigned cache_batch;           /* stacks moved between a cache and the pool at once */
    corio_guard_kind guard;         /* for the next slot */

    pthread_mutex_t lock;
    uint32_t *free_slots; /* has room for every slot made so far */
    size_t free_capacity;
    size_t free_count;
    size_t made;     /* slots 0 to made - 1 have a guard, if there are any */
    size_t touched;  /* slots below this have their head; the others are zero */
    size_t readable; /* slots below this are readable and writable */
    size_t unguarded;
    size_t high_water;    /* most slots out of free_slots at once */
    size_t run_peak;      /* the same, since cr_stack_pool_new_run */
    size_t deepest_bytes; /* remembered when stacks are trimmed */
} cr_stack_pool;

/* stack_bytes: a power of two. Reserves max_stacks slots; with max_stacks 0 as many of 4,194,304
 * as it can get. Errors: -ENOMEM. */
int cr_stack_pool_init(cr_stack_pool *pool, size_t stack_bytes, size_t max_stacks,
                       unsigned workers);
void cr_stack_pool_fini(cr_stack_pool *pool);

/* NULL: max_stacks reached or no memory. Owner of the cache only. */
cr_stack *cr_stack_take(cr_stack_pool *pool, cr_stack_cache *cache);
void cr_stack_give(cr_stack_pool *pool, cr_stack_cache *cache, cr_stack *stack);

/* Moves all of a cache to the shared part. */
void cr_stack_cache_flush(cr_stack_pool *pool, cr_stack_cache *cache);

/* How many stacks could still be taken (caches left out). */
size_t cr_stack_pool_available(cr_stack_pool *pool);

/* Gives the pages of all but `keep` stacks back (CR_STACK_KEEP at least). No stack may be in use
 * or in a cache. */
void cr_stack_pool_trim(cr_stack_pool *pool, size_t keep);
void cr_stack_pool_new_run(cr_stack_pool *pool);

/* Calls visit for every stack in use whose park record is set. Only at quiescence. */
void cr_stack_pool_each_parked(cr_stack_pool *pool, void (*visit)(void *arg, cr_stack *stack),
                               void *arg);

/* For a debugger that is to write a core file, and cannot read guard pages: takes away the guards that
 * MADV_GUARD_INSTALL made, or installs them again. Called by nobody else, while all threads are
 * stopped. */
void cr_stack_pool_guards(cr_stack_pool *pool, bool install);

/* Deepest use of a stack, in whole pages, over at most 1,024 slots. */
size_t cr_stack_pool_deepest(cr_stack_pool *pool);

/* Top of the usable part: where the first frame goes. */
static inline void *cr_stack_top(cr_stack *stack)
{
    return stack;
}

/* Fetches ahead what is at the top: the head, and the base loop's frame and a task's first ones. (Inlined in any case: gcc
 * leaves out a call that does nothing but fetch.) */
static inline __attribute__((always_inline)) void cr_stack_fetch(const cr_stack *stack)
{
    enum { lines = 10, line = 64 };
    for (int i = 0; i < lines; i++)
        __builtin_prefetch((const char *)stack - (ptrdiff_t)(i * line), 1);
}

static inline size_t cr_stack_bytes(const cr_stack *stack)
{
    return (size_t)((const char *)stack - stack->low);
}

#endif
