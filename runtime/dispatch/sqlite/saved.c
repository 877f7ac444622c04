/* SPDX-License-Identifier: MIT
 *
 * saved.c - answers of queries in a recording.
 */
#include "plan.h"

#include <errno.h>
#include <string.h>

int cr_sqlite_save(void *self, const void *input, const void *output, int status, corio_sink *sink)
{
    (void)input;
    const struct query *query = self;
    if (status != 0 || !output)
        return 0;
    if (query->options.save)
        return query->options.save(query->options.self, output, sink);
    if (atomic_load_explicit(&query->points, memory_order_relaxed))
        return -ENOTSUP;
    return corio_sink_write(sink, output, query->options.output_bytes);
}

/* Once tasks have gone on, those that had answers have looked at them. */
static void begin_restoring(struct query *query, const corio_batch *batch)
{
    uint64_t now = corio_batch_resumes(batch);
    if (now == query->restored_at || corio_batch_partial_calls(batch) > 0)
        return;
    cr_sqlite_memory_fini(&query->restored);
    query->restored_at = now;
}

int cr_sqlite_restore(void *self, const corio_batch *batch, size_t i, int status, const void *bytes,
                      size_t count)
{
    struct query *query = self;
    size_t output_bytes = query->options.output_bytes;
    void *output = corio_batch_output(batch, i);
    if (status != 0 || !output)
        return 0;
    if (query->options.restore) {
        begin_restoring(query, batch);
        memset(output, 0, output_bytes);
        return query->options.restore(query->options.self, &query->restored, bytes, count, output);
    }
    if (count != output_bytes)
        return -EBADMSG;
    memcpy(output, bytes, output_bytes);
    return 0;
}
