/* SPDX-License-Identifier: MIT
 *
 * waitgroup.c - a count that tasks wait for to become zero.
 *
 * Count and queue change under the queue's lock. Whoever takes the count to zero takes everybody
 * out of the queue in the same step and wakes them afterwards: those who wait from then on belong to
 * the next round, so the group can be used again at once.
 *
 * Edges
 *   wait.queue   see wait.h; what was written before done is seen behind wait
 */
#include "runtime/sched/wait.h"

#include <corio/waitgroup.h>
#include <errno.h>

static bool enter(cr_wait *wait)
{
    const corio_waitgroup *group = wait->park.object;
    return group->reserved_count != 0;
}

static const cr_park_reason waits = {.text = "waits in corio_waitgroup_wait",
                                     .give_up = cr_wait_give_up};

/* The new count in *count; 0 or a negative code. */
static int add_locked(uint64_t *count, int64_t delta)
{
    if (delta < 0 && (uint64_t) - (delta + 1) + 1 > *count)
        return CORIO_ENEGATIVE;
    if (delta > 0 && *count > UINT64_MAX - (uint64_t)delta)
        return -EOVERFLOW;
    cr_store_64(count, *count + (uint64_t)delta);
    return 0;
}

int corio_waitgroup_add(corio_waitgroup *group, int64_t delta)
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (group == NULL)
        return -EINVAL;
    corio_waiters *queue = &group->reserved_waiters;
    cr_waiters_lock(queue);
    int rc = add_locked(&group->reserved_count, delta);
    cr_wait *woken = group->reserved_count == 0 ? cr_waiters_take_all_locked(queue) : NULL;
    cr_waiters_unlock(queue);
    cr_wait_wake_all(worker, woken);
    (void)cr_preemption_point(worker);
    return rc;
}

int corio_waitgroup_done(corio_waitgroup *group)
{
    return corio_waitgroup_add(group, -1);
}

int corio_waitgroup_wait_until(corio_waitgroup *group, uint64_t deadline_ns)
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (group == NULL)
        return -EINVAL;
    cr_waiters_lock(&group->reserved_waiters);
    bool zero = group->reserved_count == 0;
    cr_waiters_unlock(&group->reserved_waiters);
    if (zero)
        return 0;
    cr_wait wait = {.park = {.reason = &waits, .object = group},
                    .guard = &group->reserved_waiters,
                    .queue = &group->reserved_waiters,
                    .enter = enter};
    return cr_wait_in(worker, &wait, deadline_ns);
}

int corio_waitgroup_wait(corio_waitgroup *group)
{
    return corio_waitgroup_wait_until(group, CR_NEVER);
}

uint64_t corio_waitgroup_count(const corio_waitgroup *group)
{
    return group != NULL ? cr_load_64(&group->reserved_count) : 0;
}
