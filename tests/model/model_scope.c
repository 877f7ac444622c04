/* SPDX-License-Identifier: MIT
 *
 * model_scope.c - counting the children of a scope: the waiter sleeps until the last one arrives, is
 * woken once, and sees what all wrote; nobody touches the scope when it may be gone.
 *
 * The waiter is put to sleep by its worker, another thread, when it has left its stack.
 */
#include "runtime/task/task.h"
#include "tests/model/model.h"

enum { most_children = 3 };

static struct {
    cr_scope *scope;
    corio_task *owner;
    cr_park park;
} world;

static void begin(void)
{
    memset(&world, 0, sizeof world);
    world.owner = model_alloc(sizeof *world.owner);
    world.scope = model_alloc(sizeof *world.scope);
    cr_scope_init(world.scope, world.owner, 0);
    model_name(world.scope, sizeof *world.scope, "scope");
    model_name(&world.park, sizeof world.park, "park");
}

/* As a deque would carry it. */
static void wake(cr_park *park)
{
    MODEL_CHECK(park == &world.park);
    model_publish(park);
}

static void finish_child(unsigned number)
{
    model_make(number);
    cr_park *waiter = cr_scope_arrive(world.scope, 1);
    if (waiter != NULL)
        wake(waiter);
}

static void child_0(void)
{
    finish_child(0);
}

static void child_1(void)
{
    finish_child(1);
}

static void child_2(void)
{
    finish_child(2);
}

static void work(void)
{
    for (;;) {
        model_receive(&world.scope, "has its task running");
        if (!cr_scope_sleep(world.scope, &world.park))
            wake(&world.park);
    }
}

static void wait_for_wakeup(void)
{
    if (cr_scope_unfinished(world.scope) == 0)
        return;
    model_publish(&world.scope);
    model_receive(&world.park, "waits for its children");
}

static void wait_for(uint64_t spawned, uint64_t joined)
{
    world.scope->spawned += spawned;
    world.scope->joined += joined;
    wait_for_wakeup();
    for (unsigned child = 0; child < spawned - joined; child++)
        model_take(child);
    cr_scope_reset(world.scope);
}

static void wait_and_return(void)
{
    wait_for(most_children, 0);
    model_free(world.scope);
}

static void wait_for_two(void)
{
    wait_for(2, 0);
    model_free(world.scope);
}

/* One of three was inlined. */
static void wait_with_one_joined(void)
{
    wait_for(3, 1);
    model_free(world.scope);
}

static void *first_of_round(void *number)
{
    finish_child((unsigned)(uintptr_t)number);
    return NULL;
}

/* A scope is used again at once. */
static void wait_twice(void)
{
    pthread_t thread;
    for (uintptr_t round = 0; round < 2; round++) {
        world.scope->spawned = 1;
        pthread_create(&thread, NULL, first_of_round, (void *)round);
        wait_for_wakeup();
        model_take((unsigned)round);
        cr_scope_reset(world.scope);
    }
    model_free(world.scope);
}

/* All have ended but the worker, which is the second thread. */
static bool waiter_ended(void)
{
    return model_ended(1) && model_taken() == model_made();
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"the_last_of_two_wakes",
         begin,
         {wait_for_two, work, child_0, child_1},
         model_check_all_taken,
         waiter_ended},
        {"the_last_of_three_wakes",
         begin,
         {wait_and_return, work, child_0, child_1, child_2},
         model_check_all_taken,
         waiter_ended},
        {"an_inlined_child_is_not_waited_for",
         begin,
         {wait_with_one_joined, work, child_0, child_1},
         model_check_all_taken,
         waiter_ended},
        {"a_scope_is_used_again", begin, {wait_twice, work}, model_check_all_taken, waiter_ended},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 10000);
}
