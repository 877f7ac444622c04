/* SPDX-License-Identifier: MIT
 *
 * engine.c - the thread: feeds libcurl, takes what is done, keeps the time of what is not with it.
 *
 *     inbox -> queue -> begin -> curl_multi_perform -> done -> give -> curl_multi_poll
 *                ^                                       |
 *                +------------- later <------------------+
 *
 * libcurl's work grows with the handles it has, so it gets at most `active` of them. It keeps the
 * limits of connections, and the time of its own.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

static const uint64_t second_ns = 1000000000;

static void earlier(uint64_t *time_ns, uint64_t other_ns)
{
    if (other_ns < *time_ns)
        *time_ns = other_ns;
}

/* -- The end of a request -- */

static void finish(corio_http *http, struct cr_http_op *op, int status)
{
    if (status < 0 && op->output)
        *op->output = (corio_http_response){.status = 0};
    if (status == -ETIMEDOUT)
        cr_http_count(http, &http->stats.timeouts, 1);
    cr_kept_finish(&op->work->kept, op->index, status);
}

/* -- Again -- */

/* What a connection's trouble says about whether to try again. */
static bool may_repeat(const struct cr_http_transfer *transfer, int error, long status)
{
    curl_off_t connected_us = 0;
    curl_easy_getinfo(transfer->curl, CURLINFO_CONNECT_TIME_T, &connected_us);
    if (error == -ETIMEDOUT && connected_us == 0)
        return true; /* connect_timeout_ns: it was not sent */
    if (error == CORIO_HTTP_ERESOLVE || error == -ECONNREFUSED || error == -ECONNABORTED ||
        error == -EHOSTUNREACH || error == -ENETUNREACH)
        return true; /* it was not sent */
    if (error == -ECONNRESET || (error == 0 && status == 503))
        return cr_http_is_idempotent(transfer->op->request);
    return false;
}

/* Between half of the doubled delay and all of it. */
static uint64_t backoff_ns(corio_http *http, unsigned tries)
{
    uint64_t delay = http->options.backoff_ns;
    while (tries-- > 1 && delay < http->options.most_backoff_ns)
        delay *= 2;
    if (delay > http->options.most_backoff_ns)
        delay = http->options.most_backoff_ns;
    http->random ^= http->random << 13;
    http->random ^= http->random >> 7;
    http->random ^= http->random << 17;
    return delay / 2 + http->random % (delay / 2 + 1);
}

/* False: it is not to be tried again. */
static bool put_off(corio_http *http, struct cr_http_transfer *transfer, int error, long status)
{
    struct cr_http_op *op = transfer->op;
    curl_off_t after = 0;
    if (op->tries > http->options.retries || !may_repeat(transfer, error, status))
        return false;
    uint64_t delay_ns = backoff_ns(http, op->tries);
    curl_easy_getinfo(transfer->curl, CURLINFO_RETRY_AFTER, &after);
    if (after > 0 && (uint64_t)after <= http->options.most_backoff_ns / second_ns)
        delay_ns = (uint64_t)after * second_ns;
    uint64_t now = cr_clock_ns();
    if (op->deadline_ns <= now || delay_ns >= op->deadline_ns - now)
        return false; /* what it has is more than it will get in time */
    op->due_ns = now + delay_ns;
    earlier(&http->next_deadline_ns, op->deadline_ns);
    cr_http_queue_push(&http->later, op);
    return true;
}

/* -- Taking what is done -- */

static void count_transfer(corio_http *http, CURL *curl)
{
    long connects = 0, version = 0;
    curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(curl, CURLINFO_HTTP_VERSION, &version);
    pthread_mutex_lock(&http->lock);
    http->stats.transfers++;
    http->stats.connects += (uint64_t)connects;
    http->stats.http2 += version == CURL_HTTP_VERSION_2_0;
    pthread_mutex_unlock(&http->lock);
}

static void take_done(corio_http *http, CURL *curl, CURLcode result)
{
    void *private = NULL;
    long status = 0, system_error = 0;
    curl_easy_getinfo(curl, CURLINFO_PRIVATE, &private);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &system_error);
    struct cr_http_transfer *transfer = private;
    struct cr_http_op *op = transfer->op;
    int error = transfer->error < 0 ? transfer->error : cr_http_error(result, system_error);
    count_transfer(http, curl);
    if (put_off(http, transfer, error, status)) {
        cr_http_count(http, &http->stats.retries, 1);
    } else {
        if (error == 0 && op->output)
            error = cr_http_respond(transfer, (int)status, op->output);
        finish(http, op, error);
    }
    cr_http_end(transfer);
}

