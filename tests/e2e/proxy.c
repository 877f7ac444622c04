/* SPDX-License-Identifier: MIT
 *
 * proxy.c - stands between a program and its server, unix sockets both, for tests and measurements: a
 * network's delay, and something that happens in the middle of a conversation.
 *
 *     proxy HERE SERVER DELAY_US [WORD COUNT COMMAND]
 *
 * What comes in one way goes out DELAY_US later, in order, however much is on its way: latency without
 * a limit of throughput. When the COUNTth WORD has come from clients, COMMAND is run, once; it finds
 * the program waiting for the answer. Then that connection is closed: what came with the word never
 * goes out. "ready" is printed when clients may come. It ends with the process that started it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MOST_LINKS = 256, CHUNK_BYTES = 65536 };

/* Bytes on their way. */
struct chunk {
    struct chunk *next;
    uint64_t due_ns;
    size_t length;
    size_t written;
    char bytes[];
};

/* One direction of a connection. */
struct link {
    int from; /* -1: free */
    int to;
    struct link *back;
    bool ended; /* no more comes */
    bool client_side;
    struct chunk *first;
    struct chunk **last;
};

static struct link links[MOST_LINKS];
static const char *server_path;
static uint64_t delay_ns;
static const char *word, *command;
static unsigned long words_left;

static void die(const char *what)
{
    fprintf(stderr, "proxy: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(address.sun_path, path);
    return address;
}

/* -- Links -- */

static struct link *free_link(void)
{
    for (size_t i = 0; i < MOST_LINKS; i++)
        if (links[i].from < 0)
            return &links[i];
    errno = EMFILE;
    die("links");
    return NULL;
}

static struct link *make_link(int from, int to, bool client_side)
{
    struct link *link = free_link();
    *link = (struct link){.from = from, .to = to, .client_side = client_side};
    link->last = &link->first;
    return link;
}

static void drop(struct link *link)
{
    struct link *both[2] = {link, link->back};
    close(link->from);
    close(link->to);
    for (int i = 0; i < 2; i++) {
        for (struct chunk *chunk = both[i]->first, *next; chunk; chunk = next) {
            next = chunk->next;
            free(chunk);
        }
        *both[i] = (struct link){.from = -1};
    }
}

static void accept_client(int listener)
{
    struct sockaddr_un address = address_of(server_path);
    int client =
        accept4(listener, NULL, NULL, SOCK_CLOEXEC); /* what COMMAND starts must not keep it */
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0 || server < 0)
        die("accept");
    if (connect(server, (struct sockaddr *)&address, sizeof address) != 0) {
        close(client); /* as it would be without a proxy, nearly */
        close(server);
        return;
    }
    struct link *there = make_link(client, server, true);
    struct link *back = make_link(server, client, false);
    there->back = back;
    back->back = there;
}

/* -- Bytes -- */

/* Returns whether the last of the words has come; COMMAND is run then. */
static bool count_words(const char *bytes, size_t length)
{
    size_t word_bytes = word ? strlen(word) : 0;
    while (words_left > 0) {
        const char *found = memmem(bytes, length, word, word_bytes);
        if (!found)
            return false;
        length -= (size_t)(found - bytes) + word_bytes;
        bytes = found + word_bytes;
        if (--words_left > 0)
            continue;
        if (system(command) != 0)
            die(command);
        return true;
    }
    return false;
}

static void take(struct link *link)
{
    struct chunk *chunk = malloc(sizeof *chunk + CHUNK_BYTES);
    if (!chunk)
        die("memory");
    ssize_t got = read(link->from, chunk->bytes, CHUNK_BYTES);
    if (got <= 0) {
        link->ended = true;
        free(chunk);
        return;
    }
    if (link->client_side && count_words(chunk->bytes, (size_t)got)) {
        drop(link);
        free(chunk);
        return;
    }
    *chunk = (struct chunk){.due_ns = now_ns() + delay_ns, .length = (size_t)got};
    *link->last = chunk;
    link->last = &chunk->next;
}

/* Returns false when the connection is over. */
static bool pass_on(struct link *link, uint64_t now)
{
    while (link->first && link->first->due_ns <= now) {
        struct chunk *chunk = link->first;
        ssize_t put = send(link->to, chunk->bytes + chunk->written, chunk->length - chunk->written,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0)
            return errno == EAGAIN || errno == EINTR;
        chunk->written += (size_t)put;
        if (chunk->written < chunk->length)
            return true;
        link->first = chunk->next;
        if (!link->first)
            link->last = &link->first;
        free(chunk);
    }
    return link->first || !link->ended;
}

/* -- The loop -- */

/* files[0]: the listener; then each link's two ends. Returns when the next chunk is due. */
static uint64_t fill_files(struct pollfd *files, uint64_t now)
{
    uint64_t due = UINT64_MAX;
    for (size_t i = 0; i < MOST_LINKS; i++) {
        const struct link *link = &links[i];
        bool writes = link->from >= 0 && link->first && link->first->due_ns <= now;
        files[1 + 2 * i] = (struct pollfd){.fd = link->from < 0 || link->ended ? -1 : link->from,
                                           .events = POLLIN};
        files[2 + 2 * i] = (struct pollfd){.fd = writes ? link->to : -1, .events = POLLOUT};
        if (link->from >= 0 && link->first && !writes && link->first->due_ns < due)
            due = link->first->due_ns;
    }
    return due;
}

static void serve(int listener)
{
    struct pollfd files[1 + 2 * MOST_LINKS];
    uint64_t now = now_ns();
    uint64_t due = fill_files(files, now);
    uint64_t left = due > now ? due - now : 0;
    struct timespec limit = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
    files[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    if (ppoll(files, 1 + 2 * MOST_LINKS, due == UINT64_MAX ? NULL : &limit, NULL) < 0 &&
        errno != EINTR)
        die("poll");
    for (size_t i = 0; i < MOST_LINKS; i++)
        if (links[i].from >= 0 && files[1 + 2 * i].revents)
            take(&links[i]);
    now = now_ns();
    for (size_t i = 0; i < MOST_LINKS; i++)
        if (links[i].from >= 0 && !pass_on(&links[i], now))
            drop(&links[i]);
    if (files[0].revents)
        accept_client(listener);
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 7) {
        fprintf(stderr, "usage: proxy HERE SERVER DELAY_US [WORD COUNT COMMAND]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_TIMERSLACK, 1000);
    struct sockaddr_un address = address_of(argv[1]);
    server_path = argv[2];
    delay_ns = strtoull(argv[3], NULL, 10) * 1000;
    if (argc == 7) {
        word = argv[4];
        words_left = strtoul(argv[5], NULL, 10);
        command = argv[6];
    }
    for (size_t i = 0; i < MOST_LINKS; i++)
        links[i].from = -1;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 64) != 0)
        die(argv[1]);
    puts("ready");
    fflush(stdout);
    for (;;)
        serve(listener);
}
