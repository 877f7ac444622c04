/* SPDX-License-Identifier: MIT
 *
 * model_cancel.c - marks and who sees them: a mark that was set before somebody looks, by whatever
 * order, is found by him, whoever else looks at the same time and remembers what he found.
 *
 *     root -- outer scope --> middle -- inner scope --> leaf
 */
#include "runtime/task/cancel.c"
#include "tests/model/model.h"

static struct {
    cr_cancel cancel;
    cr_scope outer, inner;
    corio_task root, middle, leaf;
    uint32_t marked[2]; /* set behind the marks */
} world;

static void begin(void)
{
    memset(&world, 0, sizeof world);
    cr_cancel_init(&world.cancel);
    cr_scope_init(&world.outer, &world.root, 0);
    cr_scope_init(&world.inner, &world.middle, 0);
    world.root.in = &world.root.scope;
    world.middle = (corio_task){.parent = &world.root, .in = &world.outer, .index = 1};
    world.leaf = (corio_task){.parent = &world.middle, .in = &world.inner, .index = 1};
    /* The epoch has moved before: zero is what tasks begin with. */
    cr_cancel_forget(&world.cancel);
    model_name(&world.cancel.live, 4, "live");
    model_name(&world.cancel.epoch, 4, "epoch");
    model_name(&world.outer.mark, sizeof world.outer.mark, "outer mark");
    model_name(&world.inner.mark, sizeof world.inner.mark, "inner mark");
    model_name(&world.middle.checked, 4, "middle.checked");
    model_name(&world.leaf.checked, 4, "leaf.checked");
}

/* There is a mark somewhere else, so that everybody walks. */
static void begin_marked(void)
{
    begin();
    world.cancel.live = 1;
}

static void set_mark(cr_scope *scope, uint64_t word, unsigned number)
{
    pthread_mutex_lock(&world.cancel.lock);
    cr_mark_set_locked(&world.cancel, &scope->mark, scope, word);
    pthread_mutex_unlock(&world.cancel.lock);
    cr_store_release_32(&world.marked[number], 1);
}

static void mark_outer(void)
{
    set_mark(&world.outer, CR_MARK_ALL, 0);
}

static void mark_inner(void)
{
    set_mark(&world.inner, CR_MARK_ALL, 1);
}

/* Behind the first child: the leaf is the second. */
static void mark_behind(void)
{
    set_mark(&world.inner, CR_MARK_BEHIND, 1);
}

/* Twice: the first look may leave something remembered. One that has seen a mark before it was set
 * wholly may see none again, until it is. */
static void look(void)
{
    for (unsigned round = 0; round < 2; round++) {
        bool marked = cr_load_acquire_32(&world.marked[0]) || cr_load_acquire_32(&world.marked[1]);
        bool found = cr_task_cancelled(&world.cancel, &world.leaf) != CR_NOT_CANCELLED;
        MODEL_CHECK(found || !marked);
    }
}

static void look_at_child(void)
{
    bool marked = cr_load_acquire_32(&world.marked[0]);
    bool found = cr_child_cancelled(&world.cancel, &world.inner, 0) != CR_NOT_CANCELLED;
    MODEL_CHECK(found || !marked);
}

static void look_at_middle(void)
{
    bool marked = cr_load_acquire_32(&world.marked[0]);
    bool found = cr_task_cancelled(&world.cancel, &world.middle) != CR_NOT_CANCELLED;
    MODEL_CHECK(found || !marked);
}

/* -- Shields, and marks that grow -- */

/* All below the root is cancelled; the middle raises a shield. */
static void begin_cancelled(void)
{
    begin();
    cr_mark_set_locked(&world.cancel, &world.outer.mark, &world.outer, CR_MARK_ALL);
}

static void raise_shield(void)
{
    cr_store_32(&world.middle.shielded, 1); /* as corio_shield does it */
    cr_cancel_forget(&world.cancel);
    cr_store_release_32(&world.marked[0], 1);
}

static void look_below_shield(void)
{
    for (unsigned round = 0; round < 2; round++) {
        bool raised = cr_load_acquire_32(&world.marked[0]);
        bool found = cr_task_cancelled(&world.cancel, &world.leaf) != CR_NOT_CANCELLED;
        MODEL_CHECK(!found || !raised);
    }
}

/* The mark is behind the leaf: it covers it when it is widened, and no sooner. */
static void begin_behind(void)
{
    begin();
    cr_mark_set_locked(&world.cancel, &world.inner.mark, &world.inner, CR_MARK_BEHIND + 1);
}

static void widen(void)
{
    cr_cancel_widen(&world.cancel);
    cr_store_release_32(&world.marked[0], 1);
}

static void look_at_leaf(void)
{
    for (unsigned round = 0; round < 2; round++) {
        bool widened = cr_load_acquire_32(&world.marked[0]);
        bool found = cr_task_cancelled(&world.cancel, &world.leaf) != CR_NOT_CANCELLED;
        MODEL_CHECK(found || !widened);
    }
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"a_mark_is_found", begin, {mark_outer, look}, NULL, NULL},
        {"a_mark_is_found_by_two", begin_marked, {mark_outer, look, look_at_middle}, NULL, NULL},
        {"one_of_two_marks_is_found", begin_marked, {mark_outer, mark_inner, look}, NULL, NULL},
        {"a_mark_behind_is_found", begin_marked, {mark_behind, look, look_at_middle}, NULL, NULL},
        {"a_queued_child_is_covered",
         begin_marked,
         {mark_outer, look_at_child, look_at_middle},
         NULL,
         NULL},
        {"below_a_shield_nobody_is_found",
         begin_cancelled,
         {raise_shield, look_below_shield, look_below_shield},
         NULL,
         NULL},
        {"a_widened_mark_is_found", begin_behind, {widen, look_at_leaf, look_at_leaf}, NULL, NULL},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 4000);
}
