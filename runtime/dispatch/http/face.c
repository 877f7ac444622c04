/* SPDX-License-Identifier: MIT
 *
 * face.c - what tasks call.
 */
#include <corio/http.h>

#include <stdio.h>

corio_request corio_http_ask(corio_dispatcher *dispatcher, const corio_http_request *request,
                             corio_http_response *response)
{
    *response = (corio_http_response){.status = 0};
    return (corio_request){.dispatcher = dispatcher, .input = request, .output = response};
}

int corio_http_call(corio_dispatcher *dispatcher, const corio_http_request *request,
                    corio_http_response *ret_response)
{
    *ret_response = (corio_http_response){.status = 0};
    return corio_io(dispatcher, request, ret_response);
}

int corio_http_get(corio_dispatcher *dispatcher, const char *url, corio_http_response *ret_response)
{
    const corio_http_request request = {.url = url};
    return corio_http_call(dispatcher, &request, ret_response);
}

int corio_http_post(corio_dispatcher *dispatcher, const char *url, const char *type,
                    const void *body, size_t bytes, corio_http_response *ret_response)
{
    char line[256];
    const char *const headers[] = {line};
    int length = snprintf(line, sizeof line, "Content-Type: %s", type);
    const corio_http_request request = {.url = url,
                                        .headers = headers,
                                        .header_count = length < (int)sizeof line ? 1 : 0,
                                        .body = body ? body : "",
                                        .body_bytes = bytes};
    return corio_http_call(dispatcher, &request, ret_response);
}
