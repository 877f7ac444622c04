/* SPDX-License-Identifier: MIT */
#include "runtime/stack/guard.h"

#include <errno.h>
#include <sys/mman.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL                                                                         \
    102 /* Linux 6.13; the C library's headers may be older than the kernel */
#endif
#ifndef MADV_GUARD_REMOVE
#define MADV_GUARD_REMOVE 103
#endif

static bool advise(void *from, size_t bytes, int advice)
{
    int rc;
    do {
        rc = madvise(from, bytes, advice);
    } while (rc != 0 && errno == EINTR);
    return rc == 0;
}

bool cr_guard_install(void *page, size_t page_bytes)
{
    return advise(page, page_bytes, MADV_GUARD_INSTALL);
}

bool cr_guard_remove(void *from, size_t bytes)
{
    return advise(from, bytes, MADV_GUARD_REMOVE);
}

corio_guard_kind cr_guard_probe(size_t page_bytes)
{
    void *page = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return CORIO_GUARD_MPROTECT;
    bool works = cr_guard_install(page, page_bytes);
    munmap(page, page_bytes);
    return works ? CORIO_GUARD_MADVISE : CORIO_GUARD_MPROTECT;
}
