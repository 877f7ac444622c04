/* SPDX-License-Identifier: MIT
 *
 * stress_submit.c - work from outside: threads that submit to a service and to runs, jobs that ask,
 * and wait for promises that threads fulfil, cancellers, drains and ends at any moment. Each job that
 * is taken runs once and has its own result.
 */
#include "tests/stress/stress.h"

#include <corio.h>
#include <errno.h>
#include <pthread.h>

enum { submitters = 4, helpers = 2, most_open = 16, most_promises = 1 << 10 };

#define ADD(counter)  __atomic_add_fetch(&(counter), 1, __ATOMIC_RELAXED)
#define READ(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)

static struct {
    corio_runtime *runtime;
    corio_dispatcher *dispatcher;
    /* Promises and slices for the program's own threads */
    pthread_mutex_t lock;
    pthread_cond_t some;
    void *todo[most_promises];
    bool is_batch[most_promises];
    size_t count;
    bool stop;
    unsigned long taken, ran, told;
    unsigned long quota; /* submissions of each thread */
    unsigned ends;       /* runs that are to be seen ending */
} world;

/* -- Threads that answer and fulfil -- */

static void hand_to_helpers(void *what, bool is_batch)
{
    pthread_mutex_lock(&world.lock);
    CHECK(world.count < most_promises);
    world.todo[world.count] = what;
    world.is_batch[world.count++] = is_batch;
    pthread_cond_signal(&world.some);
    pthread_mutex_unlock(&world.lock);
}

static void answer(corio_batch *batch)
{
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        *(uint64_t *)corio_batch_output(batch, i) =
            mix(*(const uint64_t *)corio_batch_input(batch, i));
        CHECK(corio_batch_respond(batch, i) == 0);
    }
}

static void do_one(void *what, bool is_batch)
{
    if (is_batch) {
        answer(what);
        CHECK(corio_batch_complete(what) == 0);
        return;
    }
    switch (mix((uintptr_t)what) % 4) {
    case 0: /* destroyed unfulfilled */
        break;
    case 1:
        (void)corio_promise_fail(what, -EXDEV);
        break;
    default:
        (void)corio_promise_fulfil(what, what); /* who waits may have given up */
    }
    corio_promise_destroy(what);
}

static void *help(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&world.lock);
    for (;;) {
        while (world.count == 0 && !world.stop)
            pthread_cond_wait(&world.some, &world.lock);
        if (world.count == 0)
            break;
        void *what = world.todo[--world.count];
        bool is_batch = world.is_batch[world.count];
        pthread_mutex_unlock(&world.lock);
        do_one(what, is_batch);
        pthread_mutex_lock(&world.lock);
    }
    pthread_mutex_unlock(&world.lock);
    return NULL;
}

static int dispatch(void *self, corio_batch *batch)
{
    (void)self;
    if (corio_batch_phase(batch) % 2 == 0) {
        hand_to_helpers(batch, true);
        return CORIO_LATER;
    }
    answer(batch);
    return CORIO_DONE;
}

/* -- What jobs do -- */

static int ask(void *arg)
{
    uint64_t in = *(uint64_t *)arg, out = 0;
    int rc = corio_io(world.dispatcher, &in, &out);
    CHECK(rc == -ECANCELED || (rc == 0 && out == mix(in)));
    return rc;
}

static int wait_for_promise(uint64_t seed)
{
    corio_promise *promise;
    void *value = NULL;
    CHECK(corio_promise_create(&promise) == 0);
    hand_to_helpers(corio_promise_share(promise), false);
    int rc = seed % 3 == 0
                 ? corio_promise_wait_until(promise, corio_now_ns() + seed % 50000, &value)
                 : corio_promise_wait(promise, &value);
    CHECK(rc == 0 || rc == -ECANCELED || rc == -ETIMEDOUT || rc == -EXDEV || rc == -EOWNERDEAD);
    CHECK(value == (rc == 0 ? promise : NULL));
    corio_promise_destroy(promise);
    return rc == -ECANCELED ? rc : 0;
}

/* Its code, if nobody cancels it, is a matter of its argument. */
static int expected(uint64_t number)
{
    return number % 5 == 0 ? -(int)(1 + number % 50) : 0;
}

static int job(void *arg)
{
    uint64_t number = (uint64_t)(uintptr_t)arg, seed = mix(number);
    ADD(world.ran);
    int rc = 0;
    for (uint64_t steps = seed % 4; rc == 0 && steps > 0; steps--)
        rc = steps % 2 ? wait_for_promise(mix(seed + steps)) : ask(&seed);
    for (uint64_t i = 0; rc == 0 && i < seed % 3; i++)
        rc = corio_go_copy(ask, &seed, sizeof seed);
    int waited = corio_wait();
    rc = rc != 0 ? rc : waited;
    return rc != 0 ? rc : expected(number);
}

static void be_told(void *self, corio_job *done, int code)
{
    CHECK(self == &world);
    CHECK((corio_job_error(done) != NULL) == (code != 0));
    ADD(world.told);
}

/* -- Threads that submit -- */

typedef struct sent {
    corio_job *job;
    uint64_t number;
    corio_canceller canceller;
    bool cancelled;
} sent;

/* False: refused. */
static bool submit(sent *to, uint64_t number)
{
    corio_submit_options options = {
        .size = sizeof options, .done = be_told, .self = &world, .canceller = &to->canceller};
    *to = (sent){.number = number};
    int rc = corio_submit_with(world.runtime, &options, job, (void *)(uintptr_t)number, &to->job);
    CHECK(rc == 0 || rc == -ESHUTDOWN);
    if (rc == 0)
        ADD(world.taken);
    return rc == 0;
}

