/* SPDX-License-Identifier: MIT
 *
 * alone.h - whether the leader runs a resume alone.
 *
 * Tasks that hardly compute between two questions are faster on one core: their stacks have just passed through
 * the leader's, and to bring them to another takes longer than to run them. How long tasks run is not
 * known before they have. So both ways are measured, by the number of tasks, and the faster one is
 * taken; the other is tried again now and then, the more rarely the more often it has lost.
 *
 * Alone does not mean for good: the others stay out for four times as long as the phase should take, and
 * then they come. So what a wrong guess costs is that time.
 */
#ifndef CR_SCHED_ALONE_H
#define CR_SCHED_ALONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CR_ALONE_SIZES = 14 }; /* of resumes, by powers of two; what is longer is shared out */

/* How long a phase takes, for 1 << size tasks. 0: not known. */
typedef struct cr_alone_times {
    uint64_t shared_ns, alone_ns;
    uint32_t trial_in; /* so many more resumes, and the slower way is tried again */
    uint32_t trial_after;
} cr_alone_times;

/* The leader's. */
typedef struct cr_alone {
    cr_alone_times times[CR_ALONE_SIZES];
    size_t count; /* the resume that is going on; 0: none, or not to be measured */
    bool chosen;  /* it is the leader's alone */
} cr_alone;

/* `count` tasks are to be resumed: for how many ns the others stay out; 0: they come at once. */
uint64_t cr_alone_choose(cr_alone *alone, size_t count);
/* The phase that followed took so long. */
void cr_alone_measure(cr_alone *alone, uint64_t phase_ns);

#endif
