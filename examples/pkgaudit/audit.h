/* SPDX-License-Identifier: MIT
 *
 * audit.h - the audit: what each root needs, what is missing, and which packages need each other.
 *
 * Step 1 walks from each root by itself, level by level, and asks for the edges of every package it
 * reaches: one request for each root and member of its closure. Step 2 asks once for each package
 * that any root reached, and keeps the choices as a graph for the search of cycles. All modes do
 * this same work, with the same code; they differ in how a request is answered:
 *
 *     batch    corio: all requests of a phase are one batch; equal ones are asked once. An answer is remembered for the
 *              run, and looked up before it is asked for, as in threads; off with --no-memory. Over SQLite the
 *              dispatcher remembers, and drops an answer if the database changes. Over a server the program does, in
 *              a cache that its tasks share: then what is in a batch depends on timing, since a task finds what
 *              another has put there in the same phase
 *     item     corio: every request is a query of its own on one connection; nothing is shared
 *     threads  plain threads, each with a connection and a prepared statement; a cache that all share remembers every
 *              answer for the run
 *
 * The results are the same in every mode: they depend on the data only.
 */
#ifndef PKGAUDIT_AUDIT_H
#define PKGAUDIT_AUDIT_H

#include "closure.h"
#include "failure.h"
#include "store.h"

#include <stdatomic.h>

enum mode {
    MODE_BATCH,
    MODE_ITEM,
    MODE_THREADS,
};

const char *mode_name(enum mode mode);

struct audit_options {
    enum mode mode;
    unsigned workers; /* 0: the library's default */
    unsigned threads; /* of MODE_THREADS */
    bool memory;      /* batch: remember answers for the run */
    bool progress;    /* a line on stderr */
};

/* What was found for one root. */
struct root_result {
    uint32_t package;
    uint32_t size;    /* members of the closure besides the root */
    uint64_t members; /* sum of the hashes of their names */
    uint32_t missing; /* dependencies of root and members that nothing meets */
};

/* A package that was reached: what its dependencies are met by. */
struct node {
    uint32_t *chosen;
    uint32_t chosen_count;
    uint32_t *missing; /* positions */
    uint32_t missing_count;
};

struct audit_figures {
    unsigned workers;
    uint64_t requests;
    uint64_t unique; /* keys left when those of a batch are counted once */
    uint64_t statements;
    uint64_t phases;  /* 0 in MODE_THREADS, as the next six */
    uint64_t batched; /* requests in batches: what is remembered is not asked */
    uint64_t batches;
    uint64_t smallest_batch;
    uint64_t largest_batch;
    double cpu_s; /* of the wall time: with tasks running */
    double io_s;  /* of the wall time: between the end of all tasks' work and their resume */
    double wall_s;
    double processor_s; /* processor time that all threads used in it */
};

struct audit {
    const struct universe *universe;
    struct store *store;
    struct audit_options options;
    struct failure *failure;
    const uint32_t *roots; /* ids in order of names */
    uint32_t root_count;
    /* The results: */
    struct root_result *results; /* in the order of roots */
    struct node *nodes;          /* by id */
    uint32_t *reached;           /* ids that roots reached, ascending */
    uint32_t reached_count;
    struct audit_figures figures;
    /* In use while it runs: */
    atomic_uchar *marks; /* by id: some root reached it */
    atomic_uint finished;
    atomic_uint_fast64_t requests;
    atomic_int_fast64_t next_progress_ns;
};

/* Where a walk gets its answers. */
struct asker {
    /* Answers all of ids[0..count); the answers are valid until the next call. Returns 0 or a
     * negative code with the failure noted. */
    int (*ask)(struct asker *asker, const uint32_t *ids, uint32_t count, struct edges *answers);
    bool remembers;            /* batch: what is remembered is taken before the rest is asked */
    struct question *question; /* batch and item */
    struct sheet sheet;
    struct worker *worker; /* threads */
    struct edges *answers; /* room for a level's answers */
    uint32_t answer_room;
    uint32_t *unknown; /* ids that are not remembered */
    uint32_t unknown_room;
};

/* One step's piece of work number `index`, with an asker of its own. */
typedef int audit_job(struct audit *audit, struct asker *asker, uint32_t index);

/* Runs the audit. All but the options and roots is filled; release it with audit_fini. */
int audit_run(struct audit *audit);
void audit_fini(struct audit *audit);

/* threads.c: a step on plain threads. */
struct threads;
int threads_create(struct audit *audit, struct threads **ret_threads);
int threads_run(struct threads *threads, audit_job *job, uint32_t count);
uint64_t threads_statements(const struct threads *threads);
void threads_destroy(struct threads *threads);

#endif
