/* SPDX-License-Identifier: MIT
 *
 * ck_pr.h - for the model explorer, found instead of Concurrency Kit's: each operation is a call of
 * the explorer, which decides what it sees. As with ck on a weakly ordered processor, no operation
 * orders anything by itself; only the fences do.
 */
#ifndef CK_PR_H
#define CK_PR_H

#include <stdbool.h>
#include <stdint.h>

enum { MODEL_ACQUIRE = 1, MODEL_RELEASE = 2, MODEL_FULL = 4 };

uint64_t model_load(const void *at, unsigned bytes);
void model_store(void *at, unsigned bytes, uint64_t value);
/* *expected becomes the value that was read. */
bool model_cas(void *at, unsigned bytes, uint64_t *expected, uint64_t value);
/* The value before; `how` says what is done with the operand. */
enum { MODEL_ADD, MODEL_SWAP, MODEL_OR, MODEL_AND };
uint64_t model_modify(void *at, unsigned bytes, int how, uint64_t operand);
void model_fence(unsigned order);
void model_stall(void);

#define MODEL_OPERATIONS(suffix, type, integer)                                                    \
    static inline type ck_pr_load_##suffix(type const *at)                                         \
    {                                                                                              \
        return (type)(integer)model_load(at, sizeof(type));                                        \
    }                                                                                              \
    static inline void ck_pr_store_##suffix(type *at, type value)                                  \
    {                                                                                              \
        model_store(at, sizeof(type), (integer)value);                                             \
    }                                                                                              \
    static inline bool ck_pr_cas_##suffix(type *at, type expected, type value)                     \
    {                                                                                              \
        uint64_t seen = (integer)expected;                                                         \
        return model_cas(at, sizeof(type), &seen, (integer)value);                                 \
    }                                                                                              \
    static inline bool ck_pr_cas_##suffix##_value(type *at, type expected, type value,             \
                                                  type *before)                                    \
    {                                                                                              \
        uint64_t seen = (integer)expected;                                                         \
        bool done = model_cas(at, sizeof(type), &seen, (integer)value);                            \
        *before = (type)(integer)seen;                                                             \
        return done;                                                                               \
    }                                                                                              \
    static inline type ck_pr_fas_##suffix(type *at, type value)                                    \
    {                                                                                              \
        return (type)(integer)model_modify(at, sizeof(type), MODEL_SWAP, (integer)value);          \
    }

MODEL_OPERATIONS(32, uint32_t, uint32_t)
MODEL_OPERATIONS(64, uint64_t, uint64_t)
MODEL_OPERATIONS(ptr, void *, uintptr_t)
#undef MODEL_OPERATIONS

#define ck_pr_faa_32(at, delta) ((uint32_t)model_modify((at), 4, MODEL_ADD, (delta)))
#define ck_pr_faa_64(at, delta) model_modify((at), 8, MODEL_ADD, (delta))
#define ck_pr_or_32(at, bits)   ((void)model_modify((at), 4, MODEL_OR, (bits)))
#define ck_pr_and_32(at, bits)  ((void)model_modify((at), 4, MODEL_AND, (bits)))

/* What a fence orders beyond its name is not counted on. ck's store fences order less than a release:
 * they are counted as nothing. */
#define ck_pr_fence_acquire()      model_fence(MODEL_ACQUIRE)
#define ck_pr_fence_load()         model_fence(MODEL_ACQUIRE)
#define ck_pr_fence_load_atomic()  model_fence(MODEL_ACQUIRE)
#define ck_pr_fence_release()      model_fence(MODEL_RELEASE)
#define ck_pr_fence_store()        ck_pr_barrier()
#define ck_pr_fence_store_atomic() ck_pr_barrier()
#define ck_pr_fence_store_load()   model_fence(MODEL_ACQUIRE | MODEL_RELEASE | MODEL_FULL)
#define ck_pr_fence_memory()       model_fence(MODEL_ACQUIRE | MODEL_RELEASE | MODEL_FULL)
#define ck_pr_barrier()            __asm__ __volatile__("" ::: "memory")
#define ck_pr_stall()              model_stall()

#endif
