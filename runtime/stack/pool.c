/* SPDX-License-Identifier: MIT */
#include "runtime/stack/pool.h"

#include "runtime/base/alloc.h"
#include "runtime/base/panic.h"
#include "runtime/stack/guard.h"
#include "runtime/stack/overflow.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    cache_line = 64,
    smallest_reservation = 64,
    chunk_slots = 64,
    most_inspected = 1024,
};

static size_t default_max_stacks(void)
{
    /* ThreadSanitizer leaves less address space to the program. */
    return cr_sanitized_thread() ? 1 << 17 : 4 << 20;
}

static char *slot_memory(const cr_stack_pool *pool, size_t slot)
{
    return pool->memory + slot * pool->slot_bytes;
}

static cr_stack *slot_stack(const cr_stack_pool *pool, size_t slot)
{
    char *end = slot_memory(pool, slot) + pool->slot_bytes;
    size_t head = (sizeof(cr_stack) + cache_line - 1) & ~(size_t)(cache_line - 1);
    return (cr_stack *)(end - (slot % CR_STACK_COLOURS) * cache_line - head);
}

/* Makes memory of the reservation readable and writable, and part of core files. */
static bool open_up(char *from, size_t bytes)
{
    if (mprotect(from, bytes, PROT_READ | PROT_WRITE) != 0)
        return false;
    (void)madvise(from, bytes, MADV_DODUMP);
    return true;
}

