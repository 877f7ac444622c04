/* SPDX-License-Identifier: MIT
 *
 * deadlock.c - nothing can run, nothing is in flight, no timer is armed, and the root is not done.
 *
 * Every parked stack is found through the stack pool, so that running tasks pay nothing for this.
 */
#include "runtime/phase/runtime.h"

#include "runtime/base/alloc.h"
#include "runtime/base/panic.h"

#include <errno.h>
#include <stdio.h>

enum { most_lines = 100, path_bytes = 256 };

typedef struct search {
    FILE *text; /* NULL: no memory for a report */
    corio_runtime *runtime;
    cr_worker *leader;
    size_t parked;
    size_t given_up;
    const corio_task *wanted; /* looked for among those that are alive */
    uint64_t identity;        /* it must have; 0: any */
    bool alive;
} search;

static void print_task(FILE *text, const corio_task *task)
{
    char path[path_bytes];
    corio_task_path_text(task, path, sizeof path);
    fprintf(text, "%s %s", task->name, path);
}

/* But for their signs, which a mutex does not keep. */
static bool same_identity(uint64_t a, uint64_t b)
{
    return a << 1 == b << 1;
}

/* All tasks on a parked stack's chain of parents are alive. */
static void look_for(void *arg, cr_stack *stack)
{
    search *look = arg;
    for (const corio_task *task = stack->park->task; task != NULL; task = task->parent)
        look->alive |= task == look->wanted &&
                       (look->identity == 0 || same_identity(task->identity, look->identity));
}

static void print_holder(search *found, const cr_park *park)
{
    const corio_task *holder = park->reason->holder(park, &found->identity);
    if (holder == NULL)
        return;
    found->wanted = holder;
    found->alive = false;
    cr_stack_pool_each_parked(&found->runtime->sched.pool, look_for, found);
    if (!found->alive) {
        fputs(", held by a task that is complete", found->text);
        return;
    }
    fputs(", held by ", found->text);
    print_task(found->text, holder);
}

static void print_park(search *found, const cr_park *park)
{
    fputs("  task ", found->text);
    print_task(found->text, park->task);
    fprintf(found->text, " %s", park->reason->text);
    if (park->reason->holder != NULL) {
        fprintf(found->text, " for %p", park->object);
        print_holder(found, park);
    }
    fputc('\n', found->text);
}

static void describe(void *arg, cr_stack *stack)
{
    search *found = arg;
    if (++found->parked <= most_lines)
        print_park(found, stack->park);
}

static void give_up(void *arg, cr_stack *stack)
{
    search *found = arg;
    if (stack->park->reason->give_up == NULL)
        return;
    cr_give_up(found->leader, stack->park, -EDEADLK);
    found->given_up++;
}

static void report(search *found)
{
    char *text = NULL;
    size_t bytes = 0;
    corio_runtime *runtime = found->runtime;
    found->text = open_memstream(&text, &bytes);
    if (found->text == NULL)
        return;
    fprintf(found->text,
            "corio: deadlock in phase %llu: nothing can run and nothing is in flight\n",
            (unsigned long long)runtime->sched.phase);
    if (cr_simulated(&runtime->sched))
        fprintf(found->text, "  in a simulation: CORIO_SIM_SEED=%llu\n",
                (unsigned long long)runtime->sched.sim.seed);
    cr_stack_pool_each_parked(&runtime->sched.pool, describe, found);
    if (found->parked > most_lines)
        fprintf(found->text, "  and %zu more\n", found->parked - most_lines);
    if (fclose(found->text) == 0)
        cr_report(runtime, text);
    else
        cr_free(text);
}

void cr_deadlock(corio_runtime *runtime, cr_worker *leader)
{
    search found = {.runtime = runtime, .leader = leader};
    report(&found);
    cr_stack_pool_each_parked(&runtime->sched.pool, give_up, &found);
    CR_INVARIANT(found.given_up > 0);
}
