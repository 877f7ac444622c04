/* SPDX-License-Identifier: MIT
 *
 * system.c - the operating system that a model's threads see: mutexes, condition variables, threads,
 * futex, membarrier, and the clock (a second goes by between two looks; nothing becomes due).
 *
 * Whoever waits does not run: that all wait and none will wake another is seen when nobody can go
 * on. One wait of a run, on a futex or a condition, may come back for no reason.
 */
#include "tests/model/include/system.h"

#include "runtime/base/panic.h"
#include "tests/model/explorer.h"
#include "tests/model/include/ck_pr.h"

enum { most_edges = 64 };

/* Something with a view, by address: a mutex, a key of model_publish. */
typedef struct edge {
    const void *key;
    const view *published;
    const model_thread *holder; /* of a mutex */
    unsigned count;             /* published and not received */
} edge;

static struct {
    edge edges[most_edges];
    unsigned edge_count;
    bool early_return_used;
} host;

/* -- Edges -- */

static edge *edge_of(const void *key)
{
    for (unsigned i = 0; i < host.edge_count; i++) {
        if (host.edges[i].key == key)
            return &host.edges[i];
    }
    if (host.edge_count == most_edges)
        model_fail("too many mutexes for the explorer");
    host.edges[host.edge_count] = (edge){.key = key};
    return &host.edges[host.edge_count++];
}

static void wake_any(const void *object)
{
    model_thread *waiters[MODEL_THREADS];
    unsigned count = 0;
    for (unsigned i = 0; i < explorer.thread_count; i++) {
        model_thread *thread = &explorer.threads[i];
        if (thread->state == BLOCKED && thread->object == object)
            waiters[count++] = thread;
    }
    if (count > 0)
        explorer_wake(waiters[count > 1 ? strategy_choose(count) : 0]);
}

/* For no reason, as POSIX and the kernel allow. */
static bool returns_early(void)
{
    if (host.early_return_used || strategy_choose(4) != 1)
        return false;
    trace_detail("comes back early");
    return host.early_return_used = true;
}

void model_publish(const void *key)
{
    explorer_point();
    trace_step("publish", key, __builtin_return_address(0));
    edge *to = edge_of(key);
    to->published = memory_publish(to->published);
    to->count++;
    explorer_wake_all(key);
}

void model_receive(const void *key, const char *what)
{
    explorer_point();
    trace_step(what, key, __builtin_return_address(0));
    while (edge_of(key)->count == 0)
        explorer_block(NULL, what, key);
    edge_of(key)->count--;
    memory_receive(edge_of(key)->published);
}

/* -- Mutexes -- */

int model_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    (void)attributes;
    edge_of(mutex)->holder = NULL;
    return 0;
}

int model_mutex_destroy(pthread_mutex_t *mutex)
{
    if (edge_of(mutex)->holder != NULL)
        model_fail("a mutex is destroyed while it is held");
    return 0;
}

static void take_mutex(pthread_mutex_t *mutex)
{
    edge *lock = edge_of(mutex);
    while (lock->holder != NULL)
        explorer_block(NULL, "waits for the mutex", mutex);
    lock->holder = explorer.current;
    memory_receive(lock->published);
}

int model_mutex_lock(pthread_mutex_t *mutex)
{
    if (explorer.current == NULL)
        return 0;
    explorer_point();
    trace_step("lock", mutex, __builtin_return_address(0));
    if (edge_of(mutex)->holder == explorer.current)
        model_fail("a mutex is locked twice by one thread");
    take_mutex(mutex);
    return 0;
}

static void release_mutex(pthread_mutex_t *mutex)
{
    edge *lock = edge_of(mutex);
    if (lock->holder != explorer.current)
        model_fail("a mutex is unlocked by another than its holder");
    lock->holder = NULL;
    lock->published = memory_publish(lock->published);
    explorer_wake_all(mutex);
}

int model_mutex_unlock(pthread_mutex_t *mutex)
{
    if (explorer.current == NULL)
        return 0;
    explorer_point();
    trace_step("unlock", mutex, __builtin_return_address(0));
    release_mutex(mutex);
    return 0;
}

/* -- Condition variables -- */

int model_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes)
{
    (void)cond;
    (void)attributes;
    return 0;
}

