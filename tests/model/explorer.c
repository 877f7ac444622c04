/* SPDX-License-Identifier: MIT
 *
 * explorer.c - the threads of a model as coroutines on one OS thread, and one run of them.
 *
 *     home (the explorer) --> thread 1 <--> thread 2 <--> ...   at each step the strategy says who
 *         ^                                     |               goes on
 *         +---- all ended, nobody can go on, or failed
 *
 * A step is an atomic access, a full fence, or a call of the modelled system. Between two steps a
 * thread runs alone: what it does there is either its own, or the race check tells. Acquire and
 * release fences are no steps, as they change nothing that another thread sees.
 *
 * A run that does not end within `enough_steps` goes on fairly, with up-to-date loads; if it still
 * does not end, that is a livelock.
 */
#include "tests/model/explorer.h"
#include "tests/model/include/ck_pr.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { enough_steps = 4000, most_steps = 40000 };

struct explorer explorer;

static jmp_buf alone;

/* -- Switching -- */

/* Somebody has jumped here: its context is kept. */
static void arrive(cr_transfer transfer)
{
    model_thread *from = transfer.data;
    if (from != NULL)
        from->context = transfer.from;
    else
        explorer.home = transfer.from;
}

static void go_to(model_thread *next)
{
    model_thread *self = explorer.current;
    explorer.current = next;
    arrive(cr_context_jump(next != NULL ? next->context : explorer.home, self));
}

static bool is_enabled(model_thread *thread)
{
    if (thread->state != BLOCKED)
        return thread->state != DONE;
    if (thread->ready == NULL)
        return false;
    model_thread *self = explorer.current;
    explorer.current = NULL; /* the question is not part of the run */
    bool ready = thread->ready();
    explorer.current = self;
    return ready;
}

/* Those who can go on, the current thread first. Who only waits for something to change comes when
 * nobody else can. */
static unsigned list_enabled(model_thread **enabled, bool stalled_too)
{
    unsigned count = 0;
    model_thread *self = explorer.current;
    for (unsigned i = 0; i <= explorer.thread_count; i++) {
        model_thread *thread = i == 0 ? self : &explorer.threads[i - 1];
        if (thread == NULL || (i > 0 && thread == self))
            continue;
        if (is_enabled(thread) && (stalled_too || thread->state != STALLED))
            enabled[count++] = thread;
    }
    return count;
}

static model_thread *choose_thread(void)
{
    model_thread *enabled[MODEL_THREADS];
    unsigned count = list_enabled(enabled, false);
    if (count == 0)
        count = list_enabled(enabled, true);
    if (count == 0)
        return NULL;
    model_thread *next = strategy_thread(enabled, count, enabled[0] == explorer.current);
    next->state = READY;
    return next;
}

/* -- Steps -- */

static void count_step(void)
{
    explorer.steps++;
    if (explorer.steps == enough_steps)
        strategy_finish();
    if (explorer.steps == most_steps)
        model_fail("no end after %d steps: a livelock", most_steps);
}

void explorer_point(void)
{
    model_thread *self = explorer.current;
    count_step();
    model_thread *next = choose_thread();
    if (next != self)
        go_to(next);
    self->last_step = explorer.steps;
}

void explorer_changed(void)
{
    for (unsigned i = 0; i < explorer.thread_count; i++) {
        if (explorer.threads[i].state == STALLED)
            explorer.threads[i].state = READY;
    }
}

void explorer_block(bool (*ready)(void), const char *what, const void *object)
{
    model_thread *self = explorer.current;
    self->state = BLOCKED;
    self->ready = ready;
    self->waits_for = what;
    self->object = object;
    model_thread *next = choose_thread();
    if (next != self)
        go_to(next);
    self->ready = NULL;
    self->waits_for = NULL;
}

void explorer_wake(model_thread *thread)
{
    thread->state = READY;
}

void explorer_wake_all(const void *object)
{
    for (unsigned i = 0; i < explorer.thread_count; i++) {
        model_thread *thread = &explorer.threads[i];
        if (thread->state == BLOCKED && thread->object == object)
            explorer_wake(thread);
    }
    explorer_changed();
}

