/* SPDX-License-Identifier: MIT
 *
 * test_http.c - the HTTP dispatcher, against http_server.py (its path is the argument) on a port of
 * 127.0.0.1. Skipped (77) where there is no python3.
 */
#include "server.h"

#include <corio.h>
#include <corio/http.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { TASKS = 10000, URL_BYTES = 96 };

static const uint64_t ms = 1000000;

/* -- The server -- */

static struct {
    const char *script;
    int port;
    struct server process;
} the;

/* On the port it had before, if it had one; `mode`: "" or "open". */
static int start_server(const char *mode)
{
    char line[64], port[16];
    snprintf(port, sizeof port, "%d", the.port);
    const char *const argv[] = {"python3", the.script, port, mode, NULL};
    int rc = server_start(&the.process, argv, "port ", line, sizeof line);
    if (rc == 0)
        the.port = atoi(line + strlen("port "));
    return rc;
}

/* Asks the server beside the dispatcher; returns the last line of the answer as a number. */
static int ask_beside(const char *path)
{
    char text[512];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)the.port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    int length = snprintf(text, sizeof text, "GET %s HTTP/1.0\r\n\r\n", path);
    for (ssize_t at = 0, rc; at<length; at += rc> 0 ? rc : 0)
        assert_true((rc = write(fd, text + at, (size_t)(length - at))) > 0 || errno == EINTR);
    size_t got = 0;
    for (ssize_t rc; (rc = read(fd, text + got, sizeof text - 1 - got)) != 0;) {
        assert_true(rc > 0 || errno == EINTR);
        got += rc > 0 ? (size_t)rc : 0;
    }
    close(fd);
    text[got] = '\0';
    const char *last = strrchr(text, '\n');
    return last ? atoi(last + 1) : -1;
}

/* -- Worlds -- */

struct world {
    corio_http *http;
    corio_runtime *runtime;
    corio_dispatcher *dispatcher;
    corio_http_response response;
    int status[4];
    int result;
    corio_task_fn *root;
};

static void open_world(struct world *world, const corio_http_options *options, unsigned workers)
{
    memset(world, 0, sizeof *world);
    assert_int_equal(corio_http_create(options, &world->http), 0);
    corio_options runtime = CORIO_OPTIONS_INIT;
    runtime.workers = workers;
    assert_int_equal(corio_runtime_create(&runtime, &world->runtime), 0);
    assert_int_equal(corio_http_add(world->http, world->runtime, &world->dispatcher), 0);
}

static void close_world(struct world *world)
{
    assert_int_equal(corio_runtime_destroy(world->runtime), 0);
    corio_http_destroy(world->http);
}

static corio_http_stats stats_of(const struct world *world)
{
    corio_http_stats stats = {.size = sizeof stats};
    assert_int_equal(corio_http_get_stats(world->http, &stats), 0);
    return stats;
}

static const char *url_of(char url[URL_BYTES], const char *path)
{
    snprintf(url, URL_BYTES, "http://127.0.0.1:%d%s", the.port, path);
    return url;
}

/* GET of a path: the status, or a negative code; -EBADMSG if the body is not `expected`. */
static int get(const struct world *world, const char *path, const char *expected)
{
    char url[URL_BYTES];
    corio_http_response response;
    int rc = corio_http_get(world->dispatcher, url_of(url, path), &response);
    if (rc == 0)
        rc = response.status;
    if (rc > 0 && expected && strcmp(response.body, expected) != 0)
        rc = -EBADMSG;
    corio_http_release(&response);
    return rc;
}

/* -- Many -- */

struct getting {
    const struct world *world;
    int number;
};

static int get_value(void *arg)
{
    const struct getting *getting = arg;
    char path[32], expected[32];
    snprintf(path, sizeof path, "/value/%d", getting->number);
    snprintf(expected, sizeof expected, "value %d", getting->number);
    int rc = get(getting->world, path, expected);
    return rc == 200 ? 0 : rc < 0 ? rc : -EIO;
}

static int get_many(const struct world *world, int count)
{
    for (int i = 0; i < count; i++) {
        struct getting getting = {world, i};
        corio_go_copy(get_value, &getting, sizeof getting);
    }
    return corio_wait();
}

static int get_ten_thousand(void *arg)
{
    return get_many(arg, TASKS);
}

