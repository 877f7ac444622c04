/* SPDX-License-Identifier: MIT
 *
 * recall.c - answers remembered for later batches, and for tasks that look before they ask.
 *
 * An answer is worth remembering only as long as the database has not changed: each dispatch asks a
 * connection of its own for PRAGMA data_version, which another connection's commit changes, and
 * drops everything when it has. An answer is kept only if the version after its batch was read is
 * the one from before it began: nothing was committed meanwhile.
 *
 * Answers are kept before they are given out. So what tasks find in a phase depends on the answers
 * of the phases before, not on timing, as long as batches are waited for as a whole.
 *
 * Who may do what: a share that ended a plan adds answers, under the lock; dispatches and tasks
 * look up, without it. Dispatch functions are called when no task runs: only they take anything
 * away.
 *
 * Edges
 *   recall.answer   add -> look up     who sees an answer in a slot sees all of it, and its hash
 *   recall.table    grow -> look up    who sees a table sees its slots
 */
#include "plan.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_SLOTS = 1024,
    ANSWER_ALIGN = 16,
    TOGETHER = 16, /* look-ups under way at a time */
    AHEAD = 8,     /* slots to come that are fetched while others are filled */
};

_Static_assert(offsetof(struct answer, output) % ANSWER_ALIGN == 0, "an output is aligned");

/* -- Answers -- */

/* Where the key of an answer begins. */
static char *key_of(const struct query *query, struct answer *answer)
{
    return answer->output + ((query->options.output_bytes + 7) & ~(size_t)7);
}

struct answer *cr_sqlite_answer_create(const struct query *query, corio_sqlite_memory *memory,
                                       const struct entry *entry)
{
    size_t key_bytes = query->options.remember_bytes > 0 ? entry->key_bytes : 0;
    size_t most = sizeof(struct answer) + query->options.output_bytes + 7 + key_bytes;
    uintptr_t piece = (uintptr_t)corio_sqlite_alloc(memory, most + ANSWER_ALIGN - 1);
    if (piece == 0)
        return NULL;
    struct answer *answer = (void *)((piece + ANSWER_ALIGN - 1) & ~(uintptr_t)(ANSWER_ALIGN - 1));
    answer->hash = entry->hash;
    answer->key_bytes = key_bytes;
    if (query->options.output_bytes > 0)
        memset(answer->output, 0, query->options.output_bytes);
    if (key_bytes > 0)
        memcpy(key_of(query, answer), entry->key, key_bytes);
    return answer;
}

/* -- Keys -- */

static uint64_t mix(uint64_t x)
{
    x *= 0x9e3779b97f4a7c15u;
    return x ^ (x >> 29);
}

static uint64_t hash_key(const void *key, size_t bytes)
{
    const char *at = key;
    uint64_t hash = bytes;
    uint64_t word = 0;
    if (bytes == 4) {
        uint32_t half;
        memcpy(&half, at, 4);
        return mix(hash ^ half);
    }
    for (; bytes >= 8; bytes -= 8, at += 8) {
        memcpy(&word, at, 8);
        hash = mix(hash ^ word);
    }
    word = 0;
    memcpy(&word, at, bytes);
    return mix(hash ^ word);
}

struct entry cr_sqlite_entry(const struct query *query, const void *input)
{
    struct entry entry = {.input = input, .key = input, .key_bytes = query->options.input_bytes};
    if (query->options.key)
        entry.key = query->options.key(query->options.self, input, &entry.key_bytes);
    if (!query->options.singly)
        entry.hash = hash_key(entry.key, entry.key_bytes);
    return entry;
}

/* -- Looking up -- */

static bool is_for(const struct query *query, struct answer *answer, const struct entry *entry)
{
    return answer->key_bytes == entry->key_bytes &&
           memcmp(key_of(query, answer), entry->key, entry->key_bytes) == 0;
}

static size_t first_slot(const struct table *table, uint64_t hash)
{
    return (size_t)(hash >> 8) & (table->slot_count - 1);
}

/* The slot with the entry's answer, or the free one where it would be; *ret_answer: what is there.
 * A table is never full. */
static struct slot *find_slot(const struct query *query, struct table *table,
                              const struct entry *entry, struct answer **ret_answer)
{
    size_t mask = table->slot_count - 1;
    for (size_t at = first_slot(table, entry->hash);; at = (at + 1) & mask) {
        struct slot *slot = &table->slots[at];
        /* [acquire recall.answer] */
        struct answer *answer = atomic_load_explicit(&slot->answer, memory_order_acquire);
        if (!answer || (slot->hash == entry->hash && is_for(query, answer, entry))) {
            *ret_answer = answer;
            return slot;
        }
    }
}

