/* SPDX-License-Identifier: MIT
 *
 * late.h - batches that are unanswered for too long: noticed, and told of once.
 *
 *     hand-over -> a record, behind those of earlier hand-overs
 *     replies taken -> what was answered is marked; with the last of it the record goes
 *     the leader, at a boundary or in its sleep: the first record is too old -> a text, and it goes
 *
 * A record belongs to a batch as it was handed over, slices and all. Which of its requests are out is
 * known to the leader alone, from the replies that it has taken: no holder is asked. Without a limit
 * there are no records.
 *
 * Threads: the leader's.
 */
#ifndef CR_IO_LATE_H
#define CR_IO_LATE_H

#include "runtime/base/clock.h"
#include "runtime/task/task.h"

#include <corio/batch.h>

typedef struct cr_late cr_late;

struct cr_io;
struct cr_storage;

/* The batch is about to be handed over. Without memory it is not watched. */
void cr_late_begin(struct cr_io *io, const corio_batch *batch);
/* `count` entries of the storage, from `entries` on, have come back. */
void cr_late_taken(struct cr_io *io, struct cr_storage *storage, const cr_entry *entries,
                   size_t count);
/* When the oldest that has not been told of is too old; CR_NEVER: there is none. */
uint64_t cr_late_next(const struct cr_io *io);
/* What there is to say of the oldest (given), if it is too old, and not again; NULL: nothing. The
 * replies have been taken. */
char *cr_late_text(struct cr_io *io);

#endif
