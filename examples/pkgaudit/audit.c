/* SPDX-License-Identifier: MIT
 *
 * audit.c - the audit over corio tasks, and the steps that all modes share.
 *
 *     root task --+-- walker 0: root 0: ask(level 0) | resolve | ask(level 1) | resolve | ... root n: ...
 *                 +-- walker 1: root 1: ...
 *
 * The walks of a phase are resolved in parallel on all workers; their next levels leave together as
 * one batch. With the memory of batch mode a walk first goes as deep as that leads it.
 */
#include "audit.h"

#include "resolve.h"
#include "singly.h"

#include <corio.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    /* Walks under way at once: what they touch should fit into the caches. With a memory few walks
     * are enough to fill a batch; without one, equal requests are found within a batch only. */
    WALKERS = 512,
    WALKERS_REMEMBERING = 128,
    GRAPH_CHUNK = 32,       /* packages of one job of step 2 */
    LOOK_UP = 32,           /* members looked up at a time */
    PROGRESS_NS = 100000000 /* between two progress lines */
};

const char *mode_name(enum mode mode)
{
    static const char *const names[] = {"batch", "item", "threads"};
    return names[mode];
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Wall time and processor time since some moment. */
struct stopwatch {
    int64_t wall_ns;
    int64_t processor_ns;
};

static struct stopwatch stopwatch_begin(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (struct stopwatch){now_ns(), (int64_t)used.tv_sec * 1000000000 + used.tv_nsec};
}

static void stopwatch_end(struct stopwatch since, struct audit_figures *figures)
{
    struct stopwatch now = stopwatch_begin();
    figures->wall_s = (double)(now.wall_ns - since.wall_ns) * 1e-9;
    figures->processor_s = (double)(now.processor_ns - since.processor_ns) * 1e-9;
}

static int no_memory(struct audit *audit)
{
    return failure_set(audit->failure, EXIT_OTHER, "no memory");
}

/* -- Step 1: a root's closure -- */

static void show_progress(struct audit *audit)
{
    uint32_t finished = atomic_fetch_add_explicit(&audit->finished, 1, memory_order_relaxed) + 1;
    if (!audit->options.progress)
        return;
    int64_t now = now_ns();
    int_fast64_t due = atomic_load_explicit(&audit->next_progress_ns, memory_order_relaxed);
    if (now < due ||
        !atomic_compare_exchange_strong(&audit->next_progress_ns, &due, now + PROGRESS_NS))
        return;
    fprintf(stderr, "\r%s: %u of %u roots, %llu requests ", mode_name(audit->options.mode),
            finished, audit->root_count, (unsigned long long)atomic_load(&audit->requests));
}

/* Takes the answer for one member: what it needs joins the closure. */
static int take_edges(struct closure *closure, const struct edges *edges, uint32_t *missing)
{
    struct resolver resolver;
    uint32_t found;
    enum choice choice;
    resolve_begin(&resolver, edges);
    while ((choice = resolve_next(&resolver, &found)) != CHOICE_END) {
        if (choice == CHOICE_MISSING)
            ++*missing;
        else if (closure_add(closure, found) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* Asks for ids[0..count) and takes the answers. */
static int ask_and_take(struct audit *audit, struct asker *asker, struct closure *closure,
                        const uint32_t *ids, uint32_t count, uint32_t *missing)
{
    if (count > asker->answer_room) {
        free(asker->answers);
        asker->answer_room = 2 * count;
        asker->answers = malloc(asker->answer_room * sizeof *asker->answers);
        if (!asker->answers) {
            asker->answer_room = 0;
            return no_memory(audit);
        }
    }
    int rc = asker->ask(asker, ids, count, asker->answers);
    for (uint32_t i = 0; rc == 0 && i < count; i++)
        if (take_edges(closure, &asker->answers[i], missing) < 0)
            rc = no_memory(audit);
    return rc;
}

static int add_unknown(struct asker *asker, uint32_t count, uint32_t id)
{
    if (count == asker->unknown_room) {
        uint32_t room = count ? 2 * count : 64;
        uint32_t *moved = realloc(asker->unknown, room * sizeof *moved);
        if (!moved)
            return -ENOMEM;
        asker->unknown = moved;
        asker->unknown_room = room;
    }
    asker->unknown[count] = id;
    return 0;
}

static void recall(const struct asker *asker, const uint32_t *ids, uint32_t count,
                   struct edges *answers, bool *found)
{
    asker->question->kind->recall(asker->question, ids, count, answers, found);
}

/* Takes what is remembered of the members from *seen on, and of those that join by that, as deep as
 * it goes; leaves the others in asker->unknown. */
static int take_remembered(struct asker *asker, struct closure *closure, uint32_t *seen,
                           uint32_t *ret_unknown, uint32_t *missing)
{
    struct edges edges[LOOK_UP];
    bool found[LOOK_UP];
    uint32_t unknown = 0;
    while (*seen < closure->count) {
        uint32_t first = *seen;
        uint32_t count = closure->count - first < LOOK_UP ? closure->count - first : LOOK_UP;
        recall(asker, closure->members + first, count, edges, found);
        *seen += count;
        for (uint32_t i = 0; i < count; i++) {
            int rc = found[i] ? take_edges(closure, &edges[i], missing)
                              : add_unknown(asker, unknown++, closure->members[first + i]);
            if (rc < 0)
                return rc;
        }
    }
    *ret_unknown = unknown;
    return 0;
}

/* Goes on with the members from *seen on: one level, or as deep as the memory goes and one more. */
static int walk_on(struct audit *audit, struct asker *asker, struct closure *closure,
                   uint32_t *seen, uint32_t *missing)
{
    const uint32_t *ids = closure->members + *seen;
    uint32_t count = closure->count - *seen;
    if (asker->remembers) {
        if (take_remembered(asker, closure, seen, &count, missing) < 0)
            return no_memory(audit);
        ids = asker->unknown;
    }
    *seen = closure->count;
    return count > 0 ? ask_and_take(audit, asker, closure, ids, count, missing) : 0;
}

static void keep_result(struct audit *audit, const struct closure *closure, uint32_t index,
                        uint32_t missing)
{
    struct root_result *result = &audit->results[index];
    *result = (struct root_result){
        .package = closure->members[0], .size = closure->count - 1, .missing = missing};
    for (uint32_t i = 1; i < closure->count; i++)
        result->members += audit->universe->hash[closure->members[i]];
    /* Relaxed: all write the same, and it is read when all are done. */
    for (uint32_t i = 0; i < closure->count; i++)
        if (!atomic_load_explicit(&audit->marks[closure->members[i]], memory_order_relaxed))
            atomic_store_explicit(&audit->marks[closure->members[i]], 1, memory_order_relaxed);
}

static int walk_root(struct audit *audit, struct asker *asker, uint32_t index)
{
    struct closure closure;
    uint32_t missing = 0;
    if (closure_init(&closure, audit->roots[index]) < 0)
        return no_memory(audit);
    int rc = 0;
    for (uint32_t seen = 0; rc == 0 && seen < closure.count;) {
        rc = failure_if_interrupted(audit->failure);
        if (rc == 0)
            rc = walk_on(audit, asker, &closure, &seen, &missing);
    }
    if (rc == 0) {
        atomic_fetch_add_explicit(&audit->requests, closure.count, memory_order_relaxed);
        keep_result(audit, &closure, index, missing);
        show_progress(audit);
    }
    closure_fini(&closure);
    return rc;
}

/* -- Step 2: the graph -- */

static int keep_node(struct node *node, const struct edges *edges)
{
    struct resolver resolver;
    uint32_t found;
    enum choice choice;
    node->chosen = malloc((edges->rows + 1) * sizeof *node->chosen);
    node->missing = malloc((edges->rows + 1) * sizeof *node->missing);
    if (!node->chosen || !node->missing)
        return -ENOMEM;
    resolve_begin(&resolver, edges);
    while ((choice = resolve_next(&resolver, &found)) != CHOICE_END) {
        if (choice == CHOICE_MISSING)
            node->missing[node->missing_count++] = found;
        else
            node->chosen[node->chosen_count++] = found;
    }
    return 0;
}

/* Keeps the nodes that are remembered; lists the others. */
static int keep_remembered(struct audit *audit, const struct asker *asker, const uint32_t *ids,
                           uint32_t count, uint32_t *unknown, uint32_t *ret_unknown)
{
    struct edges edges[GRAPH_CHUNK];
    bool found[GRAPH_CHUNK];
    int rc = 0;
    *ret_unknown = 0;
    recall(asker, ids, count, edges, found);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        if (found[i])
            rc = keep_node(&audit->nodes[ids[i]], &edges[i]);
        else
            unknown[(*ret_unknown)++] = ids[i];
    }
    return rc;
}

static int keep_chunk(struct audit *audit, struct asker *asker, uint32_t index)
{
    struct edges answers[GRAPH_CHUNK];
    uint32_t unknown[GRAPH_CHUNK];
    const uint32_t *ids = audit->reached + (size_t)index * GRAPH_CHUNK;
    uint32_t count = audit->reached_count - index * GRAPH_CHUNK;
    if (count > GRAPH_CHUNK)
        count = GRAPH_CHUNK;
    atomic_fetch_add_explicit(&audit->requests, count, memory_order_relaxed);
    int rc = failure_if_interrupted(audit->failure);
    if (rc == 0 && asker->remembers) {
        if (keep_remembered(audit, asker, ids, count, unknown, &count) < 0)
            return no_memory(audit);
        ids = unknown;
    }
    if (rc == 0 && count > 0)
        rc = asker->ask(asker, ids, count, answers);
    for (uint32_t i = 0; rc == 0 && i < count; i++)
        if (keep_node(&audit->nodes[ids[i]], &answers[i]) < 0)
            rc = no_memory(audit);
    return rc;
}

static int list_reached(struct audit *audit)
{
    uint32_t largest = audit->universe->largest_id;
    audit->reached = malloc((largest + 1) * sizeof *audit->reached);
    if (!audit->reached)
        return no_memory(audit);
    for (uint32_t id = 1; id <= largest; id++)
        if (atomic_load_explicit(&audit->marks[id], memory_order_relaxed))
            audit->reached[audit->reached_count++] = id;
    return 0;
}

/* -- Both steps over corio -- */

static bool remembers(const struct audit *audit)
{
    return audit->options.mode == MODE_BATCH && audit->options.memory;
}

static int ask_corio(struct asker *asker, const uint32_t *ids, uint32_t count,
                     struct edges *answers)
{
    return asker->question->kind->ask(asker->question, &asker->sheet, ids, count, answers);
}

struct step {
    struct audit *audit;
    struct question *question;
    audit_job *job;
    uint32_t count;
};

/* One of the step's tasks: takes every n-th piece of work, so who does what, and with it what is in
 * a batch, does not depend on timing. */
struct walker {
    const struct step *step;
    uint32_t first;
    uint32_t every;
};

static int walker_task(void *arg)
{
    const struct walker *walker = arg;
    const struct step *step = walker->step;
    struct audit *audit = step->audit;
    struct asker asker = {
        .ask = ask_corio, .remembers = remembers(audit), .question = step->question};
    int rc = 0;
    for (uint32_t i = walker->first; rc == 0 && i < step->count; i += walker->every)
        rc = step->job(audit, &asker, i);
    asker.question->kind->end_sheet(&asker.sheet);
    free(asker.answers);
    free(asker.unknown);
    if (rc < 0)
        store_failed(audit->store, rc);
    return rc;
}

static int step_task(void *arg)
{
    const struct step *step = arg;
    uint32_t walkers = remembers(step->audit) ? WALKERS_REMEMBERING : WALKERS;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < walkers && i < step->count; i++) {
        struct walker walker = {step, i, walkers};
        rc = corio_go_copy(walker_task, &walker, sizeof walker);
    }
    int children = corio_wait();
    return rc < 0 ? rc : children;
}

static void take_figures(struct audit *audit, corio_runtime *runtime,
                         const struct question *question)
{
    struct question_figures asked;
    corio_stats stats = {.size = sizeof stats};
    question->kind->take_figures(question, &asked);
    corio_runtime_stats(runtime, &stats);
    audit->figures.workers = stats.workers;
    audit->figures.unique = asked.unique;
    audit->figures.statements = asked.statements;
    audit->figures.phases = stats.phases;
    audit->figures.batched = asked.requests;
    audit->figures.batches = asked.batches;
    audit->figures.smallest_batch = asked.smallest_batch;
    audit->figures.largest_batch = asked.largest_batch;
    audit->figures.cpu_s = (double)stats.cpu_phase_ns * 1e-9;
    audit->figures.io_s = (double)stats.io_phase_ns * 1e-9;
}

static int make_question(struct audit *audit, corio_runtime *runtime, struct question **ret)
{
    const struct store_kind *kind = audit->store->kind;
    if (audit->options.mode == MODE_BATCH)
        return kind->question(audit->store, runtime, remembers(audit), ret);
    return kind->single ? kind->single(audit->store, runtime, ret)
                        : singly_create(audit->store, runtime, ret);
}

static int run_step(struct audit *audit, corio_runtime *runtime, struct step *step)
{
    int rc = corio_run(runtime, step_task, step);
    if (rc < 0)
        store_failed(audit->store, rc);
    return rc < 0 ? rc : failure_if_interrupted(audit->failure);
}

static int run_corio(struct audit *audit)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    options.workers = audit->options.workers;
    options.wait_mode =
        CORIO_WAIT_STRICT; /* a batch's shares answer together: no cohorts that go apart */
    int rc = corio_runtime_create(&options, &runtime);
    if (rc < 0)
        return failure_set(audit->failure, EXIT_OTHER, "runtime: %s", corio_strerror(rc));
    struct question *question = NULL;
    rc = make_question(audit, runtime, &question);
    struct step step = {.audit = audit, .question = question, .job = walk_root};
    step.count = audit->root_count;
    struct stopwatch stopwatch = stopwatch_begin();
    if (rc == 0)
        rc = run_step(audit, runtime, &step);
    if (rc == 0)
        rc = list_reached(audit);
    step.job = keep_chunk;
    step.count = (audit->reached_count + GRAPH_CHUNK - 1) / GRAPH_CHUNK;
    if (rc == 0)
        rc = run_step(audit, runtime, &step);
    stopwatch_end(stopwatch, &audit->figures);
    if (rc == 0)
        take_figures(audit, runtime, question);
    corio_runtime_destroy(runtime);
    if (question)
        question->kind->destroy(question);
    return rc;
}

/* -- Both steps on plain threads -- */

static int run_threads(struct audit *audit)
{
    struct threads *threads;
    int rc = threads_create(audit, &threads);
    if (rc < 0)
        return rc;
    struct stopwatch stopwatch = stopwatch_begin();
    rc = threads_run(threads, walk_root, audit->root_count);
    if (rc == 0)
        rc = list_reached(audit);
    if (rc == 0)
        rc = threads_run(threads, keep_chunk,
                         (audit->reached_count + GRAPH_CHUNK - 1) / GRAPH_CHUNK);
    stopwatch_end(stopwatch, &audit->figures);
    audit->figures.workers = audit->options.threads;
    audit->figures.statements = threads_statements(threads);
    audit->figures.unique = audit->figures.statements;
    threads_destroy(threads);
    return rc;
}

int audit_run(struct audit *audit)
{
    uint32_t largest = audit->universe->largest_id;
    audit->results = calloc(audit->root_count + 1, sizeof *audit->results);
    audit->nodes = calloc((size_t)largest + 1, sizeof *audit->nodes);
    audit->marks = calloc((size_t)largest + 1, sizeof *audit->marks);
    if (!audit->results || !audit->nodes || !audit->marks)
        return no_memory(audit);
    int rc = audit->options.mode == MODE_THREADS ? run_threads(audit) : run_corio(audit);
    if (audit->options.progress)
        fprintf(stderr, "\r\033[K");
    audit->figures.requests = atomic_load(&audit->requests);
    return rc;
}

void audit_fini(struct audit *audit)
{
    for (uint32_t i = 0; audit->nodes && i <= audit->universe->largest_id; i++) {
        free(audit->nodes[i].chosen);
        free(audit->nodes[i].missing);
    }
    free(audit->results);
    free(audit->nodes);
    free(audit->reached);
    free(audit->marks);
}
