/* SPDX-License-Identifier: MIT */
#include "runtime/observe/trace.h"

#include "runtime/base/alloc.h"
#include "runtime/base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { most_event_bytes = 2048, most_log_bytes = 512 };

/* -- The file -- */

static void write_locked(cr_trace *trace, const char *bytes, size_t count)
{
    if (trace->error == 0 && fwrite(bytes, 1, count, trace->file) != count)
        trace->error = errno != 0 ? -errno : -EIO;
}

static void name_track(cr_trace *trace, unsigned track, const char *name)
{
    char event[160];
    int length = snprintf(event, sizeof event,
                          "{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":%u,"
                          "\"args\":{\"name\":\"%s\"}},\n",
                          track, name);
    write_locked(trace, event, (size_t)length);
}

static unsigned engine_track(const cr_trace *trace)
{
    return trace->workers;
}

static unsigned completion_track(const cr_trace *trace)
{
    return trace->workers + 1;
}

int cr_trace_open(cr_trace *trace, const char *path, unsigned workers)
{
    *trace = (cr_trace){.began_ns = cr_now_ns(), .workers = workers};
    trace->file = fopen(path, "we");
    if (trace->file == NULL)
        return -errno;
    pthread_mutex_init(&trace->lock, NULL);
    write_locked(trace, "[\n", 2);
    for (unsigned i = 0; i < workers; i++) {
        char name[32];
        snprintf(name, sizeof name, "worker %u", i);
        name_track(trace, i, name);
    }
    name_track(trace, engine_track(trace), "phase engine");
    name_track(trace, completion_track(trace), "completions");
    return 0;
}

int cr_trace_close(cr_trace *trace)
{
    static const char last[] = "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"tid\":0,"
                               "\"args\":{\"name\":\"corio\"}}\n]\n";
    if (trace->file == NULL)
        return 0;
    write_locked(trace, last, sizeof last - 1);
    if (fclose(trace->file) != 0 && trace->error == 0)
        trace->error = -errno;
    trace->file = NULL;
    pthread_mutex_destroy(&trace->lock);
    return trace->error;
}

/* -- Buffers -- */

cr_trace_buffer *cr_trace_buffer_create(cr_trace *trace, unsigned worker)
{
    cr_trace_buffer *buffer = cr_alloc(sizeof *buffer);
    if (buffer != NULL) {
        buffer->trace = trace;
        buffer->worker = worker;
        buffer->used = 0;
        buffer->since_ns = 0;
    }
    return buffer;
}

static void flush(cr_trace_buffer *buffer)
{
    pthread_mutex_lock(&buffer->trace->lock);
    write_locked(buffer->trace, buffer->bytes, buffer->used);
    pthread_mutex_unlock(&buffer->trace->lock);
    buffer->used = 0;
}

void cr_trace_buffer_destroy(cr_trace_buffer *buffer)
{
    if (buffer == NULL)
        return;
    flush(buffer);
    cr_free(buffer);
}

/* Appends an event, which is known to be shorter than most_event_bytes. */
static __attribute__((format(printf, 2, 3))) void put(cr_trace_buffer *buffer, const char *format,
                                                      ...)
{
    va_list args;
    if (CR_TRACE_BYTES - buffer->used < most_event_bytes)
        flush(buffer);
    va_start(args, format);
    int length = vsnprintf(buffer->bytes + buffer->used, most_event_bytes, format, args);
    va_end(args);
    if (length > 0 && length < most_event_bytes)
        buffer->used += (size_t)length;
}

/* -- Pieces of events -- */

/* Nanoseconds since the trace began. */
static uint64_t since(const cr_trace *trace, uint64_t at_ns)
{
    return at_ns > trace->began_ns ? at_ns - trace->began_ns : 0;
}

/* Microseconds with three decimals; %f would write a comma in some locales. */
#define US        "%" PRIu64 ".%03u"
#define US_OF(ns) (ns) / 1000, (unsigned)((ns) % 1000)

