/* SPDX-License-Identifier: MIT
 *
 * boundary.c - from quiescence to resume: the I/O phase.
 *
 *     quiescence -> collect -> dispatch -> wait until something can go on -> resume
 *                                 ^                    |
 *                                 +-- retries, limits -+
 *
 * The worker that brought the active count to zero runs it alone, at home, on its native stack.
 * There is no further barrier: the count is one, over the workers that were awake, and those asleep
 * stay so. All state of all workers is the leader's until cr_resume_all.
 */
#include "runtime/phase/runtime.h"

#include "runtime/base/alloc.h"
#include "runtime/base/clock.h"
#include "runtime/base/panic.h"

/* -- Tasks held at a full window -- */

/* Those whose window has room by now go on. True if any did. */
static bool release_held(corio_runtime *runtime, cr_worker *leader)
{
    cr_sched *sched = &runtime->sched;
    for (unsigned i = 0; i < sched->worker_count; i++) {
        cr_worker *worker = sched->workers[i];
        while (worker->held != NULL) {
            cr_park *park = worker->held;
            worker->held = park->next;
            park->next = runtime->held;
            runtime->held = park;
        }
    }
    bool any = false;
    for (cr_park **at = &runtime->held; *at != NULL;) {
        cr_park *park = *at;
        cr_scope *scope = park->object;
        uint64_t unfinished = cr_scope_unfinished(scope);
        if (unfinished >= scope->window) {
            at = &park->next;
            continue;
        }
        *at = park->next;
        /* Counted here, where it does not depend on timing: once tasks run again, children
         * finish at any moment. */
        scope->window_used = (uint32_t)unfinished;
        cr_make_runnable(leader, park);
        any = true;
    }
    return any;
}

/* -- Closures without a stack -- */

static void report_stacks(corio_runtime *runtime)
{
    if (runtime->stacks_reported)
        return;
    runtime->stacks_reported = true;
    enum { most_bytes = 256 };
    char *text = cr_alloc(most_bytes);
    if (text != NULL)
        snprintf(
            text, most_bytes,
            "corio: all %zu stacks are in use in phase %llu: the phase ended early, tasks wait "
            "for a stack (corio_options.max_stacks, CORIO_MAX_STACKS)\n",
            runtime->sched.pool.max_stacks, (unsigned long long)runtime->sched.phase);
    cr_report(runtime, text);
}

/* Closures that found no stack: as many as there are stacks now try again. True if any does. */
static bool retry_starved(corio_runtime *runtime, cr_worker *leader)
{
    cr_sched *sched = &runtime->sched;
    if (sched->starved_count == 0)
        return false;
    report_stacks(runtime);
    for (unsigned i = 0; i < sched->worker_count; i++)
        cr_stack_cache_flush(&sched->pool, &sched->workers[i]->stacks);
    cr_stack *probe = cr_stack_take(&sched->pool, &leader->stacks);
    if (probe == NULL)
        return false;
    cr_stack_give(&sched->pool, &leader->stacks, probe);
    size_t available = leader->stacks.count + cr_stack_pool_available(&sched->pool);
    for (; available > 0 && sched->starved_count > 0; available--) {
        const cr_item *closure = &sched->starved[sched->starved_count - 1];
        if (!cr_deque_push_owner(&leader->deque, closure))
            cr_task_refuse(leader, closure, -12 /* -ENOMEM */);
        sched->starved_count--;
    }
    return true;
}

/* No stack will come free any more: the closures fail, and those who wait for them go on. */
static bool refuse_starved(corio_runtime *runtime, cr_worker *leader)
{
    cr_sched *sched = &runtime->sched;
    bool any = sched->starved_count > 0;
    while (sched->starved_count > 0) {
        cr_item closure = sched->starved[--sched->starved_count];
        cr_task_refuse(leader, &closure, CORIO_ESTACKS);
    }
    return any;
}

/* -- Waiting -- */

/* Sleeps until a batch is complete or the next timer is due. */
static void wait_for_replies(corio_runtime *runtime, cr_worker *leader)
{
    cr_io *io = &runtime->io;
    uint32_t seen = cr_event_value(&io->replied);
    if (cr_load_ptr((void *const *)&io->replies) == NULL)
        cr_event_wait(&io->replied, seen, cr_io_next_timer(io));
    cr_io_take_replies(io, leader);
    if (io->timer_count > 0)
        cr_io_fire_timers(io, cr_now_ns());
}

/* Hands over what may go, and takes what is complete. True if a parked stack can go on. */
static bool exchange(corio_runtime *runtime, cr_worker *leader)
{
    cr_io *io = &runtime->io;
    cr_io_dispatch(io, leader);
    cr_io_take_replies(io, leader);
    while (runtime->options.wait_mode == CORIO_WAIT_STRICT && io->in_flight > 0) {
        wait_for_replies(runtime, leader);
        cr_io_dispatch(io, leader); /* max_in_flight may have kept some back */
    }
    return io->ready_count > 0 || io->pushed > 0;
}

/* Runs I/O phases until something can run. */
static void io_phases(corio_runtime *runtime, cr_worker *leader)
{
    cr_io *io = &runtime->io;
    if (io->timer_count > 0)
        cr_io_fire_timers(io, cr_now_ns());
    for (;;) {
        cr_io_collect(io, leader);
        bool can_run = exchange(runtime, leader);
        can_run |= release_held(runtime, leader);
        can_run |= retry_starved(runtime, leader);
        runtime->sched.phase++;
        runtime->phase_total++;
        if (can_run)
            return;
        if (cr_io_queued(io))
            continue;
        if (io->in_flight > 0 || io->timer_count > 0) {
            wait_for_replies(runtime, leader);
            if (io->ready_count > 0 || io->pushed > 0)
                return;
            continue;
        }
        if (refuse_starved(runtime, leader))
            return;
        cr_deadlock(runtime, leader);
        return;
    }
}

/* -- The end of a run -- */

static void end_run(corio_runtime *runtime, const cr_worker *leader)
{
    cr_sched *sched = &runtime->sched;
    CR_INVARIANT(runtime->io.in_flight == 0 && runtime->held == NULL);
    for (unsigned i = 0; i < sched->worker_count; i++)
        cr_stack_cache_flush(&sched->pool, &sched->workers[i]->stacks);
    if (sched->pool.made > CR_STACK_KEEP)
        cr_stack_pool_trim(&sched->pool, sched->pool.run_peak);
    /* [release quiescence.leave] everything above; worker 0 may return to its caller now */
    cr_store_release_32(&sched->over, 1);
    if (leader->number != 0)
        cr_wake_worker(sched, sched->workers[0]);
}

bool cr_boundary(void *owner, cr_worker *leader)
{
    corio_runtime *runtime = owner;
    cr_sched *sched = &runtime->sched;
    uint64_t began = cr_now_ns();
    runtime->cpu_phase_ns += began - runtime->phase_began_ns;
    cr_io_begin(&runtime->io);
    for (unsigned i = 0; i < sched->worker_count; i++)
        cr_deque_free_retired(&sched->workers[i]->deque);
    if (cr_scope_unfinished(&runtime->root_scope) == 0) {
        end_run(runtime, leader);
        return false;
    }
    io_phases(runtime, leader);
    cr_entry *parks;
    size_t count = cr_io_resume_list(&runtime->io, leader, &parks);
    runtime->phase_began_ns = cr_now_ns();
    runtime->io_phase_ns += runtime->phase_began_ns - began;
    cr_resume_all(leader, parks, count);
    return true;
}
