/* SPDX-License-Identifier: MIT
 *
 * runtime.c - creating, running and destroying a runtime.
 */
#include "runtime/phase/runtime.h"

#include "runtime/base/alloc.h"
#include "runtime/base/clock.h"
#include "runtime/base/options.h"

#include <errno.h>
#include <string.h>

/* -- All runtimes, for debuggers -- */

static pthread_mutex_t runtimes_lock = PTHREAD_MUTEX_INITIALIZER;
corio_runtime *cr_runtimes;

static void enlist(corio_runtime *runtime)
{
    pthread_mutex_lock(&runtimes_lock);
    runtime->next = cr_runtimes;
    if (cr_runtimes != NULL)
        cr_runtimes->before = runtime;
    cr_runtimes = runtime;
    pthread_mutex_unlock(&runtimes_lock);
}

static void delist(corio_runtime *runtime)
{
    pthread_mutex_lock(&runtimes_lock);
    if (runtime->before != NULL)
        runtime->before->next = runtime->next;
    else
        cr_runtimes = runtime->next;
    if (runtime->next != NULL)
        runtime->next->before = runtime->before;
    pthread_mutex_unlock(&runtimes_lock);
}

/* -- Creating and destroying -- */

static int open_trace(corio_runtime *runtime)
{
    cr_sched *sched = &runtime->sched;
    int rc = cr_trace_open(&runtime->trace, runtime->options.trace, sched->worker_count);
    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < sched->worker_count; i++) {
        /* Before the first run: the workers sleep. */
        sched->workers[i]->trace = cr_trace_buffer_create(&runtime->trace, i);
        if (sched->workers[i]->trace == NULL)
            rc = -ENOMEM;
    }
    runtime->io.trace = &runtime->trace;
    return rc;
}

/* Ends what is written to files; the first error in them. The workers sleep or are gone. */
static int close_files(corio_runtime *runtime)
{
    int log_rc = cr_log_close(&runtime->io.log);
    int record_rc = cr_record_close(&runtime->io.record);
    cr_replay_close(&runtime->io.replay);
    for (unsigned i = 0; i < runtime->sched.worker_count; i++) {
        cr_trace_buffer_destroy(runtime->sched.workers[i]->trace);
        runtime->sched.workers[i]->trace = NULL;
    }
    runtime->io.trace = NULL;
    int trace_rc = cr_trace_close(&runtime->trace);
    int table_rc = cr_statistics_close(&runtime->statistics, &runtime->sched);
    return log_rc != 0 ? log_rc : record_rc != 0 ? record_rc : trace_rc != 0 ? trace_rc : table_rc;
}

/* A replay waits as the recorded run did. */
static int open_files(corio_runtime *runtime)
{
    corio_options *options = &runtime->options;
    cr_io *io = &runtime->io;
    uint32_t wait_mode = options->wait_mode;
    int rc = cr_log_open(&io->log, options->batch_log, options->check);
    if (rc == 0)
        rc = cr_record_open(&io->record, options->record, wait_mode);
    if (rc == 0)
        rc = cr_replay_open(&io->replay, options->replay, &wait_mode);
    if (rc == 0 && options->trace != NULL)
        rc = open_trace(runtime);
    if (rc == 0)
        rc = cr_statistics_open(&runtime->statistics, options, io);
    options->wait_mode = (corio_wait_mode)wait_mode;
    io->log.wanted |= io->record.file != NULL || io->replay.file != NULL;
    return rc;
}

static int open_parts(corio_runtime *runtime)
{
    const corio_options *options = &runtime->options;
    int rc =
        cr_sched_init(&runtime->sched, options->workers, options->stack_bytes, options->max_stacks);
    if (rc != 0)
        return rc;
    runtime->sched.owner = runtime;
    cr_sim_init(&runtime->sched.sim, options->sim_seed);
    runtime->sched.boundary = cr_boundary;
    runtime->sched.watched = options->hold_ns != 0 && options->sim_seed == 0;
    rc = cr_io_init(&runtime->io, &runtime->sched, options->io_permits);
    if (rc != 0) {
        cr_sched_fini(&runtime->sched);
        return rc;
    }
    runtime->io.late_ns = options->late_ns;
    rc = open_files(runtime);
    runtime->io.strict = options->wait_mode == CORIO_WAIT_STRICT;
    cr_sched_specialise(&runtime->sched);
    if (rc == 0 && runtime->sched.watched)
        rc = cr_watch_within(runtime, options->hold_ns);
    if (rc != 0) {
        (void)close_files(runtime);
        cr_io_fini(&runtime->io);
        cr_sched_fini(&runtime->sched);
    }
    return rc;
}

