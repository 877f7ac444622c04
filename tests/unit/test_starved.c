/* SPDX-License-Identifier: MIT
 *
 * Closures that found no stack while a cancellation takes effect: they wait for the boundary, and at it their scope
 * fails, or its deadline passes, or somebody cancels the run; or none of them gets a stack any more. Whatever comes first,
 * all that starts ends, and the error is the one that was made.
 */
#include "harness.h"

#include <corio/cancel.h>
#include <unistd.h>

enum { children = 24, watchdog_seconds = 200 };

typedef enum how {
    FAILS_AT_ONCE,
    FAILS_LATER, /* when an answer has come: others are put aside by then */
    PASSES_ITS_DEADLINE,
    IS_CANCELLED, /* from outside, by the dispatcher in a boundary */
    hows
} how;

typedef struct plan {
    how how;
    unsigned at;   /* which child */
    bool blocking; /* others wait for what nobody gives, until they are cancelled */
} plan;

static plan planned;
static corio_dispatcher *dispatcher;
static corio_semaphore never;
static corio_canceller canceller;
static unsigned started, ended, batches;

static int answer_or_cancel(void *self, corio_batch *batch)
{
    if (planned.how == IS_CANCELLED && ++batches == 2)
        corio_canceller_cancel(&canceller, -EDOM);
    return answer_all(self, batch);
}

static void end(void *arg)
{
    (void)arg;
    ADD(ended);
}

static int begin_child(void)
{
    ADD(started);
    return corio_defer(end, NULL);
}

static int wait_somehow(void)
{
    int rc = corio_io(dispatcher, NULL, NULL);
    if (rc == 0 && planned.blocking)
        rc = corio_semaphore_acquire(&never, 1);
    return rc != 0 ? rc : corio_io(dispatcher, NULL, NULL);
}

static int child(void *arg)
{
    unsigned number = *(unsigned *)arg;
    CHECK(begin_child() == 0);
    if (number != planned.at)
        return wait_somehow();
    switch (planned.how) {
    case FAILS_AT_ONCE:
        return -EDOM;
    case FAILS_LATER: {
        int rc = corio_io(dispatcher, NULL, NULL);
        return rc != 0 ? rc : -EDOM;
    }
    default:
        return wait_somehow();
    }
}

static int family(void *arg)
{
    (void)arg;
    int rc = 0;
    CHECK(begin_child() == 0);
    for (unsigned i = 0; i < children && rc == 0; i++)
        rc = corio_go_copy(child, &i, sizeof i);
    CHECK(rc == 0 || rc == -ECANCELED);
    return corio_wait();
}

/* An own deadline is the family's, so that the parent is told of it. */
static int two_generations(void *arg)
{
    corio_go_options options = {
        .size = sizeof options,
        .deadline_ns = planned.how == PASSES_ITS_DEADLINE ? corio_now_ns() + 50000 : 0};
    CHECK(corio_go_with(&options, family, arg) == 0);
    return corio_wait();
}

static bool is_right(int rc)
{
    switch (planned.how) {
    case PASSES_ITS_DEADLINE: /* or all was done before */
        return rc == -ETIMEDOUT || rc == 0 || (planned.blocking && rc == CORIO_ESTACKS);
    case IS_CANCELLED:
        return rc == -EDOM || rc == CORIO_ESTACKS;
    default:
        return rc == -EDOM || (planned.blocking && rc == CORIO_ESTACKS);
    }
}

static void check_run(corio_runtime *runtime, const char *what, unsigned long number)
{
    corio_run_options options = {.size = sizeof options, .canceller = &canceller};
    started = ended = batches = 0;
    memset(&canceller, 0, sizeof canceller);
    assert_int_equal(corio_semaphore_init(&never, 0), 0);
    int rc = corio_run_with(runtime, &options, two_generations, NULL);
    corio_stats stats = {.size = sizeof stats};
    assert_int_equal(corio_runtime_stats(runtime, &stats), 0);
    if (!is_right(rc) || started != ended || stats.stacks_in_use != 0 ||
        corio_semaphore_wait_count(&never) != 0)
        fail_msg("%s %lu, how %d, child %u%s: %d (%s), %u started, %u ended, %d stacks in use",
                 what, number, planned.how, planned.at, planned.blocking ? ", blocking" : "", rc,
                 corio_strerror(rc), started, ended, (int)stats.stacks_in_use);
}

static void in_all_ways(corio_options options, const char *what, unsigned long number)
{
    corio_runtime *runtime;
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    corio_dispatcher_options added = {
        .size = sizeof added, .name = "x", .dispatch = answer_or_cancel, .max_batch = 5};
    assert_int_equal(corio_dispatcher_add(runtime, &added, &dispatcher), 0);
    for (unsigned i = 0; i < hows * 3 * 2; i++) {
        static const unsigned places[] = {0, children / 2, children - 1};
        planned = (plan){(how)(i % hows), places[i / hows % 3], i / hows / 3 != 0};
        check_run(runtime, what, number);
    }
    assert_int_equal(corio_runtime_destroy(runtime), 0);
}

static void closures_put_aside_end_with_their_scope(void **state)
{
    (void)state;
    for (unsigned i = 0; i < worker_count_count; i++) {
        for (size_t stacks = 3; stacks < 14; stacks++) {
            corio_options options = CORIO_OPTIONS_INIT;
            options.workers = worker_counts[i];
            options.max_stacks = stacks;
            in_all_ways(options, "stacks", stacks);
        }
    }
}

static void closures_put_aside_end_with_their_scope_in_any_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        corio_options options = CORIO_OPTIONS_INIT;
        options.max_stacks = 3 + seed % 11;
        options.sim_seed = seed;
        in_all_ways(options, "seed", seed);
    }
}

int main(void)
{
    alarm(watchdog_seconds);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closures_put_aside_end_with_their_scope),
        cmocka_unit_test(closures_put_aside_end_with_their_scope_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
