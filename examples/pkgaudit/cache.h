/* SPDX-License-Identifier: MIT
 *
 * cache.h - answers by package, remembered for a run, shared by all threads.
 */
#ifndef PKGAUDIT_CACHE_H
#define PKGAUDIT_CACHE_H

#include "edges.h"

struct cache;

/* Returns NULL without memory. */
struct cache *cache_create(void);
/* Releases all answers. NULL is ignored. */
void cache_destroy(struct cache *cache);

/* An answer is borrowed until the cache's end. */
bool cache_find(struct cache *cache, uint32_t package, struct edges *ret);
/* Takes *edges, whose bytes lie on the heap, into the cache, or, if another thread was first, gives
 * back that one's. Returns 0, or -ENOMEM: they are released then, too. */
int cache_keep(struct cache *cache, uint32_t package, struct edges *edges);
/* The same of a copy: *edges is what the cache has then. */
int cache_keep_copy(struct cache *cache, uint32_t package, struct edges *edges);

#endif
