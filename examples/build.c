/* SPDX-License-Identifier: MIT
 *
 * build.c - a small make: a task for each target, which waits for what it depends on and then runs
 * its commands.
 *
 *     a --+--> c --+--> e    a task waits on the wait groups of its dependencies; commands run
 *     b --+    d --+         in I/O threads, at most --jobs of them at once (max_in_flight)
 *
 * Stopping at the first error is what a scope does anyway: its other tasks are cancelled, commands
 * that have not begun are withdrawn, those that run are waited for. With -k the scope keeps going,
 * and what depends on the failed is left out.
 */
#include "command.h"

#include <corio.h>
#include <corio/blocking.h>

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { jobs_most = 1000 };
enum { status_fine = 0, status_failed = 1, status_usage = 2 };

static const char help[] =
    "Usage: build [OPTION]... [TARGET]...\n"
    "Makes the targets (the first of the file without any) and what they depend on, as make does:\n"
    "\n"
    "    target: dependency dependency        # a target is made if it is older than a dependency, "
    "or not there\n"
    "            command                      (after a tab) run by sh; $@ the target, $< the first "
    "dependency,\n"
    "            command                      $^ all of them, $$ a dollar sign\n"
    "\n"
    "  -f FILE           default: Buildfile\n"
    "  -j, --jobs=N      commands at once; default: the CPUs that are there\n"
    "  -k, --keep-going  after an error go on with what does not depend on it\n"
    "  -n, --dry-run     only print the commands\n"
    "  -s, --silent      do not print commands\n"
    "  --help\n"
    "\n"
    "Exit status: 0 all is made; 1 a command or the output failed; 2 usage, or a mistake in the "
    "file.\n";

enum mark { mark_none, mark_entered, mark_planned };
enum state { state_open, state_current, state_made, state_failed, state_left };

/* A target, or a file that is only depended on. Its task writes it, until `done` says so. */
struct node {
    const char *name;
    struct node **needs;
    size_t need_count;
    char **commands;
    size_t command_count;
    int line; /* of its rule; 0: it has none */
    enum mark mark;
    corio_waitgroup done; /* 1 until its task has ended */
    enum state state;
    struct timespec time; /* of the file; {0}: there is none */
    struct node *next;    /* in the file */
    struct node *after;   /* of those that are wanted, what it depends on first */
};

struct program {
    const char *file;
    unsigned jobs;
    bool keep_going, dry_run, silent;
    struct node *first, **last;
    struct node *order, **order_last;
    size_t made, current, failed, left;
    corio_dispatcher *look; /* at files: many at a time */
    corio_dispatcher *run;  /* commands: at most `jobs` */
};

static struct program program = {
    .file = "Buildfile", .last = &program.first, .order_last = &program.order};
static pthread_mutex_t printing = PTHREAD_MUTEX_INITIALIZER;

static void *must(void *memory)
{
    if (!memory) {
        fputs("build: out of memory\n", stderr);
        exit(status_usage);
    }
    return memory;
}

/* -- The file -- */

_Noreturn static void mistake(int line, const char *what, const char *word)
{
    fprintf(stderr, "build: %s:%d: %s%s\n", program.file, line, what, word);
    exit(status_usage);
}

static struct node *find(const char *name)
{
    for (struct node *node = program.first; node; node = node->next)
        if (strcmp(node->name, name) == 0)
            return node;
    return NULL;
}

static struct node *find_or_add(const char *name)
{
    struct node *node = find(name);
    if (node)
        return node;
    node = must(calloc(1, sizeof *node));
    node->name = must(strdup(name));
    *program.last = node;
    program.last = &node->next;
    return node;
}

static void add_need(struct node *node, const char *name)
{
    node->needs = must(realloc(node->needs, (node->need_count + 1) * sizeof(struct node *)));
    node->needs[node->need_count++] = find_or_add(name);
}

static struct node *read_rule(char *text, int line)
{
    char *colon = strchr(text, ':'), *rest;
    if (!colon)
        mistake(line, "this is neither a rule nor a command: ", text);
    *colon = '\0';
    char *target = strtok_r(text, " \t", &rest);
    if (!target || strtok_r(NULL, " \t", &rest))
        mistake(line, "a rule has one target", "");
    struct node *node = find_or_add(target);
    if (node->line)
        mistake(line, "there is a rule already for ", target);
    node->line = line;
    for (char *name = strtok_r(colon + 1, " \t", &rest); name; name = strtok_r(NULL, " \t", &rest))
        add_need(node, name);
    return node;
}

/* The command with $@, $<, $^ and $$ replaced. Given. */
static char *expand(const struct node *node, const char *command)
{
    char *text;
    size_t bytes;
    FILE *out = must(open_memstream(&text, &bytes));
    for (const char *c = command; *c; c++) {
        if (*c != '$' || !c[1] || !strchr("@<^$", c[1])) {
            putc(*c, out);
            continue;
        }
        c++;
        if (*c == '@' || *c == '$')
            fputs(*c == '@' ? node->name : "$", out);
        for (size_t i = 0; strchr("<^", *c) && i < node->need_count && (*c == '^' || i == 0); i++)
            fprintf(out, "%s%s", i ? " " : "", node->needs[i]->name);
    }
    if (fclose(out) != 0)
        must(NULL);
    return text;
}

