/* SPDX-License-Identifier: MIT
 *
 * log.c - the batch log: one line per request handed over.
 *
 *     phase TAB dispatcher TAB position TAB spawn path TAB hash of the input
 *
 * Two runs of a program are the same, as far as the outside world can tell, if their logs are.
 */
#include "runtime/io/io.h"

#include "runtime/base/alloc.h"
#include "runtime/base/hash.h"

#include <errno.h>
#include <inttypes.h>

static uint64_t hash_input(const corio_dispatcher *dispatcher, const void *input)
{
    const corio_dispatcher_options *options = &dispatcher->options;
    if (options->hash != NULL)
        return options->hash(options->self, input);
    return cr_hash_bytes(input, input != NULL ? options->input_bytes : 0);
}

static int print_path(FILE *log, const corio_task *task)
{
    char small[256];
    size_t length = corio_task_path_text(task, small, sizeof small);
    if (length < sizeof small)
        return fputs(small, log);
    char *large = cr_alloc(length + 1);
    if (large == NULL)
        return EOF;
    corio_task_path_text(task, large, length + 1);
    int rc = fputs(large, log);
    cr_free(large);
    return rc;
}

void cr_log_batch(cr_io *io, const corio_batch *batch)
{
    const corio_dispatcher *dispatcher = batch->dispatcher;
    for (size_t i = 0; i < batch->count && io->log_error == 0; i++) {
        const corio_request *request = cr_entry_request(&batch->entries[i]);
        const cr_call *call = request->reserved_call;
        if (fprintf(io->log, "%" PRIu64 "\t%s\t%zu\t", batch->phase, dispatcher->options.name, i) <
                0 ||
            print_path(io->log, call->park.task) == EOF ||
            fprintf(io->log, "\t%016" PRIx64 "\n", hash_input(dispatcher, request->input)) < 0)
            io->log_error = errno != 0 ? -errno : -EIO;
    }
}

int cr_log_open(cr_io *io, const char *path)
{
    io->log = fopen(path, "we");
    return io->log != NULL ? 0 : -errno;
}

int cr_log_close(cr_io *io)
{
    if (io->log == NULL)
        return 0;
    if (fclose(io->log) != 0 && io->log_error == 0)
        io->log_error = -errno;
    io->log = NULL;
    return io->log_error;
}
