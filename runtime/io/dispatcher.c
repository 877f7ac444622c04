/* SPDX-License-Identifier: MIT
 *
 * dispatcher.c - registering dispatchers, and the life of the I/O part of a runtime.
 */
#include "runtime/io/reuse.h"

#include "runtime/base/alloc.h"
#include "runtime/base/options.h"
#include "runtime/base/panic.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

int cr_io_init(cr_io *io, cr_sched *sched, unsigned permits)
{
    memset(io, 0, sizeof *io);
    io->sched = sched;
    cr_event_init(&io->replied);
    int rc = cr_threads_init(&io->threads, permits);
    if (rc != 0)
        return rc;
    pthread_mutex_init(&io->batch_lock, NULL);
    pthread_mutex_init(&io->early_lock, NULL);
    pthread_cond_init(&io->early_free, NULL);
    io->exchanging = true; /* nobody before the first run */
    return 0;
}

static void dispatcher_destroy(corio_dispatcher *dispatcher)
{
    cr_reuse_destroy(dispatcher->reuse);
    cr_free((char *)dispatcher->options.name);
    cr_free(dispatcher->early.items);
    cr_free(dispatcher->queue.items);
    cr_free(dispatcher->retries.items);
    cr_free(dispatcher);
}

void cr_io_stop(cr_io *io)
{
    cr_threads_fini(&io->threads);
    while (cr_load_acquire_32(&io->replying) != 0)
        sched_yield();
}

void cr_io_fini(cr_io *io)
{
    cr_io_stop(io);
    cr_io_begin(io);
    for (unsigned i = 0; i < io->sched->worker_count; i++) {
        cr_entries *asked = io->sched->workers[i]->asked;
        for (size_t at = 0; asked != NULL && at < io->dispatcher_count; at++)
            cr_free(asked[at].items);
        cr_free(asked);
        io->sched->workers[i]->asked = NULL;
    }
    for (size_t i = 0; i < io->dispatcher_count; i++)
        dispatcher_destroy(io->dispatchers[i]);
    while (io->batches != NULL) {
        corio_batch *batch = io->batches;
        io->batches = batch->next_all;
        cr_free(batch->carves);
        cr_free(batch);
    }
    for (size_t i = 0; i < sizeof io->spare / sizeof *io->spare; i++)
        cr_free(io->spare[i].items);
    while (io->spare_storage != NULL) {
        cr_storage *storage = io->spare_storage;
        io->spare_storage = storage->next;
        cr_free(storage);
    }
    cr_free(io->dispatchers);
    cr_free(io->ready);
    cr_free(io->merged.items);
    cr_free(io->reused.items);
    cr_free(io->in_use);
    cr_order_fini(&io->order);
    pthread_mutex_destroy(&io->batch_lock);
    pthread_mutex_destroy(&io->early_lock);
    pthread_cond_destroy(&io->early_free);
}

/* Every worker gets a list for one more dispatcher. A list too many, after a failure, does no
 * harm. */
static int add_lists(cr_io *io)
{
    size_t count = io->dispatcher_count + 1;
    for (unsigned i = 0; i < io->sched->worker_count; i++) {
        cr_worker *worker = io->sched->workers[i];
        cr_entries *lists = cr_realloc(worker->asked, count * sizeof *lists);
        if (lists == NULL)
            return -ENOMEM;
        lists[count - 1] = (cr_entries){0};
        worker->asked = lists;
    }
    return 0;
}

static bool hands_over_early(const corio_dispatcher_options *options)
{
    return options->early_count != 0 || options->early_ns != 0;
}

int cr_dispatcher_options(const cr_io *io, const corio_dispatcher_options *options,
                          corio_dispatcher_options *ret_options)
{
    corio_dispatcher_options taken;
    if (options == NULL || !cr_options_copy(&taken, sizeof taken, options) || taken.name == NULL ||
        taken.dispatch == NULL || !taken.save != !taken.restore)
        return -EINVAL;
    bool early = hands_over_early(&taken);
    if (early && (io->strict || taken.dedup || taken.cache_bytes != 0))
        return -EINVAL;
    if ((taken.not_recorded || early) && cr_io_is_taped(io))
        return -ENOTSUP;
    if (io->replay.file != NULL)
        taken.dispatch = cr_replay_dispatch;
    *ret_options = taken;
    return 0;
}

int cr_dispatcher_add(cr_io *io, const corio_dispatcher_options *options,
                      corio_dispatcher **ret_dispatcher)
{
    corio_dispatcher *dispatcher = cr_alloc_zeroed(sizeof *dispatcher);
    if (dispatcher == NULL)
        return -ENOMEM;
    dispatcher->options = *options;
    dispatcher->options.name = cr_strdup(options->name);
    dispatcher->io = io;
    dispatcher->number = (unsigned)io->dispatcher_count;
    int rc = cr_reuse_create(&dispatcher->options, &dispatcher->reuse);
    if (rc != 0 || dispatcher->options.name == NULL ||
        !cr_grow((void **)&io->dispatchers, &io->dispatcher_capacity, io->dispatcher_count + 1,
                 sizeof *io->dispatchers) ||
        add_lists(io) != 0) {
        dispatcher_destroy(dispatcher);
        return rc != 0 ? rc : -ENOMEM;
    }
    io->dispatchers[io->dispatcher_count++] = dispatcher;
    cr_early_add(io, dispatcher);
    io->some_reuse |= dispatcher->reuse != NULL;
    *ret_dispatcher = dispatcher;
    return 0;
}

const char *corio_dispatcher_name(const corio_dispatcher *dispatcher)
{
    return dispatcher != NULL ? dispatcher->options.name : "";
}

void *corio_dispatcher_self(const corio_dispatcher *dispatcher)
{
    return dispatcher != NULL ? dispatcher->options.self : NULL;
}
