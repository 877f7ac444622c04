/* SPDX-License-Identifier: MIT
 *
 * Dispatchers that do what they must not, or do it late: docs/verification.md has the table. What one
 * can do wrong with a single batch is in test_batch.c.
 */
#include "harness.h"

#include <pthread.h>
#include <time.h>

static corio_dispatcher *dispatcher;
static corio_runtime *runtime_now;
static corio_batch *kept;
static int seen[16];

static void add(corio_runtime *runtime, corio_dispatch_fn *fn)
{
    corio_dispatcher_options options = {.size = sizeof options,
                                        .name = "misbehaving",
                                        .dispatch = fn,
                                        .input_bytes = sizeof(int),
                                        .output_bytes = sizeof(int)};
    assert_int_equal(corio_dispatcher_add(runtime, &options, &dispatcher), 0);
    runtime_now = runtime;
    kept = NULL;
    memset(seen, 0x55, sizeof seen);
}

static int answer(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        *(int *)corio_batch_output(batch, i) = *(const int *)corio_batch_input(batch, i) + 1;
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static int ask(void *arg)
{
    int in = *(int *)arg, out = 0;
    int rc = corio_io(dispatcher, &in, &out);
    CHECK(rc != 0 || out == in + 1);
    return rc;
}

static int ask_in_turn(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        int rc = ask(&i);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int ask_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++)
        CHECK(corio_go_copy(ask, &i, sizeof i) == 0);
    return corio_wait();
}

/* -- late, and from a thread that is gone when the answer is taken -- */

static void *answer_later(void *batch)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    answer(NULL, batch);
    corio_batch_complete(batch);
    return NULL;
}

static int answer_from_a_short_lived_thread(void *self, corio_batch *batch)
{
    (void)self;
    pthread_t thread;
    if (pthread_create(&thread, NULL, answer_later, batch) != 0)
        return -EAGAIN;
    pthread_detach(thread);
    return CORIO_LATER;
}

static void late_answer_of_a_thread_that_ends_is_an_answer(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        add(runtime, answer_from_a_short_lived_thread);
        assert_int_equal(corio_run(runtime, ask_many, NULL), 0);
        assert_int_equal(corio_run(runtime, ask_in_turn, NULL), 0);
    }
}

/* -- never, but until the run is cancelled: requests in flight are waited for -- */

static int keep(void *self, corio_batch *batch)
{
    (void)self;
    __atomic_store_n(&kept, batch, __ATOMIC_RELEASE);
    return CORIO_LATER;
}

static void *hurry_when_cancelled(void *arg)
{
    corio_canceller *canceller = arg;
    corio_batch *batch;
    while ((batch = __atomic_load_n(&kept, __ATOMIC_ACQUIRE)) == NULL)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    seen[0] = corio_canceller_cancel(canceller, -EINTR);
    while (!corio_batch_cancelled(batch, 0))
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    seen[1] = corio_batch_complete(batch); /* answered nothing */
    return NULL;
}

static void never_answering_dispatcher_holds_its_run_until_it_gives_up(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_canceller canceller = {0};
        corio_run_options options = {.size = sizeof options, .canceller = &canceller};
        int number = 1;
        pthread_t thread;
        add(runtime, keep);
        assert_int_equal(pthread_create(&thread, NULL, hurry_when_cancelled, &canceller), 0);
        assert_int_equal(corio_run_with(runtime, &options, ask, &number), -EINTR);
        pthread_join(thread, NULL);
        assert_int_equal(seen[0], 0);
        assert_int_equal(seen[1], CORIO_EUNANSWERED);
    }
}

/* -- a batch of before -- */

static int answer_the_last_one_again(void *self, corio_batch *batch)
{
    if (kept != NULL) {
        seen[0] = corio_batch_respond(kept, 0);
        seen[1] = corio_batch_complete(kept);
        seen[2] = corio_batch_submit(kept, answer, NULL);
    }
    kept = batch;
    return answer(self, batch);
}

static void batch_of_an_earlier_phase_or_run_is_told_apart(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        add(runtime, answer_the_last_one_again);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(corio_run(runtime, ask_in_turn, NULL), 0);
            for (int j = 0; j < 3; j++)
                assert_int_equal(seen[j], CORIO_ECOMPLETED);
        }
    }
}

/* -- out of order: the slices of a batch, the last one first -- */

static int answer_backwards(void *self, corio_batch *batch)
{
    for (size_t i = corio_batch_len(batch); i-- > 0;) {
        corio_batch *slice;
        if (corio_batch_slice(batch, i, 1, &slice) != 0)
            return -EPROTO;
        answer(self, slice);
        if (corio_batch_complete(slice) != 0)
            return -EPROTO;
    }
    return CORIO_DONE;
}

static void order_of_answers_does_not_matter(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        add(runtime, answer_backwards);
        assert_int_equal(corio_run(runtime, ask_many, NULL), 0);
    }
}

/* -- calling back into the library -- */

static int nothing(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int call_back(void *self, corio_batch *batch)
{
    int in = 1, out = 0, ran = 0;
    corio_mutex mutex = CORIO_MUTEX_INIT;
    corio_runtime *other;
    seen[0] = corio_io(dispatcher, &in, &out);
    seen[1] = corio_go_named("nothing", nothing, &ran);
    seen[2] = corio_wait();
    seen[3] = corio_mutex_lock(&mutex);
    seen[4] = corio_sleep(1);
    seen[5] = corio_self() == NULL;
    seen[6] = corio_run(runtime_now, nothing, &ran);
    seen[7] = corio_runtime_destroy(runtime_now);
    seen[8] = corio_runtime_trim(runtime_now);
    seen[9] = corio_runtime_create(NULL, &other);
    seen[10] = corio_run(other, nothing, &ran);
    seen[11] = corio_runtime_destroy(other);
    seen[12] = ran;
    return answer(self, batch);
}

static void calling_back_is_refused_and_another_runtime_may_run(void **state)
{
    (void)state;
    static const int expected[] = {-EPERM, -EPERM, -EPERM, -EPERM, -EPERM, 1, -EBUSY,
                                   -EBUSY, -EBUSY, 0,      0,      0,      1};
    FOR_EACH_WORKER_COUNT(runtime)
    {
        add(runtime, call_back);
        assert_int_equal(corio_run(runtime, ask_in_turn, NULL), 0);
        for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
            assert_int_equal(seen[i], expected[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_answer_of_a_thread_that_ends_is_an_answer),
        cmocka_unit_test(never_answering_dispatcher_holds_its_run_until_it_gives_up),
        cmocka_unit_test(batch_of_an_earlier_phase_or_run_is_told_apart),
        cmocka_unit_test(order_of_answers_does_not_matter),
        cmocka_unit_test(calling_back_is_refused_and_another_runtime_may_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
