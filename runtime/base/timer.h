/* SPDX-License-Identifier: MIT
 *
 * timer.h - the one heap of timers of a runtime: sleeps, deadlines, delayed retries.
 *
 * A timer is a node in its owner's memory; the heap holds pointers. It is armed and disarmed by
 * whoever owns it, from any worker, under the lock; it fires at quiescence only, called by the
 * leader. So a task that disarms its timer in a CPU phase never meets it firing.
 *
 * Timers that are due at the same time fire in the order in which they were armed.
 */
#ifndef CR_BASE_TIMER_H
#define CR_BASE_TIMER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cr_timer cr_timer;

struct cr_timer {
    uint64_t due_ns;
    uint64_t order;
    size_t at; /* place in the heap, counted from 1; 0: not armed */
    void (*fire)(void *context, cr_timer *timer);
};

typedef struct cr_timers {
    pthread_mutex_t lock;
    cr_timer **heap;
    uint64_t count; /* written under the lock */
    size_t capacity;
    uint64_t armed; /* so far */
} cr_timers;

void cr_timers_init(cr_timers *timers);
void cr_timers_fini(cr_timers *timers);

/* `timer`: borrowed until it has fired or is disarmed. Errors: -ENOMEM. */
int cr_timers_arm(cr_timers *timers, cr_timer *timer, uint64_t due_ns);
/* One that is not armed is ignored. */
void cr_timers_disarm(cr_timers *timers, cr_timer *timer);

/* Takes the earliest timer out if it is due; NULL: none is. */
cr_timer *cr_timers_take_due(cr_timers *timers, uint64_t now_ns);
/* When the next one is due; CR_NEVER: none is armed. At quiescence. */
uint64_t cr_timers_next(cr_timers *timers);

#endif
