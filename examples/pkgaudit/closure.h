/* SPDX-License-Identifier: MIT
 *
 * closure.h - the set of packages that a root needs, in the order in which they were found.
 */
#ifndef PKGAUDIT_CLOSURE_H
#define PKGAUDIT_CLOSURE_H

#include <stdint.h>

struct closure {
    uint32_t *members; /* in order of discovery; the root is the first */
    uint32_t count;
    uint32_t room;
    uint32_t *slots; /* open addressing: member's id, 0 is free; 2 * room of them */
};

/* Begins with the root alone. Returns 0 or -ENOMEM. */
int closure_init(struct closure *closure, uint32_t root);
void closure_fini(struct closure *closure);

/* Adds a package unless it is a member. Returns 0 or -ENOMEM. */
int closure_add(struct closure *closure, uint32_t package);

#endif
