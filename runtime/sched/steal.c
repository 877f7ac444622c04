/* SPDX-License-Identifier: MIT
 *
 * steal.c - finding something to run: the worker's own first, then somebody else's.
 */
#include "runtime/sched/sched.h"

#include "runtime/observe/probes.h"

/* The parked stack at `index` of the resume array. */
static cr_park *resume_at(const cr_sched *sched, uint32_t index)
{
    return sched->resume[index].what;
}

/* Stacks are far apart, and mostly in no cache that is near: what a resume touches is fetched ahead, in two steps. First
 * the park record with two lines below it, where the context is, and three above, to the frame that asked; when these are
 * there, what the task needs to ask again. More of them are slower again. */
enum { far_ahead = 8, ahead = 4, line = 64 };

/* Both are inlined in any case: gcc leaves out a call that does nothing but fetch. */
static inline __attribute__((always_inline)) void fetch_stack(const cr_park *park)
{
    const char *at = (const char *)park;
    __builtin_prefetch(at - (ptrdiff_t)2 * line, 1);
    __builtin_prefetch(at - line, 1);
    __builtin_prefetch(at, 1);
    __builtin_prefetch(at + line, 1);
    __builtin_prefetch(at + (ptrdiff_t)2 * line, 1);
    __builtin_prefetch(at + (ptrdiff_t)3 * line, 1);
}

/* Where the last task has ended, the next ones mostly end, too: then all up to the base loop is needed. If somebody has
 * taken it meanwhile, these may be any addresses: to fetch them does nothing. Not where such a look at another's stack
 * would be told. */
static inline __attribute__((always_inline)) void fetch_task(const cr_worker *worker, cr_park *park)
{
    if (cr_sanitized_thread() || cr_sanitized_address())
        return;
    if (worker->ending)
        cr_stack_fetch(cr_load_ptr((void **)&park->stack));
    else
        __builtin_prefetch((const char *)cr_load_ptr((void **)&park->task) +
                           offsetof(corio_task, parent));
}

static inline __attribute__((always_inline)) cr_park *take_resume(cr_worker *worker)
{
    uint32_t index;
    const cr_sched *sched = worker->sched;
    if (!cr_range_maybe_any(&worker->range) || !cr_range_take_owner(&worker->range, &index))
        return NULL;
    uint32_t end = cr_load_32(&worker->range.end); /* others' are theirs to fetch */
    if (index + far_ahead < end)
        fetch_stack(resume_at(sched, index + far_ahead));
    if (index + ahead < end)
        fetch_task(worker, resume_at(sched, index + ahead));
    return resume_at(sched, index);
}

cr_park *cr_next_resume(cr_worker *worker)
{
    if (!cr_deque_is_empty_owner(&worker->deque) || CR_UNLIKELY(worker->overflow != NULL) ||
        (CR_UNLIKELY(worker->special) && (cr_simulated(worker->sched) || worker->errand)))
        return NULL;
    return take_resume(worker);
}

bool cr_next_own(cr_worker *worker, cr_item *ret_item)
{
    if (cr_worker_simulated(worker) && worker->overflow == NULL)
        return cr_sim_next(worker, ret_item);
    const cr_item *item = cr_deque_take_owner(&worker->deque);
    if (item != NULL) {
        *ret_item = *item;
        return true;
    }
    if (CR_UNLIKELY(worker->overflow != NULL)) {
        *ret_item = (cr_item){.park = worker->overflow};
        worker->overflow = worker->overflow->next;
        return true;
    }
    ret_item->fn = NULL;
    ret_item->park = take_resume(worker);
    return ret_item->park != NULL || cr_deque_take_oldest_owner(&worker->behind, ret_item);
}

bool cr_has_own(const cr_worker *worker)
{
    return cr_deque_maybe_any(&worker->deque) || worker->overflow != NULL ||
           cr_range_maybe_any(&worker->range) || cr_deque_maybe_any(&worker->behind);
}

