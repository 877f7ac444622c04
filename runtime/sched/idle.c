/* SPDX-License-Identifier: MIT
 *
 * idle.c - quiescence, spinning and sleeping.
 *
 * Why a phase has ended when `active` reaches zero
 *
 *   Claim: when the counter goes from one to zero, no task runs, no deque (each worker has two, the
 *   second for what has yielded) and no range holds anything (a closure that found no stack waits
 *   in `starved`), and it stays so until the worker that brought it to zero, the leader, says
 *   otherwise.
 *
 *   1. Only an active worker runs tasks, pushes to a deque (its own), or sets a range (its own);
 *      and the leader, at the boundary. Every worker that goes from inactive to active does it in
 *      enter(), by a compare-and-swap that refuses to rise from zero, or is the leader.
 *   2. A worker leaves (subtracts one) only after it has found its own deques, its overflow list
 *      and its own range empty, and has then looked at everybody else's deques and range and found
 *      nothing; or found that nobody else is active, and that nobody but the leader was given a part
 *      of the resume (is_alone in steal.c). It fills none of them while it is inactive, and nobody
 *      else does within a phase. So a worker that was active in this phase and is inactive has empty deques and an empty range.
 *      A look fails, too, where somebody holds the lock of a deque or a range. That is one who is
 *      active, gets what there is, and looks again before it leaves: whose look is the last one of
 *      all found no lock held.
 *   3. One that was not active in this phase has empty deques, but maybe a range that the leader
 *      filled before the phase. That only shrinks until its owner enters, and whoever leaves last
 *      has looked at it and found it empty: who did not look because it was alone, and was not any more
 *      when it left, was not the last; and else there is no such range.
 *   4. At the step to zero all workers are inactive, so by 2 and 3 every deque and range is empty
 *      and no task runs. By 1 nobody can become active any more, so nothing can be pushed. What
 *      thieves took before, they ran while they were active.
 *
 *   The subtraction releases and acquires: the leader sees all that every worker wrote in the phase
 *   [quiescence.leave]; cr_resume_all releases active, and enter() acquires it [quiescence.enter].
 *
 * Why no wake-up is lost
 *
 *   A worker that goes to sleep first counts itself among the sleepers, then puts a full fence into
 *   every thread of the process (membarrier), then looks for work once more. A pusher publishes its
 *   item and then reads the count. Either the pusher reads after the fence hit it, and sees the
 *   sleeper; or it read before, then its item was published before, and the sleeper's look finds
 *   it. Where there is no membarrier both sides have a fence of their own.
 *
 *   A pusher that sees somebody looking wakes nobody. Whoever looks either goes to sleep, as above,
 *   or finds something and stops looking; then it passes the wake-up on if it sees more (home_loop).
 *   A thief's claim may hide items for a moment, as top is too high, from a sleeper's last look. The
 *   thief lowers top behind that, puts a full fence, and looks again itself: at home before it runs
 *   what it got, or when it goes idle; in a task that yields, at once. So it sees what the sleeper
 *   missed, and the sleeper. Half of a range is nobody's on its way to the thief, who looks behind that, too.
 *   wake_sharers wakes some earlier than that; nothing depends on it.
 *   The last one to stop looking while others sleep fences all threads between the two: a pusher
 *   whose item it does not see after that sees that nobody looks.
 */
#include "runtime/sched/sched.h"

#include "runtime/base/fences.h"
#include "runtime/observe/probes.h"

enum {
    one_sleeping = 1,
    one_spinning = 1 << 16,
    /* Between looks it relaxes twice as often each time: a look takes cache lines from those who
     * work, who may have nothing but what they hand to each other. */
    least_relax = 8,
    most_relax = 128,    /* a microsecond or two */
    spin_relaxes = 1600, /* 20 to 40 us: about what a wake-up costs */
};

/* -- Active -- */

/* The leader runs its resume alone, for now (alone.h). Written before `active` is raised; who sees it too late
 * comes too early, which is no harm. */
static bool must_stay_out(const cr_sched *sched)
{
    uint64_t until_ns = cr_load_64(&sched->stay_out_ns);
    return until_ns != 0 && cr_now_ns() < until_ns;
}

static bool enter(cr_sched *sched)
{
    for (;;) {
        uint32_t active = cr_load_32(&sched->active);
        if (active == 0)
            return false;
        /* [acquire quiescence.enter] */
        if (cr_cas_32(&sched->active, active, active + 1)) {
            cr_tell_acquire(&sched->active);
            return true;
        }
    }
}

