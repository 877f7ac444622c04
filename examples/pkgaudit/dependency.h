/* SPDX-License-Identifier: MIT
 *
 * dependency.h - reads dependency fields (Depends, Pre-Depends, Provides).
 *
 *     a (>= 1.2) | b, c:any [amd64] <!nocheck>
 *     position 0            position 1
 *     alternative 0, 1      alternative 0
 */
#ifndef PKGAUDIT_DEPENDENCY_H
#define PKGAUDIT_DEPENDENCY_H

#include "text.h"
#include "version.h"

#include <stdio.h>

struct dependency {
    struct text name;
    struct text qualifier; /* "any" of "c:any"; length 0: none */
    enum relation relation;
    struct text version; /* length 0 for RELATION_ANY */
    unsigned position;
    unsigned alternative;
};

struct dependency_cursor {
    const char *at;
    const char *end;
    const char
        *architecture; /* alternatives that [..] rules out for it are left out; NULL: none are */
    unsigned position;
    unsigned alternative;
};

/* Begins with a field's value; the first position gets the number `position`. */
void dependency_begin(struct dependency_cursor *cursor, struct text field, const char *architecture,
                      unsigned position);

/* Reads the next alternative. Returns 1 and fills *ret, 0 at the end, -EINVAL if the text is
 * malformed. Build profiles (<..>) are passed over: binary packages have none. */
int dependency_next(struct dependency_cursor *cursor, struct dependency *ret);

/* Writes an alternative as a field has it: "a (>= 1)", with " | " before it unless it is the first.
 * version: NULL or any with RELATION_ANY. */
void dependency_print(FILE *to, bool first, const char *name, enum relation relation,
                      const char *version);

#endif
