/* SPDX-License-Identifier: MIT
 *
 * stress_parking.c - workers that go to sleep while others make work: what can run is run, and all
 * sleep when nothing can. A lost wake-up shows as a test that does not come to its end.
 */
#include "runtime/phase/runtime.h"
#include "tests/stress/stress.h"

#include <corio.h>
#include <pthread.h>
#include <sched.h>

enum { workers = 8 };

static struct {
    corio_runtime *runtime;
    corio_dispatcher *dispatcher;
    uint64_t seed;
    uint32_t started;
    uint32_t wanted;
    uint32_t runs;
} world;

static void create_runtime(corio_dispatch_fn *dispatch)
{
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = workers;
    CHECK(corio_runtime_create(&options, &world.runtime) == 0);
    corio_dispatcher_options with = {.size = sizeof with, .name = "d", .dispatch = dispatch};
    CHECK(corio_dispatcher_add(world.runtime, &with, &world.dispatcher) == 0);
}

static unsigned sleeping(void)
{
    return cr_load_32(&world.runtime->sched.idle) & 0xffff;
}

static unsigned spinning(void)
{
    return cr_load_32(&world.runtime->sched.idle) >> 16;
}

/* All but one (a task, a leader, or the thread that is outside) are asleep, and known to be. */
static void wait_until_all_others_sleep(void)
{
    while (sleeping() != workers - 1 || spinning() != 0)
        sched_yield();
}

static int answer_all(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++)
        CHECK(corio_batch_respond(batch, i) == 0);
    return CORIO_DONE;
}

static void wait_for_others(void)
{
    while (cr_load_acquire_32(&world.started) < world.wanted)
        sched_yield();
}

static int start_and_return(void *arg)
{
    (void)arg;
    cr_add_32(&world.started, 1);
    return 0;
}

/* The parent does not wait, so somebody else must come for the child. At every point of the others'
 * way to sleep, and when they are asleep. */
static int spawn_one_at_a_time(void *arg)
{
    (void)arg;
    for (unsigned long round = 0; round < 10000 * stress_factor; round++) {
        if (round % 4 == 0)
            wait_until_all_others_sleep();
        for (uint64_t pause = draw(&world.seed, 4000); pause > 0; pause--)
            cr_compiler_barrier();
        world.started = 0;
        world.wanted = 1;
        CHECK(corio_go(start_and_return, NULL) == 0);
        wait_for_others();
        CHECK(corio_wait() == 0);
    }
    return 0;
}

static void a_spawn_reaches_a_sleeper(void)
{
    create_runtime(answer_all);
    CHECK(corio_run(world.runtime, spawn_one_at_a_time, NULL) == 0);
    CHECK(corio_runtime_destroy(world.runtime) == 0);
}

static int start_and_wait_for_others(void *arg)
{
    (void)arg;
    cr_add_32(&world.started, 1);
    wait_for_others();
    return 0;
}

/* Each waits, on its worker, until as many have started as there are workers for them. */
static int spawn_for_everybody(void *arg)
{
    (void)arg;
    for (unsigned long round = 0; round < 1000 * stress_factor; round++) {
        uint32_t count = 1 + (uint32_t)draw(&world.seed, 2 * workers);
        if (round % 4 == 0)
            wait_until_all_others_sleep();
        world.started = 0;
        world.wanted = count < workers ? count : workers;
        for (uint32_t i = 0; i < count; i++)
            CHECK(corio_go(start_and_wait_for_others, NULL) == 0);
        CHECK(corio_wait() == 0);
    }
    return 0;
}

static void spawned_tasks_run_on_all_workers(void)
{
    create_runtime(answer_all);
    CHECK(corio_run(world.runtime, spawn_for_everybody, NULL) == 0);
    CHECK(corio_runtime_destroy(world.runtime) == 0);
}

static int ask_and_wait_for_others(void *arg)
{
    CHECK(corio_io(world.dispatcher, NULL, NULL) == 0);
    return start_and_wait_for_others(arg);
}

