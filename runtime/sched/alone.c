/* SPDX-License-Identifier: MIT */
#include "runtime/sched/alone.h"

#ifndef CR_ALONE_LEAST_NS
#define CR_ALONE_LEAST_NS 2000
#endif

enum {
    long_ns = 200000, /* a phase that takes this long shared out is not worth a thought */
    first_trial_after = 16,
    most_trial_after = 1024,
};

static cr_alone_times *times_of(cr_alone *alone, size_t count)
{
    unsigned size = 0;
    while (count >>= 1)
        size++;
    return size < CR_ALONE_SIZES ? &alone->times[size] : NULL;
}

/* What was shared out is to be faster by a quarter: it leaves the next I/O phase with lines that are
 * elsewhere. */
static bool alone_is_faster(const cr_alone_times *times)
{
    return times->alone_ns == 0 || times->alone_ns < times->shared_ns + times->shared_ns / 4;
}

static bool is_trial(cr_alone_times *times)
{
    if (times->alone_ns == 0 || times->trial_in-- > 0)
        return false;
    times->trial_in = times->trial_after;
    if (times->trial_after < most_trial_after)
        times->trial_after *= 2;
    return true;
}

/* What takes so long for 1 << size tasks, for those that are resumed. */
static uint64_t for_count(const cr_alone *alone, const cr_alone_times *times, uint64_t ns)
{
    return ns * alone->count >> (times - alone->times);
}

uint64_t cr_alone_choose(cr_alone *alone, size_t count)
{
    cr_alone_times *times = count > 0 ? times_of(alone, count) : NULL;
    alone->count = times != NULL ? count : 0;
    alone->chosen = times != NULL && times->shared_ns != 0 && times->shared_ns < long_ns &&
                    alone_is_faster(times) != is_trial(times);
    uint64_t usual_ns = times != NULL ? for_count(alone, times, times->shared_ns) : 0;
    return alone->chosen ? 4 * usual_ns + CR_ALONE_LEAST_NS : 0;
}

void cr_alone_measure(cr_alone *alone, uint64_t phase_ns)
{
    if (alone->count == 0)
        return;
    cr_alone_times *times = times_of(alone, alone->count);
    size_t whole = (size_t)1 << (times - alone->times);
    uint64_t *known = alone->chosen ? &times->alone_ns : &times->shared_ns;
    uint64_t now = phase_ns * whole / alone->count + 1;
    bool was_faster = alone_is_faster(times);
    if (*known == 0)
        *known = now;
    else if (now < *known) /* a single phase may be long for many reasons, and short for one */
        *known -= (*known - now) / 4;
    else
        *known += (now - *known < *known ? now - *known : *known) / 8;
    if (was_faster != alone_is_faster(times) || times->trial_after == 0)
        times->trial_in = times->trial_after = first_trial_after;
    alone->count = 0;
}
