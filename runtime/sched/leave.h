/* SPDX-License-Identifier: MIT
 *
 * leave.h - the landing of corio_fail: see leave.c.
 */
#ifndef CR_SCHED_LEAVE_H
#define CR_SCHED_LEAVE_H

#include "runtime/sched/sched.h"

/* used: link-time optimization does not see the directive that names it. */
__attribute__((visibility("hidden"), used)) _Unwind_Reason_Code cr_landing_personality(
    int version, _Unwind_Action actions, uint64_t class, struct _Unwind_Exception *exception,
    struct _Unwind_Context *context);

/* Calls fn(arg) from a frame that corio_fail lands in. The directive names the personality routine
 * of whatever function this is inlined into; once in a function, which must not be a leaf. It also
 * hides from the compiler which function is called: what it returns is not only up to that. */
static inline __attribute__((always_inline)) int cr_land_here(corio_task_fn *fn, void *arg)
{
    __asm__ __volatile__(".cfi_personality 0x1b, cr_landing_personality" : "+r"(fn));
    int rc = fn(arg);
    __asm__ __volatile__("" : "+r"(rc)); /* not a tail call: the frame must be there */
    return rc;
}

#endif
