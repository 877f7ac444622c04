/* SPDX-License-Identifier: MIT
 *
 * stress_quiescence.c - random trees of tasks, the same from the same seed. No task runs while a
 * dispatcher is called, every request arrives once and gets its own answer, and the batches are the
 * same with any number of workers.
 */
#include "tests/stress/stress.h"

#include <corio.h>

enum { dispatchers = 2, most_requests = 1 << 16, most_depth = 7 };

typedef struct input {
    uint32_t number; /* given out as tasks ask: in no order that means anything */
    uint64_t what;   /* from the tree alone */
} input;

typedef struct node {
    uint64_t seed;
    uint32_t depth;
} node;

static struct {
    corio_runtime *runtime;
    corio_dispatcher *dispatcher[dispatchers];
    uint32_t running; /* tasks that run now */
    uint32_t asked;
    bool windows;
    /* The dispatchers' alone, without any order but that of the boundary. */
    uint32_t answered;
    uint64_t digest;
    uint8_t arrivals[most_requests];
    uint32_t finished; /* tasks; atomic */
    uint32_t spawned;
} world;

static void runs(void)
{
    __atomic_fetch_add(&world.running, 1, __ATOMIC_RELAXED);
}

static void pauses(void)
{
    CHECK(__atomic_fetch_sub(&world.running, 1, __ATOMIC_RELAXED) >= 1);
}

static int dispatch(void *self, corio_batch *batch)
{
    uint64_t number_of_dispatcher = (uint64_t)(uintptr_t)self;
    CHECK(__atomic_load_n(&world.running, __ATOMIC_RELAXED) == 0);
    world.digest = mix(world.digest ^ number_of_dispatcher);
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        const input *in = corio_batch_input(batch, i);
        CHECK(in->number < most_requests && world.arrivals[in->number]++ == 0);
        world.digest = mix(world.digest ^ in->what);
        *(uint64_t *)corio_batch_output(batch, i) = mix(in->what);
        world.answered++;
        CHECK(corio_batch_respond(batch, i) == 0);
    }
    CHECK(__atomic_load_n(&world.running, __ATOMIC_RELAXED) == 0);
    return CORIO_DONE;
}

static input new_input(uint64_t *seed)
{
    *seed = mix(*seed);
    input in = {__atomic_fetch_add(&world.asked, 1, __ATOMIC_RELAXED), *seed};
    CHECK(in.number < most_requests);
    return in;
}

static void ask_one(uint64_t *seed)
{
    input in = new_input(seed);
    uint64_t out = 0;
    corio_dispatcher *dispatcher = world.dispatcher[draw(seed, dispatchers)];
    pauses();
    int rc = corio_io(dispatcher, &in, &out);
    runs();
    CHECK(rc == 0 && out == mix(in.what));
}

static void ask_several(uint64_t *seed)
{
    enum { most = 3 };
    input in[most];
    uint64_t out[most];
    corio_request requests[most];
    size_t count = 1 + draw(seed, most);
    for (size_t i = 0; i < count; i++) {
        in[i] = new_input(seed);
        requests[i] = (corio_request){.dispatcher = world.dispatcher[draw(seed, dispatchers)],
                                      .input = &in[i],
                                      .output = &out[i]};
    }
    pauses();
    int rc = corio_io_all(requests, count);
    runs();
    CHECK(rc == 0);
    for (size_t i = 0; i < count; i++)
        CHECK(requests[i].status == 0 && out[i] == mix(in[i].what));
}

static void ask(uint64_t *seed)
{
    switch (draw(seed, 6)) {
    case 0:
    case 1:
        ask_one(seed);
        break;
    case 2:
        ask_several(seed);
        break;
    default:
        break;
    }
}

static int grow(void *arg);

static int body(const node *self)
{
    uint64_t seed = self->seed;
    ask(&seed);
    if (world.windows && draw(&seed, 3) == 0)
        CHECK(corio_set_window(1 + (uint32_t)draw(&seed, 3)) == 0);
    uint64_t children = self->depth == 0 ? 0 : draw(&seed, 6);
    for (uint64_t i = 0; i < children; i++) {
        node child = {mix(seed + i), self->depth - 1};
        __atomic_fetch_add(&world.spawned, 1, __ATOMIC_RELAXED);
        pauses(); /* a full window holds it here */
        int rc = corio_go_copy(grow, &child, sizeof child);
        runs();
        CHECK(rc == 0);
        if (draw(&seed, 8) == 0)
            ask(&seed);
    }
    if (draw(&seed, 2) == 0) {
        pauses(); /* children may run in its place */
        int rc = corio_wait();
        runs();
        CHECK(rc == 0);
        ask(&seed);
    }
    return 0;
}

static int grow(void *arg)
{
    node self = *(const node *)arg;
    runs();
    int rc = body(&self);
    __atomic_fetch_add(&world.finished, 1, __ATOMIC_RELAXED);
    pauses();
    return rc;
}

