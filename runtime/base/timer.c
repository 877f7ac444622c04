/* SPDX-License-Identifier: MIT */
#include "runtime/base/timer.h"

#include "runtime/base/alloc.h"
#include "runtime/base/atomic.h"
#include "runtime/base/clock.h"

#include <errno.h>

void cr_timers_init(cr_timers *timers)
{
    *timers = (cr_timers){.heap = NULL};
    pthread_mutex_init(&timers->lock, NULL);
}

void cr_timers_fini(cr_timers *timers)
{
    cr_free(timers->heap);
    pthread_mutex_destroy(&timers->lock);
}

static bool before(const cr_timer *a, const cr_timer *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

/* Places are counted from 1: the parent of i is i / 2. */
static cr_timer *at_locked(const cr_timers *timers, size_t i)
{
    return timers->heap[i - 1];
}

static void put_locked(cr_timers *timers, size_t i, cr_timer *timer)
{
    timers->heap[i - 1] = timer;
    timer->at = i;
}

static void rise_locked(cr_timers *timers, size_t i, cr_timer *timer)
{
    for (; i > 1 && before(timer, at_locked(timers, i / 2)); i /= 2)
        put_locked(timers, i, at_locked(timers, i / 2));
    put_locked(timers, i, timer);
}

static void sink_locked(cr_timers *timers, size_t i, cr_timer *timer)
{
    for (size_t child; (child = 2 * i) <= timers->count; i = child) {
        if (child < timers->count && before(at_locked(timers, child + 1), at_locked(timers, child)))
            child++;
        if (!before(at_locked(timers, child), timer))
            break;
        put_locked(timers, i, at_locked(timers, child));
    }
    put_locked(timers, i, timer);
}

static void remove_locked(cr_timers *timers, cr_timer *timer)
{
    size_t i = timer->at;
    cr_timer *last = at_locked(timers, timers->count);
    cr_store_64(&timers->count, timers->count - 1);
    timer->at = 0;
    if (last == timer)
        return;
    if (before(last, timer))
        rise_locked(timers, i, last);
    else
        sink_locked(timers, i, last);
}

int cr_timers_arm(cr_timers *timers, cr_timer *timer, uint64_t due_ns)
{
    pthread_mutex_lock(&timers->lock);
    bool room =
        cr_grow((void **)&timers->heap, &timers->capacity, timers->count + 1, sizeof *timers->heap);
    if (room) {
        timer->due_ns = due_ns;
        timer->order = timers->armed++;
        cr_store_64(&timers->count, timers->count + 1);
        rise_locked(timers, timers->count, timer);
    }
    pthread_mutex_unlock(&timers->lock);
    return room ? 0 : -ENOMEM;
}

void cr_timers_disarm(cr_timers *timers, cr_timer *timer)
{
    pthread_mutex_lock(&timers->lock);
    if (timer->at != 0)
        remove_locked(timers, timer);
    pthread_mutex_unlock(&timers->lock);
}

cr_timer *cr_timers_take_due(cr_timers *timers, uint64_t now_ns)
{
    cr_timer *first = NULL;
    pthread_mutex_lock(&timers->lock);
    if (timers->count > 0 && at_locked(timers, 1)->due_ns <= now_ns) {
        first = at_locked(timers, 1);
        remove_locked(timers, first);
    }
    pthread_mutex_unlock(&timers->lock);
    return first;
}

uint64_t cr_timers_next(cr_timers *timers)
{
    /* At quiescence nobody arms one, and what was armed before is seen. */
    if (cr_load_64(&timers->count) == 0)
        return CR_NEVER;
    pthread_mutex_lock(&timers->lock);
    uint64_t next = timers->count > 0 ? at_locked(timers, 1)->due_ns : CR_NEVER;
    pthread_mutex_unlock(&timers->lock);
    return next;
}
