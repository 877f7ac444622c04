/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_ABSENT = 127 };

static void become(const char *const argv[], int output)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it goes with the thread, however that ends */
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execvp(argv[0], (char **)(uintptr_t)argv);
    _exit(EXIT_ABSENT);
}

/* Reads a line; false at the end. */
static bool read_line(int fd, char *line, size_t bytes)
{
    size_t length = 0;
    char c = '\0';
    while (read(fd, &c, 1) == 1 && c != '\n') {
        if (length + 1 < bytes)
            line[length++] = c;
    }
    line[length] = '\0';
    return c == '\n';
}

int server_start(struct server *server, const char *const argv[], const char *ready, char *line,
                 size_t bytes)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        abort();
    fcntl(ends[0], F_SETPIPE_SZ, 1 << 20); /* nobody reads on once it is ready */
    server->pid = fork();
    if (server->pid == 0)
        become(argv, ends[1]);
    close(ends[1]);
    server->output = ends[0];
    while (read_line(server->output, line, bytes)) {
        if (strstr(line, ready))
            return 0;
    }
    int status = 0;
    waitpid(server->pid, &status, 0);
    close(server->output);
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_ABSENT ? SERVER_ABSENT : SERVER_ENDED;
}

void server_end(struct server *server, int signal)
{
    kill(server->pid, signal);
    kill(server->pid, SIGCONT);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close(server->output);
}

int server_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&address, bytes) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
        abort();
    close(fd);
    return ntohs(address.sin_port);
}