typedef struct outcome {
    uint64_t digest;
    uint32_t asked;
    uint32_t spawned;
} outcome;

static outcome run_tree(uint64_t seed)
{
    memset(world.arrivals, 0, sizeof world.arrivals);
    world.asked = world.answered = world.finished = world.spawned = 0;
    world.digest = 0;
    node first = {mix(seed), most_depth};
    CHECK(corio_run(world.runtime, grow, &first) == 0);
    CHECK(world.running == 0 && world.finished == world.spawned + 1);
    CHECK(world.answered == world.asked);
    for (uint32_t i = 0; i < world.asked; i++)
        CHECK(world.arrivals[i] == 1);
    return (outcome){world.digest, world.asked, world.spawned};
}

static void create_runtime(unsigned workers, corio_wait_mode mode)
{
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = workers;
    options.wait_mode = mode;
    CHECK(corio_runtime_create(&options, &world.runtime) == 0);
    for (uintptr_t i = 0; i < dispatchers; i++) {
        corio_dispatcher_options with = {.size = sizeof with,
                                         .name = "d",
                                         .input_bytes = sizeof(input),
                                         .output_bytes = sizeof(uint64_t),
                                         .dispatch = dispatch,
                                         .self = (void *)i};
        CHECK(corio_dispatcher_add(world.runtime, &with, &world.dispatcher[i]) == 0);
    }
}

static void grow_everywhere(bool windows)
{
    static const unsigned counts[] = {1, 2, 3, 8};
    enum { runtimes = sizeof counts / sizeof *counts, trees = 64 };
    static outcome expected[trees];
    world.windows = windows;
    for (unsigned long lap = 0; lap < stress_factor; lap++) {
        for (unsigned i = 0; i < runtimes; i++) {
            create_runtime(counts[i], i % 2 == 0 ? CORIO_WAIT_STREAMING : CORIO_WAIT_STRICT);
            for (uint64_t tree = 0; tree < trees; tree++) {
                outcome seen = run_tree(tree + lap * trees);
                if (i == 0)
                    expected[tree] = seen;
                CHECK(seen.asked == expected[tree].asked);
                CHECK(seen.spawned == expected[tree].spawned);
                CHECK(seen.digest == expected[tree].digest);
            }
            CHECK(corio_runtime_destroy(world.runtime) == 0);
        }
    }
}

static void no_task_runs_while_a_dispatcher_is_called(void)
{
    grow_everywhere(false);
}

static void nor_with_windows(void)
{
    grow_everywhere(true);
}

/* -- Few stacks: phases end early, some closures get none, and nothing is lost -- */

static uint32_t refused;

static int ask_or_be_refused(void *arg);

static int spawn_and_count(uint32_t depth)
{
    for (uint32_t i = 0; depth > 0 && i < 3; i++) {
        uint32_t below = depth - 1;
        CHECK(corio_go_copy(ask_or_be_refused, &below, sizeof below) == 0);
        __atomic_fetch_add(&world.spawned, 1, __ATOMIC_RELAXED);
    }
    int rc = corio_wait();
    CHECK(rc == 0 || rc == CORIO_ESTACKS);
    if (rc != 0)
        __atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
    return 0;
}

static int ask_or_be_refused(void *arg)
{
    input in = {__atomic_fetch_add(&world.asked, 1, __ATOMIC_RELAXED), 1};
    uint64_t out = 0;
    CHECK(corio_io(world.dispatcher[0], &in, &out) == 0 && out == mix(1));
    int rc = spawn_and_count(*(const uint32_t *)arg);
    __atomic_fetch_add(&world.finished, 1, __ATOMIC_RELAXED);
    return rc;
}

static void nothing_is_lost_with_few_stacks(void)
{
    for (unsigned long round = 0; round < 40 * stress_factor; round++) {
        corio_options options = CORIO_OPTIONS_INIT;
        options.workers = 1 + (unsigned)(round % 8);
        options.max_stacks = 3 + (size_t)(round % 11);
        CHECK(corio_runtime_create(&options, &world.runtime) == 0);
        corio_dispatcher_options with = {.size = sizeof with, .name = "d", .dispatch = dispatch};
        CHECK(corio_dispatcher_add(world.runtime, &with, &world.dispatcher[0]) == 0);
        memset(world.arrivals, 0, sizeof world.arrivals);
        world.asked = world.answered = world.finished = world.spawned = refused = 0;
        uint32_t depth = 4;
        CHECK(corio_run(world.runtime, ask_or_be_refused, &depth) == 0);
        CHECK(world.answered == world.asked && world.finished == world.asked);
        CHECK(world.finished == world.spawned + 1 || refused > 0);
        CHECK(corio_runtime_destroy(world.runtime) == 0);
    }
}

int main(int argc, char **argv)
{
    stress_begin(argc, argv);
    FACT(no_task_runs_while_a_dispatcher_is_called);
    FACT(nor_with_windows);
    FACT(nothing_is_lost_with_few_stacks);
    return stress_end();
}
