/* SPDX-License-Identifier: MIT */
#include "runtime/task/failure.h"

#include "runtime/base/alloc.h"
#include "runtime/task/more.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* -- Without memory -- */

/* The code must still arrive: in a small fixed set of records that are never freed. */
enum { spare_records = 16, most_frames = 64 };
static cr_failure spare[spare_records];
static pthread_mutex_t spare_lock = PTHREAD_MUTEX_INITIALIZER;

static cr_failure *spare_failure(int code)
{
    pthread_mutex_lock(&spare_lock);
    unsigned i = 0;
    while (i < spare_records - 1 && spare[i].error.code != 0 && spare[i].error.code != code)
        i++;
    /* With more different codes than records the last record stands for "no memory". */
    spare[i].error.code = i < spare_records - 1 ? code : -ENOMEM;
    spare[i].error.task = "(unknown: no memory)";
    spare[i].error.path = "()";
    spare[i].error.text = "";
    pthread_mutex_unlock(&spare_lock);
    return &spare[i];
}

bool cr_failure_is_own(const cr_failure *failure)
{
    return failure < spare || failure >= spare + spare_records;
}

/* -- Making and passing on -- */

/* Texts follow the record, behind the indices: | cr_failure | indices | path | text | */
static cr_failure *create(const corio_task *task, int code, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = format != NULL ? vsnprintf(NULL, 0, format, again) : 0;
    va_end(again);
    size_t text_bytes = length > 0 ? (size_t)length + 1 : 1;
    size_t path_bytes = corio_task_path_text(task, NULL, 0) + 1;
    size_t depth = corio_task_path(task, NULL, 0);
    cr_failure *failure =
        cr_alloc(sizeof *failure + depth * sizeof(uint64_t) + path_bytes + text_bytes);
    if (failure == NULL)
        return NULL;
    *failure = (cr_failure){.error = {.code = code, .task = corio_task_name(task), .depth = depth}};
    uint64_t *indices = (uint64_t *)(failure + 1);
    char *path = (char *)(indices + depth), *text = path + path_bytes;
    corio_task_path(task, indices, depth);
    corio_task_path_text(task, path, path_bytes);
    *text = '\0';
    if (length > 0)
        vsnprintf(text, text_bytes, format, args);
    failure->error.indices = indices;
    failure->error.path = path;
    failure->error.text = text;
    return failure;
}

cr_failure *cr_failure_create(const corio_task *task, int code, const char *format, va_list args)
{
    cr_failure *failure = create(task, code, format, args);
    if (failure == NULL)
        return spare_failure(code);
    cr_failure_pass(failure, task);
    return failure;
}

static __attribute__((format(printf, 3, 4))) cr_failure *create_formatted(const corio_task *task,
                                                                          int code,
                                                                          const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cr_failure *failure = cr_failure_create(task, code, format, args);
    va_end(args);
    return failure;
}

cr_failure *cr_failure_plain(const corio_task *task, int code, const char *text)
{
    return create_formatted(task, code, "%s", text);
}

void cr_failure_destroy(cr_failure *failure)
{
    while (failure != NULL && cr_failure_is_own(failure)) {
        cr_failure *cause = failure->cause;
        cr_free(failure->chain);
        cr_free((void *)failure->error.frames);
        cr_free(failure);
        failure = cause;
    }
}

void cr_failure_pass(cr_failure *failure, const corio_task *task)
{
    corio_error *error = &failure->error;
    if (!cr_failure_is_own(failure) || !cr_grow((void **)&failure->chain, &failure->chain_capacity,
                                                error->chain_length + 1, sizeof *failure->chain))
        return; /* the chain ends here */
    failure->chain[error->chain_length++] = corio_task_name(task);
    error->chain = failure->chain;
}

void cr_failure_because(cr_failure *failure, cr_failure *cause)
{
    if (cause == NULL)
        return;
    if (!cr_failure_is_own(failure)) {
        cr_failure_destroy(cause);
        return;
    }
    failure->cause = cause;
    failure->error.cause = &cause->error;
}

