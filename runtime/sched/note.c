/* SPDX-License-Identifier: MIT
 *
 * note.c - what is done for those who look on: the trace and the statistics. Off the hot paths, which
 * test one flag (cr_worker.special).
 */
#include "runtime/sched/sched.h"

void cr_note_run(cr_worker *worker, const corio_task *task)
{
    if (worker->trace != NULL)
        cr_trace_run(worker->trace, task);
    if (worker->tally != NULL)
        worker->tally->closures++;
}

void cr_note_end(cr_worker *worker, const corio_task *task, int rc)
{
    if (worker->trace != NULL)
        cr_trace_finish(worker->trace, task, rc);
    if (worker->tally != NULL)
        cr_tally_last(worker->tally, task);
}

void cr_note_park(cr_worker *worker, cr_park *park)
{
    park->noted = true;
    if (worker->trace != NULL)
        cr_trace_park(worker->trace, park);
    if (worker->tally != NULL)
        cr_tally_last(worker->tally, park->task);
}

void cr_note_resume(cr_worker *worker, const cr_park *park)
{
    if (worker->trace != NULL)
        cr_trace_resume(worker->trace, park);
    if (worker->tally != NULL)
        worker->tally->continuations++;
}
