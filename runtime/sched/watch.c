/* SPDX-License-Identifier: MIT
 *
 * watch.c - what is done for those who look on: the trace and the statistics. Off the hot paths, which
 * test one flag (cr_worker.special).
 */
#include "runtime/sched/sched.h"

void cr_saw_start(cr_worker *worker, const corio_task *task)
{
    if (worker->trace != NULL)
        cr_trace_run(worker->trace, task);
    if (worker->watch != NULL)
        worker->watch->closures++;
}

void cr_saw_end(cr_worker *worker, const corio_task *task, int rc)
{
    if (worker->trace != NULL)
        cr_trace_finish(worker->trace, task, rc);
    if (worker->watch != NULL)
        cr_watch_last(worker->watch, task);
}

void cr_saw_park(cr_worker *worker, cr_park *park)
{
    park->watched = true;
    if (worker->trace != NULL)
        cr_trace_park(worker->trace, park);
    if (worker->watch != NULL)
        cr_watch_last(worker->watch, park->task);
}

void cr_saw_resume(cr_worker *worker, const cr_park *park)
{
    if (worker->trace != NULL)
        cr_trace_resume(worker->trace, park);
    if (worker->watch != NULL)
        worker->watch->continuations++;
}
