/* SPDX-License-Identifier: MIT
 *
 * wrap.c - the wrappers. In a file of their own, so that the test itself is not wrapped at compile time.
 */
#include "tests/fault/wrap.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>

static long fail_at = -1, calls, live;
static bool fail_for_good;

void wrap_fail(long n, bool for_good)
{
    __atomic_store_n(&fail_at, n, __ATOMIC_RELAXED);
    __atomic_store_n(&fail_for_good, for_good, __ATOMIC_RELAXED);
    __atomic_store_n(&calls, 0, __ATOMIC_RELAXED);
}

bool wrap_fails(void)
{
    return __atomic_load_n(&fail_at, __ATOMIC_RELAXED) >= 0;
}

long wrap_calls(void)
{
    return __atomic_load_n(&calls, __ATOMIC_RELAXED);
}

long wrap_live_allocations(void)
{
    return __atomic_load_n(&live, __ATOMIC_RELAXED);
}

static long interrupt_each, waits;

void wrap_interrupt(long each)
{
    __atomic_store_n(&interrupt_each, each, __ATOMIC_RELAXED);
}

static bool must_fail(void)
{
    long call = __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
    long at = __atomic_load_n(&fail_at, __ATOMIC_RELAXED);
    bool for_good = __atomic_load_n(&fail_for_good, __ATOMIC_RELAXED);
    return at >= 0 && (call == at || (for_good && call > at));
}

static void *counted(void *memory)
{
    if (memory != NULL)
        __atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
    return memory;
}

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes)
{
    return must_fail() ? NULL : counted(__real_malloc(bytes));
}

void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes)
{
    return must_fail() ? NULL : counted(__real_calloc(count, bytes));
}

void *__real_realloc(void *old, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes)
{
    if (must_fail())
        return NULL;
    void *memory = __real_realloc(old, bytes);
    return old == NULL ? counted(memory) : memory;
}

void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return must_fail() ? NULL : counted(__real_aligned_alloc(alignment, bytes));
}

void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
    if (memory != NULL)
        __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
    __real_free(memory);
}

void *__real_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset)
{
    if (must_fail()) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return __real_mmap(at, bytes, protection, flags, file, offset);
}

static long splits_left = -1;
static unsigned long whole_bytes;
static bool guards_limited;

void wrap_limit_guards(long splits, unsigned long whole)
{
    splits_left = splits;
    whole_bytes = whole;
    guards_limited = splits >= 0;
}

/* Called by one thread at a time: under a pool's lock. */
static bool too_many_mappings(size_t bytes)
{
    return guards_limited && bytes < whole_bytes && splits_left-- <= 0;
}

int __real_mprotect(void *at, size_t bytes, int protection);
int __wrap_mprotect(void *at, size_t bytes, int protection);
int __wrap_mprotect(void *at, size_t bytes, int protection)
{
    if (must_fail() || too_many_mappings(bytes)) {
        errno = ENOMEM;
        return -1;
    }
    return __real_mprotect(at, bytes, protection);
}

int __real_madvise(void *at, size_t bytes, int advice);
int __wrap_madvise(void *at, size_t bytes, int advice);
int __wrap_madvise(void *at, size_t bytes, int advice)
{
    enum { guard_install = 102 };
    if (must_fail() || (guards_limited && advice == guard_install)) {
        errno = EINVAL;
        return -1;
    }
    return __real_madvise(at, bytes, advice);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*main)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*main)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg)
{
    return must_fail() ? EAGAIN : __real_pthread_create(thread, attributes, start, arg);
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    if (must_fail()) {
        errno = ENOMEM;
        return NULL;
    }
    return __real_fopen(path, mode);
}

size_t __real_fwrite(const void *items, size_t bytes, size_t count, FILE *file);
size_t __wrap_fwrite(const void *items, size_t bytes, size_t count, FILE *file);
size_t __wrap_fwrite(const void *items, size_t bytes, size_t count, FILE *file)
{
    if (must_fail()) {
        errno = ENOSPC;
        return 0;
    }
    return __real_fwrite(items, bytes, count, file);
}

/* The text that it makes, freed by who has opened it, also if closing it fails. */
FILE *__real_open_memstream(char **text, size_t *bytes);
FILE *__wrap_open_memstream(char **text, size_t *bytes);
FILE *__wrap_open_memstream(char **text, size_t *bytes)
{
    if (must_fail()) {
        errno = ENOMEM;
        return NULL;
    }
    FILE *file = __real_open_memstream(text, bytes);
    counted(file);
    return file;
}

/* What it has in its buffer cannot be written. */
int __real_fclose(FILE *file);
int __wrap_fclose(FILE *file);
int __wrap_fclose(FILE *file)
{
    int rc = __real_fclose(file);
    if (!must_fail())
        return rc;
    errno = ENOSPC;
    return EOF;
}

static bool unreadable;

void wrap_unreadable(bool on)
{
    unreadable = on;
}

/* What getline is, where the C library's headers inline it. */
ssize_t __real___getdelim(char **line, size_t *bytes, int end, FILE *file);
ssize_t __wrap___getdelim(char **line, size_t *bytes, int end, FILE *file);
ssize_t __wrap___getdelim(char **line, size_t *bytes, int end, FILE *file)
{
    bool fresh = *line == NULL;
    if (must_fail() || unreadable) {
        errno = ENOMEM;
        return -1;
    }
    ssize_t length = __real___getdelim(line, bytes, end, file);
    if (fresh)
        counted(*line);
    return length;
}

ssize_t __wrap_getline(char **line, size_t *bytes, FILE *file);
ssize_t __wrap_getline(char **line, size_t *bytes, FILE *file)
{
    return __wrap___getdelim(line, bytes, '\n', file);
}

static bool interrupted(void)
{
    long each = __atomic_load_n(&interrupt_each, __ATOMIC_RELAXED);
    return each > 0 && __atomic_add_fetch(&waits, 1, __ATOMIC_RELAXED) % each == 0;
}

/* Of system calls only those fail that may: waits on a futex, and membarrier, to register for it, or once in a while. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    long words[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        words[i] = va_arg(list, long);
    va_end(list);
    bool waits_here = number == SYS_futex && (words[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
    bool registers =
        number == SYS_membarrier && words[0] == MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
    bool fences =
        number == SYS_membarrier && words[0] == MEMBARRIER_CMD_PRIVATE_EXPEDITED &&
        __atomic_load_n(&interrupt_each, __ATOMIC_RELAXED) > 1; /* not each: it is tried again */
    if ((waits_here && interrupted()) || (registers && must_fail()) || (fences && interrupted())) {
        errno = waits_here ? EINTR : fences ? ENOMEM : ENOSYS;
        return -1;
    }
    return __real_syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
