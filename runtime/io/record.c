/* SPDX-License-Identifier: MIT
 *
 * record.c - answers into a file. What goes wrong harms no run: the first error is kept for the end,
 * and nothing is written after it.
 */
#include "runtime/io/reuse.h"

#include "runtime/base/alloc.h"

#include <errno.h>
#include <string.h>

int cr_record_open(cr_record *record, const char *path, uint32_t wait_mode)
{
    if (path == NULL)
        return 0;
    record->file = fopen(path, "we");
    return record->file != NULL ? cr_frame_begin(record->file, wait_mode) : -errno;
}

static void write_frame(cr_record *record, enum cr_frame_type type, const void *payload,
                        size_t count)
{
    if (record->error == 0)
        record->error = cr_frame_write(record->file, type, payload, count);
}

int cr_record_close(cr_record *record)
{
    if (record->file != NULL) {
        write_frame(record, CR_FRAME_END, NULL, 0);
        if (fclose(record->file) != 0 && record->error == 0)
            record->error = -errno;
    }
    cr_free(record->payload.items);
    int error = record->error;
    *record = (cr_record){.error = error};
    return error;
}

void cr_record_mark(cr_record *record, enum cr_frame_type type)
{
    if (record->file != NULL)
        write_frame(record, type, NULL, 0);
}

void cr_record_asked(cr_record *record, const char *line)
{
    write_frame(record, CR_FRAME_ASKED, line, strlen(line));
}

void cr_record_again(cr_io *io, uint64_t batch, uint64_t index)
{
    const cr_again again = {cr_io_moment(io), batch, index};
    write_frame(&io->record, CR_FRAME_AGAIN, &again, sizeof again);
}

/* -- Answers -- */

int corio_sink_write(corio_sink *sink, const void *bytes, size_t count)
{
    if (sink == NULL || (bytes == NULL && count > 0))
        return -EINVAL;
    return cr_bytes_append((cr_bytes *)sink, bytes, count) ? 0 : -ENOMEM;
}

/* The bytes of an answer, behind its head. */
static int save(cr_bytes *to, const corio_dispatcher *dispatcher, const corio_request *request)
{
    const corio_dispatcher_options *options = &dispatcher->options;
    if (options->save != NULL)
        return options->save(options->self, request->input, request->output, request->status,
                             (corio_sink *)to);
    if (request->status != 0 || request->output == NULL)
        return 0;
    return cr_bytes_append(to, request->output, options->output_bytes) ? 0 : -ENOMEM;
}

static void record_answer(cr_record *record, const corio_dispatcher *dispatcher,
                          const corio_request *request)
{
    cr_answer answer = {.kind = CR_ANSWER_STATUS, .status = request->status};
    bool retry = request->reserved_state == CR_REQUEST_RETRY;
    if (retry) {
        answer.status = cr_call_given_up(dispatcher->io, request->reserved_call);
        /* One that nobody waits for any more will not go out again: its answer is known. */
        if (answer.status == 0 || cr_reuse_followed(dispatcher, request))
            answer.kind = cr_request_due(request) != 0 ? CR_ANSWER_RETRY_LATER : CR_ANSWER_RETRY;
    }
    if (record->error != 0)
        return;
    record->payload.count = 0;
    int rc = cr_bytes_append(&record->payload, &answer, sizeof answer) ? 0 : -ENOMEM;
    if (rc == 0 && !retry)
        rc = save(&record->payload, dispatcher, request);
    if (rc < 0)
        record->error = rc;
    write_frame(record, CR_FRAME_ANSWER, record->payload.items, record->payload.count);
}

static void record_group(cr_record *record, const corio_batch *batch, size_t first, size_t count)
{
    size_t before = (size_t)(batch->entries - batch->storage->items);
    const cr_group group = {batch->number, before + first, count};
    write_frame(record, CR_FRAME_GROUP, &group, sizeof group);
    for (size_t i = first; i < first + count; i++)
        record_answer(record, batch->dispatcher, cr_entry_request(&batch->entries[i]));
}

void cr_record_replies(cr_io *io, const corio_batch *replies)
{
    const cr_moment moment = cr_io_moment(io);
    write_frame(&io->record, CR_FRAME_TAKE, &moment, sizeof moment);
    for (const corio_batch *batch = replies; batch != NULL; batch = batch->next) {
        size_t own;
        for (size_t i = cr_batch_own(batch, 0, &own); own > 0;
             i = cr_batch_own(batch, i + own, &own))
            record_group(&io->record, batch, i, own);
    }
    cr_record_mark(&io->record, CR_FRAME_TAKEN);
}
