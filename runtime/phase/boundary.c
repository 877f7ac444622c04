/* SPDX-License-Identifier: MIT
 *
 * boundary.c - from quiescence to resume: the I/O phase.
 *
 *     quiescence -> settle -> collect -> dispatch -> wait until something can go on -> resume
 *                     |                     ^                    |                        ^
 *                     |                     +-- retries, limits -+                        |
 *                     +-- an error or a cancellation let somebody go on: no I/O yet ------+
 *
 * The worker that brought the active count to zero runs it alone, at home, on its native stack.
 * There is no further barrier: the count is one, over the workers that were awake, and those asleep
 * stay so. All state of all workers is the leader's until cr_resume_all.
 */
#include "runtime/phase/runtime.h"

#include "runtime/base/alloc.h"
#include "runtime/base/clock.h"
#include "runtime/base/panic.h"
#include "runtime/io/reuse.h"
#include "runtime/observe/probes.h"
#include "runtime/sched/wait.h"

#include <errno.h>

/* -- Tasks held at a full window -- */

static void release(cr_worker *leader, cr_wait *wait)
{
    cr_wait_remove_locked(wait);
    cr_end_park(leader, &wait->park, 0);
}

/* Those whose window has room by now go on. */
static void release_held(cr_sched *sched, cr_worker *leader)
{
    for (cr_wait *wait = cr_waiters_first(&sched->held); wait != NULL;) {
        cr_wait *next = wait->behind;
        cr_scope *scope = wait->park.object;
        uint64_t unfinished = cr_scope_unfinished(scope);
        if (unfinished < scope->window) {
            /* Counted here, where it does not depend on timing: once tasks run again, children
             * finish at any moment. */
            scope->window_base = (uint32_t)(scope->spawned - unfinished);
            release(leader, wait);
        }
        wait = next;
    }
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

/* Closures that found no stack: as many as there are stacks now try again. */
static void retry_starved(corio_runtime *runtime, cr_worker *leader)
{
    cr_sched *sched = &runtime->sched;
    if (sched->starved_count == 0)
        return;
    report_stacks(runtime);
    for (unsigned i = 0; i < sched->worker_count; i++)
        cr_stack_cache_flush(&sched->pool, &sched->workers[i]->stacks);
    cr_stack *probe = cr_stack_take(&sched->pool, &leader->stacks);
    if (probe == NULL)
        return;
    cr_stack_give(&sched->pool, &leader->stacks, probe);
    size_t available = leader->stacks.count + cr_stack_pool_available(&sched->pool);
    for (; available > 0 && sched->starved_count > 0; available--) {
        const cr_item *closure = &sched->starved[sched->starved_count - 1];
        if (!cr_deque_push_owner(&leader->deque, closure))
            cr_task_refuse(leader, closure, -ENOMEM);
        sched->starved_count--;
    }
}

/* No stack will come free any more: the closures fail, and those who wait for them go on, or what was
 * cancelled by that gives up, in the next step. True if there were any. */
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

/* In a simulation: lets something happen. False: only threads of the program could. */
static bool simulate(cr_sched *sched)
{
    uint64_t next = cr_timers_next(&sched->timers);
    if (sched->sim.job_count > 0 && (next == CR_NEVER || cr_sim_draw(&sched->sim, 4) != 0))
        return cr_sim_run_a_job(&sched->sim);
    if (next == CR_NEVER)
        return false;
    cr_sim_jump(&sched->sim, next);
    return true;
}

static bool timers_armed(corio_runtime *runtime)
{
    return cr_timers_next(&runtime->sched.timers) != CR_NEVER;
}

static void report_late(corio_runtime *runtime)
{
    char *text;
    while (CR_UNLIKELY(runtime->io.oldest != NULL) && (text = cr_late_text(&runtime->io)) != NULL)
        cr_remark(runtime, text);
}

/* To say that something is late is no reason to return: the phase is the same, and so is what the run
 * waits for. */
static void wait_or_say_late(corio_runtime *runtime, uint32_t seen)
{
    cr_sched *sched = &runtime->sched;
    cr_event *replied = &runtime->io.replied;
    uint64_t next = cr_timers_next(&sched->timers), late;
    while ((late = cr_late_next(&runtime->io)) < next) {
        if (cr_simulated(sched))
            cr_sim_jump(&sched->sim, late);
        else
            cr_event_wait(replied, seen, late);
        if (cr_event_value(replied) != seen)
            return;
        report_late(runtime);
    }
    cr_event_wait(replied, seen, next);
}

/* `seen`: the event's value when there was nothing yet. */
static void sleep_until_something(corio_runtime *runtime, cr_worker *leader, uint32_t seen)
{
    cr_sched *sched = &runtime->sched;
    if (CR_UNLIKELY(runtime->io.replay.file != NULL) &&
        !cr_replay_must_sleep(&runtime->io, timers_armed(runtime)))
        return;
    if (cr_simulated(sched) && simulate(sched))
        return;
    uint64_t began = cr_now_ns();
    wait_or_say_late(runtime, seen);
    uint64_t ended = cr_now_ns();
    runtime->statistics.wait_ns += ended - began;
    if (CR_UNLIKELY(leader->trace != NULL))
        cr_trace_phase(leader->trace, "waiting", sched->phase, began, ended);
}

/* Without it, there will never be anything to do. */
static bool something_may_come(corio_runtime *runtime)
{
    return cr_io_waits(&runtime->io) || timers_armed(runtime) ||
           cr_load_32(&runtime->outside) > 0 || cr_roots_expected(&runtime->roots);
}

/* Sleeps until a batch is complete, a timer is due, or something changes from outside. */
static void wait_for_changes(corio_runtime *runtime, cr_worker *leader)
{
    cr_io *io = &runtime->io;
    io->place = CR_PLACE_WAIT;
    uint32_t seen = cr_event_value(&io->replied);
    cr_apply_changes(runtime, leader); /* one behind the reading of `seen` */
    if (!cr_io_replied(io) && !cr_can_run(leader) && !cr_io_queued(io) &&
        something_may_come(runtime))
        sleep_until_something(runtime, leader, seen);
    cr_io_take_replies(io, leader);
    if (CR_UNLIKELY(io->some_reuse))
        cr_reuse_finish(io, leader);
    cr_apply_changes(runtime, leader);
}

static bool something_goes_on(const corio_runtime *runtime, const cr_worker *leader)
{
    return cr_io_ready(&runtime->io) || cr_can_run(leader);
}

/* Hands over what may go, and takes what is complete. Strict: all of it, in rounds. What max_in_flight
 * keeps back waits for the end of a round, so that no batch depends on which slice was the first. */
static void exchange(corio_runtime *runtime, cr_worker *leader)
{
    cr_io *io = &runtime->io;
    io->place = CR_PLACE_EXCHANGE;
    cr_io_dispatch(io, leader);
    cr_io_take_replies(io, leader);
    report_late(runtime);
    io->place = CR_PLACE_STRICT;
    while (runtime->options.wait_mode == CORIO_WAIT_STRICT) {
        if (io->in_flight == 0)
            cr_io_dispatch(io, leader);
        if (io->in_flight == 0)
            break;
        uint32_t seen = cr_event_value(&io->replied);
        cr_apply_changes(runtime, leader); /* one behind the reading of `seen` */
        if (!cr_io_replied(io))
            sleep_until_something(runtime, leader, seen);
        cr_io_take_replies(io, leader);
    }
    if (CR_UNLIKELY(io->some_reuse))
        cr_reuse_finish(io, leader);
}

/* A run keeps as many stacks as it needed at most. */
static void trim_stacks(cr_sched *sched)
{
    for (unsigned i = 0; i < sched->worker_count; i++)
        cr_stack_cache_flush(&sched->pool, &sched->workers[i]->stacks);
    if (sched->pool.made > CR_STACK_KEEP)
        cr_stack_pool_trim(&sched->pool, sched->pool.run_peak);
}

/* A service that has nothing to do: what was needed since it last had nothing to do counts. */
static void rest(corio_runtime *runtime)
{
    if (!cr_roots_idle(&runtime->roots))
        return;
    trim_stacks(&runtime->sched);
    cr_stack_pool_new_run(&runtime->sched.pool);
}

/* No root is left, that of the run or another. */
static bool is_over(corio_runtime *runtime)
{
    return cr_scope_unfinished(&runtime->root.scope) == 0 && cr_roots_over(&runtime->roots);
}

/* Runs I/O phases until something can run, or the run is over. */
static void io_phases(corio_runtime *runtime, cr_worker *leader)
{
    cr_sched *sched = &runtime->sched;
    cr_io *io = &runtime->io;
    for (;;) {
        io->place = CR_PLACE_BEGIN;
        cr_apply_changes(runtime, leader);
        cr_io_collect(io, leader);
        exchange(runtime, leader);
        if (CR_UNLIKELY(runtime->io.log.difference != NULL))
            cr_report_difference(runtime);
        release_held(sched, leader);
        retry_starved(runtime, leader);
        sched->phase++;
        runtime->phase_total++;
        if (something_goes_on(runtime, leader))
            return;
        if (cr_io_queued(io))
            continue;
        if (is_over(runtime))
            return;
        if (something_may_come(runtime)) {
            rest(runtime);
            wait_for_changes(runtime, leader);
            if (something_goes_on(runtime, leader))
                return;
            continue;
        }
        if (refuse_starved(runtime, leader))
            return;
        if (is_over(runtime)) /* a service has been stopped since the look above */
            return;
        cr_deadlock(runtime, leader);
        return;
    }
}

/* -- The end of a run -- */

static void end_run(corio_runtime *runtime, const cr_worker *leader)
{
    cr_sched *sched = &runtime->sched;
    CR_INVARIANT(runtime->io.in_flight == 0 && cr_waiters_first(&sched->held) == NULL);
    trim_stacks(sched);
    cr_tell_release(&sched->over);
    /* [release quiescence.leave] everything above; worker 0 may return to its caller now */
    cr_store_release_32(&sched->over, 1);
    if (leader->number != 0)
        cr_wake_worker(sched, sched->workers[0]);
}

/* The CPU phase ended at `ended_ns`. last: so does the run; else `runnable` tasks can run now. */
static void tell_phase(corio_runtime *runtime, uint64_t phase, uint64_t ended_ns, bool last,
                       size_t runnable)
{
    if (CR_LIKELY(!runtime->statistics.wanted))
        return;
    cr_phase_times times = {.phase = phase,
                            .cpu_began_ns = runtime->phase_began_ns,
                            .cpu_ended_ns = ended_ns,
                            .ended_ns = cr_now_ns(),
                            .last = last};
    cr_statistics_phase(&runtime->statistics, &runtime->options, &runtime->io, &times, runnable);
}

bool cr_boundary(void *owner, cr_worker *leader)
{
    corio_runtime *runtime = owner;
    cr_sched *sched = &runtime->sched;
    cr_tell_acquire(&sched->idle); /* quiescence.leave: cr_idle */
    uint64_t began = cr_now_ns();
    cr_alone_measure(&sched->alone, began - runtime->phase_began_ns);
    runtime->cpu_phase_ns += began - runtime->phase_began_ns;
    CR_PROBE2(phase_end, sched->phase, began - runtime->phase_began_ns);
    cr_phase_ends(runtime);
    /* Before jobs are told of their end, and take their names along. */
    if (CR_UNLIKELY(runtime->statistics.wanted))
        cr_statistics_cpu_phase_ends(&runtime->statistics, sched, runtime->phase_began_ns);
    cr_io_begin(&runtime->io);
    for (unsigned i = 0; i < sched->worker_count; i++) {
        cr_deque_free_retired(&sched->workers[i]->deque);
        cr_deque_free_retired(&sched->workers[i]->behind);
        if (CR_UNLIKELY(sched->workers[i]->ended != NULL))
            cr_jobs_end(runtime, sched->workers[i]);
    }
    uint64_t phase = sched->phase;
    if (is_over(runtime)) {
        tell_phase(runtime, phase, began, true, 0);
        end_run(runtime, leader);
        return false;
    }
    if (!cr_settle(runtime, leader)) {
        io_phases(runtime, leader);
        runtime->io.resumes++;
        cr_record_mark(&runtime->io.record, CR_FRAME_GO);
        cr_replay_go(&runtime->io);
    }
    cr_entry *parks;
    size_t count = cr_io_resume_list(&runtime->io, leader, &parks);
    cr_cancel_next_step(&sched->cancel);
    uint64_t ended = cr_now_ns();
    if (CR_UNLIKELY(leader->trace != NULL)) {
        cr_trace_phase(leader->trace, "CPU phase", phase, runtime->phase_began_ns, began);
        cr_trace_phase(leader->trace, "I/O phase", phase, began, ended);
    }
    tell_phase(runtime, phase, began, false, count + cr_deque_length_owner(&leader->deque));
    runtime->phase_began_ns = runtime->statistics.wanted ? cr_now_ns() : ended;
    runtime->io_phase_ns += ended - began;
    CR_PROBE2(phase_begin, sched->phase, count + cr_deque_length_owner(&leader->deque));
    cr_phase_begins(runtime);
    cr_resume_all(leader, parks, count);
    return true;
}
