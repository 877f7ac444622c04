/* SPDX-License-Identifier: MIT */
#include "runtime/sched/sim.h"

#include "runtime/sched/sched.h"

static const uint64_t begin_ns = 1000000000; /* any time that is not 0 */

enum { tick_ns = 100, preempt_one_in = 4 };

/* splitmix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (2014). */
static uint64_t next_random(cr_sim *sim)
{
    uint64_t x = sim->random += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

void cr_sim_init(cr_sim *sim, uint64_t seed)
{
    *sim = (cr_sim){.seed = seed, .random = seed, .now_ns = begin_ns};
}

uint64_t cr_sim_draw(cr_sim *sim, uint64_t bound)
{
    return next_random(sim) % bound;
}

uint64_t cr_sim_now(cr_sim *sim)
{
    return cr_add_64(&sim->now_ns, tick_ns);
}

void cr_sim_jump(cr_sim *sim, uint64_t to_ns)
{
    if (to_ns > cr_load_64(&sim->now_ns))
        cr_store_64(&sim->now_ns, to_ns);
}

/* There are no thieves, so anything may be taken: it changes places with the newest. */
static void take_from_deque(cr_deque *deque, uint64_t place, cr_item *ret_item)
{
    cr_deque_array *array = cr_deque_array_owner(deque);
    cr_item *chosen = &array->slots[(deque->bottom - 1 - place) & array->mask];
    cr_item *newest = &array->slots[(deque->bottom - 1) & array->mask];
    cr_item kept = *chosen;
    *chosen = *newest;
    *newest = kept;
    *ret_item = *cr_deque_take_owner(deque);
}

static cr_park *take_from_range(cr_worker *worker, uint64_t place)
{
    uint32_t index = 0;
    cr_entry *first = &worker->sched->resume[worker->range.next];
    cr_entry kept = first[place];
    first[place] = *first;
    *first = kept;
    CR_INVARIANT(cr_range_take_owner(&worker->range, &index));
    return worker->sched->resume[index].what;
}

bool cr_sim_next(cr_worker *worker, cr_item *ret_item)
{
    uint64_t queued = cr_deque_length_owner(&worker->deque);
    uint64_t resumed = cr_range_length_owner(&worker->range);
    if (queued + resumed == 0)
        return false;
    uint64_t place = cr_sim_draw(&worker->sched->sim, queued + resumed);
    if (place < queued)
        take_from_deque(&worker->deque, place, ret_item);
    else
        *ret_item = (cr_item){.park = take_from_range(worker, place - queued)};
    return true;
}

static const cr_park_reason preempted = {.text = "is preempted"};

void cr_sim_preempt(cr_worker *worker)
{
    if (cr_sim_draw(&worker->sched->sim, preempt_one_in) != 0)
        return;
    cr_park park = {.reason = &preempted, .after = cr_make_runnable};
    cr_suspend(worker, &park);
}
