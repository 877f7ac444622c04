/* SPDX-License-Identifier: MIT */
#include "runtime/base/sanitizer.h"

cr_sanitizers cr_sanitizer;

/* The first of the constructors: those of a program may run a runtime already. */
enum { first_priority = 101 };

__attribute__((constructor(first_priority))) static void look_for_sanitizers(void)
{
    cr_sanitizer.address = __sanitizer_start_switch_fiber != NULL &&
                           __sanitizer_finish_switch_fiber != NULL &&
                           __asan_unpoison_memory_region != NULL;
    cr_sanitizer.thread = __tsan_create_fiber != NULL && __tsan_switch_to_fiber != NULL &&
                          __tsan_acquire != NULL && __tsan_release != NULL;
}

void cr_tell_release_slow(const void *at)
{
    __tsan_release((void *)(uintptr_t)at);
}

void cr_tell_acquire_slow(const void *at)
{
    __tsan_acquire((void *)(uintptr_t)at);
}
