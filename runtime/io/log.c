/* SPDX-License-Identifier: MIT
 *
 * log.c - the batch log: one line per request handed over; and comparing with one of another run.
 * A recording (tape.h) has these lines, too.
 *
 *     phase TAB dispatcher TAB position TAB spawn path TAB hash of the input
 *
 * Two runs of a program are the same, as far as the outside world can tell, if their logs are. The
 * first line that differs names the phase, the dispatcher and the task at which they part.
 */
#include "runtime/io/io.h"

#include "runtime/base/alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static uint64_t hash_input(const corio_dispatcher *dispatcher, const void *input)
{
    const corio_dispatcher_options *options = &dispatcher->options;
    if (options->hash != NULL)
        return options->hash(options->self, input);
    return corio_hash_bytes(CORIO_HASH_BEGIN, input, input != NULL ? options->input_bytes : 0);
}

/* The line of request i in log->line; false: no memory. */
static bool print_line(cr_log *log, const corio_batch *batch, size_t i)
{
    const corio_dispatcher *dispatcher = batch->dispatcher;
    const corio_request *request = cr_entry_request(&batch->entries[i]);
    const corio_task *task = ((const cr_call *)request->reserved_call)->park.task;
    enum { most_numbers = 80 }; /* bytes of all that is not name and path */
    size_t path_bytes = corio_task_path_text(task, NULL, 0) + 1;
    size_t need = strlen(dispatcher->options.name) + path_bytes + most_numbers;
    if (!cr_grow((void **)&log->line, &log->line_bytes, need, 1))
        return false;
    int at = snprintf(log->line, log->line_bytes, "%" PRIu64 "\t%s\t%zu\t", batch->phase,
                      dispatcher->options.name, i);
    corio_task_path_text(task, log->line + at, path_bytes);
    size_t end = (size_t)at + path_bytes - 1;
    snprintf(log->line + end, log->line_bytes - end, "\t%016" PRIx64 "\n",
             hash_input(dispatcher, request->input));
    return true;
}

/* -- Comparing -- */

void cr_log_differ(cr_log *log, uint64_t number, const char *expected, const char *found)
{
    static const char what[] = "corio: this run differs from the recorded one at line %" PRIu64
                               " (phase, dispatcher, position, task, hash of the input)\n"
                               "  recorded: %s  now:      %s";
    expected = expected != NULL ? expected : "(nothing)\n";
    found = found != NULL ? found : "(nothing)\n";
    size_t bytes = sizeof what + 20 + strlen(expected) + strlen(found);
    log->differs = true;
    if (log->difference == NULL && (log->difference = cr_alloc(bytes)) != NULL)
        snprintf(log->difference, bytes, what, number, expected, found);
}

/* The next line of the recording in log->recorded; false: there is none, or it cannot be read, which
 * is an error and not its end. */
static bool read_recorded(cr_log *log)
{
    if (!log->ahead)
        log->ahead = getline(&log->recorded, &log->recorded_bytes, log->check) > 0;
    if (!log->ahead && !feof(log->check) && log->error == 0)
        log->error = errno != 0 ? -errno : -EIO;
    return log->ahead;
}

static void compare_line(cr_log *log)
{
    if (log->differs)
        return;
    log->number++;
    bool any = read_recorded(log);
    log->ahead = false;
    if (log->error != 0) /* nothing can be said */
        return;
    if (!any || strcmp(log->recorded, log->line) != 0)
        cr_log_differ(log, log->number, any ? log->recorded : NULL, log->line);
}

bool cr_log_end_run(cr_log *log)
{
    if (log->check == NULL)
        return true;
    /* Each run begins with phase 0: a line of a later one should have come in this run. After an error
     * some lines have not been compared. */
    if (!log->differs && log->error == 0 && read_recorded(log) &&
        strncmp(log->recorded, "0\t", 2) != 0) {
        log->number++;
        cr_log_differ(log, log->number, log->recorded, NULL);
    }
    return !log->differs;
}

/* -- Writing -- */

static void write_line(cr_log *log)
{
    if (log->file != NULL && log->error == 0 && fputs(log->line, log->file) == EOF)
        log->error = errno != 0 ? -errno : -EIO;
    if (log->check != NULL)
        compare_line(log);
}

static void use_line(cr_io *io)
{
    write_line(&io->log);
    if (io->record.file != NULL)
        cr_record_asked(&io->record, io->log.line);
    if (io->replay.file != NULL)
        cr_replay_asked(io, io->log.line);
}

/* Without memory for a line none of the files can be right. */
static void fail_all(cr_io *io, int error)
{
    if ((io->log.file != NULL || io->log.check != NULL) && io->log.error == 0)
        io->log.error = error;
    if (io->record.file != NULL && io->record.error == 0)
        io->record.error = error;
    if (io->replay.file != NULL && io->replay.error == 0)
        io->replay.error = error;
}

void cr_log_batch(cr_log *log, const corio_batch *batch)
{
    cr_io *io = batch->dispatcher->io;
    for (size_t i = 0; i < batch->count; i++) {
        if (!print_line(log, batch, i)) {
            fail_all(io, -ENOMEM);
            return;
        }
        use_line(io);
    }
}

/* NULL for a path: not wanted. */
static int open_one(const char *path, const char *mode, FILE **ret_file)
{
    if (path == NULL)
        return 0;
    *ret_file = fopen(path, mode);
    return *ret_file != NULL ? 0 : -errno;
}

int cr_log_open(cr_log *log, const char *path, const char *check)
{
    int rc = open_one(path, "we", &log->file);
    if (rc == 0)
        rc = open_one(check, "re", &log->check);
    log->wanted = log->file != NULL || log->check != NULL;
    return rc;
}

int cr_log_close(cr_log *log)
{
    if (log->file != NULL && fclose(log->file) != 0 && log->error == 0)
        log->error = -errno;
    if (log->check != NULL)
        fclose(log->check);
    cr_free(log->line);
    cr_free(log->recorded);
    cr_free(log->difference);
    int error = log->error;
    *log = (cr_log){.error = error};
    return error;
}
