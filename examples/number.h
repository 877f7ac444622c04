/* SPDX-License-Identifier: MIT
 *
 * number.h - numbers on the command lines of these programs.
 */
#ifndef EXAMPLES_NUMBER_H
#define EXAMPLES_NUMBER_H

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* The whole text is a number from `least` to `most`; else nothing is changed. */
static inline bool read_number(const char *text, unsigned least, unsigned most, unsigned *ret)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || value < least || value > most)
        return false;
    *ret = (unsigned)value;
    return true;
}

#endif
