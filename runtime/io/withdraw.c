/* SPDX-License-Identifier: MIT
 *
 * withdraw.c - requests that are not to go out any more: of cancelled tasks, and of calls whose
 * deadline has passed.
 *
 * Runs at quiescence, in the leader. What has been handed over is left alone: its memory must stay
 * until it is answered (rule: every request is answered exactly once), and its holder may ask
 * corio_batch_cancelled.
 */
#include "runtime/io/reuse.h"

#include <errno.h>

int cr_call_given_up(const cr_io *io, const cr_call *call)
{
    if (CR_UNLIKELY(cr_load_32(&call->expired) != 0))
        return -ETIMEDOUT;
    return cr_task_cancelled(&io->sched->cancel, call->park.task) != CR_NOT_CANCELLED ? -ECANCELED
                                                                                      : 0;
}

bool cr_withdraw(cr_worker *leader, cr_entry *entry, int code)
{
    cr_entry gives_up = *entry;
    const corio_dispatcher *dispatcher = cr_entry_request(entry)->dispatcher;
    bool replaced = dispatcher->reuse != NULL && cr_reuse_replace(dispatcher, entry);
    cr_answer_all(leader, &gives_up, 1, code);
    return replaced;
}

static int given_up(const cr_io *io, const cr_entry *entry)
{
    return cr_call_given_up(io, cr_entry_request(entry)->reserved_call);
}

static void filter(cr_io *io, cr_worker *leader, cr_entries *entries)
{
    size_t kept = entries->begin;
    for (size_t i = entries->begin; i < entries->count; i++) {
        int code = given_up(io, &entries->items[i]);
        if (code == 0 || cr_withdraw(leader, &entries->items[i], code))
            entries->items[kept++] = entries->items[i];
    }
    entries->count = kept;
    if (entries->begin == entries->count)
        entries->begin = entries->count = 0;
}

static void filter_delayed(cr_io *io, cr_worker *leader)
{
    for (cr_retry *retry = io->delayed; retry != NULL;) {
        cr_retry *next = retry->behind;
        int code = given_up(io, &retry->entry);
        if (code != 0 && !cr_withdraw(leader, &retry->entry, code)) {
            cr_timers_disarm(&io->sched->timers, &retry->timer);
            cr_retry_remove(retry);
        }
        retry = next;
    }
}

void cr_io_withdraw(cr_io *io, cr_worker *leader)
{
    for (size_t i = 0; i < io->dispatcher_count; i++) {
        corio_dispatcher *dispatcher = io->dispatchers[i];
        for (unsigned w = 0; w < io->sched->worker_count; w++)
            filter(io, leader, (cr_entries *)io->sched->workers[w]->asked + i);
        if (dispatcher->reuse !=
            NULL) /* first: who takes another's place does not give up itself */
            cr_reuse_withdraw(dispatcher, leader);
        filter(io, leader, &dispatcher->early);
        filter(io, leader, &dispatcher->queue);
        filter(io, leader, &dispatcher->retries);
    }
    filter_delayed(io, leader);
    io->some_expired = false;
}
