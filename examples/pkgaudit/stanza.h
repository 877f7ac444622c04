/* SPDX-License-Identifier: MIT
 *
 * stanza.h - reads the stanzas of a Packages or status file from a block of text.
 */
#ifndef PKGAUDIT_STANZA_H
#define PKGAUDIT_STANZA_H

#include "text.h"

/* The fields that matter here. Absent ones have length 0. Folded values keep their line breaks. */
struct stanza {
    struct text package;
    struct text version;
    struct text architecture;
    struct text depends;
    struct text pre_depends;
    struct text provides;
    struct text status;
    size_t line; /* of its first line */
};

struct stanza_cursor {
    const char *at;
    const char *end;
    size_t line;         /* of `at`, from 1 */
    const char *problem; /* what was wrong, after -EBADMSG */
};

/* Begins at `line` of a file. The block holds whole stanzas. */
void stanza_begin(struct stanza_cursor *cursor, const char *block, size_t bytes, size_t line);

/* Reads the next stanza. Returns 1 and fills *ret, 0 at the end, -EBADMSG if the stanza is cut
 * off or no stanza at all: a line without a line end, a line that is no field, no Package,
 * Version or Architecture. */
int stanza_next(struct stanza_cursor *cursor, struct stanza *ret);

/* Bytes of `block` up to the end of its last whole stanza (the blank line after it included); 0
 * if there is none. */
size_t stanza_boundary(const char *block, size_t bytes);

#endif
