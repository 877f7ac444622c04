/* SPDX-License-Identifier: MIT
 *
 * sleep.c - a task that waits for the clock: a timer in its frame, and nothing else.
 */
#include "runtime/sched/wait.h"

#include <corio/time.h>
#include <errno.h>

typedef struct sleeper {
    cr_park park;
    cr_timer timer;
} sleeper;

static sleeper *sleeper_of_timer(cr_timer *timer)
{
    return (sleeper *)((char *)timer - offsetof(sleeper, timer));
}

static void wake_up(void *context, cr_timer *timer)
{
    cr_end_park(context, &sleeper_of_timer(timer)->park, 0);
}

static void give_up(cr_worker *leader, cr_park *park)
{
    sleeper *sleeping = (sleeper *)park;
    cr_timers_disarm(&leader->sched->timers, &sleeping->timer);
}

static const cr_park_reason sleeps = {.text = "sleeps", .give_up = give_up};

int corio_sleep_until(uint64_t deadline_ns)
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    int rc = cr_check_cancelled(worker);
    if (rc != 0 || deadline_ns <= cr_sched_now(worker->sched))
        return rc;
    sleeper sleeping = {.park.reason = &sleeps, .timer.fire = wake_up};
    rc = cr_timers_arm(&worker->sched->timers, &sleeping.timer, deadline_ns);
    if (rc != 0)
        return rc;
    cr_suspend(worker, &sleeping.park);
    return sleeping.park.result;
}

int corio_sleep(uint64_t duration_ns)
{
    if (corio_self() == NULL)
        return -EPERM;
    uint64_t now = corio_now_ns();
    return corio_sleep_until(duration_ns < CR_NEVER - now ? now + duration_ns : CR_NEVER - 1);
}
