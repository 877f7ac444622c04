/* SPDX-License-Identifier: MIT
 *
 * turn.h - who runs on a worker, for a thread that is none: kept only if somebody watches.
 *
 *     a task begins, goes on, spawns -> the turn is its own, with a new number
 *     it suspends or ends            -> the turn is nobody's, before its frame can go
 *
 * The watcher compares numbers without the lock. To look at the task itself it takes the lock, and
 * while it holds it the turn cannot pass on: so the task is alive, and so are its parents, who are
 * complete after it. It is the watcher's lock, too, that orders what it reads besides of the phase.
 *
 * Edges
 *   turn.lock   that of the spin lock (spin.h): a turn that has been taken -> the watcher; the
 *               watcher's look -> the next turn
 */
#ifndef CR_SCHED_TURN_H
#define CR_SCHED_TURN_H

#include "runtime/base/spin.h"
#include "runtime/task/task.h"

typedef struct cr_turn {
    uint32_t lock;
    const corio_task *task; /* NULL: nobody's; under the lock */
    uint64_t number;        /* written under the lock */
} cr_turn;

static inline void cr_turn_pass(cr_turn *turn, const corio_task *task)
{
    cr_spin_lock(&turn->lock); /* [acquire turn.lock] */
    turn->task = task;
    cr_store_64(&turn->number, turn->number + 1);
    cr_spin_unlock(&turn->lock); /* [release turn.lock] */
}

#endif
