/* SPDX-License-Identifier: MIT
 *
 * source.h - where the stanzas come from: `apt-cache dumpavail`, or Packages files, plain or
 * compressed.
 */
#ifndef PKGAUDIT_SOURCE_H
#define PKGAUDIT_SOURCE_H

#include "failure.h"

#include <corio/typed.h>

struct source;

/* A piece of input: whole stanzas. At the end of a file that does not end well, also what is
 * left. */
struct block {
    char *bytes; /* given; NULL at the end of all input */
    size_t length;
    size_t line;      /* of its first line */
    const char *name; /* of the input, borrowed from the source */
};

/* The source as a dispatcher: each request is answered with the next block. */
struct source_request {
    char unused;
};
CORIO_DISPATCHER(source_face, struct source_request, struct block);

/* source_create: `files` are count names, borrowed until the end; with count 0 it runs apt-cache.
 * Failures are noted in `failure`, with the name of the input. */
int source_create(char *const *files, size_t count, struct failure *failure,
                  struct source **ret_source);
void source_destroy(struct source *source);
int source_add(struct source *source, corio_runtime *runtime, struct source_face *ret_face);

/* A text that changes when the data behind the source does: names, sizes and times. Returns 0,
 * or -ECANCELED. */
int source_fingerprint(char *const *files, size_t count, struct failure *failure,
                       uint64_t *ret_hash);

#endif