/* What JSON allows in a string: the rest is written as \uXXXX. Cut to fit. */
static void escape(const char *text, char *out, size_t bytes)
{
    size_t at = 0;
    for (; *text != '\0' && at + 7 < bytes; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            at += (size_t)snprintf(out + at, bytes - at, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            at += (size_t)snprintf(out + at, bytes - at, "\\u%04x", c);
        else
            out[at++] = (char)c;
    }
    out[at] = '\0';
}

/* A path that is too long is cut in front: its end tells more. */
static void print_path(const corio_task *task, char *out, size_t bytes)
{
    size_t length = corio_task_path_text(task, out, bytes);
    if (length >= bytes)
        snprintf(out, bytes, "(%zu levels deep, %" PRIu64 ")", corio_task_path(task, NULL, 0),
                 task->index);
}

/* -- A worker's -- */

static void end_stretch(cr_trace_buffer *buffer, uint64_t now)
{
    if (buffer->since_ns == 0)
        return;
    put(buffer,
        "{\"name\":\"%s\",\"cat\":\"task\",\"ph\":\"X\",\"pid\":1,\"tid\":%u,\"ts\":" US
        ",\"dur\":" US ",\"args\":{\"path\":\"%s\"}},\n",
        buffer->name, buffer->worker, US_OF(since(buffer->trace, buffer->since_ns)),
        US_OF(now - buffer->since_ns), buffer->path);
    buffer->since_ns = 0;
}

void cr_trace_run(cr_trace_buffer *buffer, const corio_task *task)
{
    uint64_t now = cr_now_ns();
    end_stretch(buffer, now);
    escape(task->name, buffer->name, sizeof buffer->name);
    print_path(task, buffer->path, sizeof buffer->path);
    buffer->since_ns = now;
}

/* A point in time of a task. */
static void instant(cr_trace_buffer *buffer, const char *category, const char *name,
                    const corio_task *task, const char *more)
{
    uint64_t at = since(buffer->trace, cr_now_ns());
    char path[CR_TRACE_PATH];
    print_path(task, path, sizeof path);
    put(buffer,
        "{\"name\":\"%s\",\"cat\":\"%s\",\"ph\":\"i\",\"s\":\"t\",\"pid\":1,\"tid\":%u,"
        "\"ts\":" US ",\"args\":{\"path\":\"%s\"%s}},\n",
        name, category, buffer->worker, US_OF(at), path, more);
}

void cr_trace_spawn(cr_trace_buffer *buffer, const corio_task *parent, const char *name,
                    uint64_t index)
{
    char event[CR_TRACE_NAME], child[48];
    snprintf(event, sizeof event, "spawn ");
    escape(name, event + 6, sizeof event - 6);
    snprintf(child, sizeof child, ",\"child\":%" PRIu64, index);
    instant(buffer, "spawn", event, parent, child);
}

void cr_trace_finish(cr_trace_buffer *buffer, const corio_task *task, int rc)
{
    char result[32];
    end_stretch(buffer, cr_now_ns());
    snprintf(result, sizeof result, ",\"result\":%d", rc);
    instant(buffer, "finish", "finish", task, result);
}

static const char *reason_of(const cr_park *park)
{
    return park->reason != NULL ? park->reason->text : "waits for I/O";
}

/* The beginning ("b") or end ("e") of a wait. */
static void wait_event(cr_trace_buffer *buffer, const cr_park *park, char kind)
{
    uint64_t at = since(buffer->trace, cr_now_ns());
    char path[CR_TRACE_PATH];
    print_path(park->task, path, sizeof path);
    put(buffer,
        "{\"name\":\"%s\",\"cat\":\"%s\",\"ph\":\"%c\",\"id\":\"%p\",\"pid\":1,\"tid\":%u,"
        "\"ts\":" US ",\"args\":{\"path\":\"%s\",\"batch\":%" PRIu64 "}},\n",
        reason_of(park), park->reason != NULL ? "wait" : "io", kind, (const void *)park,
        buffer->worker, US_OF(at), path, park->batch);
}

void cr_trace_park(cr_trace_buffer *buffer, const cr_park *park)
{
    end_stretch(buffer, cr_now_ns());
    wait_event(buffer, park, 'b');
}

void cr_trace_resume(cr_trace_buffer *buffer, const cr_park *park)
{
    wait_event(buffer, park, 'e');
    cr_trace_run(buffer, park->task);
}

void cr_trace_log(cr_trace_buffer *buffer, const corio_task *task, const char *format, va_list args)
{
    char text[most_log_bytes], safe[2 * most_log_bytes];
    vsnprintf(text, sizeof text, format, args);
    escape(text, safe, sizeof safe);
    instant(buffer, "log", safe, task, "");
}

/* -- The leader's -- */

void cr_trace_phase(cr_trace_buffer *buffer, const char *what, uint64_t phase, uint64_t from_ns,
                    uint64_t to_ns)
{
    put(buffer,
        "{\"name\":\"%s\",\"cat\":\"phase\",\"ph\":\"X\",\"pid\":1,\"tid\":%u,\"ts\":" US
        ",\"dur\":" US ",\"args\":{\"phase\":%" PRIu64 "}},\n",
        what, engine_track(buffer->trace), US_OF(since(buffer->trace, from_ns)),
        US_OF(to_ns - from_ns), phase);
}

void cr_trace_dispatch(cr_trace_buffer *buffer, const char *dispatcher, uint64_t batch,
                       size_t requests, uint64_t from_ns, uint64_t to_ns)
{
    char name[CR_TRACE_NAME];
    escape(dispatcher, name, sizeof name);
    put(buffer,
        "{\"name\":\"dispatch %s\",\"cat\":\"dispatch\",\"ph\":\"X\",\"pid\":1,\"tid\":%u,"
        "\"ts\":" US ",\"dur\":" US ",\"args\":{\"batch\":%" PRIu64 ",\"requests\":%zu}},\n",
        name, engine_track(buffer->trace), US_OF(since(buffer->trace, from_ns)),
        US_OF(to_ns - from_ns), batch, requests);
}

/* -- Any thread's -- */

void cr_trace_complete(cr_trace *trace, const char *dispatcher, uint64_t batch, size_t requests)
{
    char event[512], name[CR_TRACE_NAME];
    uint64_t at = since(trace, cr_now_ns());
    escape(dispatcher, name, sizeof name);
    int length = snprintf(event, sizeof event,
                          "{\"name\":\"complete %s\",\"cat\":\"complete\",\"ph\":\"i\",\"s\":\"t\","
                          "\"pid\":1,\"tid\":%u,\"ts\":" US ",\"args\":{\"batch\":%" PRIu64
                          ",\"requests\":%zu}},\n",
                          name, completion_track(trace), US_OF(at), batch, requests);
    pthread_mutex_lock(&trace->lock);
    write_locked(trace, event, (size_t)length);
    pthread_mutex_unlock(&trace->lock);
}
