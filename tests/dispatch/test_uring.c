/* SPDX-License-Identifier: MIT
 *
 * test_uring.c - files and sockets: by io_uring where the kernel allows it, and by threads.
 *
 * Each case runs both ways and with 1, 2 and 8 workers.
 */
#include <corio.h>
#include <corio/uring.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

enum { TASKS = 10000, BLOCKS = 64, BLOCK = 512 };

struct world {
    char directory[64];
    char path[96]; /* BLOCKS blocks, each filled with its number */
    int fd;
    corio_uring *uring;
    corio_runtime *runtime;
    corio_dispatcher *dispatcher;
    atomic_int count;
    int sockets[2];
};

/* -- Worlds: how the work is done, and by how many workers -- */

static const unsigned worker_counts[] = {1, 2, 8};

static void make_file(struct world *world)
{
    char block[BLOCK];
    snprintf(world->path, sizeof world->path, "%s/file", world->directory);
    world->fd = open(world->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(world->fd >= 0);
    for (int i = 0; i < BLOCKS; i++) {
        memset(block, i, sizeof block);
        assert_int_equal(write(world->fd, block, sizeof block), sizeof block);
    }
}

static void open_world(struct world *world, const corio_uring_options *options, unsigned workers)
{
    memset(world, 0, sizeof *world);
    strcpy(world->directory, "/tmp/corio-uring-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    make_file(world);
    assert_int_equal(corio_uring_create(options, &world->uring), 0);
    corio_options runtime = CORIO_OPTIONS_INIT;
    runtime.workers = workers;
    assert_int_equal(corio_runtime_create(&runtime, &world->runtime), 0);
    assert_int_equal(corio_uring_add(world->uring, world->runtime, &world->dispatcher), 0);
}

static void close_world(struct world *world)
{
    assert_int_equal(corio_runtime_destroy(world->runtime), 0);
    corio_uring_destroy(world->uring);
    close(world->fd);
    unlink(world->path);
    assert_int_equal(rmdir(world->directory), 0);
}

static corio_uring_stats stats_of(const struct world *world)
{
    corio_uring_stats stats = {.size = sizeof stats};
    assert_int_equal(corio_uring_get_stats(world->uring, &stats), 0);
    return stats;
}

/* Runs `root` in each world. */
static void in_each_world(corio_task_fn *root, void (*check)(struct world *world))
{
    for (int way = 0; way < 2; way++) {
        for (size_t i = 0; i < sizeof worker_counts / sizeof *worker_counts; i++) {
            struct world world;
            const corio_uring_options options = {.size = sizeof options, .threads_only = way == 1};
            open_world(&world, &options, worker_counts[i]);
            assert_int_equal(corio_run(world.runtime, root, &world), 0);
            if (check)
                check(&world);
            close_world(&world);
        }
    }
}

/* -- Files -- */

static int read_a_block(void *arg)
{
    struct world *world = *(struct world **)arg;
    int block = atomic_fetch_add(&world->count, 1) % BLOCKS;
    char buffer[BLOCK];
    int rc = corio_uring_read(world->dispatcher, world->fd, buffer, BLOCK, (int64_t)block * BLOCK);
    if (rc < 0)
        return rc;
    return rc == BLOCK && buffer[0] == block && buffer[BLOCK - 1] == block ? 0 : -EBADMSG;
}

static int read_from_many(void *arg)
{
    struct world *world = arg;
    for (int i = 0; i < TASKS; i++)
        corio_go_copy(read_a_block, &world, sizeof world);
    return corio_wait();
}

static void one_batch(struct world *world)
{
    corio_uring_stats stats = stats_of(world);
    assert_int_equal(stats.requests, TASKS);
    assert_int_equal(stats.largest_batch, TASKS);
    assert_int_equal(stats.batches, 1);
    if (stats.uses_ring)
        assert_true(stats.submits <= 1 + TASKS / (stats.entries - 1));
    else
        assert_int_equal(stats.slices, 16);
}

static void ten_thousand_tasks_read_in_one_batch(void **state)
{
    (void)state;
    in_each_world(read_from_many, one_batch);
}

static int read_hundred(void *arg)
{
    struct world *world = arg;
    for (int i = 0; i < 100; i++)
        corio_go_copy(read_a_block, &world, sizeof world);
    return corio_wait();
}

static void a_batch_that_fits_is_one_system_call(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, NULL, 2);
    assert_int_equal(corio_run(world.runtime, read_hundred, &world), 0);
    corio_uring_stats stats = stats_of(&world);
    if (stats.uses_ring)
        assert_int_equal(stats.submits, 1);
    close_world(&world);
}

static void a_small_ring_is_filled_again_and_again(void **state)
{
    (void)state;
    struct world world;
    const corio_uring_options options = {
        .size = sizeof options, .entries = 16, .timeout_ns = 60000000000u};
    open_world(&world, &options, 2);
    assert_int_equal(corio_run(world.runtime, read_from_many, &world), 0);
    close_world(&world);
}

static int whole_life_of_a_file(void *arg)
{
    struct world *world = arg;
    corio_dispatcher *dispatcher = world->dispatcher;
    char path[128], text[16] = "";
    struct statx stat;
    snprintf(path, sizeof path, "%s/new", world->directory);
    int fd = corio_uring_open(dispatcher, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fd;
    bool good = corio_uring_write(dispatcher, fd, "hello world", 11, 0) == 11 &&
                corio_uring_fsync(dispatcher, fd) == 0 &&
                corio_uring_read(dispatcher, fd, text, 5, 6) == 5 && strcmp(text, "world") == 0 &&
                corio_uring_read(dispatcher, fd, text, 5, -1) == 5 && text[0] == 'h' &&
                corio_uring_stat(dispatcher, path, &stat) == 0 && stat.stx_size == 11 &&
                corio_uring_read(dispatcher, fd, text, 5, 11) == 0 &&
                corio_uring_close(dispatcher, fd) == 0 && fcntl(fd, F_GETFD) < 0;
    unlink(path);
    return good ? 0 : -EBADMSG;
}

static void a_file_is_opened_written_read_and_closed(void **state)
{
    (void)state;
    in_each_world(whole_life_of_a_file, NULL);
}

static int good_and_bad(void *arg)
{
    struct world *world = arg;
    char buffer[4][BLOCK];
    struct statx stat;
    const corio_uring_request asked[] = {
        {.op = CORIO_URING_READ, .fd = world->fd, .buffer = buffer[0], .bytes = BLOCK},
        {.op = CORIO_URING_READ, .fd = -1, .buffer = buffer[1], .bytes = BLOCK},
        {.op = CORIO_URING_OPEN, .fd = AT_FDCWD, .path = "/nowhere/at/all"},
        {.op = (corio_uring_op)99},
        {.op = CORIO_URING_STAT, .fd = AT_FDCWD, .path = world->path, .buffer = &stat},
        {.op = CORIO_URING_RECV, .fd = world->fd, .buffer = buffer[2], .bytes = 1},
    };
    static const int expected[] = {0, -EBADF, -ENOENT, -EINVAL, 0, -ENOTSOCK};
    enum { count = sizeof asked / sizeof *asked };
    corio_request requests[count];
    corio_uring_answer answers[count];
    for (size_t i = 0; i < count; i++)
        requests[i] = corio_uring_ask(world->dispatcher, &asked[i], &answers[i]);
    int rc = corio_io_all(requests, count);
    for (size_t i = 0; i < count; i++) {
        if (requests[i].status != expected[i])
            return -EBADMSG;
    }
    return rc == -EBADF && answers[0].result == BLOCK && stat.stx_size == BLOCKS * BLOCK ? 0
                                                                                         : -EBADMSG;
}

static void an_error_reaches_its_request_only(void **state)
{
    (void)state;
    in_each_world(good_and_bad, NULL);
}

struct reading {
    struct world *world;
    char *memory;
};

static int read_into(void *arg)
{
    const struct reading *reading = arg;
    struct world *world = reading->world;
    int rc = corio_uring_read(world->dispatcher, world->fd, reading->memory, BLOCK, BLOCK);
    return rc == BLOCK ? 0 : -EBADMSG;
}

static void registered_memory_is_used(void **state)
{
    (void)state;
    struct world world;
    const size_t bytes = 1 << 16;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    const struct iovec buffer = {memory, bytes};
    const corio_uring_options options = {
        .size = sizeof options, .buffers = &buffer, .buffer_count = 1};
    open_world(&world, &options, 1);
    struct reading reading = {&world, memory};
    assert_int_equal(corio_run(world.runtime, read_into, &reading), 0);
    assert_int_equal(memory[0], 1);
    assert_int_equal(memory[BLOCK], 0);
    corio_uring_stats stats = stats_of(&world);
    if (stats.uses_ring && stats.fixed == 0)
        print_message("the kernel registers no memory here\n");
    close_world(&world);
    munmap(memory, bytes);
}

/* -- Order -- */

static atomic_int compared;

static int counted_by_offset(const corio_uring_request *a, const corio_uring_request *b)
{
    atomic_fetch_add(&compared, 1);
    return corio_uring_by_offset(a, b);
}

static void answers_are_right_in_any_order(void **state)
{
    (void)state;
    struct world world;
    const corio_uring_options options = {.size = sizeof options, .order = counted_by_offset};
    open_world(&world, &options, 2);
    assert_int_equal(corio_run(world.runtime, read_from_many, &world), 0);
    if (stats_of(&world).uses_ring)
        assert_true(atomic_load(&compared) >= TASKS);
    close_world(&world);
}

static void by_offset_orders_files_then_offsets(void **state)
{
    (void)state;
    const corio_uring_request first = {.op = CORIO_URING_READ, .fd = 3, .offset = 512};
    corio_uring_request second = {.op = CORIO_URING_WRITE, .fd = 3, .offset = 1024};
    const corio_uring_request other = {.op = CORIO_URING_SEND, .fd = 9};
    assert_int_equal(corio_uring_by_offset(&first, &second), -1);
    assert_int_equal(corio_uring_by_offset(&second, &first), 1);
    assert_int_equal(corio_uring_by_offset(&first, &first), 0);
    assert_int_equal(corio_uring_by_offset(&other, &first), -1);
    second.fd = 2;
    assert_int_equal(corio_uring_by_offset(&first, &second), 1);
}

/* -- Recordings -- */

struct own_block {
    struct world *world;
    int number;
};

static int read_own_block(void *arg)
{
    const struct own_block *mine = arg;
    struct world *world = mine->world;
    unsigned char buffer[BLOCK] = {0};
    int64_t at = (int64_t)mine->number * BLOCK;
    int rc = corio_uring_read(world->dispatcher, world->fd, buffer, BLOCK, at);
    return rc == BLOCK && buffer[0] == mine->number && buffer[BLOCK - 1] == mine->number ? 0
                                                                                         : -EBADMSG;
}

static int read_own_blocks(void *arg)
{
    for (int i = 0; i < BLOCKS; i++)
        corio_go_copy(read_own_block, (&(struct own_block){arg, i}), sizeof(struct own_block));
    int rc = corio_wait();
    return rc == 0 ? good_and_bad(arg) : rc;
}

static void a_replay_needs_no_files(void **state)
{
    (void)state;
    char path[] = "/tmp/corio-uring-XXXXXX", file[96];
    close(mkstemp(path));
    for (int replay = 0; replay < 2; replay++) {
        struct world world;
        setenv(replay ? "CORIO_REPLAY" : "CORIO_RECORD", path, 1);
        open_world(&world, NULL, 1 + (unsigned)replay);
        unsetenv(replay ? "CORIO_REPLAY" : "CORIO_RECORD");
        int fd = world.fd;
        if (replay) {
            world.fd = -1;
            assert_int_equal(ftruncate(fd, 0), 0);
            unlink(world.path);
            strcpy(world.path, file); /* which is gone; its name is part of the question */
        }
        strcpy(file, world.path);
        assert_int_equal(corio_run(world.runtime, read_own_blocks, &world), 0);
        assert_int_equal(stats_of(&world).requests == 0, replay);
        world.fd = fd;
        close_world(&world);
    }
    unlink(path);
}

/* -- Sockets -- */

/* Waits for a byte, adds one, sends it on: a task that only another one can answer. */
static int pass_on(void *arg)
{
    const struct {
        struct world *world;
        int from, to;
    } *hop = arg;
    unsigned char byte;
    int rc = corio_uring_recv(hop->world->dispatcher, hop->from, &byte, 1);
    if (rc != 1)
        return rc < 0 ? rc : -EBADMSG;
    byte++;
    rc = corio_uring_send(hop->world->dispatcher, hop->to, &byte, 1);
    return rc == 1 ? 0 : rc < 0 ? rc : -EBADMSG;
}

/* A chain of hops, begun at its far end: each recv waits for the task after it, with reads of files
 * between them. */
static int chain_of_sockets(void *arg)
{
    enum { hops = 100 };
    struct world *world = arg;
    int pairs[hops + 1][2];
    for (int i = 0; i <= hops; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[i]) < 0)
            return -errno;
    }
    for (int i = hops; i-- > 0;) {
        struct {
            struct world *world;
            int from, to;
        } hop = {world, pairs[i][1], pairs[i + 1][0]};
        corio_go_copy(pass_on, &hop, sizeof hop);
        corio_go_copy(read_a_block, &world, sizeof world);
    }
    unsigned char byte = 7;
    int rc = corio_uring_send(world->dispatcher, pairs[0][0], &byte, 1);
    if (rc == 1)
        rc = corio_uring_recv(world->dispatcher, pairs[hops][1], &byte, 1);
    int waited = corio_wait();
    for (int i = 0; i <= hops; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    return rc == 1 && byte == 7 + hops ? waited : -EBADMSG;
}

static void a_waiting_request_holds_nobody_up(void **state)
{
    (void)state;
    in_each_world(chain_of_sockets, NULL);
}

struct server {
    struct world *world;
    int listener;
    struct sockaddr_in address;
};

static int serve_one(void *arg)
{
    const struct server *server = arg;
    corio_dispatcher *dispatcher = server->world->dispatcher;
    struct sockaddr_in peer;
    socklen_t bytes = sizeof peer;
    int fd = corio_uring_accept(dispatcher, server->listener, (struct sockaddr *)&peer, &bytes);
    if (fd < 0)
        return fd;
    char text[8] = "";
    int rc = corio_uring_recv(dispatcher, fd, text, sizeof text);
    if (rc > 0 && peer.sin_family == AF_INET)
        rc = corio_uring_send(dispatcher, fd, text, (size_t)rc);
    corio_uring_close(dispatcher, fd);
    return rc == 4 ? 0 : -EBADMSG;
}

static int ask_one(void *arg)
{
    const struct server *server = *(struct server **)arg;
    corio_dispatcher *dispatcher = server->world->dispatcher;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[8] = "";
    int rc = corio_uring_connect(dispatcher, fd, (const struct sockaddr *)&server->address,
                                 sizeof server->address);
    if (rc == 0)
        rc = corio_uring_send(dispatcher, fd, "ping", 4);
    if (rc == 4)
        rc = corio_uring_recv(dispatcher, fd, text, sizeof text);
    corio_uring_close(dispatcher, fd);
    return rc == 4 && strcmp(text, "ping") == 0 ? 0 : rc < 0 ? rc : -EBADMSG;
}

static int server_and_clients(void *arg)
{
    struct server server = {
        .world = arg,
        .address = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}}};
    struct server *shared = &server;
    socklen_t bytes = sizeof server.address;
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server.listener, (struct sockaddr *)&server.address, bytes) < 0 ||
        listen(server.listener, 128) < 0 ||
        getsockname(server.listener, (struct sockaddr *)&server.address, &bytes) < 0)
        return -errno;
    for (int i = 0; i < 50; i++) {
        corio_go(serve_one, shared);
        corio_go_copy(ask_one, &shared, sizeof shared);
    }
    int rc = corio_wait();
    close(server.listener);
    return rc;
}