int corio_runtime_create(const corio_options *options, corio_runtime **ret_runtime)
{
    if (ret_runtime == NULL)
        return -EINVAL;
    corio_options resolved;
    int rc = cr_options_resolve(options, &resolved);
    if (rc != 0)
        return rc;
    corio_runtime *runtime = cr_alloc_aligned(sizeof *runtime);
    if (runtime == NULL)
        return -ENOMEM;
    runtime->options = resolved;
    pthread_mutex_init(&runtime->report_lock, NULL);
    cr_roots_init(&runtime->roots);
    rc = open_parts(runtime);
    if (rc != 0) {
        cr_roots_fini(&runtime->roots);
        pthread_mutex_destroy(&runtime->report_lock);
        cr_free(runtime);
        return rc;
    }
    enlist(runtime);
    *ret_runtime = runtime;
    return 0;
}

int cr_runtime_acquire(corio_runtime *runtime)
{
    return cr_cas_32(&runtime->running, 0, 1) ? 0 : -EBUSY;
}

void cr_runtime_release(corio_runtime *runtime)
{
    cr_store_release_32(&runtime->running, 0);
}

int corio_runtime_destroy(corio_runtime *runtime)
{
    if (runtime == NULL)
        return 0;
    if (cr_runtime_acquire(runtime) != 0)
        return -EBUSY;
    delist(runtime);
    cr_watch_stop(runtime->watch);
    cr_io_stop(&runtime->io); /* an I/O thread may still be in the middle of telling a leader */
    int rc = close_files(runtime);
    cr_io_fini(&runtime->io);
    cr_sched_fini(&runtime->sched);
    cr_roots_fini(&runtime->roots);
    cr_failure_destroy(runtime->failure);
    cr_free(runtime->report);
    pthread_mutex_destroy(&runtime->report_lock);
    cr_free(runtime);
    return rc;
}

static void forget_last_run(corio_runtime *runtime)
{
    cr_failure_destroy(runtime->failure);
    runtime->failure = NULL;
    cr_free(runtime->report);
    runtime->report = NULL;
    runtime->stacks_reported = false;
    runtime->sched.phase = 0;
    runtime->io.handled = 0;
    cr_cancel_new_run(&runtime->sched.cancel);
    cr_sim_init(&runtime->sched.sim, runtime->options.sim_seed);
    cr_stack_pool_new_run(&runtime->sched.pool);
}

/* -- Reports -- */

static void report_locked(corio_runtime *runtime, char *text, bool remark)
{
    bool kept = !remark || runtime->report == NULL || runtime->remarked;
    if (kept) {
        cr_free(runtime->report);
        runtime->report = text;
        runtime->remarked = remark;
    }
    if (runtime->options.report != NULL)
        runtime->options.report(runtime->options.report_self, text);
    if (!kept)
        cr_free(text);
}

static void report(corio_runtime *runtime, char *text, bool remark)
{
    pthread_mutex_lock(&runtime->report_lock);
    report_locked(runtime, text, remark);
    pthread_mutex_unlock(&runtime->report_lock);
}

void cr_report(corio_runtime *runtime, char *text)
{
    if (text != NULL)
        report(runtime, text, false);
}

void cr_remark(corio_runtime *runtime, char *text)
{
    report(runtime, text, true);
}

void cr_remark_of_run(corio_runtime *runtime, char *text, uint64_t run)
{
    pthread_mutex_lock(&runtime->report_lock);
    if (runtime->run_total == run)
        report_locked(runtime, text, true);
    else
        cr_free(text);
    pthread_mutex_unlock(&runtime->report_lock);
}

/* Nobody who looks on says anything of this run any more. */
static void end_reports(corio_runtime *runtime)
{
    pthread_mutex_lock(&runtime->report_lock);
    cr_store_64(&runtime->run_total, runtime->run_total + 1);
    pthread_mutex_unlock(&runtime->report_lock);
}

void cr_report_difference(corio_runtime *runtime)
{
    cr_report(runtime, runtime->io.log.difference);
    runtime->io.log.difference = NULL;
}

/* -- Running -- */

void cr_runtime_begin_run(corio_runtime *runtime)
{
    forget_last_run(runtime);
    cr_record_mark(&runtime->io.record, CR_FRAME_RUN);
    cr_replay_begin_run(&runtime->io);
    cr_statistics_begin_run(&runtime->statistics, &runtime->sched);
    runtime->phase_began_ns = cr_now_ns();
    cr_phase_begins(runtime);
}

int cr_runtime_end_run(corio_runtime *runtime)
{
    end_reports(runtime);
    cr_record_mark(&runtime->io.record, CR_FRAME_OVER);
    int replay_rc = cr_replay_end_run(&runtime->io);
    bool same = cr_log_end_run(&runtime->io.log);
    cr_report_difference(runtime);
    return replay_rc != 0 ? replay_rc : same ? 0 : CORIO_EDIFFERENT;
}

static void open_roots(cr_roots *roots)
{
    pthread_mutex_lock(&roots->lock);
    cr_roots_open_locked(roots, false);
    pthread_mutex_unlock(&roots->lock);
}

