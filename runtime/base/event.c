/* SPDX-License-Identifier: MIT */
#include "runtime/base/event.h"

#include "runtime/base/atomic.h"
#include "runtime/base/clock.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

static int event_gettime(const struct ck_ec_ops *ops, struct timespec *ret_now)
{
    (void)ops;
    return clock_gettime(CLOCK_MONOTONIC, ret_now);
}

/* Returns early for any reason (EINTR, a changed value): ck_ec looks again. */
static void event_wait32(const struct ck_ec_wait_state *state, const uint32_t *address,
                         uint32_t expected, const struct timespec *deadline)
{
    (void)state;
    syscall(SYS_futex, address, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline, NULL,
            FUTEX_BITSET_MATCH_ANY);
}

static void event_wake32(const struct ck_ec_ops *ops, const uint32_t *address)
{
    (void)ops;
    syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* One look at the counter, then the futex: callers have spun already. */
static const struct ck_ec_ops event_ops = {
    .gettime = event_gettime,
    .wait32 = event_wait32,
    .wake32 = event_wake32,
    .busy_loop_iter = 1,
};
static const struct ck_ec_mode event_mode = {.ops = &event_ops, .single_producer = false};

void cr_event_init(cr_event *event)
{
    ck_ec32_init(&event->count, 0);
}

uint32_t cr_event_value(const cr_event *event)
{
    /* [acquire event.value] */
    uint32_t value = ck_ec32_value(&event->count);
    ck_pr_fence_acquire();
    return value;
}

void cr_event_signal(cr_event *event)
{
    /* [release event.value] */
    ck_pr_fence_release();
    ck_ec32_inc(&event->count, &event_mode);
}

/* In the first second ck_ec would sleep in steps of its own, to look again, and these do not
 * stop at the deadline: every sleep goes to the deadline instead. */
static int sleep_to_deadline(const struct ck_ec_wait_state *state, struct timespec *ret_deadline)
{
    *ret_deadline = *(const struct timespec *)state->data;
    return 0;
}

void cr_event_wait(cr_event *event, uint32_t seen, uint64_t deadline_ns)
{
    /* CR_NEVER is six centuries away. */
    struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                                .tv_nsec = (long)(deadline_ns % 1000000000u)};
    ck_ec32_wait_pred(&event->count, &event_mode, seen, sleep_to_deadline, &deadline, &deadline);
}
