/* SPDX-License-Identifier: MIT
 *
 * blocking.h - a dispatcher for any function that blocks: a library of its own,
 * libcorio-blocking.
 *
 *     corio_dispatcher *blocking;
 *     corio_blocking_add(runtime, NULL, &blocking);
 *     ...
 *     int rc = corio_blocking(blocking, read_it, &file);       in a task
 *
 * The functions that all tasks ask for in a phase run side by side in the runtime's I/O threads, at
 * most io_permits (corio_options) of them at once, while no task runs. They have a whole thread
 * stack and may use thread-local variables, unlike tasks; they must not call functions that are for
 * tasks. In the batch log all calls have the same hash, since their inputs are addresses.
 */
#ifndef CORIO_BLOCKING_H
#define CORIO_BLOCKING_H

#include <corio/io.h>

CORIO_BEGIN_DECLS

/* A function that may block. Its result is the answer. */
typedef int corio_blocking_fn(void *arg);

/* The input of the dispatcher; its output is an int. For corio_io_all. */
typedef struct corio_blocking_call {
    corio_blocking_fn *fn;
    void *arg; /* borrowed until the answer */
} corio_blocking_call;

/* Options of the dispatcher. Set `size` to sizeof(corio_blocking_options) and leave the rest zero
 * for the defaults. */
typedef struct corio_blocking_options {
    size_t size;
    const char *name; /* copied; for logs and reports; NULL: "blocking" */
    /* Calls that go to an I/O thread together, one after the other; 0: 1. To hand a slice over
     * and to take it back costs some microseconds: a call that takes no longer is better off with
     * company. */
    size_t grain;
    size_t max_batch;     /* see corio_dispatcher_options */
    size_t max_in_flight; /* see corio_dispatcher_options: bounds the threads in use, too */
    /* For corio_options.record and replay: see corio_dispatcher_options. What a call has done stands
     * behind its arg, so only the program can save and restore it. The input is a
     * corio_blocking_call, whose fn tells which call it is, the output an int; `self` means nothing.
     * NULL: the dispatcher cannot be recorded. */
    corio_save_fn *save;
    corio_restore_fn *restore;
} corio_blocking_options;

/* corio_blocking_add: adds a blocking dispatcher to a runtime that is not running.
 *
 * options: borrowed for the call; NULL for all defaults. ret_dispatcher: borrowed, lives as long as
 * the runtime. Suspends: never. Thread: any, outside of runs. Errors: -EINVAL bad argument; as
 * corio_dispatcher_add; so -ENOTSUP without `save` in a runtime that records or replays. */
CORIO_API int corio_blocking_add(corio_runtime *runtime, const corio_blocking_options *options,
                                 corio_dispatcher **ret_dispatcher) CORIO_MUST_CHECK;

/* corio_blocking: has an I/O thread call fn(arg), and suspends until it has returned.
 *
 * dispatcher: one that corio_blocking_add gave. arg: passed on as it is, borrowed until the return.
 * Returns what fn returned. Suspends: always (on an argument error: never). Thread: a task only.
 * Errors: as corio_io; a function that returns negative numbers of its own cannot be told from
 * these here, but can with corio_blocking_request. */
CORIO_API int corio_blocking(corio_dispatcher *dispatcher, corio_blocking_fn *fn, void *arg);

/* corio_blocking_request: a request for corio_io_all.
 *
 * call: borrowed until answered, and what it points to; ret_result: gets what fn returned; valid if
 * the request's status is 0. Suspends: never. Thread: any. */
CORIO_API corio_request corio_blocking_request(corio_dispatcher *dispatcher,
                                               const corio_blocking_call *call, int *ret_result);

CORIO_END_DECLS

#endif