/* A steal takes cache lines from its victim that it needs for each push, and one more for each item, and it opens the
 * victim's deque: one who spawns tiny tasks would be slowed down many times by a thief that comes back as soon as it
 * has run them. So a thief that has used its last share up fast lets things come together first. If that was a
 * share as large as they get, and took less than three times as long to run as to steal, the tasks are not worth it: then for
 * longer, and each time for twice as long, so that it never waits for longer than there has been nothing worth taking. */
enum {
    used_up_fast_ns = 5000,
    pause_ns = 5000,
    least_worth_ns = 1000,
    least_long_ns = 40000,
    most_long_ns = 1280000,
};

static uint64_t next_pause(const cr_worker *thief, uint64_t now)
{
    uint64_t ran_ns = now - thief->stole_ns;
    if (thief->stole_count < CR_STEAL_MOST)
        return ran_ns < used_up_fast_ns ? pause_ns : 0;
    if (ran_ns >= least_worth_ns && ran_ns >= 3 * thief->steal_ns)
        return 0;
    uint64_t longer = 2 * thief->pause_ns;
    return longer < least_long_ns ? least_long_ns : longer > most_long_ns ? most_long_ns : longer;
}

/* Something that may be worth more than what the victim's deque has. What another thief has of that is not. */
static bool others_have_any(const cr_worker *thief, const cr_worker *victim)
{
    const cr_sched *sched = thief->sched;
    for (unsigned i = 0; i < sched->worker_count; i++) {
        const cr_worker *other = sched->workers[i];
        if (cr_range_maybe_any(&other->range) || cr_deque_maybe_any(&other->behind) ||
            (other != victim && cr_deque_maybe_more(&other->deque, CR_STEAL_MOST)))
            return true;
    }
    return false;
}

/* Waits, if the thief is hasty; false: it should not steal here now. Looks take cache lines, too: the longer the pause,
 * the fewer. A long one is for one victim: it ends when anybody else has something, or when the victim has not touched its
 * deque since the last look, and is not for a task that yields. There is none before the first steal of a phase. */
static bool pause_if_hasty(cr_worker *thief, const cr_worker *victim)
{
    enum { short_look = 32, long_look = 128 };
    if (thief->stole_in != thief->sched->phase) {
        thief->stole_in = thief->sched->phase;
        thief->stole_count = 0;
        return true;
    }
    uint64_t now = cr_now_ns();
    if (thief->stole_count != 0) /* the first time since */
        thief->pause_ns = next_pause(thief, now);
    thief->stole_count = 0;
    unsigned relax = thief->pause_ns > least_long_ns ? long_look : short_look;
    while (now - thief->stole_ns < thief->pause_ns && cr_deque_maybe_any(&victim->deque)) {
        uint64_t bottom = cr_load_64(&victim->deque.bottom);
        bool is_long = now - thief->stole_ns >= least_long_ns;
        if (is_long && thief->stole_from != victim)
            break;
        if (is_long && (thief->task != NULL || others_have_any(thief, victim)))
            return false;
        for (unsigned i = 0; i < relax; i++)
            cr_cpu_relax();
        now = cr_now_ns();
        if (is_long && cr_load_64(&victim->deque.bottom) == bottom)
            break;
    }
    return true;
}

static bool steal_closures(cr_worker *thief, cr_worker *victim, cr_item *ret_item)
{
    if (!cr_deque_maybe_any(&victim->deque) || !pause_if_hasty(thief, victim))
        return false;
    bool open = cr_deque_is_open(&victim->deque);
    uint64_t began_ns = cr_now_ns();
    uint64_t count = cr_deque_steal_any(&victim->deque, ret_item, &thief->deque);
    if (count == 0)
        return false;
    thief->stole_from = victim;
    thief->stole_count = count;
    thief->stole_ns = cr_now_ns();
    if (open && count == CR_STEAL_MOST) /* to open it is paid for once */
        thief->steal_ns = thief->stole_ns - began_ns;
    return true;
}

