/* SPDX-License-Identifier: MIT
 *
 * atomic.c - weak memory by views: what the library's atomics do and see.
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
 * read-modify-write reads the newest write, and hands on the view of that one. A write comes behind
 * all others of its location.
 */
#include "tests/model/include/ck_pr.h"
#include "tests/model/memory.h"

#include <inttypes.h>
#include <string.h>

static struct {
    view *full; /* of all full fences */
} weak;

static stamp pick_write(location *from, stamp least)
{
    stamp newest = memory_newest(from);
    if (least < from->first)
        least = from->first;
    return (stamp)(newest - strategy_age(newest - least + 1u));
}

/* -- Fences -- */

void memory_fence(model_thread *thread, unsigned order)
{
    if (order & MODEL_ACQUIRE)
        view_join(thread->current, thread->acquired);
    if (order & MODEL_FULL) {
        view_join(thread->current, weak.full);
        view_join(weak.full, thread->current);
    }
    if (order & MODEL_RELEASE) {
        thread->released = view_copied(thread->current);
        memory_tick(thread);
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
    /* Only a full fence meets those of others; the rest changes nothing that others see. */
    if (order & MODEL_FULL)
        explorer_point();
    trace_step(fence_name(order), NULL, __builtin_return_address(0));
    memory_fence(explorer.current, order);
}

/* -- Atomic accesses -- */

static void see(const location *of, stamp number)
{
    model_thread *thread = explorer.current;
    const write_record *read = &of->writes[number - of->first];
    view_raise(thread->current, of->index, number);
    view_raise(thread->acquired, of->index, number);
    view_raise(thread->acquired, MODEL_THREADS + read->writer, read->when);
    view_join(thread->acquired, read->carried);
}

/* What a read-modify-write hands on: its own, and what the write carried that it read. */
static const view *carried_on(const write_record *read)
{
    const view *own = explorer.current->released;
    if (read->when == 0)
        return view_joined(own, read->carried);
    view *made = view_fill_begin();
    view_join(made, own);
    view_join(made, read->carried);
    view_raise(made, MODEL_THREADS + read->writer, read->when);
    view_fill_end(made);
    return made;
}

static void write_to(location *to, void *at, uint64_t value, const view *carried)
{
    model_thread *thread = explorer.current;
    unsigned self = memory_thread_number(thread);
    stamp when = ++thread->current->stamps[MODEL_THREADS + self];
    to->written_at[self] = when;
    memory_append(to, (write_record){value, carried, (uint8_t)self, when});
    memory_write(at, to->bytes, value);
    explorer_changed();
    view_raise(thread->current, to->index, memory_newest(to));
}

uint64_t model_load(const void *at, unsigned bytes)
{
    if (explorer.current == NULL)
        return memory_read(at, bytes);
    explorer_point();
    trace_step("load", at, __builtin_return_address(0));
    location *from = memory_locate(at, bytes, false);
    memory_renew(from);
    stamp number = pick_write(from, view_at(explorer.current->current, from->index));
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
        memory_write(at, bytes, value);
        return;
    }
    explorer_point();
    trace_step("store", at, __builtin_return_address(0));
    location *to = memory_locate(at, bytes, true);
    memory_renew(to);
    write_to(to, at, value, explorer.current->released);
    trace_detail(":= %#" PRIx64, value);
}

/* A compare-and-swap that fails may have read an old write; one that succeeds, only the newest. */
static stamp pick_for_cas(location *from, uint64_t expected)
{
    stamp newest = memory_newest(from);
    stamp number = pick_write(from, view_at(explorer.current->current, from->index));
    return from->writes[number - from->first].value == expected ? newest : number;
}

bool model_cas(void *at, unsigned bytes, uint64_t *expected, uint64_t value)
{
    if (explorer.current == NULL) {
        uint64_t before = memory_read(at, bytes);
        bool equal = before == *expected;
        if (equal)
            memory_write(at, bytes, value);
        *expected = before;
        return equal;
    }
    explorer_point();
    trace_step("cas", at, __builtin_return_address(0));
    location *to = memory_locate(at, bytes, true);
    memory_renew(to);
    stamp number = pick_for_cas(to, *expected);
    see(to, number);
    write_record read = to->writes[number - to->first];
    bool equal = read.value == *expected;
    trace_detail("%#" PRIx64 " -> %#" PRIx64 "%s", *expected, value, equal ? "" : ", fails");
    *expected = read.value;
    if (equal)
        write_to(to, at, value, carried_on(&read));
    else
        to->read_at[model_self()] = memory_now(explorer.current);
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
        uint64_t before = memory_read(at, bytes), after = modified(before, how, operand) & all;
        memory_write(at, bytes, after);
        return before;
    }
    explorer_point();
    trace_step("modify", at, __builtin_return_address(0));
    location *to = memory_locate(at, bytes, true);
    memory_renew(to);
    stamp number = memory_newest(to);
    see(to, number);
    write_record read = to->writes[to->count - 1];
    uint64_t after = modified(read.value, how, operand) & all;
    write_to(to, at, after, carried_on(&read));
    trace_detail("%#" PRIx64 " -> %#" PRIx64, read.value, after);
    return read.value;
}

void atomic_begin_run(void)
{
    if (weak.full == NULL)
        weak.full = view_create();
    weak.full->count = 0;
}
