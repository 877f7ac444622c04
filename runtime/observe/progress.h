/* SPDX-License-Identifier: MIT
 *
 * progress.h - a line on standard error that says how far a run is. There is no thread behind it: it
 * changes at boundaries, not more often than a person can read, and is erased when the run ends.
 *
 * The leader's, at a boundary.
 */
#ifndef CR_OBSERVE_PROGRESS_H
#define CR_OBSERVE_PROGRESS_H

#include <corio/statistics.h>

enum { CR_PROGRESS_PER_SECOND = 5 };

typedef struct cr_progress {
    bool wanted;
    bool shown;        /* there is a line to erase */
    uint64_t began_ns; /* of the run; 0: not yet */
    uint64_t shown_ns;
    uint64_t phases, tasks, requests; /* of the run so far */
} cr_progress;

/* stats: of the phase that has ended just now. */
void cr_progress_phase(cr_progress *progress, const corio_phase_stats *stats, uint64_t now_ns);

#endif
