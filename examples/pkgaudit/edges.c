/* SPDX-License-Identifier: MIT
 *
 * edges.c - a package's edges as bytes.
 */
#include "edges.h"

#include <errno.h>
#include <stdlib.h>

size_t edge_bytes(const struct edge *edge)
{
    return (sizeof edge->head + edge->want.length + 1 + edge->have.length + 1 + 3) & ~(size_t)3;
}

static size_t put_text(struct text text, char *to)
{
    if (text.length > 0)
        memcpy(to, text.at, text.length);
    to[text.length] = '\0';
    return text.length + 1;
}

void edge_write(const struct edge *edge, char *to, size_t bytes)
{
    struct edge_head head = edge->head;
    memset(to + bytes - 4, 0, 4); /* the padding */
    char *at = to + sizeof head;
    head.want_bytes = (uint16_t)put_text(edge->want, at);
    head.have_bytes = (uint16_t)put_text(edge->have, at + head.want_bytes);
    memcpy(to, &head, sizeof head);
}

int edges_append(struct edges_buffer *buffer, const struct edge *edge)
{
    struct edges *edges = &buffer->edges;
    size_t bytes = edge_bytes(edge);
    if (edges->length + bytes > buffer->room) {
        size_t room = 2 * buffer->room + bytes + 512;
        void *moved = realloc((void *)edges->bytes, room);
        if (!moved)
            return -ENOMEM;
        edges->bytes = moved;
        buffer->room = room;
    }
    edge_write(edge, (char *)edges->bytes + edges->length, bytes);
    edges->length += (uint32_t)bytes;
    edges->rows++;
    return 0;
}

int edges_copy(const struct edges *edges, struct edges *ret)
{
    unsigned char *bytes = malloc(edges->length + 1);
    if (!bytes)
        return -ENOMEM;
    if (edges->length > 0)
        memcpy(bytes, edges->bytes, edges->length);
    *ret = (struct edges){bytes, edges->length, edges->rows};
    return 0;
}