static void ten_thousand_tasks_get_their_answers(void **state)
{
    (void)state;
    static const unsigned workers[] = {1, 2, 8};
    for (int i = 0; i < 3; i++) {
        struct world world;
        const corio_http_options options = {.size = sizeof options, .timeout_ns = 200000 * ms};
        open_world(&world, &options, workers[i]);
        assert_int_equal(corio_run(world.runtime, get_ten_thousand, &world), 0);
        corio_http_stats stats = stats_of(&world);
        assert_int_equal(stats.requests, TASKS);
        assert_int_equal(stats.largest_batch, TASKS);
        assert_int_equal(stats.transfers, TASKS);
        assert_true(stats.connects <= 8);
        close_world(&world);
    }
}

static int get_five_hundred(void *arg)
{
    return get_many(arg, 500);
}

static void connections_are_limited_and_used_again(void **state)
{
    (void)state;
    static const unsigned workers[] = {1, 2, 8};
    for (int i = 0; i < 6; i++) {
        struct world world;
        const corio_http_options options = {.size = sizeof options,
                                            .connections_per_host = 3,
                                            .active = i % 2 ? 10 : 0,
                                            .whole = i % 2 == 0};
        open_world(&world, &options, workers[i / 2]);
        ask_beside("/clear");
        assert_int_equal(corio_run(world.runtime, get_five_hundred, &world), 0);
        assert_int_equal(corio_run(world.runtime, get_five_hundred, &world), 0);
        assert_true(stats_of(&world).connects <= 3);
        assert_true(ask_beside("/figures") <= 3 + 1); /* the one that asks */
        if (options.whole)
            assert_int_equal(stats_of(&world).batches, 2);
        close_world(&world);
    }
}

/* -- Requests and responses -- */

static int various(void *arg)
{
    struct world *world = arg;
    char url[URL_BYTES];
    static const char *const headers[] = {"X-Test: here"};
    corio_http_response response;
    size_t bytes = 0;
    corio_http_request request = {.method = "PUT",
                                  .url = url_of(url, "/echo"),
                                  .headers = headers,
                                  .header_count = 1,
                                  .body = "a\0b",
                                  .body_bytes = 3};
    int rc = corio_http_call(world->dispatcher, &request, &response);
    bool good = rc == 0 && response.status == 200 &&
                response.body_bytes == strlen("PUT\nhere\n\n") + 3 &&
                memcmp(response.body, "PUT\nhere\n\na\0b", response.body_bytes) == 0;
    const char *value = corio_http_header(&response, "x-reply", &bytes);
    good &= value && bytes == 9 && memcmp(value, "two words", 9) == 0;
    value = corio_http_header(&response, "X-Empty", &bytes);
    good &= value && bytes == 0 && !corio_http_header(&response, "X-None", &bytes);
    corio_http_release(&response);
    corio_http_release(&response);

    rc = corio_http_post(world->dispatcher, url, "text/plain", "body", 4, &response);
    good &= rc == 0 && strcmp(response.body, "POST\n\ntext/plain\nbody") == 0;
    corio_http_release(&response);

    request = (corio_http_request){.method = "HEAD", .url = url};
    rc = corio_http_call(world->dispatcher, &request, &response);
    good &= rc == 0 && response.status == 200 && response.body_bytes == 0;
    corio_http_release(&response);
    return good && get(world, "/status/404", "as you wish") == 404 ? 0 : -EBADMSG;
}

static void methods_headers_and_bodies_arrive(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, NULL, 2);
    assert_int_equal(corio_run(world.runtime, various, &world), 0);
    close_world(&world);
}

