/* SPDX-License-Identifier: MIT
 *
 * failure.c - why the program ends early.
 */
#include "failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

atomic_int interrupted;

int failure_set(struct failure *failure, enum exit_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&failure->lock);
    if (failure->status == EXIT_FINE) {
        failure->status = status;
        vsnprintf(failure->text, sizeof failure->text, format, arguments);
    }
    pthread_mutex_unlock(&failure->lock);
    va_end(arguments);
    return -ECANCELED;
}

int failure_of_database(struct failure *failure, int code, const char *text, const char *words,
                        const char *where)
{
    enum exit_status status = EXIT_DATABASE;
    if (code == -ENOSPC)
        status = EXIT_DISK_FULL;
    else if (code == -ENOMEM || code == -EAGAIN || (code < -4095 && code > -4352))
        status = EXIT_OTHER;
    if (code == -ENOSPC)
        text = "the disk is full";
    return failure_set(failure, status, "database %s: %s%s%s%s", where, text, words[0] ? " (" : "",
                       words, words[0] ? ")" : "");
}

int failure_if_interrupted(struct failure *failure)
{
    return interrupted ? failure_set(failure, EXIT_INTERRUPT, "interrupted") : 0;
}
