/* SPDX-License-Identifier: MIT
 *
 * The same batches for every number of workers: a set of programs, 1, 2, 3, 4 and 8 workers, many
 * times each; the batch logs are compared byte by byte. Each program also with dedup and small caches, and a key of which
 * there are few: then an answer depends on who asked first, and the log on what is in the cache.
 *
 * Usage: test_determinism [rounds]   (default 4; CORIO_ROUNDS does the same)
 */
#include "harness.h"

#include <unistd.h>

static const unsigned counts[] = {1, 2, 3, 4, 8};
static int rounds = 4;

static corio_dispatcher *plain, *flaky, *sliced;
static uint64_t program_seed;
static bool reusing; /* dedup and caches */

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Some work, so that workers get out of step. */
static uint64_t burn(uint64_t seed)
{
    for (uint64_t i = 0; i < seed % 512; i++)
        seed = mix(seed);
    return seed;
}

/* -- dispatchers -- */

static uint64_t input_of(const corio_batch *batch, size_t i)
{
    return *(const uint64_t *)corio_batch_input(batch, i);
}

static void answer_one(corio_batch *batch, size_t i)
{
    *(uint64_t *)corio_batch_output(batch, i) = mix(input_of(batch, i));
    corio_batch_respond(batch, i);
}

static int answer_plain(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++)
        answer_one(batch, i);
    return CORIO_DONE;
}

/* Lets a third of all wait for a further batch, and fails some: depending on input and phase
 * only. */
static int answer_flaky(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        uint64_t chance = mix(input_of(batch, i) ^ corio_batch_phase(batch));
        if (chance % 3 == 0)
            corio_batch_retry(batch, i, 0);
        else if (chance % 17 == 0)
            corio_batch_fail(batch, i, -EIO);
        else
            answer_one(batch, i);
    }
    return CORIO_DONE;
}

static int answer_slice(void *arg, corio_batch *batch)
{
    return answer_plain(arg, batch);
}

/* Slices on I/O threads: strict waiting makes their order of completion invisible. */
static int submit_slices(void *self, corio_batch *batch)
{
    (void)self;
    size_t count = corio_batch_len(batch), piece = count / 3 + 1;
    for (size_t first = 0; first < count; first += piece) {
        corio_batch *slice;
        size_t size = count - first < piece ? count - first : piece;
        if (corio_batch_slice(batch, first, size, &slice) != 0 ||
            corio_batch_submit(slice, answer_slice, NULL) != 0)
            abort();
    }
    return CORIO_DONE;
}

static int ask(corio_dispatcher *dispatcher, uint64_t *value)
{
    uint64_t answer = *value;
    int rc = corio_io(dispatcher, value, &answer);
    *value = rc == -EIO ? *value + 1 : answer;
    return rc == -EIO ? 0 : rc;
}

/* -- programs -- */

static int flat_leaf(void *arg)
{
    uint64_t value = burn(*(uint64_t *)arg);
    for (int i = 0; i < 3; i++) {
        CHECK(ask(plain, &value) == 0);
        value = burn(value);
    }
    return 0;
}

static int flat_fan_out(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < 2000; i++) {
        uint64_t value = mix(i);
        CHECK(corio_go_copy(flat_leaf, &value, sizeof value) == 0);
    }
    return corio_wait();
}

static int recursive_tree(void *arg)
{
    uint64_t depth = arg != NULL ? *(uint64_t *)arg : 7;
    uint64_t value = burn(mix(depth));
    CHECK(ask(plain, &value) == 0);
    if (depth == 0)
        return 0;
    depth--;
    for (int i = 0; i < 3; i++)
        CHECK(corio_go_copy(recursive_tree, &depth, sizeof depth) == 0);
    if (value % 2)
        CHECK(ask(plain, &value) == 0);
    CHECK(corio_wait() == 0);
    return ask(plain, &value);
}

static int nested_groups(void *arg)
{
    uint64_t depth = arg != NULL ? *(uint64_t *)arg : 4;
    uint64_t value = depth;
    corio_group *wide, *narrow;
    CHECK(corio_group_open(NULL, &wide) == 0 &&
          corio_group_open(&(corio_group_options){.size = sizeof(corio_group_options), .window = 3},
                           &narrow) == 0);
    for (uint64_t i = 0; depth > 0 && i < 4; i++) {
        uint64_t less = depth - 1;
        CHECK(corio_group_go_copy(wide, nested_groups, &less, sizeof less) == 0);
        uint64_t seed = mix(depth * 10 + i);
        CHECK(corio_group_go_copy(narrow, flat_leaf, &seed, sizeof seed) == 0);
        CHECK(corio_group_go_copy(narrow, flat_leaf, &seed, sizeof seed) == 0);
    }
    CHECK(corio_group_close(narrow) == 0);
    CHECK(ask(plain, &value) == 0);
    return corio_group_close(wide);
}

typedef struct seed {
    uint64_t value;
    int depth;
} seed;