int model_cond_destroy(pthread_cond_t *cond)
{
    (void)cond;
    return 0;
}

int model_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    explorer_point();
    trace_step("cond wait", cond, __builtin_return_address(0));
    bool early = returns_early();
    release_mutex(mutex);
    if (early)
        explorer_point();
    else
        explorer_block(NULL, "waits for the condition", cond);
    take_mutex(mutex);
    return 0;
}

int model_cond_signal(pthread_cond_t *cond)
{
    explorer_point();
    trace_step("cond signal", cond, __builtin_return_address(0));
    wake_any(cond);
    return 0;
}

int model_cond_broadcast(pthread_cond_t *cond)
{
    explorer_point();
    trace_step("cond broadcast", cond, __builtin_return_address(0));
    explorer_wake_all(cond);
    return 0;
}

/* -- Threads -- */

int model_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                 void *arg)
{
    (void)attributes;
    explorer_point();
    trace_step("create thread", NULL, __builtin_return_address(0));
    const model_thread *made = explorer_add_thread(start, arg);
    (void)memory_publish(NULL); /* what its creator does from now on it has not seen */
    memory_plain(thread, sizeof *thread, true);
    *thread = (pthread_t)(made - explorer.threads);
    return 0;
}

int model_join(pthread_t thread, void **ret_value)
{
    (void)ret_value;
    explorer_point();
    trace_step("join", NULL, __builtin_return_address(0));
    const model_thread *other = &explorer.threads[thread];
    while (other->state != DONE)
        explorer_block(NULL, "joins", other);
    memory_receive(other->current);
    return 0;
}

int model_sigmask(int how, const sigset_t *set, sigset_t *before)
{
    (void)how;
    (void)set;
    (void)before;
    return 0;
}

int model_yield(void)
{
    model_stall();
    return 0;
}

/* -- System calls -- */

/* The kernel compares under its own lock, which also orders it with the wake-up. */
static long futex_wait(const uint32_t *address, uint32_t expected)
{
    explorer_point();
    trace_step("futex wait", address, __builtin_return_address(0));
    if (*address != expected) {
        trace_detail("changed");
        return -1;
    }
    if (returns_early())
        return -1;
    explorer_block(NULL, "sleeps on the futex", address);
    return 0;
}

static long futex_wake(const uint32_t *address, uint32_t most)
{
    explorer_point();
    trace_step("futex wake", address, __builtin_return_address(0));
    if (most == 1)
        wake_any(address);
    else
        explorer_wake_all(address);
    return 0;
}

/* A fence in every thread, in each at a moment of its own between the call and the return. */
static long membarrier(void)
{
    if (explorer.current == NULL)
        return 0;
    const unsigned full = MODEL_ACQUIRE | MODEL_RELEASE | MODEL_FULL;
    model_fence(full);
    unsigned first = explorer.thread_count > 1 ? strategy_choose(explorer.thread_count) : 0;
    for (unsigned i = 0; i < explorer.thread_count; i++) {
        unsigned at = (first + i) % explorer.thread_count;
        explorer_point();
        trace_step("membarrier", NULL, __builtin_return_address(0));
        trace_detail("in thread %u", at);
        memory_fence(&explorer.threads[at], full); /* one that has ended too: it left by one */
    }
    model_fence(full);
    return 0;
}

long model_syscall(long number, ...)
{
    va_list arguments;
    va_start(arguments, number);
    const uint32_t *address = va_arg(arguments, const uint32_t *);
    int operation = number == SYS_futex ? va_arg(arguments, int) : 0;
    uint32_t expected = number == SYS_futex ? va_arg(arguments, uint32_t) : 0;
    va_end(arguments);
    if (number == SYS_membarrier)
        return membarrier();
    if (number != SYS_futex)
        model_fail("system call %ld is not modelled", number);
    return operation == FUTEX_WAKE_PRIVATE ? futex_wake(address, expected)
                                           : futex_wait(address, expected);
}

int model_gettime(clockid_t clock, struct timespec *ret_now)
{
    static time_t seconds;
    (void)clock;
    *ret_now = (struct timespec){.tv_sec = ++seconds};
    return 0;
}

void cr_panic(const char *what)
{
    model_fail("panic: %s", what);
}

void system_begin_run(void)
{
    memset(&host, 0, sizeof host);
}
