/* SPDX-License-Identifier: MIT
 *
 * ring.c - the thread that owns the ring.
 *
 *     take the inbox -> fill the submission queue -> one io_uring_enter: submit and wait
 *          ^                                                   |
 *          +-- give back whole works (parts after linger) <-- reap completions
 *
 * It alone submits, so the kernel runs completions in it, in bunches, when it asks for them
 * (IORING_SETUP_DEFER_TASKRUN): no worker is interrupted. A new batch is noticed by a read of
 * wake_fd that is always in the ring.
 *
 * A request with a timeout is two entries, linked; its answer is known when both are complete.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
    TIMEOUT_BIT = 1, /* in user_data: the completion of an operation's linked timeout */
    WAKE_DATA = 2,   /* user_data of the read of wake_fd */
    BUNCH = 16,      /* completions worth waking up for, while slices are about to be whole */
    MOST_BYTES = 2147479552, /* what Linux reads or writes at once */
};

static const uint64_t second_ns = 1000000000;

/* -- Requests into entries -- */

static unsigned clamp_bytes(size_t bytes)
{
    return bytes < MOST_BYTES ? (unsigned)bytes : MOST_BYTES;
}

/* The index of the registered memory that holds it all; -1: none does. */
static int find_buffer(const corio_uring *uring, const void *start, size_t bytes)
{
    if (!uring->buffers_registered)
        return -1;
    uintptr_t at = (uintptr_t)start;
    for (unsigned i = 0; i < uring->options.buffer_count; i++) {
        const struct iovec *buffer = &uring->options.buffers[i];
        uintptr_t base = (uintptr_t)buffer->iov_base;
        if (at >= base && bytes <= buffer->iov_len && at - base <= buffer->iov_len - bytes)
            return (int)i;
    }
    return -1;
}

static void prepare_transfer(corio_uring *uring, struct io_uring_sqe *entry,
                             const corio_uring_request *request)
{
    bool reads = request->op == CORIO_URING_READ;
    const void *memory = reads ? request->buffer : request->data;
    unsigned bytes = clamp_bytes(request->bytes);
    int buffer = find_buffer(uring, memory, bytes);
    int op = reads ? IORING_OP_READ : IORING_OP_WRITE;
    if (buffer >= 0) {
        op = reads ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;
        uring->stats.fixed++; /* the caller holds the lock */
    }
    io_uring_prep_rw(op, entry, request->fd, memory, bytes, (uint64_t)request->offset);
    if (buffer >= 0)
        entry->buf_index = (uint16_t)buffer;
}

/* False: there is no such operation. */
static bool prepare(corio_uring *uring, struct io_uring_sqe *entry, const corio_uring_request *what)
{
    switch (what->op) {
    case CORIO_URING_OPEN:
        io_uring_prep_openat(entry, what->fd, what->path, what->flags, what->mode);
        return true;
    case CORIO_URING_READ:
    case CORIO_URING_WRITE:
        prepare_transfer(uring, entry, what);
        return true;
    case CORIO_URING_FSYNC:
        io_uring_prep_fsync(entry, what->fd, what->flags ? IORING_FSYNC_DATASYNC : 0);
        return true;
    case CORIO_URING_STAT:
        io_uring_prep_statx(entry, what->fd, what->path, what->flags,
                            what->mask ? what->mask : STATX_BASIC_STATS, what->buffer);
        return true;
    case CORIO_URING_CLOSE:
        io_uring_prep_close(entry, what->fd);
        return true;
    case CORIO_URING_ACCEPT:
        io_uring_prep_accept(entry, what->fd, what->address, what->address_bytes, what->flags);
        return true;
    case CORIO_URING_CONNECT:
        io_uring_prep_connect(entry, what->fd, what->data, (socklen_t)what->bytes);
        return true;
    case CORIO_URING_SEND:
        io_uring_prep_send(entry, what->fd, what->data, clamp_bytes(what->bytes),
                           what->flags | MSG_NOSIGNAL);
        return true;
    case CORIO_URING_RECV:
        io_uring_prep_recv(entry, what->fd, what->buffer, clamp_bytes(what->bytes), what->flags);
        return true;
    }
    return false;
}

static void link_timeout(corio_uring *uring, struct io_uring_sqe *entry, struct cr_uring_op *op,
                         uint64_t timeout_ns)
{
    entry->flags |= IOSQE_IO_LINK;
    op->limit.tv_sec = (int64_t)(timeout_ns / second_ns);
    op->limit.tv_nsec = (int64_t)(timeout_ns % second_ns);
    struct io_uring_sqe *timeout = io_uring_get_sqe(&uring->ring);
    io_uring_prep_link_timeout(timeout, &op->limit, 0);
    io_uring_sqe_set_data64(timeout, (uint64_t)(uintptr_t)op | TIMEOUT_BIT);
    op->pending++;
    uring->expected++;
}

/* There is room for two entries. */
static void begin(corio_uring *uring, struct cr_uring_op *op)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&uring->ring);
    uint64_t timeout_ns = cr_uring_timeout_ns(uring, op->request);
    if (!prepare(uring, entry, op->request)) {
        io_uring_prep_nop(entry);
        op->result = -EINVAL;
        timeout_ns = 0;
    }
    io_uring_sqe_set_data64(entry, (uint64_t)(uintptr_t)op);
    op->pending = 1;
    uring->expected++;
    uring->queued++;
    if (timeout_ns > 0)
        link_timeout(uring, entry, op, timeout_ns);
}

/* Counts a system call that hands requests over: the read of wake_fd alone is none. */
static void count_submit_locked(corio_uring *uring)
{
    uring->stats.submits += uring->queued > 0;
    uring->queued = 0;
}