static int random_tree(void *arg)
{
    seed mine = arg != NULL ? *(seed *)arg : (seed){mix(program_seed), 9};
    uint64_t choices = mix(mine.value);
    for (int step = 0; step < 4; step++, choices >>= 8) {
        switch (choices % 6) {
        case 0:
            CHECK(ask(plain, &mine.value) == 0);
            break;
        case 1:
            CHECK(ask(flaky, &mine.value) == 0);
            break;
        case 2:
            CHECK(corio_wait() == 0);
            break;
        default:
            if (mine.depth > 0) {
                seed child = {mix(mine.value + (uint64_t)step), mine.depth - 1};
                CHECK(corio_go_copy(random_tree, &child, sizeof child) == 0);
            }
        }
        mine.value = burn(mine.value);
    }
    return choices % 2 ? corio_wait() : 0;
}

static int mixed_leaf(void *arg)
{
    uint64_t in[9], out[9];
    corio_request requests[9];
    corio_dispatcher *const to[] = {plain, flaky, sliced};
    for (uint64_t i = 0; i < 9; i++) {
        in[i] = burn(*(uint64_t *)arg + i);
        requests[i] = (corio_request){.dispatcher = to[i % 3], .input = &in[i], .output = &out[i]};
    }
    int rc = corio_io_all(requests, 9);
    CHECK(rc == 0 || rc == -EIO);
    uint64_t value = *(uint64_t *)arg;
    return ask(sliced, &value);
}

static int mixed_dispatchers(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < 300; i++) {
        uint64_t value = mix(i);
        CHECK(corio_go_copy(mixed_leaf, &value, sizeof value) == 0);
    }
    return corio_wait();
}

static int retry_leaf(void *arg)
{
    uint64_t value = *(uint64_t *)arg;
    for (int i = 0; i < 4; i++)
        CHECK(ask(flaky, &value) == 0);
    return 0;
}

static int retries_in_a_window(void *arg)
{
    (void)arg;
    CHECK(corio_set_window(64) == 0);
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t value = mix(i);
        CHECK(corio_go_copy(retry_leaf, &value, sizeof value) == 0);
    }
    return corio_wait();
}

/* Fails here and there, at all depths: before I/O, behind it, from deep inside; some tasks handle
 * what their children end with, and ask on. */
static int failing_tree(void *arg)
{
    seed mine = arg != NULL ? *(seed *)arg : (seed){mix(program_seed), 7};
    uint64_t choices = mix(mine.value);
    for (int step = 0; step < 5; step++, choices >>= 8) {
        int rc = 0;
        switch (choices % 8) {
        case 0:
            rc = ask(plain, &mine.value);
            break;
        case 1:
            rc = ask(flaky, &mine.value);
            break;
        case 2:
            rc = corio_wait();
            if (choices % 3 == 0) { /* it has been handled; and which one it was shows */
                mine.value ^= (uint64_t)rc;
                rc = ask(plain, &mine.value);
            }
            break;
        case 3:
            if (choices % 4 == 3 && mine.depth < 6)
                corio_fail(-2000 - (int)(choices % 100), "step %d", step);
            break;
        default:
            if (mine.depth > 0) {
                seed child = {mix(mine.value + (uint64_t)step), mine.depth - 1};
                rc = corio_go_copy(failing_tree, &child, sizeof child);
            }
        }
        if (rc != 0 && mine.depth < 7)
            return rc;
        mine.value = burn(mine.value);
    }
    if (mine.depth == 7) {
        for (int rc; (rc = corio_wait()) != 0;)
            mine.value ^= (uint64_t)rc;
        return ask(plain, &mine.value);
    }
    return choices % 16 == 3 ? -3000 - (int)(choices % 50) : 0;
}

static int failing_trees(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < 30; i++) {
        seed root = {mix(i), 7};
        CHECK(corio_go_copy(failing_tree, &root, sizeof root) == 0);
    }
    return corio_wait();
}

/* A task fails while its child may be finished, running or queued: in which step it fails must not
 * depend on that. The error of the pair is what is asked for next. */
static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int fail_without_waiting(void *arg)
{
    CHECK(corio_go(nothing, NULL) == 0);
    for (uint64_t i = 0; i < 20; i++)
        (void)burn(mix(*(uint64_t *)arg + i));
    return -EDOM;
}

static int fail_at_once(void *arg)
{
    (void)arg;
    return -ERANGE;
}

static int failing_parents(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < 500; i++) { /* one after the other: thieves have nothing else */
        CHECK(corio_go(fail_without_waiting, &i) == 0);
        CHECK(corio_go(fail_at_once, NULL) == 0);
        uint64_t value = (uint64_t)-corio_wait();
        CHECK(ask(plain, &value) == 0);
    }
    return 0;
}

/* -- running and comparing -- */

typedef struct text {
    char *bytes;
    size_t length;
} text;