static void sockets_are_accepted_and_connected(void **state)
{
    (void)state;
    in_each_world(server_and_clients, NULL);
}

static int refused_connection(void *arg)
{
    struct world *world = arg;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof address;
    int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* bound, but not listening */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(taken, (struct sockaddr *)&address, bytes) < 0 ||
        getsockname(taken, (struct sockaddr *)&address, &bytes) < 0)
        return -errno;
    int rc = corio_uring_connect(world->dispatcher, fd, (struct sockaddr *)&address, bytes);
    bool blocking = (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
    close(fd);
    close(taken);
    return rc == -ECONNREFUSED && blocking ? 0 : -EBADMSG;
}

static void a_refused_connection_is_an_error(void **state)
{
    (void)state;
    in_each_world(refused_connection, NULL);
}

/* -- Timeouts -- */

static int wait_in_vain(void *arg)
{
    struct world *world = arg;
    int pair[2];
    char byte, block[BLOCK];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    const corio_uring_request asked[] = {
        {.op = CORIO_URING_RECV, .fd = pair[0], .buffer = &byte, .bytes = 1, .timeout_ns = 1000000},
        {.op = CORIO_URING_READ,
         .fd = pair[1],
         .buffer = &byte,
         .bytes = 1,
         .offset = -1,
         .timeout_ns = 2000000},
        {.op = CORIO_URING_READ,
         .fd = world->fd,
         .buffer = block,
         .bytes = BLOCK,
         .timeout_ns = 60000000000u},
    };
    corio_request requests[3];
    corio_uring_answer answers[3];
    for (size_t i = 0; i < 3; i++)
        requests[i] = corio_uring_ask(world->dispatcher, &asked[i], &answers[i]);
    corio_io_all(requests, 3);
    close(pair[0]);
    close(pair[1]);
    return requests[0].status == -ETIMEDOUT && requests[1].status == -ETIMEDOUT &&
                   requests[2].status == 0 && answers[2].result == BLOCK
               ? 0
               : -EBADMSG;
}

