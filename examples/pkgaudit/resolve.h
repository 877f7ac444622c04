/* SPDX-License-Identifier: MIT
 *
 * resolve.h - which package a dependency is met by. Pure logic on the rows of one package's edges.
 *
 * The rule: alternatives in their order; for each, the package of that name if its version meets
 * the demand, else the first, in byte order of names, of those that provide the name: with a
 * version that meets the demand, or with any if no version is demanded. A dependency that nothing
 * meets is missing. The choice depends on nothing but the dependency, so all choices together are
 * one graph, whatever the root.
 */
#ifndef PKGAUDIT_RESOLVE_H
#define PKGAUDIT_RESOLVE_H

#include "edges.h"

enum choice {
    CHOICE_END = 0,
    CHOICE_PACKAGE, /* the id of the chosen package */
    CHOICE_MISSING, /* the position of a dependency that nothing meets */
};

struct resolver {
    const unsigned char *at;
    const unsigned char *end;
};

void resolve_begin(struct resolver *resolver, const struct edges *edges);

/* Decides the next dependency. */
enum choice resolve_next(struct resolver *resolver, uint32_t *ret);

#endif
