/* SPDX-License-Identifier: MIT */
/* Contexts: one stack leaves the processor, another takes it.
 *
 *   make(top, bytes, entry) -> context      entry(transfer) runs at the first jump
 *   jump(to, data)          -> transfer     {who jumped back here, what it passed}
 *   ontop(to, data, fn)     -> transfer     fn(transfer) runs on the target's stack first
 *
 * Invariants
 *   - A context is used once: whoever jumps to it uses it up. The target receives the jumper's new
 *     context in `from` and must hand that on to be able to return to it.
 *   - A context is the lowest live address of its stack: what lies below may be overwritten.
 *   - A suspended context may be resumed on another thread. The hand-over needs a happens-before
 *     edge of its own; the switch orders nothing.
 *   - A new context starts with the floating point control of the thread that made it.
 *
 * Kept across a switch: callee-saved registers, floating point control (rounding and so on).
 * Not kept: signal mask, thread-local state, shadow stack. The files in asm/ say it exactly.
 *
 * The switch is asm/<abi>.S, or with CR_CONTEXT_BOOST Boost.Context, whose C symbols have the same
 * contract with two holes: on AArch64 it leaves FPCR to the thread, and a function run on top of a
 * context that has not started does not reach the entry function with its result.
 */
#ifndef CR_BASE_CONTEXT_H
#define CR_BASE_CONTEXT_H

#include <stddef.h>

typedef void *cr_context;

typedef struct cr_transfer {
    cr_context from; /* whoever gave up the processor to us */
    void *data;      /* what it passed */
} cr_transfer;

typedef void cr_context_entry(cr_transfer);
typedef cr_transfer cr_context_function(cr_transfer);

#ifdef __cplusplus
extern "C" {
#endif

#ifdef CR_CONTEXT_BOOST
cr_context make_fcontext(void *stack_top, size_t bytes, cr_context_entry *entry);
cr_transfer jump_fcontext(cr_context to, void *data);
cr_transfer ontop_fcontext(cr_context to, void *data, cr_context_function *fn);
#define CR_CONTEXT_SYMBOL(name) name##_fcontext
#else
#define CR_CONTEXT_HIDDEN       __attribute__((visibility("hidden")))
CR_CONTEXT_HIDDEN cr_context cr_make_fcontext(void *stack_top, size_t bytes,
                                              cr_context_entry *entry);
CR_CONTEXT_HIDDEN cr_transfer cr_jump_fcontext(cr_context to, void *data);
CR_CONTEXT_HIDDEN cr_transfer cr_ontop_fcontext(cr_context to, void *data, cr_context_function *fn);
#define CR_CONTEXT_SYMBOL(name) cr_##name##_fcontext
#endif

#ifdef __cplusplus
}
#endif

/* Prepares a context on the stack of `bytes` bytes that ends at `stack_top` (borrowed for as long
 * as the context lives; need not be aligned). `entry` must not return: if it does, the process ends
 * with status 0 and without exit handlers. Thread: any. */
static inline cr_context cr_context_make(void *stack_top, size_t bytes, cr_context_entry *entry)
{
    return CR_CONTEXT_SYMBOL(make)(stack_top, bytes, entry);
}

/* Suspends the caller and resumes `to`, which sees {the caller's context, data}. Returns when
 * something jumps to the caller's context, with what that passed. Thread: any. */
static inline cr_transfer cr_context_jump(cr_context to, void *data)
{
    return CR_CONTEXT_SYMBOL(jump)(to, data);
}

/* As cr_context_jump, but runs fn({the caller's context, data}) on the stack of `to` first; what
 * `to` sees is what fn returns. The caller is suspended by then, so fn may publish it. Thread: any.
 */
static inline cr_transfer cr_context_ontop(cr_context to, void *data, cr_context_function *fn)
{
    return CR_CONTEXT_SYMBOL(ontop)(to, data, fn);
}

#endif