static void collect(sent *from, int stopped)
{
    if (mix(from->number) % 7 == 0) {
        from->cancelled = true;
        CHECK(corio_canceller_cancel(&from->canceller, -ESTALE) == 0);
    }
    int code = corio_job_wait(from->job);
    CHECK(corio_job_is_complete(from->job));
    CHECK(code == expected(from->number) || (from->cancelled && code == -ESTALE) ||
          (stopped != 0 && code == stopped));
    CHECK(code == 0 || corio_job_error(from->job)->code == code);
    corio_job_release(from->job);
}

static void *submit_many(void *arg)
{
    sent open[most_open];
    size_t count = 0;
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    for (unsigned long i = 0; i < world.quota; i++) {
        CHECK(submit(&open[count++], draw(&seed, 1u << 30)));
        if (count == most_open || draw(&seed, 3) == 0) {
            while (count > 0)
                collect(&open[--count], 0);
        }
        if (draw(&seed, 50) == 0)
            CHECK(corio_runtime_drain(world.runtime) == 0);
    }
    while (count > 0)
        collect(&open[--count], 0);
    return NULL;
}

static void create(unsigned workers)
{
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = workers;
    CHECK(corio_runtime_create(&options, &world.runtime) == 0);
    corio_dispatcher_options with = {.size = sizeof with,
                                     .name = "d",
                                     .dispatch = dispatch,
                                     .input_bytes = sizeof(uint64_t),
                                     .output_bytes = sizeof(uint64_t)};
    CHECK(corio_dispatcher_add(world.runtime, &with, &world.dispatcher) == 0);
    world.taken = world.ran = world.told = 0;
}

static pthread_t helping[helpers];

static void start_helpers(void)
{
    world.stop = false;
    for (unsigned i = 0; i < helpers; i++)
        CHECK(pthread_create(&helping[i], NULL, help, NULL) == 0);
}

static void stop_helpers(void)
{
    pthread_mutex_lock(&world.lock);
    world.stop = true;
    pthread_cond_broadcast(&world.some);
    pthread_mutex_unlock(&world.lock);
    for (unsigned i = 0; i < helpers; i++)
        pthread_join(helping[i], NULL);
}

static void with_submitters(void *(*submitter)(void *arg), void (*meanwhile)(void))
{
    pthread_t threads[submitters];
    for (uintptr_t i = 0; i < submitters; i++)
        CHECK(pthread_create(&threads[i], NULL, submitter, (void *)mix(i)) == 0);
    meanwhile();
    for (unsigned i = 0; i < submitters; i++)
        pthread_join(threads[i], NULL);
}

static void nothing(void)
{
}

static void each_job_of_a_service_runs_once_and_has_its_result(void)
{
    static const unsigned workers[] = {1, 2, 8};
    start_helpers();
    world.quota = 200 * stress_factor;
    for (unsigned i = 0; i < 3; i++) {
        create(workers[i]);
        CHECK(corio_runtime_start(world.runtime) == 0);
        with_submitters(submit_many, nothing);
        CHECK(corio_runtime_stop(world.runtime, 0) == 0);
        CHECK(world.taken == submitters * world.quota && world.told == world.taken);
        CHECK(world.ran <= world.taken); /* some were cancelled before */
        CHECK(corio_runtime_destroy(world.runtime) == 0);
    }
    stop_helpers();
}

/* -- Ends -- */

enum { stop_code = -EHOSTDOWN };

/* Until as many ends have been seen as there are to be. */
static void *submit_to_the_end(void *arg)
{
    sent one;
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    while (__atomic_load_n(&world.ends, __ATOMIC_ACQUIRE) > 0) {
        if (submit(&one, draw(&seed, 1u << 30)))
            collect(&one, stop_code);
        else
            sched_yield();
    }
    return NULL;
}

static int first_root(void *arg)
{
    return ask(arg);
}

static void run_again_and_again(void)
{
    for (uint64_t round = 70 * stress_factor; round > 0; round--)
        CHECK(corio_run(world.runtime, first_root, &round) == 0);
    __atomic_store_n(&world.ends, 0, __ATOMIC_RELEASE);
}

static void start_and_stop_again_and_again(void)
{
    for (uint64_t round = 70 * stress_factor; round > 0; round--) {
        CHECK(corio_runtime_start(world.runtime) == 0);
        unsigned long before = READ(world.taken);
        while (READ(world.taken) < before + round % 5)
            sched_yield();
        CHECK(corio_runtime_stop(world.runtime, round % 2 ? stop_code : 0) == 0);
    }
    __atomic_store_n(&world.ends, 0, __ATOMIC_RELEASE);
}

static void submissions_are_taken_and_run_or_refused(void (*ends)(void))
{
    static const unsigned workers[] = {1, 2, 8};
    start_helpers();
    for (unsigned i = 0; i < 3; i++) {
        create(workers[i]);
        world.ends = 1;
        with_submitters(submit_to_the_end, ends);
        CHECK(world.told == world.taken);
        CHECK(corio_runtime_destroy(world.runtime) == 0);
    }
    stop_helpers();
}

static void submissions_race_with_the_ends_of_runs(void)
{
    submissions_are_taken_and_run_or_refused(run_again_and_again);
}

static void submissions_race_with_the_stop_of_a_service(void)
{
    submissions_are_taken_and_run_or_refused(start_and_stop_again_and_again);
}

int main(int argc, char **argv)
{
    stress_begin(argc, argv);
    pthread_mutex_init(&world.lock, NULL);
    pthread_cond_init(&world.some, NULL);
    FACT(each_job_of_a_service_runs_once_and_has_its_result);
    FACT(submissions_race_with_the_ends_of_runs);
    FACT(submissions_race_with_the_stop_of_a_service);
    return stress_end();
}
