/* SPDX-License-Identifier: MIT
 *
 * note.c - what is noted of tasks that come and go: in the trace, in the statistics, and for who
 * watches. Only special workers get here.
 */
#include "runtime/sched/sched.h"

static void pass_turn(cr_worker *worker, const corio_task *task)
{
    if (worker->watched)
        cr_turn_pass(&worker->turn, task);
}

void cr_note_start(cr_worker *worker, const corio_task *task)
{
    if (worker->tally != NULL)
        worker->tally->closures++;
    cr_note_run(worker, task);
}

void cr_note_run(cr_worker *worker, const corio_task *task)
{
    if (worker->trace != NULL)
        cr_trace_run(worker->trace, task);
    pass_turn(worker, task);
}

void cr_note_end(cr_worker *worker, const corio_task *task, int rc)
{
    pass_turn(worker, NULL);
    if (worker->trace != NULL)
        cr_trace_finish(worker->trace, task, rc);
    if (worker->tally != NULL)
        cr_tally_last(worker->tally, task);
}

void cr_note_park(cr_worker *worker, cr_park *park)
{
    park->noted = true;
    pass_turn(worker, NULL);
    if (worker->trace != NULL)
        cr_trace_park(worker->trace, park);
    if (worker->tally != NULL)
        cr_tally_last(worker->tally, park->task);
    const cr_errand *errand = &worker->sched->errand;
    if (park->reason == NULL && errand->wanted != NULL)
        worker->errand = errand->wanted(errand->self, worker);
}

void cr_note_resume(cr_worker *worker, const cr_park *park)
{
    if (worker->trace != NULL)
        cr_trace_resume(worker->trace, park);
    if (worker->tally != NULL)
        worker->tally->continuations++;
    pass_turn(worker, park->task);
}

void cr_note_spawn(cr_worker *worker, const corio_task *parent, const char *name)
{
    if (worker->trace != NULL)
        cr_trace_spawn(worker->trace, parent, name, parent->spawns);
    pass_turn(worker, parent);
}

void cr_note_call(cr_worker *worker)
{
    pass_turn(worker, worker->task);
}
