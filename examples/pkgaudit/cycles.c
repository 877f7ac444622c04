/* SPDX-License-Identifier: MIT
 *
 * cycles.c - strongly connected components, by Tarjan's algorithm with a stack of its own (graphs
 * can be deep).
 */
#include "cycles.h"

#include <errno.h>
#include <stdlib.h>

/* A package being visited, and the edge to follow next. */
struct visit {
    uint32_t package;
    uint32_t next;
};

struct search {
    const struct audit *audit;
    uint32_t *order; /* by id: when it was first seen, from 1; 0: not yet */
    uint32_t *low;   /* by id: the earliest on the stack that it reaches */
    bool *on_stack;  /* by id */
    uint32_t *stack;
    uint32_t height;
    struct visit *visits;
    uint32_t depth;
    uint32_t clock;
    uint32_t *rank; /* by id: place in the order of names */
    struct cycles *found;
};

static void enter(struct search *search, uint32_t package)
{
    search->order[package] = search->low[package] = ++search->clock;
    search->stack[search->height++] = package;
    search->on_stack[package] = true;
    search->visits[search->depth++] = (struct visit){package, 0};
}

/* Takes the component of `root` off the stack, and keeps it if it is a cycle. */
static void take_component(struct search *search, uint32_t root)
{
    struct cycles *found = search->found;
    uint32_t end = search->height;
    uint32_t package;
    do {
        package = search->stack[--search->height];
        search->on_stack[package] = false;
    } while (package != root);
    if (end - search->height < 2)
        return;
    uint32_t at = found->starts[found->count];
    for (uint32_t i = search->height; i < end; i++)
        found->members[at++] = search->stack[i];
    found->starts[++found->count] = at;
}

static void leave(struct search *search, uint32_t package)
{
    search->depth--;
    if (search->low[package] == search->order[package])
        take_component(search, package);
    if (search->depth == 0)
        return;
    uint32_t parent = search->visits[search->depth - 1].package;
    if (search->low[package] < search->low[parent])
        search->low[parent] = search->low[package];
}

static void visit_from(struct search *search, uint32_t first)
{
    enter(search, first);
    while (search->depth > 0) {
        struct visit *visit = &search->visits[search->depth - 1];
        const struct node *node = &search->audit->nodes[visit->package];
        if (visit->next == node->chosen_count) {
            leave(search, visit->package);
            continue;
        }
        uint32_t target = node->chosen[visit->next++];
        if (search->order[target] == 0)
            enter(search, target);
        else if (search->on_stack[target] && search->order[target] < search->low[visit->package])
            search->low[visit->package] = search->order[target];
    }
}

static int compare_rank(const void *a, const void *b, void *rank)
{
    uint32_t x = ((const uint32_t *)rank)[*(const uint32_t *)a];
    uint32_t y = ((const uint32_t *)rank)[*(const uint32_t *)b];
    return x < y ? -1 : x > y;
}

struct component {
    uint32_t first; /* member: the key of the order */
    uint32_t start;
    uint32_t count;
};

/* Puts members and components into the order of names. */
static int sort_found(struct search *search)
{
    struct cycles *found = search->found;
    uint32_t total = found->starts[found->count];
    struct component *components = calloc(found->count + 1, sizeof *components);
    uint32_t *members = malloc((total + 1) * sizeof *members);
    if (!components || !members) {
        free(components);
        free(members);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < found->count; i++) {
        uint32_t start = found->starts[i];
        uint32_t count = found->starts[i + 1] - start;
        qsort_r(found->members + start, count, sizeof(uint32_t), compare_rank, search->rank);
        components[i] = (struct component){found->members[start], start, count};
    }
    qsort_r(components, found->count, sizeof *components, compare_rank, search->rank);
    uint32_t at = 0;
    for (uint32_t i = 0; i < found->count; i++) {
        found->starts[i] = at;
        for (uint32_t j = 0; j < components[i].count; j++)
            members[at++] = found->members[components[i].start + j];
    }
    free(components);
    free(found->members);
    found->members = members;
    return 0;
}

static void search_fini(struct search *search)
{
    free(search->order);
    free(search->low);
    free(search->on_stack);
    free(search->stack);
    free(search->visits);
    free(search->rank);
}

static int search_init(struct search *search, const struct audit *audit, struct cycles *found)
{
    size_t room = (size_t)audit->universe->largest_id + 2;
    *search = (struct search){.audit = audit, .found = found};
    search->order = calloc(room, sizeof *search->order);
    search->low = calloc(room, sizeof *search->low);
    search->on_stack = calloc(room, sizeof *search->on_stack);
    search->stack = calloc(room, sizeof *search->stack);
    search->visits = calloc(room, sizeof *search->visits);
    search->rank = calloc(room, sizeof *search->rank);
    found->members = calloc(room, sizeof *found->members);
    found->starts = calloc(room, sizeof *found->starts);
    if (!search->order || !search->low || !search->on_stack || !search->stack || !search->visits ||
        !search->rank || !found->members || !found->starts)
        return -ENOMEM;
    for (uint32_t i = 0; i < audit->universe->count; i++)
        search->rank[audit->universe->sorted[i]] = i;
    return 0;
}

int cycles_find(const struct audit *audit, struct cycles *ret)
{
    struct search search;
    *ret = (struct cycles){0};
    int rc = search_init(&search, audit, ret);
    for (uint32_t i = 0; rc == 0 && i < audit->reached_count; i++)
        if (search.order[audit->reached[i]] == 0)
            visit_from(&search, audit->reached[i]);
    if (rc == 0)
        rc = sort_found(&search);
    search_fini(&search);
    if (rc < 0)
        cycles_fini(ret);
    return rc;
}

void cycles_fini(struct cycles *cycles)
{
    free(cycles->members);
    free(cycles->starts);
    *cycles = (struct cycles){0};
}