static void two_timeouts(struct world *world)
{
    assert_int_equal(stats_of(world).timeouts, 2);
}

static void a_timeout_ends_its_request_only(void **state)
{
    (void)state;
    in_each_world(wait_in_vain, two_timeouts);
}

/* -- Limits and options -- */

static void limits_are_kept(void **state)
{
    (void)state;
    struct world world;
    const corio_uring_options options = {
        .size = sizeof options, .max_batch = 100, .max_in_flight = 200};
    open_world(&world, &options, 2);
    assert_int_equal(corio_run(world.runtime, read_from_many, &world), 0);
    corio_uring_stats stats = stats_of(&world);
    assert_int_equal(stats.requests, TASKS);
    assert_true(stats.largest_batch <= 100);
    close_world(&world);
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    corio_uring *uring;
    corio_uring_options options = {.size = sizeof options, .entries = 15};
    assert_int_equal(corio_uring_create(&options, &uring), -EINVAL);
    options = (corio_uring_options){.size = sizeof options, .threads = 1025};
    assert_int_equal(corio_uring_create(&options, &uring), -EINVAL);
    options = (corio_uring_options){.size = sizeof options, .buffer_count = 1};
    assert_int_equal(corio_uring_create(&options, &uring), -EINVAL);
    options = (corio_uring_options){.size = 1};
    assert_int_equal(corio_uring_create(&options, &uring), -EINVAL);
    assert_int_equal(corio_uring_create(NULL, NULL), -EINVAL);
    corio_uring_destroy(NULL);
}

