/* SPDX-License-Identifier: MIT
 *
 * answer.c - a request into an answer: what the server serves.
 *
 *     GET, HEAD /kv/KEY    200 and the value, or 404
 *     PUT       /kv/KEY    204, or 201 if it is new: the body is stored, and on the disk
 *     DELETE    /kv/KEY    204, or 404
 *     GET, HEAD /stats     what has been done so far, as JSON
 */
#include "server.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

uint64_t answered;

static const char allow_kv[] = "Allow: GET, HEAD, PUT, DELETE\r\n",
                  allow_stats[] = "Allow: GET, HEAD\r\n";

/* -- Heads -- */

static int append_head(struct bytes *output, unsigned status, size_t length, const char *type,
                       bool last)
{
    char text[512], date[64];
    struct tm tm;
    time_t now = time(NULL);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    int n = snprintf(text, sizeof text, "HTTP/1.1 %u %s\r\nDate: %s\r\n", status,
                     http_status_str((enum http_status)status), date);
    if (status != HTTP_STATUS_NO_CONTENT) /* which never has a body, or its length */
        n += snprintf(text + n, sizeof text - (size_t)n, "Content-Length: %zu\r\n", length);
    n += snprintf(text + n, sizeof text - (size_t)n, "%sConnection: %s\r\n\r\n", type,
                  last ? "close" : "keep-alive");
    __atomic_add_fetch(&answered, 1, __ATOMIC_RELAXED);
    return bytes_append(output, text, (size_t)n);
}

/* The status in words, for people; head_only: their length alone, for HEAD. */
static int append_status(struct bytes *output, unsigned status, const char *headers, bool head_only,
                         bool last)
{
    char text[64], lines[128];
    int length = status == HTTP_STATUS_NO_CONTENT
                     ? 0
                     : snprintf(text, sizeof text, "%u %s\n", status,
                                http_status_str((enum http_status)status));
    snprintf(lines, sizeof lines, "%s%s", length ? "Content-Type: text/plain\r\n" : "", headers);
    int rc = append_head(output, status, (size_t)length, lines, last);
    return rc < 0 || head_only ? rc : bytes_append(output, text, (size_t)length);
}

int answer_error(unsigned status, struct bytes *output)
{
    return append_status(output, status, "", false, true);
}

/* -- Keys -- */

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Percent-decoded. Returns 0, or the status to refuse it with. */
static unsigned read_key(const char *text, size_t length, struct key *ret)
{
    ret->length = 0;
    for (size_t i = 0; i < length; i++) {
        int c = (unsigned char)text[i];
        if (c == '%') {
            int high = length - i > 2 ? digit(text[i + 1]) : -1,
                low = high < 0 ? -1 : digit(text[i + 2]);
            if (low < 0)
                return HTTP_STATUS_BAD_REQUEST;
            c = high * 16 + low;
            i += 2;
        }
        if (ret->length == most_key)
            return HTTP_STATUS_URI_TOO_LONG;
        ret->data[ret->length++] = (char)c;
    }
    return ret->length ? 0 : HTTP_STATUS_NOT_FOUND;
}

/* -- What is served -- */

struct asked {
    const struct ways *ways;
    void *self;
    const struct request *request;
    struct bytes *output;
    bool head_only, last;
};

static int say(const struct asked *asked, unsigned status, const char *headers)
{
    return append_status(asked->output, status, headers, asked->head_only, asked->last);
}

static int say_failure(const struct asked *asked, int rc)
{
    if (rc == -ECANCELED)
        return rc;
    return say(asked,
               rc == -ENOSPC                   ? HTTP_STATUS_INSUFFICIENT_STORAGE
               : rc == -EBUSY || rc == -ENOMEM ? HTTP_STATUS_SERVICE_UNAVAILABLE
                                               : HTTP_STATUS_INTERNAL_SERVER_ERROR,
               "");
}

