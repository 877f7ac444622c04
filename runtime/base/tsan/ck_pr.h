/* SPDX-License-Identifier: MIT
 *
 * ck_pr.h - for ThreadSanitizer builds only, found before Concurrency Kit's: the same operations on the compiler's
 * atomics, which the sanitizer understands (ck's are inline assembly, which it does not see).
 *
 * It does not model fences, so every load acquires, every store releases, every read-modify-write does both. That hides a
 * missing fence, but not a missing atomic or a race on the data that atomics guard: those are what this build is for.
 */
#ifndef CR_BASE_TSAN_CK_PR_H
#define CR_BASE_TSAN_CK_PR_H

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wgnu-include-next"
#endif
#include_next <ck_pr.h>
#pragma GCC diagnostic pop

#include <stdbool.h>
#include <stdint.h>

#define CR_TSAN_OPERATIONS(suffix, type)                                                           \
    static inline type cr_tsan_load_##suffix(type const *at)                                       \
    {                                                                                              \
        return __atomic_load_n(at, __ATOMIC_ACQUIRE);                                              \
    }                                                                                              \
    static inline void cr_tsan_store_##suffix(type *at, type value)                                \
    {                                                                                              \
        __atomic_store_n(at, value, __ATOMIC_RELEASE);                                             \
    }                                                                                              \
    static inline bool cr_tsan_cas_##suffix(type *at, type expected, type value)                   \
    {                                                                                              \
        return __atomic_compare_exchange_n(at, &expected, value, false, __ATOMIC_ACQ_REL,          \
                                           __ATOMIC_ACQUIRE);                                      \
    }                                                                                              \
    static inline bool cr_tsan_cas_##suffix##_value(type *at, type expected, type value,           \
                                                    type *before)                                  \
    {                                                                                              \
        *before = expected;                                                                        \
        return __atomic_compare_exchange_n(at, before, value, false, __ATOMIC_ACQ_REL,             \
                                           __ATOMIC_ACQUIRE);                                      \
    }                                                                                              \
    static inline type cr_tsan_fas_##suffix(type *at, type value)                                  \
    {                                                                                              \
        return __atomic_exchange_n(at, value, __ATOMIC_ACQ_REL);                                   \
    }

CR_TSAN_OPERATIONS(32, uint32_t)
CR_TSAN_OPERATIONS(64, uint64_t)
CR_TSAN_OPERATIONS(ptr, void *)

#undef ck_pr_load_32
#undef ck_pr_load_64
#undef ck_pr_load_ptr
#undef ck_pr_store_32
#undef ck_pr_store_64
#undef ck_pr_store_ptr
#define ck_pr_load_32(at)                  cr_tsan_load_32(at)
#define ck_pr_load_64(at)                  cr_tsan_load_64(at)
#define ck_pr_load_ptr(at)                 cr_tsan_load_ptr((void *const *)(at))
#define ck_pr_store_32(at, value)          cr_tsan_store_32((at), (value))
#define ck_pr_store_64(at, value)          cr_tsan_store_64((at), (value))
#define ck_pr_store_ptr(at, value)         cr_tsan_store_ptr((void **)(at), (value))
#define ck_pr_cas_32(at, expected, value)  cr_tsan_cas_32((at), (expected), (value))
#define ck_pr_cas_64(at, expected, value)  cr_tsan_cas_64((at), (expected), (value))
#define ck_pr_cas_ptr(at, expected, value) cr_tsan_cas_ptr((void **)(at), (expected), (value))
#define ck_pr_cas_32_value(at, expected, value, before)                                            \
    cr_tsan_cas_32_value((at), (expected), (value), (before))
#define ck_pr_fas_32(at, value)  cr_tsan_fas_32((at), (value))
#define ck_pr_fas_ptr(at, value) cr_tsan_fas_ptr((void **)(at), (value))
#define ck_pr_faa_32(at, delta)  __atomic_fetch_add((at), (delta), __ATOMIC_ACQ_REL)
#define ck_pr_faa_64(at, delta)  __atomic_fetch_add((at), (delta), __ATOMIC_ACQ_REL)
#define ck_pr_or_32(at, bits)    ((void)__atomic_fetch_or((at), (bits), __ATOMIC_ACQ_REL))

#endif