void model_stall(void)
{
    if (explorer.current == NULL)
        return;
    explorer.current->state = STALLED;
    strategy_stalled(explorer.current);
    explorer_point();
}

unsigned model_self(void)
{
    return (unsigned)(explorer.current - explorer.threads);
}

void model_await(bool (*ready)(void), const char *what)
{
    explorer_point();
    trace_step(what, NULL, __builtin_return_address(0));
    explorer_block(ready, what, NULL);
}

bool model_ended(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (explorer.threads[i].state != DONE)
            return false;
    }
    return true;
}

unsigned model_choose(unsigned count)
{
    return strategy_choose(count);
}

void model_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!explorer.failed)
        vsnprintf(explorer.message, sizeof explorer.message, format, arguments);
    va_end(arguments);
    explorer.failed = true;
    if (explorer.current != NULL)
        go_to(NULL);
    longjmp(alone, 1); /* in setup or check; no thread comes back here */
}

/* A null pointer followed is a failure of the run, and the next run goes on. */
static void fault(int number)
{
    (void)number;
    model_fail("a bad address is used");
}

static void catch_faults(void)
{
    struct sigaction action = {.sa_handler = fault, .sa_flags = SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

/* -- Threads -- */

static void thread_main(cr_transfer transfer)
{
    arrive(transfer);
    model_thread *self = explorer.current;
    if (self->start != NULL)
        (void)self->start(self->arg);
    else
        self->run();
    self->state = DONE;
    explorer_wake_all(self); /* who joins it */
    go_to(choose_thread());
    abort();
}

static model_thread *add_thread(void (*run)(void), void *(*start)(void *), void *arg)
{
    if (explorer.thread_count == MODEL_THREADS)
        model_fail("too many threads for the explorer");
    model_thread *thread = &explorer.threads[explorer.thread_count++];
    char *stack = memory_stack(explorer.thread_count - 1);
    thread->context = cr_context_make(stack + STACK_BYTES, STACK_BYTES, thread_main);
    thread->run = run;
    thread->start = start;
    thread->arg = arg;
    thread->state = READY;
    thread->ready = NULL;
    thread->waits_for = NULL;
    memory_init_thread(thread, explorer.current);
    return thread;
}

model_thread *explorer_add_thread(void *(*start)(void *), void *arg)
{
    return add_thread(NULL, start, arg);
}

/* -- A run -- */

/* Who waits for what, when nobody can go on. */
static void report_stuck(void)
{
    size_t at = (size_t)snprintf(explorer.message, sizeof explorer.message, "nobody can go on:");
    for (unsigned i = 0; i < explorer.thread_count; i++) {
        const model_thread *thread = &explorer.threads[i];
        char name[64] = "";
        if (thread->state == DONE || at >= sizeof explorer.message)
            continue;
        if (thread->object != NULL)
            trace_name(thread->object, name, sizeof name);
        at += (size_t)snprintf(explorer.message + at, sizeof explorer.message - at,
                               " thread %u %s %s;", i, thread->waits_for, name);
    }
    explorer.failed = true;
}

static void run_threads(void)
{
    model_thread *first = choose_thread();
    if (first != NULL)
        go_to(first);
    if (explorer.failed)
        return;
    for (unsigned i = 0; i < explorer.thread_count; i++) {
        if (explorer.threads[i].state == DONE)
            continue;
        if (explorer.model->may_rest == NULL || !explorer.model->may_rest())
            report_stuck();
        return;
    }
}

static void run_all(const model_case *model)
{
    if (setjmp(alone) != 0)
        return;
    model->setup();
    for (unsigned i = 0; i < MODEL_THREADS && model->threads[i] != NULL; i++)
        add_thread(model->threads[i], NULL, NULL);
    run_threads();
    if (!explorer.failed && model->check != NULL)
        model->check();
}

bool explorer_run(const model_case *model)
{
    if (explorer.model == NULL)
        catch_faults();
    explorer.model = model;
    explorer.current = NULL;
    explorer.thread_count = 0;
    explorer.steps = 0;
    explorer.failed = false;
    memory_begin_run();
    system_begin_run();
    heap_begin_run();
    trace_begin_run();
    run_all(model);
    explorer.current = NULL;
    explorer.total_steps += explorer.steps;
    return !explorer.failed;
}
