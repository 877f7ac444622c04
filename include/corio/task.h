/* SPDX-License-Identifier: MIT
 *
 * task.h - spawning tasks and waiting for them.
 *
 * A task is complete when its function has returned and all its children are complete: no child
 * outlives its parent. Leaving without corio_wait is allowed; the task then completes with its
 * children.
 *
 *     static int leaf(void *arg);                  corio_go(leaf, &a);
 *                                                  corio_go(leaf, &b);
 *                                                  int rc = corio_wait();
 */
#ifndef CORIO_TASK_H
#define CORIO_TASK_H

#include <corio/error.h>
#include <corio/runtime.h>

CORIO_BEGIN_DECLS

typedef struct corio_task corio_task;

/* Most bytes that corio_go_copy takes. */
#define CORIO_COPY_MAX 32

/* corio_go: spawns `fn(arg)` as a child of the calling task. It may start at once, later, or on
 * another worker. corio_go_copy: the same; the `bytes` bytes (1 to CORIO_COPY_MAX) at `arg` are
 * copied, the child gets a pointer to its own copy, aligned to 16.
 *
 * name: borrowed for good (a string constant; the macros give the function's name). arg:
 * borrowed until the child is complete; with _copy only for the call. Suspends: only if the task
 * has a window (corio_set_window) and it is full. Thread: a task only. Errors: -EPERM not called
 * from a task; -EINVAL bad argument; -ENOMEM no memory for the closure; -ECANCELED the calling task or these
 * children are cancelled (no child exists then). */
CORIO_API int corio_go_named(const char *name, corio_task_fn *fn, void *arg);
CORIO_API int corio_go_copy_named(const char *name, corio_task_fn *fn, const void *arg,
                                  size_t bytes);
#define corio_go(fn, arg)             corio_go_named(#fn, (fn), (arg))
#define corio_go_copy(fn, arg, bytes) corio_go_copy_named(#fn, (fn), (arg), (bytes))

/* corio_wait: waits for all children that the calling task spawned with corio_go so far.
 *
 * Returns 0, or the first error among them: of those that failed before any I/O or wait in between
 * the lowest in spawn order. It cancels the other children (cancel.h), and counts as handled then;
 * corio_task_error tells where it came from. Suspends: maybe. Thread: a task only. Cancelled: the
 * children are, so it returns soon. Errors: -EPERM not called from a task; -ECANCELED; else a
 * child's. */
CORIO_API int corio_wait(void);

/* corio_set_keep_going: with `on`, an error of a child does not cancel the other children; the wait
 * returns the first error all the same.
 *
 * Suspends: never. Thread: a task only. Errors: -EPERM not called from a task. */
CORIO_API int corio_set_keep_going(bool on);

/* corio_set_window: lets at most `children` of the calling task's children be unfinished at once
 * (0: no limit). When the window is full, corio_go holds its caller until a phase boundary at which
 * there is room: a loop over any number of items runs in the memory of `children`, and batches stay
 * the same for every number of workers.
 *
 * Suspends: never. Thread: a task only. Errors: -EPERM not called from a task. */
CORIO_API int corio_set_window(uint32_t children);

/* corio_self: the calling task; NULL outside of tasks. Borrowed until the task is complete.
 * Thread: any. */
CORIO_API corio_task *corio_self(void);

/* corio_task_name: the name that a task was spawned with. Thread: any, while the task is not
 * complete. */
CORIO_API const char *corio_task_name(const corio_task *task);

/* corio_task_path: writes the spawn path, outermost index first, at most `capacity` numbers, into
 * `indices`.
 *
 * Returns the length of the whole path (0 for a root). Thread: any, while the task is not
 * complete. */
CORIO_API size_t corio_task_path(const corio_task *task, uint64_t *indices, size_t capacity);

/* corio_task_root: which root the task is below, or is itself: 0 that of the run, else the number of
 * the submission (submit.h).
 *
 * Suspends: never. Thread: any, while the task is not complete. */
CORIO_API uint64_t corio_task_root(const corio_task *task);

/* corio_task_path_text: the same as text, "(3, 0, 17)", or "#2(3, 0, 17)" below the root that was
 * submitted second; cut to fit and always terminated if `bytes` > 0.
 *
 * Returns the length of the whole text without its end. Thread: any, while the task is not
 * complete. */
CORIO_API size_t corio_task_path_text(const corio_task *task, char *text, size_t bytes);

/* corio_task_error: where the last error that a wait of the calling task returned came from; NULL
 * if none has.
 *
 * Returns a pointer borrowed until the task's next wait. Thread: a task only. */
CORIO_API const corio_error *corio_task_error(void);

CORIO_END_DECLS

#endif
