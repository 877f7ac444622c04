/* SPDX-License-Identifier: MIT
 *
 * overflow.h - names the task whose stack overflowed, before the process dies of it.
 *
 * A SIGSEGV handler on an alternate stack per worker thread looks whether the address is in a guard
 * page of a pool. If so it writes one line (task function, size, option to raise). In any case the
 * handler that was there before gets the signal next, by restoring it and faulting again.
 */
#ifndef CR_STACK_OVERFLOW_H
#define CR_STACK_OVERFLOW_H

#include <stdbool.h>

struct cr_stack_pool;

/* From init to fini of a pool. The handler is in place while any pool is watched. */
void cr_overflow_watch(struct cr_stack_pool *pool);
void cr_overflow_unwatch(struct cr_stack_pool *pool);

/* Gives the calling thread an alternate signal stack if it has none; returns it, for
 * cr_overflow_thread_fini. */
void *cr_overflow_thread_init(void);
void cr_overflow_thread_fini(void *alternate);

#endif
