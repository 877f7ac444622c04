/* SPDX-License-Identifier: MIT
 *
 * request.c - bytes into a request, by http_parser: line, headers, body (by length or in chunks).
 *
 * Requests may come in any number of pieces, and several in one. The parser is paused at the end of
 * each, so that what is behind waits in `input`.
 */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int bytes_reserve(struct bytes *bytes, size_t more)
{
    if (bytes->capacity - bytes->length >= more)
        return 0;
    size_t capacity = bytes->capacity ? bytes->capacity : 1024;
    while (capacity - bytes->length < more)
        capacity *= 2;
    char *data = realloc(bytes->data, capacity);
    if (!data)
        return -ENOMEM;
    bytes->data = data;
    bytes->capacity = capacity;
    return 0;
}

int bytes_append(struct bytes *bytes, const void *data, size_t length)
{
    int rc = bytes_reserve(bytes, length);
    if (rc < 0 || length == 0)
        return rc;
    memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
    return 0;
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

/* The first reason counts. Not 0: the parser stops. */
static int refuse(struct request *request, unsigned status)
{
    if (!request->error)
        request->error = status;
    return -1;
}

static int on_begin(http_parser *parser)
{
    struct request *request = parser->data;
    request->begun = true;
    return 0;
}

static int on_url(http_parser *parser, const char *at, size_t length)
{
    struct request *request = parser->data;
    if (length > most_target - request->target_length)
        return refuse(request, HTTP_STATUS_URI_TOO_LONG);
    memcpy(request->target + request->target_length, at, length);
    request->target_length += length;
    return 0;
}

/* A name may come in pieces; its value ends it. */
static int on_field(http_parser *parser, const char *at, size_t length)
{
    struct request *request = parser->data;
    size_t room = sizeof request->field - request->field_length;
    memcpy(request->field + request->field_length, at, length < room ? length : room);
    request->field_length += length < room ? length : room;
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t length)
{
    struct request *request = parser->data;
    if (request->field_length == 6 && strncasecmp(request->field, "Expect", 6) == 0)
        request->expects = length > 0 && *at == '1'; /* 100-continue is the only one there is */
    request->field_length = 0;
    return 0;
}

static int on_headers(http_parser *parser)
{
    struct request *request = parser->data;
    parser->upgrade = parser->method == HTTP_CONNECT; /* other protocols are not spoken */
    bool has_length = parser->flags & F_CONTENTLENGTH;
    if (has_length && parser->content_length > most_body)
        return refuse(request, HTTP_STATUS_PAYLOAD_TOO_LARGE);
    if (parser->http_major != 1)
        return refuse(request, HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED);
    request->expects &= parser->http_minor > 0 && (has_length || (parser->flags & F_CHUNKED));
    request->keep = http_should_keep_alive(parser);
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t length)
{
    struct request *request = parser->data;
    request->expects = false; /* it did not wait */
    if (length > most_body - request->body.length)
        return refuse(request, HTTP_STATUS_PAYLOAD_TOO_LARGE);
    if (bytes_append(&request->body, at, length) < 0)
        return refuse(request, HTTP_STATUS_SERVICE_UNAVAILABLE);
    return 0;
}

static int on_end(http_parser *parser)
{
    struct request *request = parser->data;
    request->whole = true;
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings settings = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers,
    .on_body = on_body,
    .on_message_complete = on_end,
};

void request_init(struct request *request)
{
    *request = (struct request){0};
    http_parser_init(&request->parser, HTTP_REQUEST);
    request->parser.data = request;
}

void request_free(struct request *request)
{
    bytes_free(&request->input);
    bytes_free(&request->body);
}

bool request_take(struct request *request)
{
    size_t length = request->input.length - request->taken;
    if (length > 0)
        request->taken += http_parser_execute(&request->parser, &settings,
                                              request->input.data + request->taken, length);
    enum http_errno error = HTTP_PARSER_ERRNO(&request->parser);
    if (request->whole)
        request->expects = false;
    else if (error == HPE_HEADER_OVERFLOW)
        refuse(request, HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE);
    else if (error != HPE_OK)
        refuse(request, HTTP_STATUS_BAD_REQUEST);
    if (request->taken == request->input.length)
        request->taken = request->input.length = 0;
    return request->whole || request->error;
}

void request_next(struct request *request)
{
    struct bytes input = request->input, body = request->body;
    size_t taken = request->taken;
    if (body.capacity > chunk) /* a connection that waits keeps little */
        bytes_free(&body);
    body.length = 0;
    request_init(request);
    request->input = input;
    request->taken = taken;
    request->body = body;
}
