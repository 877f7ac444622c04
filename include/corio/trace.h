/* SPDX-License-Identifier: MIT
 *
 * trace.h - a record of what happened when, for a person to look at.
 *
 * corio_options.trace or CORIO_TRACE=file.json turns it on: tasks as they run on each worker,
 * spawns, phases, batches, waits for locks, and what programs log themselves, as Chrome trace JSON,
 * which ui.perfetto.dev and chrome://tracing open. Every event carries the spawn path of its task,
 * or its batch. Off, it costs a test of a pointer.
 */
#ifndef CORIO_TRACE_H
#define CORIO_TRACE_H

#include <corio/task.h>

CORIO_BEGIN_DECLS

/* corio_log: an event of the calling task with a text. Nothing happens if there is no trace.
 *
 * format: printf's. Suspends: never. Thread: a task only (elsewhere nothing happens). */
CORIO_API
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
void corio_log(const char *format, ...);

CORIO_END_DECLS

#endif
