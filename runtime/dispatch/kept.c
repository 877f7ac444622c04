/* SPDX-License-Identifier: MIT */
#include "kept.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* -- Kept batches -- */

int cr_kept_init(struct cr_kept *kept, corio_batch *batch)
{
    size_t count = corio_batch_len(batch);
    *kept = (struct cr_kept){.batch = batch, .count = count};
    kept->status = malloc((count > 0 ? count : 1) * sizeof *kept->status);
    if (!kept->status)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        kept->status[i] = CR_KEPT_OPEN;
    return 0;
}

void cr_kept_fini(struct cr_kept *kept)
{
    free(kept->status);
    kept->status = NULL;
}

void cr_kept_finish(struct cr_kept *kept, size_t i, int status)
{
    kept->status[i] = status;
    kept->finished++;
}

static void answer(corio_batch *batch, size_t i, int status)
{
    if (status < 0)
        corio_batch_fail(batch, i, status);
    else
        corio_batch_respond(batch, i);
}

static void give_rest(struct cr_kept *kept)
{
    for (size_t i = 0; i < kept->count; i++) {
        if (kept->status[i] != CR_KEPT_GIVEN)
            answer(kept->batch, i, kept->status[i]);
    }
    corio_batch_complete(kept->batch);
}

/* Finished requests [first, first + count). Without memory for a slice they wait for a later give:
 * the last one needs none. */
static void give_run(struct cr_kept *kept, size_t first, size_t count)
{
    corio_batch *slice;
    int rc = corio_batch_slice(kept->batch, first, count, &slice);
    if (rc < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        answer(slice, i, kept->status[first + i]);
        kept->status[first + i] = CR_KEPT_GIVEN;
    }
    kept->given += count;
    kept->finished -= count;
    corio_batch_complete(slice);
}

bool cr_kept_give(struct cr_kept *kept, bool partly)
{
    if (cr_kept_is_whole(kept)) {
        give_rest(kept);
        return true;
    }
    if (!partly || kept->finished == 0)
        return false;
    size_t left = kept->finished;
    for (size_t i = 0; left > 0; i++) {
        size_t first = i;
        while (i < kept->count && kept->status[i] <= 0)
            i++;
        if (i > first) {
            give_run(kept, first, i - first);
            left -= i - first;
        }
    }
    return false;
}

bool cr_kept_give_all(struct cr_kept **list, bool partly, void (*destroy)(struct cr_kept *kept))
{
    bool left = false;
    while (*list) {
        struct cr_kept *kept = *list;
        if (cr_kept_give(kept, partly)) {
            *list = kept->next;
            destroy(kept);
            continue;
        }
        left |= kept->finished > 0;
        list = &kept->next;
    }
    return left;
}

uint64_t cr_kept_due_ns(uint64_t due_ns, bool left, bool gave_parts, uint64_t linger_ns)
{
    if (!left)
        return 0;
    if (due_ns != 0 && !gave_parts)
        return due_ns;
    uint64_t now = cr_clock_ns();
    return linger_ns < UINT64_MAX - now ? now + linger_ns : UINT64_MAX;
}

/* -- Inbox -- */

void cr_inbox_init(struct cr_inbox *inbox)
{
    *inbox = (struct cr_inbox){.first = NULL};
    inbox->last = &inbox->first;
    pthread_mutex_init(&inbox->lock, NULL);
}

void cr_inbox_fini(struct cr_inbox *inbox)
{
    pthread_mutex_destroy(&inbox->lock);
}

void cr_inbox_push(struct cr_inbox *inbox, struct cr_kept *kept)
{
    kept->next = NULL;
    pthread_mutex_lock(&inbox->lock);
    *inbox->last = kept;
    inbox->last = &kept->next;
    pthread_mutex_unlock(&inbox->lock);
}

void cr_inbox_stop(struct cr_inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    inbox->stop = true;
    pthread_mutex_unlock(&inbox->lock);
}

struct cr_kept *cr_inbox_take(struct cr_inbox *inbox, struct cr_kept **list, bool *ret_stop)
{
    while (*list)
        list = &(*list)->next;
    pthread_mutex_lock(&inbox->lock);
    *list = inbox->first;
    inbox->first = NULL;
    inbox->last = &inbox->first;
    *ret_stop = inbox->stop;
    pthread_mutex_unlock(&inbox->lock);
    return *list;
}

/* -- Thread and clock -- */

int cr_thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

uint64_t cr_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
