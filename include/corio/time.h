/* SPDX-License-Identifier: MIT
 *
 * time.h - sleeping, and blocking calls with a limit of their own.
 *
 * deadline_ns: on the clock of corio_now_ns; UINT64_MAX: no limit. A deadline that has passed lets
 * a call succeed that need not wait. Clocks are looked at between phases, when no task can run.
 */
#ifndef CORIO_TIME_H
#define CORIO_TIME_H

#include <corio/cancel.h>
#include <corio/io.h>

CORIO_BEGIN_DECLS

/* corio_sleep: suspends the calling task for at least duration_ns nanoseconds. corio_sleep_until:
 * until the clock reaches deadline_ns. 0 and times gone by return at once.
 *
 * Suspends: maybe. Thread: a task only. Cancelled: returns. Errors: -EPERM not called from a task;
 * -ECANCELED; -ENOMEM. */
CORIO_API int corio_sleep(uint64_t duration_ns);
CORIO_API int corio_sleep_until(uint64_t deadline_ns);

/* corio_wait_until, corio_group_wait_until: as corio_wait and corio_group_wait. If the deadline
 * passes, the children are cancelled with -ETIMEDOUT, and then waited for.
 *
 * Errors: -ETIMEDOUT, unless a child failed before; -ENOMEM nothing was waited for; else as
 * corio_wait. */
CORIO_API int corio_wait_until(uint64_t deadline_ns);
CORIO_API int corio_group_wait_until(corio_group *group, uint64_t deadline_ns);

/* corio_io_until, corio_io_all_until: as corio_io and corio_io_all. If the deadline passes, what
 * has not been handed over is withdrawn with -ETIMEDOUT; what has is waited for, and
 * corio_batch_cancelled says so.
 *
 * Errors: -ETIMEDOUT; -ENOMEM nothing was asked; else as corio_io. */
CORIO_API int corio_io_until(corio_dispatcher *dispatcher, const void *input, void *output,
                             uint64_t deadline_ns);
CORIO_API int corio_io_all_until(corio_request *requests, size_t count, uint64_t deadline_ns);

CORIO_END_DECLS

#endif