static void how_it_works_is_reported(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct world world;
        const corio_uring_options options = {.size = sizeof options, .threads_only = way == 1};
        open_world(&world, &options, 1);
        corio_uring_stats stats = stats_of(&world);
        if (way == 1)
            assert_true(!stats.uses_ring && stats.setup_error == 0);
        else if (stats.uses_ring)
            assert_true(stats.entries > 0);
        else
            print_message("no io_uring here: %s\n", corio_strerror(stats.setup_error));
        close_world(&world);
    }
}

/* -- The same batches -- */

struct numbered {
    struct world *world;
    int number;
};

static int read_three_blocks(void *arg)
{
    const struct numbered *numbered = arg;
    char buffer[BLOCK];
    for (int i = 0; i < 1 + numbered->number % 3; i++) {
        int64_t block = (numbered->number * 7 + i) % BLOCKS;
        int rc = corio_uring_read(numbered->world->dispatcher, numbered->world->fd, buffer, BLOCK,
                                  block * BLOCK);
        if (rc != BLOCK || buffer[0] != block)
            return rc < 0 ? rc : -EBADMSG;
    }
    return 0;
}

static int read_in_rounds(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        struct numbered numbered = {arg, i};
        corio_go_copy(read_three_blocks, &numbered, sizeof numbered);
    }
    return corio_wait();
}