static int good_and_bad(void *arg)
{
    struct world *world = arg;
    enum { count = 8 };
    char urls[count][URL_BYTES];
    static const char *const split[] = {"X: a\r\nY: b"};
    static const int expected[count] = {0,      -EINVAL, -EINVAL, -ECONNREFUSED, CORIO_HTTP_ETLS,
                                        -EFBIG, -EINVAL, -EPROTO};
    corio_http_request asked[count] = {
        {.url = url_of(urls[0], "/value/1")},
        {.url = "ftp://127.0.0.1/"},
        {.url = NULL},
        {.url = urls[3]},
        {.url = urls[4]},
        {.url = url_of(urls[5], "/big/100000")},
        {.url = urls[0], .headers = split, .header_count = 1},
        {.url = url_of(urls[7], "/garbage")},
    };
    snprintf(urls[3], URL_BYTES, "http://127.0.0.1:%d/", server_free_port());
    snprintf(urls[4], URL_BYTES, "https://127.0.0.1:%d/", the.port);
    corio_http_response responses[count];
    corio_request requests[count];
    for (int i = 0; i < count; i++)
        requests[i] = corio_http_ask(world->dispatcher, &asked[i], &responses[i]);
    corio_io_all(requests, count);
    int rc = 0;
    for (int i = 0; i < count; i++) {
        bool garbage = i == 7 && requests[i].status < 0; /* libcurls differ about it */
        if (requests[i].status != expected[i] && !garbage) {
            fprintf(stderr, "request %d: %s\n", i, corio_http_strerror(requests[i].status));
            rc = -EBADMSG;
        }
        if (requests[i].status < 0 && responses[i].reserved)
            rc = -EBADMSG;
    }
    if (strcmp(responses[0].body, "value 1") != 0)
        rc = -EBADMSG;
    corio_http_release(&responses[0]);
    return rc;
}

static void an_error_reaches_its_request_only(void **state)
{
    (void)state;
    struct world world;
    const corio_http_options options = {.size = sizeof options, .most_body_bytes = 1000};
    open_world(&world, &options, 2);
    assert_int_equal(corio_run(world.runtime, good_and_bad, &world), 0);
    close_world(&world);
}

static int follow(void *arg)
{
    struct world *world = arg;
    world->status[0] = get(world, "/redirect/3", "the end");
    world->status[1] = get(world, "/redirect/4", NULL);
    return 0;
}

static void redirects_are_followed_as_far_as_allowed(void **state)
{
    (void)state;
    struct world world;
    corio_http_options options = {.size = sizeof options, .redirects = 3};
    open_world(&world, &options, 1);
    assert_int_equal(corio_run(world.runtime, follow, &world), 0);
    assert_int_equal(world.status[0], 200);
    assert_int_equal(world.status[1], -ELOOP);
    close_world(&world);
    open_world(&world, NULL, 1);
    assert_int_equal(corio_run(world.runtime, follow, &world), 0);
    assert_int_equal(world.status[1], 302);
    close_world(&world);
}

static int prepare(void *self, void *curl, const corio_http_request *request)
{
    (void)curl;
    *(int *)self += 1;
    return strstr(request->url, "/value/7") ? -EACCES : 0;
}

static int get_refused(void *arg)
{
    struct world *world = arg;
    world->status[0] = get(world, "/value/7", NULL);
    world->status[1] = get(world, "/value/8", "value 8");
    return 0;
}

static void the_caller_prepares_handles(void **state)
{
    (void)state;
    struct world world;
    int calls = 0;
    const corio_http_options options = {.size = sizeof options, .prepare = prepare, .self = &calls};
    open_world(&world, &options, 1);
    assert_int_equal(corio_run(world.runtime, get_refused, &world), 0);
    assert_int_equal(world.status[0], -EACCES);
    assert_int_equal(world.status[1], 200);
    close_world(&world);
    assert_int_equal(calls, 2);
}

static void codes_have_words(void **state)
{
    (void)state;
    assert_string_equal(corio_http_strerror(CORIO_HTTP_ERESOLVE),
                        "the name of the host cannot be resolved");
    assert_string_equal(corio_http_strerror(-ENOENT), corio_strerror(-ENOENT));
}

static int keep_response(void *arg)
{
    struct world *world = arg;
    char url[URL_BYTES];
    return corio_http_get(world->dispatcher, url_of(url, "/value/5"), &world->response);
}

static void responses_outlive_the_dispatcher(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, NULL, 1);
    assert_int_equal(corio_run(world.runtime, keep_response, &world), 0);
    close_world(&world);
    assert_string_equal(world.response.body, "value 5");
    corio_http_release(&world.response);
}

/* -- Waiting -- */

static int held(void *arg)
{
    return get(*(struct world **)arg, "/hold/held", "held held") == 200 ? 0 : -EBADMSG;
}

