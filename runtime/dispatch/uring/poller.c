/* SPDX-License-Identifier: MIT
 *
 * poller.c - without a ring: one thread for all that may wait for somebody else.
 *
 * It polls every file of every waiting request, and does the system call of those that are ready:
 * so a call does not wait. Of several requests for one file each looks again, since the one before
 * may have taken what there was. The cost of a round is in proportion to what waits; it is a way
 * out, not a rival of the ring.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

struct poller {
    corio_uring *uring;
    struct pollfd *files; /* the first is wake_fd */
    struct cr_uring_op **ops;
    size_t count;
    size_t capacity;
};

static short events_of(const corio_uring_request *request)
{
    bool writes = request->op == CORIO_URING_WRITE || request->op == CORIO_URING_SEND ||
                  request->op == CORIO_URING_CONNECT;
    return writes ? POLLOUT : POLLIN;
}

/* -- System calls that do not wait -- */

static int begin_connect(struct cr_uring_op *op)
{
    const corio_uring_request *request = op->request;
    op->file_flags = fcntl(request->fd, F_GETFL);
    if (op->file_flags < 0 || fcntl(request->fd, F_SETFL, op->file_flags | O_NONBLOCK) < 0)
        return -errno;
    op->connecting = true;
    if (connect(request->fd, request->data, (socklen_t)request->bytes) == 0)
        return 0;
    return -errno;
}

static int end_connect(const struct cr_uring_op *op)
{
    int error = 0;
    socklen_t bytes = sizeof error;
    if (getsockopt(op->request->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0)
        return -errno;
    return -error;
}

static int call(struct cr_uring_op *op)
{
    const corio_uring_request *what = op->request;
    ssize_t rc;
    switch (what->op) {
    case CORIO_URING_READ:
        rc = read(what->fd, what->buffer, what->bytes);
        break;
    case CORIO_URING_WRITE:
        rc = write(what->fd, what->data, what->bytes);
        break;
    case CORIO_URING_ACCEPT:
        rc = accept4(what->fd, what->address, what->address_bytes, what->flags);
        break;
    case CORIO_URING_SEND:
        rc = send(what->fd, what->data, what->bytes, what->flags | MSG_NOSIGNAL | MSG_DONTWAIT);
        break;
    case CORIO_URING_RECV:
        rc = recv(what->fd, what->buffer, what->bytes, what->flags | MSG_DONTWAIT);
        break;
    case CORIO_URING_CONNECT:
        return op->connecting ? end_connect(op) : begin_connect(op);
    default:
        return -EINVAL;
    }
    return rc < 0 ? -errno : (int)rc;
}

/* -- Rounds -- */

static void finish(struct poller *poller, struct cr_uring_op *op, int result)
{
    if (op->connecting)
        fcntl(op->request->fd, F_SETFL, op->file_flags);
    op->pending = 0;
    cr_uring_finish(poller->uring, op, result);
}

static void attempt(struct poller *poller, struct cr_uring_op *op)
{
    struct pollfd again = {.fd = op->request->fd, .events = events_of(op->request)};
    if (poll(&again, 1, 0) == 0)
        return;
    int result = again.revents & POLLNVAL ? -EBADF : call(op);
    if (result == -EAGAIN || result == -EINTR || result == -EINPROGRESS)
        return;
    finish(poller, op, result);
}

static void expire(struct poller *poller, struct cr_uring_op *op, uint64_t now)
{
    if (op->pending == 0 || now < op->deadline_ns)
        return;
    op->expired = true;
    finish(poller, op, -ETIMEDOUT);
}

/* A connect is begun at once: an unconnected socket has nothing to wait for. */
static void begin(struct poller *poller, struct cr_uring_op *op)
{
    uint64_t timeout_ns = cr_uring_timeout_ns(poller->uring, op->request);
    uint64_t now = cr_clock_ns();
    op->pending = 1;
    op->deadline_ns =
        timeout_ns == 0 || timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
    if (op->request->op != CORIO_URING_CONNECT)
        return;
    int result = begin_connect(op);
    if (result != -EINPROGRESS)
        finish(poller, op, result);
}

static void begin_new(struct poller *poller)
{
    for (struct cr_kept *kept = poller->uring->works; kept; kept = kept->next) {
        struct cr_uring_work *work = (struct cr_uring_work *)kept;
        for (; work->begun < kept->count; work->begun++)
            begin(poller, &work->ops[work->begun]);
    }
}

static bool reserve(struct poller *poller, size_t count)
{
    if (count <= poller->capacity)
        return true;
    struct pollfd *files = realloc(poller->files, count * sizeof *files);
    if (files)
        poller->files = files;
    struct cr_uring_op **ops = realloc(poller->ops, count * sizeof(struct cr_uring_op *));
    if (ops)
        poller->ops = ops;
    if (!files || !ops)
        return false;
    poller->capacity = count;
    return true;
}

/* Those that find no memory are not looked at in this round. */
static void list_waiting(struct poller *poller, uint64_t *ret_deadline_ns)
{
    *ret_deadline_ns = UINT64_MAX;
    poller->count = 1;
    poller->files[0] = (struct pollfd){.fd = poller->uring->wake_fd, .events = POLLIN};
    for (struct cr_kept *kept = poller->uring->works; kept; kept = kept->next) {
        struct cr_uring_work *work = (struct cr_uring_work *)kept;
        for (size_t i = 0; i < kept->count; i++) {
            struct cr_uring_op *op = &work->ops[i];
            if (op->pending == 0)
                continue;
            if (op->deadline_ns < *ret_deadline_ns)
                *ret_deadline_ns = op->deadline_ns;
            if (poller->count == poller->capacity && !reserve(poller, 2 * poller->count))
                continue;
            poller->files[poller->count] =
                (struct pollfd){.fd = op->request->fd, .events = events_of(op->request)};
            poller->ops[poller->count++] = op;
        }
    }
}

static void wait_for_any(struct poller *poller, uint64_t deadline_ns)
{
    struct timespec limit;
    uint64_t now = cr_clock_ns();
    uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
    limit.tv_sec = (time_t)(left / 1000000000);
    limit.tv_nsec = (long)(left % 1000000000);
    int ready =
        ppoll(poller->files, poller->count, deadline_ns == UINT64_MAX ? NULL : &limit, NULL);
    for (size_t i = 0; ready <= 0 && i < poller->count; i++)
        poller->files[i].revents = 0;
}

static void run_round(struct poller *poller)
{
    uint64_t deadline_ns, count;
    list_waiting(poller, &deadline_ns);
    wait_for_any(poller, deadline_ns);
    if (poller->files[0].revents && read(poller->uring->wake_fd, &count, sizeof count) < 0)
        return;
    uint64_t now = deadline_ns == UINT64_MAX ? 0 : cr_clock_ns();
    for (size_t i = 1; i < poller->count; i++) {
        if (poller->files[i].revents)
            attempt(poller, poller->ops[i]);
        if (now > 0)
            expire(poller, poller->ops[i], now);
    }
}

void *cr_uring_poller_main(void *arg)
{
    struct poller poller = {.uring = arg};
    while (!reserve(&poller, 64))
        sleep(1);
    while (cr_uring_take_inbox(poller.uring)) {
        begin_new(&poller);
        cr_uring_give(poller.uring, true);
        run_round(&poller);
        cr_uring_give(poller.uring, true);
    }
    free(poller.files);
    free(poller.ops);
    return NULL;
}
