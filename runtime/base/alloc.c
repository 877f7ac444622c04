/* SPDX-License-Identifier: MIT */
#include "runtime/base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { cache_line = 64 };

void *cr_alloc(size_t bytes)
{
    return malloc(bytes);
}

void *cr_alloc_zeroed(size_t bytes)
{
    return calloc(1, bytes);
}

static size_t whole_lines(size_t bytes)
{
    return (bytes + cache_line - 1) & ~(size_t)(cache_line - 1);
}

void *cr_alloc_aligned_raw(size_t bytes)
{
    return aligned_alloc(cache_line, whole_lines(bytes));
}

void *cr_alloc_aligned(size_t bytes)
{
    void *memory = cr_alloc_aligned_raw(bytes);
    if (memory != NULL)
        memset(memory, 0, whole_lines(bytes));
    return memory;
}

void *cr_realloc(void *old, size_t bytes)
{
    return realloc(old, bytes);
}

void cr_free(void *memory)
{
    free(memory);
}

char *cr_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = cr_alloc(bytes);
    if (copy != NULL)
        memcpy(copy, text, bytes);
    return copy;
}

bool cr_grow(void **items, size_t *capacity, size_t need, size_t element_bytes)
{
    if (need <= *capacity)
        return true;
    size_t grown = *capacity ? *capacity : 16;
    while (grown < need)
        grown *= 2;
    if (grown > SIZE_MAX / element_bytes)
        return false;
    void *bigger = cr_realloc(*items, grown * element_bytes);
    if (bigger == NULL)
        return false;
    *items = bigger;
    *capacity = grown;
    return true;
}
