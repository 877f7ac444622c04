/* SPDX-License-Identifier: MIT
 *
 * plan.c - a batch becomes a plan: entries, shares; and its answers.
 *
 *     requests   0 1 2 3 4 5 6 7       without folding: an entry each, and shares of the same cut
 *     entries    0 1 2 3 4 5 6 7       are answered one by one
 *     shares    |0 1 2 3|4 5 6 7|
 *
 *     requests   0 1 2 3 4 5 6 7       with folding: of_request tells each request's entry
 *                 \ | \|/  |  \|
 *     entries      a   b   c   d       one for each different key
 *     shares      |a   b | c   d|      requests and entries are cut independently; the share that
 *               |0 1 2 3|4 5 6 7|      ends last answers all of them
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    REQUESTS_A_SHARE = 32, /* fewest that are worth another connection */
    KEYS_A_SHARE = 128,
    FIRST_DELAY_MS = 50,
    LARGEST_DELAY_MS = 5000,
};

/* -- Keys -- */

static uint64_t hash_key(const void *key, size_t bytes)
{
    uint64_t hash = corio_hash_bytes(CORIO_HASH_BEGIN, key, bytes);
    return hash ^ (hash >> 32);
}

/* The slot with this key, or the free one where it belongs. */
static uint32_t *find_slot(const struct cr_postgres_plan *plan, uint64_t hash, const void *key,
                           size_t bytes)
{
    size_t mask = plan->slot_count - 1;
    for (size_t at = (size_t)hash & mask;; at = (at + 1) & mask) {
        if (plan->slots[at] == 0)
            return &plan->slots[at];
        const struct cr_postgres_entry *entry = &plan->entries[plan->slots[at] - 1];
        /* A slot that is not zero was set by fold_request, which has filled the entry before.
         * NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
        if (entry->hash == hash && entry->key_bytes == bytes && memcmp(entry->key, key, bytes) == 0)
            return &plan->slots[at];
    }
}

struct cr_postgres_entry *cr_postgres_find_key(const struct cr_postgres_plan *plan, const void *key,
                                               size_t bytes)
{
    uint32_t slot = *find_slot(plan, hash_key(key, bytes), key, bytes);
    return slot ? &plan->entries[slot - 1] : NULL;
}

static int fold_request(struct cr_postgres_plan *plan, size_t i, const void *input)
{
    const struct cr_postgres_face *face = plan->face;
    struct cr_postgres_entry like = {.status = CR_POSTGRES_OPEN, .input = input, .key = input};
    like.key_bytes = face->request.input_bytes;
    if (face->key)
        like.key = face->key(face->request.self, input, &like.key_bytes);
    if (!like.key || like.key_bytes > UINT32_MAX / 4 ||
        (face->fold == CORIO_POSTGRES_FOLD_INT64 && like.key_bytes != sizeof(int64_t)))
        return -EINVAL;
    like.hash = hash_key(like.key, like.key_bytes);
    uint32_t *slot = find_slot(plan, like.hash, like.key, like.key_bytes);
    if (*slot == 0) {
        plan->entries[plan->entry_count++] = like;
        *slot = (uint32_t)plan->entry_count;
    }
    plan->of_request[i] = *slot - 1;
    plan->entries[*slot - 1].requests++;
    return 0;
}

/* -- A plan's memory -- */

static void free_arrays(struct cr_postgres_plan *plan)
{
    free(plan->entries);
    free(plan->of_request);
    free(plan->slots);
    plan->entries = NULL;
    plan->of_request = NULL;
    plan->slots = NULL;
    plan->capacity = 0;
}

/* The arrays stay with the plan for the next batch, so a run of equal phases allocates once. A batch
 * is never empty: no arrays, no room. */
static int reserve(struct cr_postgres_plan *plan, size_t requests)
{
    bool fold = plan->face->fold != CORIO_POSTGRES_FOLD_NONE;
    if (plan->entries && requests <= plan->capacity)
        return 0;
    if (requests > UINT32_MAX / 4)
        return -E2BIG;
    size_t capacity = 64;
    while (capacity < requests)
        capacity *= 2;
    free_arrays(plan);
    plan->entries = malloc(capacity * sizeof *plan->entries);
    if (fold) {
        plan->of_request = malloc(capacity * sizeof *plan->of_request);
        plan->slots = malloc(2 * capacity * sizeof *plan->slots);
    }
    if (!plan->entries || (fold && (!plan->of_request || !plan->slots))) {
        free_arrays(plan);
        return -ENOMEM;
    }
    plan->capacity = capacity;
    return 0;
}

static int reserve_outputs(struct cr_postgres_plan *plan)
{
    size_t bytes = plan->entry_count * plan->face->request.output_bytes;
    if (bytes > plan->outputs_bytes) {
        free(plan->outputs);
        plan->outputs = malloc(bytes);
        plan->outputs_bytes = plan->outputs ? bytes : 0;
        if (!plan->outputs)
            return -ENOMEM;
    }
    if (bytes > 0)
        memset(plan->outputs, 0, bytes);
    return 0;
}

void cr_postgres_plan_destroy(struct cr_postgres_plan *plan)
{
    free_arrays(plan);
    free(plan->outputs);
    free(plan);
}

static struct cr_postgres_plan *begin_plan(struct cr_postgres_face *face)
{
    pthread_mutex_lock(&face->database->lock);
    struct cr_postgres_plan *plan = face->spare;
    if (plan)
        face->spare = plan->next;
    pthread_mutex_unlock(&face->database->lock);
    if (!plan)
        plan = calloc(1, sizeof *plan);
    if (plan)
        plan->face = face;
    return plan;
}

/* The last use of a plan: from here on a dispatch may take it again. */
static void give_back(struct cr_postgres_plan *plan)
{
    struct cr_postgres_face *face = plan->face;
    plan->requests = 0;
    plan->entry_count = 0;
    plan->share_count = 0;
    atomic_store_explicit(&plan->settled, false, memory_order_relaxed); /* the lock orders it */
    pthread_mutex_lock(&face->database->lock);
    plan->next = face->spare;
    face->spare = plan;
    pthread_mutex_unlock(&face->database->lock);
}

/* -- Filling it -- */

static void fill_plain(struct cr_postgres_plan *plan, corio_batch *batch)
{
    size_t output_bytes = plan->face->request.output_bytes;
    for (size_t i = 0; i < plan->requests; i++) {
        plan->entries[i] = (struct cr_postgres_entry){.status = CR_POSTGRES_OPEN,
                                                      .requests = 1,
                                                      .input = corio_batch_input(batch, i),
                                                      .output = corio_batch_output(batch, i)};
        if (output_bytes > 0)
            memset(plan->entries[i].output, 0, output_bytes);
    }
    plan->entry_count = plan->requests;
}

static int fill_folded(struct cr_postgres_plan *plan, corio_batch *batch)
{
    size_t output_bytes = plan->face->request.output_bytes;
    int rc = 0;
    plan->slot_count = 64;
    while (plan->slot_count < 2 * plan->requests)
        plan->slot_count *= 2;
    memset(plan->slots, 0, plan->slot_count * sizeof *plan->slots);
    for (size_t i = 0; rc == 0 && i < plan->requests; i++)
        rc = fold_request(plan, i, corio_batch_input(batch, i));
    if (rc == 0)
        rc = reserve_outputs(plan);
    for (size_t i = 0; rc == 0 && i < plan->entry_count; i++)
        plan->entries[i].output = plan->outputs + i * output_bytes;
    return rc;
}

static int fill(struct cr_postgres_plan *plan, corio_batch *batch)
{
    plan->requests = corio_batch_len(batch);
    int rc = reserve(plan, plan->requests);
    if (rc < 0)
        return rc;
    if (plan->face->fold != CORIO_POSTGRES_FOLD_NONE)
        return fill_folded(plan, batch);
    fill_plain(plan, batch);
    return 0;
}

static unsigned shares_for(const struct cr_postgres_plan *plan)
{
    size_t least = plan->of_request ? KEYS_A_SHARE : REQUESTS_A_SHARE;
    size_t shares = (plan->entry_count + least - 1) / least;
    size_t connections = plan->face->exec ? 1 : plan->face->database->options.connections;
    if (shares > connections)
        shares = connections;
    return shares == 0 ? 1 : (unsigned)shares;
}

/* Cuts the batch into shares, from its end on. Each is a slice, so that the batch completes itself;
 * what cannot be carved remains with the batch, which is a share then. */
static void carve(struct cr_postgres_plan *plan, corio_batch *batch, unsigned wanted)
{
    size_t each = plan->requests / wanted;
    size_t left = plan->requests;
    for (unsigned i = wanted; wanted > 1 && i-- > 0;) {
        struct cr_postgres_share *share = &plan->shares[plan->share_count];
        size_t first = each * i;
        *share = (struct cr_postgres_share){.first = first, .count = left - first};
        if (corio_batch_slice(batch, first, left - first, &share->batch) < 0)
            break;
        left = first;
        plan->share_count++;
    }
    if (left > 0)
        plan->shares[plan->share_count++] =
            (struct cr_postgres_share){.batch = batch, .count = left};
}

static void deal_entries(struct cr_postgres_plan *plan)
{
    bool fold = plan->of_request != NULL;
    for (unsigned i = 0; i < plan->share_count; i++) {
        struct cr_postgres_share *share = &plan->shares[i];
        size_t first = plan->entry_count * i / plan->share_count;
        size_t end = plan->entry_count * (i + 1) / plan->share_count;
        share->plan = plan;
        share->entries = plan->entries + (fold ? first : share->first);
        share->entry_count = fold ? end - first : share->count;
    }
}

static void count_batch(struct cr_postgres_plan *plan)
{
    corio_postgres_stats *stats = &plan->face->stats;
    size_t n = plan->requests;
    pthread_mutex_lock(&plan->face->database->lock);
    if (stats->batches == 0 || n < stats->smallest_batch)
        stats->smallest_batch = n;
    if (n > stats->largest_batch)
        stats->largest_batch = n;
    stats->batches++;
    stats->requests += n;
    stats->unique += plan->entry_count;
    pthread_mutex_unlock(&plan->face->database->lock);
}

int cr_postgres_dispatch(void *self, corio_batch *batch)
{
    struct cr_postgres_face *face = self;
    struct cr_postgres_plan *plan = begin_plan(face);
    if (!plan)
        return -ENOMEM;
    int rc = fill(plan, batch);
    if (rc < 0) {
        give_back(plan);
        return rc;
    }
    count_batch(plan);
    carve(plan, batch, shares_for(plan));
    deal_entries(plan);
    unsigned count = plan->share_count; /* with the last one started, the plan may be gone */
    atomic_store_explicit(&plan->unfinished, count,
                          memory_order_relaxed); /* submitting orders it */
    for (unsigned i = 0; i < count; i++)
        cr_postgres_start(&plan->shares[i]);
    return CORIO_LATER;
}

/* -- Answering -- */

void cr_postgres_settle(struct cr_postgres_share *share, int code, bool again)
{
    for (size_t i = 0; i < share->entry_count; i++) {
        struct cr_postgres_entry *entry = &share->entries[i];
        if (entry->status != CR_POSTGRES_OPEN)
            continue;
        entry->status = code;
        entry->again = again;
    }
}

void cr_postgres_settle_lost(struct cr_postgres_share *share, int code, uint64_t deadline_ns)
{
    bool early = code == -ETIMEDOUT && cr_postgres_now_ns() < deadline_ns; /* of a connect */
    cr_postgres_settle(share, code, early || cr_postgres_transient(code));
}

/* Twice as long with each try in a row, less up to a half, so that many programs do not come back
 * in step. */
static uint64_t delay_ns(corio_postgres *database, unsigned tries)
{
    uint64_t ms = LARGEST_DELAY_MS;
    if (tries < 16 && (uint64_t)FIRST_DELAY_MS << tries < ms)
        ms = (uint64_t)FIRST_DELAY_MS << tries;
    pthread_mutex_lock(&database->lock);
    database->random ^= database->random << 13; /* xorshift */
    database->random ^= database->random >> 7;
    database->random ^= database->random << 17;
    uint64_t random = database->random;
    pthread_mutex_unlock(&database->lock);
    uint64_t ns = ms * 1000000;
    return ns - random % (ns / 2);
}

/* What becomes of requests that may be put off; the same for all requests of an entry. */
struct put_off {
    bool allowed;
    uint64_t delay_ns;
};

static struct put_off decide(struct cr_postgres_face *face)
{
    /* Relaxed: it bounds nothing but the tries. */
    unsigned tries = atomic_load_explicit(&face->lost_in_row, memory_order_relaxed);
    if (tries >= face->database->options.retries)
        return (struct put_off){false, 0};
    return (struct put_off){true, delay_ns(face->database, tries)};
}

/* From here on an entry's memory is held by those who have the answer, one for each request. */
static void hand_over_memory(const struct cr_postgres_face *face, struct cr_postgres_entry *entries,
                             size_t count, const struct put_off *put_off)
{
    for (size_t i = 0; i < count; i++) {
        struct cr_postgres_entry *entry = &entries[i];
        corio_postgres_memory *memory = NULL;
        if (entry->again && put_off->allowed)
            cr_postgres_clear_output(face, entry);
        else if (face->request.with_memory)
            memcpy(&memory, entry->output, sizeof memory);
        if (memory) /* relaxed: nobody else has it yet */
            atomic_store_explicit(&memory->holders, entry->requests, memory_order_relaxed);
    }
}

/* Returns whether the request is put off. */
static bool answer_request(struct cr_postgres_share *share, size_t i, const struct put_off *put_off)
{
    const struct cr_postgres_plan *plan = share->plan;
    size_t at = share->first + i;
    const struct cr_postgres_entry *entry =
        &plan->entries[plan->of_request ? plan->of_request[at] : (uint32_t)at];
    size_t output_bytes = plan->of_request ? plan->face->request.output_bytes : 0;
    if (entry->again && put_off->allowed) {
        corio_batch_retry(share->batch, i, put_off->delay_ns);
        return true;
    }
    if (output_bytes > 0)
        memcpy(corio_batch_output(share->batch, i), entry->output, output_bytes);
    if (entry->status == 0)
        corio_batch_respond(share->batch, i);
    else
        corio_batch_fail(share->batch, i, entry->status);
    return false;
}

static void answer_share(struct cr_postgres_share *share, const struct put_off *put_off)
{
    struct cr_postgres_plan *plan = share->plan;
    struct cr_postgres_face *face = plan->face;
    size_t count = 0;
    for (size_t i = 0; i < share->count; i++)
        count += answer_request(share, i, put_off);
    if (count < share->count)
        atomic_store_explicit(&plan->settled, true, memory_order_relaxed); /* read after plan.end */
    if (count == 0)
        return;
    pthread_mutex_lock(&face->database->lock);
    face->stats.put_off += count;
    pthread_mutex_unlock(&face->database->lock);
}

static void count_share(const struct cr_postgres_share *share)
{
    struct cr_postgres_face *face = share->plan->face;
    pthread_mutex_lock(&face->database->lock);
    face->stats.statements += share->statements;
    face->stats.commits += share->commits;
    pthread_mutex_unlock(&face->database->lock);
}

static void count_loss(struct cr_postgres_plan *plan)
{
    atomic_uint *lost_in_row = &plan->face->lost_in_row;
    unsigned tries = atomic_load_explicit(lost_in_row, memory_order_relaxed);
    bool settled = atomic_load_explicit(&plan->settled, memory_order_relaxed);
    atomic_store_explicit(lost_in_row, settled ? 0 : tries + 1, memory_order_relaxed);
}

/* Answers the requests of `count` shares, whose entries are these. */
static void answer(struct cr_postgres_share *shares, unsigned count,
                   struct cr_postgres_entry *entries, size_t entry_count)
{
    struct cr_postgres_face *face = shares->plan->face;
    const struct put_off put_off = decide(face);
    hand_over_memory(face, entries, entry_count, &put_off);
    for (unsigned i = 0; i < count; i++)
        answer_share(&shares[i], &put_off);
}

/* Without folding every share answers its own. The plan may be gone once it has counted itself out,
 * so the batch is kept aside. */
static void end_plain(struct cr_postgres_share *share)
{
    struct cr_postgres_plan *plan = share->plan;
    corio_batch *batch = share->batch;
    answer(share, 1, share->entries, share->entry_count);
    /* [acq_rel plan.end] */
    bool last = atomic_fetch_sub_explicit(&plan->unfinished, 1, memory_order_acq_rel) == 1;
    if (last) {
        count_loss(plan);
        give_back(plan);
    }
    corio_batch_complete(batch);
}

/* With folding nothing can be answered before the last share has ended. */
static void end_folded(struct cr_postgres_plan *plan)
{
    /* [acq_rel plan.end] */
    if (atomic_fetch_sub_explicit(&plan->unfinished, 1, memory_order_acq_rel) != 1)
        return;
    answer(plan->shares, plan->share_count, plan->entries, plan->entry_count);
    count_loss(plan);
    for (unsigned i = 0; i < plan->share_count; i++)
        corio_batch_complete(plan->shares[i].batch);
    give_back(plan);
}

void cr_postgres_end_share(struct cr_postgres_share *share)
{
    count_share(share);
    if (share->plan->of_request)
        end_folded(share->plan);
    else
        end_plain(share);
}
