/* SPDX-License-Identifier: MIT
 *
 * mutex.h - the mutex, for what is built on it.
 */
#ifndef CR_SYNC_MUTEX_H
#define CR_SYNC_MUTEX_H

#include "runtime/sched/wait.h"

#include <corio/mutex.h>

bool cr_mutex_is_held_by(const corio_mutex *mutex, const corio_task *task);
/* Unlocks for the task that holds it. Returns whom the mutex was handed over to: make it runnable;
 * NULL: nobody. */
cr_wait *cr_mutex_release(corio_mutex *mutex, const corio_task *task);

#endif
