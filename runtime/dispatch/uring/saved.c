/* SPDX-License-Identifier: MIT
 *
 * saved.c - answers in a recording: the result, and what was read into the request's buffer.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Bytes of the buffer that a request with this result has filled; with MSG_TRUNC there are more. */
static size_t filled(const corio_uring_request *request, int result)
{
    if (request->op == CORIO_URING_READ || request->op == CORIO_URING_RECV)
        return result <= 0 ? 0 : (size_t)result < request->bytes ? (size_t)result : request->bytes;
    return request->op == CORIO_URING_STAT ? sizeof(struct statx) : 0;
}

int cr_uring_save(void *self, const void *input, const void *output, int status, corio_sink *sink)
{
    (void)self;
    const corio_uring_request *request = input;
    const corio_uring_answer *answer = output;
    if (status != 0)
        return 0;
    if (request->op == CORIO_URING_ACCEPT && request->address)
        return -ENOTSUP; /* how much room there was for it is known no more */
    int rc = corio_sink_write(sink, answer, sizeof *answer);
    return rc == 0 ? corio_sink_write(sink, request->buffer, filled(request, answer->result)) : rc;
}

int cr_uring_restore(void *self, const corio_batch *batch, size_t i, int status, const void *bytes,
                     size_t count)
{
    (void)self;
    const corio_uring_request *request = corio_batch_input(batch, i);
    corio_uring_answer answer;
    if (status != 0)
        return count == 0 ? 0 : -EBADMSG;
    if (count < sizeof answer)
        return -EBADMSG;
    memcpy(&answer, bytes, sizeof answer);
    count -= sizeof answer;
    if (count != filled(request, answer.result))
        return -EBADMSG;
    if (count > 0)
        memcpy(request->buffer, (const char *)bytes + sizeof answer, count);
    memcpy(corio_batch_output(batch, i), &answer, sizeof answer);
    return 0;
}
