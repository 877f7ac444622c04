/* SPDX-License-Identifier: MIT
 *
 * yield.h - letting other tasks go first.
 */
#ifndef CORIO_YIELD_H
#define CORIO_YIELD_H

#include <corio/task.h>

CORIO_BEGIN_DECLS

/* corio_yield: puts the calling task behind all that its worker has to run, and behind those that
 * have yielded there before; other workers may take it up at once. If its worker has nothing else,
 * it gets something from another one; if no task waits to be run anywhere, the call returns at
 * once.
 *
 * It never ends a phase, for the task can run all the time: so it does not help a task that waits
 * for an answer, a clock, or a task that waits for one; a loop of it until then never ends. Tasks
 * that compute do not need it: there are no time slices to give back.
 *
 * Suspends: maybe. Thread: a task only. Cancelled: returns; but what takes effect only when no task
 * can run (deadlines, corio_canceller, the error of a sibling spawned behind it, see cancel.h) does
 * not reach a task that yields for ever. Errors: -EPERM not called from a task; -ECANCELED. */
CORIO_API int corio_yield(void);

CORIO_END_DECLS

#endif
