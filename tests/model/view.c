/* SPDX-License-Identifier: MIT */
#include "tests/model/view.h"

#include <stdlib.h>
#include <string.h>

enum { pool_bytes = 8 << 20 };

static struct {
    char *bytes;
    size_t used;
} pool;

view *view_create(void)
{
    return calloc(1, sizeof(view) + VIEW_STAMPS * sizeof(stamp));
}

stamp view_at(const view *of, unsigned index)
{
    return of != NULL && index < of->count ? of->stamps[index] : 0;
}

void view_extend(view *of, unsigned count)
{
    if (of->count >= count)
        return;
    memset(of->stamps + of->count, 0, (count - of->count) * sizeof(stamp));
    of->count = count;
}

void view_raise(view *of, unsigned index, stamp to)
{
    view_extend(of, index + 1);
    if (of->stamps[index] < to)
        of->stamps[index] = to;
}

void view_join(view *of, const view *other)
{
    if (other == NULL)
        return;
    view_extend(of, other->count);
    for (unsigned i = 0; i < other->count; i++)
        of->stamps[i] = of->stamps[i] < other->stamps[i] ? other->stamps[i] : of->stamps[i];
}

static view *pool_view(unsigned count)
{
    size_t bytes = (sizeof(view) + count * sizeof(stamp) + 7) & ~(size_t)7;
    if (pool.used + bytes > pool_bytes)
        model_fail("the run is too long for the explorer");
    view *made = (view *)(pool.bytes + pool.used);
    pool.used += bytes;
    made->count = 0;
    return made;
}

void view_fill_end(const view *filled)
{
    size_t used = (size_t)((const char *)(filled->stamps + filled->count) - pool.bytes);
    pool.used = (used + 7) & ~(size_t)7;
}

const view *view_joined(const view *a, const view *b)
{
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    view *made = pool_view(a->count > b->count ? a->count : b->count);
    view_join(made, a);
    view_join(made, b);
    return made;
}

const view *view_copied(const view *of)
{
    view *made = pool_view(of->count);
    view_join(made, of);
    return made;
}

view *view_fill_begin(void)
{
    return pool_view(VIEW_STAMPS);
}

void view_begin_run(void)
{
    if (pool.bytes == NULL)
        pool.bytes = malloc(pool_bytes);
    pool.used = 0;
}
