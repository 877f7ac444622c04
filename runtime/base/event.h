/* SPDX-License-Identifier: MIT
 *
 * event.h - an event count: ck_ec on a futex.
 *
 * The sleeper reads the value, checks that there is really nothing to do, and waits for the value
 * to change; whoever makes something to do signals afterwards. A signal between the read and the
 * wait makes the wait return at once, so no wake-up is lost, and a signal without a sleeper is one
 * atomic addition.
 *
 * Edges
 *   event.value   cr_event_signal -> cr_event_value
 *                 who reads the new value sees what was written before the signal
 */
#ifndef CR_BASE_EVENT_H
#define CR_BASE_EVENT_H

#include "runtime/base/clock.h"

#include <ck_ec.h>
#include <stdint.h>

typedef struct cr_event {
    struct ck_ec32 count;
} cr_event;

void cr_event_init(cr_event *event);
uint32_t cr_event_value(const cr_event *event);
void cr_event_signal(cr_event *event);

/* Sleeps until the value differs from `seen` or the clock reaches deadline_ns (CR_NEVER: no
 * deadline). */
void cr_event_wait(cr_event *event, uint32_t seen, uint64_t deadline_ns);

#endif
