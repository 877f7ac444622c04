/* SPDX-License-Identifier: MIT
 *
 * every.h - a runtime's whole life, once for each call in it that can fail, with that call failing.
 */
#ifndef CR_TESTS_EVERY_H
#define CR_TESTS_EVERY_H

#include "tests/unit/harness.h"

#include "tests/fault/wrap.h"

static int answer(void *arg, corio_batch *batch)
{
    (void)arg;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        const int *in = corio_batch_input(batch, i);
        *(int *)corio_batch_output(batch, i) = *in + 1;
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static int add(corio_runtime *runtime, corio_dispatch_fn *fn, corio_dispatcher **ret)
{
    corio_dispatcher_options options = {
        .size = sizeof options, .name = "x", .dispatch = fn, .input_bytes = 4, .output_bytes = 4};
    /* One hands over early, unless it is recorded: that excludes the other. */
    bool early =
        fn != answer && !corio_runtime_recording(runtime) && !corio_runtime_replaying(runtime);
    options.early_count = early ? 7 : 0;
    options.early_ns = options.early_count != 0 ? 1 : 0;
    return corio_dispatcher_add(runtime, &options, ret);
}

static bool is_expected(int rc)
{
    return rc == 0 || rc == -ENOMEM || rc == -EAGAIN || rc == -ENOSPC || rc == CORIO_ESTACKS;
}

/* life: creates a runtime, runs, destroys; returns the error of whatever failed first. */
static void every_failure_is_a_clean_error(int (*life)(unsigned workers), unsigned workers)
{
    long before = wrap_live_allocations();
    wrap_fail(-1, false);
    assert_int_equal(life(workers), 0);
    assert_int_equal(wrap_live_allocations(), before);
    long calls = wrap_calls();
    assert_true(calls > 20);
    unsigned failed = 0;
    for (int for_good = 0; for_good < 2; for_good++) {
        for (long n = 0; n < calls; n++) {
            wrap_fail(n, for_good);
            int rc = life(workers);
            wrap_fail(-1, false);
            if (!is_expected(rc))
                fail_msg("call %ld failing %s gives %d (%s)", n, for_good ? "for good" : "once", rc,
                         corio_strerror(rc));
            failed += rc != 0;
            if (wrap_live_allocations() != before)
                fail_msg("call %ld failing %s leaks", n, for_good ? "for good" : "once");
        }
    }
    assert_true(failed > 10); /* the failures do arrive */
}

#endif
