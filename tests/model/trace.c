/* SPDX-License-Identifier: MIT
 *
 * trace.c - a run, step by step, for a reader: number, thread, operation, place, values, and the
 * line of the source, which addr2line knows.
 */
#include "tests/model/explorer.h"

#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { most_names = 64 };

static struct {
    struct {
        const char *at;
        size_t bytes;
        const char *name;
    } names[most_names];
    unsigned count;
    bool open; /* a line that may get details */
    const void *caller;
} trace;

void model_name(const void *at, size_t bytes, const char *name)
{
    if (trace.count == most_names)
        return;
    trace.names[trace.count].at = at;
    trace.names[trace.count].bytes = bytes;
    trace.names[trace.count++].name = name;
}

const char *trace_name(const void *at, char *text, size_t bytes)
{
    const char *byte = at;
    for (unsigned i = 0; i < trace.count; i++) {
        if (byte < trace.names[i].at || byte >= trace.names[i].at + trace.names[i].bytes)
            continue;
        size_t offset = (size_t)(byte - trace.names[i].at);
        snprintf(text, bytes, offset ? "%s+%zu" : "%s", trace.names[i].name, offset);
        return text;
    }
    if (byte >= heap && byte < heap + HEAP_BYTES)
        snprintf(text, bytes, "heap+%zu", (size_t)(byte - heap));
    else if (byte >= heap && byte < memory_stack(MODEL_THREADS))
        snprintf(text, bytes, "stack of thread %zu",
                 (size_t)(byte - memory_stack(0)) / STACK_BYTES);
    else
        snprintf(text, bytes, "%p", at);
    return text;
}

static int first_object(struct dl_phdr_info *info, size_t bytes, void *ret_base)
{
    (void)bytes;
    *(uintptr_t *)ret_base = info->dlpi_addr;
    return 1;
}

/* The innermost line that is the component's: not an atomic's, not the explorer's. */
static void print_line(const void *caller)
{
    uintptr_t base = 0;
    dl_iterate_phdr(first_object, &base);
    char command[128], line[512], best[512] = "";
    snprintf(command, sizeof command, "addr2line -i -s -e /proc/%d/exe %#lx 2>/dev/null",
             (int)getpid(), (unsigned long)((uintptr_t)caller - 1 - base));
    FILE *lines = popen(command, "r");
    while (lines != NULL && fgets(line, sizeof line, lines) != NULL) {
        if (strncmp(line, "ck_", 3) == 0 || strncmp(line, "atomic.h", 8) == 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        memcpy(best, line, sizeof best);
        break;
    }
    if (lines != NULL)
        pclose(lines);
    printf("   %s", best);
}

static void end_line(void)
{
    if (!trace.open)
        return;
    print_line(trace.caller);
    putchar('\n');
    trace.open = false;
}

void trace_step(const char *what, const void *at, const void *caller)
{
    if (!explorer.tracing)
        return;
    char name[128] = "";
    end_line();
    if (at != NULL)
        trace_name(at, name, sizeof name);
    printf("%5u %*s%u: %s %s", explorer.steps, (int)(4 * model_self()), "", model_self(), what,
           name);
    trace.open = true;
    trace.caller = caller;
}

void trace_detail(const char *format, ...)
{
    if (!explorer.tracing)
        return;
    va_list arguments;
    va_start(arguments, format);
    putchar(' ');
    vprintf(format, arguments);
    va_end(arguments);
}

void trace_begin_run(void)
{
    trace.count = 0;
    trace.open = false;
}

void trace_end_run(void)
{
    if (explorer.tracing)
        end_line();
}
