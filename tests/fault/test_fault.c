/* SPDX-License-Identifier: MIT
 *
 * Everything the library takes from the system fails at the n-th call, once or from then on, for every n that a small
 * program reaches: each time there must be a right result or a clean error; no crash, no hang, no leak of memory.
 *
 * The functions are wrapped at link time (-Wl,--wrap); the wrappers are in wrap.c.
 */
#include "tests/fault/every.h"

#include <unistd.h>

enum { tasks = 100, watchdog_seconds = 500 };

static corio_dispatcher *plain, *sliced, *reusing;
static unsigned answered;

/* Slices that cannot be made or submitted are answered in place. */
static int answer_in_slices(void *self, corio_batch *batch)
{
    size_t count = corio_batch_len(batch);
    if (count < 4 || corio_batch_phase(batch) % 2)
        return answer(self, batch);
    corio_batch *upper;
    size_t half = count / 2;
    int rc = corio_batch_slice(batch, half, count - half, &upper);
    if (rc == -ENOMEM)
        return answer(self, batch);
    if (rc != 0)
        return rc;
    if (corio_batch_submit(upper, answer, NULL) != 0) {
        answer(self, upper);
        corio_batch_complete(upper);
    }
    for (size_t i = 0; i < half; i++) {
        if (i % 5 == 0 && corio_batch_phase(batch) < 3) {
            corio_batch_retry(batch, i, i % 2 * 1000);
            continue;
        }
        *(int *)corio_batch_output(batch, i) = *(const int *)corio_batch_input(batch, i) + 1;
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static int ask(void *arg)
{
    int in = *(int *)arg, out = 0;
    int rc = corio_io(in % 2 ? plain : sliced, &in, &out);
    if (rc != 0)
        return rc;
    CHECK(out == in + 1);
    int more[3] = {in, in + 1, in + 2}, got[3];
    corio_request requests[3];
    for (int i = 0; i < 3; i++)
        requests[i] = (corio_request){
            .dispatcher = i % 2 ? plain : sliced, .input = &more[i], .output = &got[i]};
    rc = corio_io_all(requests, 3);
    if (rc != 0)
        return rc;
    ADD(answered);
    in %= 7;
    rc = corio_io(reusing, &in, &out);
    CHECK(rc != 0 || out == in + 1);
    return rc;
}

/* -- Equal ones asked once, answers kept -- */

static int copy_with_memory(void *self, void *to, const void *from)
{
    void *volatile owned = malloc(8); /* may fail; only that matters */
    (void)self;
    free(owned);
    if (owned == NULL)
        return -ENOMEM;
    memcpy(to, from, sizeof(int));
    return 8;
}

static int add_reusing(corio_runtime *runtime, corio_dispatch_fn *fn, size_t cache_bytes)
{
    corio_dispatcher_options options = {.size = sizeof options,
                                        .name = "reusing",
                                        .dispatch = fn,
                                        .input_bytes = sizeof(int),
                                        .output_bytes = sizeof(int),
                                        .dedup = true,
                                        .cache_bytes = cache_bytes,
                                        .copy = copy_with_memory};
    return corio_dispatcher_add(runtime, &options, &reusing);
}

/* -- Whatever else allocates, or may -- */

static corio_flight *flight;
static corio_mutex mutex;
static unsigned cleanups_due, cleanups_run;
static const char key;

static void clean_up(void *arg)
{
    (void)arg;
    ADD(cleanups_run);
}

static int defer(void)
{
    int rc = corio_defer(clean_up, NULL);
    if (rc == 0)
        ADD(cleanups_due);
    return rc;
}

static int limited(void *arg)
{
    CHECK(*(char *)arg == 'x' && corio_local_get(&key) == &key);
    return defer();
}

static int fails(void *arg)
{
    int rc = defer();
    if (rc == 0 &&
        !wrap_fails()) /* without memory corio_fail ends the process: docs/verification.md */
        corio_fail(-EDOM, "number %d", *(int *)arg);
    return rc == 0 ? -EDOM : rc;
}

static int make(void *arg, void *value)
{
    *(int *)value = 7;
    return ask(arg);
}

static int shares(void *arg)
{
    int value = 0;
    int rc = corio_do(flight, "key", 3, make, arg, &value, NULL);
    CHECK(rc != 0 || value == 7);
    return rc;
}

static int locks(void *arg)
{
    int rc =
        corio_mutex_lock_until(&mutex, corio_now_ns() + (*(int *)arg % 2 ? 10000 : 1000000000));
    if (rc != 0)
        return rc == -ETIMEDOUT ? 0 : rc;
    rc = corio_sleep(50000);
    CHECK(corio_mutex_unlock(&mutex) == 0);
    return rc;
}

static int group_of(corio_task_fn *fn, bool keep_going)
{
    corio_group_options options = {.size = sizeof options,
                                   .keep_going = keep_going,
                                   .deadline_ns = corio_now_ns() + 60000000000u};
    corio_group *group;
    int rc = corio_group_open(&options, &group);
    if (rc != 0)
        return rc;
    int first = 0;
    for (int i = 0; i < 4 && first == 0; i++)
        first = corio_group_go_copy(group, fn, &i, sizeof i);
    rc = corio_group_close(group);
    return first != 0 && first != -ECANCELED ? first : rc;
}

static int everything_else(void *arg)
{
    (void)arg;
    char large[200] = "x";
    corio_go_options options = {.size = sizeof options,
                                .copy_bytes = sizeof large,
                                .deadline_ns = corio_now_ns() + 60000000000u,
                                .key = &key,
                                .value = (void *)&key};
    int rc = corio_go_with(&options, limited, large);
    int waited = corio_wait();
    rc = rc != 0 ? rc : waited;
    if (rc == 0)
        rc = group_of(shares, false);
    if (rc == 0)
        rc = group_of(locks, true);
    if (rc == 0)
        rc = group_of(fails, true);
    corio_log("ends with %d", rc);
    return rc == -EDOM ? 0 : rc;
}

static int program(void *arg)
{
    (void)arg;
    corio_group *group;
    int first = 0;
    for (int i = 0; i < tasks && first == 0; i++)
        first = corio_go_copy(ask, &i, sizeof i);
    int rc = corio_group_open(
        &(corio_group_options){.size = sizeof(corio_group_options), .window = 16}, &group);
    for (int i = 0; rc == 0 && i < 40; i++)
        rc = corio_group_go_copy(group, ask, &i, sizeof i);
    first = first != 0 ? first : rc;
    if (first == 0)
        first = corio_go(everything_else, NULL);
    rc = corio_wait();
    return first != 0 && first != -ECANCELED ? first : rc; /* cancelled by the error in rc */
}

/* Returns the error of whatever failed first; the runtime is gone in any case. */
static int whole_life(unsigned workers)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime = NULL;
    options.workers = workers;
    options.io_permits = 3;
    options.trace = options.batch_log = options.phases = "/dev/null";
    options.late_ns =
        3600000000000; /* watched, not reported: open_memstream's memory is not counted */
    options.hold_ns = 1;
    int rc = corio_runtime_create(&options, &runtime);
    if (rc != 0) {
        assert_null(runtime);
        return rc;
    }
    answered = cleanups_due = cleanups_run = 0;
    mutex = (corio_mutex)CORIO_MUTEX_INIT;
    rc = corio_flight_create(sizeof(int), &flight);
    if (rc == 0)
        rc = add(runtime, answer, &plain);
    if (rc == 0)
        rc = add(runtime, answer_in_slices, &sliced);
    if (rc == 0)
        rc = add_reusing(runtime, answer_in_slices, 700);
    if (rc == 0) {
        rc = corio_run(runtime, program, NULL);
        if (rc == 0)
            assert_in_range(answered, tasks + 40 + 1, tasks + 40 + 4); /* and who shared */
        else
            assert_int_equal(corio_runtime_error(runtime)->code, rc);
    }
    assert_int_equal(cleanups_due, cleanups_run);
    assert_int_equal(corio_mutex_destroy(&mutex), 0);
    assert_int_equal(corio_flight_destroy(flight), 0);
    flight = NULL;
    int end_rc = corio_runtime_destroy(runtime); /* of the trace and the batch log */
    return rc != 0 ? rc : end_rc;
}

static void failures_on_one_worker_are_clean_errors(void **state)
{
    (void)state;
    every_failure_is_a_clean_error(whole_life, 1);
}

static void failures_on_three_workers_are_clean_errors(void **state)
{
    (void)state;
    every_failure_is_a_clean_error(whole_life, 3);
}

static void interrupted_waits_go_on(void **state)
{
    (void)state;
    for (long each = 1; each <= 3; each++) {
        wrap_interrupt(each);
        for (unsigned workers = 1; workers <= 3; workers++)
            assert_int_equal(whole_life(workers), 0);
    }
    wrap_interrupt(0);
}

static int life_with_a_full_disk(const char *trace, const char *batch_log, const char *record)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    options.trace = trace;
    options.batch_log = batch_log;
    options.record = record;
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    answered = cleanups_due = cleanups_run = 0;
    assert_int_equal(corio_flight_create(sizeof(int), &flight), 0);
    assert_int_equal(add(runtime, answer, &plain), 0);
    assert_int_equal(add(runtime, answer_in_slices, &sliced), 0);
    assert_int_equal(add_reusing(runtime, answer_in_slices, 700), 0);
    int rc = corio_run(runtime, program, NULL);
    assert_int_equal(corio_flight_destroy(flight), 0);
    /* The run is as it is; that the file is not whole, the end says. */
    assert_int_equal(corio_runtime_destroy(runtime), -ENOSPC);
    return rc;
}

