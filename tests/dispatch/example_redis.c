/* SPDX-License-Identifier: MIT
 *
 * example_redis.c - the program of docs/dispatchers-io.md: adds up a thousand visits. */
#include <corio.h>
#include <corio/redis.h>
#include <stdio.h>
#include <stdlib.h>

static corio_dispatcher *redis;

static int count_visit(void *arg) /* one of a thousand tasks, at most a hundred different pages */
{
    char page[32], visits[32];
    corio_redis_reply name, count;
    snprintf(page, sizeof page, "page:%d", *(int *)arg % 100);
    snprintf(visits, sizeof visits, "visits:%d", *(int *)arg % 100);

    int rc = corio_redis_get(redis, page, &name); /* all of them: MGET, each page once */
    if (rc < 0)
        return rc;
    const char *const argv[] = {"INCR", visits};
    const corio_redis_command incr = {.argc = 2, .argv = argv};
    rc = corio_redis_call(redis, &incr, &count); /* pipelined; sent twice never */
    if (rc == 0 && name.reply->type == REDIS_REPLY_STRING)
        printf("%s: %lld\n", name.reply->str, count.reply->integer);
    corio_redis_release(&name);
    corio_redis_release(&count);
    return rc;
}

static int root(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++)
        corio_go_copy(count_visit, &i, sizeof i);
    return corio_wait();
}

int main(void)
{
    const corio_redis_options options = {
        .size = sizeof options, .unix_path = getenv("REDIS_SOCKET"), .fold = true};
    corio_redis *pool = NULL;
    corio_runtime *runtime = NULL;
    int rc = corio_redis_create(&options, &pool);
    if (rc == 0)
        rc = corio_runtime_create(NULL, &runtime);
    if (rc == 0)
        rc = corio_redis_add(pool, runtime, &redis);
    if (rc == 0)
        rc = corio_run(runtime, root, NULL);
    if (rc < 0)
        fprintf(stderr, "%s\n", corio_redis_strerror(rc));
    corio_runtime_destroy(runtime);
    corio_redis_destroy(pool);
    return rc < 0;
}
