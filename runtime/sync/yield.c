/* SPDX-License-Identifier: MIT
 *
 * yield.c - a task that goes behind the others: into a queue of its worker that is taken from last,
 * oldest first, and by thieves as well.
 *
 * A cancelled one does not yield any more, also in the step in which it is cancelled: a step does
 * not end while tasks yield.
 */
#include "runtime/sched/sched.h"

#include <corio/yield.h>
#include <errno.h>

static const cr_park_reason yields = {.text = "yields"};

int corio_yield(void)
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (cr_task_cancelled(&worker->sched->cancel, worker->task) != CR_NOT_CANCELLED)
        return -ECANCELED;
    if (!cr_has_own(worker))
        return 0;
    cr_park park = {.reason = &yields, .after = cr_make_runnable_behind};
    cr_suspend(worker, &park);
    return 0;
}
