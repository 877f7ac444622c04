/* SPDX-License-Identifier: MIT
 *
 * example_http.c - the program of docs/dispatchers-io.md: which pages are there, and how large. */
#include <corio.h>
#include <corio/http.h>
#include <stdio.h>

static corio_dispatcher *web;

static int look(void *arg) /* a task per URL */
{
    const char *url = *(const char **)arg;
    corio_http_response response;
    size_t bytes = 0;
    int rc = corio_http_get(web, url, &response);
    if (rc < 0) {
        printf("%s: %s\n", url, corio_http_strerror(rc));
        return 0; /* the others go on */
    }
    const char *type = corio_http_header(&response, "Content-Type", &bytes);
    printf("%s: %d, %zu bytes of %.*s\n", url, response.status, response.body_bytes, (int)bytes,
           type ? type : "");
    corio_http_release(&response);
    return 0;
}

static int root(void *arg)
{
    for (char **url = arg; *url != NULL; url++)
        corio_go_copy(look, url, sizeof *url);
    return corio_wait();
}

int main(int argc, char **argv)
{
    const corio_http_options options = {
        .size = sizeof options, .connections_per_host = 4, .redirects = 5, .retries = 2};
    corio_http *http = NULL;
    corio_runtime *runtime = NULL;
    int rc = argc > 0 ? corio_http_create(&options, &http) : -1;
    if (rc == 0)
        rc = corio_runtime_create(NULL, &runtime);
    if (rc == 0)
        rc = corio_http_add(http, runtime, &web);
    if (rc == 0)
        rc = corio_run(runtime, root, argv + 1);
    if (rc < 0)
        fprintf(stderr, "%s\n", corio_http_strerror(rc));
    corio_runtime_destroy(runtime);
    corio_http_destroy(http);
    return rc < 0;
}
