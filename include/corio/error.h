/* SPDX-License-Identifier: MIT
 *
 * error.h - error codes and what is known about a failure.
 *
 * Every function returns 0 or a count, or else a negative number: a negated errno value where one
 * fits, one of the codes below where none does. The two ranges do not overlap.
 */
#ifndef CORIO_ERROR_H
#define CORIO_ERROR_H

#include <corio/export.h>

CORIO_BEGIN_DECLS

/* name, value, text. Errno values end at 4095; these begin behind them. */
#define CORIO_ERRORS(X)                                                                            \
    X(CORIO_EUNANSWERED, -4097,                                                                    \
      "the dispatcher completed the batch without answering the request")                          \
    X(CORIO_EANSWERED, -4098, "the dispatcher answered the request twice")                         \
    X(CORIO_ECOMPLETED, -4099, "the batch is complete already")                                    \
    X(CORIO_EINDEX, -4100, "the index lies outside the batch")                                     \
    X(CORIO_ECARVED, -4101, "the request belongs to a slice of the batch")                         \
    X(CORIO_ESTACKS, -4102, "no stack is left for a task (see max_stacks)")

enum corio_error_code {
#define CORIO_ERROR_ENUMERATOR(name, value, text) name = value,
    CORIO_ERRORS(CORIO_ERROR_ENUMERATOR)
#undef CORIO_ERROR_ENUMERATOR
};

/* What is known about a failure: the task it came from. Strings are never NULL. */
typedef struct corio_error {
    int code;         /* the negative code that the task returned, or that was given to it */
    const char *task; /* name of the task */
    const char *path; /* its spawn path as text, "(3, 0, 17)"; the root is "()" */
} corio_error;

/* corio_strerror: the text for an error code of this library or a negated errno value.
 *
 * Returns a constant string, never NULL (for a negated errno value: in the C locale's words,
 * borrowed until the thread's next call). Suspends: never. Thread: any. */
CORIO_API const char *corio_strerror(int code);

CORIO_END_DECLS

#endif
