/* SPDX-License-Identifier: MIT
 *
 * uring.c - making and ending a ring, batches into works, works into answers.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    LEAST_ENTRIES = 16,
    MOST_ENTRIES = 16384,
    DEFAULT_ENTRIES = 4096,
    MOST_THREADS = 1024,
    DEFAULT_THREADS = 16,
    MOST_BUFFERS = 1024,
    DEFAULT_LINGER_NS = 200000,
};

/* -- Works -- */

static int in_order(const void *a, const void *b, void *order)
{
    const struct cr_uring_op *left = a, *right = b;
    int rc = (*(corio_uring_order_fn **)order)(left->request, right->request);
    return rc != 0 ? rc : (left->index > right->index) - (left->index < right->index);
}

struct cr_uring_work *cr_uring_work_create(corio_uring *uring, corio_batch *batch)
{
    size_t count = corio_batch_len(batch);
    struct cr_uring_work *work = calloc(1, sizeof *work + count * sizeof *work->ops);
    if (!work)
        return NULL;
    if (cr_kept_init(&work->kept, batch) < 0) {
        free(work);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        struct cr_uring_op *op = &work->ops[i];
        op->request = corio_batch_input(batch, i);
        op->answer = corio_batch_output(batch, i);
        op->work = work;
        op->index = (uint32_t)i;
    }
    if (uring->options.order)
        qsort_r(work->ops, count, sizeof *work->ops, in_order, &uring->options.order);
    return work;
}

static void work_destroy(struct cr_kept *kept)
{
    cr_kept_fini(kept);
    free(kept); /* it is the first member of its work */
}

void cr_uring_finish(corio_uring *uring, struct cr_uring_op *op, int result)
{
    if (result == -ETIMEDOUT && op->expired)
        cr_uring_count(uring, &uring->stats.timeouts);
    if (result >= 0)
        op->answer->result = result;
    cr_kept_finish(&op->work->kept, op->index, result < 0 ? result : 0);
}

bool cr_uring_give(corio_uring *uring, bool partly)
{
    return cr_kept_give_all(&uring->works, partly, work_destroy);
}

bool cr_uring_take_inbox(corio_uring *uring)
{
    bool stop;
    cr_inbox_take(&uring->inbox, &uring->works, &stop);
    return !stop || uring->works;
}

/* -- Dispatching -- */

