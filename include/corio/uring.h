/* SPDX-License-Identifier: MIT
 *
 * uring.h - a dispatcher for files and sockets by io_uring: a library of its own, libcorio-uring.
 *
 * A corio_uring is one ring and the thread that owns it. All that tasks ask for in a phase goes to
 * the kernel in one system call, as far as the ring has room; answers come back while slower ones
 * are still out.
 *
 *     tasks --batch--> ring thread --one io_uring_enter--> kernel
 *       ^                                                     |
 *       +-- whole slices; finished parts of one after linger_ns
 *
 * Where the kernel forbids io_uring (corio_uring_stats.setup_error says why), or on request, the
 * same requests are answered by threads: files by slices of the batch on the runtime's I/O threads
 * with pread and the like, sockets by one thread that polls.
 *
 * Order: the requests of a batch are made at once. Nothing is promised about which of them the
 * kernel does first; a task that needs an order asks one after the other.
 *
 * Batches: answers stream (CORIO_WAIT_STREAMING), so which requests meet in later batches depends
 * on timing. With CORIO_WAIT_STRICT batches are the same each time, but a task then waits for
 * everything in flight: do not use it where a task waits for what another task sends.
 *
 * Errors: requests get the negated errno value of the system call; -ETIMEDOUT if timeout_ns passed;
 * -EINVAL an operation that is none; -ENOMEM.
 */
#ifndef CORIO_URING_H
#define CORIO_URING_H

#include <corio/io.h>

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

CORIO_BEGIN_DECLS

typedef struct corio_uring corio_uring;
struct statx; /* sys/stat.h, with _GNU_SOURCE */

/* What to do. Which fields of a request matter stands beside it. */
typedef enum corio_uring_op {
    CORIO_URING_OPEN = 1, /* openat(2): fd (a directory or AT_FDCWD), path, flags, mode */
    CORIO_URING_READ,     /* pread(2): fd, buffer, bytes, offset */
    CORIO_URING_WRITE,    /* pwrite(2): fd, data, bytes, offset */
    CORIO_URING_FSYNC,    /* fsync(2), with flags 1 fdatasync(2): fd, flags */
    CORIO_URING_STAT,     /* statx(2): fd (a directory or AT_FDCWD), path, flags, mask, buffer */
    CORIO_URING_CLOSE,    /* close(2): fd */
    CORIO_URING_ACCEPT,   /* accept4(2): fd, address, address_bytes, flags */
    CORIO_URING_CONNECT,  /* connect(2): fd, data (the address), bytes */
    CORIO_URING_SEND,     /* send(2): fd, data, bytes, flags; MSG_NOSIGNAL is always set */
    CORIO_URING_RECV,     /* recv(2): fd, buffer, bytes, flags */
} corio_uring_op;

/* One request. Everything it points to is borrowed until it is answered. */
typedef struct corio_uring_request {
    corio_uring_op op;
    int fd; /* sockets and pipes are best left blocking: with O_NONBLOCK they may give -EAGAIN */
    int flags;
    unsigned mode;            /* permissions of a file that OPEN creates */
    unsigned mask;            /* of STAT; 0: STATX_BASIC_STATS */
    const char *path;         /* of OPEN and STAT */
    void *buffer;             /* read into; for STAT a struct statx */
    const void *data;         /* written from */
    size_t bytes;             /* at most 2,147,479,552 are read or written at once */
    int64_t offset;           /* in the file; -1: its own position, and for pipes */
    struct sockaddr *address; /* of ACCEPT: gets the peer's; NULL: not wanted */
    socklen_t *address_bytes; /* of ACCEPT: in: room, out: length */
    uint64_t timeout_ns;      /* 0: the dispatcher's default; see corio_uring_options */
} corio_uring_request;

/* What a request gives: bytes, a file descriptor or 0, as the system call does. */
typedef struct corio_uring_answer {
    int result;
} corio_uring_answer;

/* Compares two requests of a batch as for qsort: the lesser is handed to the kernel first. */
typedef int corio_uring_order_fn(const corio_uring_request *a, const corio_uring_request *b);

/* Options of a ring. Set `size` to sizeof(corio_uring_options) and leave the rest zero for the
 * defaults. */
typedef struct corio_uring_options {
    size_t size;
    unsigned entries;    /* requests per system call, 16 to 16,384; 0: 4,096 */
    bool threads_only;   /* do without io_uring even where it is allowed */
    unsigned threads;    /* without io_uring: most slices of a batch, 1 to 1,024; 0: 16 */
    uint64_t timeout_ns; /* default of requests; 0: none. Without io_uring only sockets, pipes and
                          * reads and writes with offset -1 have one */
    uint64_t linger_ns;  /* most that an answer waits for its slice to become whole; 0: 200,000 */
    /* Memory registered with the kernel: reads and writes of files wholly inside one of these save
     * its look-up and pinning. The array is borrowed for the call, the memory until
     * corio_uring_destroy. If the kernel refuses them (RLIMIT_MEMLOCK) they are ordinary memory. */
    const struct iovec *buffers;
    unsigned buffer_count; /* at most 1,024; few large ones are best */
    /* Order within a batch; NULL: spawn order, as always without io_uring. corio_uring_by_offset is a ready one for disks that
     * prefer it. */
    corio_uring_order_fn *order;
    size_t max_batch;     /* see corio_dispatcher_options */
    size_t max_in_flight; /* see corio_dispatcher_options */
} corio_uring_options;

