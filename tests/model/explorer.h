/* SPDX-License-Identifier: MIT
 *
 * explorer.h - between the explorer's own files.
 *
 *     explorer.c   threads as coroutines, runs, what ends a run
 *     strategy.c   who goes on, which write a load sees: random, PCT, depth first
 *     atomic.c     weak memory: loads, stores, fences
 *     memory.c     what was accessed when: races, freed memory
 *     view.c       what has been seen
 *     system.c     mutexes, condition variables, threads, futex, membarrier
 *     heap.c       memory for the library, and the items that a model counts
 *     watch.c      plain accesses, as the compiler tells of them
 *     trace.c      what is printed of a run
 *     main.c       arguments, cases, the report
 *
 * All of it runs on one OS thread. A run is a function of (case, strategy, seed).
 */
#ifndef MODEL_EXPLORER_H
#define MODEL_EXPLORER_H

#include "runtime/base/context.h"
#include "tests/model/view.h"

typedef enum thread_state { READY, STALLED, BLOCKED, DONE } thread_state;

typedef struct model_thread {
    cr_context context;
    void (*run)(void);
    void *(*start)(void *); /* instead of run */
    void *arg;
    thread_state state;
    bool (*ready)(void);   /* BLOCKED until it returns true; NULL: until somebody says so */
    const char *waits_for; /* for the report */
    const void *object;
    unsigned last_step;
    view *current;        /* what it has to see */
    view *acquired;       /* what it will have to see after an acquire fence */
    const view *released; /* at its last release fence; NULL: nothing */
} model_thread;

typedef enum strategy_kind { RANDOM, PCT, DFS, STRATEGIES } strategy_kind;

extern struct explorer {
    const model_case *model;
    model_thread threads[MODEL_THREADS];
    unsigned thread_count;
    model_thread *current; /* NULL: setup, check, or the explorer itself */
    cr_context home;
    unsigned steps;
    bool tracing;
    bool failed;
    char message[512];
    uint64_t total_steps;
} explorer;

/* -- explorer.c -- */

/* Before a step of the current thread: others may go first. */
void explorer_point(void);
/* Something that others may see: those who stalled look again. */
void explorer_changed(void);
/* The current thread cannot go on until `ready` holds or it is woken. */
void explorer_block(bool (*ready)(void), const char *what, const void *object);
void explorer_wake(model_thread *thread);
/* Those who are blocked on the object: they look again. */
void explorer_wake_all(const void *object);
model_thread *explorer_add_thread(void *(*start)(void *), void *arg);
/* One run. True if it went well. */
bool explorer_run(const model_case *model);

/* -- strategy.c -- */

const char *strategy_name(strategy_kind kind);
/* Before the first run of a case: `steps` is a run's length. */
void strategy_start(strategy_kind kind, unsigned steps);
/* Before run `number`, which is also its seed. False: there is no further run. */
bool strategy_begin_run(uint64_t seed);
void strategy_end_run(void);
/* Fair from now on, and up to date: the run is to come to its end. */
void strategy_finish(void);
model_thread *strategy_thread(model_thread **enabled, unsigned count, bool current_enabled);
void strategy_stalled(const model_thread *thread);
/* How far back in time, 0 (the newest) to count - 1. */
unsigned strategy_age(unsigned count);
unsigned strategy_choose(unsigned count);

/* -- memory.c, atomic.c -- */

void memory_begin_run(void);
void memory_init_thread(model_thread *thread, const model_thread *creator);
void memory_fence(model_thread *thread, unsigned order);
void memory_plain(const void *at, size_t bytes, bool write);
void memory_freed(const void *at, size_t bytes);
/* Edges outside of the modelled memory: a view is kept, and joined later. */
const view *memory_publish(const view *before);
void memory_receive(const view *published);

/* What is watched besides the program's variables: a heap, and the threads' stacks behind it. */
enum { HEAP_BYTES = 1 << 20, STACK_BYTES = 64 << 10 };
extern char *heap;

static inline char *memory_stack(unsigned thread)
{
    return heap + HEAP_BYTES + (size_t)thread * STACK_BYTES;
}

/* -- system.c, heap.c -- */

void system_begin_run(void);
void heap_begin_run(void);

/* -- trace.c -- */

void trace_begin_run(void);
void trace_end_run(void);
void trace_step(const char *what, const void *at, const void *caller);
void trace_detail(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *trace_name(const void *at, char *text, size_t bytes);

#endif
