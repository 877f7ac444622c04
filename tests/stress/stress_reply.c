/* SPDX-License-Identifier: MIT
 *
 * stress_reply.c - answers from everywhere: batches cut into random slices that are completed in the
 * dispatch function, in I/O threads and in threads of the program's own, with errors and retries.
 * Every task gets its own answer, once.
 */
#include "tests/stress/stress.h"

#include <corio.h>
#include <errno.h>
#include <pthread.h>

enum { workers = 8, helpers = 3, tasks = 40, most_slices = 1 << 12, most_cuts = 3 };

typedef struct question {
    uint64_t what;
    int error;        /* to be answered with; 0: with an output */
    uint32_t retries; /* left */
    uint32_t answers; /* given */
    uint64_t delay_ns;
} question;

static struct {
    corio_runtime *runtime;
    corio_dispatcher *dispatcher[2];
    uint32_t steps;
    /* Slices for the program's own threads */
    pthread_mutex_t lock;
    pthread_cond_t some;
    corio_batch *slices[most_slices];
    size_t count;
    bool stop;
    pthread_t threads[helpers];
} world;

static void answer(corio_batch *batch, size_t i)
{
    /* The holder's, until it is answered: the input is not const to its owner. */
    question *asked = (question *)corio_batch_input(batch, i);
    CHECK(asked != NULL);
    if (asked->retries > 0) {
        asked->retries--;
        CHECK(corio_batch_retry(batch, i, asked->delay_ns) == 0);
        return;
    }
    asked->answers++;
    if (asked->error != 0) {
        CHECK(corio_batch_fail(batch, i, asked->error) == 0);
        return;
    }
    *(uint64_t *)corio_batch_output(batch, i) = mix(asked->what);
    CHECK(corio_batch_respond(batch, i) == 0);
}

static void answer_all(corio_batch *batch)
{
    size_t count = corio_batch_len(batch);
    for (size_t i = 0; i < count; i++)
        answer(batch, count - 1 - i);
}

static int answer_in_io_thread(void *arg, corio_batch *batch)
{
    (void)arg;
    answer_all(batch);
    return CORIO_DONE;
}

static int complete_in_io_thread(void *arg, corio_batch *batch)
{
    (void)arg;
    answer_all(batch);
    CHECK(corio_batch_complete(batch) == 0);
    return CORIO_DONE; /* said once too often: it changes nothing, whoever has the batch by now */
}

static void hand_to_helpers(corio_batch *slice)
{
    pthread_mutex_lock(&world.lock);
    CHECK(world.count < most_slices);
    world.slices[world.count++] = slice;
    pthread_cond_signal(&world.some);
    pthread_mutex_unlock(&world.lock);
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
        corio_batch *slice = world.slices[--world.count];
        pthread_mutex_unlock(&world.lock);
        answer_all(slice);
        CHECK(corio_batch_complete(slice) == 0);
        pthread_mutex_lock(&world.lock);
    }
    pthread_mutex_unlock(&world.lock);
    return NULL;
}

static int cut_in_io_thread(void *arg, corio_batch *batch);

/* `cuts`: how often it may be cut again. */
static void hand_on(corio_batch *slice, uint64_t way, uintptr_t cuts)
{
    switch (way) {
    case 0:
        answer_all(slice);
        CHECK(corio_batch_complete(slice) == 0);
        break;
    case 1:
        CHECK(corio_batch_submit(slice, answer_in_io_thread, NULL) == 0);
        break;
    case 2:
        CHECK(corio_batch_submit(slice, complete_in_io_thread, NULL) == 0);
        break;
    case 3:
        CHECK(corio_batch_submit(slice, cuts > 0 ? cut_in_io_thread : answer_in_io_thread,
                                 (void *)(cuts - (cuts > 0))) == 0);
        break;
    default:
        hand_to_helpers(slice);
        break;
    }
}

/* Cuts off slices from the front; keeps what is left, if anything, and answers that. */
static void cut_up(corio_batch *batch, uint64_t seed, uintptr_t cuts)
{
    size_t count = corio_batch_len(batch), at = 0;
    while (at < count) {
        size_t length = 1 + draw(&seed, count - at);
        if (draw(&seed, 5) == 0) {
            for (size_t i = 0; i < length; i++)
                answer(batch, at + i);
        } else {
            corio_batch *slice;
            CHECK(corio_batch_slice(batch, at, length, &slice) == 0);
            hand_on(slice, draw(&seed, 6), cuts);
        }
        at += length;
    }
}

