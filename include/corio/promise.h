/* SPDX-License-Identifier: MIT
 *
 * promise.h - a value that is given once, by a task or by any other thread, and that any number of
 * tasks wait for.
 *
 *     corio_promise *answer;
 *     rc = corio_promise_create(&answer);
 *     hand_to_a_thread(corio_promise_share(answer));     thread: corio_promise_fulfil(answer, value);
 *     rc = corio_promise_wait(answer, &value);                   corio_promise_destroy(answer);
 *     corio_promise_destroy(answer);
 *
 * A run in which a task waits for a promise is not deadlocked: it waits for the promise as it does
 * for an answer, without using a CPU. (Also if only a task that is stuck itself would fulfil it: what
 * tasks alone do for each other is better done with the other primitives, or waited for with a
 * deadline.) Fulfilled by a task of the same run, its waiters go on at once; fulfilled elsewhere, when
 * the CPU phase that is going on ends, or at once if the runtime waits. When that is depends on
 * timing, and so does what the batches contain from then on.
 */
#ifndef CORIO_PROMISE_H
#define CORIO_PROMISE_H

#include <corio/task.h>

CORIO_BEGIN_DECLS

typedef struct corio_promise corio_promise;

/* corio_promise_create: makes a promise. corio_promise_share: one more holder of it: each destroys it
 * once, so that who waits and who fulfils need not know when the other is done.
 *
 * ret_promise: given, as is what _share returns (the promise; NULL for NULL); release it with
 * corio_promise_destroy. Suspends: never. Thread: any. Errors: -EINVAL; -ENOMEM. */
CORIO_API int corio_promise_create(corio_promise **ret_promise) CORIO_MUST_CHECK;
CORIO_API corio_promise *corio_promise_share(corio_promise *promise);

/* corio_promise_fulfil: gives the promise its value; all who wait return 0 with it.
 * corio_promise_fail: the same with an error, which they return.
 *
 * value: passed on as it is. code: negative. Suspends: never. Thread: any (not from a signal
 * handler). Errors: -EINVAL no promise, code is not negative; -EALREADY it was fulfilled or failed
 * before, and stays as it is; -EOWNERDEAD a holder has destroyed it. */
CORIO_API int corio_promise_fulfil(corio_promise *promise, void *value);
CORIO_API int corio_promise_fail(corio_promise *promise, int code);

/* corio_promise_wait: waits until the promise is fulfilled; at once if it is. corio_promise_wait_until:
 * gives up when the clock reaches deadline_ns (corio_now_ns() + ...).
 *
 * ret_value: set if it returns 0, borrowed from whoever fulfilled it; NULL: not wanted. The promise
 * must be held until the call begins; it may be destroyed meanwhile. Suspends: maybe. Thread: a task
 * only. Cancelled: gives up. Errors: -EPERM not called from a task; -EINVAL; -EOWNERDEAD a holder has
 * destroyed it before it was fulfilled; -ECANCELED; -ETIMEDOUT; -ENOMEM no memory for the timer; else
 * what it failed with. */
CORIO_API int corio_promise_wait(corio_promise *promise, void **ret_value);
CORIO_API int corio_promise_wait_until(corio_promise *promise, uint64_t deadline_ns,
                                       void **ret_value);

/* corio_promise_try_wait: the same without waiting.
 *
 * Suspends: never. Thread: any. Errors: -EINVAL; -EBUSY it is not fulfilled; -EOWNERDEAD; else what it
 * failed with. */
CORIO_API int corio_promise_try_wait(corio_promise *promise, void **ret_value);

/* corio_promise_destroy: gives it back; the last holder's call releases it. If it is not fulfilled it
 * never will be, whoever else holds it: all who wait, and who fulfil it after that, get -EOWNERDEAD.
 * NULL is ignored.
 *
 * Suspends: never. Thread: any. */
CORIO_API void corio_promise_destroy(corio_promise *promise);

/* corio_promise_wait_count: how many tasks wait for it, about. Thread: any. */
CORIO_API uint32_t corio_promise_wait_count(const corio_promise *promise);

CORIO_END_DECLS

#endif
