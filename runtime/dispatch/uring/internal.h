/* SPDX-License-Identifier: MIT
 *
 * internal.h - what the files of the io_uring dispatcher share.
 *
 *     corio_uring --+-- inbox    batches from dispatching threads
 *                   +-- thread   ring.c: owns the ring; or poller.c: sockets without one
 *                   +-- wake_fd  tells the thread to look into the inbox
 *
 * Invariants: the ring, and the list of works, are the thread's alone. A work's operations are
 * known to the kernel by their address, so a work is freed only when all their completions are in.
 */
#ifndef CR_URING_INTERNAL_H
#define CR_URING_INTERNAL_H

#include "../kept.h"

#include <corio/uring.h>

#include <liburing.h>
#include <pthread.h>
#include <semaphore.h>

/* Most requests of a work: giving back a few of them costs time in proportion to it. */
enum { CR_URING_WORK = 1024 };

/* saved.c: for recordings. */
corio_save_fn cr_uring_save;
corio_restore_fn cr_uring_restore;

/* One request on its way. */
struct cr_uring_op {
    const corio_uring_request *request;
    corio_uring_answer *answer;
    struct cr_uring_work *work;
    uint32_t index; /* in the work */
    int result;
    uint8_t pending; /* completions still to come */
    bool expired;    /* the timeout came first */
    bool connecting; /* poller.c: connect has begun */
    int file_flags;  /* poller.c: to be set again after connecting */
    union {
        struct __kernel_timespec limit; /* ring.c: read by the kernel */
        uint64_t deadline_ns;           /* poller.c; UINT64_MAX: none */
    };
};

/* A batch, or a slice of a large one. */
struct cr_uring_work {
    struct cr_kept kept;
    size_t begun; /* operations [0, begun) have been handed to the kernel */
    struct cr_uring_op ops[];
};

struct corio_uring {
    corio_uring_options options; /* all defaults filled in */
    struct cr_inbox inbox;
    pthread_t thread;
    bool has_thread;
    sem_t started;
    int wake_fd;
    pthread_mutex_t lock; /* of stats */
    corio_uring_stats stats;

    /* The thread's own. */
    struct cr_kept *works;
    struct io_uring ring;
    unsigned expected; /* completions to come */
    unsigned most_expected;
    unsigned queued;     /* requests in the submission queue */
    uint64_t wake_value; /* where a read of wake_fd leaves its count */
    bool wake_armed;     /* that read is in the ring */
    bool buffers_registered;
};

static inline void cr_uring_count(corio_uring *uring, uint64_t *counter)
{
    pthread_mutex_lock(&uring->lock);
    ++*counter;
    pthread_mutex_unlock(&uring->lock);
}

/* uring.c */
struct cr_uring_work *cr_uring_work_create(corio_uring *uring, corio_batch *batch);
void cr_uring_finish(corio_uring *uring, struct cr_uring_op *op, int result);
/* Gives back what is finished; frees works that are done. True if finished requests are left. */
bool cr_uring_give(corio_uring *uring, bool partly);
/* Moves the inbox behind the works. False: the thread shall end. */
bool cr_uring_take_inbox(corio_uring *uring);

/* ring.c: posts `started` when the ring is there or known to be forbidden (stats.setup_error). */
void *cr_uring_ring_main(void *arg);

/* poller.c: requests that may wait for somebody else, without a ring. */
void *cr_uring_poller_main(void *arg);

/* threads.c: answers a batch without a ring. */
int cr_uring_dispatch_threads(corio_uring *uring, corio_batch *batch);
uint64_t cr_uring_timeout_ns(const corio_uring *uring, const corio_uring_request *request);

#endif
