/* SPDX-License-Identifier: MIT
 *
 * batch.h - what a dispatcher gets, and how it answers.
 *
 * A batch holds requests 0 to len - 1 in the order of their tasks' spawn paths (with max_in_flight:
 * those of earlier phases first, and a follower in the place of a request that was withdrawn). Each must be
 * answered exactly once, with respond, fail or retry; then the batch is completed: by returning
 * CORIO_DONE, or with corio_batch_complete, from any thread, any time later. It may be cut into
 * slices, which are batches themselves and complete on their own.
 *
 * Completing checks every request. A request left out gets CORIO_EUNANSWERED, one answered twice
 * CORIO_EANSWERED; the completing call returns the same code. After it the batch must not be used:
 * calls that still do get CORIO_ECOMPLETED as long as the library can tell (at least until 256
 * further batches of the runtime have been completed).
 *
 * Thread rule: different threads may answer different batches and slices at the same time; one
 * batch or slice is used by one thread at a time.
 */
#ifndef CORIO_BATCH_H
#define CORIO_BATCH_H

#include <corio/io.h>

CORIO_BEGIN_DECLS

/* Works on a slice in an I/O thread; returns as a dispatch function does. */
typedef int corio_batch_fn(void *arg, corio_batch *batch);

/* corio_batch_len: the number of requests. corio_batch_phase: the phase at whose end (or, early, in
 * which) they were handed over. corio_batch_dispatcher: whose batch it is. Suspends: never. Thread: the batch's
 * holder. */
CORIO_API size_t corio_batch_len(const corio_batch *batch);
CORIO_API uint64_t corio_batch_phase(const corio_batch *batch);
CORIO_API corio_dispatcher *corio_batch_dispatcher(const corio_batch *batch);

/* corio_batch_partial_calls: how many calls of corio_io_all, of the whole runtime, have some of their
 * answers and wait for the others. For dispatchers whose answers point to memory of their own: a
 * task that is among these has not gone on yet, and will still look at the answers it has got.
 * Suspends: never. Thread: the dispatch function, and corio_restore_fn. */
CORIO_API size_t corio_batch_partial_calls(const corio_batch *batch);

/* corio_batch_resumes: how often tasks have gone on, of the whole runtime, since it was created. For
 * dispatchers as above, whose answers are valid until the task next suspends: once the number has
 * changed, it has, unless it is among the partial calls. Suspends: never. Thread: the dispatch
 * function, and corio_restore_fn. */
CORIO_API uint64_t corio_batch_resumes(const corio_batch *batch);

/* corio_batch_input, corio_batch_output: input and output of request i, as the task gave them:
 * input_bytes to read, output_bytes to write before respond. NULL if i is out of range, is in a
 * slice, or the batch is complete. Suspends: never. Thread: the batch's holder. */
CORIO_API const void *corio_batch_input(const corio_batch *batch, size_t i);
CORIO_API void *corio_batch_output(const corio_batch *batch, size_t i);

/* corio_batch_respond: request i is answered, its output is written. corio_batch_fail: request i is
 * answered with a negative error code. corio_batch_retry: request i goes out again, in the first
 * batch at least delay_ns nanoseconds from now.
 *
 * Suspends: never. Thread: the batch's holder. Errors: CORIO_EINDEX i is out of range;
 * CORIO_ECARVED i belongs to a slice; CORIO_EANSWERED it was answered before (its task gets this
 * code too); CORIO_ECOMPLETED; -EINVAL no batch, or an error code that is not negative. */
CORIO_API int corio_batch_respond(corio_batch *batch, size_t i);
CORIO_API int corio_batch_fail(corio_batch *batch, size_t i, int error);
CORIO_API int corio_batch_retry(corio_batch *batch, size_t i, uint64_t delay_ns);

/* corio_batch_task_name, corio_batch_task_path_text: the task that asks request i; see task.h.
 * "" and 0 if i is not the caller's. Suspends: never. Thread: the batch's holder. */
CORIO_API const char *corio_batch_task_name(const corio_batch *batch, size_t i);
CORIO_API size_t corio_batch_task_path_text(const corio_batch *batch, size_t i, char *text,
                                            size_t bytes);

/* corio_batch_cancelled: whether the task that asks request i is cancelled, or the call's deadline
 * has passed: nobody needs the answer any more, and the dispatcher may fail it at once.
 * corio_batch_deadline: the nearest deadline of the task that asks, UINT64_MAX: none.
 *
 * If others follow the request (`dedup` in io.h), it is cancelled when all of them are, and its
 * deadline is the latest of theirs, of those who follow it by now.
 *
 * false and UINT64_MAX if i is not the caller's. Suspends: never. Thread: the batch's holder. */
CORIO_API bool corio_batch_cancelled(const corio_batch *batch, size_t i);
CORIO_API uint64_t corio_batch_deadline(const corio_batch *batch, size_t i);

/* corio_batch_slice: carves `count` requests from `first` on out of the batch into a batch of their
 * own. They no longer belong to `batch`: whoever holds the slice answers and completes it. A batch
 * that is carved up wholly needs no completion of its own. Many slices are cheapest from the front
 * to the back.
 *
 * ret_slice: given, until it is complete. Suspends: never. Thread: the batch's holder. Errors:
 * CORIO_EINDEX; CORIO_ECARVED they overlap a slice; CORIO_EANSWERED one is answered already;
 * CORIO_ECOMPLETED; -EINVAL count is 0; -ENOMEM. */
CORIO_API int corio_batch_slice(corio_batch *batch, size_t first, size_t count,
                                corio_batch **ret_slice) CORIO_MUST_CHECK;

/* corio_batch_submit: has an I/O thread of the runtime call fn(arg, batch), at most io_permits of
 * them at once.
 *
 * batch: taken; arg: borrowed until fn returns. A dispatch function that submits the batch it
 * was called with returns CORIO_LATER. Any number may be submitted; those over the permits
 * queue. Suspends: never. Thread: the batch's holder. Errors: CORIO_ECOMPLETED; -EINVAL;
 * -ENOMEM, -EAGAIN no thread can be made: the batch is still the caller's then. */
CORIO_API int corio_batch_submit(corio_batch *batch, corio_batch_fn *fn, void *arg);

/* corio_batch_complete: ends the batch; its answers reach the tasks at the next resume.
 *
 * batch: taken. Suspends: never. Thread: the batch's holder, any thread. Errors:
 * CORIO_EUNANSWERED, CORIO_EANSWERED as said above (the batch is complete all the same);
 * CORIO_ECOMPLETED. */
CORIO_API int corio_batch_complete(corio_batch *batch);

CORIO_END_DECLS

#endif