static void take_all_done(corio_http *http)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left));) {
        if (message->msg == CURLMSG_DONE)
            take_done(http, message->easy_handle, message->data.result);
    }
}

/* -- What libcurl does not have yet -- */

/* Shares a list out anew: what is due goes into the queue, what waits into `later`, and those whose
 * time is up end. */
static void sort_list(corio_http *http, struct cr_http_queue *list, uint64_t now)
{
    struct cr_http_op *op = list->first, *next;
    cr_http_queue_init(list);
    for (; op; op = next) {
        next = op->next;
        if (op->deadline_ns <= now) {
            finish(http, op, -ETIMEDOUT);
            continue;
        }
        earlier(&http->next_deadline_ns, op->deadline_ns);
        cr_http_queue_push(op->due_ns > now ? &http->later : &http->queue, op);
    }
}

static void sort_waiting(corio_http *http, uint64_t now)
{
    if (now >= http->next_deadline_ns) {
        http->next_deadline_ns = UINT64_MAX;
        sort_list(http, &http->queue, now);
    }
    if (http->later.first)
        sort_list(http, &http->later, now);
}

static void begin_some(corio_http *http, uint64_t now)
{
    while (http->queue.first && http->active < http->options.active) {
        struct cr_http_op *op = cr_http_queue_pop(&http->queue);
        int rc = cr_http_begin(http, op, now);
        if (rc < 0)
            finish(http, op, rc);
    }
}

static void enqueue(corio_http *http, struct cr_http_work *work)
{
    for (size_t i = 0; i < work->kept.count; i++) {
        struct cr_http_op *op = &work->ops[i];
        uint64_t timeout_ns =
            op->request->timeout_ns ? op->request->timeout_ns : http->options.timeout_ns;
        op->deadline_ns =
            timeout_ns < UINT64_MAX - work->handed_ns ? work->handed_ns + timeout_ns : UINT64_MAX;
        earlier(&http->next_deadline_ns, op->deadline_ns);
        cr_http_queue_push(&http->queue, op);
    }
}

static bool take_inbox(corio_http *http)
{
    bool stop;
    struct cr_kept *kept = cr_inbox_take(&http->inbox, &http->works, &stop);
    for (; kept; kept = kept->next)
        enqueue(http, (struct cr_http_work *)kept);
    return !stop || http->works;
}

/* -- The loop -- */

static void work_destroy(struct cr_kept *kept)
{
    cr_kept_fini(kept);
    free(kept); /* it is the first member of its work */
}

/* libcurl knows when it must be called itself; this is what else there is to do. Rounded up: a
 * millisecond too early would only be a turn for nothing. */
static int poll_ms(const corio_http *http, uint64_t due_ns, uint64_t now)
{
    uint64_t wake_ns = http->queue.first || http->later.first ? http->next_deadline_ns : UINT64_MAX;
    if (http->queue.first && http->active < http->options.active)
        return 0;
    if (due_ns > 0)
        earlier(&wake_ns, due_ns);
    for (const struct cr_http_op *op = http->later.first; op; op = op->next)
        earlier(&wake_ns, op->due_ns);
    if (wake_ns <= now)
        return 0;
    uint64_t ms = (wake_ns - now + 999999) / 1000000;
    return ms < 3600000 ? (int)ms : 3600000;
}

void *cr_http_main(void *arg)
{
    corio_http *http = arg;
    uint64_t due_ns = 0; /* see cr_kept_due_ns */
    int running;
    while (take_inbox(http)) {
        uint64_t now = cr_clock_ns();
        sort_waiting(http, now);
        begin_some(http, now);
        curl_multi_perform(http->multi, &running);
        take_all_done(http);
        now = cr_clock_ns();
        bool partly = due_ns > 0 && now >= due_ns;
        bool left = cr_kept_give_all(&http->works, partly, work_destroy) && !http->options.whole;
        due_ns = cr_kept_due_ns(due_ns, left, partly, http->options.linger_ns);
        curl_multi_poll(http->multi, NULL, 0, poll_ms(http, due_ns, now), NULL);
    }
    return NULL;
}