static int cut_in_io_thread(void *arg, corio_batch *batch)
{
    uintptr_t cuts = (uintptr_t)arg;
    cut_up(batch, corio_batch_len(batch) * 7 + corio_batch_phase(batch) + cuts, cuts);
    return CORIO_DONE;
}

static int dispatch(void *self, corio_batch *batch)
{
    uint64_t seed = corio_batch_phase(batch) + (uint64_t)(uintptr_t)self;
    switch (draw(&seed, 5)) {
    case 0:
        answer_all(batch);
        return CORIO_DONE;
    case 1:
        hand_to_helpers(batch);
        return CORIO_LATER;
    case 2:
        CHECK(corio_batch_submit(batch, cut_in_io_thread, (void *)(uintptr_t)most_cuts) == 0);
        return CORIO_LATER;
    default:
        cut_up(batch, seed, most_cuts);
        return CORIO_DONE;
    }
}

static question new_question(uint64_t *seed)
{
    question asked = {.what = *seed = mix(*seed)};
    if (draw(seed, 8) == 0)
        asked.error = -(int)(1 + draw(seed, 100));
    if (draw(seed, 4) == 0)
        asked.retries = 1 + (uint32_t)draw(seed, 2);
    if (draw(seed, 2) == 0)
        asked.delay_ns = draw(seed, 20000);
    return asked;
}

static void check_answer(const question *asked, int status, uint64_t out)
{
    CHECK(asked->answers == 1 && asked->retries == 0);
    CHECK(status == asked->error);
    CHECK(status != 0 || out == mix(asked->what));
}

static void ask_one(uint64_t *seed)
{
    question asked = new_question(seed);
    uint64_t out = 0;
    int status = corio_io(world.dispatcher[draw(seed, 2)], &asked, &out);
    check_answer(&asked, status, out);
}

static void ask_three(uint64_t *seed)
{
    enum { three = 3 };
    question asked[three];
    uint64_t out[three] = {0};
    corio_request requests[three];
    for (size_t i = 0; i < three; i++) {
        asked[i] = new_question(seed);
        requests[i] = (corio_request){
            .dispatcher = world.dispatcher[draw(seed, 2)], .input = &asked[i], .output = &out[i]};
    }
    (void)corio_io_all(requests, three);
    for (size_t i = 0; i < three; i++)
        check_answer(&asked[i], requests[i].status, out[i]);
}

static int ask(void *arg)
{
    uint64_t seed = *(const uint64_t *)arg;
    for (uint32_t step = 0; step < world.steps; step++) {
        if (draw(&seed, 3) == 0)
            ask_three(&seed);
        else
            ask_one(&seed);
    }
    return 0;
}

static int root(void *arg)
{
    for (uint64_t i = 0; i < tasks; i++) {
        uint64_t seed = mix(i + *(const uint64_t *)arg);
        CHECK(corio_go_copy(ask, &seed, sizeof seed) == 0);
    }
    return corio_wait();
}

static void create_runtime(corio_options options, size_t max_batch, size_t max_in_flight)
{
    options.size = sizeof options;
    options.workers = workers;
    options.io_permits = 4;
    CHECK(corio_runtime_create(&options, &world.runtime) == 0);
    for (uintptr_t i = 0; i < 2; i++) {
        corio_dispatcher_options with = {.size = sizeof with,
                                         .name = "d",
                                         .dispatch = dispatch,
                                         .self = (void *)i,
                                         .max_batch = i == 0 ? max_batch : 0,
                                         .max_in_flight = i == 1 ? max_in_flight : 0};
        CHECK(corio_dispatcher_add(world.runtime, &with, &world.dispatcher[i]) == 0);
    }
}

