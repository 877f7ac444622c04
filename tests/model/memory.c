/* SPDX-License-Identifier: MIT
 *
 * memory.c - weak memory by views, and races.
 *
 *     location:  [ write 0 | write 1 | write 2 ]      in modification order
 *                     ^         ^         ^
 *                  may be read by a thread whose view says "at least 1": 1 and 2
 *
 * Kang, Hur, Lahav, Vafeiadis, Dreyer, "A Promising Semantics for Relaxed-Memory Concurrency" (POPL
 * 2017), without the promises. A thread's view says of each location which write it has to see at
 * least. A relaxed load may read any write from there on, and raises the view to it. A write carries
 * the view that its thread had at its last release fence; an acquire fence joins the views of all
 * writes read before it. A full fence joins and is joined by one view of all full fences. A
 * read-modify-write reads the newest write, and hands on the view of that one.
 *
 * The same views count how far each thread had come, which is a vector clock (Fidge, Mattern): two
 * accesses to the same bytes, one at least a write and one at least plain, of which none was seen
 * when the other was made, are a race. Atomic writes have a count of their own, as whoever acquires
 * by one has seen the write itself, and not only what its thread did before the release fence.
 *
 * Real memory holds the newest write, so plain accesses need no more than the check: without a race
 * the newest is the only one that they may see.
 */
#include "tests/model/explorer.h"
#include "tests/model/include/ck_pr.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    grain = 4, /* bytes that are watched together */
    most_pending = 64,
    pool_bytes = 8 << 20,
};

typedef struct write_record {
    uint64_t value;
    const view *carried;
    uint8_t writer;
    stamp when; /* the writer's count of writes; 0: none */
} write_record;

typedef struct location {
    const void *at;
    unsigned bytes;
    stamp first; /* number of writes[0] */
    stamp count;
    stamp capacity;
    bool plain; /* written plainly since: memory has the value */
    bool late;
    write_record *writes;
    stamp read_at[MODEL_THREADS]; /* atomic accesses: when the thread's clock was that */
    stamp written_at[MODEL_THREADS];
} location;

typedef struct cell {
    uint32_t run; /* of another run: nothing was done here */
    uint16_t location;
    bool freed;
    uint8_t writer;
    stamp written_at; /* plainly */
    stamp read_at[MODEL_THREADS];
} cell;

/* A late load. */
typedef struct pending {
    location *at;
    stamp least;
    bool bound;
    uint64_t value;
} pending;

char *heap;

extern char __data_start[], _end[]; /* the linker's */

static struct {
    cell *image, *heap;
    uint32_t run;
    location locations[MOST_LOCATIONS + 1]; /* 0 is none */
    unsigned location_count;
    view *full; /* of all full fences */
    char *pool;
    size_t pool_used;
    pending late[MODEL_THREADS][most_pending];
    unsigned late_count[MODEL_THREADS];
    const char *late_from, *late_to;
} * memory;

/* -- Views -- */

static view *view_create(void)
{
    return calloc(1, sizeof(view) + VIEW_STAMPS * sizeof(stamp));
}

static stamp view_at(const view *of, unsigned index)
{
    return of != NULL && index < of->count ? of->stamps[index] : 0;
}

static void view_extend(view *of, unsigned count)
{
    if (of->count >= count)
        return;
    memset(of->stamps + of->count, 0, (count - of->count) * sizeof(stamp));
    of->count = count;
}

static void view_raise(view *of, unsigned index, stamp to)
{
    view_extend(of, index + 1);
    if (of->stamps[index] < to)
        of->stamps[index] = to;
}

static void view_join(view *of, const view *other)
{
    if (other == NULL)
        return;
    view_extend(of, other->count);
    for (unsigned i = 0; i < other->count; i++)
        of->stamps[i] = of->stamps[i] < other->stamps[i] ? other->stamps[i] : of->stamps[i];
}

