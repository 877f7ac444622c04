/* SPDX-License-Identifier: MIT
 *
 * short_io.c - preloaded into a test program: the kernel interrupts it and gives it less than it asked
 * for, as it may. Each fifth call that may wait, on a socket or in poll, ends with EINTR; a call on a
 * socket moves half of what was asked at most. Programs that the test starts are left alone.
 *
 * At the end it says on standard error how often it did that: 0 would be a test of nothing.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { one_in = 5 };

static bool acts;
static unsigned calls, interrupted, shortened;

static struct {
    ssize_t (*read)(int, void *, size_t);
    ssize_t (*write)(int, const void *, size_t);
    ssize_t (*recv)(int, void *, size_t, int);
    ssize_t (*send)(int, const void *, size_t, int);
    int (*poll)(struct pollfd *, nfds_t, int);
    int (*ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
    int (*epoll_wait)(int, struct epoll_event *, int, int);
} next;

#define NEXT(name) *(void **)&next.name = dlsym(RTLD_NEXT, #name)

/* First, or with the first call: other libraries' constructors may have been before. */
static __attribute__((constructor)) void begin(void)
{
    NEXT(read);
    NEXT(write);
    NEXT(recv);
    NEXT(send);
    NEXT(poll);
    NEXT(ppoll);
    NEXT(epoll_wait);
    acts = strncmp(program_invocation_short_name, "test_", 5) == 0;
}

static __attribute__((destructor)) void end(void)
{
    if (!acts)
        return;
    fprintf(stderr, "short_io: %u calls interrupted, %u shortened\n", interrupted, shortened);
    if (interrupted == 0 || shortened == 0)
        _exit(1);
}

static bool is_interrupted(void)
{
    if (__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % one_in != 0)
        return false;
    __atomic_add_fetch(&interrupted, 1, __ATOMIC_RELAXED);
    errno = EINTR;
    return true;
}

static size_t shortened_to(size_t bytes)
{
    if (bytes <= 1)
        return bytes;
    __atomic_add_fetch(&shortened, 1, __ATOMIC_RELAXED);
    return bytes / 2;
}

/* The kernel does not interrupt what does not wait. */
static bool is_interrupted_on(int fd, int flags)
{
    bool waits = (flags & MSG_DONTWAIT) == 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
    return waits && is_interrupted();
}

/* It is no socket, or this is another program. */
static bool is_left_alone(int fd)
{
    int type;
    return !acts || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}) != 0;
}

ssize_t read(int fd, void *to, size_t bytes)
{
    if (next.read == NULL)
        begin();
    if (is_left_alone(fd))
        return next.read(fd, to, bytes);
    return is_interrupted_on(fd, 0) ? -1 : next.read(fd, to, shortened_to(bytes));
}

ssize_t write(int fd, const void *from, size_t bytes)
{
    if (next.write == NULL)
        begin();
    if (is_left_alone(fd))
        return next.write(fd, from, bytes);
    return is_interrupted_on(fd, 0) ? -1 : next.write(fd, from, shortened_to(bytes));
}

ssize_t recv(int fd, void *to, size_t bytes, int flags)
{
    if (next.recv == NULL)
        begin();
    if (!acts)
        return next.recv(fd, to, bytes, flags);
    return is_interrupted_on(fd, flags) ? -1 : next.recv(fd, to, shortened_to(bytes), flags);
}

ssize_t send(int fd, const void *from, size_t bytes, int flags)
{
    if (next.send == NULL)
        begin();
    if (!acts)
        return next.send(fd, from, bytes, flags);
    return is_interrupted_on(fd, flags) ? -1 : next.send(fd, from, shortened_to(bytes), flags);
}

int poll(struct pollfd *of, nfds_t count, int timeout)
{
    if (next.poll == NULL)
        begin();
    return acts && timeout != 0 && is_interrupted() ? -1 : next.poll(of, count, timeout);
}

int ppoll(struct pollfd *of, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    if (next.ppoll == NULL)
        begin();
    return acts && is_interrupted() ? -1 : next.ppoll(of, count, timeout, mask);
}

int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
    if (next.epoll_wait == NULL)
        begin();
    return acts && timeout != 0 && is_interrupted() ? -1
                                                    : next.epoll_wait(fd, events, count, timeout);
}
