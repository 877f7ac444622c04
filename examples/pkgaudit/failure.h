/* SPDX-License-Identifier: MIT
 *
 * failure.h - why the program ends early: an exit status and a line for the user. The first failure
 * counts; tasks on several workers may report at once.
 */
#ifndef PKGAUDIT_FAILURE_H
#define PKGAUDIT_FAILURE_H

#include <pthread.h>
#include <stdatomic.h>

enum exit_status {
    EXIT_FINE = 0,
    EXIT_OTHER = 1,       /* no memory, a thread cannot be made, ... */
    EXIT_USAGE = 2,       /* the command line */
    EXIT_INPUT = 3,       /* an input is missing or cannot be read */
    EXIT_STANZA = 4,      /* an input is cut off or malformed */
    EXIT_DATABASE = 5,    /* the database is absent, damaged, locked, or something else's */
    EXIT_DISK_FULL = 6,   /* no room for the database or a result */
    EXIT_NO_ROOTS = 7,    /* nothing to audit */
    EXIT_INTERRUPT = 130, /* SIGINT */
};

struct failure {
    pthread_mutex_t lock;
    enum exit_status status;
    char text[512];
};

#define FAILURE_INIT                                                                               \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, EXIT_FINE, ""                                                   \
    }

/* Set by the SIGINT handler; long work looks at it. */
extern atomic_int interrupted; /* lock-free, so a signal handler may set it; read by every thread */

/* Notes a failure unless there is one. Returns -ECANCELED, for a task to return. */
int failure_set(struct failure *failure, enum exit_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Notes what a request to the database or the library came to. `code` is negative, `text` is what it
 * means; `words` are the database's own, "" if it said nothing. */
int failure_of_database(struct failure *failure, int code, const char *text, const char *words,
                        const char *where);

/* Notes an interrupt if there was one: then returns -ECANCELED, else 0. */
int failure_if_interrupted(struct failure *failure);

#endif
