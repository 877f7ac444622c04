/* SPDX-License-Identifier: MIT
 *
 * counts.c - does one operation COUNT times with one worker, for counts.py, which counts the
 * instructions.
 *
 *   spawn_wait   spawn an empty child, wait for it
 *   spawn_many   spawn 100 empty children, then wait: per child
 *   request      100 tasks ask at once and are answered in one batch: per request
 *   phase        one task asks: a phase per request
 *   lock         lock a free mutex, unlock it
 *   hand_over    two tasks take turns with a mutex: each unlock wakes the other
 *   switch       jump to another context, as the runtime does inside
 *
 * What a run costs besides (making the runtime, the first stacks) drops out: counts.py takes the
 * difference of two COUNTs.
 */
#include "runtime/base/context.h"

#include <corio.h>

#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CORIO_DISPATCHER(echo, uint64_t, uint64_t);

enum { group = 100, stack_bytes = 64 * 1024 };

struct job {
    uint64_t count;
    struct echo face;
    corio_mutex mutex;
};

struct operation {
    const char *name;
    corio_task_fn *root;
};

/* -- Spawn -- */

static int empty_task(void *arg)
{
    (void)arg;
    return 0;
}

static int spawn_wait(void *arg)
{
    const struct job *job = arg;
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < job->count; i++) {
        rc = corio_go(empty_task, NULL);
        if (rc == 0)
            rc = corio_wait();
    }
    return rc;
}

static int spawn_many(void *arg)
{
    const struct job *job = arg;
    int rc = 0;
    for (uint64_t done = 0; rc == 0 && done < job->count; done += group) {
        for (int i = 0; rc == 0 && i < group; i++)
            rc = corio_go(empty_task, NULL);
        if (rc == 0)
            rc = corio_wait();
    }
    return rc;
}

/* -- Requests -- */

static int answer(void *self, corio_batch *batch)
{
    (void)self;
    const size_t count = corio_batch_len(batch);
    for (size_t i = 0; i < count; i++)
        echo_respond(batch, i, echo_input(batch, i));
    return CORIO_DONE;
}

static int ask_often(const struct job *job, uint64_t times)
{
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < times; i++) {
        uint64_t answered = ~i;
        rc = echo_io(job->face, &i, &answered);
        if (rc == 0 && answered != i)
            rc = -EIO;
    }
    return rc;
}

static int asking_task(void *arg)
{
    const struct job *job = arg;
    return ask_often(job, job->count / group);
}

static int request(void *arg)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < group; i++)
        rc = corio_go(asking_task, arg);
    int waited = corio_wait();
    return rc != 0 ? rc : waited;
}

static int phase(void *arg)
{
    const struct job *job = arg;
    return ask_often(job, job->count);
}

/* -- Mutex -- */

static int lock_times(struct job *job, uint64_t times)
{
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < times; i++) {
        rc = corio_mutex_lock(&job->mutex);
        if (rc == 0)
            rc = corio_mutex_unlock(&job->mutex);
    }
    return rc;
}

static int lock(void *arg)
{
    struct job *job = arg;
    return lock_times(job, job->count);
}

static int half_the_locks(void *arg)
{
    struct job *job = arg;
    return lock_times(job, job->count / 2);
}

/* Both wait for the mutex before it comes free, and from then on each lock waits for the other. */
static int hand_over(void *arg)
{
    struct job *job = arg;
    int rc = corio_mutex_lock(&job->mutex);
    if (rc == 0)
        rc = corio_go(half_the_locks, job);
    if (rc == 0)
        rc = corio_go(half_the_locks, job);
    if (rc == 0)
        rc = ask_often(job, 1);
    if (rc == 0)
        rc = corio_mutex_unlock(&job->mutex);
    int waited = corio_wait();
    return rc != 0 ? rc : waited;
}

/* -- The switch alone -- */

static void bounce(cr_transfer transfer)
{
    for (;;)
        transfer = cr_context_jump(transfer.from, NULL);
}

static int switch_contexts(void *arg)
{
    static alignas(64) char stack[stack_bytes];
    const struct job *job = arg;
    cr_context other = cr_context_make(stack + stack_bytes, stack_bytes, bounce);
    for (uint64_t i = 0; i < job->count; i += 2)
        other = cr_context_jump(other, NULL).from;
    return 0;
}

static const struct operation operations[] = {
    {"spawn_wait", spawn_wait},
    {"spawn_many", spawn_many},
    {"request", request},
    {"phase", phase},
    {"lock", lock},
    {"hand_over", hand_over},
    {"switch", switch_contexts},
};

static int run(const struct operation *operation, struct job *job)
{
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = 1;
    corio_runtime *runtime;
    int rc = corio_runtime_create(&options, &runtime);
    if (rc != 0)
        return rc;
    rc = echo_add(runtime, answer, NULL, &job->face);
    if (rc == 0)
        rc = corio_run_named(runtime, operation->name, operation->root, job);
    corio_runtime_destroy(runtime);
    return rc;
}

static int usage(FILE *stream)
{
    fprintf(stream,
            "Usage: counts OPERATION COUNT\n"
            "Does one operation COUNT (a multiple of 100) times with one worker. Operations:");
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        fprintf(stream, " %s", operations[i].name);
    fputc('\n', stream);
    return stream == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    char *end = NULL;
    struct job job = {.count = argc == 3 ? strtoull(argv[2], &end, 10) : 0};
    if (argc != 3 || *end != '\0' || job.count == 0 || job.count % group != 0)
        return usage(stderr);
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (strcmp(argv[1], operations[i].name) != 0)
            continue;
        int rc = run(&operations[i], &job);
        if (rc != 0)
            fprintf(stderr, "counts: %s: %s\n", argv[1], corio_strerror(rc));
        return rc != 0;
    }
    return usage(stderr);
}
