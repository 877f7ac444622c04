/* SPDX-License-Identifier: MIT
 *
 * sim.h - simulation: the whole runtime on one thread, where a seed decides what in a real run is up
 * to timing.
 *
 *     who runs next          any of the runnable tasks, instead of the newest
 *     who is preempted       a task may be put back at each call that makes something runnable
 *     who steals             a child may run on a stack of its own although its parent waits for it
 *     when answers come      submitted slices wait in a list, and are run in any order
 *     what time it is        a clock of its own, which jumps to the next timer when nothing can run
 *
 * The same seed gives the same run, as long as the program itself does not look at anything else
 * (clocks of its own, addresses, threads of its own that complete batches). There is no concurrency
 * in it: what it cannot find is a wrong memory order.
 */
#ifndef CR_SCHED_SIM_H
#define CR_SCHED_SIM_H

#include "runtime/task/task.h"

#include <stdbool.h>
#include <stdint.h>

struct cr_worker;
struct corio_batch;

typedef struct cr_sim {
    uint64_t seed; /* 0: no simulation */
    uint64_t random;
    uint64_t now_ns;          /* read by any thread */
    struct corio_batch *jobs; /* submitted slices that have not been run */
    size_t job_count;
} cr_sim;

void cr_sim_init(cr_sim *sim, uint64_t seed);
/* A number below `bound`. */
uint64_t cr_sim_draw(cr_sim *sim, uint64_t bound);
/* The clock, which goes on a little each time it is read. */
uint64_t cr_sim_now(cr_sim *sim);
void cr_sim_jump(cr_sim *sim, uint64_t to_ns);

/* The next thing that runs: any one of those that can. */
bool cr_sim_next(struct cr_worker *worker, cr_item *ret_item);
/* Maybe lets others go first. */
void cr_sim_preempt(struct cr_worker *worker);

#endif
