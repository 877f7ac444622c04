/* SPDX-License-Identifier: MIT
 *
 * heap.c - the library's gate to the heap, in which nothing freed is used again within a run; and the
 * items that a model counts.
 */
#include "runtime/base/alloc.h"
#include "tests/model/explorer.h"

#include <string.h>

/* Before each block, for model_free. */
typedef struct block {
    size_t bytes;
    size_t unused[7];
} block;

static struct {
    size_t used;
    unsigned live; /* blocks allocated and not freed */
} blocks;

static struct {
    uint64_t *payload;
    uint8_t made[MODEL_ITEMS], taken[MODEL_ITEMS];
    unsigned made_count, taken_count;
    unsigned inside;
} ledger;

void *model_alloc(size_t bytes)
{
    bytes = (bytes + 63) & ~(size_t)63;
    if (blocks.used + sizeof(block) + bytes > HEAP_BYTES)
        model_fail("the explorer's heap is full");
    block *made = (block *)(heap + blocks.used);
    blocks.used += sizeof(block) + bytes;
    made->bytes = bytes;
    blocks.live++;
    memset(made + 1, 0, bytes);
    return made + 1;
}

void model_free(void *memory)
{
    if (memory == NULL)
        return;
    memory_freed(memory, ((block *)memory - 1)->bytes);
    blocks.live--;
}

void model_check_all_freed(void)
{
    if (blocks.live != 0)
        model_fail("%u blocks of memory are lost", blocks.live);
}

void *cr_alloc(size_t bytes)
{
    return model_alloc(bytes);
}

void *cr_alloc_zeroed(size_t bytes)
{
    return model_alloc(bytes);
}

void *cr_alloc_aligned(size_t bytes)
{
    return model_alloc(bytes);
}

void *cr_alloc_aligned_raw(size_t bytes)
{
    return model_alloc(bytes);
}

void *cr_realloc(void *old, size_t bytes)
{
    size_t before = old != NULL ? ((const block *)old - 1)->bytes : 0;
    void *grown = model_alloc(bytes);
    memcpy(grown, old != NULL ? old : grown, before < bytes ? before : bytes);
    model_free(old);
    return grown;
}

char *cr_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(model_alloc(bytes), text, bytes);
}

void cr_free(void *memory)
{
    model_free(memory);
}

bool cr_grow(void **items, size_t *capacity, size_t need, size_t element_bytes)
{
    memory_plain(capacity, sizeof *capacity, false);
    if (need <= *capacity)
        return true;
    memory_plain(items, sizeof *items, true);
    memory_plain(capacity, sizeof *capacity, true);
    *capacity = need < 2 * *capacity ? 2 * *capacity : need;
    *items = cr_realloc(*items, *capacity * element_bytes);
    return true;
}

/* -- Items -- */

void model_make(unsigned item)
{
    if (item >= MODEL_ITEMS || ledger.made[item]++ != 0)
        model_fail("item %u is made twice", item);
    ledger.made_count++;
    memory_plain(&ledger.payload[item], sizeof *ledger.payload, true);
    ledger.payload[item] = item;
}

void model_take(unsigned item)
{
    trace_step("takes item", NULL, __builtin_return_address(0));
    trace_detail("%u", item);
    if (item >= MODEL_ITEMS || !ledger.made[item])
        model_fail("item %u is taken and was never made", item);
    if (ledger.taken[item]++ != 0)
        model_fail("item %u is taken twice", item);
    ledger.taken_count++;
    memory_plain(&ledger.payload[item], sizeof *ledger.payload, false);
}

unsigned model_made(void)
{
    return ledger.made_count;
}

unsigned model_taken(void)
{
    return ledger.taken_count;
}

bool model_has_taken(unsigned item)
{
    return ledger.taken[item] != 0;
}

void model_check_all_taken(void)
{
    for (unsigned i = 0; i < MODEL_ITEMS; i++) {
        if (ledger.made[i] != ledger.taken[i])
            model_fail("item %u is lost", i);
    }
}

void model_enter(unsigned most)
{
    if (++ledger.inside > most)
        model_fail("%u are inside at once", ledger.inside);
    explorer_point();
    trace_step("is inside", NULL, __builtin_return_address(0));
}

void model_leave(void)
{
    ledger.inside--;
}

unsigned model_inside(void)
{
    return ledger.inside;
}

void heap_begin_run(void)
{
    memset(&blocks, 0, sizeof blocks);
    memset(&ledger, 0, sizeof ledger);
    ledger.payload = model_alloc(MODEL_ITEMS * sizeof *ledger.payload);
    blocks.live = 0;
}
