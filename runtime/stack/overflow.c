/* SPDX-License-Identifier: MIT */
#include "runtime/stack/overflow.h"

#include "runtime/base/alloc.h"
#include "runtime/base/atomic.h"
#include "runtime/stack/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* More runtimes at once than this are not watched: their overflows go unnamed. */
enum { max_pools = 64, alternate_bytes = 32 << 10 };

/* Written under `lock`, read by the handler with no lock. */
static void *pools[max_pools];
static unsigned watched;
static struct sigaction previous;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const cr_stack_pool *pool_of_guard(uintptr_t address)
{
    for (unsigned i = 0; i < max_pools; i++) {
        const cr_stack_pool *pool = cr_load_acquire_ptr(&pools[i]);
        if (pool == NULL)
            continue;
        uintptr_t memory = (uintptr_t)pool->memory;
        if (address < memory || address - memory >= pool->max_stacks * pool->slot_bytes)
            continue;
        if ((address - memory) % pool->slot_bytes < pool->page_bytes)
            return pool;
    }
    return NULL;
}

static size_t append(char *line, size_t at, size_t bytes, const char *text)
{
    size_t length = strlen(text);
    if (length > bytes - at)
        length = bytes - at;
    memcpy(line + at, text, length);
    return at + length;
}

static size_t append_number(char *line, size_t at, size_t bytes, size_t number)
{
    char digits[24];
    size_t first = sizeof digits;
    digits[--first] = '\0';
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return append(line, at, bytes, digits + first);
}

static void name_overflow(const cr_stack_pool *pool)
{
    char line[512];
    size_t at = 0;
    const char *task = pool->task_name != NULL ? pool->task_name() : NULL;
    at = append(line, at, sizeof line, "corio: stack overflow in task ");
    at = append(line, at, sizeof line, task != NULL ? task : "(unknown)");
    at = append(line, at, sizeof line, ": its stack has ");
    at = append_number(line, at, sizeof line, pool->stack_bytes);
    at = append(line, at, sizeof line,
                " bytes; raise corio_options.stack_bytes or CORIO_STACK_BYTES\n");
    (void)!write(STDERR_FILENO, line, at);
}

static void on_segv(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    const cr_stack_pool *pool = pool_of_guard((uintptr_t)info->si_addr);
    if (pool != NULL)
        name_overflow(pool);
    /* The access is repeated on return, and whoever handled SIGSEGV before us sees it. */
    sigaction(SIGSEGV, &previous, NULL);
}

void cr_overflow_watch(cr_stack_pool *pool)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < max_pools; i++) {
        if (pools[i] != NULL)
            continue;
        cr_store_release_ptr(&pools[i], pool);
        if (watched++ == 0) {
            struct sigaction action = {.sa_sigaction = on_segv,
                                       .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
            sigemptyset(&action.sa_mask);
            sigaction(SIGSEGV, &action, &previous);
        }
        break;
    }
    pthread_mutex_unlock(&lock);
}

void cr_overflow_unwatch(cr_stack_pool *pool)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < max_pools; i++) {
        if (pools[i] != pool)
            continue;
        cr_store_ptr(&pools[i], NULL);
        struct sigaction current;
        /* Put the old handler back unless somebody has put theirs over ours meanwhile. */
        if (--watched == 0 && sigaction(SIGSEGV, NULL, &current) == 0 &&
            current.sa_sigaction == on_segv)
            sigaction(SIGSEGV, &previous, NULL);
        break;
    }
    pthread_mutex_unlock(&lock);
}

void *cr_overflow_thread_init(void)
{
    stack_t current;
    if (sigaltstack(NULL, &current) != 0 || !(current.ss_flags & SS_DISABLE))
        return NULL;
    void *memory = cr_alloc(alternate_bytes);
    if (memory == NULL)
        return NULL;
    stack_t alternate = {.ss_sp = memory, .ss_size = alternate_bytes};
    if (sigaltstack(&alternate, NULL) != 0) {
        cr_free(memory);
        return NULL;
    }
    return memory;
}

void cr_overflow_thread_fini(void *alternate)
{
    if (alternate == NULL)
        return;
    stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
    cr_free(alternate);
}
