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
    X(CORIO_ESTACKS, -4102, "no stack is left for a task (see max_stacks)")                        \
    X(CORIO_ENEGATIVE, -4103, "the count of the wait group would be negative")                     \
    X(CORIO_EDIFFERENT, -4104, "the batches differ from those of the recorded run")                \
    X(CORIO_ECLOSED, -4105, "the channel is closed")                                               \
    X(CORIO_EBROKEN, -4106, "the barrier is broken")                                               \
    X(CORIO_ERECORDING, -4107, "the recording is damaged, cut off, or none of this version")

enum corio_error_code {
#define CORIO_ERROR_ENUMERATOR(name, value, text) name = value,
    CORIO_ERRORS(CORIO_ERROR_ENUMERATOR)
#undef CORIO_ERROR_ENUMERATOR
};

/* What is known about a failure: the task it came from, and its way up. Strings are never NULL. All
 * of it is borrowed from whoever gave the pointer to the record. */
typedef struct corio_error {
    int code;                /* the negative code that the task ended with */
    const char *task;        /* name of the task */
    const char *path;        /* its spawn path as text, see corio_task_path_text */
    const char *text;        /* what corio_fail was told, or why it was cancelled; "" if nothing */
    const uint64_t *indices; /* the spawn path: `depth` numbers, outermost first */
    size_t depth;
    /* Names of the tasks that ended with this error: chain[0] is where it came from, chain[i] the
     * task i levels above, whose path is the first depth - i indices. */
    const char *const *chain;
    size_t chain_length;
    /* Return addresses where corio_fail was called, innermost first; none if a task returned its
     * code. */
    void *const *frames;
    size_t frame_count;
    uint64_t others; /* further failures in the scope whose wait returned this one, about */
    /* The error that a wait of this task returned before it ended with another; NULL: none. */
    const struct corio_error *cause;
} corio_error;

/* corio_error_text: all of it as text of several lines, cut to fit and always terminated if `bytes`
 * > 0: code and reason, the tasks on the way up with their paths, the backtrace, the causes.
 *
 * Returns the length of the whole text without its end; 0 for NULL. Suspends: never. Thread: any. */
CORIO_API size_t corio_error_text(const corio_error *error, char *text, size_t bytes);

/* corio_strerror: the text for an error code of this library or a negated errno value.
 *
 * Returns a constant string, never NULL (for a negated errno value: in the C locale's words,
 * borrowed until the thread's next call). Suspends: never. Thread: any. */
CORIO_API const char *corio_strerror(int code);

CORIO_END_DECLS

#endif
