/* SPDX-License-Identifier: MIT */
#include "runtime/io/known.h"

#include "runtime/base/alloc.h"

#include <string.h>

enum { first_chains = 64 };

/* FNV's last byte has not come far up; a key's high bits must count as well. */
static cr_known **chain_of(const cr_known_table *table, uint64_t hash)
{
    return &table->chains[(hash ^ hash >> 32) & (table->chain_count - 1)];
}

static bool is_equal(const cr_key *a, const cr_key *b)
{
    return a->hash == b->hash && a->count == b->count &&
           (a->count == 0 || memcmp(a->bytes, b->bytes, a->count) == 0);
}

cr_known *cr_known_find(const cr_known_table *table, const cr_key *key)
{
    if (table->count == 0)
        return NULL;
    cr_known *known = *chain_of(table, key->hash);
    while (known != NULL && !is_equal(&known->key, key))
        known = known->next;
    return known;
}

static void grow(cr_known_table *table)
{
    size_t before = table->chain_count;
    size_t chain_count = before != 0 ? 2 * before : first_chains;
    cr_known **chains = cr_alloc_zeroed(chain_count * sizeof(cr_known *));
    if (chains == NULL)
        return;
    cr_known **old = table->chains;
    table->chains = chains;
    table->chain_count = chain_count;
    for (size_t i = 0; i < before; i++) {
        for (cr_known *known = old[i]; known != NULL;) {
            cr_known *next = known->next;
            cr_known **chain = chain_of(table, known->key.hash);
            known->next = *chain;
            *chain = known;
            known = next;
        }
    }
    cr_free(old);
}

bool cr_known_add(cr_known_table *table, cr_known *known)
{
    if (table->count >= table->chain_count)
        grow(table);
    if (table->chain_count == 0)
        return false;
    cr_known **chain = chain_of(table, known->key.hash);
    known->next = *chain;
    *chain = known;
    table->count++;
    return true;
}

void cr_known_remove(cr_known_table *table, cr_known *known)
{
    cr_known **at = chain_of(table, known->key.hash);
    while (*at != known)
        at = &(*at)->next;
    *at = known->next;
    table->count--;
}

void cr_known_fini(cr_known_table *table)
{
    cr_free(table->chains);
    *table = (cr_known_table){.chains = NULL};
}
