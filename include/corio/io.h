/* SPDX-License-Identifier: MIT
 *
 * io.h - dispatchers, and asking them from a task.
 *
 * A dispatcher is user code that answers requests in batches. A task asks with corio_io and
 * suspends; when no task can run any further, each dispatcher that was asked is called with
 * everything that was asked for, in spawn order (batch.h).
 */
#ifndef CORIO_IO_H
#define CORIO_IO_H

#include <corio/error.h>
#include <corio/runtime.h>

CORIO_BEGIN_DECLS

typedef struct corio_batch corio_batch;
typedef struct corio_dispatcher corio_dispatcher;

/* What a dispatch function (or one given to corio_batch_submit) returns. */
enum {
    CORIO_DONE = 0, /* every request is answered: the library completes the batch, and checks it */
    CORIO_LATER =
        1, /* the function keeps the batch; corio_batch_complete follows, from any thread */
};

/* Answers a batch. Returns CORIO_DONE, CORIO_LATER, or a negative error code, which every
 * request of the batch that is unanswered and not in a slice gets. It runs on a worker's native
 * thread stack while no task runs (but see early_count), must not call functions that are for tasks, and should hand
 * slow work to corio_batch_submit. */
typedef int corio_dispatch_fn(void *self, corio_batch *batch);

/* Takes the bytes of an answer that is being recorded. */
typedef struct corio_sink corio_sink;

/* corio_sink_write: appends bytes to the answer. Suspends: never. Thread: the save function.
 * Errors: -EINVAL bad argument; -ENOMEM. */
CORIO_API int corio_sink_write(corio_sink *sink, const void *bytes, size_t count);

/* Writes an answer into a recording: whatever `restore` needs. status: 0, or the request's error;
 * output as the dispatcher left it. Returns 0, or a negative code: the recording ends here then, and
 * corio_runtime_destroy returns it. Thread: a worker between phases; no task runs. */
typedef int corio_save_fn(void *self, const void *input, const void *output, int status,
                          corio_sink *sink);

/* Gives request i of the batch its output in a replay, as the dispatch function would; the library
 * responds, or fails the request if status is not 0. bytes: what `save` wrote, aligned to 8,
 * and a zero behind; do not trust it, the file may come from anywhere. Returns 0; -ENOMEM, which the request gets; or
 * another negative code: they are no such bytes. Thread: as save. */
typedef int corio_restore_fn(void *self, const corio_batch *batch, size_t i, int status,
                             const void *bytes, size_t count);

typedef struct corio_dispatcher_options {
    size_t size;         /* sizeof(corio_dispatcher_options) */
    const char *name;    /* copied; for logs and reports */
    size_t input_bytes;  /* bytes of one input; 0: none */
    size_t output_bytes; /* bytes of one output; 0: none */
    corio_dispatch_fn *dispatch;
    void *self;       /* first argument of all functions here; borrowed until the runtime's end */
    size_t max_batch; /* most requests in one call: more go out as several batches; 0: no limit */
    /* Most requests unanswered at once: more wait their turn, with CORIO_WAIT_STRICT until nothing is
     * in flight; 0: no limit. */
    size_t max_in_flight;
    /* Hash of an input for the batch log, the same in every run. NULL: FNV-1a of its input_bytes
     * bytes, which is wrong where an input holds pointers. */
    uint64_t (*hash)(void *self, const void *input);
    /* For corio_options.record and replay, where the output does not say it all: it holds pointers,
     * or answers go where an input points to. Both or none. NULL: the output's output_bytes bytes. */
    corio_save_fn *save;
    corio_restore_fn *restore;
    bool not_recorded; /* it cannot be recorded or replayed: to add it is -ENOTSUP then */
    /* Early dispatch: while tasks still run, as soon as early_count requests wait for this dispatcher, or
     * the oldest has waited for early_ns nanoseconds (looked at four times within it, at most once a
     * millisecond, by a thread of the runtime that exists for this); 0: not for that reason. What is
     * in a batch depends on timing then, and with max_batch and early batches a phase has several.
     * Answers are taken when the CPU phase ends, as ever. The dispatch function runs beside tasks, on
     * a worker or on that thread, never two of a runtime at once. Not for dispatchers whose answers are
     * used until the next call, not with dedup or CORIO_WAIT_STRICT, and not recorded or replayed. */
    size_t early_count;
    uint64_t early_ns;

    /* Equal requests are asked once. Of those asked in a phase the first in spawn order goes to the
     * dispatcher, and also for those that still find it waiting for its turn or for a retry; with a
     * cache, for those that find it in flight, too. The others follow it: they get a copy of its
     * answer, or its error, and do not count for max_batch and max_in_flight. If it is withdrawn
     * before it is handed over, a follower takes its place. */
    bool dedup;
    /* Answers are kept, in so many bytes, for later requests; those not used for longest leave
     * first. Errors are not kept. Counted are key, output, what `copy` returns and about 120 bytes
     * per answer. Implies dedup; 0: no cache. See cache.h. */
    size_t cache_bytes;
    /* What makes requests equal: the bytes that *ret_key is set to, and whose number is returned.
     * They lie in the input, or live as long. *ret_key left NULL: this one is asked on its own, and
     * not kept. NULL: all input_bytes bytes, padding as well. */
    size_t (*key)(void *self, const void *input, const void **ret_key);
    /* Makes output `to`, whose content is undefined, a copy of output `from`. Returns 0, or how many
     * bytes it has taken besides, for cache_bytes; or a negative code: then the copy is not kept,
     * a follower gets the code, and a request that would have been answered from the cache is
     * asked. NULL: memcpy of output_bytes, which is wrong where an output owns memory. */
    int (*copy)(void *self, void *to, const void *from);
    /* Releases what a copy in the cache owns. NULL: nothing. */
    void (*drop)(void *self, void *output);
} corio_dispatcher_options;

