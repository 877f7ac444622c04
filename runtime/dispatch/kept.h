/* SPDX-License-Identifier: MIT
 *
 * kept.h - batches that a dispatcher keeps and that a thread of its own works on. Compiled into each
 * dispatcher that needs it; public headers only.
 *
 *     dispatch --push--> inbox --take--> the thread: finish(i, status) ... give
 *
 *     requests   F F . F . . F F      F finished, . open
 *                |-| | |     |-|
 *     slices     one per run of finished requests, if some must wait longer; if none is open, what
 *                is left of the batch is completed as it is
 *
 * Invariants: a kept batch is used by one thread at a time. Each request is finished once, and its
 * output is written before.
 */
#ifndef CR_DISPATCH_KEPT_H
#define CR_DISPATCH_KEPT_H

#include <corio/batch.h>

#include <pthread.h>

struct cr_kept {
    struct cr_kept *next; /* the list's that it is in */
    corio_batch *batch;
    size_t count;
    size_t finished; /* their answer is known, and not given */
    size_t given;
    int *status; /* 0 or a negative code: finished; else one of the two below */
};

enum { CR_KEPT_OPEN = 1, CR_KEPT_GIVEN = 2 };

/* batch: taken by a later cr_kept_give; on -ENOMEM it is still the caller's. */
int cr_kept_init(struct cr_kept *kept, corio_batch *batch);
void cr_kept_fini(struct cr_kept *kept);

void cr_kept_finish(struct cr_kept *kept, size_t i, int status);

static inline bool cr_kept_is_whole(const struct cr_kept *kept)
{
    return kept->finished + kept->given == kept->count;
}

/* Answers finished requests: all that is left if none is open; else, if `partly`, in slices. True
 * if the batch has been given back wholly: then it must not be used any more. */
bool cr_kept_give(struct cr_kept *kept, bool partly);

/* Gives what it can of each batch in the list, and takes those that are given back wholly out of it;
 * `destroy` releases those. True if finished requests are left. */
bool cr_kept_give_all(struct cr_kept **list, bool partly, void (*destroy)(struct cr_kept *kept));

/* When finished requests are to be given back in parts, while others of their batch are open: at most
 * linger_ns after the first of them was finished. `due_ns`: as it was, 0 if none were left then;
 * `left`: some are now; `gave_parts`: those from before are gone. */
uint64_t cr_kept_due_ns(uint64_t due_ns, bool left, bool gave_parts, uint64_t linger_ns);

/* Where dispatching threads leave batches for the thread. Whoever pushes wakes it. */
struct cr_inbox {
    pthread_mutex_t lock;
    struct cr_kept *first;
    struct cr_kept **last;
    bool stop;
};

void cr_inbox_init(struct cr_inbox *inbox);
void cr_inbox_fini(struct cr_inbox *inbox);
void cr_inbox_push(struct cr_inbox *inbox, struct cr_kept *kept);
void cr_inbox_stop(struct cr_inbox *inbox);
/* Moves everything pushed so far behind what is in the list, and returns the first that was moved.
 * *ret_stop: whether cr_inbox_stop was called. */
struct cr_kept *cr_inbox_take(struct cr_inbox *inbox, struct cr_kept **list, bool *ret_stop);

/* Starts a thread that takes none of the process's signals. Returns 0 or a negated errno value. */
int cr_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t cr_clock_ns(void);

#endif
