/* SPDX-License-Identifier: MIT */
#include "runtime/phase/statistics.h"

#include "runtime/base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int tally_workers(const cr_sched *sched)
{
    for (unsigned i = 0; i < sched->worker_count; i++) {
        sched->workers[i]->tally = cr_alloc_zeroed(sizeof(cr_tally));
        if (sched->workers[i]->tally == NULL)
            return -ENOMEM;
    }
    return 0;
}

int cr_statistics_open(cr_statistics *statistics, const corio_options *options, cr_io *io)
{
    statistics->progress.wanted =
        options->progress == CORIO_PROGRESS_ALWAYS ||
        (options->progress == CORIO_PROGRESS_TERMINAL && isatty(STDERR_FILENO));
    statistics->wanted =
        options->on_phase != NULL || options->phases != NULL || statistics->progress.wanted;
    if (!statistics->wanted)
        return 0;
    io->timed = true;
    int rc = tally_workers(io->sched);
    if (rc == 0 && options->phases != NULL)
        rc = cr_table_open(&statistics->table, options->phases);
    return rc;
}

int cr_statistics_close(cr_statistics *statistics, cr_sched *sched)
{
    for (unsigned i = 0; i < sched->worker_count; i++) {
        cr_free(sched->workers[i]->tally);
        sched->workers[i]->tally = NULL;
    }
    cr_free(statistics->dispatchers);
    statistics->dispatchers = NULL;
    return cr_table_close(&statistics->table);
}

bool cr_statistics_reserve(cr_statistics *statistics, size_t dispatchers)
{
    return !statistics->wanted ||
           cr_grow((void **)&statistics->dispatchers, &statistics->dispatcher_capacity, dispatchers,
                   sizeof *statistics->dispatchers);
}

static uint64_t steals_of(const cr_sched *sched)
{
    uint64_t steals = 0;
    for (unsigned i = 0; i < sched->worker_count; i++)
        steals += sched->workers[i]->stats.steals;
    return steals;
}

void cr_statistics_begin_run(cr_statistics *statistics, const cr_sched *sched)
{
    if (!statistics->wanted)
        return;
    statistics->runnable = 1;
    statistics->steals = steals_of(sched);
    statistics->wait_ns = 0;
}

/* The worker whose task suspended or ended last. */
static const cr_tally *last_of(const cr_sched *sched)
{
    const cr_tally *last = sched->workers[0]->tally;
    for (unsigned i = 1; i < sched->worker_count; i++) {
        if (sched->workers[i]->tally->last_ns > last->last_ns)
            last = sched->workers[i]->tally;
    }
    return last;
}

/* When all workers but that one had run out of work. */
static uint64_t alone_since(const cr_sched *sched, const cr_tally *last, uint64_t began_ns)
{
    uint64_t since_ns = began_ns;
    for (unsigned i = 0; i < sched->worker_count; i++) {
        const cr_tally *tally = sched->workers[i]->tally;
        if (tally != last && tally->last_ns > since_ns)
            since_ns = tally->last_ns;
    }
    return since_ns;
}

void cr_statistics_cpu_phase_ends(cr_statistics *statistics, const cr_sched *sched,
                                  uint64_t began_ns)
{
    const cr_tally *last = last_of(sched);
    uint64_t since_ns = alone_since(sched, last, began_ns);
    statistics->straggler = (cr_straggler){0};
    if (last->last_ns == 0)
        return;
    snprintf(statistics->straggler.name, CR_STRAGGLER_NAME, "%s", last->name);
    cr_tally_path(last, statistics->straggler.path);
    statistics->straggler.alone_ns = last->last_ns > since_ns ? last->last_ns - since_ns : 0;
}

/* What the workers counted; they begin anew. */
static void take_workers(corio_phase_stats *stats, const cr_sched *sched)
{
    for (unsigned i = 0; i < sched->worker_count; i++) {
        cr_tally *tally = sched->workers[i]->tally;
        stats->closures += tally->closures;
        stats->continuations += tally->continuations;
        stats->workers += tally->closures + tally->continuations > 0;
        *tally = (cr_tally){0};
    }
}

static void take_dispatchers(corio_phase_stats *stats, cr_statistics *statistics, cr_io *io)
{
    for (size_t i = 0; i < io->dispatcher_count; i++) {
        corio_dispatcher *dispatcher = io->dispatchers[i];
        corio_phase_dispatcher *handed = &statistics->dispatchers[i];
        *handed = dispatcher->handed;
        handed->name = dispatcher->options.name;
        stats->batches += handed->batches;
        stats->requests += handed->requests;
        stats->dispatch_ns += handed->dispatch_ns;
        dispatcher->handed = (corio_phase_dispatcher){0};
    }
    stats->dispatchers = statistics->dispatchers;
    stats->dispatcher_count = io->dispatcher_count;
}

static void tell(cr_statistics *statistics, const corio_options *options,
                 const corio_phase_stats *stats)
{
    if (statistics->table.file != NULL)
        cr_table_write(&statistics->table, stats);
    if (statistics->progress.wanted)
        cr_progress_phase(&statistics->progress, stats, cr_now_ns());
    if (options->on_phase != NULL)
        options->on_phase(options->on_phase_self, stats);
}

void cr_statistics_phase(cr_statistics *statistics, const corio_options *options, cr_io *io,
                         const cr_phase_times *times, size_t runnable)
{
    uint64_t io_ns = times->ended_ns - times->cpu_ended_ns;
    uint64_t steals = steals_of(io->sched);
    corio_phase_stats stats = {
        .size = sizeof stats,
        .run = statistics->run,
        .phase = times->phase,
        .last = times->last,
        .runnable = statistics->runnable,
        .steals = steals - statistics->steals,
        .cpu_ns = times->cpu_ended_ns - times->cpu_began_ns,
        .boundary_ns = io_ns > statistics->wait_ns ? io_ns - statistics->wait_ns : 0,
        .wait_ns = statistics->wait_ns,
        .straggler = statistics->straggler.name,
        .straggler_path = statistics->straggler.path,
        .alone_ns = statistics->straggler.alone_ns,
    };
    take_workers(&stats, io->sched);
    take_dispatchers(&stats, statistics, io);
    tell(statistics, options, &stats);
    statistics->runnable = runnable;
    statistics->steals = steals;
    statistics->wait_ns = 0;
    statistics->run += times->last;
}
