/* SPDX-License-Identifier: MIT
 *
 * hash.h - FNV-1a, 64 bits: Fowler, Noll and Vo; RFC 9923.
 */
#ifndef CR_BASE_HASH_H
#define CR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t cr_hash_bytes(const void *input, size_t bytes)
{
    const unsigned char *at = input;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}

#endif