static view *pool_view(unsigned count)
{
    size_t bytes = (sizeof(view) + count * sizeof(stamp) + 7) & ~(size_t)7;
    if (memory->pool_used + bytes > pool_bytes)
        model_fail("the run is too long for the explorer");
    view *made = (view *)(memory->pool + memory->pool_used);
    memory->pool_used += bytes;
    made->count = 0;
    return made;
}

/* Gives back what the newest view of the pool does not need. */
static void pool_trim(const view *newest)
{
    size_t used = (size_t)((const char *)(newest->stamps + newest->count) - memory->pool);
    memory->pool_used = (used + 7) & ~(size_t)7;
}

/* The join of two, for keeping. */
static const view *pool_join(const view *a, const view *b)
{
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    view *made = pool_view(a->count > b->count ? a->count : b->count);
    view_join(made, a);
    view_join(made, b);
    return made;
}

static const view *pool_copy(const view *of)
{
    view *made = pool_view(of->count);
    view_join(made, of);
    return made;
}

/* -- Threads -- */

static unsigned number_of(const model_thread *thread)
{
    return (unsigned)(thread - explorer.threads);
}

static stamp now(const model_thread *thread)
{
    return thread->current->stamps[number_of(thread)];
}

static void tick(model_thread *thread)
{
    thread->current->stamps[number_of(thread)]++;
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
    view_raise(thread->current, number_of(thread), 1);
}

const view *memory_publish(const view *before)
{
    const view *made = pool_join(before, explorer.current->current);
    if (made == explorer.current->current)
        made = pool_copy(made);
    tick(explorer.current);
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
    if (byte >= heap && byte < heap + HEAP_BYTES)
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

static uint64_t read_memory(const void *at, unsigned bytes)
{
    return bytes == sizeof(uint64_t) ? *(const uint64_t *)at : *(const uint32_t *)at;
}

static void write_memory(void *at, unsigned bytes, uint64_t value)
{
    if (bytes == sizeof(uint64_t))
        *(uint64_t *)at = value;
    else
        *(uint32_t *)at = (uint32_t)value;
}

static void append(location *to, write_record record)
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
    made->late = (const char *)at >= memory->late_from && (const char *)at < memory->late_to;
    append(made, (write_record){.value = read_memory(at, bytes)});
    return made;
}

static void race(const char *what, const void *at, unsigned other)
{
    char name[128];
    model_fail("race: thread %u %s %s, unordered with thread %u", number_of(explorer.current), what,
               trace_name(at, name, sizeof name), other);
}