static void wake(corio_uring *uring)
{
    const uint64_t one = 1;
    while (write(uring->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static int push(corio_uring *uring, corio_batch *batch)
{
    struct cr_uring_work *work = cr_uring_work_create(uring, batch);
    if (!work)
        return -ENOMEM;
    cr_inbox_push(&uring->inbox, &work->kept);
    return CORIO_LATER;
}

/* Large batches become several works; those that find no memory fail alone. */
static int dispatch_ring(corio_uring *uring, corio_batch *batch)
{
    size_t count = corio_batch_len(batch), first = 0;
    for (; count - first > CR_URING_WORK; first += CR_URING_WORK) {
        corio_batch *slice;
        if (corio_batch_slice(batch, first, CR_URING_WORK, &slice) < 0)
            break;
        if (push(uring, slice) < 0) {
            for (size_t i = 0; i < CR_URING_WORK; i++)
                corio_batch_fail(slice, i, -ENOMEM);
            corio_batch_complete(slice);
        }
    }
    corio_batch *rest = batch;
    if (first > 0 && corio_batch_slice(batch, first, count - first, &rest) < 0)
        return -ENOMEM;
    int rc = push(uring, rest);
    if (rc < 0 && rest != batch) {
        for (size_t i = 0; i < count - first; i++)
            corio_batch_fail(rest, i, rc);
        corio_batch_complete(rest);
        rc = CORIO_LATER;
    }
    wake(uring);
    return rc;
}

static int dispatch(void *self, corio_batch *batch)
{
    corio_uring *uring = self;
    size_t count = corio_batch_len(batch);
    pthread_mutex_lock(&uring->lock);
    uring->stats.batches++;
    uring->stats.requests += count;
    if (count > uring->stats.largest_batch)
        uring->stats.largest_batch = count;
    pthread_mutex_unlock(&uring->lock);
    if (uring->stats.uses_ring)
        return dispatch_ring(uring, batch);
    int rc = cr_uring_dispatch_threads(uring, batch);
    wake(uring);
    return rc;
}

/* For the batch log: what is asked, not where its buffers lie. */
static uint64_t hash_input(void *self, const void *input)
{
    (void)self;
    const corio_uring_request *request = input;
    const uint64_t op = (uint64_t)request->op, bytes = request->bytes;
    uint64_t hash = corio_hash_bytes(CORIO_HASH_BEGIN, &op, sizeof op);
    hash = corio_hash_bytes(hash, &bytes, sizeof bytes);
    hash = corio_hash_bytes(hash, &request->offset, sizeof request->offset);
    return request->path ? corio_hash_bytes(hash, request->path, strlen(request->path)) : hash;
}

int corio_uring_add(corio_uring *uring, corio_runtime *runtime, corio_dispatcher **ret_dispatcher)
{
    if (!uring || !runtime || !ret_dispatcher)
        return -EINVAL;
    const corio_dispatcher_options options = {
        .size = sizeof options,
        .name = "uring",
        .input_bytes = sizeof(corio_uring_request),
        .output_bytes = sizeof(corio_uring_answer),
        .dispatch = dispatch,
        .self = uring,
        .hash = hash_input,
        .save = cr_uring_save,
        .restore = cr_uring_restore,
        .max_batch = uring->options.max_batch,
        .max_in_flight = uring->options.max_in_flight,
    };
    return corio_dispatcher_add(runtime, &options, ret_dispatcher);
}

static bool has_offset(const corio_uring_request *request)
{
    return request->op == CORIO_URING_READ || request->op == CORIO_URING_WRITE;
}

int corio_uring_by_offset(const corio_uring_request *a, const corio_uring_request *b)
{
    if (has_offset(a) != has_offset(b))
        return has_offset(a) ? 1 : -1;
    if (a->fd != b->fd || !has_offset(a))
        return (a->fd > b->fd) - (a->fd < b->fd);
    return (a->offset > b->offset) - (a->offset < b->offset);
}

/* -- Life -- */

static int fill_options(corio_uring_options *to, const corio_uring_options *from)
{
    static const corio_uring_options defaults = {.size = sizeof defaults};
    from = from ? from : &defaults;
    if (from->size < sizeof *from || from->entries > MOST_ENTRIES || from->threads > MOST_THREADS ||
        (from->entries > 0 && from->entries < LEAST_ENTRIES) || from->buffer_count > MOST_BUFFERS ||
        (from->buffer_count > 0 && !from->buffers))
        return -EINVAL;
    *to = *from;
    to->entries = to->entries ? to->entries : DEFAULT_ENTRIES;
    to->threads = to->threads ? to->threads : DEFAULT_THREADS;
    to->linger_ns = to->linger_ns ? to->linger_ns : DEFAULT_LINGER_NS;
    to->buffers = NULL;
    if (from->buffer_count > 0) {
        struct iovec *copy = calloc(from->buffer_count, sizeof *copy);
        if (!copy)
            return -ENOMEM;
        memcpy(copy, from->buffers, from->buffer_count * sizeof *copy);
        to->buffers = copy;
    }
    return 0;
}

static int start_thread(corio_uring *uring, void *(*run)(void *))
{
    int rc = cr_thread_start(&uring->thread, run, uring);
    if (rc == 0)
        uring->has_thread = true;
    return rc;
}

/* The thread makes the ring, since it alone shall use it. Where that is forbidden it ends at once,
 * and one that polls takes its place. */
static int start(corio_uring *uring)
{
    uring->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (uring->wake_fd < 0)
        return -errno;
    if (!uring->options.threads_only) {
        int rc = start_thread(uring, cr_uring_ring_main);
        if (rc < 0)
            return rc;
        while (sem_wait(&uring->started) != 0)
            ;
        if (uring->stats.uses_ring)
            return 0;
        pthread_join(uring->thread, NULL);
        uring->has_thread = false;
    }
    return start_thread(uring, cr_uring_poller_main);
}

int corio_uring_create(const corio_uring_options *options, corio_uring **ret_uring)
{
    if (!ret_uring)
        return -EINVAL;
    corio_uring *uring = calloc(1, sizeof *uring);
    if (!uring)
        return -ENOMEM;
    int rc = fill_options(&uring->options, options);
    if (rc < 0) {
        free(uring);
        return rc;
    }
    cr_inbox_init(&uring->inbox);
    pthread_mutex_init(&uring->lock, NULL);
    sem_init(&uring->started, 0, 0);
    rc = start(uring);
    if (rc < 0) {
        corio_uring_destroy(uring);
        return rc;
    }
    *ret_uring = uring;
    return 0;
}

void corio_uring_destroy(corio_uring *uring)
{
    if (!uring)
        return;
    if (uring->has_thread) {
        cr_inbox_stop(&uring->inbox);
        wake(uring);
        pthread_join(uring->thread, NULL);
    }
    if (uring->wake_fd >= 0)
        close(uring->wake_fd);
    sem_destroy(&uring->started);
    pthread_mutex_destroy(&uring->lock);
    cr_inbox_fini(&uring->inbox);
    free((void *)uring->options.buffers);
    free(uring);
}

int corio_uring_get_stats(corio_uring *uring, corio_uring_stats *stats)
{
    if (!uring || !stats || stats->size < sizeof *stats)
        return -EINVAL;
    pthread_mutex_lock(&uring->lock);
    *stats = uring->stats;
    pthread_mutex_unlock(&uring->lock);
    stats->size = sizeof *stats;
    return 0;
}
