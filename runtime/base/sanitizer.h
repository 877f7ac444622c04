/* SPDX-License-Identifier: MIT
 *
 * sanitizer.h - tells AddressSanitizer, ThreadSanitizer and valgrind what they cannot see.
 *
 * Which sanitizer there is, is the program's affair: its runtime is found through weak symbols when
 * the library is loaded, so a library built without one serves a program built with one. Where there
 * is none, hot paths pay nothing: what is to be told lies behind a test that they make anyway
 * (worker->special, an identity, a lock's value), other paths test a flag.
 *
 * Stacks. ThreadSanitizer: a fiber per stack, kept with it; the switch is announced in the function
 * that jumps, right before the jump. AddressSanitizer: start before the jump, finish after the
 * arrival; the fake stack travels in the frame that left. valgrind (-Dvalgrind): a few instructions
 * when a stack is first set up.
 *
 * Order. ThreadSanitizer does not see the atomics of a library that was built without it. So the
 * edges on which the program's data changes hands are told: each is a release of an address before
 * and an acquire of it behind the atomic that makes the edge. Those of pthread functions it sees by
 * itself. Built with ThreadSanitizer, the library's atomics are the compiler's, and nothing is told.
 */
#ifndef CR_BASE_SANITIZER_H
#define CR_BASE_SANITIZER_H

#include "runtime/base/atomic.h"
#include "runtime/base/panic.h"

#include <stdbool.h>
#include <stddef.h>

/* The build says whether valgrind's header is there. */
#ifndef CR_VALGRIND
#define CR_VALGRIND 0
#endif
#if CR_VALGRIND
#include <valgrind/valgrind.h>
#endif

/* Of the sanitizers' runtimes (sanitizer/common_interface_defs.h, asan_interface.h,
 * tsan_interface.h); null without. */
#define CR_WEAK __attribute__((weak))
CR_WEAK void __sanitizer_start_switch_fiber(void **fake, const void *low, size_t bytes);
CR_WEAK void __sanitizer_finish_switch_fiber(void *fake, const void **low, size_t *bytes);
CR_WEAK void __asan_unpoison_memory_region(void const volatile *low, size_t bytes);
CR_WEAK void *__tsan_get_current_fiber(void);
CR_WEAK void *__tsan_create_fiber(unsigned flags);
CR_WEAK void __tsan_destroy_fiber(void *fiber);
CR_WEAK void __tsan_switch_to_fiber(void *fiber, unsigned flags);
CR_WEAK void __tsan_acquire(void *at);
CR_WEAK void __tsan_release(void *at);
#undef CR_WEAK

/* What there is. Written once, before main. */
typedef struct cr_sanitizers {
    bool address;
    bool thread;
} cr_sanitizers;
extern cr_sanitizers cr_sanitizer __attribute__((visibility("hidden")));

static inline bool cr_sanitized_address(void)
{
    return CR_UNLIKELY(cr_sanitizer.address);
}

static inline bool cr_sanitized_thread(void)
{
    return CR_UNLIKELY(cr_sanitizer.thread);
}

/* Whether edges are to be told. */
static inline bool cr_order_is_told(void)
{
    return !CR_TSAN && cr_sanitized_thread();
}

/* Out of line, so that who has nothing to tell keeps no registers for it. */
void cr_tell_release_slow(const void *at);
void cr_tell_acquire_slow(const void *at);

/* What has been done is seen behind the next cr_tell_acquire of that address. */
static inline void cr_tell_release(const void *at)
{
    if (cr_order_is_told())
        cr_tell_release_slow(at);
}

static inline void cr_tell_acquire(const void *at)
{
    if (cr_order_is_told())
        cr_tell_acquire_slow(at);
}

/* Whether each stack has to be forgotten before its memory goes. */
static inline bool cr_tool_keeps_stacks(void)
{
    if (cr_sanitized_thread())
        return true;
#if CR_VALGRIND
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

#endif
