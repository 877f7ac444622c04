/* SPDX-License-Identifier: MIT
 *
 * A little of everything that moves stacks: tasks on several workers, I/O, deep frames, failing from a
 * depth, cleanups. mixed.sh builds it with a sanitizer that the library was built without.
 */
#include <corio.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { tasks = 200, rounds = 10, frame_bytes = 200, depth = 40 };

static corio_dispatcher *dispatcher;
static unsigned cleanups, failed;

static int answer(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        *(int *)corio_batch_output(batch, i) = *(const int *)corio_batch_input(batch, i) + 1;
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static void clean_up(void *arg)
{
    (void)arg;
    __atomic_add_fetch(&cleanups, 1, __ATOMIC_RELAXED);
}

static int descend(int left, int number)
{
    char frame[frame_bytes];
    memset(frame, number, sizeof frame);
    if (left > 0)
        return descend(left - 1, number) + (frame[left] == (char)number);
    int out = 0;
    if (corio_io(dispatcher, &number, &out) != 0 || out != number + 1)
        corio_fail(-EPROTO, "a wrong answer");
    if (number % 10 == 0)
        corio_fail(-EDOM, "number %d", number);
    return frame[number % frame_bytes] == (char)number;
}

static int task(void *arg)
{
    int number = *(int *)arg;
    if (corio_defer(clean_up, NULL) != 0)
        return -ENOMEM;
    for (int round = 0; round < rounds; round++)
        if (descend(depth, number) != depth + 1)
            return -EPROTO;
    return 0;
}

static int watched(void *arg)
{
    int rc = corio_go_copy(task, arg, sizeof(int));
    if (rc == 0)
        rc = corio_wait();
    if (rc == -EDOM)
        __atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
    return rc == -EDOM ? 0 : rc;
}

static int root(void *arg)
{
    (void)arg;
    for (int i = 0; i < tasks; i++) {
        int rc = corio_go_copy(watched, &i, sizeof i);
        if (rc != 0)
            return rc;
    }
    return corio_wait();
}

int main(void)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    corio_dispatcher_options answering = {.size = sizeof answering,
                                          .name = "answering",
                                          .dispatch = answer,
                                          .input_bytes = sizeof(int),
                                          .output_bytes = sizeof(int)};
    options.workers = 3;
    int rc = corio_runtime_create(&options, &runtime);
    if (rc == 0)
        rc = corio_dispatcher_add(runtime, &answering, &dispatcher);
    if (rc == 0)
        rc = corio_run(runtime, root, NULL);
    corio_runtime_destroy(runtime);
    printf("%d, %u cleanups, %u failed\n", rc, cleanups, failed);
    return rc == 0 && cleanups == tasks && failed == tasks / 10 ? 0 : 1;
}