typedef struct walk {
    void **frames;
    size_t count;
} walk;

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *arg)
{
    walk *walked = arg;
    uintptr_t address = (uintptr_t)_Unwind_GetIP(context);
    if (address == 0 || walked->count == most_frames)
        return _URC_END_OF_STACK;
    walked->frames[walked->count++] = (void *)address;
    return _URC_NO_REASON;
}

void cr_failure_trace(cr_failure *failure)
{
    walk walked = {.count = 0};
    if (!cr_failure_is_own(failure) || failure->error.frames != NULL)
        return;
    walked.frames = cr_alloc(most_frames * sizeof *walked.frames);
    if (walked.frames == NULL)
        return;
    _Unwind_Backtrace(note_frame, &walked);
    failure->error.frames = walked.frames;
    failure->error.frame_count = walked.count;
}

/* -- A scope's first error -- */

static bool is_first(const cr_scope *scope, uint64_t step, uint64_t index)
{
    const cr_failure *first = scope->failure;
    return first == NULL || step < first->rank_step ||
           (step == first->rank_step && index < first->rank_index);
}

static void keep_locked(cr_scope *scope, cr_failure *failure, uint64_t step, uint64_t index)
{
    if (cr_failure_is_own(failure)) {
        failure->rank_step = step;
        failure->rank_index = index;
    }
    cr_failure_destroy(scope->failure);
    scope->failure = failure;
}

/* The child's failure: told by corio_fail, seen by a wait and returned, or made now. */
static cr_failure *failure_of(corio_task *child, int code)
{
    cr_more *more = child->more;
    cr_failure *failure = NULL;
    if (more != NULL && more->leaving != NULL) {
        failure = more->leaving;
        more->leaving = NULL;
        if (failure->error.code == code)
            return failure;
        cr_failure_destroy(failure);
    }
    cr_failure *seen = more != NULL ? more->seen : NULL;
    if (seen != NULL)
        more->seen = NULL;
    if (seen != NULL && seen->error.code == code) {
        cr_failure_pass(seen, child);
        return seen;
    }
    failure = cr_failure_plain(child, code, "");
    cr_failure_because(failure, seen);
    return failure;
}

void cr_scope_fail(cr_cancel *cancel, cr_scope *scope, corio_task *child, int code)
{
    cr_cancelled cancelled = cr_task_cancelled(cancel, child);
    if (code == -ECANCELED && cancelled != CR_NOT_CANCELLED)
        return; /* it says so, and has no error of its own */
    pthread_mutex_lock(&cancel->lock);
    uint64_t step = cr_load_64(&cancel->step), rank = child->index + 1;
    scope->errors++;
    if (is_first(scope, step, rank))
        keep_locked(scope, failure_of(child, code), step, rank);
    /* What was cancelled in an earlier step is on its way out: no further steps for its sake. */
    if (!scope->keep_going)
        cr_mark_set_locked(cancel, &scope->mark, scope,
                           cancelled == CR_CANCELLED_EARLIER ? CR_MARK_ALL
                                                             : CR_MARK_BEHIND + child->index);
    pthread_mutex_unlock(&cancel->lock);
}

void cr_scope_cancel(cr_cancel *cancel, cr_scope *scope, const corio_task *by, cr_failure *failure)
{
    pthread_mutex_lock(&cancel->lock);
    uint64_t step = cr_load_64(&cancel->step), rank = by != NULL ? by->index + 1 : 0;
    scope->errors++;
    if (is_first(scope, step, rank))
        keep_locked(scope, failure, step, rank);
    else
        cr_failure_destroy(failure);
    cr_mark_set_locked(cancel, &scope->mark, scope,
                       by != NULL ? CR_MARK_BEHIND + by->index : CR_MARK_ALL);
    pthread_mutex_unlock(&cancel->lock);
}

void cr_scope_cancel_quietly(cr_cancel *cancel, cr_scope *scope)
{
    pthread_mutex_lock(&cancel->lock);
    cr_mark_set_locked(cancel, &scope->mark, scope, CR_MARK_ALL);
    pthread_mutex_unlock(&cancel->lock);
}