_Noreturn static void unreadable(void)
{
    fprintf(stderr, "build: %s: %s\n", program.file, strerror(errno));
    exit(status_usage);
}

static void read_file(void)
{
    FILE *file = fopen(program.file, "re");
    if (!file)
        unreadable();
    struct node *node = NULL;
    char *text = NULL;
    size_t room = 0;
    ssize_t length;
    for (int line = 1; (length = getline(&text, &room, file)) >= 0; line++) {
        while (length > 0 && isspace((unsigned char)text[length - 1]))
            text[--length] = '\0';
        if (text[strspn(text, " \t")] == '\0' || text[0] == '#')
            continue;
        if (text[0] != '\t') {
            text[strcspn(text, "#")] = '\0';
            node = read_rule(text, line);
            continue;
        }
        if (!node)
            mistake(line, "a command without a rule", "");
        node->commands = must(realloc(node->commands, (node->command_count + 1) * sizeof(char *)));
        node->commands[node->command_count++] = expand(node, text + 1);
    }
    if (!feof(file))
        unreadable();
    free(text);
    fclose(file);
}

/* Puts a target and all it depends on, those first, into the order of tasks. Here and not in a
 * task, since it recurses. */
static void plan(struct node *node)
{
    if (node->mark == mark_entered)
        mistake(node->line, "depends on itself, by way of others: ", node->name);
    if (node->mark == mark_planned)
        return;
    node->mark = mark_entered;
    for (size_t i = 0; i < node->need_count; i++)
        plan(node->needs[i]);
    node->mark = mark_planned;
    *program.order_last = node;
    program.order_last = &node->after;
}

/* -- In I/O threads -- */

static int look(void *arg)
{
    struct node *node = arg;
    struct stat stat_of;
    node->time = (struct timespec){0};
    if (stat(node->name, &stat_of) == 0)
        node->time = stat_of.st_mtim;
    else if (errno != ENOENT && errno != ENOTDIR)
        return -errno;
    return 0;
}

/* Runs one command. 0, its exit status or 128 + signal, or a negative code if it could not be
 * started. */