static bool must_leave(const cr_worker *worker)
{
    const cr_sched *sched = worker->sched;
    return cr_load_acquire_32(&sched->stop) != 0 ||
           (worker->number == 0 && cr_load_acquire_32(&sched->over) != 0);
}

bool cr_idle(cr_worker *worker)
{
    cr_sched *sched = worker->sched;
    cr_tell_release(&sched->idle);
    /* [release quiescence.leave] [acquire quiescence.leave] */
    if (cr_add_32(&sched->active, (uint32_t)-1) == 1 && sched->boundary(sched->owner, worker))
        return true;
    return cr_idle_inactive(worker);
}

/* -- Sleeping -- */

static void remove_sleeper_locked(cr_sched *sched, cr_worker *worker)
{
    cr_worker **at = &sched->sleepers;
    while (*at != worker)
        at = &(*at)->next_sleeper;
    *at = worker->next_sleeper;
    worker->asleep = false;
    cr_add_32(&sched->idle, one_spinning - one_sleeping);
}

void cr_wake_worker(cr_sched *sched, cr_worker *worker)
{
    pthread_mutex_lock(&sched->sleep_lock);
    bool asleep = worker->asleep;
    if (asleep)
        remove_sleeper_locked(sched, worker);
    pthread_mutex_unlock(&sched->sleep_lock);
    /* If it is not, it looks behind this lock once more before it sleeps: for what is to wake it, too. */
    if (asleep)
        cr_event_signal(&worker->event);
}

void cr_wake_one(cr_sched *sched)
{
    pthread_mutex_lock(&sched->sleep_lock);
    cr_worker *worker = sched->sleepers;
    /* Looked at again under the lock: two pushers must not wake two. */
    bool wanted = worker != NULL && cr_load_32(&sched->idle) < one_spinning;
    if (wanted)
        remove_sleeper_locked(sched, worker);
    pthread_mutex_unlock(&sched->sleep_lock);
    if (wanted)
        cr_event_signal(&worker->event);
}

/* A resume that is shared out wakes everybody who has a part: whoever begins on its own wakes two others,
 * so that all are awake after a few wake-ups, not one after the other. Counted from the leader: 0 wakes
 * 1 and 2, 1 wakes 3 and 4, and so on. Whose part is taken by then is left asleep. */
static void wake_sharers(const cr_worker *worker)
{
    cr_sched *sched = worker->sched;
    unsigned count = sched->worker_count;
    unsigned place = (worker->number + count - sched->resume_leader) % count;
    for (unsigned at = 2 * place + 1; at <= 2 * place + 2 && at < sched->most_sharers; at++) {
        cr_worker *other = sched->workers[(sched->resume_leader + at) % count];
        if (cr_range_maybe_any(&other->range))
            cr_wake_worker(sched, other);
    }
}

/* [sleep.push] the sleeper's side: after this every pusher sees that it sleeps, or its item is
 * visible here. */
static void fence_all_threads(const cr_sched *sched)
{
    if (sched->push_needs_fence)
        cr_fence_full();
    else
        cr_fence_threads();
}

/* Somebody that has counted itself asleep should be awake. While the leader is alone it is enough that one other
 * looks: nobody is woken when they may come. */
static bool is_needed(const cr_sched *sched)
{
    if (must_stay_out(sched))
        return cr_load_32(&sched->idle) < one_spinning;
    /* What is visible while nobody is active is the leader's, at a boundary: it looks for sleepers
     * when it has raised `active`, behind a full fence, so one of the two sees the other. */
    return cr_work_visible(sched) && cr_load_32(&sched->active) != 0;
}

static void sleep_until_woken(cr_worker *worker)
{
    cr_sched *sched = worker->sched;
    uint32_t seen = cr_event_value(&worker->event);
    pthread_mutex_lock(&sched->sleep_lock);
    CR_INVARIANT(!worker->asleep);
    worker->asleep = true;
    worker->next_sleeper = sched->sleepers;
    sched->sleepers = worker;
    cr_add_32(&sched->idle, one_sleeping - one_spinning);
    pthread_mutex_unlock(&sched->sleep_lock);

    fence_all_threads(sched);
    if (is_needed(sched) || must_leave(worker)) {
        pthread_mutex_lock(&sched->sleep_lock);
        if (worker->asleep)
            remove_sleeper_locked(sched, worker);
        pthread_mutex_unlock(&sched->sleep_lock);
        return;
    }
    cr_store_64(&worker->stats.parks, worker->stats.parks + 1);
    CR_PROBE1(worker_park, worker->number);
    for (;;) {
        cr_event_wait(&worker->event, seen, CR_NEVER);
        /* Maybe only a signal of an earlier sleep, come late. The value is read before `asleep` is:
         * a wake-up between the two, or after them, changes it. */
        seen = cr_event_value(&worker->event);
        pthread_mutex_lock(&sched->sleep_lock);
        bool woken = !worker->asleep;
        pthread_mutex_unlock(&sched->sleep_lock);
        if (woken)
            break;
    }
    CR_PROBE1(worker_wake, worker->number);
}

