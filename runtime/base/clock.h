/* SPDX-License-Identifier: MIT
 *
 * clock.h - the monotonic clock, in nanoseconds.
 */
#ifndef CR_BASE_CLOCK_H
#define CR_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CR_NEVER UINT64_MAX

static inline uint64_t cr_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
