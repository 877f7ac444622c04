/* SPDX-License-Identifier: MIT
 *
 * options.h - options of programs that were compiled with an older header: what they lack is zero.
 */
#ifndef CR_DISPATCH_OPTIONS_H
#define CR_DISPATCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Copies the struct at `from`, whose first member is its size, into `to`, of `bytes` bytes. false:
 * it is none, or has fewer than `least` bytes. */
static inline bool cr_options_take(void *to, size_t bytes, const void *from, size_t least)
{
    size_t given;
    if (!from)
        return false;
    memcpy(&given, from, sizeof given);
    if (given < least)
        return false;
    memset(to, 0, bytes);
    memcpy(to, from, given < bytes ? given : bytes);
    return true;
}

#endif
