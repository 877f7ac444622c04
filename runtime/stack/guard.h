/* SPDX-License-Identifier: MIT
 *
 * guard.h - guard pages below stacks: which kind this kernel offers, and installing one.
 */
#ifndef CR_STACK_GUARD_H
#define CR_STACK_GUARD_H

#include <corio/runtime.h>
#include <stdbool.h>
#include <stddef.h>

/* CORIO_GUARD_MADVISE if the kernel has it, else CORIO_GUARD_MPROTECT. */
corio_guard_kind cr_guard_probe(size_t page_bytes);

/* Makes the page at `page` a guard with MADV_GUARD_INSTALL. */
bool cr_guard_install(void *page, size_t page_bytes);
/* Takes away all such guards in a range; other pages stay as they are. */
bool cr_guard_remove(void *from, size_t bytes);

#endif
