/* SPDX-License-Identifier: MIT
 *
 * response.c - responses in tasks' hands, and libcurl's results as codes.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *corio_http_strerror(int code)
{
    switch (code) {
#define CORIO_HTTP_CASE(name, value, text)                                                         \
    case name:                                                                                     \
        return text;
        CORIO_HTTP_ERRORS(CORIO_HTTP_CASE)
#undef CORIO_HTTP_CASE
    default:
        return corio_strerror(code);
    }
}

int cr_http_error(CURLcode result, long system_error)
{
    switch (result) {
    case CURLE_OK:
        return 0;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return CORIO_HTTP_ERESOLVE;
    case CURLE_COULDNT_CONNECT:
        return system_error > 0 ? -(int)system_error : -ECONNREFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return -ECONNRESET;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_PEER_FAILED_VERIFICATION:
        return CORIO_HTTP_ETLS;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        return -EINVAL;
    case CURLE_TOO_MANY_REDIRECTS:
        return -ELOOP;
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    case CURLE_FILESIZE_EXCEEDED:
        return -EFBIG;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return -EPROTO;
    default:
        return CORIO_HTTP_ECURL;
    }
}

/* What `reserved` points to: both texts, for the response to point into. */
struct owner {
    char *head;
    char *body;
};

int cr_http_respond(struct cr_http_transfer *transfer, int status, corio_http_response *response)
{
    struct owner *owner = malloc(sizeof *owner);
    if (!owner)
        return -ENOMEM;
    *owner = (struct owner){transfer->head.data, transfer->body.data};
    *response = (corio_http_response){.status = status,
                                      .headers = owner->head ? owner->head : "",
                                      .body = owner->body ? owner->body : "",
                                      .body_bytes = transfer->body.count,
                                      .reserved = owner};
    transfer->head = transfer->body = (struct cr_http_bytes){.data = NULL};
    return 0;
}

/* -- Recordings: a head, the headers, the body -- */

struct saved {
    int32_t status;
    uint32_t zero;
    uint64_t head_bytes;
};

int cr_http_save(void *self, const void *input, const void *output, int status, corio_sink *sink)
{
    (void)self;
    (void)input;
    const corio_http_response *response = output;
    if (status != 0 || !response)
        return 0;
    const struct saved saved = {.status = response->status,
                                .head_bytes = strlen(response->headers)};
    int rc = corio_sink_write(sink, &saved, sizeof saved);
    if (rc == 0)
        rc = corio_sink_write(sink, response->headers, saved.head_bytes);
    return rc == 0 ? corio_sink_write(sink, response->body, response->body_bytes) : rc;
}

/* `bytes` bytes and a zero. */
static char *copy_text(const char *from, size_t bytes)
{
    char *text = malloc(bytes + 1);
    if (text) {
        memcpy(text, from, bytes);
        text[bytes] = '\0';
    }
    return text;
}

int cr_http_restore(void *self, const corio_batch *batch, size_t i, int status, const void *bytes,
                    size_t count)
{
    (void)self;
    corio_http_response *response = corio_batch_output(batch, i);
    struct saved saved;
    if (status != 0 || !response)
        return 0;
    if (count < sizeof saved)
        return -EBADMSG;
    memcpy(&saved, bytes, sizeof saved);
    count -= sizeof saved;
    if (saved.head_bytes > count)
        return -EBADMSG;
    const char *head = (const char *)bytes + sizeof saved;
    size_t body_bytes = count - (size_t)saved.head_bytes;
    struct owner *owner = malloc(sizeof *owner);
    if (!owner)
        return -ENOMEM;
    *owner = (struct owner){copy_text(head, (size_t)saved.head_bytes),
                            copy_text(head + saved.head_bytes, body_bytes)};
    *response = (corio_http_response){.status = saved.status,
                                      .headers = owner->head,
                                      .body = owner->body,
                                      .body_bytes = body_bytes,
                                      .reserved = owner};
    if (owner->head && owner->body)
        return 0;
    corio_http_release(response);
    return -ENOMEM;
}

/* -- In tasks' hands -- */

void corio_http_release(corio_http_response *response)
{
    if (!response || !response->reserved)
        return;
    struct owner *owner = response->reserved;
    free(owner->head);
    free(owner->body);
    free(owner);
    *response = (corio_http_response){.status = 0};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

const char *corio_http_header(const corio_http_response *response, const char *name,
                              size_t *ret_bytes)
{
    size_t name_bytes = strlen(name);
    const char *line = response->headers ? response->headers : "";
    for (const char *end; (end = strstr(line, "\r\n")); line = end + 2) {
        if (strncasecmp(line, name, name_bytes) != 0 || line[name_bytes] != ':')
            continue;
        const char *value = line + name_bytes + 1;
        while (value < end && is_blank(*value))
            value++;
        while (end > value && is_blank(end[-1]))
            end--;
        *ret_bytes = (size_t)(end - value);
        return value;
    }
    return NULL;
}
