/* SPDX-License-Identifier: MIT
 *
 * universe.h - the names of all packages, in memory.
 */
#ifndef PKGAUDIT_UNIVERSE_H
#define PKGAUDIT_UNIVERSE_H

#include <stddef.h>
#include <stdint.h>

/* All names, sorted bytewise, and the ids that go with them. */
struct universe {
    uint32_t count;
    uint32_t largest_id;
    uint32_t *sorted;  /* ids in order of their names */
    const char **name; /* by id; NULL where there is none */
    uint64_t *hash;    /* of the name, by id */
    char *text;
    /* While it is filled: */
    uint32_t room;
    char *end; /* of the text so far */
};

/* Makes room for count names with ids up to largest_id, whose texts have `bytes` bytes in all, their
 * end marks included. Returns 0 or -ENOMEM: there is nothing to release then. */
int universe_init(struct universe *universe, uint32_t count, uint32_t largest_id, size_t bytes);
/* Adds the next name, in order. What there is no room for is left out. */
void universe_add(struct universe *universe, uint32_t id, const char *name, size_t length);
void universe_fini(struct universe *universe);

/* The id of a name, 0 if there is none. */
uint32_t universe_find(const struct universe *universe, const char *name, size_t length);

#endif
