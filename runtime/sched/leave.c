/* SPDX-License-Identifier: MIT
 *
 * leave.c - corio_fail: out of a task from any depth; and cleanups.
 *
 *     corio_fail -> _Unwind_RaiseException -> the user's frames, one by one -> the landing frame
 *                                                                              (cr_task_call,
 *                                                                               cr_land)
 *
 * The landing frame is found by its personality routine, and goes on behind its call of the user's
 * function, as if that had returned the code: the unwinder restores the callee-saved registers, and
 * the personality sets the register of the return value. So a landing costs nothing until it is
 * used. (The Itanium C++ ABI's exception handling, level I; pthread_exit leaves threads alike.)
 *
 * ThreadSanitizer keeps a shadow of the call stack. Code compiled without exceptions does not take it
 * back while it is unwound; longjmp does. So there, the landing ends with a longjmp to itself.
 */
#include "runtime/sched/leave.h"

#include "runtime/base/alloc.h"

#include <corio/fail.h>
#include <errno.h>

#include <setjmp.h>

/* "CORIOC\0\0": whose exception it is. */
static const uint64_t exception_class = 0x434f52494f430000u;

_Unwind_Reason_Code cr_landing_personality(int version, _Unwind_Action actions, uint64_t class,
                                           struct _Unwind_Exception *exception,
                                           struct _Unwind_Context *context)
{
    if (version != 1 || class != exception_class)
        return _URC_CONTINUE_UNWIND;
    if (actions & _UA_SEARCH_PHASE)
        return _URC_HANDLER_FOUND;
    const cr_raised *raised = (const cr_raised *)exception;
    /* libstdc++ counts one more with each catch (...) that rethrows what is not its own. */
    cr_exceptions *exceptions = cr_worker_self()->exceptions;
    if (exceptions != NULL)
        exceptions->uncaught = raised->uncaught;
    _Unwind_SetGR(context, __builtin_eh_return_data_regno(0), (_Unwind_Word)(int64_t)raised->code);
    return _URC_INSTALL_CONTEXT;
}

/* longjmp itself: the sanitizer knows neither _longjmp nor what _FORTIFY_SOURCE makes of both. */
_Noreturn void cr_longjmp(jmp_buf to, int value) __asm__("longjmp");

static __attribute__((noinline)) int land_and_tell(corio_task_fn *fn, void *arg)
{
    jmp_buf here;
    volatile int rc = 0;
    if (_setjmp(here) == 0) {
        rc = cr_land_here(fn, arg);
        cr_longjmp(here, 1);
    }
    return rc;
}

__attribute__((noinline)) int cr_land(corio_task_fn *fn, void *arg)
{
    return cr_sanitized_thread() ? land_and_tell(fn, arg) : cr_land_here(fn, arg);
}

_Noreturn void cr_leave_again(corio_task *task)
{
    cr_raised *raised = &task->more->leaving->raised;
    const cr_exceptions *exceptions = cr_worker_self()->exceptions;
    raised->uncaught = exceptions != NULL ? exceptions->uncaught : 0;
    raised->exception = (struct _Unwind_Exception){.exception_class = exception_class};
    (void)_Unwind_RaiseException(&raised->exception);
    cr_panic("corio_fail cannot leave a task through code without unwind tables");
}

/* NULL: no memory. */
static cr_failure *leaving_of(corio_task *task, int code, const char *format, va_list args)
{
    cr_more *more = cr_more_of(task);
    if (more == NULL)
        return NULL;
    cr_failure *failure = cr_failure_create(task, code, format, args);
    if (!cr_failure_is_own(failure))
        return NULL;
    cr_failure_trace(failure);
    cr_failure_destroy(more->leaving);
    cr_failure_because(failure, more->seen);
    more->seen = NULL;
    more->leaving = failure;
    return failure;
}

void corio_fail(int code, const char *format, ...)
{
    corio_task *task = corio_self();
    if (task == NULL)
        cr_panic("corio_fail was called outside of a task");
    va_list args;
    va_start(args, format);
    cr_failure *failure = leaving_of(task, code < 0 ? code : -EINVAL, format, args);
    va_end(args);
    if (failure == NULL)
        cr_panic("corio_fail: no memory to fail with");
    failure->raised.code = failure->error.code;
    cr_leave_again(task);
}

/* -- Cleanups -- */

int corio_defer(void (*fn)(void *arg), void *arg)
{
    corio_task *task = corio_self();
    if (task == NULL)
        return -EPERM;
    if (fn == NULL)
        return -EINVAL;
    cr_more *more = cr_more_of(task);
    cr_deferred *deferred = more != NULL ? cr_alloc(sizeof *deferred) : NULL;
    if (deferred == NULL)
        return -ENOMEM;
    *deferred = (cr_deferred){more->deferred, fn, arg};
    more->deferred = deferred;
    return 0;
}

static int call_deferred(void *arg)
{
    const cr_deferred *deferred = arg;
    deferred->fn(deferred->arg);
    return 0;
}

int cr_run_deferred(corio_task *task)
{
    cr_more *more = task->more;
    int first = 0;
    cr_failure *leaving = more->leaving;
    more->leaving = NULL;
    cr_store_32(&task->shielded, 1);
    while (more->deferred != NULL) {
        cr_deferred deferred = *more->deferred;
        cr_free(more->deferred);
        more->deferred = deferred.next;
        int rc = cr_land(call_deferred, &deferred);
        cr_worker_self()->task = task;
        if (rc == 0)
            continue;
        if (first == 0 && leaving == NULL) {
            first = rc;
            leaving = more->leaving;
        } else {
            cr_failure_destroy(more->leaving);
        }
        more->leaving = NULL;
    }
    more->leaving = leaving;
    return first;
}