/* Fills the submission queue; empties it into the kernel when it is full. */
static void begin_all(corio_uring *uring)
{
    pthread_mutex_lock(&uring->lock);
    for (struct cr_kept *kept = uring->works; kept; kept = kept->next) {
        struct cr_uring_work *work = (struct cr_uring_work *)kept;
        for (; work->begun < kept->count; work->begun++) {
            if (uring->expected + 2 > uring->most_expected)
                goto full;
            if (io_uring_sq_space_left(&uring->ring) < 2) {
                count_submit_locked(uring);
                if (io_uring_submit(&uring->ring) < 0)
                    goto full;
            }
            begin(uring, &work->ops[work->begun]);
        }
    }
full:
    count_submit_locked(uring); /* what is queued now goes with the wait */
    pthread_mutex_unlock(&uring->lock);
}

/* If the queue is full, the kernel has not taken it for want of memory: then again later. */
static void arm_wake(corio_uring *uring)
{
    struct io_uring_sqe *entry = uring->wake_armed ? NULL : io_uring_get_sqe(&uring->ring);
    if (!entry)
        return;
    io_uring_prep_read(entry, uring->wake_fd, &uring->wake_value, sizeof uring->wake_value, 0);
    io_uring_sqe_set_data64(entry, WAKE_DATA);
    uring->wake_armed = true;
}

/* -- Completions -- */

static void finish(corio_uring *uring, struct cr_uring_op *op)
{
    int result = op->result;
    if (op->expired && (result == -ECANCELED || result == -EINTR))
        result = -ETIMEDOUT;
    cr_uring_finish(uring, op, result);
}

static void take_completion(corio_uring *uring, uint64_t data, int result)
{
    if (data == WAKE_DATA) {
        uring->wake_armed = false;
        return;
    }
    struct cr_uring_op *op = (struct cr_uring_op *)(uintptr_t)(data & ~(uint64_t)TIMEOUT_BIT);
    uring->expected--;
    if (data & TIMEOUT_BIT)
        op->expired = result == -ETIME;
    else if (op->result == 0) /* else a NOP stands for it */
        op->result = result;
    if (--op->pending == 0)
        finish(uring, op);
}

static void reap(corio_uring *uring)
{
    struct io_uring_cqe *completion;
    unsigned head, seen = 0;
    io_uring_for_each_cqe(&uring->ring, head, completion)
    {
        take_completion(uring, completion->user_data, completion->res);
        seen++;
    }
    io_uring_cq_advance(&uring->ring, seen);
}

/* Submits what is in the queue and sleeps: until anything is complete; or, while finished requests
 * wait for their neighbours, until a bunch is or `linger_ns` has passed. */
static void submit_and_wait(corio_uring *uring, uint64_t linger_ns)
{
    struct io_uring_cqe *first;
    struct __kernel_timespec limit = {.tv_sec = (int64_t)(linger_ns / second_ns),
                                      .tv_nsec = (int64_t)(linger_ns % second_ns)};
    unsigned bunch = uring->expected < BUNCH ? uring->expected : BUNCH;
    io_uring_submit_and_wait_timeout(&uring->ring, &first, linger_ns && bunch ? bunch : 1,
                                     linger_ns ? &limit : NULL, NULL);
}

static void run(corio_uring *uring)
{
    uint64_t due_ns = 0; /* when finished requests are given back in parts; 0: there are none */
    while (cr_uring_take_inbox(uring)) {
        uint64_t now = due_ns ? cr_clock_ns() : 0;
        arm_wake(uring);
        begin_all(uring);
        submit_and_wait(uring, due_ns == 0 ? 0 : due_ns > now ? due_ns - now : 1);
        reap(uring);
        bool partly = due_ns && cr_clock_ns() >= due_ns;
        bool left = cr_uring_give(uring, partly);
        due_ns = cr_kept_due_ns(due_ns, left, partly, uring->options.linger_ns);
    }
}

/* -- Setting up -- */

static int make_ring(corio_uring *uring, unsigned flags)
{
    struct io_uring_params params;
    int rc = -ENOMEM;
    for (unsigned entries = uring->options.entries; rc == -ENOMEM && entries >= 16; entries /= 2) {
        memset(&params, 0, sizeof params);
        params.flags = flags | IORING_SETUP_CQSIZE;
        params.cq_entries = 4 * entries;
        rc = io_uring_queue_init_params(entries, &uring->ring, &params);
    }
    if (rc == 0) {
        uring->stats.entries = params.sq_entries;
        uring->most_expected = params.cq_entries - 2; /* the read of wake_fd is one more */
    }
    return rc;
}

static int set_up(corio_uring *uring)
{
    int rc = make_ring(uring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                  IORING_SETUP_SUBMIT_ALL);
    if (rc == -EINVAL) /* an older kernel */
        rc = make_ring(uring, 0);
    if (rc < 0)
        return rc;
    if (!(uring->ring.features & IORING_FEAT_EXT_ARG)) { /* waits with a limit: Linux 5.11 */
        io_uring_queue_exit(&uring->ring);
        return -ENOSYS;
    }
    if (uring->options.buffer_count > 0)
        uring->buffers_registered = io_uring_register_buffers(&uring->ring, uring->options.buffers,
                                                              uring->options.buffer_count) == 0;
    return 0;
}

void *cr_uring_ring_main(void *arg)
{
    corio_uring *uring = arg;
    int rc = set_up(uring);
    uring->stats.uses_ring = rc == 0;
    uring->stats.setup_error = rc;
    sem_post(&uring->started);
    if (rc < 0)
        return NULL;
    run(uring);
    io_uring_queue_exit(&uring->ring);
    return NULL;
}
