/* SPDX-License-Identifier: MIT
 *
 * group.h - a further scope of a task, waited for on its own.
 *
 * A group belongs to the task that opened it, and only that task may use it. A group still open
 * when its task returns is waited for and closed then.
 */
#ifndef CORIO_GROUP_H
#define CORIO_GROUP_H

#include <corio/task.h>

CORIO_BEGIN_DECLS

typedef struct corio_group corio_group;

/* What a group is opened with; zero is the default. */
typedef struct corio_group_options {
    size_t size;          /* sizeof(corio_group_options) */
    uint32_t window;      /* most tasks unfinished at once, see corio_set_window; 0: no limit */
    bool keep_going;      /* an error does not cancel the others */
    uint64_t deadline_ns; /* its tasks are cancelled with -ETIMEDOUT then; 0: none */
} corio_group_options;

/* corio_group_open: opens a group of the calling task.
 *
 * options: borrowed for the call; NULL for all defaults. ret_group: given; release it with
 * corio_group_close. Suspends: never. Thread: a task only. Errors: -EPERM not called from a task;
 * -EINVAL; -ENOMEM. */
CORIO_API int corio_group_open(const corio_group_options *options,
                               corio_group **ret_group) CORIO_MUST_CHECK;

/* corio_group_go, corio_group_go_copy: spawn into the group; see corio_go and corio_go_copy.
 *
 * Suspends: only if the group's window is full. Thread: the task that opened the group.
 * Errors: -EPERM another task's group; -EINVAL; -ENOMEM; -ECANCELED as corio_go. */
CORIO_API int corio_group_go_named(corio_group *group, const char *name, corio_task_fn *fn,
                                   void *arg);
CORIO_API int corio_group_go_copy_named(corio_group *group, const char *name, corio_task_fn *fn,
                                        const void *arg, size_t bytes);
#define corio_group_go(group, fn, arg) corio_group_go_named((group), #fn, (fn), (arg))
#define corio_group_go_copy(group, fn, arg, bytes)                                                 \
    corio_group_go_copy_named((group), #fn, (fn), (arg), (bytes))

/* corio_group_wait: waits for all tasks of the group. It may be used again afterwards, and is not
 * cancelled any more; a second wait at once returns 0.
 *
 * Returns 0 or the first error among them, as corio_wait does; the first error cancels the others.
 * Suspends: maybe. Thread: the task that opened the group. Cancelled: its tasks are, so it returns
 * soon. Errors: -EPERM another task's group; -EINVAL; -ECANCELED; else a task's. */
CORIO_API int corio_group_wait(corio_group *group);

/* corio_group_close: waits, then releases the group (taken). NULL is ignored.
 *
 * Returns what corio_group_wait does. Suspends: maybe. Thread: the task that opened the group. */
CORIO_API int corio_group_close(corio_group *group);

CORIO_END_DECLS

#endif
