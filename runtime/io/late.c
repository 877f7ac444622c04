/* SPDX-License-Identifier: MIT */
#include "runtime/io/io.h"

#include "runtime/base/alloc.h"

#include <inttypes.h>
#include <string.h>

enum { most_tasks = 5, path_bytes = 256 };

struct cr_late {
    cr_late *before, *behind; /* handed over earlier, later */
    cr_storage *storage;
    const corio_dispatcher *dispatcher;
    uint64_t phase;
    uint64_t number;
    uint64_t began_ns;
    size_t count;
    size_t left; /* unanswered */
    unsigned char taken[];
};

/* The clock, without making a simulation's go on. */
static uint64_t now_of(const cr_io *io)
{
    return cr_simulated(io->sched) ? cr_load_64(&io->sched->sim.now_ns) : cr_now_ns();
}

void cr_late_begin(cr_io *io, const corio_batch *batch)
{
    cr_late *late = cr_alloc_zeroed(sizeof *late + batch->count);
    if (late == NULL)
        return;
    late->storage = batch->storage;
    late->dispatcher = batch->dispatcher;
    late->phase = batch->phase;
    late->number = batch->number;
    late->began_ns = now_of(io);
    late->count = late->left = batch->count;
    late->before = io->newest;
    if (late->before != NULL)
        late->before->behind = late;
    else
        io->oldest = late;
    io->newest = late;
    batch->storage->late = late;
}

static void forget(cr_io *io, cr_late *late)
{
    if (late->before != NULL)
        late->before->behind = late->behind;
    else
        io->oldest = late->behind;
    if (late->behind != NULL)
        late->behind->before = late->before;
    else
        io->newest = late->before;
    late->storage->late = NULL;
    cr_free(late);
}

void cr_late_taken(cr_io *io, cr_storage *storage, const cr_entry *entries, size_t count)
{
    cr_late *late = storage->late;
    memset(late->taken + (entries - storage->items), 1, count);
    late->left -= count;
    if (late->left == 0)
        forget(io, late);
}

uint64_t cr_late_next(const cr_io *io)
{
    if (CR_LIKELY(io->oldest == NULL))
        return CR_NEVER;
    uint64_t began = io->oldest->began_ns;
    return io->late_ns < CR_NEVER - began ? began + io->late_ns : CR_NEVER - 1;
}

/* -- Telling -- */

/* The requests of one call are neighbours: its task is named once. */
static const corio_task *asking_task(const cr_late *late, size_t i)
{
    const corio_request *request = cr_entry_request(&late->storage->items[i]);
    return ((const cr_call *)request->reserved_call)->park.task;
}

static void print_tasks(FILE *text, const cr_late *late)
{
    char path[path_bytes];
    const corio_task *last = NULL;
    size_t tasks = 0;
    for (size_t i = 0; i < late->count; i++) {
        /* What was taken may lie in a frame that is gone. */
        const corio_task *task = late->taken[i] ? NULL : asking_task(late, i);
        if (task == NULL || task == last)
            continue;
        last = task;
        if (++tasks > most_tasks)
            continue;
        corio_task_path_text(task, path, sizeof path);
        fprintf(text, "  asked by task %s %s\n", task->name, path);
    }
    if (tasks > most_tasks)
        fprintf(text, "  and by %zu more\n", tasks - most_tasks);
}

static char *print(const cr_late *late, uint64_t now)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL)
        return NULL;
    fprintf(out,
            "corio: dispatcher %s has not answered %zu of %zu requests of batch %" PRIu64
            ", handed over in phase %" PRIu64 ", for %" PRIu64 " ms (corio_options.late_ns, "
            "CORIO_LATE_NS)\n",
            late->dispatcher->options.name, late->left, late->count, late->number, late->phase,
            (now - late->began_ns) / 1000000);
    print_tasks(out, late);
    if (fclose(out) == 0)
        return text;
    cr_free(text);
    return NULL;
}

char *cr_late_text(cr_io *io)
{
    uint64_t next = cr_late_next(io);
    if (CR_LIKELY(next == CR_NEVER))
        return NULL;
    uint64_t now = now_of(io);
    if (now < next)
        return NULL;
    char *text = print(io->oldest, now);
    forget(io, io->oldest);
    return text;
}