static void answer_everywhere(corio_wait_mode mode, size_t max_batch, size_t max_in_flight)
{
    world.stop = false;
    pthread_mutex_init(&world.lock, NULL);
    pthread_cond_init(&world.some, NULL);
    for (unsigned i = 0; i < helpers; i++)
        CHECK(pthread_create(&world.threads[i], NULL, help, NULL) == 0);
    create_runtime((corio_options){.wait_mode = mode}, max_batch, max_in_flight);
    world.steps = 40;
    for (uint64_t round = 0; round < 10 * stress_factor; round++)
        CHECK(corio_run(world.runtime, root, &round) == 0);
    CHECK(corio_runtime_destroy(world.runtime) == 0); /* helpers may not have returned yet */
    pthread_mutex_lock(&world.lock);
    world.stop = true;
    pthread_cond_broadcast(&world.some);
    pthread_mutex_unlock(&world.lock);
    for (unsigned i = 0; i < helpers; i++)
        pthread_join(world.threads[i], NULL);
}

static void every_answer_arrives_once_streaming(void)
{
    answer_everywhere(CORIO_WAIT_STREAMING, 0, 0);
}

static void every_answer_arrives_once_strict(void)
{
    answer_everywhere(CORIO_WAIT_STRICT, 0, 0);
}

static void every_answer_arrives_once_within_limits(void)
{
    answer_everywhere(CORIO_WAIT_STREAMING, 7, 5);
    answer_everywhere(CORIO_WAIT_STRICT, 7, 5);
}

/* -- Ends -- */

static void *answer_and_return(void *arg)
{
    corio_batch *batch = arg;
    answer_all(batch);
    CHECK(corio_batch_complete(batch) == 0);
    return NULL;
}

static int answer_in_a_new_thread(void *self, corio_batch *batch)
{
    CHECK(pthread_create(self, NULL, answer_and_return, batch) == 0);
    return CORIO_LATER;
}

static int ask_once(void *arg)
{
    (void)arg;
    question asked = {.what = 1};
    uint64_t out = 0;
    int status = corio_io(world.dispatcher[0], &asked, &out);
    check_answer(&asked, status, out);
    return 0;
}

static void the_runtime_may_end_before_a_completion_returns(void)
{
    for (unsigned long round = 0; round < 300 * stress_factor; round++) {
        pthread_t thread;
        corio_options options = CORIO_OPTIONS_INIT;
        options.workers = 2;
        CHECK(corio_runtime_create(&options, &world.runtime) == 0);
        corio_dispatcher_options with = {
            .size = sizeof with, .name = "d", .dispatch = answer_in_a_new_thread, .self = &thread};
        CHECK(corio_dispatcher_add(world.runtime, &with, &world.dispatcher[0]) == 0);
        CHECK(corio_run(world.runtime, ask_once, NULL) == 0);
        CHECK(corio_runtime_destroy(world.runtime) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
}

static pthread_barrier_t job_runs;

static int answer_while_dispatch_returns(void *arg, corio_batch *batch)
{
    (void)arg;
    pthread_barrier_wait(&job_runs);
    answer_all(batch);
    return CORIO_DONE;
}

/* It should return CORIO_LATER: the batch is the job's. */
static int submit_and_say_done(void *self, corio_batch *batch)
{
    (void)self;
    CHECK(corio_batch_submit(batch, answer_while_dispatch_returns, NULL) == 0);
    pthread_barrier_wait(&job_runs);
    return CORIO_DONE;
}

static void a_submitted_batch_is_its_jobs_whatever_dispatch_says(void)
{
    pthread_barrier_init(&job_runs, NULL, 2);
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = 2;
    CHECK(corio_runtime_create(&options, &world.runtime) == 0);
    corio_dispatcher_options with = {
        .size = sizeof with, .name = "d", .dispatch = submit_and_say_done};
    CHECK(corio_dispatcher_add(world.runtime, &with, &world.dispatcher[0]) == 0);
    for (unsigned long round = 0; round < 2000 * stress_factor; round++)
        CHECK(corio_run(world.runtime, ask_once, NULL) == 0);
    CHECK(corio_runtime_destroy(world.runtime) == 0);
    pthread_barrier_destroy(&job_runs);
}

int main(int argc, char **argv)
{
    stress_begin(argc, argv);
    FACT(every_answer_arrives_once_streaming);
    FACT(every_answer_arrives_once_strict);
    FACT(every_answer_arrives_once_within_limits);
    FACT(the_runtime_may_end_before_a_completion_returns);
    FACT(a_submitted_batch_is_its_jobs_whatever_dispatch_says);
    return stress_end();
}
