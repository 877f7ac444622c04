/* SPDX-License-Identifier: MIT
 *
 * condition.h - waiting, with a mutex, for something to become true.
 *
 *     corio_mutex_lock(&mutex);                          corio_mutex_lock(&mutex);
 *     while (!ready && rc == 0)                          ready = true;
 *         rc = corio_condition_wait(&changed, &mutex);   corio_condition_signal(&changed);
 *     ...                                                corio_mutex_unlock(&mutex);
 *     corio_mutex_unlock(&mutex);
 *
 * As in Mesa: a signal is a hint. Who is woken has to lock the mutex again like everybody else, and
 * by then what it waited for may have changed once more: so look in a loop. Nobody is woken without
 * a signal. A signal while nobody waits is lost.
 */
#ifndef CORIO_CONDITION_H
#define CORIO_CONDITION_H

#include <corio/mutex.h>

CORIO_BEGIN_DECLS

/* Lives where the caller puts it. Zeroed memory is a fresh one. The members are the library's. */
typedef struct corio_condition {
    corio_waiters reserved_waiters;
} corio_condition;

#define CORIO_CONDITION_INIT                                                                       \
    {                                                                                              \
        CORIO_WAITERS_INIT                                                                         \
    }

/* corio_condition_wait: unlocks the mutex, waits for a signal, and locks the mutex again; what
 * comes between unlocking and waiting is not missed. corio_condition_wait_until: gives up when the
 * clock reaches deadline_ns.
 *
 * The mutex is held again on return, whatever the call returns, also if it was cancelled or ran out
 * of time: it waits for the mutex shielded (corio_shield) and without a limit, however long another
 * task holds it. With one exception, -ENOTRECOVERABLE.
 *
 * mutex: held by the calling task; the same for all who wait at the same time. Suspends: always,
 * unless it fails at once. Thread: a task only. Cancelled: returns. Errors: -EPERM not called from
 * a task, or it does not hold the mutex; -EINVAL no condition or mutex, or others wait with another
 * mutex; -ECANCELED; -ETIMEDOUT; -EDEADLK nothing can run any more and nobody would signal; -ENOMEM
 * no memory for the timer; -ENOTRECOVERABLE the mutex is not held and cannot be had: nothing can
 * run any more, and who holds it would never unlock it. */
CORIO_API int corio_condition_wait(corio_condition *condition, corio_mutex *mutex) CORIO_MUST_CHECK;
CORIO_API int corio_condition_wait_until(corio_condition *condition, corio_mutex *mutex,
                                         uint64_t deadline_ns) CORIO_MUST_CHECK;

/* corio_condition_signal: wakes the task that has waited longest, if there is one.
 * corio_condition_broadcast: wakes all that wait at that moment. With the mutex held or not.
 *
 * Suspends: never. Thread: a task only. Errors: -EPERM not called from a task; -EINVAL no
 * condition. */
CORIO_API int corio_condition_signal(corio_condition *condition);
CORIO_API int corio_condition_broadcast(corio_condition *condition);

/* corio_condition_wait_count: how many tasks wait for a signal, at some moment during the call.
 * Suspends: never. Thread: any. */
CORIO_API uint32_t corio_condition_wait_count(const corio_condition *condition);

CORIO_END_DECLS

#endif
