/* SPDX-License-Identifier: MIT
 *
 * cycles.h - groups of packages that need each other, directly or not.
 */
#ifndef PKGAUDIT_CYCLES_H
#define PKGAUDIT_CYCLES_H

#include "audit.h"

/* Component i has the members from starts[i] up to starts[i + 1], in order of names; the
 * components are in order of their first names. */
struct cycles {
    uint32_t *members;
    uint32_t *starts; /* count + 1 of them */
    uint32_t count;
};

/* Finds the strongly connected components of more than one package in the graph of choices.
 * Returns 0 or -ENOMEM. */
int cycles_find(const struct audit *audit, struct cycles *ret);
void cycles_fini(struct cycles *cycles);

#endif
