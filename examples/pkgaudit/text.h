/* SPDX-License-Identifier: MIT
 *
 * text.h - a piece of text inside a larger one, without an end mark.
 */
#ifndef PKGAUDIT_TEXT_H
#define PKGAUDIT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    const char *at; /* borrowed */
    size_t length;
};

static inline bool text_is(struct text text, const char *string)
{
    return strlen(string) == text.length && memcmp(text.at, string, text.length) == 0;
}

/* FNV-1a over bytes, carried on from `hash`. */
#define TEXT_HASH_BEGIN 0xcbf29ce484222325u

static inline uint64_t text_hash(uint64_t hash, const char *at, size_t length)
{
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)at[i]) * 0x100000001b3u;
    return hash;
}

#endif
