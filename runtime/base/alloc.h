/* SPDX-License-Identifier: MIT
 *
 * alloc.h - the one gate to the heap: everything the library allocates passes here, so that tests
 * can fail the n-th call.
 *
 * Also the growing array that the phase engine is made of: doubling, and never half-grown.
 */
#ifndef CR_BASE_ALLOC_H
#define CR_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

void *cr_alloc(size_t bytes);        /* NULL if there is no memory; content undefined */
void *cr_alloc_zeroed(size_t bytes); /* NULL if there is no memory */
void *cr_alloc_aligned(
    size_t bytes); /* zeroed, on cache lines of its own; NULL if there is no memory */
void *cr_alloc_aligned_raw(size_t bytes);  /* the same, content undefined */
void *cr_realloc(void *old, size_t bytes); /* NULL if there is no memory, `old` is kept then */
void cr_free(void *memory);
char *cr_strdup(const char *text);

/* Makes room for `need` elements of `element_bytes` in *items, whose capacity is *capacity. */
bool cr_grow(void **items, size_t *capacity, size_t need, size_t element_bytes);

#endif