/* The batch log of a strict run, as a string. */
static char *batch_log(unsigned workers, bool threads_only)
{
    struct world world;
    char path[] = "/tmp/corio-uring-log-XXXXXX";
    int fd = mkstemp(path);
    const corio_uring_options options = {.size = sizeof options, .threads_only = threads_only};
    open_world(&world, &options, workers);
    corio_options strict = CORIO_OPTIONS_INIT;
    strict.workers = workers;
    strict.wait_mode = CORIO_WAIT_STRICT;
    strict.batch_log = path;
    assert_int_equal(corio_runtime_destroy(world.runtime), 0);
    assert_int_equal(corio_runtime_create(&strict, &world.runtime), 0);
    assert_int_equal(corio_uring_add(world.uring, world.runtime, &world.dispatcher), 0);
    assert_int_equal(corio_run(world.runtime, read_in_rounds, &world), 0);
    close_world(&world);
    struct stat stat;
    assert_int_equal(fstat(fd, &stat), 0);
    char *text = calloc(1, (size_t)stat.st_size + 1);
    assert_int_equal(pread(fd, text, (size_t)stat.st_size, 0), stat.st_size);
    close(fd);
    unlink(path);
    return text;
}

static void strict_batches_are_the_same_for_any_number_of_workers(void **state)
{
    (void)state;
    char *first = batch_log(1, false);
    assert_true(strlen(first) > 2000);
    for (int i = 0; i < 6; i++) {
        char *other = batch_log(worker_counts[i / 2], i % 2 == 1);
        assert_int_equal(strcmp(first, other), 0);
        free(other);
    }
    free(first);
}

