/* SPDX-License-Identifier: MIT
 *
 * runtime.h - a runtime: workers, stacks and the phase engine. Several may live in one process.
 *
 *     corio_runtime *runtime;
 *     int rc = corio_runtime_create(NULL, &runtime);
 *     rc = corio_run(runtime, root, &argument);
 *     corio_runtime_destroy(runtime);
 */
#ifndef CORIO_RUNTIME_H
#define CORIO_RUNTIME_H

#include <corio/error.h>
#include <corio/export.h>
#include <corio/statistics.h>

CORIO_BEGIN_DECLS

typedef struct corio_runtime corio_runtime;

/* A task: returns 0, or a negative error code that reaches whoever waits for it. It may suspend
 * anywhere on its call stack. errno and the address of a thread-local variable are not carried
 * across a suspension: the task may go on in another thread. */
typedef int corio_task_fn(void *arg);

/* When the I/O phase ends. */
typedef enum corio_wait_mode {
    /* As soon as one slice is complete; takes all that are complete by then. */
    CORIO_WAIT_STREAMING = 0,
    /* When everything in flight is complete: the same batches even if slices race. */
    CORIO_WAIT_STRICT = 1,
} corio_wait_mode;

/* Whether a line on standard error says how far a run is: phases, tasks, requests, which task was the
 * last of its phase. It changes at boundaries, five times a second at most, and is erased at the run's
 * end. */
typedef enum corio_progress {
    CORIO_PROGRESS_NEVER = 0,
    CORIO_PROGRESS_TERMINAL = 1, /* if standard error is a terminal when the runtime is created */
    CORIO_PROGRESS_ALWAYS = 2,
} corio_progress;

/* Options of a runtime. Set `size` to sizeof(corio_options) and leave the rest zero for the
 * defaults (CORIO_OPTIONS_INIT does). Structs with a size only grow at their end, and programs
 * compiled with a shorter one are served as well. Each can be overridden by an environment variable, for
 * experiments. */
typedef struct corio_options {
    size_t size;
    /* CORIO_WORKERS; 1 to 1024; 0: as many as the affinity mask and the cgroup quota allow. */
    unsigned workers;
    /* CORIO_STACK_BYTES; address space per stack, a power of two from 16 KiB to 1 GiB; 0: 64 KiB.
     * A task is promised half of it. */
    size_t stack_bytes;
    /* CORIO_MAX_STACKS; stacks in use at once; 0: 4,194,304, or what can be reserved. */
    size_t max_stacks;
    /* CORIO_IO_PERMITS; submitted slices that run at once, and so I/O threads; 0: 128. */
    unsigned io_permits;
    /* CORIO_WAIT=streaming|strict */
    corio_wait_mode wait_mode;
    /* CORIO_BATCH_LOG; a file that gets one line per request handed over; NULL: none. */
    const char *batch_log;
    /* CORIO_CHECK; a batch log of an earlier run, with another number of workers, say, that this one
     * is compared with as it goes. The first difference is reported, with phase, dispatcher and task,
     * and a run that returns 0 otherwise returns CORIO_EDIFFERENT; NULL: none. */
    const char *check;
    /* CORIO_TRACE; a file that gets a trace in Chrome's JSON format (trace.h); NULL: none. */
    const char *trace;
    /* CORIO_SIM_SEED; not 0: simulation. Everything runs on the calling thread; the seed decides who
     * runs next, who is preempted, in which order submitted slices complete and what time it is, the
     * same in each run with the same seed (slices must come from corio_batch_submit, not from
     * threads of the program; corio_go, locks and the like may suspend). 0: a real run. */
    uint64_t sim_seed;
    /* Told of deadlocks, exhausted limits and what is late, in a text of several lines, by a worker
     * between phases; of a task that holds a phase, by a thread of the runtime; one text at a time.
     * NULL: the text is kept for corio_runtime_report only. report_self is the first argument. */
    void (*report)(void *self, const char *text);
    void *report_self;
    /* CORIO_RECORD; a file that gets all answers of dispatchers, for `replay`; NULL: none. */
    const char *record;
    /* CORIO_REPLAY; a file that `record` made. Dispatchers are not called: the answers come from it,
     * in the phases in which they came then (with the recorded wait_mode), whatever the number of
     * workers. A program that asks something else is told so as by `check`, and its requests fail
     * with CORIO_EDIFFERENT from there on; a file that is damaged gives CORIO_ERECORDING. NULL: none.
     * Not together with `record`. */
    const char *replay;
    /* Told of each phase (statistics.h), with on_phase_self; NULL: nobody. */
    corio_phase_fn *on_phase;
    void *on_phase_self;
    /* CORIO_PHASES; a file that gets the same as comma-separated values, a line per phase; NULL: none. */
    const char *phases;
    /* CORIO_PROGRESS=0|1|2; a line on standard error that says how far a run is. */
    corio_progress progress;
    /* CORIO_LATE_NS; a batch of which something is unanswered for longer than this is reported, once:
     * dispatcher, phase, how many requests, for how long, and the first tasks that asked. The run
     * goes on waiting. It is looked at while the I/O phase waits and at each boundary, so not before
     * the end of a CPU phase that has begun meanwhile, nor before a dispatch function returns.
     * 0: nothing is. */
    uint64_t late_ns;
    /* CORIO_HOLD_NS; a task that runs for longer than this without suspending, ending, spawning, yielding
     * or calling a child is reported, once for each time: name, spawn path, worker, for how long. All
     * the others' requests wait for it. A thread of the runtime looks, while tasks run: it is woken
     * four times within the limit, at most once a millisecond, and calls `report`, one call at a time.
     * In a simulation, where computing takes no time, nothing is. 0: nothing is, and there is no
     * thread. */
    uint64_t hold_ns;
} corio_options;

