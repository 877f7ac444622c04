/* SPDX-License-Identifier: MIT
 *
 * wrap.h - failing the n-th call of malloc and its kin, mmap, mprotect, madvise and pthread_create.
 */
#ifndef CR_TESTS_WRAP_H
#define CR_TESTS_WRAP_H

#include <stdbool.h>

/* Call number n from now on (0: the next) fails, and with for_good all after it; n < 0: none. Counts from anew. */
void wrap_fail(long n, bool for_good);
long wrap_calls(void);            /* since wrap_fail */
long wrap_live_allocations(void); /* allocated and not freed */

#endif