static void full_disk_harms_no_run(void **state)
{
    (void)state;
    assert_int_equal(life_with_a_full_disk("/dev/full", NULL, NULL), 0);
    assert_int_equal(life_with_a_full_disk(NULL, "/dev/full", NULL), 0);
    assert_int_equal(life_with_a_full_disk(NULL, NULL, "/dev/full"), 0);
}

/* -- More closures put aside, for want of a stack, than a deque has room for when they are taken up -- */

static int hold_a_stack(void *arg)
{
    int in = 1, out = 0;
    (void)arg;
    return corio_io(plain, &in, &out);
}

static int hold_all_stacks(void *arg)
{
    (void)arg;
    int rc = 0;
    for (int i = 0; i < 900 && rc == 0; i++)
        rc = corio_go(hold_a_stack, NULL);
    int waited = corio_wait();
    return rc != 0 && rc != -ECANCELED ? rc : waited;
}

static int life_with_few_stacks(unsigned workers)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime = NULL;
    options.workers = workers;
    options.max_stacks = 400;
    int rc = corio_runtime_create(&options, &runtime);
    if (rc != 0)
        return rc;
    rc = add(runtime, answer, &plain);
    if (rc == 0)
        rc = corio_run(runtime, hold_all_stacks, NULL);
    corio_stats stats = {.size = sizeof stats};
    assert_int_equal(corio_runtime_stats(runtime, &stats), 0);
    assert_int_equal(stats.stacks_in_use, 0);
    assert_true(rc != 0 || stats.requests == 900);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    return rc;
}