struct answer *cr_sqlite_recall_find(const struct query *query, const struct entry *entry)
{
    struct answer *answer = NULL;
    /* [acquire recall.table] */
    struct table *table = atomic_load_explicit(&query->recall.table, memory_order_acquire);
    if (table)
        find_slot(query, table, entry, &answer);
    return answer;
}

/* -- Tasks that look before they ask -- */

/* A dispatcher's memory, NULL if there is nothing that may be found now. Called by a task: no
 * dispatch function runs meanwhile, so nothing is taken away. */
static struct table *open_memory(const struct query *query)
{
    /* relaxed: who was told of a change was told after it was counted */
    uint64_t changes = atomic_load_explicit(&query->face.database->changes, memory_order_relaxed);
    if (query->recall.changes != changes)
        return NULL;
    /* [acquire recall.table] */
    return atomic_load_explicit(&query->recall.table, memory_order_acquire);
}

/* Fetches what a look-up will read: its slot; what is there, and what that points to, which lies
 * behind it. */
static void fetch_slot(const struct table *table, const struct entry *entry)
{
    __builtin_prefetch(&table->slots[first_slot(table, entry->hash)]);
}

static void fetch_answer(struct table *table, const struct entry *entry)
{
    struct slot *slot = &table->slots[first_slot(table, entry->hash)];
    /* relaxed: it is not looked into here */
    const char *answer = (void *)atomic_load_explicit(&slot->answer, memory_order_relaxed);
    if (!answer)
        return;
    __builtin_prefetch(answer);
    __builtin_prefetch(answer + 64);
}

/* Takes the answer, if there is one, as number i of the outputs. */
static bool take(const struct query *query, struct table *table, const struct entry *entry,
                 void *outputs, size_t i)
{
    size_t output_bytes = query->options.output_bytes;
    struct answer *answer;
    find_slot(query, table, entry, &answer);
    if (answer && output_bytes > 0)
        memcpy((char *)outputs + i * output_bytes, answer->output, output_bytes);
    return answer != NULL;
}

/* Takes [first, first + count), TOGETHER at most: the misses of one look-up pass while the others'
 * are under way. Returns how many there are. */
static size_t take_some(const struct query *query, struct table *table, const void *inputs,
                        void *outputs, size_t first, size_t count, bool *found)
{
    const char *input = (const char *)inputs + first * query->options.input_bytes;
    struct entry entries[TOGETHER];
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        entries[i] = cr_sqlite_entry(query, input + i * query->options.input_bytes);
        fetch_slot(table, &entries[i]);
    }
    for (size_t i = 0; i < count; i++)
        fetch_answer(table, &entries[i]);
    for (size_t i = 0; i < count; i++) {
        found[first + i] = take(query, table, &entries[i], outputs, first + i);
        taken += found[first + i];
    }
    return taken;
}

int corio_sqlite_recall_many(corio_dispatcher *dispatcher, const void *inputs, void *outputs,
                             size_t count, bool *found)
{
    const struct query *query = dispatcher ? corio_dispatcher_self(dispatcher) : NULL;
    if (!query || query->face.destroy != cr_sqlite_query_destroy || count > INT_MAX ||
        (count > 0 && (!inputs || !found)))
        return -EINVAL;
    struct table *table = open_memory(query);
    size_t taken = 0;
    for (size_t i = 0; table && i < count; i += TOGETHER) {
        size_t some = count - i < TOGETHER ? count - i : TOGETHER;
        taken += take_some(query, table, inputs, outputs, i, some, found);
    }
    if (!table && count > 0)
        memset(found, 0, count * sizeof *found);
    return (int)taken;
}

int corio_sqlite_recall(corio_dispatcher *dispatcher, const void *input, void *output)
{
    bool found = false;
    int rc = corio_sqlite_recall_many(dispatcher, input, output, 1, &found);
    return rc < 0 || found ? (rc < 0 ? rc : 0) : -ENOENT;
}

/* -- Forgetting: dispatches only -- */

/* Takes the table away; whoever looks into it may go on. */
static void replace_table_locked(struct recall *recall, struct table *by)
{
    struct table *table = atomic_load_explicit(&recall->table, memory_order_relaxed); /* locked */
    if (table) {
        table->next = recall->replaced;
        recall->replaced = table;
    }
    /* [release recall.table] its slots are whole */
    atomic_store_explicit(&recall->table, by, memory_order_release);
}

static void free_replaced(struct recall *recall)
{
    while (recall->replaced) {
        struct table *table = recall->replaced;
        recall->replaced = table->next;
        free(table);
    }
}

