/* SPDX-License-Identifier: MIT
 *
 * soak.h - living for as long as told, and watching that nothing grows.
 *
 * A life is a runtime made, used and destroyed. After each one the process is measured: what is left
 * then is what the library kept, or lost. The first fifth of the lives is warm-up (arenas of the
 * heap, cached thread stacks); the rest is cut into three. Something grows if its *lowest* level in
 * the last third lies above its *highest* in the first third by more than a slack: so levels may go
 * up and down as they like, and only what does not come down again counts.
 */
#ifndef CR_TESTS_SOAK_H
#define CR_TESTS_SOAK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct soak_counts {
    uint64_t runs, tasks, requests;
} soak_counts;

/* One life, of a runtime with some runs: adds what it did to *counts. `number`: a random one, another
 * each time. */
typedef void soak_life(uint64_t number, unsigned most_runs, soak_counts *counts);

/* Lives for `minutes`, but thirty lives at least; a line a minute, and a summary. Ends early after
 * soak_stop. leak: what is to be lost in each life ("memory", "mappings", "threads", "files"), to see
 * that it is noticed; NULL: nothing. Whether nothing grew. */
bool soak(double minutes, uint64_t seed, const char *leak, soak_life *life);

/* A signal handler: the life that goes on is the last one. */
void soak_stop(int signal_number);

#endif