static int run(void *arg)
{
    char *command = arg;
    if (!program.silent || program.dry_run) {
        pthread_mutex_lock(&printing);
        puts(command);
        fflush(stdout);
        pthread_mutex_unlock(&printing);
    }
    if (program.dry_run)
        return 0;
    pid_t child;
    char shell[] = "sh", option[] = "-c";
    int status, rc = posix_spawn(&child, "/bin/sh", NULL, NULL,
                                 (char *[]){shell, option, command, NULL}, environ);
    if (rc != 0)
        return -rc;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* -- Tasks -- */

static bool later(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

static bool exists(const struct node *node)
{
    return node->time.tv_sec != 0 || node->time.tv_nsec != 0;
}

/* Waits for what it depends on. ret_stale: whether one of them is newer than it, or was made. */
static int wait_for_needs(struct node *node, bool *ret_stale)
{
    *ret_stale = !exists(node);
    for (size_t i = 0; i < node->need_count; i++) {
        struct node *need = node->needs[i];
        int rc = corio_waitgroup_wait(&need->done);
        if (rc < 0)
            return rc;
        if (need->state == state_failed || need->state == state_left)
            node->state = state_left; /* but wait for the others */
        if (need->state == state_made || later(need->time, node->time))
            *ret_stale = true;
    }
    return 0;
}

static int failed(struct node *node, const char *why, int status)
{
    struct timespec before = node->time;
    pthread_mutex_lock(&printing);
    fflush(stdout);
    fprintf(stderr, "build: %s: %s", node->name, why);
    if (status)
        fprintf(stderr, " %d", status);
    /* What a failed command has left half done must not look made the next time. */
    if (status && look(node) == 0 && exists(node) && later(node->time, before) &&
        unlink(node->name) == 0)
        fputs("; removed", stderr);
    fputc('\n', stderr);
    pthread_mutex_unlock(&printing);
    node->state = state_failed;
    return -EIO; /* an error of the scope's: cancels the others, unless it keeps going */
}

static int look_at(struct node *node)
{
    int rc = corio_blocking(program.look, look, node);
    return rc < 0 && rc != -ECANCELED ? failed(node, corio_strerror(rc), 0) : rc;
}

static int run_commands(struct node *node)
{
    for (size_t i = 0; i < node->command_count; i++) {
        int result = 0;
        const corio_blocking_call call = {run, node->commands[i]};
        corio_request request = corio_blocking_request(program.run, &call, &result);
        int rc = corio_io_all(&request, 1);
        if (rc < 0)
            return rc; /* cancelled before it began */
        if (result < 0)
            return failed(node, corio_strerror(result), 0);
        if (result > 0)
            return failed(node, "exit status", result);
    }
    node->state = state_made;
    return program.dry_run ? 0 : look_at(node);
}

static int make_node(struct node *node)
{
    bool stale = false;
    int rc = look_at(node); /* all of them in one batch */
    if (rc == 0)
        rc = wait_for_needs(node, &stale);
    if (rc < 0 || node->state == state_left)
        return rc;
    if (!node->line && !exists(node))
        return failed(node, "it is not there, and no rule makes it", 0);
    if (stale && node->command_count)
        return run_commands(node);
    node->state =
        stale && node->line ? state_made : state_current; /* without commands: a name for others */
    return 0;
}

static int node_task(void *arg)
{
    struct node *node = arg;
    int rc = make_node(node);
    if (node->state == state_open)
        node->state = state_left;
    corio_waitgroup_done(&node->done);
    return rc;
}

static int root(void *arg)
{
    (void)arg;
    corio_set_keep_going(program.keep_going);
    int rc = 0;
    for (struct node *node = program.order; rc == 0 && node; node = node->after) {
        rc = corio_waitgroup_add(&node->done, 1);
        if (rc == 0)
            rc = corio_go_named(node->name, node_task, node);
    }
    int waited = corio_wait();
    return waited < 0 ? waited : rc;
}

/* -- The end -- */

static int report(struct node **targets)
{
    for (struct node *node = program.first; node; node = node->next) {
        if (node->mark != mark_planned || !node->line)
            continue; /* not asked for, or not ours to make */
        program.made += node->state == state_made && node->command_count;
        program.current += node->state == state_current;
        program.failed += node->state == state_failed;
        program.left += node->state == state_left || node->state == state_open;
    }
    for (; *targets; targets++)
        if ((*targets)->state == state_current)
            printf("%s is up to date\n", (*targets)->name);
    printf("%zu made, %zu up to date, %zu failed, %zu left out\n", program.made, program.current,
           program.failed, program.left);
    for (struct node *node = program.first; node; node = node->next)
        if (node->state == state_failed)
            return status_failed;
    return program.left ? status_failed : status_fine;
}

static int build(struct node **targets)
{
    corio_runtime *runtime;
    const corio_blocking_options looks = {.size = sizeof looks, .name = "look", .grain = 16};
    const corio_blocking_options runs = {
        .size = sizeof runs, .name = "run", .max_in_flight = program.jobs};
    corio_options options = CORIO_OPTIONS_INIT;
    options.io_permits = program.jobs + 2;
    int rc = corio_runtime_create(&options, &runtime);
    if (rc == 0)
        rc = corio_blocking_add(runtime, &looks, &program.look);
    if (rc == 0)
        rc = corio_blocking_add(runtime, &runs, &program.run);
    if (rc < 0) {
        fprintf(stderr, "build: %s\n", corio_strerror(rc));
        return status_usage;
    }
    rc = corio_run(runtime, root, NULL);
    if (rc < 0 && rc != -EIO)
        fprintf(stderr, "build: %s\n", corio_strerror(rc));
    corio_runtime_destroy(runtime);
    int status = report(targets);
    return rc < 0 ? status_failed : status;
}

static void release(void)
{
    for (struct node *node = program.first, *next; node; node = next) {
        next = node->next;
        for (size_t i = 0; i < node->command_count; i++)
            free(node->commands[i]);
        free(node->commands);
        free(node->needs);
        free((char *)node->name);
        free(node);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"jobs", required_argument, NULL, 'j'}, {"keep-going", no_argument, NULL, 'k'},
        {"dry-run", no_argument, NULL, 'n'},    {"silent", no_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},       {0}};
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    program.jobs = cpus < 1 ? 1 : cpus > jobs_most ? jobs_most : (unsigned)cpus;
    for (int option; (option = getopt_long(argc, argv, "f:j:kns", options, NULL)) != -1;) {
        if (option == 'f')
            program.file = optarg;
        else if (option == 'j' && !read_number(optarg, 1, jobs_most, &program.jobs))
            return fputs("build: --jobs is a number from 1 to 1000\n", stderr), status_usage;
        else if (option == 'h')
            return fputs(help, stdout), finish("build", status_fine, status_failed);
        else if (option == '?')
            return fputs(help, stderr), status_usage;
        program.keep_going |= option == 'k';
        program.dry_run |= option == 'n';
        program.silent |= option == 's';
    }
    read_file();
    if (!program.first)
        mistake(1, "no rules", "");
    int target_count = argc > optind ? argc - optind : 1;
    struct node **targets = must(calloc((size_t)target_count + 1, sizeof(struct node *)));
    for (int i = 0; i < target_count; i++) {
        targets[i] = optind < argc ? find(argv[optind + i]) : program.first;
        if (!targets[i]) {
            fprintf(stderr, "build: no rule makes %s\n", argv[optind + i]);
            free(targets);
            release();
            return status_usage;
        }
        plan(targets[i]);
    }
    int status = build(targets);
    free(targets);
    release();
    return finish("build", status, status_failed);
}
