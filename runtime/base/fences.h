/* SPDX-License-Identifier: MIT
 *
 * fences.h - a full fence in every thread of the process, by one of them: membarrier(2).
 *
 * Where two threads each write and then read what the other writes, both need a full fence between. If
 * one of them does it for each task and the other rarely, the first keeps only the compiler from
 * reordering, and the second puts the fence into the first: it falls before the first one's write,
 * and its read then sees what the second wrote before; or behind it, and the second sees that write.
 * The kernel promises a full fence in each running thread of the process, and in the caller.
 *
 * It takes 0.5 us if the other threads sleep, some 10 us if they run: each is interrupted.
 */
#ifndef CR_BASE_FENCES_H
#define CR_BASE_FENCES_H

#include "runtime/base/panic.h"

#include <linux/membarrier.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Before the first use, once in a process or more often. False: there is none here. */
static inline bool cr_fence_threads_register(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

/* If it fails later on (memory; a process that was restored) it is tried again. A program that forbids it to itself
 * ends here: the other threads go on without fences of their own. */
static inline void cr_fence_threads(void)
{
    while (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0) {
        if (!cr_fence_threads_register())
            cr_panic("membarrier(2) is not allowed any more");
    }
}

#endif
