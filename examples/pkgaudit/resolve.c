/* SPDX-License-Identifier: MIT
 *
 * resolve.c - which package a dependency is met by.
 *
 * The rows come in the order of the rule (position, alternative, real before provided, name), so
 * the first row of a position that meets the demand is the choice.
 */
#include "resolve.h"

#include "version.h"

#include <string.h>

void resolve_begin(struct resolver *resolver, const struct edges *edges)
{
    const unsigned char *end = edges->length > 0 ? edges->bytes + edges->length : edges->bytes;
    *resolver = (struct resolver){edges->bytes, end};
}

static size_t record_bytes(const struct edge_head *head)
{
    return (sizeof *head + head->want_bytes + head->have_bytes + 3) & ~(size_t)3;
}

static bool is_met(const struct edge_head *head, const unsigned char *record)
{
    const char *want = (const char *)record + sizeof *head;
    return head->owner != 0 &&
           version_meets(want + head->want_bytes, (enum relation)head->relation, want);
}

enum choice resolve_next(struct resolver *resolver, uint32_t *ret)
{
    if (resolver->at >= resolver->end)
        return CHOICE_END;
    struct edge_head head;
    memcpy(&head, resolver->at, sizeof head);
    uint16_t position = head.position;
    uint32_t chosen = 0;
    do {
        if (chosen == 0 && is_met(&head, resolver->at))
            chosen = head.owner;
        resolver->at += record_bytes(&head);
        if (resolver->at < resolver->end)
            memcpy(&head, resolver->at, sizeof head);
    } while (resolver->at < resolver->end && head.position == position);
    *ret = chosen ? chosen : position;
    return chosen ? CHOICE_PACKAGE : CHOICE_MISSING;
}
