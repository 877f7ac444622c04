/* SPDX-License-Identifier: MIT
 *
 * transfer.c - one request in libcurl's hands.
 *
 * Handles are reset and used again: what libcurl has allocated for one stays. Connections belong to
 * the multi handle.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* -- Bytes that come -- */

static bool append(struct cr_http_bytes *bytes, const char *data, size_t count)
{
    if (count >= bytes->capacity - bytes->count || bytes->capacity == 0) {
        size_t capacity = bytes->capacity ? 2 * bytes->capacity : 512;
        while (capacity <= bytes->count + count)
            capacity *= 2;
        char *larger = realloc(bytes->data, capacity);
        if (!larger)
            return false;
        bytes->data = larger;
        bytes->capacity = capacity;
    }
    memcpy(bytes->data + bytes->count, data, count);
    bytes->count += count;
    bytes->data[bytes->count] = '\0';
    return true;
}

/* Each response begins anew: redirects, 100 Continue. */
static size_t take_header(char *data, size_t size, size_t count, void *arg)
{
    struct cr_http_transfer *transfer = arg;
    if (count >= 5 && memcmp(data, "HTTP/", 5) == 0)
        transfer->head.count = transfer->body.count = 0;
    if (append(&transfer->head, data, size * count))
        return size * count;
    transfer->error = -ENOMEM;
    return 0;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct cr_http_transfer *transfer = arg;
    size_t bytes = size * count;
    if (bytes > transfer->http->options.most_body_bytes - transfer->body.count)
        transfer->error = -EFBIG;
    else if (!append(&transfer->body, data, bytes))
        transfer->error = -ENOMEM;
    else
        return bytes;
    return 0;
}

/* -- What is asked -- */

bool cr_http_is_idempotent(const corio_http_request *request)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    if (request->repeatable)
        return true;
    if (!request->method)
        return !request->body;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(request->method, methods[i]) == 0)
            return true;
    }
    return false;
}

static bool has_header(const corio_http_request *request, const char *name)
{
    size_t bytes = strlen(name);
    for (size_t i = 0; i < request->header_count; i++) {
        if (strncasecmp(request->headers[i], name, bytes) == 0 && request->headers[i][bytes] == ':')
            return true;
    }
    return false;
}

static bool add_header(struct cr_http_transfer *transfer, const char *line)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, line);
    if (longer)
        transfer->headers = longer;
    return longer != NULL;
}

/* Without a name's line libcurl would put in one of its own: no content type is assumed, and no
 * server is asked first whether it wants the body. */
static int set_headers(struct cr_http_transfer *transfer, const corio_http_request *request)
{
    bool good = true;
    for (size_t i = 0; i < request->header_count; i++)
        good &= add_header(transfer, request->headers[i]);
    if (request->body && !has_header(request, "Content-Type"))
        good &= add_header(transfer, "Content-Type:");
    if (request->body && !has_header(request, "Expect"))
        good &= add_header(transfer, "Expect:");
    curl_easy_setopt(transfer->curl, CURLOPT_HTTPHEADER, transfer->headers);
    return good ? 0 : -ENOMEM;
}

static void set_method(CURL *curl, const corio_http_request *request)
{
    if (request->body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
    }
    if (!request->method)
        return;
    if (strcmp(request->method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static long milliseconds(uint64_t ns)
{
    uint64_t ms = ns / 1000000;
    return ms < 1 ? 1 : ms > INT32_MAX ? INT32_MAX : (long)ms;
}

static void set_options(struct cr_http_transfer *transfer, uint64_t left_ns)
{
    const corio_http_options *options = &transfer->http->options;
    CURL *curl = transfer->curl;
    curl_easy_setopt(curl, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, milliseconds(left_ns));
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options->connect_timeout_ns));
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, options->user_agent);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, options->redirects > 0 ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)options->redirects);
    if (options->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca_file);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#endif
}

/* A new connection to a host that may share an open one waits for that: HTTP/2 is only there by
 * TLS. */
static void set_url(CURL *curl, const char *url)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PIPEWAIT, strncasecmp(url, "https:", 6) == 0 ? 1L : 0L);
}

static bool is_request(const corio_http_request *request)
{
    bool good = request->url && (request->header_count == 0 || request->headers);
    for (size_t i = 0; good && i < request->header_count; i++)
        good = request->headers[i] && !strpbrk(request->headers[i], "\r\n");
    return good && !(request->method && strpbrk(request->method, " \r\n"));
}

/* -- Life -- */

static struct cr_http_transfer *take_idle(corio_http *http)
{
    struct cr_http_transfer *transfer = http->idle;
    if (transfer) {
        http->idle = transfer->next;
        return transfer;
    }
    transfer = calloc(1, sizeof *transfer);
    if (!transfer)
        return NULL;
    transfer->http = http;
    transfer->curl = curl_easy_init();
    if (!transfer->curl) {
        free(transfer);
        return NULL;
    }
    return transfer;
}

static void put_idle(struct cr_http_transfer *transfer)
{
    corio_http *http = transfer->http;
    curl_easy_reset(transfer->curl);
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
    transfer->op = NULL;
    transfer->error = 0;
    transfer->head.count = transfer->body.count = 0;
    transfer->next = http->idle;
    http->idle = transfer;
}

int cr_http_begin(corio_http *http, struct cr_http_op *op, uint64_t now)
{
    const corio_http_request *request = op->request;
    if (!is_request(request))
        return -EINVAL;
    struct cr_http_transfer *transfer = take_idle(http);
    if (!transfer)
        return -ENOMEM;
    transfer->op = op;
    set_options(transfer, op->deadline_ns - now);
    set_url(transfer->curl, request->url);
    set_method(transfer->curl, request);
    int rc = set_headers(transfer, request);
    if (rc == 0 && http->options.prepare)
        rc = http->options.prepare(http->options.self, transfer->curl, request);
    if (rc >= 0 && curl_multi_add_handle(http->multi, transfer->curl) != CURLM_OK)
        rc = -ENOMEM;
    if (rc < 0) {
        put_idle(transfer);
        return rc;
    }
    op->tries++;
    http->active++;
    return 0;
}

void cr_http_end(struct cr_http_transfer *transfer)
{
    curl_multi_remove_handle(transfer->http->multi, transfer->curl);
    transfer->http->active--;
    put_idle(transfer);
}

void cr_http_transfer_destroy(struct cr_http_transfer *transfer)
{
    curl_easy_cleanup(transfer->curl);
    curl_slist_free_all(transfer->headers);
    free(transfer->head.data);
    free(transfer->body.data);
    free(transfer);
}
