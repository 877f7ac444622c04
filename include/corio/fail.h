/* SPDX-License-Identifier: MIT
 *
 * fail.h - leaving a task from any depth, and cleanups.
 */
#ifndef CORIO_FAIL_H
#define CORIO_FAIL_H

#include <corio/task.h>

CORIO_BEGIN_DECLS

/* corio_fail: ends the calling task as failed, from any depth of its call stack. It does not
 * return: the frames up to the task's function are left (C++ destructors run, and
 * __attribute__((cleanup)) in code built with -fexceptions), its children are cancelled and waited
 * for, its cleanups run, and then it has failed with `code`, as if its function had returned it.
 *
 * Tasks that never fail pay nothing for this: the frames are found through their unwind tables,
 * which gcc and clang emit by default on x86-64 and AArch64. A task whose code was built without
 * them (-fno-asynchronous-unwind-tables) cannot be left: the process ends with a message then. A
 * C++ catch (...) on the way must rethrow. If there is no memory for the record of the failure, the
 * process ends with a message, too.
 *
 * code: negative, else -EINVAL is taken. format: printf's, kept with the error (corio_error.text);
 * NULL: none. Suspends: never. Thread: a task only; elsewhere the process ends with a message. */
CORIO_API
#if defined(__GNUC__)
__attribute__((noreturn, format(printf, 2, 3)))
#endif
void corio_fail(int code, const char *format, ...);

/* corio_defer: has fn(arg) called when the calling task ends, in whatever way: by return, by
 * corio_fail or cancelled. Cleanups run after all children are complete, in reverse order, on the
 * task itself: they may block and ask for I/O (they run shielded, see corio_shield), and may fail,
 * which counts if the task has no error yet.
 *
 * arg: borrowed until then. Suspends: never. Thread: a task only. Errors: -EPERM not called from a
 * task; -EINVAL; -ENOMEM (fn is not going to be called). */
CORIO_API int corio_defer(void (*fn)(void *arg), void *arg);

CORIO_END_DECLS

#endif
