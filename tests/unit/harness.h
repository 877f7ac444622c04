/* SPDX-License-Identifier: MIT
 *
 * harness.h - what most tests of the public interface begin with.
 */
#ifndef CR_TESTS_HARNESS_H
#define CR_TESTS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <corio.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Worker counts that everything is tested with. */
static const unsigned worker_counts[] = {1, 2, 8};
enum { worker_count_count = 3 };

/* sim_seed: 0, no simulation. */
static inline corio_runtime *runtime_as(unsigned workers, uint64_t sim_seed)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime = NULL;
    options.workers = workers;
    options.sim_seed = sim_seed;
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    return runtime;
}

static inline corio_runtime *runtime_with(unsigned workers)
{
    return runtime_as(workers, 0);
}

static inline corio_runtime *simulation_with(uint64_t seed)
{
    return runtime_as(0, seed);
}

/* A fresh runtime of each size, for the block that follows. */
#define FOR_EACH_WORKER_COUNT(runtime)                                                             \
    for (unsigned count_at = 0; count_at < worker_count_count; count_at++)                         \
        for (corio_runtime *runtime = runtime_with(worker_counts[count_at]); runtime != NULL;      \
             assert_int_equal(corio_runtime_destroy(runtime), 0), runtime = NULL)

/* For requests with nothing in them. */
static inline int answer_all(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++)
        corio_batch_respond(batch, i);
    return CORIO_DONE;
}

static inline corio_dispatcher *add_dispatcher(corio_runtime *runtime, corio_dispatch_fn *fn)
{
    corio_dispatcher *added = NULL;
    corio_dispatcher_options options = {.size = sizeof options, .name = "empty", .dispatch = fn};
    assert_int_equal(corio_dispatcher_add(runtime, &options, &added), 0);
    return added;
}

/* ThreadSanitizer needs memory of its own for each stack, a lot of it. */
#if defined(__SANITIZE_THREAD__)
#define CR_TESTS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CR_TESTS_TSAN 1
#endif
#endif
#ifndef CR_TESTS_TSAN
#define CR_TESTS_TSAN 0
#endif
#if defined(__SANITIZE_ADDRESS__)
#define CR_TESTS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CR_TESTS_ASAN 1
#endif
#endif
#ifndef CR_TESTS_ASAN
#define CR_TESTS_ASAN 0
#endif

#define ADD(counter)  __atomic_add_fetch(&(counter), 1, __ATOMIC_RELAXED)
#define READ(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)

static inline void raise_to(unsigned *most, unsigned value)
{
    unsigned before = READ(*most);
    while (before < value && !__atomic_compare_exchange_n(most, &before, value, true,
                                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

/* A cmocka assertion must not jump out of a task: tasks check with this and return the error. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            return -EBADMSG;                                                                       \
        }                                                                                          \
    } while (0)

#endif
