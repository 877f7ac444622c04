/* SPDX-License-Identifier: MIT
 *
 * command.h - what these programs have in common as commands: numbers among their arguments, and
 * output that must have arrived.
 */
#ifndef EXAMPLES_COMMAND_H
#define EXAMPLES_COMMAND_H

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* What the program ends with: `status` if what it printed has arrived, else `failed`, and says so. */
static inline int finish(const char *program, int status, int failed)
{
    errno = EIO; /* of an earlier write */
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "%s: output: %s\n", program, strerror(errno));
    return failed;
}

#endif
