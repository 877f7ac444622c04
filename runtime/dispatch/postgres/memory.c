/* SPDX-License-Identifier: MIT
 *
 * memory.c - memory for the answer of one question: a bump allocator in chunks, freed all at once by
 * the last of the tasks that have the answer.
 *
 *     +-----------------+------+     +----------+-----------+
 *     | memory | pieces | free | --> | chunk    | pieces    | --> ...
 *     +-----------------+------+     +----------+-----------+
 *       the first block                further ones, newest first
 *
 * Edges
 *   memory.free   a holder's last look -> the last holder's free()
 */
#include "internal.h"

#include <stdlib.h>

enum { FIRST_BLOCK = 192, FIRST_CHUNK = 1024, LARGEST_CHUNK = 262144, ALIGNMENT = 8 };

struct cr_postgres_chunk {
    struct cr_postgres_chunk *next;
    size_t bytes;
};

corio_postgres_memory *cr_postgres_memory_create(void)
{
    corio_postgres_memory *memory = malloc(FIRST_BLOCK);
    if (!memory)
        return NULL;
    *memory =
        (corio_postgres_memory){.at = (char *)(memory + 1), .end = (char *)memory + FIRST_BLOCK};
    atomic_init(&memory->holders, 1);
    return memory;
}

static bool add_chunk(corio_postgres_memory *memory, size_t at_least)
{
    size_t bytes = memory->chunks ? 2 * memory->chunks->bytes : FIRST_CHUNK;
    if (bytes > LARGEST_CHUNK)
        bytes = LARGEST_CHUNK;
    if (bytes < at_least + sizeof(struct cr_postgres_chunk))
        bytes = at_least + sizeof(struct cr_postgres_chunk);
    struct cr_postgres_chunk *chunk = malloc(bytes);
    if (!chunk)
        return false;
    *chunk = (struct cr_postgres_chunk){memory->chunks, bytes};
    memory->chunks = chunk;
    memory->at = (char *)(chunk + 1);
    memory->end = (char *)chunk + bytes;
    return true;
}

void *corio_postgres_alloc(corio_postgres_memory *memory, size_t bytes)
{
    if (!memory || bytes > SIZE_MAX / 4)
        return NULL;
    bytes = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if ((size_t)(memory->end - memory->at) < bytes && !add_chunk(memory, bytes))
        return NULL;
    void *piece = memory->at;
    memory->at += bytes;
    return piece;
}

void corio_postgres_free(corio_postgres_memory *memory)
{
    /* [acq_rel memory.free] the others have looked for the last time */
    if (!memory || atomic_fetch_sub_explicit(&memory->holders, 1, memory_order_acq_rel) != 1)
        return;
    while (memory->chunks) {
        struct cr_postgres_chunk *chunk = memory->chunks;
        memory->chunks = chunk->next;
        free(chunk);
    }
    free(memory);
}