/* It has found something, or it leaves. */
static void stop_looking(cr_sched *sched, bool leave)
{
    uint32_t idle = cr_add_32(&sched->idle, (uint32_t)-one_spinning) - one_spinning;
    /* [sleep.push] for the look at what to pass on */
    if (!leave && idle - 1 < 0xffff) /* sleepers, and nobody spinning */
        fence_all_threads(sched);
}

bool cr_idle_inactive(cr_worker *worker)
{
    cr_sched *sched = worker->sched;
    cr_add_32(&sched->idle, one_spinning);
    for (unsigned spun = 0, relax = least_relax;;) {
        bool leave = must_leave(worker), stay_out = must_stay_out(sched);
        if (leave || (!stay_out && cr_work_visible(sched) && enter(sched))) {
            if (!leave)
                wake_sharers(worker);
            stop_looking(sched, leave);
            return !leave;
        }
        /* One that would spin in the place of an active one is too many, too. But the one that looks while the leader is
         * alone is needed. */
        uint32_t spinners = cr_load_32(&sched->idle) >> 16;
        bool too_many = spinners > sched->most_spinners ||
                        (!stay_out && spinners + cr_load_32(&sched->active) > sched->cpus);
        if ((spun < spin_relaxes || stay_out) && !too_many) {
            for (unsigned i = 0; i < relax; i++)
                cr_cpu_relax();
            spun += relax;
            relax = relax < most_relax ? 2 * relax : most_relax;
        } else {
            sleep_until_woken(worker);
            spun = 0;
            relax = least_relax;
        }
    }
}

/* -- Resuming -- */

void cr_resume_all(cr_worker *leader, cr_entry *parks, size_t count)
{
    cr_sched *sched = leader->sched;
    unsigned workers = sched->worker_count;
    sched->resume = parks;
    sched->resume_leader = leader->number;
    /* Everybody gets the same part each time, for the frames that are warm in its caches; of more workers than
     * processors, those whom wake_sharers wakes. What its owner sleeps through is stolen. A few go to the leader:
     * nobody needs to be woken for them. What it claims at once it need not claim later. */
    uint32_t all = (uint32_t)count;
    uint64_t stay_out_ns = 0;
    bool few = count < 4 * (size_t)workers;
    if (workers > 1 && !few && cr_deque_length_owner(&leader->deque) == 0)
        stay_out_ns = cr_alone_choose(&sched->alone, count);
    cr_store_64(&sched->stay_out_ns, stay_out_ns != 0 ? cr_now_ns() + stay_out_ns : 0);
    sched->shared_out = workers > 1 && !few && stay_out_ns == 0;
    if (workers == 1) {
        cr_range_set(&leader->range, 0, all, all);
    } else if (!sched->shared_out) {
        cr_range_set(&leader->range, 0, (all + 1) / 2, all);
    } else {
        unsigned parts = sched->most_sharers;
        for (size_t i = 0; i < workers; i++) {
            size_t at = parts == workers ? i : (i + workers - leader->number) % workers;
            uint32_t begin = (uint32_t)(count * at / parts),
                     end = (uint32_t)(count * (at + 1) / parts);
            if (at < parts)
                cr_range_set(&sched->workers[i]->range, begin, begin, end);
            else
                cr_range_set(&sched->workers[i]->range, 0, 0, 0);
        }
    }
    /* [release quiescence.enter] */
    cr_tell_release(&sched->active);
    cr_store_release_32(&sched->active, 1);
    if (workers == 1)
        return;
    cr_fence_full(); /* [sleep.push] for the ranges and the leader's deque */
    wake_sharers(leader);
    if (!sched->shared_out && count + cr_deque_length_owner(&leader->deque) > 1)
        cr_wake_if_needed(sched);
}
