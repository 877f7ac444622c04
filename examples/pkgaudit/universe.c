/* SPDX-License-Identifier: MIT
 *
 * universe.c - the names of all packages, in memory.
 */
#include "universe.h"

#include <corio/io.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int universe_init(struct universe *universe, uint32_t count, uint32_t largest_id, size_t bytes)
{
    *universe = (struct universe){.largest_id = largest_id, .room = count};
    universe->sorted = calloc((size_t)count + 1, sizeof *universe->sorted);
    universe->name = calloc((size_t)largest_id + 1, sizeof *universe->name);
    universe->hash = calloc((size_t)largest_id + 1, sizeof *universe->hash);
    universe->text = malloc(bytes + 1);
    universe->end = universe->text;
    if (universe->sorted && universe->name && universe->hash && universe->text)
        return 0;
    universe_fini(universe);
    return -ENOMEM;
}

void universe_add(struct universe *universe, uint32_t id, const char *name, size_t length)
{
    char *at = universe->end;
    if (universe->count == universe->room || id > universe->largest_id)
        return;
    memcpy(at, name, length);
    at[length] = '\0';
    universe->sorted[universe->count++] = id;
    universe->name[id] = at;
    universe->hash[id] = corio_hash_bytes(CORIO_HASH_BEGIN, at, length);
    universe->end = at + length + 1;
}

void universe_fini(struct universe *universe)
{
    free(universe->sorted);
    free(universe->name);
    free(universe->hash);
    free(universe->text);
    *universe = (struct universe){0};
}

uint32_t universe_find(const struct universe *universe, const char *name, size_t length)
{
    uint32_t low = 0;
    uint32_t high = universe->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *at = universe->name[universe->sorted[middle]];
        int order = strncmp(at, name, length);
        if (order == 0 && at[length] == '\0')
            return universe->sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}
