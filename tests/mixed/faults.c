/* SPDX-License-Identifier: MIT
 *
 * faults.c [NAME] - one mistake in a task, for AddressSanitizer in the program and none in the library.
 * The task has been suspended, and maybe been moved, between having its frames and the mistake.
 */
#include <corio.h>
#include <stdio.h>
#include <string.h>

enum { suspensions = 20, frame_bytes = 1000 };

static void move_around(void)
{
    for (int i = 0; i < suspensions; i++)
        if (corio_sleep(1000) != 0) /* less could be over before it begins */
            corio_fail(-1, "cannot sleep");
}

static char *kept;

static __attribute__((noinline)) void keep_local(void)
{
    char local[frame_bytes];
    memset(local, 1, sizeof local);
    kept = local;
    move_around();
}

static int use_after_return(void *arg)
{
    (void)arg;
    keep_local();
    move_around();
    return kept[1];
}

static int write_behind_end(void *arg)
{
    char local[frame_bytes];
    volatile size_t at = sizeof local;
    memset(local, 1, sizeof local);
    move_around();
    local[at] = *(const char *)arg;
    return local[0];
}

static __attribute__((noinline)) int descend(volatile int *depth)
{
    volatile char frame[frame_bytes];
    frame[0] = (char)++*depth;
    return descend(depth) + frame[0];
}

static int overflow(void *arg)
{
    (void)arg;
    volatile int depth = 0;
    move_around();
    return descend(&depth);
}

static int harmless(void *arg)
{
    (void)arg;
    move_around();
    return 0;
}

static corio_task_fn *find(const char *name)
{
    static const struct {
        const char *name;
        corio_task_fn *fn;
    } all[] = {{"return", use_after_return}, {"behind", write_behind_end}, {"overflow", overflow}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].name, name) == 0)
            return all[i].fn;
    return harmless;
}

static int root(void *name)
{
    for (int i = 0; i < 3; i++) {
        int rc = corio_go_named("mistaken", find(name), name);
        if (rc != 0)
            return rc;
    }
    return corio_wait();
}

int main(int argc, char **argv)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    char none[] = "";
    options.workers = 3;
    int rc = corio_runtime_create(&options, &runtime);
    if (rc == 0)
        rc = corio_run(runtime, root, argc > 1 ? argv[1] : none);
    corio_runtime_destroy(runtime);
    return rc != 0;
}