static void check_cell(const cell *here, const void *at, const char *what)
{
    const model_thread *thread = explorer.current;
    if (here->freed) {
        char name[128];
        model_fail("thread %u %s %s, which is freed", number_of(thread), what,
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

/* The location of an atomic access, which is checked against plain ones. */
static location *find_location(const void *at, unsigned bytes, bool write)
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
        found->read_at[model_self()] = now(explorer.current);
    return found;
}

/* After a plain write there is one value, and nobody may see an older one: without a race all have
 * seen that write. */
static void renew(location *of)
{
    uint64_t value = read_memory(of->at, of->bytes);
    if (!of->plain && of->writes[of->count - 1].value == value)
        return;
    of->first = (stamp)(of->first + of->count);
    of->count = 0;
    of->plain = false;
    append(of, (write_record){.value = value});
}

/* -- Plain accesses -- */

static void plain_cell(cell *here, const void *at, bool write)
{
    model_thread *thread = explorer.current;
    unsigned self = number_of(thread);
    const char *what = write ? "writes" : "reads";
    check_cell(here, at, what);
    location *atomic = here->location != 0 ? &memory->locations[here->location] : NULL;
    if (atomic != NULL)
        check_atomic_writes(atomic, at, what);
    if (!write) {
        here->read_at[self] = now(thread);
        return;
    }
    check_reads(here->read_at, at, what);
    if (atomic != NULL) {
        check_reads(atomic->read_at, at, what);
        atomic->plain = true;
    }
    here->writer = (uint8_t)self;
    here->written_at = now(thread);
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

/* -- Late loads -- */

static const uint64_t late_mark = UINT64_C(0x7a7e) << 48;

void memory_late(const void *at, size_t bytes)
{
    memory->late_from = at;
    memory->late_to = (const char *)at + bytes;
}

static stamp pick_write(location *from, stamp least)
{
    stamp newest = (stamp)(from->first + from->count - 1);
    if (least < from->first)
        least = from->first;
    return (stamp)(newest - strategy_age(newest - least + 1u));
}

static void bind(pending *load)
{
    if (load->bound)
        return;
    load->bound = true;
    renew(load->at);
    load->value = load->at->writes[pick_write(load->at, load->least) - load->at->first].value;
}

static void bind_all(const model_thread *thread)
{
    unsigned self = number_of(thread);
    for (unsigned i = 0; i < memory->late_count[self]; i++)
        bind(&memory->late[self][i]);
}

static bool any_unbound(void)
{
    unsigned self = model_self(), count = memory->late_count[self];
    return count > 0 && !memory->late[self][count - 1].bound;
}

void model_bind(void *copies, size_t bytes)
{
    unsigned self = model_self();
    if (any_unbound())
        explorer_point();
    bind_all(&explorer.threads[self]);
    uint64_t *words = copies;
    for (size_t i = 0; i < bytes / sizeof *words; i++) {
        uint64_t index = words[i] - late_mark;
        if (index < memory->late_count[self])
            words[i] = memory->late[self][index].value;
    }
}

static uint64_t load_late(location *from, stamp least)
{
    unsigned self = number_of(explorer.current);
    unsigned index = memory->late_count[self]++;
    memory->late[self][index] = (pending){.at = from, .least = least};
    trace_detail("late %u", index);
    return late_mark + index;
}

/* -- Fences -- */

void memory_fence(model_thread *thread, unsigned order)
{
    bind_all(thread);
    if (order & MODEL_ACQUIRE)
        view_join(thread->current, thread->acquired);
    if (order & MODEL_FULL) {
        view_join(thread->current, memory->full);
        view_join(memory->full, thread->current);
    }
    if (order & MODEL_RELEASE) {
        thread->released = pool_copy(thread->current);
        tick(thread);
    }
}

static const char *fence_name(unsigned order)
{
    return order & MODEL_FULL ? "full fence" : order & MODEL_ACQUIRE ? "acquire" : "release";
}

void model_fence(unsigned order)
{
    if (explorer.current == NULL)
        return;
    /* Only a full fence meets those of others; the rest changes nothing that others see. But a load
     * that is late is made here. */
    if (order & MODEL_FULL || any_unbound())
        explorer_point();
    trace_step(fence_name(order), NULL, __builtin_return_address(0));
    memory_fence(explorer.current, order);
}

/* -- Atomic accesses -- */

static unsigned view_index(const location *of)
{
    return 2 * MODEL_THREADS + (unsigned)(of - memory->locations);
}

static void see(const location *of, stamp number)
{
    model_thread *thread = explorer.current;
    const write_record *read = &of->writes[number - of->first];
    view_raise(thread->current, view_index(of), number);
    view_raise(thread->acquired, view_index(of), number);
    view_raise(thread->acquired, MODEL_THREADS + read->writer, read->when);
    view_join(thread->acquired, read->carried);
}

/* What a read-modify-write hands on: its own, and what the write carried that it read. */
static const view *carried_on(const write_record *read)
{
    const view *own = explorer.current->released;
    if (read->when == 0)
        return pool_join(own, read->carried);
    view *made = pool_view(VIEW_STAMPS);
    view_join(made, own);
    view_join(made, read->carried);
    view_raise(made, MODEL_THREADS + read->writer, read->when);
    pool_trim(made);
    return made;
}

static void write_to(location *to, void *at, uint64_t value, const view *carried)
{
    model_thread *thread = explorer.current;
    unsigned self = number_of(thread);
    stamp when = ++thread->current->stamps[MODEL_THREADS + self];
    to->written_at[self] = when;
    append(to, (write_record){value, carried, (uint8_t)self, when});
    write_memory(at, to->bytes, value);
    explorer_changed();
    view_raise(thread->current, view_index(to), (stamp)(to->first + to->count - 1));
}

uint64_t model_load(const void *at, unsigned bytes)
{
    if (explorer.current == NULL)
        return read_memory(at, bytes);
    explorer_point();
    trace_step("load", at, __builtin_return_address(0));
    location *from = find_location(at, bytes, false);
    renew(from);
    stamp least = view_at(explorer.current->current, view_index(from));
    if (from->late && memory->late_count[model_self()] < most_pending && strategy_choose(2) == 1)
        return load_late(from, least);
    stamp number = pick_write(from, least);
    see(from, number);
    uint64_t value = from->writes[number - from->first].value;
    trace_detail("= %#" PRIx64, value);
    if (number + 1 != from->first + from->count)
        trace_detail("(%u writes old)", from->first + from->count - 1u - number);
    return value;
}

void model_store(void *at, unsigned bytes, uint64_t value)
{
    if (explorer.current == NULL) {
        write_memory(at, bytes, value);
        return;
    }
    explorer_point();
    trace_step("store", at, __builtin_return_address(0));
    location *to = find_location(at, bytes, true);
    renew(to);
    write_to(to, at, value, explorer.current->released);
    trace_detail(":= %#" PRIx64, value);
}

/* A compare-and-swap that fails may have read an old write; one that succeeds, only the newest. */
static stamp pick_for_cas(location *from, uint64_t expected)
{
    stamp newest = (stamp)(from->first + from->count - 1);
    stamp number = pick_write(from, view_at(explorer.current->current, view_index(from)));
    return from->writes[number - from->first].value == expected ? newest : number;
}

bool model_cas(void *at, unsigned bytes, uint64_t *expected, uint64_t value)
{
    if (explorer.current == NULL) {
        uint64_t before = read_memory(at, bytes);
        bool equal = before == *expected;
        if (equal)
            write_memory(at, bytes, value);
        *expected = before;
        return equal;
    }
    explorer_point();
    trace_step("cas", at, __builtin_return_address(0));
    location *to = find_location(at, bytes, true);
    renew(to);
    stamp number = pick_for_cas(to, *expected);
    see(to, number);
    write_record read = to->writes[number - to->first];
    bool equal = read.value == *expected;
    trace_detail("%#" PRIx64 " -> %#" PRIx64 "%s", *expected, value, equal ? "" : ", fails");
    *expected = read.value;
    if (equal)
        write_to(to, at, value, carried_on(&read));
    else
        to->read_at[model_self()] = now(explorer.current);
    return equal;
}

static uint64_t modified(uint64_t before, int how, uint64_t operand)
{
    switch (how) {
    case MODEL_ADD:
        return before + operand;
    case MODEL_OR:
        return before | operand;
    case MODEL_AND:
        return before & operand;
    default:
        return operand;
    }
}

uint64_t model_modify(void *at, unsigned bytes, int how, uint64_t operand)
{
    uint64_t all = bytes == sizeof(uint64_t) ? UINT64_MAX : UINT32_MAX;
    if (explorer.current == NULL) {
        uint64_t before = read_memory(at, bytes), after = modified(before, how, operand) & all;
        write_memory(at, bytes, after);
        return before;
    }
    explorer_point();
    trace_step("modify", at, __builtin_return_address(0));
    location *to = find_location(at, bytes, true);
    renew(to);
    stamp number = (stamp)(to->first + to->count - 1);
    see(to, number);
    write_record read = to->writes[to->count - 1];
    uint64_t after = modified(read.value, how, operand) & all;
    write_to(to, at, after, carried_on(&read));
    trace_detail("%#" PRIx64 " -> %#" PRIx64, read.value, after);
    return read.value;
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
    heap = mmap(NULL, HEAP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory = calloc(1, sizeof *memory);
    memory->pool = malloc(pool_bytes);
    memory->full = view_create();
    memory->heap = cells_create(HEAP_BYTES);
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
    memory->full->count = 0;
    memory->pool_used = 0;
    memory->late_from = memory->late_to = NULL;
    memset(memory->late_count, 0, sizeof memory->late_count);
}
