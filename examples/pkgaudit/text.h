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

#endif
