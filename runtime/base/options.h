/* SPDX-License-Identifier: MIT
 *
 * options.h - structs with a size, of callers that were compiled with another version's header.
 *
 * Members are only ever added at the end, and zero is the default of each. So a shorter struct is
 * one of an older header, and what it lacks is zero; a longer one is of a newer header, and fine as
 * long as it asks for nothing that is not known here.
 */
#ifndef CR_BASE_OPTIONS_H
#define CR_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Copies the struct at `from`, whose first member is its size, into `to`, of `bytes` bytes. false:
 * it cannot be one. */
static inline bool cr_options_copy(void *to, size_t bytes, const void *from)
{
    size_t given;
    memcpy(&given, from, sizeof given);
    if (given < sizeof given)
        return false;
    for (size_t at = bytes; at < given; at++) {
        if (((const char *)from)[at] != 0)
            return false;
    }
    memset(to, 0, bytes);
    memcpy(to, from, given < bytes ? given : bytes);
    memcpy(to, &bytes, sizeof bytes);
    return true;
}

/* The other way: fills as much of the caller's struct as it has. */
static inline bool cr_options_fill(void *to, size_t bytes, const void *from)
{
    size_t given;
    memcpy(&given, to, sizeof given);
    if (given < sizeof given)
        return false;
    memcpy(to, from, given < bytes ? given : bytes);
    memcpy(to, &given, sizeof given);
    return true;
}

#endif
