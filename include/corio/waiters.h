/* SPDX-License-Identifier: MIT
 *
 * waiters.h - a queue of suspended tasks, part of what they wait for. The members are the
 * library's.
 */
#ifndef CORIO_WAITERS_H
#define CORIO_WAITERS_H

#include <corio/export.h>

CORIO_BEGIN_DECLS

typedef struct corio_waiters {
    void *reserved_head;
    void *reserved_tail;
    uint32_t reserved_lock;
    uint32_t reserved_count;
} corio_waiters;

#define CORIO_WAITERS_INIT                                                                         \
    {                                                                                              \
        NULL, NULL, 0, 0                                                                           \
    }

CORIO_END_DECLS

#endif
