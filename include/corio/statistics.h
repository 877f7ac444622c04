/* SPDX-License-Identifier: MIT
 *
 * statistics.h - what each phase did, as data.
 *
 * corio_options.on_phase is told at each boundary; CORIO_PHASES=file.csv (or corio_options.phases)
 * writes a line each. It tells where time goes: much alone_ns is a CPU phase that waits for one
 * task, named here; much wait_ns, or dispatch_ns, is I/O; many phases of few requests are batches that
 * could be larger. docs/observe.md says what it costs.
 */
#ifndef CORIO_STATISTICS_H
#define CORIO_STATISTICS_H

#include <corio/export.h>

CORIO_BEGIN_DECLS

/* What one dispatcher got at a boundary. */
typedef struct corio_phase_dispatcher {
    const char *name;
    uint64_t batches;
    uint64_t requests;
    uint64_t largest;     /* requests of the largest batch */
    uint64_t dispatch_ns; /* within its dispatch function */
} corio_phase_dispatcher;

/* A CPU phase and the boundary behind it. Longer in later versions: look at `size` if it matters. */
typedef struct corio_phase_stats {
    size_t size;
    uint64_t run;     /* of the runtime, from 0 */
    uint64_t phase;   /* of the run, from 0; the same again if nothing was handed over in between */
    bool last;        /* the run ends here */
    unsigned workers; /* that ran something */
    uint64_t runnable;      /* tasks that could run when it began: the root, or those answered */
    uint64_t closures;      /* tasks started */
    uint64_t continuations; /* times that a suspended task went on */
    uint64_t steals;        /* of these two: by another worker than had them */
    uint64_t cpu_ns;        /* tasks ran */
    uint64_t boundary_ns;   /* collected, sorted, handed over, answers taken */
    uint64_t dispatch_ns;   /* of boundary_ns: within dispatch functions */
    uint64_t wait_ns;       /* nothing to do but wait for an answer or a timer */
    uint64_t batches;       /* handed over behind it, of all dispatchers */
    uint64_t requests;
    /* Of these, each dispatcher of the runtime, in the order of corio_dispatcher_add; zeros if it
     * got none. */
    const corio_phase_dispatcher *dispatchers;
    size_t dispatcher_count;
    /* The task that suspended or ended last of all (the first 127 bytes of its name), its spawn path
     * as corio_task_path_text writes it (but "(..., 3, 4)" if it is more than 16 levels deep), and
     * how long before that all other workers had run out of work. */
    const char *straggler;
    const char *straggler_path;
    uint64_t alone_ns;
} corio_phase_stats;

/* Told of a phase by a worker between phases: nothing runs before it returns. It must not call the
 * runtime. stats, and what it points to: borrowed for the call. */
typedef void corio_phase_fn(void *self, const corio_phase_stats *stats);

CORIO_END_DECLS

#endif
