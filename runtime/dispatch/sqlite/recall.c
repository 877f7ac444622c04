/* SPDX-License-Identifier: MIT
 *
 * recall.c - answers remembered for later batches.
 *
 * An answer is worth remembering only as long as the database has not changed: each dispatch asks a
 * connection of its own for PRAGMA data_version, which another connection's commit changes, and
 * drops everything when it has. An answer is kept only if the version now is the one from before
 * its batch began: nothing was committed while it was read.
 */
#include "plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 1024 };

static void drop_all(struct query *query)
{
    struct recall *recall = &query->recall;
    if (recall->slots)
        memset(recall->slots, 0, recall->slot_count * sizeof *recall->slots);
    recall->count = 0;
    cr_sqlite_memory_move(&recall->retired, &recall->memory);
    recall->retired_generation = 0;
}

static uint64_t ask_version(struct recall *recall)
{
    uint64_t version = 0;
    if (sqlite3_step(recall->ask_version) == SQLITE_ROW)
        version = (uint64_t)sqlite3_column_int64(recall->ask_version, 0);
    sqlite3_reset(recall->ask_version);
    return version;
}

int cr_sqlite_recall_init(struct query *query)
{
    struct recall *recall = &query->recall;
    if (query->options.remember_bytes == 0)
        return 0;
    int rc = cr_sqlite_connect(query->face.database, false, &recall->watch);
    if (rc == 0)
        rc = cr_sqlite_prepare(query->face.database, &recall->watch, "PRAGMA data_version",
                               &recall->ask_version);
    if (rc < 0)
        return rc;
    recall->data_version = ask_version(recall);
    return 0;
}

void cr_sqlite_recall_fini(struct query *query)
{
    struct recall *recall = &query->recall;
    cr_sqlite_memory_fini(&recall->memory);
    cr_sqlite_memory_fini(&recall->retired);
    sqlite3_finalize(recall->ask_version);
    cr_sqlite_disconnect(&recall->watch);
    free(recall->slots);
}

/* What was dropped may be in use by plans in flight and the tasks they wake: it goes two
 * generations after a moment at which there were none. */
static void free_retired(struct query *query, size_t in_flight)
{
    struct recall *recall = &query->recall;
    if (!recall->retired.chunks)
        return;
    if (recall->retired_generation == 0 && in_flight == 0)
        recall->retired_generation = query->generation;
    else if (recall->retired_generation != 0 && query->generation >= recall->retired_generation + 2)
        cr_sqlite_memory_fini(&recall->retired);
}

void cr_sqlite_recall_check(struct query *query, size_t in_flight)
{
    struct recall *recall = &query->recall;
    if (query->options.remember_bytes == 0)
        return;
    uint64_t version = ask_version(recall);
    if (version == 0 || version != recall->data_version ||
        recall->memory.bytes > query->options.remember_bytes)
        drop_all(query);
    recall->data_version = version;
    free_retired(query, in_flight);
}

static struct recalled *find_slot(const struct recall *recall, const struct entry *entry)
{
    size_t mask = recall->slot_count - 1;
    for (size_t at = (size_t)(entry->hash >> 8) & mask;; at = (at + 1) & mask) {
        struct recalled *slot = &recall->slots[at];
        if (!slot->key || (slot->hash == entry->hash && slot->key_bytes == entry->key_bytes &&
                           memcmp(slot->key, entry->key, entry->key_bytes) == 0))
            return slot;
    }
}

void *cr_sqlite_recall_find(const struct recall *recall, const struct entry *entry)
{
    if (recall->count == 0)
        return NULL;
    struct recalled *slot = find_slot(recall, entry);
    return slot->key ? slot->output : NULL;
}

static bool make_room(struct recall *recall)
{
    if (2 * recall->count < recall->slot_count)
        return true;
    struct recall larger = *recall;
    larger.slot_count = recall->slot_count ? 2 * recall->slot_count : FIRST_SLOTS;
    larger.slots = calloc(larger.slot_count, sizeof *larger.slots);
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < recall->slot_count; i++) {
        const struct recalled *old = &recall->slots[i];
        if (old->key) {
            const struct entry like = {
                .hash = old->hash, .key = old->key, .key_bytes = old->key_bytes};
            *find_slot(&larger, &like) = *old;
        }
    }
    free(recall->slots);
    recall->slots = larger.slots;
    recall->slot_count = larger.slot_count;
    return true;
}

static void keep_one(struct query *query, const struct entry *entry)
{
    struct recall *recall = &query->recall;
    size_t output_bytes = query->options.output_bytes;
    if (!make_room(recall))
        return;
    struct recalled *slot = find_slot(recall, entry);
    if (slot->key)
        return; /* two batches in flight asked for it */
    void *kept = corio_sqlite_alloc(&recall->memory, output_bytes + 1);
    if (!kept)
        return;
    memcpy(kept, entry->output, output_bytes);
    *slot = (struct recalled){entry->hash, entry->key, entry->key_bytes, kept};
    recall->count++;
}

void cr_sqlite_recall_keep(struct query *query, struct plan *plan)
{
    struct recall *recall = &query->recall;
    if (query->options.remember_bytes == 0 || plan->data_version == 0 ||
        plan->data_version != recall->data_version)
        return;
    for (size_t i = 0; i < plan->asked_count; i++) {
        const struct entry *entry = &plan->entries[plan->asked[i]];
        if (entry->status == 0)
            keep_one(query, entry);
    }
    for (unsigned i = 0; i < plan->share_count; i++)
        cr_sqlite_memory_move(&recall->memory, &plan->shares[i].memory);
}