#define CORIO_OPTIONS_INIT                                                                         \
    {                                                                                              \
        sizeof(corio_options), 0, 0, 0, 0, CORIO_WAIT_STREAMING, NULL, NULL, NULL, 0, NULL, NULL,  \
            NULL, NULL, NULL, NULL, NULL, CORIO_PROGRESS_NEVER, 0, 0                               \
    }

/* How stacks are guarded against overflow. */
typedef enum corio_guard_kind {
    CORIO_GUARD_NONE = 0,
    CORIO_GUARD_MPROTECT = 1, /* costs a mapping per stack, ends at vm.max_map_count */
    CORIO_GUARD_MADVISE = 2,  /* MADV_GUARD_INSTALL, Linux 6.13 and later */
} corio_guard_kind;

/* Figures of a runtime, since it was created. Filled between runs, or approximately during one. */
typedef struct corio_stats {
    size_t size; /* set by the caller to sizeof(corio_stats) */
    unsigned workers;
    corio_guard_kind guard;    /* what guards new stacks */
    uint64_t unguarded_stacks; /* stacks in use without a guard because a limit was reached */
    uint64_t phases;           /* boundaries passed */
    uint64_t batches;          /* calls of a dispatcher */
    uint64_t requests;         /* requests handed over, retries counted again */
    uint64_t steals;           /* closures and continuations run by another worker than had them */
    uint64_t suspends;         /* stacks parked */
    uint64_t parks;            /* times a worker went to sleep */
    uint64_t stacks_in_use;
    uint64_t stacks_high_water;      /* most stacks in use at once */
    uint64_t stack_bytes_high_water; /* deepest stack seen, in whole pages */
    uint64_t cpu_phase_ns;           /* wall time with tasks running */
    uint64_t io_phase_ns; /* wall time between quiescence and resume: collect, dispatch and wait */
} corio_stats;

/* corio_runtime_create: makes a runtime. Its threads start here and sleep until the first run.
 *
 * options: borrowed for the call; NULL for all defaults. ret_runtime: given; release it with
 * corio_runtime_destroy. Suspends: never. Thread: any. Errors: -EINVAL an option or environment
 * variable is out of range (nothing is created); -ENOMEM memory or address space; -EAGAIN a
 * thread cannot be made; CORIO_ERECORDING the file to replay is no recording, or one of another
 * version or kind of machine; another negated errno value if the batch log, trace, recording or table
 * of phases cannot be opened. */
CORIO_API int corio_runtime_create(const corio_options *options,
                                   corio_runtime **ret_runtime) CORIO_MUST_CHECK;

/* corio_runtime_destroy: stops the threads and releases everything, dispatchers included. NULL is
 * ignored.
 *
 * Suspends: never. Thread: any that is not inside a run of this runtime.
 * Errors: -EBUSY a run is going on; nothing happens then. Another: all is released, but the batch log,
 * the trace, the recording or the table of phases is not whole, or the file to check with was not compared
 * to its end: the first error in writing or reading it (-ENOSPC, say). */
CORIO_API int corio_runtime_destroy(corio_runtime *runtime);

/* corio_run: runs `root` as a task, with all that it spawns, and returns when everything is
 * complete: also what other threads have submitted meanwhile (submit.h).
 *
 * The calling thread works as worker 0. The runtime may be used again afterwards, from any
 * thread. root, arg: arg is passed on as it is, borrowed until the return. Returns 0, or the
 * error that the root task ended with: corio_runtime_error tells which task it came from.
 * Suspends: never (it blocks the thread). Thread: any; called from a task it needs a different
 * runtime. Errors: -EINVAL bad argument; -EBUSY the runtime runs already; -ENOMEM no memory to
 * begin; else the root's. */
CORIO_API int corio_run_named(corio_runtime *runtime, const char *name, corio_task_fn *root,
                              void *arg);
#define corio_run(runtime, root, arg) corio_run_named((runtime), #root, (root), (arg))

/* corio_runtime_error: the failure that the last corio_run returned; NULL if it returned 0.
 *
 * Returns a pointer borrowed until the next run or the runtime's end. Suspends: never. Thread:
 * the one that ran. */
CORIO_API const corio_error *corio_runtime_error(const corio_runtime *runtime);

/* corio_runtime_report: the last report (deadlock, limit reached; if there was none of these, what was
 * late) of the last run as text; "" if there was none.
 *
 * Returns a pointer borrowed until the next run or the runtime's end. Suspends: never. Thread:
 * the one that ran; of a service the one that has stopped it. */
CORIO_API const char *corio_runtime_report(const corio_runtime *runtime);

/* corio_runtime_stats: fills *stats, whose size field the caller has set.
 *
 * Suspends: never. Thread: any. Errors: -EINVAL a bad pointer or size. */
CORIO_API int corio_runtime_stats(corio_runtime *runtime, corio_stats *stats);

/* corio_runtime_recording, corio_runtime_replaying: whether options or environment say so, for
 * programs that leave out then what only dispatchers need: connecting to a server, say. Suspends:
 * never. Thread: any. */
CORIO_API bool corio_runtime_recording(const corio_runtime *runtime);
CORIO_API bool corio_runtime_replaying(const corio_runtime *runtime);

/* corio_runtime_trim: gives the memory of free stacks back to the system. A run keeps as many as it
 * needed at most, for the next one; more than that is given back when it ends.
 *
 * Suspends: never. Thread: any, outside of runs. Errors: -EINVAL; -EBUSY a run is going on. */
CORIO_API int corio_runtime_trim(corio_runtime *runtime);

CORIO_END_DECLS

#endif