static char *reserve(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

int cr_stack_pool_init(cr_stack_pool *pool, size_t stack_bytes, size_t max_stacks, unsigned workers)
{
    memset(pool, 0, sizeof *pool);
    pool->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    pool->stack_bytes = stack_bytes;
    pool->slot_bytes = stack_bytes + pool->page_bytes;
    pool->max_stacks = max_stacks ? max_stacks : default_max_stacks();
    if (pool->max_stacks > SIZE_MAX / pool->slot_bytes)
        return -ENOMEM;
    while ((pool->memory = reserve(pool->max_stacks * pool->slot_bytes)) == NULL) {
        if (max_stacks != 0 || pool->max_stacks <= smallest_reservation)
            return -ENOMEM;
        pool->max_stacks /= 2;
    }
    /* A huge page would back 32 stacks that touch a page each. Refused where huge pages are not
     * built in: fine too. */
    (void)madvise(pool->memory, pool->max_stacks * pool->slot_bytes, MADV_NOHUGEPAGE);
    /* Some debuggers would write all of it to a core file. */
    (void)madvise(pool->memory, pool->max_stacks * pool->slot_bytes, MADV_DONTDUMP);
    size_t fair = pool->max_stacks / (4 * (size_t)workers);
    pool->cache_batch = fair < 1                    ? 1
                        : fair > CR_STACK_CACHE / 2 ? CR_STACK_CACHE / 2
                                                    : (unsigned)fair;
    pool->guard = cr_guard_probe(pool->page_bytes);
    pthread_mutex_init(&pool->lock, NULL);
    cr_overflow_watch(pool);
    return 0;
}

/* What a tool keeps of a stack is its own memory: released before the head that names it goes. */
static void forget_stack(cr_stack *stack)
{
#if CR_VALGRIND
    if (stack->low != NULL)
        VALGRIND_STACK_DEREGISTER(stack->valgrind);
#endif
    if (stack->fiber != NULL)
        __tsan_destroy_fiber(stack->fiber);
    stack->fiber = NULL;
}

void cr_stack_pool_fini(cr_stack_pool *pool)
{
    if (pool->memory == NULL)
        return;
    cr_overflow_unwatch(pool);
    for (size_t slot = 0; cr_tool_keeps_stacks() && slot < pool->made; slot++)
        forget_stack(slot_stack(pool, slot));
    /* What frames left behind in the shadow would meet whoever gets this address next. */
    if (cr_sanitized_address())
        __asan_unpoison_memory_region(pool->memory, pool->made * pool->slot_bytes);
    munmap(pool->memory, pool->max_stacks * pool->slot_bytes);
    cr_free(pool->free_slots);
    pthread_mutex_destroy(&pool->lock);
    pool->memory = NULL;
}

/* The process has as many mappings as it may. The last guards go, so that it has some left for the heap
 * and whatever it maps; and the rest of the reservation becomes like what is in use, but for its
 * protection, so that from here on the last mapping only grows. */
static void stop_guarding_locked(cr_stack_pool *pool)
{
    enum { spared = 64 };
    pool->guard = CORIO_GUARD_NONE;
    size_t slot = pool->readable;
    for (unsigned i = 0; i < spared && slot-- > 0; i++) {
        if (open_up(slot_memory(pool, slot), pool->page_bytes))
            pool->unguarded++;
    }
    (void)madvise(slot_memory(pool, pool->readable),
                  (pool->max_stacks - pool->readable) * pool->slot_bytes, MADV_DODUMP);
}

/* Makes slots readable up to and including `slot`. */
static bool make_readable_locked(cr_stack_pool *pool, size_t slot)
{
    if (slot < pool->readable)
        return true;
    size_t chunk = pool->guard == CORIO_GUARD_MPROTECT ? 1 : chunk_slots;
    if (chunk > pool->max_stacks - pool->readable)
        chunk = pool->max_stacks - pool->readable;
    char *from = slot_memory(pool, pool->readable);
    if (pool->guard == CORIO_GUARD_MPROTECT) {
        /* All but the guard page: this splits a mapping, and fails when there are too many. */
        if (open_up(from + pool->page_bytes, pool->stack_bytes)) {
            pool->readable += 1;
            return true;
        }
        stop_guarding_locked(pool);
    }
    if (!open_up(from, chunk * pool->slot_bytes))
        return false;
    pool->readable += chunk;
    return true;
}

static void set_up(cr_stack_pool *pool, size_t slot)
{
    cr_stack *stack = slot_stack(pool, slot);
    memset(stack, 0, sizeof *stack);
    stack->slot = (uint32_t)slot;
    stack->low = slot_memory(pool, slot) + pool->page_bytes;
    if (cr_sanitized_address())
        __asan_unpoison_memory_region(stack->low, cr_stack_bytes(stack));
#if CR_VALGRIND
    stack->valgrind = VALGRIND_STACK_REGISTER(stack->low, cr_stack_top(stack));
#endif
}

static bool make_slot_locked(cr_stack_pool *pool, uint32_t *ret_slot)
{
    size_t slot = pool->made;
    if (slot == pool->max_stacks)
        return false;
    /* Room to give the slot back later: giving back must not fail. */
    if (!cr_grow((void **)&pool->free_slots, &pool->free_capacity, slot + 1, sizeof(uint32_t)))
        return false;
    if (!make_readable_locked(pool, slot))
        return false;
    if (pool->guard == CORIO_GUARD_MADVISE &&
        !cr_guard_install(slot_memory(pool, slot), pool->page_bytes)) {
        pool->unguarded++;
    } else if (pool->guard == CORIO_GUARD_NONE) {
        pool->unguarded++;
    }
    pool->made++;
    *ret_slot = (uint32_t)slot;
    return true;
}

/* Untouched slots are handed out in order: after a trim the lowest come first, and what is given back
 * lies above them. So those that are fresh are the last of a batch, and neighbours. */
static void refill(cr_stack_pool *pool, cr_stack_cache *cache)
{
    pthread_mutex_lock(&pool->lock);
    size_t first_fresh = pool->touched;
    while (cache->count < pool->cache_batch) {
        uint32_t slot;
        if (pool->free_count > 0)
            slot = pool->free_slots[--pool->free_count];
        else if (!make_slot_locked(pool, &slot))
            break;
        cache->stacks[cache->count++] = slot_stack(pool, slot);
        if (slot >= pool->touched) {
            CR_INVARIANT(slot == pool->touched);
            pool->touched++;
        }
    }
    size_t fresh = pool->touched - first_fresh;
    if (pool->made - pool->free_count > pool->high_water)
        pool->high_water = pool->made - pool->free_count;
    if (pool->made - pool->free_count > pool->run_peak)
        pool->run_peak = pool->made - pool->free_count;
    pthread_mutex_unlock(&pool->lock);
    /* Each is a page fault: not under the lock, and the first access writes, or there would be two. */
    for (size_t i = 0; i < fresh; i++)
        set_up(pool, first_fresh + i);
}

cr_stack *cr_stack_take(cr_stack_pool *pool, cr_stack_cache *cache)
{
    if (CR_UNLIKELY(cache->count == 0)) {
        refill(pool, cache);
        if (cache->count == 0)
            return NULL;
    }
    cr_stack *stack = cache->stacks[--cache->count];
    if (cache->count > 0)
        cr_stack_fetch(cache->stacks[cache->count - 1]); /* the next one to be taken */
    stack->in_use = 1;
    stack->park = NULL;
    return stack;
}

static void spill(cr_stack_pool *pool, cr_stack_cache *cache, unsigned keep)
{
    pthread_mutex_lock(&pool->lock);
    while (cache->count > keep)
        pool->free_slots[pool->free_count++] = cache->stacks[--cache->count]->slot;
    pthread_mutex_unlock(&pool->lock);
}

void cr_stack_give(cr_stack_pool *pool, cr_stack_cache *cache, cr_stack *stack)
{
    stack->in_use = 0;
    if (CR_UNLIKELY(cache->count == CR_STACK_CACHE || cache->count >= 2 * pool->cache_batch))
        spill(pool, cache, cache->count - pool->cache_batch);
    cache->stacks[cache->count++] = stack;
}

void cr_stack_cache_flush(cr_stack_pool *pool, cr_stack_cache *cache)
{
    if (cache->count > 0)
        spill(pool, cache, 0);
}

size_t cr_stack_pool_available(cr_stack_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t available = pool->free_count + (pool->max_stacks - pool->made);
    pthread_mutex_unlock(&pool->lock);
    return available;
}

void cr_stack_pool_new_run(cr_stack_pool *pool)
{
    pool->run_peak = 0; /* nobody takes stacks between runs */
}

static void forget_slots(cr_stack_pool *pool, size_t first)
{
    size_t deepest = cr_stack_pool_deepest(pool);
    if (deepest > pool->deepest_bytes)
        pool->deepest_bytes = deepest;
    for (size_t slot = first; cr_tool_keeps_stacks() && slot < pool->made; slot++)
        forget_stack(slot_stack(pool, slot));
    /* Guards stay: MADV_DONTNEED leaves guard pages and protections alone. */
    madvise(slot_memory(pool, first), (pool->made - first) * pool->slot_bytes, MADV_DONTNEED);
}

void cr_stack_pool_trim(cr_stack_pool *pool, size_t keep)
{
    if (keep < CR_STACK_KEEP)
        keep = CR_STACK_KEEP;
    pthread_mutex_lock(&pool->lock);
    CR_INVARIANT(pool->free_count == pool->made);
    if (pool->made > keep)
        forget_slots(pool, keep);
    if (pool->touched > keep)
        pool->touched = keep;
    /* Lowest slots are taken first: those whose pages are kept. */
    for (size_t i = 0; i < pool->made; i++)
        pool->free_slots[i] = (uint32_t)(pool->made - 1 - i);
    pthread_mutex_unlock(&pool->lock);
}

void cr_stack_pool_each_parked(cr_stack_pool *pool, void (*visit)(void *arg, cr_stack *stack),
                               void *arg)
{
    for (size_t slot = 0; slot < pool->made; slot++) {
        cr_stack *stack = slot_stack(pool, slot);
        if (stack->in_use && stack->park != NULL)
            visit(arg, stack);
    }
}

__attribute__((used)) void cr_stack_pool_guards(cr_stack_pool *pool, bool install)
{
    if (pool->guard != CORIO_GUARD_MADVISE)
        return;
    for (size_t slot = 0; install && slot < pool->made; slot++)
        (void)cr_guard_install(slot_memory(pool, slot), pool->page_bytes);
    if (!install)
        (void)cr_guard_remove(pool->memory, pool->made * pool->slot_bytes);
}

/* The stack grows down, so its depth is the distance from the top to the lowest page that is
 * resident. `resident`: of the slot's pages, the guard first. */
static size_t slot_depth(const cr_stack_pool *pool, const unsigned char *resident)
{
    size_t pages = pool->slot_bytes / pool->page_bytes;
    for (size_t page = 1; page < pages; page++) {
        if (resident[page] & 1)
            return (pages - page) * pool->page_bytes;
    }
    return 0;
}

size_t cr_stack_pool_deepest(cr_stack_pool *pool)
{
    size_t deepest = pool->deepest_bytes;
    size_t slots = pool->made < most_inspected ? pool->made : most_inspected;
    size_t pages = pool->slot_bytes / pool->page_bytes;
    unsigned char *resident = slots > 0 ? cr_alloc(slots * pages) : NULL;
    if (resident == NULL)
        return deepest;
    if (mincore(pool->memory, slots * pool->slot_bytes, resident) == 0) {
        for (size_t slot = 0; slot < slots; slot++) {
            size_t depth = slot_depth(pool, resident + slot * pages);
            if (depth > deepest)
                deepest = depth;
        }
    }
    cr_free(resident);
    return deepest;
}
