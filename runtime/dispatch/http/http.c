/* SPDX-License-Identifier: MIT
 *
 * http.c - making and ending a corio_http, and batches into works.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_CONNECTIONS = 65536,
    DEFAULT_CONNECTIONS = 64,
    DEFAULT_PER_HOST = 8,
    DEFAULT_ACTIVE = 1024,
    DEFAULT_BODY_BYTES = 64 << 20,
};

static const uint64_t millisecond_ns = 1000000;

/* -- Dispatching -- */

static struct cr_http_work *work_create(corio_batch *batch)
{
    size_t count = corio_batch_len(batch);
    struct cr_http_work *work = calloc(1, sizeof *work + count * sizeof *work->ops);
    if (!work)
        return NULL;
    if (cr_kept_init(&work->kept, batch) < 0) {
        free(work);
        return NULL;
    }
    work->handed_ns = cr_clock_ns();
    for (size_t i = 0; i < count; i++)
        work->ops[i] = (struct cr_http_op){.work = work,
                                           .request = corio_batch_input(batch, i),
                                           .output = corio_batch_output(batch, i),
                                           .index = (uint32_t)i};
    return work;
}

static int dispatch(void *self, corio_batch *batch)
{
    corio_http *http = self;
    size_t count = corio_batch_len(batch);
    struct cr_http_work *work = work_create(batch);
    if (!work)
        return -ENOMEM;
    pthread_mutex_lock(&http->lock);
    http->stats.batches++;
    http->stats.requests += count;
    if (count > http->stats.largest_batch)
        http->stats.largest_batch = count;
    pthread_mutex_unlock(&http->lock);
    cr_inbox_push(&http->inbox, &work->kept);
    curl_multi_wakeup(http->multi);
    return CORIO_LATER;
}

/* For the batch log: what is asked, not where it lies. */
static uint64_t hash_input(void *self, const void *input)
{
    (void)self;
    const corio_http_request *request = input;
    const char *method = request->method ? request->method : "";
    const char *url = request->url ? request->url : "";
    uint64_t hash = corio_hash_bytes(CORIO_HASH_BEGIN, method, strlen(method));
    hash = corio_hash_bytes(hash, url, strlen(url));
    return request->body ? corio_hash_bytes(hash, request->body, request->body_bytes) : hash;
}

int corio_http_add(corio_http *http, corio_runtime *runtime, corio_dispatcher **ret_dispatcher)
{
    if (!http || !runtime || !ret_dispatcher)
        return -EINVAL;
    const corio_dispatcher_options options = {
        .size = sizeof options,
        .name = "http",
        .input_bytes = sizeof(corio_http_request),
        .output_bytes = sizeof(corio_http_response),
        .dispatch = dispatch,
        .self = http,
        .hash = hash_input,
        .save = cr_http_save,
        .restore = cr_http_restore,
        .max_batch = http->options.max_batch,
        .max_in_flight = http->options.max_in_flight,
    };
    return corio_dispatcher_add(runtime, &options, ret_dispatcher);
}

/* -- Life -- */

/* libcurl counts these; older ones do not lock the count. */
static pthread_mutex_t global_lock = PTHREAD_MUTEX_INITIALIZER;

static bool global_init(void)
{
    pthread_mutex_lock(&global_lock);
    CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
    pthread_mutex_unlock(&global_lock);
    return result == CURLE_OK;
}

static void global_fini(void)
{
    pthread_mutex_lock(&global_lock);
    curl_global_cleanup();
    pthread_mutex_unlock(&global_lock);
}

static void fill_numbers(corio_http_options *to)
{
    to->connections = to->connections ? to->connections : DEFAULT_CONNECTIONS;
    to->connections_per_host =
        to->connections_per_host ? to->connections_per_host : DEFAULT_PER_HOST;
    to->active = to->active ? to->active : DEFAULT_ACTIVE;
    to->timeout_ns = to->timeout_ns ? to->timeout_ns : 30000 * millisecond_ns;
    to->connect_timeout_ns =
        to->connect_timeout_ns ? to->connect_timeout_ns : 5000 * millisecond_ns;
    to->backoff_ns = to->backoff_ns ? to->backoff_ns : 50 * millisecond_ns;
    to->most_backoff_ns = to->most_backoff_ns ? to->most_backoff_ns : 2000 * millisecond_ns;
    to->linger_ns = to->linger_ns ? to->linger_ns : millisecond_ns;
    to->most_body_bytes = to->most_body_bytes ? to->most_body_bytes : DEFAULT_BODY_BYTES;
}

static int fill_options(corio_http_options *to, const corio_http_options *from)
{
    static const corio_http_options defaults = {.size = sizeof defaults};
    from = from ? from : &defaults;
    if (from->size < sizeof *from || from->connections > MOST_CONNECTIONS ||
        from->connections_per_host > MOST_CONNECTIONS)
        return -EINVAL;
    *to = *from;
    fill_numbers(to);
    to->user_agent = strdup(from->user_agent ? from->user_agent : "corio");
    to->ca_file = from->ca_file ? strdup(from->ca_file) : NULL;
    return to->user_agent && (to->ca_file || !from->ca_file) ? 0 : -ENOMEM;
}

static int start(corio_http *http)
{
    http->multi = curl_multi_init();
    if (!http->multi)
        return -ENOMEM;
    const corio_http_options *options = &http->options;
    curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)options->connections);
    curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                      (long)options->connections_per_host);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)options->connections);
    int rc = cr_thread_start(&http->thread, cr_http_main, http);
    http->has_thread = rc == 0;
    return rc;
}

int corio_http_create(const corio_http_options *options, corio_http **ret_http)
{
    if (!ret_http)
        return -EINVAL;
    corio_http *http = calloc(1, sizeof *http);
    if (!http)
        return -ENOMEM;
    if (!global_init()) {
        free(http);
        return -ENOMEM;
    }
    http->next_deadline_ns = UINT64_MAX;
    http->random = (cr_clock_ns() ^ (uintptr_t)http) | 1;
    http->stats.size = sizeof http->stats;
    cr_inbox_init(&http->inbox);
    cr_http_queue_init(&http->queue);
    cr_http_queue_init(&http->later);
    pthread_mutex_init(&http->lock, NULL);
    int rc = fill_options(&http->options, options);
    if (rc == 0)
        rc = start(http);
    if (rc < 0) {
        corio_http_destroy(http);
        return rc;
    }
    *ret_http = http;
    return 0;
}

void corio_http_destroy(corio_http *http)
{
    if (!http)
        return;
    if (http->has_thread) {
        cr_inbox_stop(&http->inbox);
        curl_multi_wakeup(http->multi);
        pthread_join(http->thread, NULL);
    }
    while (http->idle) {
        struct cr_http_transfer *transfer = http->idle;
        http->idle = transfer->next;
        cr_http_transfer_destroy(transfer);
    }
    if (http->multi)
        curl_multi_cleanup(http->multi);
    global_fini();
    pthread_mutex_destroy(&http->lock);
    cr_inbox_fini(&http->inbox);
    free((char *)http->options.user_agent);
    free((char *)http->options.ca_file);
    free(http);
}

int corio_http_get_stats(corio_http *http, corio_http_stats *stats)
{
    if (!http || !stats || stats->size < sizeof *stats)
        return -EINVAL;
    pthread_mutex_lock(&http->lock);
    *stats = http->stats;
    pthread_mutex_unlock(&http->lock);
    return 0;
}