static int release_held(void *arg)
{
    struct world *world = *(struct world **)arg;
    int rc = get(world, "/value/1", "value 1");
    return rc == 200 && get(world, "/release/held", NULL) == 200 ? 0 : -EBADMSG;
}

static int hold_and_release(void *arg)
{
    for (int i = 0; i < 3; i++)
        corio_go_copy(held, &arg, sizeof arg);
    corio_go_copy(release_held, &arg, sizeof arg);
    return corio_wait();
}

static void a_slow_answer_holds_nobody_up(void **state)
{
    (void)state;
    static const unsigned workers[] = {1, 2, 8};
    for (int i = 0; i < 3; i++) {
        struct world world;
        open_world(&world, NULL, workers[i]);
        assert_int_equal(corio_run(world.runtime, hold_and_release, &world), 0);
        close_world(&world);
    }
}

static int wait_in_vain(void *arg)
{
    struct world *world = arg;
    char urls[2][URL_BYTES];
    const corio_http_request asked[3] = {
        {.url = url_of(urls[0], "/hold/never"), .timeout_ns = 50 * ms},
        {.url = urls[0], .timeout_ns = 60 * ms}, /* waits for the only connection */
        {.url = url_of(urls[1], "/value/3")},
    };
    corio_http_response responses[3];
    corio_request requests[3];
    for (int i = 0; i < 3; i++)
        requests[i] = corio_http_ask(world->dispatcher, &asked[i], &responses[i]);
    corio_io_all(requests, 3);
    for (int i = 0; i < 3; i++) {
        world->status[i] = requests[i].status;
        corio_http_release(&responses[i]);
    }
    return 0;
}

static void a_timeout_ends_its_request_only(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world world;
        const corio_http_options options = {
            .size = sizeof options, .connections_per_host = 1, .active = i ? 1 : 0};
        open_world(&world, &options, 2);
        assert_int_equal(corio_run(world.runtime, wait_in_vain, &world), 0);
        assert_int_equal(world.status[0], -ETIMEDOUT);
        assert_int_equal(world.status[1], -ETIMEDOUT);
        assert_int_equal(world.status[2], 0);
        assert_int_equal(stats_of(&world).timeouts, 2);
        close_world(&world);
    }
}

/* -- Again -- */

static int flaky(void *arg)
{
    struct world *world = arg;
    char url[URL_BYTES];
    corio_http_response response;
    world->status[0] = get(world, "/flaky/a/2", "flaky");
    world->status[1] = get(world, "/flaky/b/3", "flaky");
    world->status[2] = get(world, "/drop/c/2", "kept");
    int rc = corio_http_post(world->dispatcher, url_of(url, "/flaky/d/1"), "text/plain", "x", 1,
                             &response);
    world->status[3] = rc < 0 ? rc : response.status;
    corio_http_release(&response);
    return 0;
}

static void what_may_be_repeated_is(void **state)
{
    (void)state;
    struct world world;
    const corio_http_options options = {
        .size = sizeof options, .retries = 2, .backoff_ns = ms, .most_backoff_ns = 4 * ms};
    open_world(&world, &options, 2);
    assert_int_equal(corio_run(world.runtime, flaky, &world), 0);
    assert_int_equal(world.status[0], 200);
    assert_int_equal(world.status[1], 503); /* one time too often */
    assert_int_equal(world.status[2], 200);
    assert_int_equal(world.status[3], 503); /* a POST is not repeated */
    assert_true(stats_of(&world).retries >= 5);
    close_world(&world);
}

static int dropped(void *arg)
{
    struct world *world = arg;
    world->status[0] = get(world, "/drop/e/5", NULL);
    return 0;
}

static void without_retries_a_lost_connection_is_an_error(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, NULL, 1);
    assert_int_equal(corio_run(world.runtime, dropped, &world), 0);
    assert_int_equal(world.status[0], -ECONNRESET);
    close_world(&world);
}

static int get_held(void *arg)
{
    int rc = get(*(struct world **)arg, "/hold/restart", "held restart");
    return rc == 200 ? 0 : rc < 0 ? rc : -EIO;
}

static int post_held(void *arg)
{
    struct world *world = *(struct world **)arg;
    char url[URL_BYTES];
    corio_http_response response;
    int rc = corio_http_post(world->dispatcher, url_of(url, "/hold/restart"), "text/plain", "x", 1,
                             &response);
    corio_http_release(&response);
    return rc == -ECONNRESET ? 0 : -EBADMSG;
}