static text read_whole(const char *path)
{
    text log = {NULL, 0};
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    log.length = (size_t)ftell(file);
    rewind(file);
    log.bytes = malloc(log.length + 1);
    assert_non_null(log.bytes);
    assert_int_equal(fread(log.bytes, 1, log.length, file), log.length);
    log.bytes[log.length] = '\0';
    fclose(file);
    return log;
}

static size_t lowest_byte(void *self, const void *input, const void **ret_key)
{
    (void)self;
    *ret_key = input;
    return 1;
}

static void add(corio_runtime *runtime, const char *name, corio_dispatch_fn *fn, size_t max_batch,
                size_t max_in_flight, size_t cache_bytes, corio_dispatcher **ret)
{
    corio_dispatcher_options options = {.size = sizeof options,
                                        .name = name,
                                        .dispatch = fn,
                                        .input_bytes = sizeof(uint64_t),
                                        .output_bytes = sizeof(uint64_t),
                                        .max_batch = max_batch,
                                        .max_in_flight = max_in_flight,
                                        .key = lowest_byte,
                                        .dedup = reusing,
                                        .cache_bytes = reusing ? cache_bytes : 0};
    assert_int_equal(corio_dispatcher_add(runtime, &options, ret), 0);
}

static text log_of(corio_task_fn *program, unsigned workers)
{
    char path[] = "/tmp/corio-log-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    options.workers = workers;
    options.wait_mode = CORIO_WAIT_STRICT;
    options.batch_log = path;
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    add(runtime, "plain", answer_plain, 0, 0, 20000, &plain);
    add(runtime, "flaky", answer_flaky, 100, 25, 0, &flaky);
    add(runtime, "sliced", submit_slices, 0, 100, 3000, &sliced);
    assert_int_equal(corio_run(runtime, program, NULL), 0);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    text log = read_whole(path);
    unlink(path);
    return log;
}

static void compare_program(corio_task_fn *program)
{
    text expected = log_of(program, 1);
    assert_true(expected.length > (reusing ? 20 : 1000));
    for (int round = 0; round < (reusing ? (rounds + 3) / 4 : rounds); round++) {
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            text log = log_of(program, counts[i]);
            if (log.length != expected.length || memcmp(log.bytes, expected.bytes, log.length) != 0)
                fail_msg("the log of %u workers differs", counts[i]);
            free(log.bytes);
        }
    }
    free(expected.bytes);
}

#define PROGRAM(name)                                                                              \
    static void name##_has_the_same_log_for_any_worker_count(void **state)                         \
    {                                                                                              \
        (void)state;                                                                               \
        compare_program(name);                                                                     \
        reusing = true;                                                                            \
        compare_program(name);                                                                     \
        reusing = false;                                                                           \
    }
PROGRAM(flat_fan_out)
PROGRAM(recursive_tree)
PROGRAM(nested_groups)
PROGRAM(mixed_dispatchers)
PROGRAM(retries_in_a_window)
PROGRAM(failing_trees)
PROGRAM(failing_parents)

static void random_trees_have_the_same_log_for_any_worker_count(void **state)
{
    (void)state;
    unsigned compared = 0;
    for (program_seed = 1; compared < 5; program_seed++) {
        text log = log_of(random_tree, 1);
        size_t length = log.length;
        free(log.bytes);
        if (length <= 20000) /* a tree that died early shows little */
            continue;
        compare_program(random_tree);
        compared++;
    }
}

/* -- the log itself -- */

static int two_askers(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < 2; i++)
        CHECK(corio_go_copy(retry_leaf, &i, sizeof i) == 0);
    return corio_wait();
}

static void log_has_a_line_per_request(void **state)
{
    (void)state;
    text log = log_of(two_askers, 2);
    static const char first[] =
        "0\tflaky\t0\t(0)\ta8c7f832281a39c5\n" /* FNV-1a of eight zero bytes */
        "0\tflaky\t1\t(1)\t";
    assert_memory_equal(log.bytes, first, sizeof first - 1);
    free(log.bytes);
}

int main(int argc, char **argv)
{
    const char *given = argc > 1 ? argv[1] : getenv("CORIO_ROUNDS");
    if (given != NULL)
        rounds = atoi(given);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flat_fan_out_has_the_same_log_for_any_worker_count),
        cmocka_unit_test(recursive_tree_has_the_same_log_for_any_worker_count),
        cmocka_unit_test(nested_groups_has_the_same_log_for_any_worker_count),
        cmocka_unit_test(mixed_dispatchers_has_the_same_log_for_any_worker_count),
        cmocka_unit_test(retries_in_a_window_has_the_same_log_for_any_worker_count),
        cmocka_unit_test(failing_trees_has_the_same_log_for_any_worker_count),
        cmocka_unit_test(failing_parents_has_the_same_log_for_any_worker_count),
        cmocka_unit_test(random_trees_have_the_same_log_for_any_worker_count),
        cmocka_unit_test(log_has_a_line_per_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
