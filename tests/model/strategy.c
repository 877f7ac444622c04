/* SPDX-License-Identifier: MIT
 *
 * strategy.c - who goes on, and which write a load sees.
 *
 *   random   each time anew. How often threads change, and how old the writes are that loads see,
 *            is drawn once per run, so that there are hasty runs and calm ones.
 *   pct      Burckhardt, Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with Probabilistic
 *            Guarantees of Finding Bugs" (ASPLOS 2010): threads have random priorities, the highest
 *            that can goes on; at d - 1 random steps the current one falls below all. A bug of depth
 *            d is found with a probability that does not depend on luck alone.
 *   dfs      all choices in order, depth first, within a budget of preemptions (Musuvathi, Qadeer,
 *            "Iterative Context Bounding", PLDI 2007) and one of old writes seen; the budgets grow
 *            when all within them is done.
 *
 * A random run is a function of its seed. In depth-first order the seed is the run's number, and a
 * replay goes through those before it.
 */
#include "tests/model/explorer.h"

#include <string.h>

enum { most_choices = 8192, most_changes = 4 };

static const struct {
    unsigned preemptions, old;
} levels[] = {{0, 1}, {1, 0}, {1, 1}, {2, 0}, {2, 1}, {1, 2}, {2, 2}, {3, 1}, {3, 3}, {5, 4}};
enum { level_count = sizeof levels / sizeof *levels };

static struct {
    strategy_kind kind;
    unsigned length; /* steps of a run */
    bool finishing;
    uint64_t random;
    unsigned change_chance; /* of 256: another thread */
    unsigned old_chance;    /* of 256: an old write */
    int priorities[MODEL_THREADS];
    int lowest;
    unsigned changes[most_changes]; /* at these steps */
    unsigned change_count;
    /* Depth first */
    struct {
        uint16_t taken, count;
    } path[most_choices];
    unsigned depth; /* of this run, by now */
    unsigned known; /* choices of the path */
    unsigned preemptions, old;
    unsigned level;
} strategy;

const char *strategy_name(strategy_kind kind)
{
    static const char *const names[] = {"random", "pct", "dfs"};
    return names[kind];
}

/* -- Random numbers -- */

/* splitmix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014). */
static uint64_t draw(void)
{
    uint64_t x = strategy.random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static unsigned draw_below(unsigned count)
{
    return (unsigned)(draw() % count);
}

static bool happens(unsigned chance)
{
    return draw_below(256) < chance;
}

/* -- Depth first -- */

static unsigned choose_in_order(unsigned count)
{
    if (count <= 1 || strategy.depth == most_choices)
        return 0;
    unsigned at = strategy.depth++;
    if (at == strategy.known) {
        strategy.path[at].taken = 0;
        strategy.path[at].count = (uint16_t)count;
        strategy.known++;
    }
    return strategy.path[at].taken;
}

/* As long as there is budget; what is not the first costs one. */
static unsigned choose_with_budget(unsigned count, unsigned *budget)
{
    unsigned taken = choose_in_order(*budget > 0 ? count : 1);
    *budget -= taken != 0;
    return taken;
}

/* The next path. False: that was all. */
static bool next_path(void)
{
    while (strategy.known > 0) {
        unsigned last = strategy.known - 1;
        if (++strategy.path[last].taken < strategy.path[last].count)
            return true;
        strategy.known--;
    }
    return ++strategy.level < level_count;
}

/* -- Runs -- */

void strategy_start(strategy_kind kind, unsigned steps)
{
    memset(&strategy, 0, sizeof strategy);
    strategy.kind = kind;
    strategy.length = steps;
}

static void begin_random(uint64_t seed)
{
    static const unsigned chances[] = {8, 32, 96, 160};
    strategy.random = seed * UINT64_C(0xd1342543de82ef95);
    strategy.change_chance = chances[draw_below(4)];
    strategy.old_chance = draw_below(4) == 0 ? 0 : chances[draw_below(4)];
    strategy.lowest = 0;
    for (unsigned i = 0; i < MODEL_THREADS; i++) {
        unsigned other = draw_below(i + 1);
        strategy.priorities[i] = strategy.priorities[other];
        strategy.priorities[other] = (int)i + 1;
    }
    strategy.change_count = draw_below(most_changes + 1);
    for (unsigned i = 0; i < strategy.change_count; i++)
        strategy.changes[i] = 1 + draw_below(strategy.length);
}

bool strategy_begin_run(uint64_t seed)
{
    strategy.finishing = false;
    if (strategy.kind != DFS) {
        begin_random(seed);
        return true;
    }
    if (strategy.level == level_count)
        return false;
    strategy.depth = 0;
    strategy.preemptions = levels[strategy.level].preemptions;
    strategy.old = levels[strategy.level].old;
    return true;
}

void strategy_end_run(void)
{
    if (strategy.kind == DFS)
        (void)next_path();
}

void strategy_finish(void)
{
    strategy.finishing = true;
}

/* -- Choices -- */

static model_thread *least_recent(model_thread **enabled, unsigned count)
{
    model_thread *best = enabled[0];
    for (unsigned i = 1; i < count; i++) {
        if (enabled[i]->last_step < best->last_step)
            best = enabled[i];
    }
    return best;
}

static int *priority_of(const model_thread *thread)
{
    return &strategy.priorities[thread - explorer.threads];
}

static model_thread *highest(model_thread **enabled, unsigned count)
{
    model_thread *best = enabled[0];
    for (unsigned i = 1; i < count; i++) {
        if (*priority_of(enabled[i]) > *priority_of(best))
            best = enabled[i];
    }
    return best;
}

static model_thread *by_priority(model_thread **enabled, unsigned count)
{
    for (unsigned i = 0; i < strategy.change_count; i++) {
        if (strategy.changes[i] == explorer.steps)
            *priority_of(highest(enabled, count)) = --strategy.lowest;
    }
    return highest(enabled, count);
}

model_thread *strategy_thread(model_thread **enabled, unsigned count, bool current_enabled)
{
    if (strategy.finishing)
        return least_recent(enabled, count);
    if (strategy.kind == PCT)
        return by_priority(enabled, count);
    if (count == 1)
        return enabled[0];
    if (strategy.kind == RANDOM)
        return current_enabled && !happens(strategy.change_chance) ? enabled[0]
                                                                   : enabled[draw_below(count)];
    return enabled[current_enabled ? choose_with_budget(count, &strategy.preemptions)
                                   : choose_in_order(count)];
}

void strategy_stalled(const model_thread *thread)
{
    if (strategy.kind == PCT)
        *priority_of(thread) = --strategy.lowest;
}

unsigned strategy_age(unsigned count)
{
    if (count == 1 || strategy.finishing)
        return 0;
    if (strategy.kind == DFS)
        return choose_with_budget(count, &strategy.old);
    return happens(strategy.old_chance) ? draw_below(count) : 0;
}

unsigned strategy_choose(unsigned count)
{
    if (strategy.finishing)
        return 0;
    if (strategy.kind == DFS)
        return choose_with_budget(count, &strategy.old);
    return draw_below(count);
}
