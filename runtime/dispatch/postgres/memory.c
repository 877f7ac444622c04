/* SPDX-License-Identifier: MIT
 *
 * memory.c - memory for answers: a bump allocator in chunks, freed all at once.
 */
#include "internal.h"

#include <stdlib.h>

enum { FIRST_CHUNK = 4096, LARGEST_CHUNK = 262144, ALIGNMENT = 8 };

struct cr_postgres_chunk {
    struct cr_postgres_chunk *next;
    size_t bytes;
};

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
    if (bytes > SIZE_MAX / 4)
        return NULL;
    bytes = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if ((size_t)(memory->end - memory->at) < bytes && !add_chunk(memory, bytes))
        return NULL;
    void *piece = memory->at;
    memory->at += bytes;
    return piece;
}

void cr_postgres_memory_fini(corio_postgres_memory *memory)
{
    while (memory->chunks) {
        struct cr_postgres_chunk *chunk = memory->chunks;
        memory->chunks = chunk->next;
        free(chunk);
    }
    memory->at = memory->end = NULL;
}