static void drop_all(struct recall *recall)
{
    replace_table_locked(recall, NULL);
    recall->count = 0;
    cr_sqlite_memory_move(&recall->retired, &recall->memory);
    recall->retired_generation = 0;
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

static uint64_t ask_version(struct recall *recall)
{
    uint64_t version = 0;
    if (sqlite3_step(recall->ask_version) == SQLITE_ROW)
        version = (uint64_t)sqlite3_column_int64(recall->ask_version, 0);
    sqlite3_reset(recall->ask_version);
    return version;
}

void cr_sqlite_recall_check(struct query *query, size_t in_flight)
{
    struct recall *recall = &query->recall;
    if (query->options.remember_bytes == 0)
        return;
    pthread_mutex_lock(&recall->lock);
    /* Before the version: a commit in between is a change too many, not one too few. */
    recall->changes = atomic_load_explicit(&query->face.database->changes, memory_order_relaxed);
    uint64_t version = ask_version(recall);
    if (version == 0 || version != recall->data_version ||
        recall->memory.bytes > query->options.remember_bytes)
        drop_all(recall);
    recall->data_version = version;
    free_replaced(recall);
    free_retired(query, in_flight);
    pthread_mutex_unlock(&recall->lock);
}

/* -- Keeping -- */

static bool make_room_locked(struct recall *recall)
{
    struct table *table = atomic_load_explicit(&recall->table, memory_order_relaxed); /* locked */
    size_t old_count = table ? table->slot_count : 0;
    if (4 * recall->count < 3 * old_count)
        return true;
    size_t slot_count = table ? 2 * old_count : FIRST_SLOTS;
    struct table *larger = calloc(1, sizeof *larger + slot_count * sizeof(struct slot));
    if (!larger)
        return false;
    larger->slot_count = slot_count;
    for (size_t i = 0; i < old_count; i++) {
        struct answer *answer =
            atomic_load_explicit(&table->slots[i].answer, memory_order_relaxed); /* locked */
        if (!answer)
            continue;
        size_t at = first_slot(larger, answer->hash);
        while (atomic_load_explicit(&larger->slots[at].answer, memory_order_relaxed))
            at = (at + 1) & (slot_count - 1);
        larger->slots[at].hash = answer->hash;
        /* relaxed: nobody sees it before recall.table */
        atomic_store_explicit(&larger->slots[at].answer, answer, memory_order_relaxed);
    }
    replace_table_locked(recall, larger);
    return true;
}

static void keep_one_locked(struct query *query, const struct entry *entry, uint64_t hash_ahead)
{
    struct recall *recall = &query->recall;
    struct answer *known;
    if (!make_room_locked(recall))
        return;
    struct table *table = atomic_load_explicit(&recall->table, memory_order_relaxed); /* locked */
    __builtin_prefetch(&table->slots[first_slot(table, hash_ahead)], 1);
    struct slot *slot = find_slot(query, table, entry, &known);
    if (known)
        return; /* two batches in flight asked for it */
    slot->hash = entry->hash;
    /* [release recall.answer] answer and hash are whole */
    atomic_store_explicit(&slot->answer, entry->answer, memory_order_release);
    recall->count++;
}

static void keep_all_locked(struct query *query, struct plan *plan)
{
    for (size_t i = 0; i < plan->asked_count; i++) {
        const struct entry *entry = &plan->entries[plan->asked[i]];
        size_t ahead = i + AHEAD < plan->asked_count ? i + AHEAD : i;
        if (entry->status == 0)
            keep_one_locked(query, entry, plan->entries[plan->asked[ahead]].hash);
    }
    for (unsigned i = 0; i < plan->share_count; i++)
        cr_sqlite_memory_move(&query->recall.memory, &plan->shares[i].memory);
}

void cr_sqlite_recall_keep(struct query *query, struct plan *plan)
{
    struct recall *recall = &query->recall;
    if (query->options.remember_bytes == 0 || plan->asked_count == 0)
        return;
    pthread_mutex_lock(&recall->lock);
    uint64_t version = ask_version(recall);
    if (version != 0 && version == plan->data_version && version == recall->data_version)
        keep_all_locked(query, plan);
    else /* relaxed: the tasks of this plan, which know of the change, go on after this */
        atomic_fetch_add_explicit(&query->face.database->changes, 1, memory_order_relaxed);
    pthread_mutex_unlock(&recall->lock);
}

/* -- Life -- */

int cr_sqlite_recall_init(struct query *query)
{
    struct recall *recall = &query->recall;
    pthread_mutex_init(&recall->lock, NULL);
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
    replace_table_locked(recall, NULL);
    free_replaced(recall);
    cr_sqlite_memory_fini(&recall->memory);
    cr_sqlite_memory_fini(&recall->retired);
    sqlite3_finalize(recall->ask_version);
    cr_sqlite_disconnect(&recall->watch);
    pthread_mutex_destroy(&recall->lock);
}