/* corio_uring_create: makes a ring and its thread.
 *
 * options: borrowed for the call; NULL for all defaults. ret_uring: given; release it with
 * corio_uring_destroy. Suspends: never. Thread: any. Errors: -EINVAL an option is out of range;
 * -ENOMEM; -EAGAIN a thread cannot be made; -EMFILE, -ENFILE too many files. That the kernel
 * forbids io_uring is no error. */
CORIO_API int corio_uring_create(const corio_uring_options *options,
                                 corio_uring **ret_uring) CORIO_MUST_CHECK;

/* corio_uring_destroy: stops the thread and releases the ring. NULL is ignored.
 *
 * uring: taken; runtimes that have its dispatcher must have been destroyed before. Suspends: never.
 * Thread: any. */
CORIO_API void corio_uring_destroy(corio_uring *uring);

/* corio_uring_add: adds the ring's dispatcher to a runtime that is not running. Several runtimes may
 * share a ring.
 *
 * ret_dispatcher: borrowed, lives as long as the runtime. Suspends: never. Thread: any, outside of
 * runs. Errors: as corio_dispatcher_add. */
CORIO_API int corio_uring_add(corio_uring *uring, corio_runtime *runtime,
                              corio_dispatcher **ret_dispatcher) CORIO_MUST_CHECK;

/* corio_uring_by_offset: orders reads and writes by file, then by offset; the others come first.
 * Suspends: never. Thread: any. */
CORIO_API int corio_uring_by_offset(const corio_uring_request *a, const corio_uring_request *b);

/* Figures of a ring, since it was created. */
typedef struct corio_uring_stats {
    size_t size;       /* set by the caller to sizeof(corio_uring_stats) */
    bool uses_ring;    /* false: threads do the work */
    int setup_error;   /* why not: a negated errno value; 0: it does, or threads_only was set */
    unsigned entries;  /* of the ring; 0 without one */
    uint64_t batches;  /* batches handed over */
    uint64_t requests; /* requests in them */
    uint64_t submits;  /* system calls that handed requests to the kernel */
    uint64_t slices;   /* parts of batches that went to I/O threads */
    uint64_t fixed;    /* requests that used registered memory */
    uint64_t timeouts; /* requests that got -ETIMEDOUT */
    uint64_t largest_batch;
} corio_uring_stats;

/* corio_uring_get_stats: fills *stats, whose size field the caller has set.
 *
 * Suspends: never. Thread: any, outside of runs. Errors: -EINVAL a bad pointer or size. */
CORIO_API int corio_uring_get_stats(corio_uring *uring, corio_uring_stats *stats);

/* corio_uring_call: asks one thing and suspends until it is answered.
 *
 * request: borrowed. Returns what the system call does (bytes, a file descriptor, 0), or a negative
 * code. Suspends: always. Thread: a task only. Errors: as above, and those of corio_io. */
CORIO_API int corio_uring_call(corio_dispatcher *dispatcher, const corio_uring_request *request);

/* corio_uring_ask: one of several requests for corio_io_all; request and answer are borrowed until
 * it returns. Suspends: never. Thread: any. */
CORIO_API corio_request corio_uring_ask(corio_dispatcher *dispatcher,
                                        const corio_uring_request *request,
                                        corio_uring_answer *answer);

/* corio_uring_open, _read, _write, _fsync, _stat, _close, _accept, _connect, _send, _recv: as
 * corio_uring_call, with the fields that matter. dispatcher: one that corio_uring_add gave. path:
 * relative to the working directory. corio_uring_stat follows symbolic links. Fewer bytes than
 * asked for may be read or written, as by the system calls.
 *
 * Suspends: always. Thread: a task only. Errors: as corio_uring_call. */
CORIO_API int corio_uring_open(corio_dispatcher *dispatcher, const char *path, int flags,
                               unsigned mode);
CORIO_API int corio_uring_read(corio_dispatcher *dispatcher, int fd, void *buffer, size_t bytes,
                               int64_t offset);
CORIO_API int corio_uring_write(corio_dispatcher *dispatcher, int fd, const void *data,
                                size_t bytes, int64_t offset);
CORIO_API int corio_uring_fsync(corio_dispatcher *dispatcher, int fd);
CORIO_API int corio_uring_stat(corio_dispatcher *dispatcher, const char *path, struct statx *stat);
CORIO_API int corio_uring_close(corio_dispatcher *dispatcher, int fd);
CORIO_API int corio_uring_accept(corio_dispatcher *dispatcher, int fd, struct sockaddr *address,
                                 socklen_t *address_bytes);
CORIO_API int corio_uring_connect(corio_dispatcher *dispatcher, int fd,
                                  const struct sockaddr *address, socklen_t bytes);
CORIO_API int corio_uring_send(corio_dispatcher *dispatcher, int fd, const void *data,
                               size_t bytes);
CORIO_API int corio_uring_recv(corio_dispatcher *dispatcher, int fd, void *buffer, size_t bytes);

CORIO_END_DECLS

#endif