static int eight_held(void *arg)
{
    for (int i = 0; i < 4; i++) {
        corio_go_copy(get_held, &arg, sizeof arg);
        corio_go_copy(post_held, &arg, sizeof arg);
    }
    return corio_wait();
}

static void *run_root(void *arg)
{
    struct world *world = arg;
    world->result = corio_run_named(world->runtime, "root", world->root, world);
    return NULL;
}

static void over_a_restart_reads_are_repeated_and_writes_are_not(void **state)
{
    (void)state;
    struct world world;
    pthread_t thread;
    const corio_http_options options = {
        .size = sizeof options, .retries = 1000, .backoff_ns = ms, .most_backoff_ns = 20 * ms};
    open_world(&world, &options, 2);
    world.root = eight_held;
    assert_int_equal(pthread_create(&thread, NULL, run_root, &world), 0);
    while (ask_beside("/arrived/restart") < 8)
        sched_yield();
    server_end(&the.process, SIGKILL);
    assert_int_equal(start_server("open"), 0);
    pthread_join(thread, NULL);
    assert_int_equal(world.result, 0);
    close_world(&world);
    server_end(&the.process, SIGKILL);
    assert_int_equal(start_server(""), 0);
}

/* -- TLS and HTTP/2, where nghttpd and openssl are -- */

static struct {
    char directory[64];
    char file[128];
    char certificate[128];
    char key[128];
    char port[16];
    struct server process;
} secure;

static void remove_secure(void)
{
    unlink(secure.file);
    unlink(secure.certificate);
    unlink(secure.key);
    rmdir(secure.directory);
}

static bool make_certificate(void)
{
    char command[768];
    strcpy(secure.directory, "/tmp/corio-http-XXXXXX");
    assert_non_null(mkdtemp(secure.directory));
    snprintf(secure.file, sizeof secure.file, "%s/file", secure.directory);
    snprintf(secure.certificate, sizeof secure.certificate, "%s/cert.pem", secure.directory);
    snprintf(secure.key, sizeof secure.key, "%s/key.pem", secure.directory);
    snprintf(command, sizeof command,
             "echo hello >%s; exec openssl req -x509 -newkey rsa:2048 -nodes -days 2 "
             "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s "
             "2>/dev/null",
             secure.file, secure.key, secure.certificate);
    return system(command) == 0;
}

static bool start_secure(void)
{
    char line[512];
    snprintf(secure.port, sizeof secure.port, "%d", server_free_port());
    const char *const argv[] = {
        "nghttpd",        "-v",        "-a",       "127.0.0.1",        "-d",
        secure.directory, secure.port, secure.key, secure.certificate, NULL};
    if (!make_certificate() ||
        server_start(&secure.process, argv, "listen", line, sizeof line) != 0) {
        remove_secure();
        return false;
    }
    return true;
}

static int get_secure(void *arg)
{
    struct world *world = *(struct world **)arg;
    char url[URL_BYTES];
    corio_http_response response;
    snprintf(url, sizeof url, "https://127.0.0.1:%s/file", secure.port);
    int rc = corio_http_get(world->dispatcher, url, &response);
    if (rc == 0 && (response.status != 200 || strcmp(response.body, "hello\n") != 0))
        rc = -EBADMSG;
    corio_http_release(&response);
    return rc;
}

static int get_fifty_secure(void *arg)
{
    for (int i = 0; i < 50; i++)
        corio_go_copy(get_secure, &arg, sizeof arg);
    return corio_wait();
}

static void over_tls_requests_share_a_connection(void **state)
{
    (void)state;
    struct world world;
    if (!start_secure())
        skip();
    const corio_http_options options = {.size = sizeof options, .ca_file = secure.certificate};
    open_world(&world, &options, 2);
    assert_int_equal(corio_run(world.runtime, get_fifty_secure, &world), 0);
    corio_http_stats stats = stats_of(&world);
    close_world(&world);
    if (stats.http2 == 0)
        print_message("this libcurl has no HTTP/2\n");
    else
        assert_true(stats.http2 == 50 && stats.connects == 1);
    open_world(&world, NULL, 2); /* does not know the certificate */
    assert_int_equal(corio_run(world.runtime, get_fifty_secure, &world), CORIO_HTTP_ETLS);
    close_world(&world);
    server_end(&secure.process, SIGKILL);
    remove_secure();
}

