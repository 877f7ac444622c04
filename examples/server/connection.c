/* SPDX-License-Identifier: MIT
 *
 * connection.c - a connection, from its first request to its end, written straight down.
 *
 * It knows neither tasks nor threads: what waits is behind `ways`.
 */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

struct connection {
    struct open open;
    const struct ways *ways;
    void *self; /* for ways */
    struct request request;
    struct bytes output; /* answers that have not been sent */
    uint64_t due_ns;     /* when the request must be whole */
};

static int flush(struct connection *c)
{
    int rc = 0;
    if (c->output.length > 0)
        rc = c->ways->send(c->open.fd, c->output.data, c->output.length, config.timeout_ns);
    c->output.length = 0;
    if (c->output.capacity > most_waiting)
        bytes_free(&c->output);
    return rc;
}

/* Returns the bytes that came, 0 at the end, or when it is time to end. */
static int receive(struct connection *c)
{
    struct bytes *input = &c->request.input;
    int rc = bytes_reserve(input, chunk);
    if (rc < 0)
        return rc;
    uint64_t now = corio_now_ns();
    if (now >= c->due_ns)
        return -ETIMEDOUT;
    bool idle = !c->request.begun;
    if (idle && !open_set_idle(&c->open, true))
        return 0;
    rc = c->ways->receive(c->open.fd, input->data + input->length, chunk, c->due_ns - now);
    if (idle)
        open_set_idle(&c->open, false);
    if (rc > 0)
        input->length += (size_t)rc;
    return rc;
}

/* Waits for the rest of a request. 1: it is there, or refused; 0: the connection is over. */
static int receive_request(struct connection *c)
{
    c->due_ns = corio_now_ns() + config.timeout_ns;
    while (!request_take(&c->request)) {
        int rc =
            c->request.expects ? bytes_append(&c->output, "HTTP/1.1 100 Continue\r\n\r\n", 25) : 0;
        c->request.expects = false;
        if (rc == 0)
            rc = flush(c);
        if (rc == 0)
            rc = receive(c);
        if (rc == -ETIMEDOUT && c->request.begun)
            c->request.error = HTTP_STATUS_REQUEST_TIMEOUT;
        else if (rc <= 0)
            return rc;
        if (c->request.error)
            return 1;
    }
    return 1;
}

/* Who is refused may be sending still, and would lose the answer if the socket were closed now. */
static void linger(struct connection *c)
{
    shutdown(c->open.fd, SHUT_WR);
    uint64_t end_ns = corio_now_ns() + config.timeout_ns, now = 0;
    struct bytes *input = &c->request.input;
    input->length = 0;
    if (bytes_reserve(input, chunk) < 0)
        return;
    for (size_t most = 4 * most_body; most >= chunk && (now = corio_now_ns()) < end_ns;
         most -= chunk) {
        if (c->ways->receive(c->open.fd, input->data, chunk, end_ns - now) <= 0)
            return;
    }
}

static int converse(struct connection *c)
{
    for (;;) {
        int rc = receive_request(c);
        if (rc <= 0)
            return rc;
        bool last = open_stopping() || c->request.error || !c->request.keep;
        if (c->request.error)
            rc = answer_error(c->request.error, &c->output);
        else
            rc = answer(c->ways, c->self, &c->request, last, &c->output);
        if (rc == 0 && (last || c->output.length > most_waiting))
            rc = flush(c);
        if (rc < 0)
            return rc;
        if (c->request.error || (last && c->request.taken < c->request.input.length))
            linger(c);
        if (last)
            return 0;
        request_next(&c->request);
    }
}

void serve_connection(const struct ways *ways, void *self, int fd)
{
    struct connection c = {.ways = ways, .self = self};
    open_add(&c.open, fd);
    request_init(&c.request);
    converse(&c); /* an error ends this connection, and no other */
    open_close(&c.open);
    request_free(&c.request);
    bytes_free(&c.output);
}
