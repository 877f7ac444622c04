/* SPDX-License-Identifier: MIT
 *
 * spin.h - a lock for a few instructions, never held across a suspension. 0: free.
 *
 * Edges
 *   spin.lock   cr_spin_unlock -> cr_spin_lock, cr_spin_try_lock   what was done under the lock
 */
#ifndef CR_BASE_SPIN_H
#define CR_BASE_SPIN_H

#include "runtime/base/atomic.h"

#include <sched.h>

/* False: somebody has it. */
static inline bool cr_spin_try_lock(uint32_t *lock)
{
    /* [acquire spin.lock] */
    return cr_swap_32(lock, 1) == 0;
}

static inline void cr_spin_lock(uint32_t *lock)
{
    enum { spins_before_yield = 100 };
    for (unsigned spins = 0; !cr_spin_try_lock(lock); spins++) {
        if (spins < spins_before_yield)
            cr_cpu_relax();
        else
            sched_yield();
    }
}

static inline void cr_spin_unlock(uint32_t *lock)
{
    /* [release spin.lock] */
    cr_store_release_32(lock, 0);
}

#endif