static void failures_with_few_stacks_are_clean_errors(void **state)
{
    (void)state;
    every_failure_is_a_clean_error(life_with_few_stacks, 1);
    every_failure_is_a_clean_error(life_with_few_stacks, 3);
}

/* -- Guards: a kernel without MADV_GUARD_INSTALL, and vm.max_map_count reached -- */

static int hold_many_stacks(void *arg)
{
    (void)arg;
    int rc = 0;
    for (int i = 0; i < 300 && rc == 0; i++)
        rc = corio_go(hold_a_stack, NULL);
    return rc != 0 ? rc : corio_wait();
}

static corio_stats stats_with_guards(unsigned workers, long splits)
{
    enum { slot_bytes = (64 << 10) + 4096 };
    corio_options options = CORIO_OPTIONS_INIT;
    corio_stats stats = {.size = sizeof stats};
    corio_runtime *runtime;
    options.workers = workers;
    wrap_limit_guards(splits, slot_bytes);
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    assert_int_equal(add(runtime, answer, &plain), 0);
    for (int run = 0; run < 2; run++) /* with new stacks, and with those of the run before */
        assert_int_equal(corio_run(runtime, hold_many_stacks, NULL), 0);
    assert_int_equal(corio_runtime_stats(runtime, &stats), 0);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    wrap_limit_guards(-1, 0);
    return stats;
}

