/* SPDX-License-Identifier: MIT
 *
 * path.c - spawn paths: walked, never stored.
 */
#include "runtime/task/task.h"

/* How many tasks there are on the way up, beginning with `parent` (NULL: none). */
static size_t depth_below(const corio_task *parent)
{
    size_t depth = 0;
    for (; parent != NULL; parent = parent->parent)
        depth++;
    return depth;
}

static int compare_index(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* A (parent, index) pair on its way up the tree. */
typedef struct place {
    const corio_task *parent;
    uint64_t index;
} place;

static void climb(place *at)
{
    at->index = at->parent->index;
    at->parent = at->parent->parent;
}

int cr_path_compare(const corio_task *a_parent, uint64_t a_index, const corio_task *b_parent,
                    uint64_t b_index)
{
    if (a_parent == b_parent)
        return compare_index(a_index, b_index);
    place a = {a_parent, a_index}, b = {b_parent, b_index};
    size_t a_depth = depth_below(a_parent), b_depth = depth_below(b_parent);
    int longer = a_depth < b_depth ? -1 : a_depth > b_depth;
    for (; a_depth > b_depth; a_depth--)
        climb(&a);
    for (; b_depth > a_depth; b_depth--)
        climb(&b);
    while (a.parent != b.parent) { /* of two roots both are NULL */
        climb(&a);
        climb(&b);
    }
    int order = compare_index(a.index, b.index);
    return order != 0 ? order : longer; /* one contains the other: the shorter path first */
}

const char *corio_task_name(const corio_task *task)
{
    return task != NULL ? task->name : "";
}

static bool has_parent(const corio_task *task)
{
    return task != NULL && task->parent != NULL;
}

uint64_t corio_task_root(const corio_task *task)
{
    while (has_parent(task))
        task = task->parent;
    return task != NULL ? task->index : 0;
}

size_t corio_task_path(const corio_task *task, uint64_t *indices, size_t capacity)
{
    if (task == NULL)
        return 0;
    size_t depth = depth_below(task->parent);
    size_t at = depth;
    for (; task->parent != NULL; task = task->parent) {
        if (--at < capacity)
            indices[at] = task->index;
    }
    return depth;
}

/* Text that is written from its end to its beginning; what does not fit is dropped. */
typedef struct backward {
    char *text;
    size_t room;
    size_t at;
} backward;

static void put_back(backward *out, char c)
{
    out->at--;
    if (out->at < out->room)
        out->text[out->at] = c;
}

static void put_back_number(backward *out, uint64_t number)
{
    do {
        put_back(out, (char)('0' + number % 10));
        number /= 10;
    } while (number > 0);
}

static size_t digits_of(uint64_t number)
{
    size_t digits = 1;
    while ((number /= 10) > 0)
        digits++;
    return digits;
}

/* A root that was submitted. */
static bool is_numbered(const corio_task *root)
{
    return root != NULL && root->index > 0;
}

static size_t text_length(const corio_task *task)
{
    size_t length = 2; /* "()" */
    for (; has_parent(task); task = task->parent)
        length += digits_of(task->index) + (has_parent(task->parent) ? 2 : 0);
    return is_numbered(task) ? length + 1 + digits_of(task->index) : length;
}

/* Deep trees would overflow a recursion: the length first, then from the task up to the root. */
size_t corio_task_path_text(const corio_task *task, char *text, size_t bytes)
{
    size_t length = text_length(task);
    if (bytes == 0)
        return length;
    backward out = {.text = text, .room = bytes - 1, .at = length};
    put_back(&out, ')');
    for (; has_parent(task); task = task->parent) {
        put_back_number(&out, task->index);
        if (has_parent(task->parent)) {
            put_back(&out, ' ');
            put_back(&out, ',');
        }
    }
    put_back(&out, '(');
    if (is_numbered(task)) {
        put_back_number(&out, task->index);
        put_back(&out, '#');
    }
    text[length < bytes - 1 ? length : bytes - 1] = '\0';
    return length;
}
