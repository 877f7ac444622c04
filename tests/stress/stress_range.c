/* SPDX-License-Identifier: MIT
 *
 * stress_range.c - threads take from their ranges and steal halves of each other's, as workers do:
 * every index is taken exactly once.
 */
#include "runtime/base/fences.h"
#include "runtime/sched/range.h"
#include "tests/stress/stress.h"

#include <pthread.h>
#include <sched.h>
#include <stdalign.h>

enum { threads = 4, most_indices = 5000 };

static struct {
    struct {
        alignas(64) cr_range range;
    } of[threads];
    uint32_t count;
    uint32_t got;
    unsigned char taken[most_indices];
    unsigned long rounds;
    unsigned long robbed;
    pthread_barrier_t meet;
} world;

static void count_index(uint32_t index)
{
    CHECK(index < world.count);
    CHECK(__atomic_fetch_add(&world.taken[index], 1, __ATOMIC_RELAXED) == 0);
    __atomic_fetch_add(&world.got, 1, __ATOMIC_ACQ_REL);
}

static void steal(unsigned self, unsigned victim)
{
    uint32_t begin, end;
    bool robbed = false;
    if (!cr_range_steal(&world.of[victim].range, &begin, &end)) {
        robbed = cr_range_rob(&world.of[victim].range, &begin, &end);
        if (!robbed)
            return;
    }
    CHECK(begin < end && end <= world.count);
    cr_range_set_owner(&world.of[self].range, begin + 1, end);
    count_index(begin);
    __atomic_fetch_add(&world.robbed, robbed, __ATOMIC_RELAXED);
}

static void set(unsigned of, uint32_t begin, uint32_t end)
{
    cr_range_set(&world.of[of].range, begin, begin, end);
}

/* The leader has claimed all, and begins when it has been robbed. */
static bool all_is_claimed(unsigned long round)
{
    return round % 8 == 3;
}

/* A leader's shares: one has all, or each has a part. */
static void share(unsigned long round)
{
    uint64_t seed = round;
    memset(world.taken, 0, sizeof world.taken);
    world.got = 0;
    world.count = 1 + (uint32_t)draw(&seed, round % 4 == 0 ? most_indices : 12);
    for (unsigned i = 0; i < threads; i++) {
        if (round % 2 == 0)
            set(i, world.count * i / threads, world.count * (i + 1) / threads);
        else
            set(i, 0, i == 0 ? world.count : 0);
    }
    if (all_is_claimed(round))
        cr_range_set(&world.of[0].range, 0, world.count, world.count);
}

static void work(unsigned self, uint64_t seed)
{
    uint32_t index;
    while (__atomic_load_n(&world.got, __ATOMIC_ACQUIRE) < world.count) {
        if (cr_range_take_owner(&world.of[self].range, &index)) {
            count_index(index);
            continue;
        }
        unsigned victim = (unsigned)draw(&seed, threads);
        if (victim != self && cr_range_maybe_any(&world.of[victim].range))
            steal(self, victim);
        else
            sched_yield();
    }
}

static void *worker(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;
    for (unsigned long round = 0; round < world.rounds; round++) {
        if (self == 0)
            share(round);
        pthread_barrier_wait(&world.meet);
        while (self == 0 && all_is_claimed(round) &&
               __atomic_load_n(&world.got, __ATOMIC_ACQUIRE) == 0)
            sched_yield();
        work(self, mix(round) + self);
        pthread_barrier_wait(&world.meet);
        for (uint32_t i = 0; self == 0 && i < world.count; i++)
            CHECK(world.taken[i] == 1);
        for (unsigned i = 0; self == 0 && i < threads; i++)
            CHECK(!cr_range_maybe_any(&world.of[i].range));
    }
    return NULL;
}

static void run(bool fenced)
{
    pthread_t others[threads];
    for (unsigned i = 0; i < threads; i++)
        world.of[i].range = (cr_range){.fenced = fenced};
    world.robbed = 0;
    world.rounds = 6000 * stress_factor;
    pthread_barrier_init(&world.meet, NULL, threads);
    for (uintptr_t i = 1; i < threads; i++)
        CHECK(pthread_create(&others[i], NULL, worker, (void *)i) == 0);
    worker(NULL);
    for (unsigned i = 1; i < threads; i++)
        pthread_join(others[i], NULL);
    pthread_barrier_destroy(&world.meet);
    CHECK(world.robbed > 0);
}

static void every_index_is_taken_once(void)
{
    CHECK(cr_fence_threads_register());
    run(false);
}

static void without_membarrier_too(void)
{
    run(true);
}

int main(int argc, char **argv)
{
    stress_begin(argc, argv);
    FACT(every_index_is_taken_once);
    FACT(without_membarrier_too);
    return stress_end();
}
