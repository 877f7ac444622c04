/* SPDX-License-Identifier: MIT
 *
 * example_uring.c - the program of docs/dispatchers-io.md: counts the lines of files. */
#include <corio.h>
#include <corio/uring.h>
#include <fcntl.h>
#include <stdio.h>

static corio_dispatcher *files;

static int count_lines(void *arg) /* a task per file */
{
    const char *path = *(const char **)arg;
    char buffer[16384];
    long lines = 0;
    int got = 0, fd = corio_uring_open(files, path, O_RDONLY, 0);
    if (fd < 0)
        return fd;
    for (int64_t at = 0; (got = corio_uring_read(files, fd, buffer, sizeof buffer, at)) > 0;
         at += got) {
        for (int i = 0; i < got; i++)
            lines += buffer[i] == '\n';
    }
    corio_uring_close(files, fd);
    if (got == 0)
        printf("%8ld %s\n", lines, path);
    return got;
}

static int root(void *arg)
{
    for (char **path = arg; *path != NULL; path++)
        corio_go_copy(count_lines, path, sizeof *path);
    return corio_wait(); /* all opens are one batch, then all first reads, ... */
}

int main(int argc, char **argv)
{
    corio_uring *uring = NULL;
    corio_runtime *runtime = NULL;
    int rc = argc > 0 ? corio_uring_create(NULL, &uring) : -1;
    if (rc == 0)
        rc = corio_runtime_create(NULL, &runtime);
    if (rc == 0)
        rc = corio_uring_add(uring, runtime, &files);
    if (rc == 0)
        rc = corio_run(runtime, root, argv + 1);
    if (rc < 0)
        fprintf(stderr, "%s\n", corio_strerror(rc));
    corio_runtime_destroy(runtime);
    corio_uring_destroy(uring);
    return rc < 0;
}
