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

/* Something of another worker's, as if this one had become idle; false: there is nothing. */
static bool take_over(cr_worker *worker)
{
    cr_item item;
    if (!cr_steal_any(worker, &item)) {
        /* The attempt may have hidden something from a worker that went to sleep meanwhile. */
        if (cr_work_visible(worker->sched))
            cr_pushed(worker);
        return false;
    }
    CR_INVARIANT(cr_deque_push_owner(&worker->deque, &item)); /* it was empty: there is room */
    return true;
}

int corio_yield(void)
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (cr_task_cancelled(&worker->sched->cancel, worker->task) != CR_NOT_CANCELLED)
        return -ECANCELED;
    if (!cr_has_own(worker) && !take_over(worker)) {
        cr_note_call(worker);
        return 0;
    }
    cr_park park = {.reason = &yields, .after = cr_make_runnable_behind};
    cr_suspend(worker, &park);
    return 0;
}
