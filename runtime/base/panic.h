/* SPDX-License-Identifier: MIT
 *
 * panic.h - the end of the process for a broken invariant of the library itself, with one clear
 * line on stderr.
 */
#ifndef CR_BASE_PANIC_H
#define CR_BASE_PANIC_H

_Noreturn void cr_panic(const char *what);

#define CR_LIKELY(x)   __builtin_expect(!!(x), 1)
#define CR_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Holds in every build: a broken invariant never goes on silently. */
#define CR_INVARIANT(holds)                                                                        \
    do {                                                                                           \
        if (CR_UNLIKELY(!(holds)))                                                                 \
            cr_panic(#holds);                                                                      \
    } while (0)

#endif
