/* SPDX-License-Identifier: MIT
 *
 * Asking: one request, many at once, several dispatchers, argument errors, streaming and strict
 * waiting.
 */
#include "harness.h"

#include <pthread.h>

typedef struct ask {
    uint64_t in, out;
} ask;

static corio_dispatcher *doubler, *squarer;
static unsigned calls;
static size_t largest;

static int double_all(void *self, corio_batch *batch)
{
    (void)self;
    calls++;
    size_t count = corio_batch_len(batch);
    if (count > largest)
        largest = count;
    for (size_t i = 0; i < count; i++) {
        *(uint64_t *)corio_batch_output(batch, i) =
            2 * *(const uint64_t *)corio_batch_input(batch, i);
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static int square_all(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        uint64_t in = *(const uint64_t *)corio_batch_input(batch, i);
        if (in == 13) {
            corio_batch_fail(batch, i, -ERANGE);
            continue;
        }
        *(uint64_t *)corio_batch_output(batch, i) = in * in;
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static void add(corio_runtime *runtime, const char *name, corio_dispatch_fn *fn,
                corio_dispatcher **ret)
{
    corio_dispatcher_options options = {
        .size = sizeof options, .name = name, .dispatch = fn, .input_bytes = 8, .output_bytes = 8};
    assert_int_equal(corio_dispatcher_add(runtime, &options, ret), 0);
}

static void add_both(corio_runtime *runtime)
{
    add(runtime, "doubler", double_all, &doubler);
    add(runtime, "squarer", square_all, &squarer);
    calls = 0;
    largest = 0;
}

/* -- one at a time -- */

static int rounds(void *arg)
{
    uint64_t value = *(uint64_t *)arg;
    for (int round = 0; round < 10; round++) {
        uint64_t answer = 0;
        CHECK(corio_io(doubler, &value, &answer) == 0);
        CHECK(answer == 2 * value);
        value = answer;
    }
    return 0;
}

static int many_rounds(void *arg)
{
    for (uint64_t i = 1; i <= *(uint64_t *)arg; i++)
        CHECK(corio_go_copy(rounds, &i, sizeof i) == 0);
    return corio_wait();
}

static void everything_asked_in_a_phase_is_one_batch(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        uint64_t tasks = 3000;
        add_both(runtime);
        assert_int_equal(corio_run(runtime, many_rounds, &tasks), 0);
        assert_int_equal(calls, 10);
        assert_int_equal(largest, tasks);
        corio_stats stats = {.size = sizeof stats};
        assert_int_equal(corio_runtime_stats(runtime, &stats), 0);
        assert_int_equal(stats.phases, 10);
        assert_int_equal(stats.batches, 10);
        assert_int_equal(stats.requests, 30000);
    }
}

/* -- many at once -- */

static int ask_both(void *arg)
{
    (void)arg;
    uint64_t in[20], out[20];
    corio_request requests[20];
    for (uint64_t i = 0; i < 20; i++) {
        in[i] = i;
        requests[i] = (corio_request){
            .dispatcher = i % 2 ? squarer : doubler, .input = &in[i], .output = &out[i]};
    }
    CHECK(corio_io_all(requests, 20) == -ERANGE);
    for (uint64_t i = 0; i < 20; i++) {
        CHECK(requests[i].status == (i == 13 ? -ERANGE : 0));
        CHECK(i == 13 || out[i] == (i % 2 ? i * i : 2 * i));
    }
    CHECK(corio_io_all(requests, 12) == 0);
    CHECK(corio_io_all(requests, 0) == 0);
    CHECK(corio_io_all(NULL, 1) == -EINVAL);
    return 0;
}

static int ask_both_often(void *arg)
{
    for (int i = 0; i < 200; i++)
        CHECK(corio_go(ask_both, arg) == 0);
    return corio_wait();
}

static void many_requests_of_one_task_travel_together(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        add_both(runtime);
        assert_int_equal(corio_run(runtime, ask_both_often, NULL), 0);
        assert_int_equal(calls, 2);
        assert_int_equal(largest, 2000);
    }
}

/* -- inlined children suspend with their waiter -- */

static int deep(void *arg)
{
    uint64_t depth = *(uint64_t *)arg;
    uint64_t answer;
    CHECK(corio_io(doubler, &depth, &answer) == 0 && answer == 2 * depth);
    if (depth > 0) {
        uint64_t less = depth - 1;
        CHECK(corio_go_copy(deep, &less, sizeof less) == 0);
        CHECK(corio_go_copy(deep, &less, sizeof less) == 0);
        CHECK(corio_wait() == 0);
    }
    CHECK(corio_io(squarer, &depth, &answer) == 0 && answer == depth * depth);
    return 0;
}

static void inlined_children_may_suspend(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        uint64_t depth = 9;
        add_both(runtime);
        assert_int_equal(corio_run(runtime, deep, &depth), 0);
    }
}