static void too_many_mappings_leave_stacks_without_guards_and_say_so(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 3; workers += 2) {
        corio_stats stats = stats_with_guards(workers, 1000000);
        assert_int_equal(stats.guard, CORIO_GUARD_MPROTECT);
        assert_int_equal(stats.unguarded_stacks, 0);
        stats = stats_with_guards(workers, 100);
        assert_int_equal(stats.guard, CORIO_GUARD_NONE);
        assert_in_range(stats.unguarded_stacks, 200, 200 + 64 * workers);
        stats = stats_with_guards(workers, 0);
        assert_int_equal(stats.guard, CORIO_GUARD_NONE);
        assert_true(stats.unguarded_stacks >= 300);
    }
}

/* -- What dedup and cache need besides -- */

enum { most_numbers = 300 };

static unsigned asked_for;
static bool without_keys;

static int count_and_answer(void *self, corio_batch *batch)
{
    asked_for += (unsigned)corio_batch_len(batch);
    return answer(self, batch);
}

static size_t number_key(void *self, const void *input, const void **ret_key)
{
    (void)self;
    *ret_key = without_keys ? NULL : input;
    return sizeof(int);
}

static int ask_number(void *arg)
{
    int in = *(int *)arg, out = 0;
    int rc = corio_io(reusing, &in, &out);
    CHECK(rc != 0 || out == in + 1);
    return rc;
}

static int ask_numbers(void *arg)
{
    for (int i = 0; i < most_numbers; i++) {
        int number = i % *(int *)arg;
        int rc = corio_go_copy(ask_number, &number, sizeof number);
        if (rc != 0)
            return rc;
    }
    return corio_wait();
}

/* How many are asked if there is no memory any more; what a request itself needs is there from before. */
static unsigned asked_without_memory(corio_runtime *runtime, int numbers)
{
    asked_for = 0;
    wrap_fail(0, true);
    int rc = corio_run(runtime, ask_numbers, &numbers);
    wrap_fail(-1, false);
    assert_int_equal(rc, 0);
    return asked_for;
}

static void missing_memory_for_dedup_and_cache_is_no_error(void **state)
{
    (void)state;
    corio_runtime *runtime = runtime_with(1);
    corio_dispatcher_options options = {.size = sizeof options,
                                        .name = "reusing",
                                        .dispatch = count_and_answer,
                                        .input_bytes = sizeof(int),
                                        .output_bytes = sizeof(int),
                                        .cache_bytes = 100000,
                                        .key = number_key};
    corio_cache_stats stats = {.size = sizeof stats};
    assert_int_equal(corio_dispatcher_add(runtime, &options, &reusing), 0);
    without_keys = true;
    for (int i = 0; i < 300; i++) /* a batch each: their heads are used again late */
        assert_int_equal(corio_run(runtime, ask_numbers, &(int){most_numbers}), 0);
    without_keys = false;
    assert_int_equal(asked_without_memory(runtime, 10),
                     most_numbers); /* no question is remembered */
    assert_int_equal(corio_run(runtime, ask_numbers, &(int){10}), 0);
    assert_int_equal(corio_cache_clear(reusing), 1);
    assert_int_equal(asked_without_memory(runtime, 10), 10); /* but no answer is kept */
    assert_int_equal(corio_cache_get_stats(reusing, &stats), 0);
    assert_int_equal(stats.entries, 0);
    int number = 1;
    wrap_fail(0, true);
    assert_int_equal(corio_cache_prime(reusing, &number, &number), 0);
    wrap_fail(-1, false);
    assert_int_equal(corio_cache_prime(reusing, &number, &(int){2}), 1);
    /* Hits need a little, too: without they are asked, each on its own. */
    assert_int_equal(asked_without_memory(runtime, 10), 9 + most_numbers / 10);
    assert_int_equal(corio_run(runtime, ask_numbers, &(int){1}), 0);
    asked_for = 0;
    assert_int_equal(corio_run(runtime, ask_numbers, &(int){3}), 0);
    assert_int_equal(asked_for, 1);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
}

int main(void)
{
    alarm(watchdog_seconds);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_on_one_worker_are_clean_errors),
        cmocka_unit_test(failures_on_three_workers_are_clean_errors),
        cmocka_unit_test(failures_with_few_stacks_are_clean_errors),
        cmocka_unit_test(interrupted_waits_go_on),
        cmocka_unit_test(full_disk_harms_no_run),
        cmocka_unit_test(too_many_mappings_leave_stacks_without_guards_and_say_so),
        cmocka_unit_test(missing_memory_for_dedup_and_cache_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