/* corio_hash_bytes: what a `hash` is made with: `bytes` bytes at `input`, hashed after those that made
 * `hash` (the first: CORIO_HASH_BEGIN). FNV-1a, 64 bits: Fowler, Noll and Vo; RFC 9923. Not against
 * those who want to cheat. Thread: any. */
#define CORIO_HASH_BEGIN UINT64_C(0xcbf29ce484222325)
CORIO_MAYBE_UNUSED static inline uint64_t corio_hash_bytes(uint64_t hash, const void *input,
                                                           size_t bytes)
{
    const unsigned char *at = (const unsigned char *)input;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* corio_dispatcher_add: adds a dispatcher to a runtime that is not running. It lives as long as the
 * runtime.
 *
 * ret_dispatcher: borrowed. The hooks key, copy and drop are called by any thread, one call of one
 * dispatcher at a time (key: also at the same time), and must not call the library. Suspends: never.
 * Thread: any, outside of runs.
 * Errors: -EINVAL bad argument, also: drop without copy, cache_bytes with hash (so inputs hold
 * pointers) but without key, early dispatch with CORIO_WAIT_STRICT or with dedup; -EBUSY a run is going
 * on; -ENOMEM; -EAGAIN the thread that early_ns needs cannot be made; -ENOTSUP it is `not_recorded` or
 * hands over early, and the runtime records or replays. */
CORIO_API int corio_dispatcher_add(corio_runtime *runtime, const corio_dispatcher_options *options,
                                   corio_dispatcher **ret_dispatcher) CORIO_MUST_CHECK;

/* corio_dispatcher_name, corio_dispatcher_self: as given in the options. Thread: any. */
CORIO_API const char *corio_dispatcher_name(const corio_dispatcher *dispatcher);
CORIO_API void *corio_dispatcher_self(const corio_dispatcher *dispatcher);

/* One question of a task. Fill the first three; the rest is the library's until the call
 * returns. It lives where the caller puts it, mostly in the task's frame. */
typedef struct corio_request {
    corio_dispatcher *dispatcher;
    const void *input; /* input_bytes bytes, borrowed until answered */
    void *output;      /* output_bytes bytes, written by the dispatcher */
    int status;        /* set on return: 0 or the request's error */
    uint32_t reserved_state;
    uint64_t reserved_due_ns;
    void *reserved_call;
} corio_request;

/* corio_io: asks one dispatcher one thing and suspends until it is answered.
 *
 * input: borrowed; output: borrowed, written on success (after an error its content is
 * undefined). Returns 0 or the error that the dispatcher gave. Suspends: always (on an argument
 * error: never). Thread: a task only. Cancelled: a request that has not been handed over is
 * withdrawn; one in flight is waited for. Errors: -EPERM not called from a task; -EINVAL bad
 * argument, or a dispatcher of another runtime; -ENOMEM; -ECANCELED; CORIO_EUNANSWERED,
 * CORIO_EANSWERED a fault of the dispatcher; else the dispatcher's. */
CORIO_API int corio_io(corio_dispatcher *dispatcher, const void *input, void *output);

/* corio_io_all: asks `count` things at once, of one or several dispatchers; they travel in the same
 * phase.
 *
 * requests: borrowed; each `status` tells how that request went. Returns 0 if every status is 0,
 * else the first that is not; count 0 returns 0 at once. Suspends: always if count > 0. Thread:
 * a task only. Errors: as corio_io; on -EPERM and -EINVAL nothing was asked and no status is set, on
 * -ENOMEM nothing was asked. */
CORIO_API int corio_io_all(corio_request *requests, size_t count);

CORIO_END_DECLS

#endif
