/* SPDX-License-Identifier: MIT
 *
 * sanitizer.h - tells AddressSanitizer, ThreadSanitizer and valgrind about stacks of our own. Empty
 * in a normal build, but for valgrind (-Dvalgrind): a few instructions when a stack is first set up.
 *
 * ThreadSanitizer: a fiber per stack, kept with it; the switch is announced in the function that
 * jumps, right before the jump. AddressSanitizer: start before the jump, finish after the arrival;
 * the fake stack travels in the frame that left.
 */
#ifndef CR_BASE_SANITIZER_H
#define CR_BASE_SANITIZER_H

#include "runtime/base/atomic.h"

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define CR_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CR_ASAN 1
#endif
#endif
#ifndef CR_ASAN
#define CR_ASAN 0
#endif

/* The build says whether valgrind's header is there. */
#ifndef CR_VALGRIND
#define CR_VALGRIND 0
#endif

#if CR_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if CR_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if CR_VALGRIND
#include <valgrind/valgrind.h>
#endif

/* What the sanitizers know about one stack. */
typedef struct cr_sanitizer_stack {
#if CR_ASAN
    const void *low;
    size_t bytes;
#endif
#if CR_TSAN
    void *fiber;
#endif
#if CR_VALGRIND
    unsigned valgrind; /* its number */
#endif
    char unused;
} cr_sanitizer_stack;

/* Whether each stack has to be forgotten before its memory goes. */
static inline bool cr_tool_keeps_stacks(void)
{
#if CR_TSAN
    return true;
#elif CR_VALGRIND
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

#endif