static int ask_with_everybody(void *arg)
{
    (void)arg;
    for (unsigned long round = 0; round < 1000 * stress_factor; round++) {
        uint32_t count = 1 + (uint32_t)draw(&world.seed, 6 * workers);
        world.started = 0;
        world.wanted = count < workers ? count : workers;
        for (uint32_t i = 0; i < count; i++)
            CHECK(corio_go(ask_and_wait_for_others, NULL) == 0);
        CHECK(corio_wait() == 0);
    }
    return 0;
}

static int answer_all_when_others_sleep(void *self, corio_batch *batch)
{
    if (draw(&world.seed, 4) == 0)
        wait_until_all_others_sleep();
    return answer_all(self, batch);
}

static void answered_tasks_run_on_all_workers(void)
{
    create_runtime(answer_all_when_others_sleep);
    CHECK(corio_run(world.runtime, ask_with_everybody, NULL) == 0);
    CHECK(corio_runtime_destroy(world.runtime) == 0);
}

/* Child `wanted` is the last of its worker's share or not: it waits for any of a later one. */
static int ask_and_wait_for_a_later_one(void *arg)
{
    uint32_t number = *(const uint32_t *)arg;
    CHECK(corio_io(world.dispatcher, NULL, NULL) == 0);
    if (number > world.wanted)
        cr_add_32(&world.started, 1);
    while (number == world.wanted && cr_load_acquire_32(&world.started) == 0)
        sched_yield();
    return 0;
}

static int wait_for_a_later_share(void *arg)
{
    (void)arg;
    for (unsigned long round = 0; round < 1000 * stress_factor; round++) {
        uint32_t count = 4 * workers + (uint32_t)draw(&world.seed, 4 * workers);
        world.started = 0;
        world.wanted = (uint32_t)draw(&world.seed, count - 1);
        for (uint32_t i = 0; i < count; i++)
            CHECK(corio_go_copy(ask_and_wait_for_a_later_one, &i, sizeof i) == 0);
        CHECK(corio_wait() == 0);
    }
    return 0;
}

static void a_sleepers_own_share_is_not_forgotten(void)
{
    create_runtime(answer_all_when_others_sleep);
    CHECK(corio_run(world.runtime, wait_for_a_later_share, NULL) == 0);
    CHECK(corio_runtime_destroy(world.runtime) == 0);
}

static int spawn_a_few(void *arg)
{
    (void)arg;
    for (uint64_t i = draw(&world.seed, 6); i > 0; i--)
        CHECK(corio_go(start_and_return, NULL) == 0);
    if (draw(&world.seed, 4) == 0)
        CHECK(corio_io(world.dispatcher, NULL, NULL) == 0);
    return 0;
}

static void *run_some(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 5; i++) {
        CHECK(corio_run(world.runtime, spawn_a_few, NULL) == 0);
        world.runs++;
    }
    return NULL;
}

/* One run after the other, in threads in turn. Between some of them all fall asleep. */
static void runs_begin_and_end_by_the_thousand(void)
{
    create_runtime(answer_all);
    unsigned long rounds = 400 * stress_factor;
    world.runs = 0;
    for (unsigned long round = 0; round < rounds; round++) {
        pthread_t other;
        CHECK(pthread_create(&other, NULL, run_some, NULL) == 0);
        CHECK(pthread_join(other, NULL) == 0);
        run_some(NULL);
        if (round % 8 == 0)
            wait_until_all_others_sleep();
    }
    CHECK(world.runs == 10 * rounds);
    wait_until_all_others_sleep();
    CHECK(corio_runtime_destroy(world.runtime) == 0);
}

static void runtimes_begin_and_end(void)
{
    for (unsigned long round = 0; round < 100 * stress_factor; round++) {
        create_runtime(answer_all);
        if (round % 2 == 0)
            CHECK(corio_run(world.runtime, spawn_a_few, NULL) == 0);
        CHECK(corio_runtime_destroy(world.runtime) == 0);
    }
}

int main(int argc, char **argv)
{
    stress_begin(argc, argv);
    FACT(a_spawn_reaches_a_sleeper);
    FACT(spawned_tasks_run_on_all_workers);
    FACT(answered_tasks_run_on_all_workers);
    FACT(a_sleepers_own_share_is_not_forgotten);
    FACT(runs_begin_and_end_by_the_thousand);
    FACT(runtimes_begin_and_end);
    return stress_end();
}
