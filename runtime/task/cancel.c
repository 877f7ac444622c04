/* SPDX-License-Identifier: MIT */
#include "runtime/task/cancel.h"

#include "runtime/task/more.h"
#include "runtime/task/task.h"

#include <string.h>

void cr_cancel_init(cr_cancel *cancel)
{
    memset(cancel, 0, sizeof *cancel);
    pthread_mutex_init(&cancel->lock, NULL);
}

void cr_cancel_fini(cr_cancel *cancel)
{
    pthread_mutex_destroy(&cancel->lock);
}

void cr_cancel_new_run(cr_cancel *cancel)
{
    cr_store_64(&cancel->step, 0);
    cancel->partial = NULL;
    cr_store_32(&cancel->live, 0);
    cr_store_32(&cancel->epoch, 0);
}

/* -- Setting -- */

void cr_mark_set_locked(cr_cancel *cancel, cr_mark *mark, cr_scope *scope, uint64_t word)
{
    uint64_t before = mark->word;
    if (before != CR_MARK_NONE && before <= word)
        return;
    if (before == CR_MARK_NONE) {
        mark->step = cr_load_64(&cancel->step);
        cr_add_32(&cancel->live, 1);
        if (word >= CR_MARK_BEHIND) {
            mark->next = cancel->partial;
            mark->partial = true;
            cancel->partial = scope;
        }
    }
    /* [release cancel.mark] the step is written */
    cr_store_release_64(&mark->word, word);
    /* [release cancel.epoch] the mark is set */
    cr_add_32(&cancel->epoch, 1);
}

void cr_mark_clear(cr_cancel *cancel, cr_mark *mark)
{
    if (CR_LIKELY(cr_load_64(&mark->word) == CR_MARK_NONE))
        return;
    cr_store_64(&mark->word, CR_MARK_NONE);
    cr_add_32(&cancel->live, (uint32_t)-1);
}

void cr_cancel_widen(cr_cancel *cancel)
{
    pthread_mutex_lock(&cancel->lock);
    while (cancel->partial != NULL) {
        cr_scope *scope = cancel->partial;
        cancel->partial = scope->mark.next;
        scope->mark.partial = false;
        if (scope->mark.word >= CR_MARK_BEHIND)
            cr_store_release_64(&scope->mark.word, CR_MARK_ALL); /* [release cancel.mark] */
    }
    cr_add_32(&cancel->epoch, 1);
    pthread_mutex_unlock(&cancel->lock);
}

void cr_cancel_forget(cr_cancel *cancel)
{
    cr_add_32(&cancel->epoch, 1);
}

/* -- Walking -- */

static cr_cancelled covers(const cr_cancel *cancel, const cr_mark *mark, uint64_t index)
{
    /* [acquire cancel.mark] */
    uint64_t word = cr_load_acquire_64(&mark->word);
    if (CR_LIKELY(word == CR_MARK_NONE) ||
        (word >= CR_MARK_BEHIND && index <= word - CR_MARK_BEHIND))
        return CR_NOT_CANCELLED;
    return mark->step < cr_load_64(&cancel->step) ? CR_CANCELLED_EARLIER : CR_CANCELLED_NOW;
}

/* The mark on a task itself. */
static cr_cancelled itself(const cr_cancel *cancel, const corio_task *task)
{
    const cr_more *more = cr_load_acquire_ptr((void *const *)&task->more);
    return more != NULL ? covers(cancel, &more->mark, 0) : CR_NOT_CANCELLED;
}

static cr_cancelled worse(cr_cancelled a, cr_cancelled b)
{
    return a > b ? a : b;
}

cr_cancelled cr_task_cancelled_slow(const cr_cancel *cancel, corio_task *task)
{
    /* [acquire cancel.epoch] */
    uint32_t epoch = cr_load_acquire_32(&cancel->epoch);
    cr_cancelled found = CR_NOT_CANCELLED;
    corio_task *at = task;
    for (; at != NULL && !cr_load_32(&at->shielded); at = at->parent) {
        if (cr_load_32(&at->checked) == epoch)
            break; /* and so are all above it */
        found = worse(found, worse(itself(cancel, at), covers(cancel, &at->in->mark, at->index)));
    }
    if (found == CR_NOT_CANCELLED) {
        for (corio_task *free = task; free != at; free = free->parent)
            cr_store_32(&free->checked, epoch); /* a hint: whoever writes it writes the same */
    }
    return found;
}

cr_cancelled cr_child_cancelled_slow(const cr_cancel *cancel, const cr_scope *scope, uint64_t index)
{
    cr_cancelled found = covers(cancel, &scope->mark, index);
    return scope->owner != NULL ? worse(found, cr_task_cancelled_slow(cancel, scope->owner))
                                : found;
}
