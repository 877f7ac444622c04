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
    cr_store_32(&cancel->earlier, 0);
    cr_store_32(&cancel->epoch, 0);
    cr_store_32(&cancel->changes, 0);
    cr_store_32(&cancel->shields, 1);
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
    if (word < CR_MARK_BEHIND)          /* others are looked at when they are widened */
        cr_add_32(&cancel->changes, 1); /* [release cancel.changes] the mark is set */
}

void cr_mark_clear(cr_cancel *cancel, cr_mark *mark)
{
    if (CR_LIKELY(cr_load_64(&mark->word) == CR_MARK_NONE))
        return;
    cr_store_64(&mark->word, CR_MARK_NONE);
    if (mark->step < cr_load_64(&cancel->step))
        cr_add_32(&cancel->earlier, (uint32_t)-1);
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
        /* Else nobody waits below it: so for most scopes of an error that climbs. */
        if (!cr_scope_is_complete(scope))
            cr_add_32(&cancel->changes, 1);
    }
    cr_add_32(&cancel->epoch, 1);
    pthread_mutex_unlock(&cancel->lock);
}

void cr_cancel_next_step(cr_cancel *cancel)
{
    pthread_mutex_lock(&cancel->lock); /* a canceller's mark has its step, and is counted, or not */
    cr_store_64(&cancel->step, cancel->step + 1);
    cr_store_32(&cancel->earlier, cr_load_32(&cancel->live));
    pthread_mutex_unlock(&cancel->lock);
}

void cr_cancel_forget(cr_cancel *cancel)
{
    cr_add_32(&cancel->epoch, 1);
    cr_add_32(&cancel->changes, 1);
    /* [release cancel.shield] the shield is set */
    if (cr_add_32(&cancel->shields, 1) == UINT32_MAX)
        cr_store_32(&cancel->shields, 1);
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

/* What was left behind in a task, with as many shields raised as now. A mark of the present step that
 * was found by a walk to the top has none of an earlier step above it. */
static cr_cancelled known(const corio_task *task, uint64_t step, uint32_t shields)
{
    uint64_t doomed = cr_load_64(&task->doomed);
    if ((uint32_t)doomed != shields)
        return CR_NOT_CANCELLED;
    return doomed >> 32 == (uint32_t)step ? CR_CANCELLED_NOW : CR_CANCELLED_EARLIER;
}

/* Leaves what was found behind, for the next walk. Hints: whoever writes them says the same.
 * `marked`: the highest task that a mark covers, `free`: the lowest one known to be free; or NULL. */
static void leave_behind(corio_task *task, const corio_task *marked, const corio_task *free,
                         uint64_t doomed, uint32_t epoch)
{
    for (; marked != NULL; task = task->parent) {
        cr_store_64(&task->doomed, doomed);
        if (task == marked)
            return;
    }
    for (; task != free; task = task->parent)
        cr_store_32(&task->checked, epoch);
}

cr_cancelled cr_task_cancelled_slow(const cr_cancel *cancel, corio_task *task)
{
    /* [acquire cancel.epoch] */
    uint32_t epoch = cr_load_acquire_32(&cancel->epoch);
    /* [acquire cancel.shield] */
    uint32_t shields = cr_load_acquire_32(&cancel->shields);
    uint64_t step = cr_load_acquire_64(&cancel->step);
    cr_cancelled found = CR_NOT_CANCELLED;
    corio_task *at = task, *marked = NULL;
    for (; at != NULL && !cr_load_32(&at->shielded); at = at->parent) {
        if (cr_load_32(&at->checked) == epoch)
            break; /* and so are all above it */
        cr_cancelled before = known(at, step, shields);
        cr_cancelled here =
            before != CR_NOT_CANCELLED
                ? before
                : worse(itself(cancel, at), covers(cancel, &at->in->mark, at->index));
        if (here != CR_NOT_CANCELLED)
            marked = at;
        found = worse(found, here);
        if (before != CR_NOT_CANCELLED || found == CR_CANCELLED_EARLIER)
            break; /* nothing above is worse */
    }
    uint64_t since = found == CR_CANCELLED_EARLIER ? step - 1 : step;
    /* The holder of a batch may have asked, while the step changed. */
    if (CR_LIKELY(cr_load_64(&cancel->step) == step))
        leave_behind(task, marked, at, since << 32 | shields, epoch);
    return found;
}

cr_cancelled cr_child_cancelled_slow(const cr_cancel *cancel, const cr_scope *scope, uint64_t index)
{
    cr_cancelled found = covers(cancel, &scope->mark, index);
    return scope->owner != NULL ? worse(found, cr_task_cancelled_slow(cancel, scope->owner))
                                : found;
}
