/* SPDX-License-Identifier: MIT
 *
 * stress_mutex.c - many tasks, few mutexes, all workers: one holder at a time, through suspensions
 * too, and what it wrote is seen by the next.
 */
#include "tests/stress/stress.h"

#include <corio.h>
#include <errno.h>
#include <sched.h>

enum { workers = 8, tasks = 48, mutexes = 3 };

static struct {
    corio_runtime *runtime;
    corio_dispatcher *dispatcher;
    struct {
        corio_mutex mutex;
        uint64_t holders; /* atomic: in the section now */
        uint64_t entries; /* plain: the mutex is all that orders it */
    } of[mutexes];
    uint64_t wanted[mutexes]; /* entries there should be */
    unsigned steps;
    unsigned ask_every; /* asks in every n-th section; 0: never */
} world;

static int answer_all(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++)
        CHECK(corio_batch_respond(batch, i) == 0);
    return CORIO_DONE;
}

static void enter(unsigned which, uint64_t *seed)
{
    if (draw(seed, 4) == 0) {
        int rc = corio_mutex_try_lock(&world.of[which].mutex);
        CHECK(rc == 0 || rc == -EBUSY);
        if (rc == 0)
            return;
    }
    CHECK(corio_mutex_lock(&world.of[which].mutex) == 0);
}

static void one_section(unsigned which, uint64_t *seed)
{
    enter(which, seed);
    CHECK(__atomic_fetch_add(&world.of[which].holders, 1, __ATOMIC_RELAXED) == 0);
    uint64_t before = world.of[which].entries;
    CHECK(corio_mutex_wait_count(&world.of[which].mutex) < tasks);
    CHECK(corio_mutex_try_lock(&world.of[which].mutex) == -EDEADLK);
    if (world.ask_every != 0 && draw(seed, world.ask_every) == 0)
        CHECK(corio_io(world.dispatcher, NULL, NULL) == 0);
    for (unsigned spins = draw(seed, 32) == 0 ? 2000 : 0; spins > 0; spins--)
        __asm__ __volatile__("" ::: "memory"); /* others come while it is held */
    if (draw(seed, 2048) == 0)
        sched_yield(); /* so they do on one processor; where it is wanted, this takes long */
    CHECK(world.of[which].entries == before);
    world.of[which].entries = before + 1;
    CHECK(__atomic_fetch_sub(&world.of[which].holders, 1, __ATOMIC_RELAXED) == 1);
    CHECK(corio_mutex_unlock(&world.of[which].mutex) == 0);
    CHECK(corio_mutex_unlock(&world.of[which].mutex) == -EPERM);
}

static int many_sections(void *arg)
{
    uint64_t seed = *(const uint64_t *)arg;
    for (unsigned step = 0; step < world.steps; step++) {
        unsigned which = (unsigned)draw(&seed, mutexes);
        one_section(which, &seed);
        __atomic_fetch_add(&world.wanted[which], 1, __ATOMIC_RELAXED);
        if (draw(&seed, 64) == 0 && world.ask_every != 0)
            CHECK(corio_io(world.dispatcher, NULL, NULL) == 0);
    }
    return 0;
}

static int root(void *arg)
{
    for (uint64_t i = 0; i < tasks; i++) {
        uint64_t seed = mix(i) + *(const uint64_t *)arg;
        CHECK(corio_go_copy(many_sections, &seed, sizeof seed) == 0);
    }
    return corio_wait();
}

static void run(unsigned steps, unsigned ask_every)
{
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = workers;
    memset(&world, 0, sizeof world);
    world.steps = steps;
    world.ask_every = ask_every;
    CHECK(corio_runtime_create(&options, &world.runtime) == 0);
    corio_dispatcher_options with = {.size = sizeof with, .name = "d", .dispatch = answer_all};
    CHECK(corio_dispatcher_add(world.runtime, &with, &world.dispatcher) == 0);
    uint64_t rounds = 5 * stress_factor;
    for (uint64_t round = 0; round < rounds; round++)
        CHECK(corio_run(world.runtime, root, &round) == 0);
    CHECK(corio_runtime_destroy(world.runtime) == 0);
    uint64_t entries = 0;
    for (unsigned i = 0; i < mutexes; i++) {
        CHECK(world.of[i].entries == world.wanted[i] && world.of[i].holders == 0);
        CHECK(corio_mutex_wait_count(&world.of[i].mutex) == 0);
        entries += world.of[i].entries;
    }
    CHECK(entries == rounds * tasks * steps);
}

static void one_task_is_in_the_section(void)
{
    run(4000, 0);
}

static void one_task_is_in_the_section_through_io(void)
{
    run(200, 8);
}

int main(int argc, char **argv)
{
    stress_begin(argc, argv);
    FACT(one_task_is_in_the_section);
    FACT(one_task_is_in_the_section_through_io);
    return stress_end();
}
