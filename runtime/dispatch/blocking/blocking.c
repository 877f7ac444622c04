/* SPDX-License-Identifier: MIT
 *
 * blocking.c - any function in an I/O thread.
 *
 *     batch  |0 1 2 3|4 5 6 7|8|        grain 4: slices, each submitted, each complete on its own
 *
 * A slice needs its inputs and outputs only, so there is no state: the grain travels as the
 * dispatcher's `self`. A batch that is carved up wholly completes itself.
 */
#include "../options.h"

#include <corio/batch.h>
#include <corio/blocking.h>

#include <errno.h>
#include <string.h>

static int run(void *arg, corio_batch *slice)
{
    (void)arg;
    size_t n = corio_batch_len(slice);
    for (size_t i = 0; i < n; i++) {
        const corio_blocking_call *call = corio_batch_input(slice, i);
        int *result = corio_batch_output(slice, i);
        *result = call->fn(call->arg);
        corio_batch_respond(slice, i);
    }
    return CORIO_DONE;
}

/* Without a thread the calls are made here: late, but made. */
static void start(corio_batch *slice)
{
    if (corio_batch_submit(slice, run, NULL) < 0) {
        run(NULL, slice);
        corio_batch_complete(slice);
    }
}

static int dispatch(void *self, corio_batch *batch)
{
    size_t grain = (size_t)(uintptr_t)self;
    size_t n = corio_batch_len(batch);
    if (n <= grain) {
        start(batch);
        return CORIO_LATER;
    }
    for (size_t first = 0; first < n; first += grain) {
        size_t count = grain < n - first ? grain : n - first;
        corio_batch *slice;
        int rc = corio_batch_slice(batch, first, count, &slice);
        if (rc < 0)
            return rc; /* for those that are in no slice */
        start(slice);
    }
    return CORIO_LATER;
}

static uint64_t hash_alike(void *self, const void *input)
{
    (void)self;
    (void)input;
    return 0;
}

int corio_blocking_add(corio_runtime *runtime, const corio_blocking_options *options,
                       corio_dispatcher **ret_dispatcher)
{
    static const corio_blocking_options defaults = {.size = sizeof defaults};
    corio_blocking_options taken;
    if (!runtime || !ret_dispatcher ||
        !cr_options_take(&taken, sizeof taken, options ? options : &defaults,
                         offsetof(corio_blocking_options, save)))
        return -EINVAL;
    const corio_dispatcher_options dispatcher = {
        .size = sizeof dispatcher,
        .name = taken.name ? taken.name : "blocking",
        .input_bytes = sizeof(corio_blocking_call),
        .output_bytes = sizeof(int),
        .dispatch = dispatch,
        .self = (void *)(uintptr_t)(taken.grain ? taken.grain : 1), /* a number */
        .hash = hash_alike,
        .max_batch = taken.max_batch,
        .max_in_flight = taken.max_in_flight,
        .save = taken.save,
        .restore = taken.restore,
        .not_recorded = !taken.save,
    };
    return corio_dispatcher_add(runtime, &dispatcher, ret_dispatcher);
}

int corio_blocking(corio_dispatcher *dispatcher, corio_blocking_fn *fn, void *arg)
{
    const corio_blocking_call call = {fn, arg};
    int result = 0;
    if (!fn)
        return -EINVAL;
    int rc = corio_io(dispatcher, &call, &result);
    return rc < 0 ? rc : result;
}

corio_request corio_blocking_request(corio_dispatcher *dispatcher, const corio_blocking_call *call,
                                     int *ret_result)
{
    corio_request request;
    memset(&request, 0, sizeof request);
    request.dispatcher = dispatcher;
    request.input = call;
    request.output = ret_result;
    return request;
}
