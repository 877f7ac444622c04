/* SPDX-License-Identifier: MIT
 *
 * query.c - the query dispatcher: a batch becomes a plan (plan.h), readers work on it side by side.
 *
 *     dispatch -> plan --+-> here:   claim and ask in a read transaction --+-> the last one answers
 *                        +-> helper: the same                            --+
 *
 * A share claims keys until none are left, and counts itself out. The share that counts out last
 * finds every key read, and answers and completes the batch. The dispatching thread has a share
 * too: all of a batch of few keys, since to wake a helper costs more than to ask them.
 *
 * Edges
 *   plan.end    a share's entries and its last look at the plan -> the last share, which remembers them and answers
 */
#include "plan.h"

#include "../options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLAIM = 4,          /* entries that a share takes at a time */
    ASKED_A_SHARE = 32, /* fewest keys worth another reader */
    SPIN_ROUNDS = 1000, /* 20 to 40 us: about what a wake-up costs */
};

/* In a loop that waits: leaves the core's means to whoever shares it. */
static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static const uint64_t busy_delay_ns = 5000000;

/* -- Asking -- */

static int step_rows(struct query *query, sqlite3_stmt *statement, corio_sqlite_memory *memory,
                     struct entry *entry, int *ret_result)
{
    int rc = 0;
    int result = SQLITE_OK;
    while (rc == 0) {
        result = sqlite3_step(statement);
        if (result != SQLITE_ROW)
            break;
        rc = query->options.row(query->options.self, memory, statement, entry->answer->output);
    }
    *ret_result = result;
    return rc < 0 ? rc : 0;
}

static void ask(struct plan *plan, struct cr_sqlite_connection *reader, corio_sqlite_memory *memory,
                struct entry *entry)
{
    struct query *query = plan->query;
    sqlite3_stmt *statement = query->statements[reader->number];
    int result = SQLITE_OK;
    entry->answer = cr_sqlite_answer_create(query, memory, entry);
    if (!entry->answer) {
        entry->status = -ENOMEM;
        return;
    }
    const char *newest = memory->newest;
    int rc = query->options.bind(query->options.self, statement, entry->input);
    if (rc == 0)
        rc = step_rows(query, statement, memory, entry, &result);
    if (memory->newest != newest)
        atomic_store_explicit(&query->points, true, memory_order_relaxed);
    if (rc == 0 && result != SQLITE_ROW && result != SQLITE_DONE)
        rc = cr_sqlite_failed(query->face.database, reader, result);
    sqlite3_reset(statement);
    if (rc == -EBUSY)
        atomic_store_explicit(&plan->busy, true, memory_order_relaxed); /* read after plan.end */
    entry->status = rc < 0 ? rc : 0;
}

static void ask_range(struct plan *plan, struct cr_sqlite_connection *reader,
                      corio_sqlite_memory *memory, size_t first, size_t last)
{
    for (size_t i = first; i < last; i++)
        ask(plan, reader, memory, &plan->entries[plan->asked[i]]);
}

/* Claims and asks until nothing is left. One read transaction spares each statement its own lock
 * and unlock; if it cannot begin, the statements will say why. */
static void read_share(struct plan *plan, struct share *share)
{
    corio_sqlite *database = plan->query->face.database;
    struct cr_sqlite_connection *reader = cr_sqlite_take_reader(database);
    bool together = !plan->query->options.singly;
    if (together)
        cr_sqlite_finish(reader->begin);
    for (;;) {
        size_t first = atomic_fetch_add_explicit(&plan->claimed, CLAIM, memory_order_relaxed);
        if (first >= plan->asked_count)
            break;
        size_t last = first + CLAIM < plan->asked_count ? first + CLAIM : plan->asked_count;
        ask_range(plan, reader, &share->memory, first, last);
    }
    if (together)
        cr_sqlite_finish(reader->commit);
    cr_sqlite_give_reader(database, reader);
}

/* -- Answering -- */

static void answer(struct plan *plan, size_t i, bool put_off)
{
    size_t output_bytes = plan->query->options.output_bytes;
    const struct entry *entry = &plan->entries[plan->of_request[i]];
    if (entry->status == 0) {
        if (output_bytes > 0)
            memcpy(corio_batch_output(plan->batch, i), entry->answer->output, output_bytes);
        corio_batch_respond(plan->batch, i);
    } else if (entry->status == -EBUSY && put_off) {
        corio_batch_retry(plan->batch, i, busy_delay_ns << plan->tries);
    } else {
        corio_batch_fail(plan->batch, i, entry->status);
    }
}

