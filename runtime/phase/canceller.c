/* SPDX-License-Identifier: MIT
 *
 * canceller.c - cancelling a root from outside, from any thread.
 *
 * A canceller and a root know of each other under the canceller's spin lock, so that neither uses the
 * other after its end: the root is told to the canceller when it begins and taken away before it is
 * over, and a canceller that was used before cancels it then.
 *
 * The mark is set first, and the leader is told after: it reads the event's value, looks for marks,
 * and sleeps only if the value has not changed since (wait_for_changes in boundary.c).
 *
 * Edges
 *   canceller.run   bind -> cancel   the root is there, and not yet at its end; cancel -> bind: the
 *                                    mark of a canceller is seen by who ends the root. By the lock:
 *                                    spin.lock in spin.h
 */
#include "runtime/phase/runtime.h"

#include "runtime/base/spin.h"

#include <errno.h>

void cr_root_cancel(cr_root *root, int code)
{
    corio_runtime *runtime = root->runtime;
    const corio_task task = {.name = root->name, .index = root->number};
    cr_scope_cancel(&runtime->sched.cancel, &root->scope, NULL,
                    cr_failure_plain(&task, code, "cancelled"));
    cr_event_signal(&runtime->io.replied); /* the leader may be waiting */
}

int corio_canceller_cancel(corio_canceller *canceller, int code)
{
    if (canceller == NULL || code >= 0)
        return -EINVAL;
    cr_spin_lock(&canceller->reserved_lock);
    int rc = canceller->reserved_code == 0 ? 0 : -EALREADY;
    if (rc == 0) {
        canceller->reserved_code = code;
        if (canceller->reserved_run != NULL)
            cr_root_cancel(canceller->reserved_run, code);
    }
    cr_spin_unlock(&canceller->reserved_lock);
    return rc;
}

void cr_canceller_bind(corio_canceller *canceller, cr_root *root)
{
    if (canceller == NULL)
        return;
    cr_spin_lock(&canceller->reserved_lock);
    canceller->reserved_run = root;
    if (root != NULL && canceller->reserved_code != 0)
        cr_root_cancel(root, canceller->reserved_code);
    cr_spin_unlock(&canceller->reserved_lock);
}
