/* SPDX-License-Identifier: MIT
 *
 * recording.c - what the I/O threads have done, in a recording: with CORIO_RECORD=FILE `index` writes
 * all answers down, with CORIO_REPLAY=FILE it needs neither folder nor database, and changes nothing.
 */
#include "indexer.h"

#include <errno.h>

/* The result, and if it is fine what stands behind the argument. */
int save_call(void *self, const void *input, const void *output, int status, corio_sink *sink)
{
    (void)self;
    const corio_blocking_call *call = input;
    const int64_t result = status == 0 ? *(const int *)output : status;
    int rc = corio_sink_write(sink, &result, sizeof result);
    if (rc < 0 || result < 0)
        return rc;
    if (call->fn == list_folder)
        return save_folder(call->arg, sink);
    const struct file *file = call->arg;
    return corio_sink_write(sink, file->content, (size_t)file->bytes);
}

int restore_call(void *self, const corio_batch *batch, size_t i, int status, const void *bytes,
                 size_t count)
{
    (void)self;
    const corio_blocking_call *call = corio_batch_input(batch, i);
    int64_t result;
    if (count < sizeof result)
        return -EBADMSG;
    memcpy(&result, bytes, sizeof result);
    if (status != 0 || result < 0) {
        *(int *)corio_batch_output(batch, i) = (int)result;
        return 0;
    }
    *(int *)corio_batch_output(batch, i) = 0;
    const char *rest = (const char *)bytes + sizeof result;
    count -= sizeof result;
    return call->fn == list_folder ? restore_folder(call->arg, rest, count)
                                   : restore_file(call->arg, rest, count);
}
