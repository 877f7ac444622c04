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

/* The whole text is a number from `least`, which is not negative, to `most`; else nothing is changed. */
static inline bool take_number(const char *text, int least, int most, int *ret)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || value < least || value > most)
        return false;
    *ret = (int)value;
    return true;
}

#endif
