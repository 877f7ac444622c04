/* SPDX-License-Identifier: MIT
 *
 * http.h - a dispatcher for HTTP requests, over libcurl: a library of its own, libcorio-http.
 *
 * A corio_http is a multi handle of libcurl and the thread that drives it. The requests of a batch
 * run side by side, on connections that are kept and used again; over TLS with HTTP/2 where libcurl
 * and the server have it.
 *
 *     tasks --batch--> thread: queue -> at most `active` transfers -> connections (per host, total)
 *       ^                                        |
 *       +-- slices of finished requests ---------+-- again later: retries
 *
 * A response with any status is a success here: look at `status`. Errors are what kept it from
 * coming.
 *
 * Retries (`retries`; none by default): after an error of the connection, or a 503, with growing,
 * jittered delays, or after what Retry-After says, if that is not longer than the longest of them. A
 * request that has not been sent may always be repeated; one that has only if its method is
 * idempotent (GET, HEAD, PUT, DELETE, OPTIONS, TRACE), or it is said to be repeatable. For others
 * -ECONNRESET means that the server may or may not have seen it. (libcurl itself repeats a request
 * once if a kept connection turns out to have been closed meanwhile.)
 *
 * Errors: -ETIMEDOUT; -ECONNREFUSED and the like no connection can be made; -ECONNRESET it was lost;
 * CORIO_HTTP_ERESOLVE, CORIO_HTTP_ETLS, CORIO_HTTP_ECURL below; -EPROTO what came is no HTTP;
 * -EFBIG more than most_body_bytes; -ELOOP too many redirects; -EINVAL the URL or a field; -ENOMEM.
 */
#ifndef CORIO_HTTP_H
#define CORIO_HTTP_H

#include <corio/io.h>

CORIO_BEGIN_DECLS

typedef struct corio_http corio_http;

/* name, value, text: codes beside those of error.h. */
#define CORIO_HTTP_ERRORS(X)                                                                       \
    X(CORIO_HTTP_ERESOLVE, -4417, "the name of the host cannot be resolved")                       \
    X(CORIO_HTTP_ETLS, -4418, "no TLS connection, or the certificate is not trusted")              \
    X(CORIO_HTTP_ECURL, -4419, "libcurl gave up for a reason of its own")

enum corio_http_error_code {
#define CORIO_HTTP_ENUMERATOR(name, value, text) name = value,
    CORIO_HTTP_ERRORS(CORIO_HTTP_ENUMERATOR)
#undef CORIO_HTTP_ENUMERATOR
};

/* corio_http_strerror: as corio_strerror, with the codes above. Suspends: never. Thread: any. */
CORIO_API const char *corio_http_strerror(int code);

/* A request. All it points to is borrowed until it is answered. */
typedef struct corio_http_request {
    const char *method;         /* NULL: GET, with a body POST */
    const char *url;            /* http or https */
    const char *const *headers; /* "Name: value" each */
    size_t header_count;
    const void *body; /* NULL: none */
    size_t body_bytes;
    uint64_t timeout_ns; /* from the hand-over on, retries included; 0: the dispatcher's default */
    bool repeatable;     /* may be sent again whatever its method */
} corio_http_request;

/* A response. It is filled after 0, and released with corio_http_release. */
typedef struct corio_http_response {
    int status;          /* 200, 404, ... */
    const char *headers; /* of the last response, as they came: lines, each ended by \r\n */
    const char *body;    /* body_bytes bytes and a final zero */
    size_t body_bytes;
    void *reserved;
} corio_http_response;

/* Options. Set `size` to sizeof(corio_http_options) and leave the rest zero for the defaults. */
typedef struct corio_http_options {
    size_t size;
    unsigned connections;          /* at once, 1 to 65,536; 0: 64 */
    unsigned connections_per_host; /* at once, to one host and port; 0: 8 */
    unsigned active;               /* most requests given to libcurl at once; 0: 1,024 */
    unsigned redirects;            /* most that are followed; 0: none is */
    unsigned retries;              /* further tries of a request; 0: none */
    uint64_t timeout_ns;           /* default of requests; 0: 30 s */
    uint64_t connect_timeout_ns;   /* of one try; 0: 5 s */
    uint64_t backoff_ns;           /* first delay between tries, doubled each time; 0: 50 ms */
    uint64_t most_backoff_ns;      /* 0: 2 s */
    uint64_t linger_ns;     /* most that a response waits for its batch to become whole; 0: 1 ms */
    bool whole;             /* give batches back as a whole only */
    size_t most_body_bytes; /* of one response; 0: 64 MiB */
    const char *user_agent; /* copied; NULL: "corio" */
    const char *ca_file;    /* certificates to trust instead of the system's; copied */
    /* Called for each try before it begins, to set options of its CURL handle. A negative result is
     * the request's error. NULL: none. Thread: the dispatcher's own. */
    int (*prepare)(void *self, void *curl, const corio_http_request *request);
    void *self;           /* first argument of prepare; borrowed until corio_http_destroy */
    size_t max_batch;     /* see corio_dispatcher_options */
    size_t max_in_flight; /* see corio_dispatcher_options */
} corio_http_options;

