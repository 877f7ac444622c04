/* SPDX-License-Identifier: MIT
 *
 * saved.c - replies in a recording: in Redis's own protocol, so that hiredis reads them back, which
 * is made to read what anybody sends.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int put(corio_sink *sink, const char *text)
{
    return corio_sink_write(sink, text, strlen(text));
}

/* A type's sign and a number: a length, or an integer. */
static int put_number(corio_sink *sink, char sign, long long number)
{
    char line[32];
    snprintf(line, sizeof line, "%c%lld\r\n", sign, number);
    return put(sink, line);
}

static int put_line(corio_sink *sink, const char *sign, const redisReply *reply)
{
    int rc = put(sink, sign);
    if (rc == 0)
        rc = corio_sink_write(sink, reply->str, reply->len);
    return rc == 0 ? put(sink, "\r\n") : rc;
}

static int put_string(corio_sink *sink, const redisReply *reply)
{
    int rc = put_number(sink, '$', (long long)reply->len);
    return rc == 0 ? put_line(sink, "", reply) : rc;
}

#ifdef REDIS_REPLY_DOUBLE
static int put_verbatim(corio_sink *sink, const redisReply *reply)
{
    int rc = put_number(sink, '=', (long long)reply->len + 4);
    if (rc == 0)
        rc = corio_sink_write(sink, reply->vtype, 3);
    return rc == 0 ? put_line(sink, ":", reply) : rc;
}
#endif

static int put_reply(corio_sink *sink, const redisReply *reply);

/* per_element: 2 for pairs, which are counted as one. */
static int put_elements(corio_sink *sink, char sign, const redisReply *reply, size_t per_element)
{
    int rc = put_number(sink, sign, (long long)(reply->elements / per_element));
    for (size_t i = 0; rc == 0 && i < reply->elements; i++)
        rc = put_reply(sink, reply->element[i]);
    return rc;
}

static int put_reply(corio_sink *sink, const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_STRING:
        return put_string(sink, reply);
    case REDIS_REPLY_ARRAY:
        return put_elements(sink, '*', reply, 1);
    case REDIS_REPLY_INTEGER:
        return put_number(sink, ':', reply->integer);
    case REDIS_REPLY_NIL:
        return put(sink, "$-1\r\n");
    case REDIS_REPLY_STATUS:
        return put_line(sink, "+", reply);
    case REDIS_REPLY_ERROR:
        return put_line(sink, "-", reply);
#ifdef REDIS_REPLY_DOUBLE /* hiredis 1.0 */
    case REDIS_REPLY_DOUBLE:
        return put_line(sink, ",", reply);
    case REDIS_REPLY_BOOL:
        return put(sink, reply->integer ? "#t\r\n" : "#f\r\n");
    case REDIS_REPLY_MAP:
        return put_elements(sink, '%', reply, 2);
    case REDIS_REPLY_SET:
        return put_elements(sink, '~', reply, 1);
    case REDIS_REPLY_PUSH:
        return put_elements(sink, '>', reply, 1);
    case REDIS_REPLY_BIGNUM:
        return put_line(sink, "(", reply);
    case REDIS_REPLY_VERB:
        return put_verbatim(sink, reply);
#endif
    default:
        return -ENOTSUP;
    }
}

int cr_redis_save(void *self, const void *input, const void *output, int status, corio_sink *sink)
{
    (void)self;
    (void)input;
    const corio_redis_reply *reply = output;
    bool filled = reply && (status == 0 || status == CORIO_REDIS_EREPLY) && reply->reply;
    return filled ? put_reply(sink, reply->reply) : 0;
}

/* No length is larger than what there is: hiredis believes those of arrays. A zero ends the text. */
static bool lengths_fit(const char *text, size_t count)
{
    const char *end = text + count;
    while (text < end) {
        bool sized = strchr("$=*~>%", *text);
        long long length = sized ? strtoll(text + 1, NULL, 10) : 0;
        if (length > end - text)
            return false;
        size_t skip = (*text == '$' || *text == '=') && length >= 0 ? (size_t)length + 2 : 0;
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (!line_end || (size_t)(end - line_end) <= skip)
            return false;
        text = line_end + 1 + skip;
    }
    return true;
}

/* The whole of the bytes as one reply. -EBADMSG: it is none. */
static int parse(const char *bytes, size_t count, redisReply **ret)
{
    if (!lengths_fit(bytes, count))
        return -EBADMSG;
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    if (!reader)
        return -ENOMEM;
    redisReaderFeed(reader, bytes, count);
    int result = redisReaderGetReply(reader, &reply);
    bool whole = result == REDIS_OK && reply && reader->pos == reader->len;
    int rc = whole ? 0 : reader->err == REDIS_ERR_OOM ? -ENOMEM : -EBADMSG;
    if (!whole && reply)
        freeReplyObject(reply);
    redisReaderFree(reader);
    *ret = reply;
    return rc;
}

int cr_redis_restore(void *self, const corio_batch *batch, size_t i, int status, const void *bytes,
                     size_t count)
{
    (void)self;
    corio_redis_reply *output = corio_batch_output(batch, i);
    redisReply *reply;
    if (!output || (status != 0 && status != CORIO_REDIS_EREPLY))
        return 0;
    int rc = parse(bytes, count, &reply);
    if (rc == 0)
        rc = cr_redis_give(output, reply) ? 0 : -ENOMEM;
    return rc;
}