static int get_value(const struct asked *asked, const struct key *key)
{
    struct bytes value = {0};
    int rc = asked->ways->find(asked->self, key, &value);
    if (rc == -ENOENT)
        rc = say(asked, HTTP_STATUS_NOT_FOUND, "");
    else if (rc < 0)
        rc = say_failure(asked, rc);
    else if ((rc = append_head(asked->output, HTTP_STATUS_OK, value.length,
                               "Content-Type: application/octet-stream\r\n", asked->last)) == 0 &&
             !asked->head_only)
        rc = bytes_append(asked->output, value.data, value.length);
    bytes_free(&value);
    return rc;
}

static int change_value(const struct asked *asked, const struct change *change)
{
    struct changed changed = {false};
    int rc = asked->ways->change(asked->self, change, &changed);
    if (rc < 0)
        return say_failure(asked, rc);
    return say(asked,
               changed.was_there ? HTTP_STATUS_NO_CONTENT
               : change->value   ? HTTP_STATUS_CREATED
                                 : HTTP_STATUS_NOT_FOUND,
               "");
}

static int serve_key(const struct asked *asked, const char *text, size_t length)
{
    struct change change = {0};
    unsigned status = read_key(text, length, &change.key);
    if (status)
        return say(asked, status, "");
    switch (asked->request->parser.method) {
    case HTTP_GET:
    case HTTP_HEAD:
        return get_value(asked, &change.key);
    case HTTP_PUT:
        change.length = asked->request->body.length;
        change.value = change.length ? asked->request->body.data : "";
        return change_value(asked, &change);
    case HTTP_DELETE:
        return change_value(asked, &change);
    default:
        return say(asked, HTTP_STATUS_METHOD_NOT_ALLOWED, allow_kv);
    }
}

static double per(uint64_t requests, uint64_t batches)
{
    return batches ? (double)requests / (double)batches : 0;
}

static int serve_stats(const struct asked *asked)
{
    char text[512];
    struct figures f = {0};
    asked->ways->figures(&f);
    int n = snprintf(
        text, sizeof text,
        "{\"mode\": \"%s\", \"requests\": %" PRIu64 ", \"phases\": %" PRIu64 ",\n"
        " \"reads\": {\"requests\": %" PRIu64 ", \"batches\": %" PRIu64 ", \"per_batch\": %.2f},\n"
        " \"writes\": {\"requests\": %" PRIu64 ", \"batches\": %" PRIu64
        ", \"per_batch\": %.2f, \"commits\": %" PRIu64 ", \"per_commit\": %.2f}}\n",
        asked->ways->name, __atomic_load_n(&answered, __ATOMIC_RELAXED), f.phases, f.finds,
        f.find_batches, per(f.finds, f.find_batches), f.changes, f.change_batches,
        per(f.changes, f.change_batches), f.commits, per(f.changes, f.commits));
    int rc = append_head(asked->output, HTTP_STATUS_OK, (size_t)n,
                         "Content-Type: application/json\r\n", asked->last);
    return rc < 0 || asked->head_only ? rc : bytes_append(asked->output, text, (size_t)n);
}

int answer(const struct ways *ways, void *self, const struct request *request, bool last,
           struct bytes *output)
{
    const struct asked asked = {.ways = ways,
                                .self = self,
                                .request = request,
                                .output = output,
                                .head_only = request->parser.method == HTTP_HEAD,
                                .last = last};
    const char *target = request->target;
    if (strncmp(target, "/kv/", 4) == 0)
        return serve_key(&asked, target + 4, request->target_length - 4);
    if (strcmp(target, "/stats") != 0)
        return say(&asked, HTTP_STATUS_NOT_FOUND, "");
    if (request->parser.method != HTTP_GET && request->parser.method != HTTP_HEAD)
        return say(&asked, HTTP_STATUS_METHOD_NOT_ALLOWED, allow_stats);
    return serve_stats(&asked);
}
