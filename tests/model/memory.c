/* SPDX-License-Identifier: MIT
 *
 * memory.c - what has been accessed and when: locations, races, freed memory.
 *
 * Views count how far each thread had come, which is a vector clock (Fidge 1988, Mattern 1989): two
 * accesses to the same bytes, one at least a write and one at least plain, of which none was seen
 * when the other was made, are a race. Atomic writes have a count of their own, as whoever acquires
 * by one has seen the write itself, and not only what its thread did before the release fence.
 *
 * Real memory holds the newest write, so plain accesses need no more than the check: without a race
 * the newest is the only one that they may see.
 *
 * What is watched: the program's variables, the explorer's heap, and its threads' stacks as far as
 * the compiler tells of accesses to them, which it does for what others may know the address of.
 */
#include "tests/model/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    grain = 4, /* bytes that are watched together */
    heap_and_stacks = HEAP_BYTES + MODEL_THREADS * STACK_BYTES,
};

typedef struct cell {
    uint32_t run; /* of another run: nothing was done here */
    uint16_t location;
    bool freed;
    uint8_t writer;
    stamp written_at; /* plainly */
    stamp read_at[MODEL_THREADS];
} cell;

char *heap;

extern char __data_start[], _end[]; /* the linker's */

static struct {
    cell *image, *heap;
    uint32_t run;
    location locations[MOST_LOCATIONS + 1]; /* 0 is none */
    unsigned location_count;
} * memory;

/* -- Threads -- */

stamp memory_now(const model_thread *thread)
{
    return thread->current->stamps[memory_thread_number(thread)];
}

void memory_tick(model_thread *thread)
{
    thread->current->stamps[memory_thread_number(thread)]++;
}

static bool has_seen(const model_thread *thread, unsigned other, stamp when)
{
    return view_at(thread->current, other) >= when;
}

void memory_init_thread(model_thread *thread, const model_thread *creator)
{
    if (thread->current == NULL) {
        thread->current = view_create();
        thread->acquired = view_create();
    }
    thread->current->count = thread->acquired->count = 0;
    thread->released = NULL;
    view_extend(thread->current, 2 * MODEL_THREADS);
    if (creator != NULL)
        view_join(thread->current, creator->current);
    view_raise(thread->current, memory_thread_number(thread), 1);
}

const view *memory_publish(const view *before)
{
    const view *made = view_joined(before, explorer.current->current);
    if (made == explorer.current->current)
        made = view_copied(made);
    memory_tick(explorer.current);
    return made;
}

void memory_receive(const view *published)
{
    view_join(explorer.current->current, published);
}

/* -- Cells and locations -- */

static cell *cell_at(const void *at)
{
    const char *byte = at;
    if (byte >= heap && byte < heap + heap_and_stacks)
        return &memory->heap[(size_t)(byte - heap) / grain];
    if (byte >= __data_start && byte < _end)
        return &memory->image[(size_t)(byte - __data_start) / grain];
    return NULL;
}

static cell *fresh_cell(const void *at)
{
    cell *found = cell_at(at);
    if (found != NULL && found->run != memory->run)
        *found = (cell){.run = memory->run};
    return found;
}

uint64_t memory_read(const void *at, unsigned bytes)
{
    return bytes == sizeof(uint64_t) ? *(const uint64_t *)at : *(const uint32_t *)at;
}

void memory_write(void *at, unsigned bytes, uint64_t value)
{
    if (bytes == sizeof(uint64_t))
        *(uint64_t *)at = value;
    else
        *(uint32_t *)at = (uint32_t)value;
}

void memory_append(location *to, write_record record)
{
    if (to->count == to->capacity) {
        to->capacity = (stamp)(to->capacity ? 2 * to->capacity : 8);
        to->writes = realloc(to->writes, to->capacity * sizeof *to->writes);
    }
    to->writes[to->count++] = record;
}

static location *location_create(const void *at, unsigned bytes)
{
    if (memory->location_count == MOST_LOCATIONS)
        model_fail("too many locations for the explorer");
    location *made = &memory->locations[++memory->location_count];
    write_record *writes = made->writes;
    stamp capacity = made->capacity;
    *made = (location){.at = at, .bytes = bytes, .writes = writes, .capacity = capacity};
    made->index = 2 * MODEL_THREADS + memory->location_count;
    memory_append(made, (write_record){.value = memory_read(at, bytes)});
    return made;
}

