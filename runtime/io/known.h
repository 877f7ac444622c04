/* SPDX-License-Identifier: MIT
 *
 * known.h - what is known of a dispatcher's keys: a hash table with chains.
 *
 * A key is in it at most once: as a question that others may still follow (dedup.c), or as an answer
 * that is kept (cache.c). Whoever uses it holds the lock of reuse.h.
 *
 * The nodes are the users'. So only the first chains take memory that may be missing: a table that
 * cannot grow has longer chains.
 */
#ifndef CR_IO_KNOWN_H
#define CR_IO_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cr_key {
    const void *bytes;
    size_t count;
    uint64_t hash;
} cr_key;

typedef struct cr_known {
    struct cr_known *next; /* in its chain */
    cr_key key;            /* the bytes are the node's owner's */
    bool is_answer;
} cr_known;

typedef struct cr_known_table {
    cr_known **chains;
    size_t chain_count; /* 0 or a power of two */
    size_t count;
} cr_known_table;

cr_known *cr_known_find(const cr_known_table *table, const cr_key *key);
/* Its key must not be in the table. false: no memory. */
bool cr_known_add(cr_known_table *table, cr_known *known);
void cr_known_remove(cr_known_table *table, cr_known *known);
void cr_known_fini(cr_known_table *table);

#endif