/* The last use of a plan: from here on a dispatch may recycle it. */
static void mark_done(struct plan *plan)
{
    struct query *query = plan->query;
    pthread_mutex_lock(&query->face.database->lock);
    query->face.stats.busy += atomic_load_explicit(&plan->busy, memory_order_relaxed);
    plan->done_generation = query->generation;
    plan->done = true;
    pthread_mutex_unlock(&query->face.database->lock);
}

/* Every entry is read. A batch is tried again as often as the options say; a relaxed count, since
 * it bounds nothing but the tries. */
static void answer_all(struct plan *plan)
{
    struct query *query = plan->query;
    bool busy = atomic_load_explicit(&plan->busy, memory_order_relaxed);
    bool put_off = busy && plan->tries < query->face.database->options.busy_retries;
    atomic_store_explicit(&query->busy_in_row, put_off ? plan->tries + 1 : 0, memory_order_relaxed);
    for (size_t i = 0; i < plan->requests; i++)
        answer(plan, i, put_off);
    corio_batch_complete(plan->batch);
}

/* The plan may be recycled once the last one has marked it done. */
static void count_out(struct plan *plan)
{
    /* [acq_rel plan.end] */
    if (atomic_fetch_sub_explicit(&plan->unfinished, 1, memory_order_acq_rel) == 1) {
        cr_sqlite_recall_keep(plan->query, plan);
        answer_all(plan);
        mark_done(plan);
    }
}

static void read_if_any(struct plan *plan, struct share *share)
{
    if (atomic_load_explicit(&plan->claimed, memory_order_relaxed) < plan->asked_count)
        read_share(plan, share);
}

void cr_sqlite_read_along(struct plan *plan, struct share *share)
{
    read_if_any(plan, share);
    count_out(plan);
}

/* -- Dispatching -- */

static unsigned shares_for(const struct plan *plan)
{
    if (plan->query->options.singly)
        return 1;
    size_t shares = (plan->asked_count + ASKED_A_SHARE - 1) / ASKED_A_SHARE;
    unsigned readers = plan->query->face.database->options.readers;
    return shares > readers ? readers : shares > 0 ? (unsigned)shares : 1;
}

/* Reads here and now: reading a cached database is CPU work, and this thread would only sleep
 * meanwhile. In the end helpers have a few statements to go at most: to wait for them for a moment
 * costs less than to go to sleep and be woken by the last one. */
static void read_with_helpers(struct plan *plan, unsigned helpers)
{
    plan->share_count = 1;
    atomic_store(&plan->unfinished, 1);
    cr_sqlite_offer(plan, helpers);
    read_if_any(plan, &plan->shares[0]);
    if (helpers > 0)
        cr_sqlite_withdraw(plan);
    for (unsigned i = 0; i < SPIN_ROUNDS; i++) {
        if (atomic_load_explicit(&plan->unfinished, memory_order_relaxed) == 1)
            break;
        relax();
    }
    count_out(plan);
}

/* Recycles plans whose answers nobody looks at any more; returns how many are not done. */
static size_t sweep_locked(struct query *query)
{
    size_t in_flight = 0;
    for (struct plan **at = &query->plans; *at;) {
        struct plan *plan = *at;
        if (!plan->done || query->generation < plan->done_generation + 2) {
            in_flight += !plan->done;
            at = &plan->next;
            continue;
        }
        *at = plan->next;
        plan->next = query->spare;
        query->spare = plan;
        cr_sqlite_plan_clear(plan);
    }
    return in_flight;
}

static struct plan *begin_plan(struct query *query, corio_batch *batch)
{
    pthread_mutex_t *lock = &query->face.database->lock;
    pthread_mutex_lock(lock);
    if (query->generation == 0 ||
        (query->last_phase != corio_batch_phase(batch) && corio_batch_partial_calls(batch) == 0)) {
        query->generation++;
        query->last_phase = corio_batch_phase(batch);
    }
    cr_sqlite_count_batch_locked(&query->face, corio_batch_len(batch));
    size_t in_flight = sweep_locked(query);
    pthread_mutex_unlock(lock);
    cr_sqlite_recall_check(query,
                           in_flight); /* may fail, and then needs the lock for SQLite's words */
    pthread_mutex_lock(lock);
    struct plan *plan = query->spare;
    if (plan)
        query->spare = plan->next;
    else
        plan = calloc(1, sizeof *plan);
    if (plan) {
        plan->query = query;
        plan->data_version = query->recall.data_version;
        plan->tries = atomic_load_explicit(&query->busy_in_row, memory_order_relaxed);
        plan->next = query->plans;
        query->plans = plan;
    }
    pthread_mutex_unlock(lock);
    return plan;
}

