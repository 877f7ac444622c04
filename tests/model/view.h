/* SPDX-License-Identifier: MIT
 *
 * view.h - views: what has been seen, of each thread how much of its work, of each thread how many of
 * its atomic writes, of each location which write.
 *
 * A thread's views change; those that writes and mutexes carry are made once, in a pool that is
 * empty again at the next run.
 */
#ifndef MODEL_VIEW_H
#define MODEL_VIEW_H

#include "tests/model/model.h"

typedef uint16_t stamp;

/* Beyond `count` all is zero. */
typedef struct view {
    uint32_t count;
    stamp stamps[]; /* threads, their atomic writes, locations */
} view;

enum { MOST_LOCATIONS = 1000, VIEW_STAMPS = 2 * MODEL_THREADS + MOST_LOCATIONS };

view *view_create(void); /* with room for all */
stamp view_at(const view *of, unsigned index);
void view_extend(view *of, unsigned count);
void view_raise(view *of, unsigned index, stamp to);
void view_join(view *of, const view *other); /* NULL: nothing */

void view_begin_run(void);
/* For keeping. The join of nothing and something is that itself. */
const view *view_joined(const view *a, const view *b);
const view *view_copied(const view *of);
/* To be filled; view_fill_end gives back what it did not need. */
view *view_fill_begin(void);
void view_fill_end(const view *filled);

#endif
