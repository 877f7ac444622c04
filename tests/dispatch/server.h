/* SPDX-License-Identifier: MIT
 *
 * server.h - a server that a test starts for itself.
 */
#ifndef TEST_DISPATCH_SERVER_H
#define TEST_DISPATCH_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct server {
    pid_t pid;
    int output; /* what it prints is read from here */
};

enum { SERVER_ABSENT = 1, SERVER_ENDED = 2 };

/* Starts argv and waits until it has printed a line that has `ready` in it; that line is put into
 * `line`. Returns 0, SERVER_ABSENT if there is no such program, or SERVER_ENDED if it did not last
 * that long. The server ends with the calling thread. */
int server_start(struct server *server, const char *const argv[], const char *ready, char *line,
                 size_t bytes);
/* Ends it with a signal and waits for its end. */
void server_end(struct server *server, int signal);
/* A TCP port of 127.0.0.1 that was free a moment ago. */
int server_free_port(void);

#endif