/* Half of a range: the lowest of it to run, the rest as the thief's own. */
static bool take_half(cr_worker *thief, uint32_t begin, uint32_t end, cr_item *ret_item)
{
    cr_range_set_owner(&thief->range, begin + 1, end); /* it was empty: only the owner fills it */
    *ret_item = (cr_item){.park = resume_at(thief->sched, begin)};
    return true;
}

static bool steal_range(cr_worker *thief, cr_worker *victim, cr_item *ret_item)
{
    uint32_t begin, end;
    return cr_range_steal(&victim->range, &begin, &end) && take_half(thief, begin, end, ret_item);
}

static bool maybe_guarded(const cr_worker *victim)
{
    return cr_deque_maybe_any(&victim->deque) || cr_range_maybe_any(&victim->range);
}

/* What may be had without asking; but if its owner closes a deque at that moment it is asked. */
static bool steal_open(cr_worker *thief, cr_worker *victim, cr_item *ret_item)
{
    if (maybe_guarded(victim)) {
        if ((cr_deque_is_open(&victim->deque) && steal_closures(thief, victim, ret_item)) ||
            steal_range(thief, victim, ret_item))
            return true;
        thief->saw_guarded = true;
    }
    return cr_deque_steal_any(&victim->behind, ret_item, NULL) > 0;
}

/* What its owner takes without a fence (a closed deque, what is claimed of a range), so that a thief needs
 * one in all threads. Mostly the owner is through with it sooner. */
static bool steal_guarded(cr_worker *thief, cr_worker *victim, cr_item *ret_item)
{
    enum { patience_ns = 2000, relax_per_look = 8 };
    if (!maybe_guarded(victim))
        return false;
    for (uint64_t from = cr_now_ns(); cr_now_ns() - from < patience_ns;) {
        for (unsigned i = 0; i < relax_per_look; i++)
            cr_cpu_relax();
        if (!maybe_guarded(victim))
            return false;
    }
    uint32_t begin, end;
    return steal_closures(thief, victim, ret_item) ||
           (cr_range_rob(&victim->range, &begin, &end) && take_half(thief, begin, end, ret_item));
}

/* xorshift64: Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (2003). */
static uint64_t next_random(cr_worker *worker)
{
    uint64_t x = worker->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return worker->random = x;
}

typedef bool steal_way(cr_worker *thief, cr_worker *victim, cr_item *ret_item);

static bool steal_from_anybody(cr_worker *thief, steal_way *steal, cr_item *ret_item)
{
    cr_sched *sched = thief->sched;
    unsigned count = sched->worker_count;
    unsigned victim = thief->last_victim;
    unsigned start = (unsigned)(next_random(thief) % count);
    for (unsigned i = 0; i <= count; i++) {
        if (victim != thief->number && steal(thief, sched->workers[victim], ret_item)) {
            thief->last_victim = victim;
            cr_store_64(&thief->stats.steals, thief->stats.steals + 1);
            CR_PROBE2(steal, thief->number, victim);
            return true;
        }
        victim = (start + i) % count;
    }
    return false;
}

/* Nobody else is active. Then nobody has anything, but for parts of a resume that their owners sleep through. Who
 * becomes active now and has something, wakes others or runs it. */
static bool is_alone(const cr_sched *sched)
{
    return sched->worker_count == 1 || (cr_load_32(&sched->active) == 1 && !sched->shared_out);
}

bool cr_steal_any(cr_worker *thief, cr_item *ret_item)
{
    if (is_alone(thief->sched))
        return false;
    thief->saw_guarded = false;
    return steal_from_anybody(thief, steal_open, ret_item) ||
           (thief->saw_guarded && steal_from_anybody(thief, steal_guarded, ret_item));
}

bool cr_work_visible(const cr_sched *sched)
{
    for (unsigned i = 0; i < sched->worker_count; i++) {
        const cr_worker *worker = sched->workers[i];
        if (cr_deque_maybe_any(&worker->deque) || cr_range_maybe_any(&worker->range) ||
            cr_deque_maybe_any(&worker->behind))
            return true;
    }
    return false;
}