static int run(corio_runtime *runtime, const corio_run_options *options, corio_task_fn *fn,
               void *arg)
{
    if (cr_runtime_acquire(runtime) != 0)
        return -EBUSY;
    cr_runtime_begin_run(runtime);
    cr_root *root = &runtime->root;
    cr_root_init(root, runtime, options->name, fn, arg);
    root->deadline_ns = options->deadline_ns;
    open_roots(&runtime->roots);
    cr_item closure = cr_root_closure(root);
    cr_canceller_bind(options->canceller, root);
    cr_sched_run(&runtime->sched, &closure);
    cr_canceller_bind(options->canceller, NULL);
    runtime->failure = root->scope.failure;
    int rc = runtime->failure != NULL ? runtime->failure->error.code : 0;
    int end = cr_runtime_end_run(runtime);
    cr_runtime_release(runtime);
    return rc != 0 ? rc : end;
}

int corio_run_named(corio_runtime *runtime, const char *name, corio_task_fn *root, void *arg)
{
    if (runtime == NULL || name == NULL || root == NULL)
        return -EINVAL;
    const corio_run_options options = {.size = sizeof options, .name = name};
    return run(runtime, &options, root, arg);
}

int corio_run_with(corio_runtime *runtime, const corio_run_options *options, corio_task_fn *root,
                   void *arg)
{
    corio_run_options taken;
    if (runtime == NULL || root == NULL || options == NULL ||
        !cr_options_copy(&taken, sizeof taken, options))
        return -EINVAL;
    if (taken.name == NULL)
        taken.name = "root";
    return run(runtime, &taken, root, arg);
}

const corio_error *corio_runtime_error(const corio_runtime *runtime)
{
    return runtime != NULL && runtime->failure != NULL ? &runtime->failure->error : NULL;
}

const char *corio_runtime_report(const corio_runtime *runtime)
{
    return runtime != NULL && runtime->report != NULL ? runtime->report : "";
}

bool corio_runtime_recording(const corio_runtime *runtime)
{
    return runtime != NULL && runtime->io.record.file != NULL;
}

bool corio_runtime_replaying(const corio_runtime *runtime)
{
    return runtime != NULL && runtime->io.replay.file != NULL;
}

int corio_runtime_trim(corio_runtime *runtime)
{
    if (runtime == NULL)
        return -EINVAL;
    if (cr_runtime_acquire(runtime) != 0)
        return -EBUSY;
    cr_stack_pool_trim(&runtime->sched.pool, 0);
    cr_runtime_release(runtime);
    return 0;
}

static int add_dispatcher(corio_runtime *runtime, const corio_dispatcher_options *options,
                          corio_dispatcher **ret_dispatcher)
{
    corio_dispatcher_options taken;
    int rc = cr_dispatcher_options(&runtime->io, options, &taken);
    if (rc != 0)
        return rc;
    if (taken.early_ns != 0 && !cr_simulated(&runtime->sched))
        rc = cr_watch_within(runtime, taken.early_ns);
    if (rc == 0)
        rc = cr_dispatcher_add(&runtime->io, &taken, ret_dispatcher);
    if (rc == 0 && runtime->io.early != 0)
        cr_sched_specialise(&runtime->sched);
    return rc;
}

int corio_dispatcher_add(corio_runtime *runtime, const corio_dispatcher_options *options,
                         corio_dispatcher **ret_dispatcher)
{
    if (runtime == NULL || ret_dispatcher == NULL)
        return -EINVAL;
    if (cr_runtime_acquire(runtime) != 0)
        return -EBUSY;
    bool room = cr_statistics_reserve(&runtime->statistics, runtime->io.dispatcher_count + 1);
    int rc = room ? add_dispatcher(runtime, options, ret_dispatcher) : -ENOMEM;
    cr_runtime_release(runtime);
    return rc;
}

static void add_workers(const cr_sched *sched, corio_stats *stats)
{
    for (unsigned i = 0; i < sched->worker_count; i++) {
        const cr_worker *worker = sched->workers[i];
        stats->steals += cr_load_64(&worker->stats.steals);
        stats->suspends += cr_load_64(&worker->stats.suspends);
        stats->parks += cr_load_64(&worker->stats.parks);
    }
}

static void add_stacks(cr_stack_pool *pool, corio_stats *stats)
{
    pthread_mutex_lock(&pool->lock);
    stats->guard = pool->guard;
    stats->unguarded_stacks = pool->unguarded;
    stats->stacks_in_use = pool->made - pool->free_count;
    stats->stacks_high_water = pool->high_water;
    stats->stack_bytes_high_water = cr_stack_pool_deepest(pool);
    pthread_mutex_unlock(&pool->lock);
}

int corio_runtime_stats(corio_runtime *runtime, corio_stats *stats)
{
    if (runtime == NULL || stats == NULL)
        return -EINVAL;
    corio_stats now = {.workers = runtime->sched.worker_count};
    now.phases = runtime->phase_total;
    now.batches = runtime->io.batch_total;
    now.requests = runtime->io.request_total;
    now.cpu_phase_ns = runtime->cpu_phase_ns;
    now.io_phase_ns = runtime->io_phase_ns;
    add_workers(&runtime->sched, &now);
    add_stacks(&runtime->sched.pool, &now);
    return cr_options_fill(stats, sizeof now, &now) ? 0 : -EINVAL;
}
