/* SPDX-License-Identifier: MIT
 *
 * exceptions.h - what the C++ runtime keeps for each thread: the exceptions that are being handled,
 * and how many are on their way. It belongs to the stack, not to the thread: a task that suspends in
 * a catch block, or in a destructor that an exception has called, takes it along.
 *
 *     at every switch the thread's are empty: whoever leaves with some puts them into its frame,
 *     and back when it goes on, on whatever thread; corio_run does so for its caller
 *
 * So who has none, that is nearly everybody, pays for a look when it suspends, and nothing when it
 * goes on. The layout is that of the Itanium C++ ABI (2.2.2), and libstdc++'s and libc++abi's.
 */
#ifndef CR_BASE_EXCEPTIONS_H
#define CR_BASE_EXCEPTIONS_H

#include "runtime/base/panic.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct cr_exceptions {
    void *caught;
    unsigned uncaught;
} cr_exceptions;

typedef cr_exceptions *cr_exceptions_fn(void);

/* Of the C++ runtime that the process has by now; NULL: none. What it returns belongs to the calling
 * thread, and stays where it is while that lives. */
cr_exceptions_fn *cr_exceptions_find(void);

/* of: the calling thread's; NULL: there is no C++ runtime. */
static inline bool cr_exceptions_any(const cr_exceptions *of)
{
    return of != NULL && CR_UNLIKELY(of->caught != NULL || of->uncaught != 0);
}

static inline cr_exceptions cr_exceptions_take(cr_exceptions *of)
{
    cr_exceptions taken = {.caught = NULL};
    if (of != NULL) {
        taken = *of;
        of->caught = NULL;
        of->uncaught = 0;
    }
    return taken;
}

static inline void cr_exceptions_put(cr_exceptions *of, const cr_exceptions *taken)
{
    if (of != NULL) {
        of->caught = taken->caught;
        of->uncaught = taken->uncaught;
    }
}

#endif