/* -- Limits and options -- */

static void limits_are_kept(void **state)
{
    (void)state;
    struct world world;
    const corio_http_options options = {
        .size = sizeof options, .max_batch = 20, .max_in_flight = 40};
    open_world(&world, &options, 2);
    assert_int_equal(corio_run(world.runtime, get_five_hundred, &world), 0);
    assert_int_equal(stats_of(&world).requests, 500);
    assert_true(stats_of(&world).largest_batch <= 20);
    close_world(&world);
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    corio_http *http;
    corio_http_options options = {.size = 1};
    assert_int_equal(corio_http_create(&options, &http), -EINVAL);
    options = (corio_http_options){.size = sizeof options, .connections = 65537};
    assert_int_equal(corio_http_create(&options, &http), -EINVAL);
    assert_int_equal(corio_http_create(NULL, NULL), -EINVAL);
    corio_http_destroy(NULL);
    corio_http_release(NULL);
}

/* -- Recordings -- */

static int ask_for_all_kinds(void *arg)
{
    struct world *world = arg;
    char url[URL_BYTES];
    corio_http_response response;
    size_t bytes = 0;
    int rc =
        corio_http_post(world->dispatcher, url_of(url, "/echo"), "text/x", "a\0b", 3, &response);
    const char *header = rc == 0 ? corio_http_header(&response, "X-Reply", &bytes) : NULL;
    bool good = header && bytes == 9 && memcmp(header, "two words", 9) == 0 &&
                response.body_bytes > 3 && response.body[response.body_bytes] == '\0' &&
                memcmp(response.body + response.body_bytes - 3, "a\0b", 3) == 0;
    corio_http_release(&response);
    good =
        good && get(world, "/status/404", "as you wish") == 404 && get(world, "/big/0", "") == 200;
    good = good && get(world, "/garbage", NULL) < 0;
    return good ? get_many(world, 100) : -EBADMSG;
}

static void a_replay_needs_no_server(void **state)
{
    (void)state;
    char path[] = "/tmp/corio-http-XXXXXX";
    close(mkstemp(path));
    for (int replay = 0; replay < 2; replay++) {
        struct world world;
        if (replay)
            server_end(&the.process, SIGKILL);
        setenv(replay ? "CORIO_REPLAY" : "CORIO_RECORD", path, 1);
        open_world(&world, NULL, 1 + (unsigned)replay);
        unsetenv(replay ? "CORIO_REPLAY" : "CORIO_RECORD");
        assert_int_equal(corio_run(world.runtime, ask_for_all_kinds, &world), 0);
        assert_int_equal(stats_of(&world).requests == 0, replay);
        close_world(&world);
    }
    unlink(path);
    assert_int_equal(start_server(""), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_tasks_get_their_answers),
        cmocka_unit_test(connections_are_limited_and_used_again),
        cmocka_unit_test(methods_headers_and_bodies_arrive),
        cmocka_unit_test(an_error_reaches_its_request_only),
        cmocka_unit_test(redirects_are_followed_as_far_as_allowed),
        cmocka_unit_test(the_caller_prepares_handles),
        cmocka_unit_test(codes_have_words),
        cmocka_unit_test(responses_outlive_the_dispatcher),
        cmocka_unit_test(a_slow_answer_holds_nobody_up),
        cmocka_unit_test(a_timeout_ends_its_request_only),
        cmocka_unit_test(what_may_be_repeated_is),
        cmocka_unit_test(without_retries_a_lost_connection_is_an_error),
        cmocka_unit_test(over_a_restart_reads_are_repeated_and_writes_are_not),
        cmocka_unit_test(over_tls_requests_share_a_connection),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(a_replay_needs_no_server),
    };
    if (argc != 2)
        return 2;
    the.script = argv[1];
    int rc = start_server("");
    if (rc != 0) {
        printf("no python3\n");
        return rc == SERVER_ABSENT ? 77 : 1;
    }
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    server_end(&the.process, SIGKILL);
    return rc;
}