/* -- bad arguments -- */

static int foreign_dispatcher(void *arg)
{
    uint64_t value = 1;
    CHECK(corio_io(arg, &value, &value) == -EINVAL);
    CHECK(corio_io(NULL, &value, &value) == -EINVAL);
    corio_request requests[2] = {{.dispatcher = doubler, .input = &value, .output = &value},
                                 {.dispatcher = arg, .input = &value, .output = &value}};
    CHECK(corio_io_all(requests, 2) == -EINVAL);
    CHECK(corio_io(doubler, &value, &value) == 0 && value == 2);
    return 0;
}

static void dispatcher_of_another_runtime_is_refused(void **state)
{
    (void)state;
    corio_runtime *other = runtime_with(1);
    corio_dispatcher *foreign;
    add(other, "foreign", double_all, &foreign);
    FOR_EACH_WORKER_COUNT(runtime)
    {
        add_both(runtime);
        assert_int_equal(corio_run(runtime, foreign_dispatcher, foreign), 0);
        assert_int_equal(calls, 1);
    }
    corio_runtime_destroy(other);
}

static void bad_dispatcher_options_are_refused(void **state)
{
    (void)state;
    corio_runtime *runtime = runtime_with(1);
    corio_dispatcher *dispatcher;
    corio_dispatcher_options good = {.size = sizeof good, .name = "x", .dispatch = double_all};
    corio_dispatcher_options bad = good;
    bad.size = 3;
    assert_int_equal(corio_dispatcher_add(runtime, &bad, &dispatcher), -EINVAL);
    bad = good;
    bad.name = NULL;
    assert_int_equal(corio_dispatcher_add(runtime, &bad, &dispatcher), -EINVAL);
    bad = good;
    bad.dispatch = NULL;
    assert_int_equal(corio_dispatcher_add(runtime, &bad, &dispatcher), -EINVAL);
    assert_int_equal(corio_dispatcher_add(runtime, NULL, &dispatcher), -EINVAL);
    assert_int_equal(corio_dispatcher_add(runtime, &good, NULL), -EINVAL);
    assert_int_equal(corio_dispatcher_add(NULL, &good, &dispatcher), -EINVAL);
    good.self = &good;
    assert_int_equal(corio_dispatcher_add(runtime, &good, &dispatcher), 0);
    assert_string_equal(corio_dispatcher_name(dispatcher), "x");
    assert_ptr_equal(corio_dispatcher_self(dispatcher), &good);
    corio_runtime_destroy(runtime);
}

/* -- limits -- */

static size_t in_flight, most_in_flight, most_in_batch;

static int limited(void *self, corio_batch *batch)
{
    size_t count = corio_batch_len(batch);
    in_flight += count;
    if (in_flight > most_in_flight)
        most_in_flight = in_flight;
    if (count > most_in_batch)
        most_in_batch = count;
    int rc = double_all(self, batch);
    in_flight -= count;
    return rc;
}

static void max_batch_cuts_batches(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        uint64_t tasks = 1000;
        corio_dispatcher_options options = {
            .size = sizeof options, .name = "limited", .dispatch = limited, .max_batch = 300};
        assert_int_equal(corio_dispatcher_add(runtime, &options, &doubler), 0);
        calls = 0;
        in_flight = most_in_flight = most_in_batch = 0;
        assert_int_equal(corio_run(runtime, many_rounds, &tasks), 0);
        assert_int_equal(calls, 40);
        assert_int_equal(most_in_batch, 300);
    }
}

/* Keeps batches until told; a thread of its own answers them, oldest first. */
typedef struct keeper {
    pthread_mutex_t lock;
    pthread_cond_t some;
    corio_batch *kept[64];
    unsigned count, answered;
    size_t in_flight, most_in_flight;
    bool stop;
} keeper;

static int keep(void *self, corio_batch *batch)
{
    keeper *k = self;
    pthread_mutex_lock(&k->lock);
    k->kept[k->count++] = batch;
    k->in_flight += corio_batch_len(batch);
    if (k->in_flight > k->most_in_flight)
        k->most_in_flight = k->in_flight;
    pthread_cond_signal(&k->some);
    pthread_mutex_unlock(&k->lock);
    return CORIO_LATER;
}

