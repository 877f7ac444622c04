/* SPDX-License-Identifier: MIT
 *
 * runtime.c - creating, running and destroying a runtime.
 */
#include "runtime/phase/runtime.h"

#include "runtime/base/alloc.h"
#include "runtime/base/clock.h"
#include "runtime/base/panic.h"

#include <errno.h>
#include <string.h>

static int open_parts(corio_runtime *runtime)
{
    const corio_options *options = &runtime->options;
    int rc =
        cr_sched_init(&runtime->sched, options->workers, options->stack_bytes, options->max_stacks);
    if (rc != 0)
        return rc;
    runtime->sched.owner = runtime;
    runtime->sched.boundary = cr_boundary;
    rc = cr_io_init(&runtime->io, &runtime->sched, options->io_permits);
    if (rc == 0 && options->batch_log != NULL) {
        rc = cr_log_open(&runtime->io, options->batch_log);
        if (rc != 0)
            cr_io_fini(&runtime->io);
    }
    if (rc != 0)
        cr_sched_fini(&runtime->sched);
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
    rc = open_parts(runtime);
    if (rc != 0) {
        cr_free(runtime);
        return rc;
    }
    *ret_runtime = runtime;
    return 0;
}

/* Takes the runtime for a run or a change; -EBUSY if somebody has it. */
static int acquire(corio_runtime *runtime)
{
    return cr_cas_32(&runtime->running, 0, 1) ? 0 : -EBUSY;
}

static void release(corio_runtime *runtime)
{
    cr_store_release_32(&runtime->running, 0);
}

int corio_runtime_destroy(corio_runtime *runtime)
{
    if (runtime == NULL)
        return 0;
    if (acquire(runtime) != 0)
        return -EBUSY;
    /* Workers first: an I/O thread may still be in the middle of telling a leader. */
    (void)cr_log_close(&runtime->io);
    cr_io_fini(&runtime->io);
    cr_sched_fini(&runtime->sched);
    cr_failure_destroy(runtime->failure);
    cr_free(runtime->report);
    cr_free(runtime);
    return 0;
}

static void forget_last_run(corio_runtime *runtime)
{
    cr_failure_destroy(runtime->failure);
    runtime->failure = NULL;
    cr_free(runtime->report);
    runtime->report = NULL;
    runtime->stacks_reported = false;
    runtime->sched.phase = 0;
    cr_stack_pool_new_run(&runtime->sched.pool);
}

int corio_run_named(corio_runtime *runtime, const char *name, corio_task_fn *root, void *arg)
{
    if (runtime == NULL || name == NULL || root == NULL)
        return -EINVAL;
    if (acquire(runtime) != 0)
        return -EBUSY;
    forget_last_run(runtime);
    /* As if somebody waited for the root already: `arrived` is what is left. */
    cr_scope_init(&runtime->root_scope, NULL, 0);
    runtime->root_scope.arrived = 1;
    cr_item item = {.fn = root, .scope = &runtime->root_scope, .name = name, .arg = arg};
    runtime->phase_began_ns = cr_now_ns();
    cr_sched_run(&runtime->sched, &item);
    runtime->failure = runtime->root_scope.failure;
    int rc = runtime->failure != NULL ? runtime->failure->error.code : 0;
    release(runtime);
    return rc;
}

const corio_error *corio_runtime_error(const corio_runtime *runtime)
{
    return runtime != NULL && runtime->failure != NULL ? &runtime->failure->error : NULL;
}

const char *corio_runtime_report(const corio_runtime *runtime)
{
    return runtime != NULL && runtime->report != NULL ? runtime->report : "";
}

int corio_runtime_trim(corio_runtime *runtime)
{
    if (runtime == NULL)
        return -EINVAL;
    if (acquire(runtime) != 0)
        return -EBUSY;
    cr_stack_pool_trim(&runtime->sched.pool, 0);
    release(runtime);
    return 0;
}

int corio_dispatcher_add(corio_runtime *runtime, const corio_dispatcher_options *options,
                         corio_dispatcher **ret_dispatcher)
{
    if (runtime == NULL || ret_dispatcher == NULL)
        return -EINVAL;
    if (acquire(runtime) != 0)
        return -EBUSY;
    int rc = cr_dispatcher_add(&runtime->io, options, ret_dispatcher);
    release(runtime);
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
    if (runtime == NULL || stats == NULL || stats->size != sizeof *stats)
        return -EINVAL;
    *stats = (corio_stats){.size = sizeof *stats, .workers = runtime->sched.worker_count};
    stats->phases = runtime->phase_total;
    stats->batches = runtime->io.batch_total;
    stats->requests = runtime->io.request_total;
    stats->cpu_phase_ns = runtime->cpu_phase_ns;
    stats->io_phase_ns = runtime->io_phase_ns;
    add_workers(&runtime->sched, stats);
    add_stacks(&runtime->sched.pool, stats);
    return 0;
}
