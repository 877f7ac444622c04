/* SPDX-License-Identifier: MIT
 *
 * statistics.h - what each phase did: counted by workers and dispatchers, put together here by the
 * leader, told to whoever wants to know.
 *
 *     workers' cr_tally, dispatchers' `handed` --boundary--> corio_phase_stats --> table, progress, on_phase
 *
 * All of it is the leader's, or that of who creates and destroys the runtime.
 */
#ifndef CR_PHASE_STATISTICS_H
#define CR_PHASE_STATISTICS_H

#include "runtime/io/io.h"
#include "runtime/observe/progress.h"
#include "runtime/observe/table.h"
#include "runtime/sched/sched.h"

#include <corio/runtime.h>

enum { CR_STRAGGLER_NAME = 128 };

/* What suspended or ended last in a CPU phase, by value: it may be gone, and a job's name with it. */
typedef struct cr_straggler {
    char name[CR_STRAGGLER_NAME]; /* cut off if longer; "" if nothing ran */
    char path[CR_TALLY_PATH];
    uint64_t alone_ns;
} cr_straggler;

typedef struct cr_statistics {
    bool wanted;
    uint64_t run;
    uint64_t runnable; /* when the CPU phase began */
    uint64_t steals;   /* of all workers, before it began */
    uint64_t wait_ns;  /* of this boundary, so far */
    cr_straggler straggler;
    corio_phase_dispatcher *dispatchers;
    size_t dispatcher_capacity;
    cr_table table;
    cr_progress progress;
} cr_statistics;

/* When what, of the phase whose end it is. */
typedef struct cr_phase_times {
    uint64_t phase;
    uint64_t cpu_began_ns;
    uint64_t cpu_ended_ns;
    uint64_t ended_ns;
    bool last;
} cr_phase_times;

/* Before the first run. Errors: -ENOMEM; of opening the table. */
int cr_statistics_open(cr_statistics *statistics, const corio_options *options, cr_io *io);
int cr_statistics_close(cr_statistics *statistics, cr_sched *sched); /* first error of writing */
/* There is room for one dispatcher more; false: no memory. */
bool cr_statistics_reserve(cr_statistics *statistics, size_t dispatchers);
void cr_statistics_begin_run(cr_statistics *statistics, const cr_sched *sched);
/* Wanted only. The leader, when the CPU phase that began at began_ns has ended, before any job is
 * told of its end. */
void cr_statistics_cpu_phase_ends(cr_statistics *statistics, const cr_sched *sched,
                                  uint64_t began_ns);
/* The leader, at the end of a boundary that makes `runnable` tasks runnable. */
void cr_statistics_phase(cr_statistics *statistics, const corio_options *options, cr_io *io,
                         const cr_phase_times *times, size_t runnable);

#endif