static void *answer_kept(void *arg)
{
    keeper *k = arg;
    pthread_mutex_lock(&k->lock);
    for (;;) {
        while (k->count == 0 && !k->stop)
            pthread_cond_wait(&k->some, &k->lock);
        if (k->count == 0)
            break;
        corio_batch *batch = k->kept[0];
        memmove(k->kept, k->kept + 1, --k->count * sizeof *k->kept);
        k->in_flight -= corio_batch_len(batch);
        k->answered++;
        pthread_mutex_unlock(&k->lock);
        double_all(NULL, batch);
        if (corio_batch_complete(batch) != 0)
            abort();
        pthread_mutex_lock(&k->lock);
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

static void run_kept(unsigned workers, corio_wait_mode mode, size_t max_in_flight, keeper *k)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    options.workers = workers;
    options.wait_mode = mode;
    *k = (keeper){.lock = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER};
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    corio_dispatcher_options keeping = {.size = sizeof keeping,
                                        .name = "keeper",
                                        .dispatch = keep,
                                        .self = k,
                                        .max_batch = 50,
                                        .max_in_flight = max_in_flight};
    assert_int_equal(corio_dispatcher_add(runtime, &keeping, &doubler), 0);
    pthread_t thread;
    pthread_create(&thread, NULL, answer_kept, k);
    uint64_t tasks = 500;
    assert_int_equal(corio_run(runtime, many_rounds, &tasks), 0);
    pthread_mutex_lock(&k->lock);
    k->stop = true;
    pthread_cond_signal(&k->some);
    pthread_mutex_unlock(&k->lock);
    pthread_join(thread, NULL);
    corio_runtime_destroy(runtime);
}

static void batches_may_be_completed_by_another_thread(void **state)
{
    (void)state;
    for (unsigned i = 0; i < worker_count_count; i++) {
        keeper k;
        run_kept(worker_counts[i], CORIO_WAIT_STREAMING, 0, &k);
        run_kept(worker_counts[i], CORIO_WAIT_STRICT, 0, &k);
        assert_int_equal(k.answered, 100);
        assert_int_equal(k.most_in_flight <= 500, 1);
    }
}

static void max_in_flight_holds_requests_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < worker_count_count; i++) {
        keeper k;
        run_kept(worker_counts[i], CORIO_WAIT_STREAMING, 120, &k);
        assert_in_range(k.most_in_flight, 1, 120);
        run_kept(worker_counts[i], CORIO_WAIT_STRICT, 120, &k);
        assert_in_range(k.most_in_flight, 1, 120);
    }
}

static int ask_though_cancelled(void *arg)
{
    (void)arg;
    uint64_t in[2] = {1, 2}, out[2];
    corio_request requests[2] = {{.dispatcher = doubler, .input = &in[0], .output = &out[0]},
                                 {.dispatcher = doubler, .input = &in[1], .output = &out[1]}};
    CHECK(corio_sleep(UINT64_MAX / 2) == -ECANCELED);
    CHECK(corio_io_all(requests, 2) == -ECANCELED);
    CHECK(requests[0].status == -ECANCELED && requests[1].status == -ECANCELED);
    return 0;
}

static int cancel_while_it_sleeps(void *arg)
{
    (void)arg;
    CHECK(corio_go(ask_though_cancelled, NULL) == 0);
    CHECK(corio_sleep(1000000) == 0);
    CHECK(corio_cancel_children(-EINTR) == 0);
    CHECK(corio_wait() == -EINTR);
    return 0;
}

static void refused_requests_do_not_look_answered(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        add_both(runtime);
        assert_int_equal(corio_run(runtime, cancel_while_it_sleeps, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_asked_in_a_phase_is_one_batch),
        cmocka_unit_test(many_requests_of_one_task_travel_together),
        cmocka_unit_test(refused_requests_do_not_look_answered),
        cmocka_unit_test(inlined_children_may_suspend),
        cmocka_unit_test(dispatcher_of_another_runtime_is_refused),
        cmocka_unit_test(bad_dispatcher_options_are_refused),
        cmocka_unit_test(max_batch_cuts_batches),
        cmocka_unit_test(batches_may_be_completed_by_another_thread),
        cmocka_unit_test(max_in_flight_holds_requests_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
