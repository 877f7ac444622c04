/* SPDX-License-Identifier: MIT
 *
 * watch.c - what -fsanitize=thread makes the compiler call for each plain access, answered by the
 * explorer instead of the sanitizer's runtime. Copies are calls of memcpy and so on, which the
 * linker wraps.
 */
#include "tests/model/explorer.h"

#include <string.h>

#define WATCH(name, bytes, write)                                                                  \
    void name(void *at);                                                                           \
    void name(void *at)                                                                            \
    {                                                                                              \
        memory_plain(at, bytes, write);                                                            \
    }

#define WATCH_SIZE(bytes)                                                                          \
    WATCH(__tsan_read##bytes, bytes, false)                                                        \
    WATCH(__tsan_write##bytes, bytes, true)                                                        \
    WATCH(__tsan_unaligned_read##bytes, bytes, false)                                              \
    WATCH(__tsan_unaligned_write##bytes, bytes, true)

WATCH_SIZE(1)
WATCH_SIZE(2)
WATCH_SIZE(4)
WATCH_SIZE(8)
WATCH_SIZE(16)

void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);
void *__tsan_get_current_fiber(void);
void __tsan_read_range(void *at, size_t bytes);
void __tsan_write_range(void *at, size_t bytes);
void *__real_memcpy(void *to, const void *from, size_t bytes);
void *__real_memmove(void *to, const void *from, size_t bytes);
void *__real_memset(void *to, int byte, size_t bytes);
void *__wrap_memcpy(void *to, const void *from, size_t bytes);
void *__wrap_memmove(void *to, const void *from, size_t bytes);
void *__wrap_memset(void *to, int byte, size_t bytes);

void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller)
{
    (void)caller;
}

void __tsan_func_exit(void)
{
}

void *__tsan_get_current_fiber(void)
{
    return NULL;
}

void __tsan_read_range(void *at, size_t bytes)
{
    memory_plain(at, bytes, false);
}

void __tsan_write_range(void *at, size_t bytes)
{
    memory_plain(at, bytes, true);
}

void *__wrap_memcpy(void *to, const void *from, size_t bytes)
{
    memory_plain(from, bytes, false);
    memory_plain(to, bytes, true);
    return __real_memcpy(to, from, bytes);
}

void *__wrap_memmove(void *to, const void *from, size_t bytes)
{
    memory_plain(from, bytes, false);
    memory_plain(to, bytes, true);
    return __real_memmove(to, from, bytes);
}

void *__wrap_memset(void *to, int byte, size_t bytes)
{
    memory_plain(to, bytes, true);
    return __real_memset(to, byte, bytes);
}
