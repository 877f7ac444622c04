/* SPDX-License-Identifier: MIT
 *
 * options.c - defaults, ranges, and the environment variables that override options.
 */
#include "runtime/phase/runtime.h"

#include "runtime/base/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { most_workers = 1024, most_permits = 65536 };

static const size_t smallest_stack = (size_t)16 << 10;
static const size_t largest_stack = (size_t)1 << 30;

static size_t default_stack(void)
{
    /* Sanitizers make frames several times larger. */
    return (size_t)(cr_sanitized_address() || cr_sanitized_thread() ? 256 : 64) << 10;
}

/* Overrides *value by a decimal number in an environment variable. */
static int number_from(const char *variable, uint64_t *value)
{
    const char *text = getenv(variable);
    if (text == NULL || *text == '\0')
        return 0;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0)
        return -EINVAL;
    *value = number;
    return 0;
}

static int wait_mode_from(const char *variable, corio_wait_mode *mode)
{
    const char *text = getenv(variable);
    if (text == NULL || *text == '\0')
        return 0;
    if (strcmp(text, "streaming") == 0)
        *mode = CORIO_WAIT_STREAMING;
    else if (strcmp(text, "strict") == 0)
        *mode = CORIO_WAIT_STRICT;
    else
        return -EINVAL;
    return 0;
}

static void file_from(const char *variable, const char **path)
{
    const char *text = getenv(variable);
    if (text != NULL && *text != '\0')
        *path = text;
}

static int check(const corio_options *options)
{
    size_t stack = options->stack_bytes;
    bool good =
        options->workers <= most_workers && options->io_permits <= most_permits &&
        stack >= smallest_stack && stack <= largest_stack && (stack & (stack - 1)) == 0 &&
        options->max_stacks <= UINT32_MAX &&
        (options->wait_mode == CORIO_WAIT_STREAMING || options->wait_mode == CORIO_WAIT_STRICT) &&
        (options->record == NULL || options->replay == NULL) &&
        options->progress <= CORIO_PROGRESS_ALWAYS;
    return good ? 0 : -EINVAL;
}

int cr_options_resolve(const corio_options *options, corio_options *ret_resolved)
{
    corio_options resolved = CORIO_OPTIONS_INIT;
    if (options != NULL) {
        if (!cr_options_copy(&resolved, sizeof resolved, options))
            return -EINVAL;
    }
    uint64_t workers = resolved.workers, stack_bytes = resolved.stack_bytes;
    uint64_t max_stacks = resolved.max_stacks, io_permits = resolved.io_permits;
    uint64_t progress = resolved.progress;
    if (number_from("CORIO_WORKERS", &workers) != 0 ||
        number_from("CORIO_SIM_SEED", &resolved.sim_seed) != 0 ||
        number_from("CORIO_LATE_NS", &resolved.late_ns) != 0 ||
        number_from("CORIO_HOLD_NS", &resolved.hold_ns) != 0 ||
        number_from("CORIO_STACK_BYTES", &stack_bytes) != 0 ||
        number_from("CORIO_MAX_STACKS", &max_stacks) != 0 ||
        number_from("CORIO_IO_PERMITS", &io_permits) != 0 ||
        number_from("CORIO_PROGRESS", &progress) != 0 || progress > CORIO_PROGRESS_ALWAYS ||
        wait_mode_from("CORIO_WAIT", &resolved.wait_mode) != 0 || workers > most_workers ||
        io_permits > most_permits)
        return -EINVAL;
    resolved.workers = workers != 0 ? (unsigned)workers : cr_default_workers();
    if (resolved.workers > most_workers)
        resolved.workers = most_workers;
    if (resolved.sim_seed != 0)
        resolved.workers = 1;
    resolved.stack_bytes = stack_bytes != 0 ? (size_t)stack_bytes : default_stack();
    resolved.max_stacks = (size_t)max_stacks;
    resolved.progress = (corio_progress)progress;
    resolved.io_permits = io_permits != 0 ? (unsigned)io_permits : 128;
    file_from("CORIO_BATCH_LOG", &resolved.batch_log);
    file_from("CORIO_CHECK", &resolved.check);
    file_from("CORIO_TRACE", &resolved.trace);
    file_from("CORIO_RECORD", &resolved.record);
    file_from("CORIO_REPLAY", &resolved.replay);
    file_from("CORIO_PHASES", &resolved.phases);
    *ret_resolved = resolved;
    return check(&resolved);
}
