/* SPDX-License-Identifier: MIT
 *
 * main.c - options, the signal, the listening socket.
 */
#include "../command.h"
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { status_fine = 0, status_usage = 2, status_error = 3 };

static const char help[] =
    "Usage: server [OPTION]...\n"
    "Serves keys and values over HTTP from an SQLite database, until SIGINT or SIGTERM.\n"
    "    GET, HEAD, PUT, DELETE  /kv/KEY    a change is answered when it is on the disk\n"
    "    GET, HEAD               /stats     how much was done in how many batches\n"
    "\n"
    "  --listen=ADDRESS:PORT  default 127.0.0.1:8080; port 0: any that is free\n"
    "  --db=FILE              default: server.db\n"
    "  --workers=N            default: the CPUs that may be used\n"
    "  --connections=MAX      most at once, more wait to be accepted; default 1000\n"
    "  --timeout=SECONDS      for a whole request to come, and for an answer to be taken; "
    "default 30\n"
    "  --threaded             a thread for each connection, and no batches, for comparison\n"
    "  --help\n"
    "\n"
    "It prints a line with its address when it is ready. A signal lets it finish the requests "
    "that have begun; a second one does not.\n"
    "Exit status: 0 stopped by a signal; 2 usage; 3 an error.\n";

struct config config = {.database = "server.db", .connections = 1000, .listener = -1, .stop = -1};
static sigset_t stop_signals;

/* Blocked for this thread and those that it makes: they come through config.stop. */
static int block_signals(void)
{
    sigemptyset(&stop_signals);
    sigaddset(&stop_signals, SIGINT);
    sigaddset(&stop_signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop_signals, NULL);
    config.stop = signalfd(-1, &stop_signals, SFD_CLOEXEC);
    return config.stop < 0 ? -errno : 0;
}

void stop_serving(void)
{
    open_stop();
    pthread_sigmask(SIG_UNBLOCK, &stop_signals, NULL); /* a second one ends the program */
}

void ask_to_stop(void)
{
    kill(getpid(), SIGTERM);
}

bool may_accept_again(int error)
{
    return error == ECONNABORTED || error == EPROTO || error == EINTR || error == EMFILE ||
           error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

static bool is_place(const char *text)
{
    const char *colon = strrchr(text, ':');
    unsigned port;
    return colon && colon > text && read_number(colon + 1, 0, 65535, &port);
}

/* ADDRESS:PORT; an IPv6 address in brackets. Cuts the text. 0, or an error of getaddrinfo's. */
static int resolve(char *text, struct addrinfo **ret)
{
    char *colon = strrchr(text, ':');
    *colon = '\0';
    size_t length = strlen(text);
    if (text[0] == '[' && text[length - 1] == ']') {
        text[length - 1] = '\0';
        text++;
    }
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    return getaddrinfo(text, colon + 1, &hints, ret);
}

static int open_listener(const struct addrinfo *address)
{
    int on = 1, fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    config.listener = fd;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 || /* connections inherit it */
        bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
        return -errno;
    return 0;
}

static int print_address(void)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char host[64], port[16];
    if (getsockname(config.listener, (struct sockaddr *)&address, &length) < 0)
        return -errno;
    if (getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return -EINVAL;
    printf(strchr(host, ':') ? "[%s]:%s\n" : "%s:%s\n", host, port);
    return fflush(stdout) == 0 ? 0 : -errno;
}

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "server: %s: %s\n", what, why);
    return status_error;
}

static int listen_at(const char *where)
{
    struct addrinfo *address;
    char *text = strdup(where);
    int error = text ? resolve(text, &address) : EAI_MEMORY;
    free(text);
    if (error)
        return complain(where, gai_strerror(error));
    int rc = open_listener(address);
    freeaddrinfo(address);
    if (rc == 0)
        rc = print_address();
    return rc < 0 ? complain(where, corio_strerror(rc)) : status_fine;
}

static int usage(const char *what)
{
    fprintf(stderr, "server: %s\n%s", what, help);
    return status_usage;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},  {"db", required_argument, NULL, 'd'},
        {"workers", required_argument, NULL, 'w'}, {"connections", required_argument, NULL, 'c'},
        {"timeout", required_argument, NULL, 't'}, {"threaded", no_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},          {0}};
    const char *where = "127.0.0.1:8080";
    unsigned timeout_s = 30;
    bool threaded = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'l' && !is_place(where = optarg))
            return usage("--listen is ADDRESS:PORT, with a port from 0 to 65535");
        else if (option == 'd')
            config.database = optarg;
        else if (option == 'w' && !read_number(optarg, 1, 1024, &config.workers))
            return usage("--workers is a number from 1 to 1024");
        else if (option == 'c' && !read_number(optarg, 1, 100000, &config.connections))
            return usage("--connections is a number from 1 to 100000");
        else if (option == 't' && !read_number(optarg, 1, 86400, &timeout_s))
            return usage("--timeout is a number of seconds from 1 to 86400");
        else if (option == 'h')
            return fputs(help, stdout), finish("server", status_fine, status_error);
        else if (option == '?')
            return fputs(help, stderr), status_usage;
        threaded |= option == 'b';
    }
    if (optind < argc)
        return usage("there are only options");
    config.timeout_ns = timeout_s * UINT64_C(1000000000);
    http_parser_set_max_header_size(most_head);
    int rc = block_signals();
    if (rc < 0)
        return complain("signalfd", corio_strerror(rc));
    int status = listen_at(where);
    if (status != status_fine)
        return status;
    if ((rc = threaded ? serve_threaded() : serve_batched()) < 0)
        return complain(config.database, corio_strerror(rc));
    return status_fine;
}
