/* SPDX-License-Identifier: MIT
 *
 * runtime.h - a runtime as a whole: the scheduler, the I/O part, and the run that is going on.
 *
 * Threads: `running` is taken by whoever runs or changes the runtime. `roots`, `woken` and `outside`
 * are for other threads, too. The rest is the boundary leader's during a run, and the holder of
 * `running` between runs; but reports may also come from the thread that looks on (watch.h), so they
 * are given out and kept under a lock, one at a time.
 */
#ifndef CR_PHASE_RUNTIME_H
#define CR_PHASE_RUNTIME_H

#include "runtime/io/io.h"
#include "runtime/phase/root.h"
#include "runtime/phase/statistics.h"
#include "runtime/phase/watch.h"
#include "runtime/sched/sched.h"

#include <corio/cancel.h>
#include <corio/runtime.h>

struct corio_runtime {
    cr_sched sched;
    cr_io io;
    corio_options options; /* resolved: nothing is zero for "default" any more */
    uint32_t running;

    cr_root root; /* of the run */
    cr_roots roots;
    pthread_t service;
    corio_waiters woken; /* tasks that other threads let go on: see promise.c */
    uint32_t outside;    /* tasks that wait for what another thread may do */
    cr_failure *failure; /* of the last run */
    pthread_mutex_t report_lock;
    char *report;       /* of the last run; NULL: none */
    bool remarked;      /* `report` is a remark */
    uint64_t run_total; /* runs that have ended; written under report_lock */
    cr_watch *watch;    /* NULL: nobody looks on */
    bool stacks_reported;
    cr_trace trace; /* no file: none is written */
    cr_statistics statistics;

    struct corio_runtime *next, *before; /* of all in the process: for debuggers */

    uint64_t phase_total; /* over all runs; sched.phase counts this one */
    uint64_t phase_began_ns;
    uint64_t cpu_phase_ns;
    uint64_t io_phase_ns;
};

/* All runtimes of the process, for a debugger to find them (tools/gdb). Nothing else looks here. */
extern corio_runtime *cr_runtimes;

/* Takes the runtime for a run or a change; -EBUSY if somebody has it. */
int cr_runtime_acquire(corio_runtime *runtime);
void cr_runtime_release(corio_runtime *runtime);
/* Before the first task of a run, and behind the last one: 0, or what a check or a replay has found. */
void cr_runtime_begin_run(corio_runtime *runtime);
int cr_runtime_end_run(corio_runtime *runtime);

/* A CPU phase begins or ends, for those who do something beside it. */
static inline void cr_phase_begins(corio_runtime *runtime)
{
    if (CR_UNLIKELY(runtime->io.early != 0))
        cr_early_begin(&runtime->io);
    cr_watch_computing(runtime->watch, true);
}

static inline void cr_phase_ends(corio_runtime *runtime)
{
    cr_watch_computing(runtime->watch, false);
    if (CR_UNLIKELY(runtime->io.early != 0))
        cr_early_end(&runtime->io);
}

/* Defaults and environment. Errors: -EINVAL. */
int cr_options_resolve(const corio_options *options, corio_options *ret_resolved);

/* The scheduler's boundary hook: owner is the corio_runtime. */
bool cr_boundary(void *owner, cr_worker *leader);

/* The end of a step: marks set in it take effect. True if something can run then. */
bool cr_settle(corio_runtime *runtime, cr_worker *leader);
/* While the leader waits: timers fire, and what was done from outside takes effect: submissions,
 * promises, marks. */
void cr_apply_changes(corio_runtime *runtime, cr_worker *leader);
/* Something has been made runnable at this boundary. */
bool cr_can_run(const cr_worker *leader);

/* Nothing can run, nothing is in flight: reports, and makes every call that can give up return
 * -EDEADLK. */
void cr_deadlock(corio_runtime *runtime, cr_worker *leader);

/* Hands a text (taken) to the report function, and keeps it for corio_runtime_report. NULL is
 * ignored. */
void cr_report(corio_runtime *runtime, char *text);
/* The same for what is no fault of the run: it takes no other report's place. */
void cr_remark(corio_runtime *runtime, char *text);
/* The same by a thread that looks on: dropped if that run, the number of which was run_total, has
 * ended. */
void cr_remark_of_run(corio_runtime *runtime, char *text, uint64_t run);
/* If this run has parted from the recorded one, and it has not been said yet. */
void cr_report_difference(corio_runtime *runtime);

#endif
