/* SPDX-License-Identifier: MIT
 *
 * plan.c - which requests of a batch are equal, and which keys the database is asked for.
 */
#include "plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void free_arrays(struct plan *plan)
{
    free(plan->of_request);
    free(plan->entries);
    free(plan->asked);
    free(plan->slots);
    plan->of_request = NULL;
    plan->entries = NULL;
    plan->asked = NULL;
    plan->slots = NULL;
    plan->capacity = 0;
}

/* The arrays stay with the plan for the next batch, so a run of equal phases allocates once. */
int cr_sqlite_plan_reserve(struct plan *plan, size_t requests)
{
    if (requests <= plan->capacity)
        return 0;
    if (requests > UINT32_MAX / 4)
        return -E2BIG;
    size_t capacity = 64;
    while (capacity < requests)
        capacity *= 2;
    free_arrays(plan);
    plan->of_request = malloc(capacity * sizeof *plan->of_request);
    plan->entries = malloc(capacity * sizeof *plan->entries);
    plan->asked = malloc(capacity * sizeof *plan->asked);
    plan->slots = malloc(2 * capacity * sizeof *plan->slots);
    if (!plan->of_request || !plan->entries || !plan->asked || !plan->slots) {
        free_arrays(plan);
        return -ENOMEM;
    }
    plan->capacity = capacity;
    return 0;
}

static uint32_t add_entry(struct plan *plan, const struct entry *entry)
{
    plan->entries[plan->entry_count] = *entry;
    return (uint32_t)plan->entry_count++;
}

/* The entry with this key, made if there is none. */
static uint32_t find_entry(struct plan *plan, const struct entry *like)
{
    size_t mask = plan->slot_count - 1;
    for (size_t at = (size_t)(like->hash >> 8) & mask;; at = (at + 1) & mask) {
        if (plan->slots[at] == 0) {
            uint32_t made = add_entry(plan, like);
            plan->slots[at] = made + 1;
            return made;
        }
        const struct entry *entry = &plan->entries[plan->slots[at] - 1];
        if (entry->hash == like->hash && entry->key_bytes == like->key_bytes &&
            memcmp(entry->key, like->key, like->key_bytes) == 0)
            return plan->slots[at] - 1;
    }
}

static void sort_requests(struct plan *plan, corio_batch *batch)
{
    const struct query *query = plan->query;
    plan->slot_count = 64;
    while (plan->slot_count < 2 * plan->requests)
        plan->slot_count *= 2;
    if (!query->options.singly)
        memset(plan->slots, 0, plan->slot_count * sizeof *plan->slots);
    for (size_t i = 0; i < plan->requests; i++) {
        struct entry entry = cr_sqlite_entry(query, corio_batch_input(batch, i));
        plan->of_request[i] =
            query->options.singly ? add_entry(plan, &entry) : find_entry(plan, &entry);
    }
}

static void sort_entries(struct plan *plan)
{
    for (size_t i = 0; i < plan->entry_count; i++) {
        struct entry *entry = &plan->entries[i];
        entry->answer = cr_sqlite_recall_find(plan->query, entry);
        if (!entry->answer)
            plan->asked[plan->asked_count++] = (uint32_t)i;
    }
}

int cr_sqlite_plan_fill(struct plan *plan, corio_batch *batch)
{
    plan->batch = batch;
    plan->requests = corio_batch_len(batch);
    int rc = cr_sqlite_plan_reserve(plan, plan->requests);
    if (rc < 0)
        return rc;
    sort_requests(plan, batch);
    sort_entries(plan);
    return 0;
}

void cr_sqlite_plan_clear(struct plan *plan)
{
    for (unsigned i = 0; i < plan->share_count; i++)
        cr_sqlite_memory_fini(&plan->shares[i].memory);
    plan->requests = 0;
    plan->entry_count = 0;
    plan->asked_count = 0;
    plan->share_count = 0;
    plan->done = false;
    atomic_store(&plan->claimed, 0);
    atomic_store(&plan->busy, false);
}

void cr_sqlite_plan_destroy(struct plan *plan)
{
    if (!plan)
        return;
    cr_sqlite_plan_clear(plan);
    free_arrays(plan);
    free(plan);
}
