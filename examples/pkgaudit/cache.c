/* SPDX-License-Identifier: MIT
 *
 * cache.c - answers by package, in shards with a mutex each. Two threads that miss the same key at
 * once both ask; the first answer stays.
 */
#include "cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { SHARDS = 64, FIRST_SLOTS = 64 };

struct cached {
    uint32_t package; /* 0: free */
    struct edges edges;
};

struct shard {
    pthread_mutex_t lock;
    struct cached *slots;
    uint32_t slot_count;
    uint32_t count;
};

struct cache {
    struct shard shards[SHARDS];
};

struct cache *cache_create(void)
{
    struct cache *cache = calloc(1, sizeof *cache);
    for (unsigned i = 0; cache && i < SHARDS; i++)
        pthread_mutex_init(&cache->shards[i].lock, NULL);
    return cache;
}

static void free_shard(struct shard *shard)
{
    for (uint32_t i = 0; i < shard->slot_count; i++)
        free((void *)shard->slots[i].edges.bytes);
    free(shard->slots);
    pthread_mutex_destroy(&shard->lock);
}

void cache_destroy(struct cache *cache)
{
    for (unsigned i = 0; cache && i < SHARDS; i++)
        free_shard(&cache->shards[i]);
    free(cache);
}

static struct cached *find_slot(const struct shard *shard, uint32_t package)
{
    uint32_t mask = shard->slot_count - 1;
    uint32_t at = (package * 0x9e3779b1u) >> 8 & mask;
    while (shard->slots[at].package != 0 && shard->slots[at].package != package)
        at = (at + 1) & mask;
    return &shard->slots[at];
}

bool cache_find(struct cache *cache, uint32_t package, struct edges *ret)
{
    struct shard *shard = &cache->shards[package % SHARDS];
    bool found = false;
    pthread_mutex_lock(&shard->lock);
    if (shard->count > 0) {
        const struct cached *slot = find_slot(shard, package);
        found = slot->package != 0;
        if (found)
            *ret = slot->edges;
    }
    pthread_mutex_unlock(&shard->lock);
    return found;
}

static int make_room_locked(struct shard *shard)
{
    if (2 * shard->count < shard->slot_count)
        return 0;
    struct shard larger = {.slot_count = shard->slot_count ? 2 * shard->slot_count : FIRST_SLOTS};
    larger.slots = calloc(larger.slot_count, sizeof *larger.slots);
    if (!larger.slots)
        return -ENOMEM;
    for (uint32_t i = 0; i < shard->slot_count; i++)
        if (shard->slots[i].package != 0)
            *find_slot(&larger, shard->slots[i].package) = shard->slots[i];
    free(shard->slots);
    shard->slots = larger.slots;
    shard->slot_count = larger.slot_count;
    return 0;
}

int cache_keep(struct cache *cache, uint32_t package, struct edges *edges)
{
    struct shard *shard = &cache->shards[package % SHARDS];
    void *unwanted = (void *)edges->bytes;
    pthread_mutex_lock(&shard->lock);
    int rc = make_room_locked(shard);
    if (rc == 0) {
        struct cached *slot = find_slot(shard, package);
        if (slot->package != 0) {
            *edges = slot->edges;
        } else {
            *slot = (struct cached){package, *edges};
            shard->count++;
            unwanted = NULL;
        }
    }
    pthread_mutex_unlock(&shard->lock);
    free(unwanted);
    return rc;
}

int cache_keep_copy(struct cache *cache, uint32_t package, struct edges *edges)
{
    if (cache_find(cache, package, edges))
        return 0;
    int rc = edges_copy(edges, edges);
    return rc < 0 ? rc : cache_keep(cache, package, edges);
}
