/* SPDX-License-Identifier: MIT
 *
 * wrap.h - failing the n-th call of malloc and its kin, mmap, mprotect, madvise, pthread_create,
 * fopen, fwrite, membarrier's registration; and interrupting waits on a futex.
 */
#ifndef CR_TESTS_WRAP_H
#define CR_TESTS_WRAP_H

#include <stdbool.h>

/* Call number n from now on (0: the next) fails, and with for_good all after it; n < 0: none. Counts from anew. */
void wrap_fail(long n, bool for_good);
bool wrap_fails(void);            /* whether some call is to fail */
long wrap_calls(void);            /* since wrap_fail */
long wrap_live_allocations(void); /* allocated and not freed */

/* Each `each`-th wait on a futex is interrupted (EINTR); 0: none. */
void wrap_interrupt(long each);

#endif
