/* SPDX-License-Identifier: MIT
 *
 * edges.h - a package's edges: its dependencies in order, each with the candidates for it in order.
 * The same bytes whatever database they come from.
 */
#ifndef PKGAUDIT_EDGES_H
#define PKGAUDIT_EDGES_H

#include "text.h"

/* Records one after the other, each a head, the demanded and the offered version (both with their
 * end mark), padded to 4 bytes. */
struct edges {
    const unsigned char *bytes;
    uint32_t length;
    uint32_t rows;
};

struct edge_head {
    uint32_t owner; /* the candidate's id; 0: there is no candidate */
    uint16_t position;
    uint8_t relation; /* enum relation */
    uint8_t provided;
    uint16_t want_bytes; /* of the versions, with their end marks */
    uint16_t have_bytes;
};

/* A record to be written. */
struct edge {
    struct edge_head head; /* without the lengths */
    struct text want;
    struct text have;
};

size_t edge_bytes(const struct edge *edge);
void edge_write(const struct edge *edge, char *to, size_t bytes);

/* Edges whose bytes are grown on the heap. Zero at first. */
struct edges_buffer {
    struct edges edges; /* bytes: given, with the last of them */
    size_t room;
};

/* Appends a record. Returns 0 or -ENOMEM; the buffer stays as it was then. */
int edges_append(struct edges_buffer *buffer, const struct edge *edge);
/* Copies edges to the heap. Returns 0 or -ENOMEM. */
int edges_copy(const struct edges *edges, struct edges *ret);

#endif
