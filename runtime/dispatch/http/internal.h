/* SPDX-License-Identifier: MIT
 *
 * internal.h - what the files of the HTTP dispatcher share.
 *
 *     batch -> work: an op per request
 *                |
 *                v
 *             queue -> transfer (a CURL handle in the multi handle) -> response
 *                ^        |
 *                +-- later: waits for its next try
 *
 * Invariants: everything but the inbox, the stats and responses in tasks' hands is the thread's
 * alone. An op is in exactly one place: the queue, `later`, or a transfer, until it is finished.
 */
#ifndef CR_HTTP_INTERNAL_H
#define CR_HTTP_INTERNAL_H

#include "../kept.h"

#include <corio/http.h>

#include <curl/curl.h>

struct cr_http_work;

/* One request on its way. */
struct cr_http_op {
    struct cr_http_op *next; /* in the queue or in `later` */
    struct cr_http_work *work;
    const corio_http_request *request;
    corio_http_response *output; /* NULL: not wanted */
    uint32_t index;              /* in the batch */
    unsigned tries;
    uint64_t deadline_ns;
    uint64_t due_ns; /* in `later`: when it goes into the queue again */
};

/* A batch. */
struct cr_http_work {
    struct cr_kept kept;
    uint64_t handed_ns;
    struct cr_http_op ops[];
};

/* Bytes that grow; a zero follows them. */
struct cr_http_bytes {
    char *data;
    size_t count;
    size_t capacity;
};

/* A CURL handle, used again and again. */
struct cr_http_transfer {
    struct cr_http_transfer *next; /* among those idle */
    corio_http *http;
    CURL *curl;
    struct cr_http_op *op;
    struct curl_slist *headers;
    struct cr_http_bytes head;
    struct cr_http_bytes body;
    int error; /* a callback's reason to end it */
};

struct cr_http_queue {
    struct cr_http_op *first;
    struct cr_http_op **last;
};

struct corio_http {
    corio_http_options options; /* all defaults filled in; strings are our own copies */
    struct cr_inbox inbox;
    pthread_t thread;
    bool has_thread;
    CURLM *multi;
    pthread_mutex_t lock; /* of stats */
    corio_http_stats stats;

    /* The thread's own. */
    struct cr_kept *works;
    struct cr_http_queue queue;
    struct cr_http_queue later;
    struct cr_http_transfer *idle;
    unsigned active;
    uint64_t next_deadline_ns; /* no op's outside of a transfer is earlier */
    uint64_t random;
};

static inline void cr_http_count(corio_http *http, uint64_t *counter, uint64_t n)
{
    pthread_mutex_lock(&http->lock);
    *counter += n;
    pthread_mutex_unlock(&http->lock);
}

/* response.c */
int cr_http_error(CURLcode result, long system_error);
/* Makes the head and body of a transfer a response. */
int cr_http_respond(struct cr_http_transfer *transfer, int status, corio_http_response *response);

/* For recordings. */
corio_save_fn cr_http_save;
corio_restore_fn cr_http_restore;

/* transfer.c */
bool cr_http_is_idempotent(const corio_http_request *request);
/* Gives an op to libcurl. Returns 0, or the negative code that the request gets. */
int cr_http_begin(corio_http *http, struct cr_http_op *op, uint64_t now);
/* Takes a handle that is done out of the multi handle; it is idle then. */
void cr_http_end(struct cr_http_transfer *transfer);
void cr_http_transfer_destroy(struct cr_http_transfer *transfer);

/* engine.c */
void *cr_http_main(void *arg);

static inline void cr_http_queue_init(struct cr_http_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

static inline void cr_http_queue_push(struct cr_http_queue *queue, struct cr_http_op *op)
{
    op->next = NULL;
    *queue->last = op;
    queue->last = &op->next;
}

static inline struct cr_http_op *cr_http_queue_pop(struct cr_http_queue *queue)
{
    struct cr_http_op *op = queue->first;
    if (op && !(queue->first = op->next))
        queue->last = &queue->first;
    return op;
}

#endif