/* -- A kernel that forbids it -- */

/* This thread, and those that it starts, get EPERM from io_uring_setup. */
static void forbid_uring(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void *read_where_it_is_forbidden(void *arg)
{
    (void)arg;
    struct world world;
    forbid_uring();
    open_world(&world, NULL, 2);
    corio_uring_stats stats = stats_of(&world);
    assert_false(stats.uses_ring);
    assert_int_equal(stats.setup_error, -EPERM);
    assert_int_equal(corio_run(world.runtime, read_from_many, &world), 0);
    close_world(&world);
    return NULL;
}

static void where_the_kernel_forbids_it_threads_answer(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_where_it_is_forbidden, NULL), 0);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_it_works_is_reported),
        cmocka_unit_test(ten_thousand_tasks_read_in_one_batch),
        cmocka_unit_test(a_batch_that_fits_is_one_system_call),
        cmocka_unit_test(a_small_ring_is_filled_again_and_again),
        cmocka_unit_test(a_file_is_opened_written_read_and_closed),
        cmocka_unit_test(an_error_reaches_its_request_only),
        cmocka_unit_test(registered_memory_is_used),
        cmocka_unit_test(answers_are_right_in_any_order),
        cmocka_unit_test(by_offset_orders_files_then_offsets),
        cmocka_unit_test(a_waiting_request_holds_nobody_up),
        cmocka_unit_test(sockets_are_accepted_and_connected),
        cmocka_unit_test(a_refused_connection_is_an_error),
        cmocka_unit_test(a_timeout_ends_its_request_only),
        cmocka_unit_test(strict_batches_are_the_same_for_any_number_of_workers),
        cmocka_unit_test(where_the_kernel_forbids_it_threads_answer),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(a_replay_needs_no_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
