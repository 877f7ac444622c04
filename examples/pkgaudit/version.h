/* SPDX-License-Identifier: MIT
 *
 * version.h - Debian version numbers: their order and the relations of dependency fields.
 */
#ifndef PKGAUDIT_VERSION_H
#define PKGAUDIT_VERSION_H

#include <stdbool.h>

/* What a dependency demands of a version. The values are stored in the database. */
enum relation {
    RELATION_ANY = 0,
    RELATION_EARLIER = 1,  /* << */
    RELATION_AT_MOST = 2,  /* <= */
    RELATION_EQUAL = 3,    /* = */
    RELATION_AT_LEAST = 4, /* >= */
    RELATION_LATER = 5,    /* >> */
};

/* Compares by the rules of deb-version(7): epoch, upstream version, revision. Returns below,
 * equal to or above 0. */
int version_compare(const char *a, const char *b);

/* Whether version `have` stands in `relation` to `want`. An unknown version ("") meets
 * RELATION_ANY only. */
bool version_meets(const char *have, enum relation relation, const char *want);

/* ">=" and so on; "" for RELATION_ANY. */
const char *relation_text(enum relation relation);

#endif