/* corio_http_create: makes a multi handle and its thread.
 *
 * options: borrowed for the call; NULL for all defaults. ret_http: given; release it with
 * corio_http_destroy. Suspends: never. Thread: any. Errors: -EINVAL an option is out of range;
 * -ENOMEM; -EAGAIN a thread cannot be made. */
CORIO_API int corio_http_create(const corio_http_options *options,
                                corio_http **ret_http) CORIO_MUST_CHECK;

/* corio_http_destroy: closes all connections and ends the thread. NULL is ignored. Responses may be
 * released later.
 *
 * http: taken; runtimes that have its dispatcher must have been destroyed before. Suspends: never.
 * Thread: any. */
CORIO_API void corio_http_destroy(corio_http *http);

/* corio_http_add: adds its dispatcher to a runtime that is not running. Several runtimes may share
 * one.
 *
 * ret_dispatcher: borrowed, lives as long as the runtime. Suspends: never. Thread: any, outside of
 * runs. Errors: as corio_dispatcher_add. */
CORIO_API int corio_http_add(corio_http *http, corio_runtime *runtime,
                             corio_dispatcher **ret_dispatcher) CORIO_MUST_CHECK;

/* Figures, since it was created. */
typedef struct corio_http_stats {
    size_t size;        /* set by the caller to sizeof(corio_http_stats) */
    uint64_t batches;   /* batches handed over */
    uint64_t requests;  /* requests in them */
    uint64_t transfers; /* tries of requests */
    uint64_t connects;  /* connections made */
    uint64_t http2;     /* responses by HTTP/2 */
    uint64_t retries;   /* tries after the first */
    uint64_t timeouts;  /* requests that got -ETIMEDOUT */
    uint64_t largest_batch;
} corio_http_stats;

/* corio_http_get_stats: fills *stats, whose size field the caller has set.
 *
 * Suspends: never. Thread: any. Errors: -EINVAL a bad pointer or size. */
CORIO_API int corio_http_get_stats(corio_http *http, corio_http_stats *stats);

/* corio_http_call: makes a request and suspends until it is answered.
 *
 * request: borrowed. ret_response: given, see corio_http_response; empty after an error. Suspends:
 * always. Thread: a task only. Errors: as above, and those of corio_io. */
CORIO_API int corio_http_call(corio_dispatcher *dispatcher, const corio_http_request *request,
                              corio_http_response *ret_response);

/* corio_http_ask: one of several requests for corio_io_all; request and response are borrowed until
 * it returns. Suspends: never. Thread: any. */
CORIO_API corio_request corio_http_ask(corio_dispatcher *dispatcher,
                                       const corio_http_request *request,
                                       corio_http_response *response);

/* corio_http_get: GET of a URL. corio_http_post: POST of `bytes` bytes of the given content type.
 * Both as corio_http_call. */
CORIO_API int corio_http_get(corio_dispatcher *dispatcher, const char *url,
                             corio_http_response *ret_response);
CORIO_API int corio_http_post(corio_dispatcher *dispatcher, const char *url, const char *type,
                              const void *body, size_t bytes, corio_http_response *ret_response);

/* corio_http_header: the value of the first header of that name, without spaces around it; its case
 * does not matter.
 *
 * Returns a pointer into the response, not terminated, and its length; NULL if there is none.
 * Suspends: never. Thread: any. */
CORIO_API const char *corio_http_header(const corio_http_response *response, const char *name,
                                        size_t *ret_bytes);

/* corio_http_release: releases a response (taken); one that is empty, or NULL, is ignored.
 * Suspends: never. Thread: any. */
CORIO_API void corio_http_release(corio_http_response *response);

CORIO_END_DECLS

#endif
