/* SPDX-License-Identifier: MIT
 *
 * log.c - what a task has to say in the trace.
 */
#include "runtime/sched/sched.h"

#include <corio/trace.h>

void corio_log(const char *format, ...)
{
    const cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->trace == NULL || worker->task == NULL || format == NULL)
        return;
    va_list args;
    va_start(args, format);
    cr_trace_log(worker->trace, worker->task, format, args);
    va_end(args);
}
