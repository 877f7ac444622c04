/* SPDX-License-Identifier: MIT
 *
 * threads.c - without a ring: files on the runtime's I/O threads, the rest to the poller.
 *
 *     batch   q q q q w q q w w      q: the system call ends by itself; w: it may wait for somebody
 *             |-| |-| | |-| |-|
 *             to I/O threads  w's to the poller
 *
 * What waits is never put behind an I/O permit: the one it waits for might need that permit.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t cr_uring_timeout_ns(const corio_uring *uring, const corio_uring_request *request)
{
    return request->timeout_ns ? request->timeout_ns : uring->options.timeout_ns;
}

static bool may_wait(const corio_uring_request *request)
{
    switch (request->op) {
    case CORIO_URING_READ:
    case CORIO_URING_WRITE:
        return request->offset < 0;
    case CORIO_URING_ACCEPT:
    case CORIO_URING_CONNECT:
    case CORIO_URING_SEND:
    case CORIO_URING_RECV:
        return true;
    default:
        return false;
    }
}

static int call(const corio_uring_request *what)
{
    ssize_t rc;
    switch (what->op) {
    case CORIO_URING_OPEN:
        rc = openat(what->fd, what->path, what->flags, what->mode);
        break;
    case CORIO_URING_READ:
        rc = pread(what->fd, what->buffer, what->bytes, what->offset);
        break;
    case CORIO_URING_WRITE:
        rc = pwrite(what->fd, what->data, what->bytes, what->offset);
        break;
    case CORIO_URING_FSYNC:
        rc = what->flags ? fdatasync(what->fd) : fsync(what->fd);
        break;
    case CORIO_URING_STAT:
        rc = statx(what->fd, what->path, what->flags, what->mask ? what->mask : STATX_BASIC_STATS,
                   what->buffer);
        break;
    case CORIO_URING_CLOSE:
        rc = close(what->fd);
        break;
    default:
        return -EINVAL;
    }
    return rc < 0 ? -errno : (int)rc;
}

static int answer_slice(void *arg, corio_batch *batch)
{
    (void)arg;
    size_t count = corio_batch_len(batch);
    for (size_t i = 0; i < count; i++) {
        corio_uring_answer *answer = corio_batch_output(batch, i);
        int result = call(corio_batch_input(batch, i));
        if (result < 0) {
            corio_batch_fail(batch, i, result);
        } else {
            answer->result = result;
            corio_batch_respond(batch, i);
        }
    }
    return CORIO_DONE;
}

static void fail_all(corio_batch *batch, int error)
{
    size_t count = corio_batch_len(batch);
    for (size_t i = 0; i < count; i++)
        corio_batch_fail(batch, i, error);
    corio_batch_complete(batch);
}

static void to_thread(corio_uring *uring, corio_batch *slice)
{
    cr_uring_count(uring, &uring->stats.slices);
    if (corio_batch_submit(slice, answer_slice, NULL) < 0) {
        answer_slice(NULL, slice);
        corio_batch_complete(slice);
    }
}

static void to_poller(corio_uring *uring, corio_batch *slice)
{
    struct cr_uring_work *work = cr_uring_work_create(uring, slice);
    if (work)
        cr_inbox_push(&uring->inbox, &work->kept);
    else
        fail_all(slice, -ENOMEM);
}

/* The end of the run of requests from `first` on that go the same way, at most `most` of them. */
static size_t run_end(const corio_batch *batch, size_t first, size_t most)
{
    bool waits = may_wait(corio_batch_input(batch, first));
    size_t count = corio_batch_len(batch), end = first + 1;
    while (end < count && end - first < most && may_wait(corio_batch_input(batch, end)) == waits)
        end++;
    return end;
}

int cr_uring_dispatch_threads(corio_uring *uring, corio_batch *batch)
{
    size_t count = corio_batch_len(batch), first = 0;
    size_t each = (count + uring->options.threads - 1) / uring->options.threads;
    int rc = CORIO_LATER;
    while (first < count && rc == CORIO_LATER) {
        bool waits = may_wait(corio_batch_input(batch, first));
        size_t end = run_end(batch, first, waits ? CR_URING_WORK : each);
        corio_batch *slice;
        if (corio_batch_slice(batch, first, end - first, &slice) < 0)
            rc = -ENOMEM;
        else if (waits)
            to_poller(uring, slice);
        else
            to_thread(uring, slice);
        first = end;
    }
    return rc;
}