/* Counted before anything runs: when the tasks have their answers, the figures are whole. */
static void count_plan(struct plan *plan, unsigned shares)
{
    struct query *query = plan->query;
    corio_sqlite_stats *stats = &query->face.stats;
    pthread_mutex_lock(&query->face.database->lock);
    stats->unique += plan->entry_count;
    stats->remembered += plan->entry_count - plan->asked_count;
    stats->statements += plan->asked_count;
    if (plan->asked_count > 0)
        stats->transactions += query->options.singly ? plan->asked_count : shares;
    pthread_mutex_unlock(&query->face.database->lock);
}

static int dispatch(void *self, corio_batch *batch)
{
    struct query *query = self;
    struct plan *plan = begin_plan(query, batch);
    if (!plan)
        return -ENOMEM;
    int rc = cr_sqlite_plan_fill(plan, batch);
    if (rc < 0) {
        plan->entry_count = plan->asked_count = 0;
        mark_done(plan);
        return rc;
    }
    unsigned shares = shares_for(plan);
    count_plan(plan, shares);
    read_with_helpers(plan, shares - 1);
    return CORIO_LATER;
}

/* -- Adding and removing -- */

static void destroy_plans(struct plan *plan)
{
    while (plan) {
        struct plan *next = plan->next;
        cr_sqlite_plan_destroy(plan);
        plan = next;
    }
}

void cr_sqlite_query_destroy(struct cr_sqlite_face *face)
{
    struct query *query = (struct query *)face;
    destroy_plans(query->plans);
    destroy_plans(query->spare);
    for (unsigned i = 0; query->statements && i < face->database->options.readers; i++)
        sqlite3_finalize(query->statements[i]);
    cr_sqlite_recall_fini(query);
    cr_sqlite_memory_fini(&query->restored);
    free(query->statements);
    free(query);
}

static int prepare_all(corio_sqlite *database, struct query *query, const char *sql)
{
    query->statements = calloc(database->options.readers, sizeof *query->statements);
    if (!query->statements)
        return -ENOMEM;
    for (unsigned i = 0; i < database->options.readers; i++) {
        int rc = cr_sqlite_prepare(database, &database->readers[i], sql, &query->statements[i]);
        if (rc < 0)
            return rc;
        if (!sqlite3_stmt_readonly(query->statements[i]))
            return -EINVAL;
    }
    return 0;
}

static uint64_t hash_input(void *self, const void *input)
{
    struct query *query = self;
    size_t bytes = 0;
    const void *key = query->options.key(query->options.self, input, &bytes);
    return corio_hash_bytes(CORIO_HASH_BEGIN, key, bytes);
}

static int add_dispatcher(corio_runtime *runtime, struct query *query, const char *name,
                          corio_dispatcher **ret)
{
    const corio_dispatcher_options options = {
        .size = sizeof options,
        .name = name ? name : "sqlite",
        .input_bytes = query->options.input_bytes,
        .output_bytes = query->options.output_bytes,
        .dispatch = dispatch,
        .self = query,
        .hash = query->options.key ? hash_input : NULL,
        .save = cr_sqlite_save,
        .restore = cr_sqlite_restore,
        .max_batch = query->options.max_batch,
        .max_in_flight = query->options.max_in_flight,
    };
    return corio_dispatcher_add(runtime, &options, ret);
}

int corio_sqlite_add_query(corio_sqlite *database, corio_runtime *runtime,
                           const corio_sqlite_query *options, corio_dispatcher **ret_dispatcher)
{
    corio_sqlite_query taken;
    if (!database || !runtime || !ret_dispatcher ||
        !cr_options_take(&taken, sizeof taken, options, offsetof(corio_sqlite_query, save)) ||
        !taken.sql || !taken.bind || !taken.row || !taken.save != !taken.restore)
        return -EINVAL;
    if (database->options.offline && !corio_runtime_replaying(runtime))
        return -ENOTCONN;
    struct query *query = calloc(1, sizeof *query);
    if (!query)
        return -ENOMEM;
    query->face.database = database;
    query->face.destroy = cr_sqlite_query_destroy;
    query->options = taken;
    /* What is remembered does not come through the dispatcher. */
    if (taken.singly || corio_runtime_recording(runtime) || corio_runtime_replaying(runtime))
        query->options.remember_bytes = 0;
    int rc = cr_sqlite_recall_init(query);
    if (rc == 0 && !database->options.offline)
        rc = prepare_all(database, query, taken.sql);
    if (rc == 0)
        rc = add_dispatcher(runtime, query, taken.name, ret_dispatcher);
    if (rc < 0) {
        cr_sqlite_query_destroy(&query->face);
        return rc;
    }
    cr_sqlite_add_face(database, &query->face);
    return 0;
}
