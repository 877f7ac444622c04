/* SPDX-License-Identifier: MIT */
#include "runtime/task/failure.h"

#include "runtime/base/alloc.h"

/* Without memory for a record the code must still arrive: in a small fixed set of records that
 * are never freed. */
enum { spare_records = 16 };
static cr_failure spare[spare_records];
static pthread_mutex_t spare_lock = PTHREAD_MUTEX_INITIALIZER;

static cr_failure *spare_failure(int code)
{
    pthread_mutex_lock(&spare_lock);
    unsigned i = 0;
    while (i < spare_records - 1 && spare[i].error.code != 0 && spare[i].error.code != code)
        i++;
    /* With more different codes than records the last record stands for "no memory". */
    spare[i].error.code = i < spare_records - 1 ? code : -12 /* -ENOMEM */;
    spare[i].error.task = "(unknown: no memory)";
    spare[i].error.path = "()";
    pthread_mutex_unlock(&spare_lock);
    return &spare[i];
}

static bool is_spare(const cr_failure *failure)
{
    return failure >= spare && failure < spare + spare_records;
}

cr_failure *cr_failure_create(const corio_task *task, int code)
{
    size_t bytes = corio_task_path_text(task, NULL, 0) + 1;
    cr_failure *failure = cr_alloc(sizeof *failure + bytes);
    if (failure == NULL)
        return spare_failure(code);
    char *path = (char *)(failure + 1);
    corio_task_path_text(task, path, bytes);
    failure->error = (corio_error){.code = code, .task = task->name, .path = path};
    return failure;
}

void cr_failure_destroy(cr_failure *failure)
{
    if (failure != NULL && !is_spare(failure))
        cr_free(failure);
}

void cr_scope_fail(pthread_mutex_t *lock, cr_scope *scope, corio_task *child, int code,
                   uint64_t phase)
{
    cr_failure *failure = child->seen;
    if (failure != NULL && failure->error.code == code)
        child->seen = NULL;
    else
        failure = cr_failure_create(child, code);
    pthread_mutex_lock(lock);
    cr_failure *first = scope->failure;
    bool earlier = first == NULL || phase < first->rank_phase ||
                   (phase == first->rank_phase && child->index < first->rank_index);
    if (earlier && !is_spare(failure)) {
        failure->rank_phase = phase;
        failure->rank_index = child->index;
    }
    if (earlier)
        scope->failure = failure;
    pthread_mutex_unlock(lock);
    cr_failure_destroy(earlier ? first : failure);
}
