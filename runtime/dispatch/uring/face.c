/* SPDX-License-Identifier: MIT
 *
 * face.c - what tasks call.
 */
#include <corio/uring.h>

#include <fcntl.h>

corio_request corio_uring_ask(corio_dispatcher *dispatcher, const corio_uring_request *request,
                              corio_uring_answer *answer)
{
    return (corio_request){.dispatcher = dispatcher, .input = request, .output = answer};
}

int corio_uring_call(corio_dispatcher *dispatcher, const corio_uring_request *request)
{
    corio_uring_answer answer = {0};
    int rc = corio_io(dispatcher, request, &answer);
    return rc < 0 ? rc : answer.result;
}

int corio_uring_open(corio_dispatcher *dispatcher, const char *path, int flags, unsigned mode)
{
    const corio_uring_request request = {
        .op = CORIO_URING_OPEN, .fd = AT_FDCWD, .path = path, .flags = flags, .mode = mode};
    return corio_uring_call(dispatcher, &request);
}

int corio_uring_read(corio_dispatcher *dispatcher, int fd, void *buffer, size_t bytes,
                     int64_t offset)
{
    const corio_uring_request request = {
        .op = CORIO_URING_READ, .fd = fd, .buffer = buffer, .bytes = bytes, .offset = offset};
    return corio_uring_call(dispatcher, &request);
}

int corio_uring_write(corio_dispatcher *dispatcher, int fd, const void *data, size_t bytes,
                      int64_t offset)
{
    const corio_uring_request request = {
        .op = CORIO_URING_WRITE, .fd = fd, .data = data, .bytes = bytes, .offset = offset};
    return corio_uring_call(dispatcher, &request);
}

int corio_uring_fsync(corio_dispatcher *dispatcher, int fd)
{
    const corio_uring_request request = {.op = CORIO_URING_FSYNC, .fd = fd};
    return corio_uring_call(dispatcher, &request);
}

int corio_uring_stat(corio_dispatcher *dispatcher, const char *path, struct statx *stat)
{
    const corio_uring_request request = {
        .op = CORIO_URING_STAT, .fd = AT_FDCWD, .path = path, .buffer = stat};
    return corio_uring_call(dispatcher, &request);
}

int corio_uring_close(corio_dispatcher *dispatcher, int fd)
{
    const corio_uring_request request = {.op = CORIO_URING_CLOSE, .fd = fd};
    return corio_uring_call(dispatcher, &request);
}

int corio_uring_accept(corio_dispatcher *dispatcher, int fd, struct sockaddr *address,
                       socklen_t *address_bytes)
{
    const corio_uring_request request = {.op = CORIO_URING_ACCEPT,
                                         .fd = fd,
                                         .flags = SOCK_CLOEXEC,
                                         .address = address,
                                         .address_bytes = address_bytes};
    return corio_uring_call(dispatcher, &request);
}

int corio_uring_connect(corio_dispatcher *dispatcher, int fd, const struct sockaddr *address,
                        socklen_t bytes)
{
    const corio_uring_request request = {
        .op = CORIO_URING_CONNECT, .fd = fd, .data = address, .bytes = bytes};
    return corio_uring_call(dispatcher, &request);
}

int corio_uring_send(corio_dispatcher *dispatcher, int fd, const void *data, size_t bytes)
{
    const corio_uring_request request = {
        .op = CORIO_URING_SEND, .fd = fd, .data = data, .bytes = bytes};
    return corio_uring_call(dispatcher, &request);
}

int corio_uring_recv(corio_dispatcher *dispatcher, int fd, void *buffer, size_t bytes)
{
    const corio_uring_request request = {
        .op = CORIO_URING_RECV, .fd = fd, .buffer = buffer, .bytes = bytes};
    return corio_uring_call(dispatcher, &request);
}
