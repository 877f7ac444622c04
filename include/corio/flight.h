/* SPDX-License-Identifier: MIT
 *
 * flight.h - single flight: of all tasks that want the same thing at the same time, one does it and
 * all get the result.
 *
 *     corio_do(prices, "eur", 3, fetch, &how, &price, &shared);
 *
 * The first caller with a key becomes its leader and calls the function; callers with the same key
 * wait for it. When it returns, the key is forgotten in the same moment as the result is given out:
 * a later call does it anew, and never gets an old answer. Different keys never wait for each
 * other. Who leads depends on timing, and so may the place of its requests in a batch.
 */
#ifndef CORIO_FLIGHT_H
#define CORIO_FLIGHT_H

#include <corio/task.h>

CORIO_BEGIN_DECLS

typedef struct corio_flight corio_flight;

/* Does the thing and writes the value (value_bytes). Returns 0 or a negative code. */
typedef int corio_flight_fn(void *arg, void *value);

/* corio_flight_create: makes a set of keys.
 *
 * value_bytes: of a value; 0: none. ret_flight: given; release it with corio_flight_destroy.
 * Suspends: never. Thread: any. Errors: -EINVAL; -ENOMEM. */
CORIO_API int corio_flight_create(size_t value_bytes, corio_flight **ret_flight) CORIO_MUST_CHECK;

/* corio_flight_destroy: NULL is ignored. Suspends: never. Thread: any. Errors: -EBUSY a call is
 * going on: nothing happens. */
CORIO_API int corio_flight_destroy(corio_flight *flight);

/* corio_do: calls fn(arg, value), or waits for the task that does so for the same key.
 *
 * key, key_bytes: any bytes, borrowed for the call (0 bytes are a key too). value: value_bytes
 * bytes, written on success; NULL only if that is 0. ret_shared: set to whether the result was given to
 * more than one caller; NULL is allowed. Returns what fn returned: a failing leader gives its error
 * to all; one that leaves by corio_fail does, too, and goes on leaving. If the leader is cancelled
 * (fn returns -ECANCELED and the task is cancelled), the longest waiting task leads next, with its
 * own fn and arg.
 *
 * Suspends: maybe. Thread: a task only. Cancelled: one that waits returns; a leader's calls tell
 * it. Errors: -EPERM not called from a task; -EINVAL; -EDEADLK the calling task leads this key
 * already (a call of it inside fn), or nothing can run any more; -ECANCELED; else fn's. */
CORIO_API int corio_do(corio_flight *flight, const void *key, size_t key_bytes, corio_flight_fn *fn,
                       void *arg, void *value, bool *ret_shared);

/* corio_flight_count: how many keys are being worked on. Suspends: never. Thread: any. */
CORIO_API size_t corio_flight_count(corio_flight *flight);

CORIO_END_DECLS

#endif
