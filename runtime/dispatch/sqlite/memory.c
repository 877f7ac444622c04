/* SPDX-License-Identifier: MIT
 *
 * memory.c - memory for answers: a bump allocator in chunks, freed all at once.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CHUNK = 4096, LARGEST_CHUNK = 262144 };

struct cr_sqlite_chunk {
    struct cr_sqlite_chunk *next;
    size_t bytes;
};

static size_t round_up(size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

static bool add_chunk(corio_sqlite_memory *memory, size_t at_least)
{
    size_t bytes = memory->chunks ? memory->chunks->bytes * 2 : FIRST_CHUNK;
    if (bytes > LARGEST_CHUNK)
        bytes = LARGEST_CHUNK;
    if (bytes < at_least + sizeof(struct cr_sqlite_chunk))
        bytes = at_least + sizeof(struct cr_sqlite_chunk);
    struct cr_sqlite_chunk *chunk = malloc(bytes);
    if (!chunk)
        return false;
    chunk->next = memory->chunks;
    chunk->bytes = bytes;
    memory->chunks = chunk;
    memory->at = (char *)(chunk + 1);
    memory->end = (char *)chunk + bytes;
    memory->bytes += bytes;
    return true;
}

void *corio_sqlite_alloc(corio_sqlite_memory *memory, size_t bytes)
{
    if (bytes > SIZE_MAX / 4)
        return NULL;
    bytes = round_up(bytes);
    if ((size_t)(memory->end - memory->at) < bytes && !add_chunk(memory, bytes))
        return NULL;
    memory->newest = memory->at;
    memory->at += bytes;
    return memory->newest;
}

void *corio_sqlite_grow(corio_sqlite_memory *memory, void *old, size_t old_bytes, size_t bytes)
{
    if (old && old == memory->newest && bytes <= (size_t)(memory->end - memory->newest)) {
        memory->at = memory->newest + round_up(bytes);
        if (memory->at > memory->end)
            memory->at = memory->end;
        return old;
    }
    void *moved = corio_sqlite_alloc(memory, bytes);
    if (moved && old)
        memcpy(moved, old, old_bytes);
    return moved;
}

void cr_sqlite_memory_fini(corio_sqlite_memory *memory)
{
    while (memory->chunks) {
        struct cr_sqlite_chunk *chunk = memory->chunks;
        memory->chunks = chunk->next;
        free(chunk);
    }
    memset(memory, 0, sizeof *memory);
}

void cr_sqlite_memory_move(corio_sqlite_memory *to, corio_sqlite_memory *from)
{
    struct cr_sqlite_chunk **last = &from->chunks;
    while (*last)
        last = &(*last)->next;
    *last = to->chunks;
    to->chunks = from->chunks;
    to->bytes += from->bytes;
    to->at = to->end = to->newest = NULL;
    memset(from, 0, sizeof *from);
}
