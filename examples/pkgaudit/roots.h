/* SPDX-License-Identifier: MIT
 *
 * roots.h - which packages are audited.
 */
#ifndef PKGAUDIT_ROOTS_H
#define PKGAUDIT_ROOTS_H

#include "failure.h"
#include "universe.h"

#include <stdbool.h>

struct roots_wanted {
    bool all;
    uint32_t sample; /* so many, spread evenly; 0: no sample */
    char **names;    /* by name */
    size_t name_count;
    const char *status; /* else: what is installed according to this file */
};

/* Chooses roots; ret_roots: given, free it; in order of names, each once. An installed package
 * that the universe does not have is left out. Returns 0, or a negative code with the failure
 * noted. */
int roots_choose(const struct roots_wanted *wanted, const struct universe *universe,
                 struct failure *failure, uint32_t **ret_roots, uint32_t *ret_count);

#endif
