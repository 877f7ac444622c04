/* SPDX-License-Identifier: MIT
 *
 * cache.h - the answers that a dispatcher's cache keeps: putting them in, taking them out, counting.
 *
 * A dispatcher has a cache if it was added with cache_bytes (io.h). It answers requests at the end
 * of a phase, before the dispatcher sees them. It knows nothing of writes: who changes what an
 * answer says invalidates its key, after the change is made and before telling anybody.
 *
 * Every function locks one mutex. They must not be called from the dispatcher's own hooks (key, copy, drop).
 */
#ifndef CORIO_CACHE_H
#define CORIO_CACHE_H

#include <corio/io.h>

CORIO_BEGIN_DECLS

/* corio_cache_prime: puts in an answer, as if the dispatcher had just given it, in place of one that
 * is there. A question for the same key that is on its way is answered to those who have asked; that
 * answer is not kept.
 *
 * input: borrowed, only its key is used; output: borrowed, output_bytes bytes, copied (by the hook
 * `copy`, if there is one). Returns 1: it is kept; 0: it is not, because there is no cache, no
 * memory, no key, or it is larger than the cache. Which answers leave for it depends on the order of
 * such calls: tasks that make them side by side leave it to timing. Suspends: never. Thread: any.
 * Errors: -EINVAL. */
CORIO_API int corio_cache_prime(corio_dispatcher *dispatcher, const void *input,
                                const void *output);

/* corio_cache_invalidate: the answer for the input's key is out of date. It goes, and one that is on
 * its way is neither kept nor given to anybody who asks from now on. corio_cache_clear: the same for
 * all keys.
 *
 * Returns 1 if there was any, else 0. Suspends: never. Thread: any. Errors: -EINVAL. */
CORIO_API int corio_cache_invalidate(corio_dispatcher *dispatcher, const void *input);
CORIO_API int corio_cache_clear(corio_dispatcher *dispatcher);

typedef struct corio_cache_stats {
    size_t size;        /* sizeof(corio_cache_stats) */
    uint64_t hits;      /* requests answered from the cache */
    uint64_t misses;    /* requests that the dispatcher was to be asked */
    uint64_t followers; /* requests that got the answer of an equal one */
    uint64_t evictions; /* answers that left to make room */
    uint64_t entries;   /* answers in the cache */
    uint64_t bytes;     /* of these, as cache_bytes counts them */
} corio_cache_stats;

/* corio_cache_get_stats: fills `stats`, whose `size` the caller sets. Hits, misses, followers and
 * evictions count from the dispatcher's beginning; all is 0 without dedup and cache.
 *
 * Suspends: never. Thread: any. Errors: -EINVAL. */
CORIO_API int corio_cache_get_stats(corio_dispatcher *dispatcher, corio_cache_stats *stats);

CORIO_END_DECLS

#endif
