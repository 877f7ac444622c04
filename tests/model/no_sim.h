/* SPDX-License-Identifier: MIT
 *
 * no_sim.h - a simulation is never called here: the explorer is one of its own.
 */
#ifndef MODEL_NO_SIM_H
#define MODEL_NO_SIM_H

#include "runtime/sched/sched.h"
#include "tests/model/model.h"

uint64_t cr_sim_draw(cr_sim *sim, uint64_t bound)
{
    (void)sim;
    (void)bound;
    model_fail("nothing is simulated");
    return 0;
}

uint64_t cr_sim_now(cr_sim *sim)
{
    return cr_sim_draw(sim, 1);
}

bool cr_sim_next(cr_worker *worker, cr_item *ret_item)
{
    (void)ret_item;
    return cr_sim_draw(&worker->sched->sim, 1) != 0;
}

void cr_sim_preempt(cr_worker *worker)
{
    (void)cr_sim_draw(&worker->sched->sim, 1);
}

#endif
