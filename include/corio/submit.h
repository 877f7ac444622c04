/* SPDX-License-Identifier: MIT
 *
 * submit.h - work from outside: a runtime that runs takes further roots from any thread; and a runtime
 * as a service, which waits for them.
 *
 *     corio_runtime_start(runtime);                      in a thread of its own
 *     corio_job *job;
 *     corio_submit(runtime, handle, &request, &job);     any thread, at any time
 *     int rc = corio_job_wait(job);
 *     corio_job_release(job);
 *     corio_runtime_stop(runtime, 0);
 *
 * A submitted task is a root beside the one that corio_run began with: it has no parent, its own
 * result, error, deadline and canceller, and all that tasks can do. A run is over when all its roots
 * are complete. Roots are numbered from 1 in the order of their submission, and come behind the
 * first in spawn order; "#2(3, 0)" is a spawn path below the second.
 *
 * When: a submission begins when the CPU phase that is going on ends, or at once if the runtime
 * waits; with CORIO_WAIT_STRICT when all answers have come. Its result is known when the phase ends
 * in which it is complete. So a phase that computes for long holds both up. When a submission
 * arrives depends on timing, and so does what the batches contain from then on; in a simulation, too.
 */
#ifndef CORIO_SUBMIT_H
#define CORIO_SUBMIT_H

#include <corio/cancel.h>
#include <corio/runtime.h>

CORIO_BEGIN_DECLS

/* A root that was submitted. */
typedef struct corio_job corio_job;

/* What a root is submitted with besides function and argument; zero is the default. */
typedef struct corio_submit_options {
    size_t size;      /* sizeof(corio_submit_options) */
    const char *name; /* of the root; borrowed until the job is released; NULL: "root" */
    /* See corio_set_deadline; if it passes before the root has begun, that never does, and the job
     * ends with -ETIMEDOUT; 0: none. */
    uint64_t deadline_ns;
    corio_canceller *canceller; /* borrowed until the job is complete; its alone; NULL: none */
    /* Told of the job's end, with its code, by a worker between phases: it must not block, and all
     * else waits for it. It may submit, release the job and ask for its error. `self` is its first
     * argument. NULL: nobody is told. */
    void (*done)(void *self, corio_job *job, int code);
    void *self;
} corio_submit_options;

/* corio_submit: lets a runtime that runs, in corio_run or as a service, run `root(arg)` as a further
 * root. corio_submit_with: the same with options. They allocate.
 *
 * arg: passed on as it is, borrowed until the job is complete. ret_job: given, release it with
 * corio_job_release; NULL: nobody will ask for the result. The runtime must not be destroyed before
 * the return. Suspends: never. Thread: any, tasks included. Errors: -EINVAL bad argument; -ENOMEM;
 * -ESHUTDOWN it does not run, or its end has begun; -ENOTSUP it records or replays. The root does not
 * run then, and `done` is not told. */
CORIO_API int corio_submit_named(corio_runtime *runtime, const char *name, corio_task_fn *root,
                                 void *arg, corio_job **ret_job);
CORIO_API int corio_submit_with(corio_runtime *runtime, const corio_submit_options *options,
                                corio_task_fn *root, void *arg, corio_job **ret_job);
#define corio_submit(runtime, root, arg, ret_job)                                                  \
    corio_submit_named((runtime), #root, (root), (arg), (ret_job))

/* corio_job_wait: blocks the calling thread until the job is complete, its callback included.
 * corio_job_wait_until: gives up when the clock reaches deadline_ns (corio_now_ns() + ...).
 *
 * Returns 0, or the error that the root ended with. Suspends: never (it blocks the thread). Thread:
 * any but the workers of the job's runtime, for which it only returns the result of a job that is
 * complete; not from a task of a runtime that one of those workers runs. Errors: -EINVAL no job;
 * -EDEADLK called by a worker of the job's runtime; -ETIMEDOUT it is not complete (or the root ended
 * with that: corio_job_is_complete tells); else the root's. */
CORIO_API int corio_job_wait(corio_job *job);
CORIO_API int corio_job_wait_until(corio_job *job, uint64_t deadline_ns);

/* corio_job_is_complete: whether the job's result is known and its callback has returned. Suspends:
 * never. Thread: any. */
CORIO_API bool corio_job_is_complete(const corio_job *job);

/* corio_job_error: the failure that the job ended with; NULL if it is not complete, or ended with 0.
 *
 * Returns a pointer borrowed until the job is released. Suspends: never. Thread: any. */
CORIO_API const corio_error *corio_job_error(const corio_job *job);

/* corio_job_number: the number of the submission within its run, from 1; see corio_task_root.
 * Suspends: never. Thread: any. */
CORIO_API uint64_t corio_job_number(const corio_job *job);

/* corio_job_release: gives the job back; what it runs goes on. NULL is ignored. Suspends: never.
 * Thread: any. */
CORIO_API void corio_job_release(corio_job *job);

/* corio_runtime_start: runs the runtime as a service: in a thread of its own, worker 0, until it is
 * stopped, whether it has something to do or not. It begins without a root. Without anything to do it
 * sleeps.
 *
 * A service waits for submissions, so a task in it that waits for what nobody does is not taken to be
 * deadlocked while another may still be submitted. It is, with a report and -EDEADLK for those who
 * wait, while somebody drains or stops the service and nothing is in flight. Signals: its threads take
 * none that are meant for the program. Suspends: never. Thread: any. Errors: -EINVAL no runtime; -EBUSY
 * it runs already; -EAGAIN a thread cannot be made; -ENOTSUP it records or replays. */
CORIO_API int corio_runtime_start(corio_runtime *runtime) CORIO_MUST_CHECK;

/* corio_runtime_drain: waits until all that was submitted before the call is complete; meanwhile more
 * may be submitted. Without a run it returns at once. The runtime must not be destroyed before the
 * return.
 *
 * Suspends: never (it blocks the thread). Thread: any but the runtime's workers. Errors: -EINVAL no
 * runtime; -EDEADLK called by a worker of the runtime. */
CORIO_API int corio_runtime_drain(corio_runtime *runtime);

/* corio_runtime_stop: ends a service. Nothing can be submitted from then on; what was is run to its
 * end, and waited for.
 *
 * code: 0, or a negative code, with which all that is not complete is cancelled. Returns 0 or
 * CORIO_EDIFFERENT (corio_options.check); the runtime may be used again then. Suspends: never (it
 * blocks the thread). Thread: any but the runtime's workers. Errors: -EINVAL no runtime, code is
 * positive; -ESHUTDOWN it does not run as a service; -EALREADY another thread stops it; -EDEADLK
 * called by a worker of the runtime. */
CORIO_API int corio_runtime_stop(corio_runtime *runtime, int code);

CORIO_END_DECLS

#endif
