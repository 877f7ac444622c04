/* SPDX-License-Identifier: MIT
 *
 * closure.c - the set of packages that a root needs.
 */
#include "closure.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_ROOM = 128 };

static uint32_t *find_slot(const struct closure *closure, uint32_t package)
{
    uint32_t mask = 2 * closure->room - 1;
    uint32_t at = (package * 0x9e3779b1u) >> 8 & mask;
    while (closure->slots[at] != 0 && closure->slots[at] != package)
        at = (at + 1) & mask;
    return &closure->slots[at];
}

static int make_room(struct closure *closure, uint32_t room)
{
    uint32_t *members = realloc(closure->members, room * sizeof *members);
    if (members)
        closure->members = members;
    uint32_t *slots = calloc(2 * (size_t)room, sizeof *slots);
    if (!members || !slots) {
        free(slots);
        return -ENOMEM;
    }
    free(closure->slots);
    closure->slots = slots;
    closure->room = room;
    for (uint32_t i = 0; i < closure->count; i++)
        *find_slot(closure, closure->members[i]) = closure->members[i];
    return 0;
}

int closure_init(struct closure *closure, uint32_t root)
{
    *closure = (struct closure){0};
    int rc = make_room(closure, FIRST_ROOM);
    if (rc == 0)
        rc = closure_add(closure, root);
    if (rc < 0)
        closure_fini(closure);
    return rc;
}

void closure_fini(struct closure *closure)
{
    free(closure->members);
    free(closure->slots);
    *closure = (struct closure){0};
}

int closure_add(struct closure *closure, uint32_t package)
{
    uint32_t *slot = find_slot(closure, package);
    if (*slot != 0)
        return 0;
    if (closure->count == closure->room) {
        int rc = make_room(closure, 2 * closure->room);
        if (rc < 0)
            return rc;
        slot = find_slot(closure, package);
    }
    *slot = package;
    closure->members[closure->count++] = package;
    return 0;
}
