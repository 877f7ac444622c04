/* SPDX-License-Identifier: MIT
 *
 * wrap.h - failing the n-th call of malloc and its kin, mmap, mprotect, madvise, pthread_create,
 * fopen, fwrite, fclose, open_memstream, getline, membarrier's registration; and interrupting waits on a
 * futex.
 */
#ifndef CR_TESTS_WRAP_H
#define CR_TESTS_WRAP_H

#include <stdbool.h>

/* Call number n from now on (0: the next) fails, and with for_good all after it; n < 0: none. Counts from anew. */
void wrap_fail(long n, bool for_good);
bool wrap_fails(void);            /* whether some call is to fail */
long wrap_calls(void);            /* since wrap_fail */
long wrap_live_allocations(void); /* allocated and not freed */

/* The kernel has no MADV_GUARD_INSTALL, and after `splits` calls of mprotect that split a mapping (those of less than
 * `whole` bytes) there are as many mappings as there may be (vm.max_map_count); splits < 0: all is as it is. */
void wrap_limit_guards(long splits, unsigned long whole);

/* No line can be read any more. */
void wrap_unreadable(bool on);

/* Each `each`-th wait on a futex is interrupted (EINTR); 0: none. */
void wrap_interrupt(long each);

#endif
