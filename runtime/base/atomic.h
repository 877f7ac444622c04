/* SPDX-License-Identifier: MIT
 *
 * atomic.h - the only atomics of this library: Concurrency Kit's ck_pr under names that say which
 * order they give.
 *
 * ck's operations are relaxed; its fences order them. So an acquire load is a load and then a
 * fence, a release store a fence and then a store, and a read-modify-write with both has a fence on
 * either side. On x86 (TSO) these fences are compiler barriers, as the hardware orders everything
 * but a store before a later load; that one takes cr_fence_full.
 *
 * An access without an order in its name is relaxed: it is atomic (no torn value), and nothing
 * else.
 */
#ifndef CR_BASE_ATOMIC_H
#define CR_BASE_ATOMIC_H

#include <ck_pr.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__aarch64__) && !defined(CK_MD_RMO)
#error "ck_md.h is another architecture's: its fences would be dropped silently"
#endif

#if defined(__SANITIZE_THREAD__)
#define CR_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CR_TSAN 1
#endif
#endif
#ifndef CR_TSAN
#define CR_TSAN 0
#endif

/* Orders everything before it against everything after it, stores before later loads included. A
 * locked operation on the stack does this on x86 in a tenth of the time of mfence, which is what
 * ck emits. */
static inline void cr_fence_full(void)
{
#if defined(__x86_64__) && !CR_TSAN
    __asm__ __volatile__("lock; orl $0, (%%rsp)" ::: "memory", "cc");
#else
    ck_pr_fence_memory();
#endif
}

/* Keeps the compiler from moving memory accesses across; the hardware may. */
static inline void cr_compiler_barrier(void)
{
    ck_pr_barrier();
}

static inline void cr_cpu_relax(void)
{
    ck_pr_stall();
}

/* cr_load_64, cr_load_acquire_64, cr_store_64, cr_store_release_64, cr_add_64 (returns the value
 * before), cr_cas_64, and the same for 32 bits and for pointers. Read-modify-writes acquire and
 * release. */
#define CR_ATOMIC(suffix, type)                                                                    \
    static inline type cr_load_##suffix(const type *at)                                            \
    {                                                                                              \
        return ck_pr_load_##suffix(at);                                                            \
    }                                                                                              \
    static inline type cr_load_acquire_##suffix(const type *at)                                    \
    {                                                                                              \
        type value = ck_pr_load_##suffix(at);                                                      \
        ck_pr_fence_acquire();                                                                     \
        return value;                                                                              \
    }                                                                                              \
    static inline void cr_store_##suffix(type *at, type value)                                     \
    {                                                                                              \
        ck_pr_store_##suffix(at, value);                                                           \
    }                                                                                              \
    static inline void cr_store_release_##suffix(type *at, type value)                             \
    {                                                                                              \
        ck_pr_fence_release();                                                                     \
        ck_pr_store_##suffix(at, value);                                                           \
    }                                                                                              \
    static inline type cr_add_##suffix(type *at, type delta)                                       \
    {                                                                                              \
        ck_pr_fence_release();                                                                     \
        type before = ck_pr_faa_##suffix(at, delta);                                               \
        ck_pr_fence_acquire();                                                                     \
        return before;                                                                             \
    }                                                                                              \
    static inline bool cr_cas_##suffix(type *at, type expected, type value)                        \
    {                                                                                              \
        ck_pr_fence_release();                                                                     \
        bool done = ck_pr_cas_##suffix(at, expected, value);                                       \
        ck_pr_fence_acquire();                                                                     \
        return done;                                                                               \
    }

CR_ATOMIC(32, uint32_t)
CR_ATOMIC(64, uint64_t)
#undef CR_ATOMIC

static inline void *cr_load_ptr(void *const *at)
{
    return ck_pr_load_ptr(at);
}

static inline void *cr_load_acquire_ptr(void *const *at)
{
    void *value = ck_pr_load_ptr(at);
    ck_pr_fence_acquire();
    return value;
}

static inline void cr_store_ptr(void *at, void *value)
{
    ck_pr_store_ptr((void **)at, value);
}

static inline void cr_store_release_ptr(void *at, void *value)
{
    ck_pr_fence_release();
    ck_pr_store_ptr((void **)at, value);
}

static inline bool cr_cas_ptr(void *at, void *expected, void *value)
{
    ck_pr_fence_release();
    bool done = ck_pr_cas_ptr(at, expected, value);
    ck_pr_fence_acquire();
    return done;
}

static inline uint32_t cr_swap_32(uint32_t *at, uint32_t value)
{
    ck_pr_fence_release();
    uint32_t before = ck_pr_fas_32(at, value);
    ck_pr_fence_acquire();
    return before;
}

static inline void *cr_swap_ptr(void *at, void *value)
{
    ck_pr_fence_release();
    void *before = ck_pr_fas_ptr(at, value);
    ck_pr_fence_acquire();
    return before;
}

#endif