static void race(const char *what, const void *at, unsigned other)
{
    char name[128];
    model_fail("race: thread %u %s %s, unordered with thread %u",
               memory_thread_number(explorer.current), what, trace_name(at, name, sizeof name),
               other);
}

static void check_cell(const cell *here, const void *at, const char *what)
{
    const model_thread *thread = explorer.current;
    if (here->freed) {
        char name[128];
        model_fail("thread %u %s %s, which is freed", memory_thread_number(thread), what,
                   trace_name(at, name, sizeof name));
    }
    if (here->written_at != 0 && !has_seen(thread, here->writer, here->written_at))
        race(what, at, here->writer);
}

static void check_reads(const stamp *stamps, const void *at, const char *what)
{
    for (unsigned other = 0; other < explorer.thread_count; other++) {
        if (stamps[other] != 0 && !has_seen(explorer.current, other, stamps[other]))
            race(what, at, other);
    }
}

static void check_atomic_writes(const location *of, const void *at, const char *what)
{
    for (unsigned other = 0; other < explorer.thread_count; other++) {
        if (!has_seen(explorer.current, MODEL_THREADS + other, of->written_at[other]))
            race(what, at, other);
    }
}

location *memory_locate(const void *at, unsigned bytes, bool write)
{
    cell *here = fresh_cell(at);
    if (here == NULL)
        model_fail("an atomic access outside of what is watched");
    if (here->location == 0) {
        here->location = (uint16_t)(location_create(at, bytes) - memory->locations);
        if (bytes > grain)
            fresh_cell((const char *)at + grain)->location = here->location;
    }
    location *found = &memory->locations[here->location];
    if (found->at != at || found->bytes != bytes)
        model_fail("atomic accesses of different sizes at one place");
    if (explorer.current == NULL)
        return found;
    const char *what = write ? "writes" : "reads";
    check_cell(here, at, what);
    if (write)
        check_reads(here->read_at, at, what);
    else
        found->read_at[model_self()] = memory_now(explorer.current);
    return found;
}

void memory_renew(location *of)
{
    uint64_t value = memory_read(of->at, of->bytes);
    if (!of->plain && of->writes[of->count - 1].value == value)
        return;
    of->first = (stamp)(of->first + of->count);
    of->count = 0;
    of->plain = false;
    memory_append(of, (write_record){.value = value});
}

/* -- Plain accesses -- */

static void plain_cell(cell *here, const void *at, bool write)
{
    model_thread *thread = explorer.current;
    unsigned self = memory_thread_number(thread);
    const char *what = write ? "writes" : "reads";
    check_cell(here, at, what);
    location *atomic = here->location != 0 ? &memory->locations[here->location] : NULL;
    if (atomic != NULL)
        check_atomic_writes(atomic, at, what);
    if (!write) {
        here->read_at[self] = memory_now(thread);
        return;
    }
    check_reads(here->read_at, at, what);
    if (atomic != NULL) {
        check_reads(atomic->read_at, at, what);
        atomic->plain = true;
    }
    here->writer = (uint8_t)self;
    here->written_at = memory_now(thread);
}

void memory_plain(const void *at, size_t bytes, bool write)
{
    if (explorer.current == NULL)
        return;
    const char *byte = (const char *)((uintptr_t)at & ~(uintptr_t)(grain - 1));
    for (const char *end = (const char *)at + bytes; byte < end; byte += grain) {
        cell *here = fresh_cell(byte);
        if (here == NULL)
            return;
        plain_cell(here, byte, write);
    }
}

void memory_freed(const void *at, size_t bytes)
{
    memory_plain(at, bytes, true); /* all others are through with it */
    for (size_t i = 0; i < bytes; i += grain)
        fresh_cell((const char *)at + i)->freed = true;
}

/* -- Runs -- */

static cell *cells_create(size_t bytes)
{
    void *cells = mmap(NULL, (bytes / grain + 1) * sizeof(cell), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return cells != MAP_FAILED ? cells : NULL;
}

static void create(void)
{
    heap = mmap(NULL, heap_and_stacks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory = calloc(1, sizeof *memory);
    memory->heap = cells_create(heap_and_stacks);
    memory->image = cells_create((size_t)(_end - __data_start));
    if (heap == MAP_FAILED || memory->heap == NULL || memory->image == NULL)
        abort();
}

void memory_begin_run(void)
{
    if (memory == NULL)
        create();
    memory->run++;
    memory->location_count = 0;
    view_begin_run();
    atomic_begin_run();
}
