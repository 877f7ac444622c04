/* SPDX-License-Identifier: MIT
 *
 * unload.c - unload LIBRARY: loads libcorio, runs something on all workers and unloads it, again
 * and again. It must be gone each time, and leave neither threads nor mappings behind.
 */
#include <corio.h>

#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { rounds = 50, warm = 5 };

static int (*go)(const char *name, corio_task_fn *fn, void *arg);
static int (*join)(void);

static int leaf(void *arg)
{
    __atomic_add_fetch((int *)arg, 1, __ATOMIC_RELAXED);
    return 0;
}

static int root(void *arg)
{
    for (int i = 0; i < 1000; i++)
        go("leaf", leaf, arg);
    return join();
}

static void *must(void *pointer, const char *what)
{
    if (pointer)
        return pointer;
    printf("%s: %s\n", what, dlerror());
    _exit(1);
}

static int once(const char *path)
{
    void *library = must(dlopen(path, RTLD_NOW | RTLD_LOCAL), path);
    int (*create)(const corio_options *, corio_runtime **) =
        must(dlsym(library, "corio_runtime_create"), "create");
    int (*run)(corio_runtime *, const char *, corio_task_fn *, void *) =
        must(dlsym(library, "corio_run_named"), "run");
    int (*destroy)(corio_runtime *) = must(dlsym(library, "corio_runtime_destroy"), "destroy");
    go = must(dlsym(library, "corio_go_named"), "go");
    join = must(dlsym(library, "corio_wait"), "wait");
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = 4;
    corio_runtime *runtime;
    int count = 0;
    if (create(&options, &runtime) < 0 || run(runtime, "root", root, &count) != 0 ||
        destroy(runtime) != 0)
        return puts("the run failed"), 1;
    if (count != 1000)
        return printf("%d tasks ran\n", count), 1;
    dlclose(library);
    if (dlopen(path, RTLD_NOW | RTLD_NOLOAD))
        return puts("it is still loaded"), 1;
    return 0;
}

static int count_tasks(void)
{
    int count = 0;
    DIR *folder = must(opendir("/proc/self/task"), "/proc/self/task");
    for (struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static int count_mappings(void)
{
    int count = 0;
    FILE *file = must(fopen("/proc/self/maps", "r"), "/proc/self/maps");
    for (int c; (c = getc(file)) != EOF;)
        count += c == '\n';
    fclose(file);
    return count;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    int before = 0;
    for (int i = 0; i < rounds; i++) {
        if (once(argv[1]) != 0)
            return 1;
        if (i == warm)
            before = count_mappings();
    }
    struct sigaction action;
    stack_t alternate;
    if (sigaction(SIGSEGV, NULL, &action) < 0 || action.sa_handler != SIG_DFL ||
        sigaltstack(NULL, &alternate) < 0 || !(alternate.ss_flags & SS_DISABLE))
        return puts("a signal handler or its stack is left"), 1;
    if (count_tasks() != 1)
        return printf("%d threads are left\n", count_tasks()), 1;
    /* The C library keeps some stacks and arenas; a mapping per round would be a leak. */
    if (count_mappings() > before + rounds / 4)
        return printf("%d mappings have become %d\n", before, count_mappings()), 1;
    puts("corio works");
    return 0;
}
