/* SPDX-License-Identifier: MIT
 *
 * Recording and replaying: the same batches and answers without any dispatcher, for every number of
 * workers; a changed program and a damaged file are named.
 */
#include "harness.h"

#include <sched.h>
#include <unistd.h>

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* -- Files -- */

static char *read_whole(const char *path, size_t *ret_bytes)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *ret_bytes = (size_t)ftell(file);
    rewind(file);
    char *content = malloc(*ret_bytes + 1);
    assert_non_null(content);
    assert_int_equal(fread(content, 1, *ret_bytes, file), *ret_bytes);
    content[*ret_bytes] = '\0';
    fclose(file);
    return content;
}

static void write_whole(const char *path, const void *content, size_t bytes)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static char record_path[] = "/tmp/corio-record-XXXXXX";
static char log_path[] = "/tmp/corio-replay-XXXXXX";

/* -- Dispatchers: all kinds of answers -- */

typedef struct text {
    char *bytes; /* the task's */
    size_t length;
} text;

static corio_dispatcher *cached, *plain, *sliced, *flaky, *texts, *shared;
static unsigned calls; /* of dispatch functions */
static bool bad_hooks;

static uint64_t input_of(const corio_batch *batch, size_t i)
{
    return *(const uint64_t *)corio_batch_input(batch, i);
}

static int answer_plain(void *self, corio_batch *batch)
{
    (void)self;
    ADD(calls);
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        *(uint64_t *)corio_batch_output(batch, i) = mix(input_of(batch, i));
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

/* Slices in I/O threads, of which some are cut again: whichever is first is the first to go on. A
 * few requests stay with the batch, which is complete at once. */
static int answer_slice(void *arg, corio_batch *slice)
{
    corio_batch *part;
    size_t count = corio_batch_len(slice);
    if (count > 3 && corio_batch_slice(slice, count - 2, 2, &part) == 0) {
        (void)answer_plain(arg, part);
        corio_batch_complete(part);
        for (size_t i = 0; i < count - 2; i++) {
            *(uint64_t *)corio_batch_output(slice, i) = mix(input_of(slice, i));
            corio_batch_respond(slice, i);
        }
        return CORIO_DONE;
    }
    return answer_plain(arg, slice);
}

static int cut(void *self, corio_batch *batch)
{
    ADD(calls);
    size_t count = corio_batch_len(batch), at = 1;
    for (size_t size = 1; at + size <= count; at += size, size++) {
        corio_batch *slice;
        if (corio_batch_slice(batch, at, size, &slice) != 0 ||
            corio_batch_submit(slice, answer_slice, self) != 0)
            abort();
    }
    for (size_t i = 0; i < count; i = i == 0 ? at : i + 1) {
        *(uint64_t *)corio_batch_output(batch, i) = mix(input_of(batch, i));
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

/* Errors, retries at once and later; what a request gets depends on chance. */
static int answer_flaky(void *self, corio_batch *batch)
{
    static uint64_t chance;
    (void)self;
    ADD(calls);
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        switch (mix(ADD(chance)) % 5) {
        case 0:
            corio_batch_retry(batch, i, 0);
            break;
        case 1:
            corio_batch_retry(batch, i, 20000);
            break;
        case 2:
            corio_batch_fail(batch, i, -EIO);
            break;
        default:
            *(uint64_t *)corio_batch_output(batch, i) = mix(input_of(batch, i) + ADD(chance));
            corio_batch_respond(batch, i);
        }
    }
    return CORIO_DONE;
}

/* Keeps its batch: an I/O thread completes it. */
static int answer_texts(void *arg, corio_batch *batch)
{
    (void)arg;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        text *answer = corio_batch_output(batch, i);
        uint64_t number = input_of(batch, i);
        if (number % 7 == 0) {
            corio_batch_fail(batch, i, -ENOENT);
            continue;
        }
        answer->length = number % 20 * 100;
        answer->bytes = malloc(answer->length + 1);
        if (answer->bytes == NULL)
            abort();
        memset(answer->bytes, 'a' + (int)(number % 20), answer->length);
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static int answer_later(void *self, corio_batch *batch)
{
    ADD(calls);
    int rc = corio_batch_submit(batch, answer_texts, self);
    return rc < 0 ? rc : CORIO_LATER;
}

static int save_text(void *self, const void *input, const void *output, int status,
                     corio_sink *sink)
{
    const text *answer = output;
    (void)self;
    (void)input;
    return status == 0 ? corio_sink_write(sink, answer->bytes, answer->length) : 0;
}

static int restore_text(void *self, const corio_batch *batch, size_t i, int status,
                        const void *bytes, size_t count)
{
    (void)self;
    if (bad_hooks)
        return -EBADMSG;
    if (status != 0)
        return count == 0 ? 0 : -EBADMSG;
    text made = {malloc(count + 1), count};
    if (made.bytes == NULL)
        return -ENOMEM;
    memcpy(made.bytes, bytes, count);
    *(text *)corio_batch_output(batch, i) = made;
    return 0;
}

static void add(corio_runtime *runtime, const char *name, corio_dispatch_fn *fn,
                corio_dispatcher **ret)
{
    corio_dispatcher_options with = {
        .size = sizeof with, .name = name, .dispatch = fn, .input_bytes = 8, .output_bytes = 8};
    if (fn == answer_later) {
        with.output_bytes = sizeof(text);
        with.save = save_text;
        with.restore = restore_text;
    }
    if (fn == answer_flaky)
        with.max_in_flight = 5;
    if (ret == &cached)
        with.cache_bytes = 500; /* not for all that is asked */
    with.dedup = ret == &shared;
    assert_int_equal(corio_dispatcher_add(runtime, &with, ret), 0);
}

/* -- A program whose batches depend on answers, and on which came first -- */

enum { tasks = 30 };

static uint64_t results[tasks];
static uint64_t seed;      /* of the inputs */
static int odd_one = -1;   /* asks something else; -1: nobody does */
static int task_count = 6; /* as many tasks */

static int ask_text(uint64_t *value)
{
    text answer = {NULL, 0};
    int rc = corio_io(texts, value, &answer);
    if (rc != 0 && rc != -ENOENT)
        return rc;
    for (size_t i = 0; i < answer.length; i++)
        *value = mix(*value + (unsigned char)answer.bytes[i]);
    free(answer.bytes);
    *value += rc == 0;
    return 0;
}

static int ask_several(uint64_t *value)
{
    uint64_t in[3] = {*value, *value + 1, *value + 2}, out[3] = {0};
    corio_request requests[] = {
        {.dispatcher = sliced, .input = &in[0], .output = &out[0]},
        {.dispatcher = flaky, .input = &in[1], .output = &out[1]},
        {.dispatcher = plain, .input = &in[2], .output = &out[2]},
    };
    int rc = corio_io_all(requests, 3);
    for (int i = 0; i < 3; i++)
        *value = mix(*value + (requests[i].status == 0 ? out[i] : 1));
    return rc == -EIO ? 0 : rc;
}

static int child(void *arg)
{
    uint64_t value = *(uint64_t *)arg;
    return corio_io(sliced, &value, &value);
}

/* Asked once of those in a phase, and then perhaps known. */
static int ask_what_others_ask(uint64_t *value)
{
    uint64_t in = *value % 8, out = 0;
    int rc = corio_io(cached, &in, &out);
    *value = mix(*value + out);
    return rc;
}

static int work(void *arg)
{
    int number = *(int *)arg;
    uint64_t value = mix(seed + (uint64_t)number);
    int rc = 0;
    for (int round = 0; round < 4 && rc == 0; round++) {
        if (number == odd_one && round == 2)
            value++;
        rc = value % 3 == 0 ? ask_several(&value)
                            : corio_io(round % 2 ? plain : sliced, &value, &value);
        if (rc == 0 && value % 4 == 0)
            rc = ask_text(&value);
        if (rc == 0 && value % 7 < 4)
            rc = ask_what_others_ask(&value);
        if (rc == 0 && value % 5 == 0)
            rc = corio_go_copy(child, &value, sizeof value);
        if (rc == 0 && value % 2 == 0)
            rc = corio_wait();
    }
    results[number] = value;
    int waited = corio_wait();
    return rc != 0 ? rc : waited;
}

static int program(void *arg)
{
    (void)arg;
    for (int i = 0; i < task_count; i++)
        CHECK(corio_go_copy(work, &i, sizeof i) == 0);
    return corio_wait();
}

typedef struct how {
    unsigned workers;
    corio_wait_mode wait_mode;
    bool replay;
    uint64_t sim_seed;
    const char *log;
} how;

static char told[2000];

static void tell(void *self, const char *words)
{
    (void)self;
    snprintf(told + strlen(told), sizeof told - strlen(told), "%s", words);
}

static int create(const how *way, corio_runtime **ret)
{
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = way->workers;
    options.wait_mode = way->wait_mode;
    options.sim_seed = way->sim_seed;
    options.batch_log = way->log;
    options.report = tell;
    options.max_stacks = 4096;
    *(way->replay ? &options.replay : &options.record) = record_path;
    calls = 0;
    told[0] = '\0';
    memset(results, 0, sizeof results);
    return corio_runtime_create(&options, ret);
}

static void add_all(corio_runtime *runtime)
{
    add(runtime, "plain", answer_plain, &plain);
    add(runtime, "sliced", cut, &sliced);
    add(runtime, "flaky", answer_flaky, &flaky);
    add(runtime, "texts", answer_later, &texts);
    add(runtime, "cached", cut, &cached);
}

/* Two runs of one runtime. Returns what the second gave; sums[i]: of the results of run i. */
static int run_twice(const how *way, uint64_t sums[2])
{
    corio_runtime *runtime;
    int rc = create(way, &runtime);
    if (rc != 0)
        return rc;
    assert_int_equal(corio_runtime_replaying(runtime), way->replay);
    assert_int_equal(corio_runtime_recording(runtime), !way->replay);
    add_all(runtime);
    for (int run = 0; run < 2; run++) {
        seed = mix((uint64_t)run);
        rc = corio_run(runtime, program, NULL);
        sums[run] = 0;
        for (int i = 0; i < tasks; i++)
            sums[run] = mix(sums[run] ^ results[i]);
    }
    assert_int_equal(calls == 0, way->replay);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    return rc;
}

static void replays_are_as_recorded(corio_wait_mode wait_mode, uint64_t sim_seed)
{
    uint64_t sums[2], again[2];
    size_t bytes, bytes_again;
    assert_int_equal(run_twice(&(how){3, wait_mode, false, sim_seed, log_path}, sums), 0);
    char *log = read_whole(log_path, &bytes);
    for (unsigned i = 0; i < worker_count_count + 2; i++) {
        /* The recorded wait mode holds, whatever the options say. */
        const how way = {worker_counts[i % worker_count_count], CORIO_WAIT_STREAMING, true,
                         i < worker_count_count ? 0 : i, log_path};
        int rc = run_twice(&way, again);
        if (rc != 0)
            fprintf(stderr, "%s", told);
        assert_int_equal(rc, 0);
        assert_memory_equal(sums, again, sizeof sums);
        char *log_again = read_whole(log_path, &bytes_again);
        assert_int_equal(bytes, bytes_again);
        assert_memory_equal(log, log_again, bytes);
        free(log_again);
    }
    free(log);
}

static void replay_gives_the_same_batches_and_answers(void **state)
{
    (void)state;
    task_count = tasks;
    for (int round = 0; round < 8; round++) {
        replays_are_as_recorded(CORIO_WAIT_STREAMING, 0);
        replays_are_as_recorded(CORIO_WAIT_STRICT, 0);
    }
}

static void simulation_is_recorded_and_replayed(void **state)
{
    (void)state;
    task_count = tasks;
    for (uint64_t sim_seed = 1; sim_seed < 20; sim_seed++)
        replays_are_as_recorded(CORIO_WAIT_STREAMING, sim_seed);
}

/* -- Clocks -- */

/* Puts off when nobody waits any more. */
static int put_off_the_cancelled(void *arg, corio_batch *batch)
{
    (void)arg;
    while (!corio_batch_cancelled(batch, 0))
        sched_yield();
    corio_batch_retry(batch, 0, 1000);
    return CORIO_DONE;
}

static int answer_the_cancelled(void *self, corio_batch *batch)
{
    ADD(calls);
    int rc = corio_batch_submit(batch, put_off_the_cancelled, self);
    return rc < 0 ? rc : CORIO_LATER;
}

static int sleeper(void *arg)
{
    (void)arg;
    uint64_t value = 1;
    CHECK(corio_sleep(3000000) == 0);
    return corio_io(plain, &value, &value);
}

static int ask_in_vain(void *arg)
{
    (void)arg;
    uint64_t value = 5;
    int rc = corio_io(flaky, &value, &value);
    CHECK(rc == -ECANCELED || rc == -ETIMEDOUT);
    return 0;
}

/* The sleep is over before there is a deadline: what comes first is no matter of the machine. */
static int limited(void *arg)
{
    corio_group *group;
    CHECK(corio_go(ask_in_vain, arg) == 0);
    CHECK(corio_group_open(NULL, &group) == 0 && corio_group_go(group, sleeper, arg) == 0);
    CHECK(corio_group_close(group) == 0);
    CHECK(corio_set_deadline(corio_now_ns() + 3000000) == 0);
    return corio_wait();
}

/* In a replay the request fails when it did then, whether the deadline has passed again or not. */
static int limited_root(void *arg)
{
    CHECK(corio_go(limited, NULL) == 0);
    int rc = corio_wait();
    CHECK(rc == -ETIMEDOUT || (rc == 0 && corio_runtime_replaying(arg)));
    return 0;
}

/* A sleep is slept again, and a request that was put off until nobody waited for it fails again. */
static void clocks_go_on(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        corio_runtime *runtime;
        assert_int_equal(create(&(how){.workers = 2, .replay = i > 0}, &runtime), 0);
        add(runtime, "plain", answer_plain, &plain);
        add(runtime, "slow", answer_the_cancelled, &flaky);
        int rc = corio_run(runtime, limited_root, runtime);
        assert_string_equal(told, "");
        assert_int_equal(rc, 0);
        assert_int_equal(calls == 0, i > 0);
        assert_int_equal(corio_runtime_destroy(runtime), 0);
    }
}

/* -- Equal requests that are put off -- */

/* Puts off at once, then for a while, then answers. */
static int answer_at_the_third(void *self, corio_batch *batch)
{
    if (calls >= 2)
        return answer_plain(self, batch);
    for (size_t i = 0; i < corio_batch_len(batch); i++)
        corio_batch_retry(batch, i, calls == 0 ? 0 : 1000);
    ADD(calls);
    return CORIO_DONE;
}

static int ask_shared(void *arg)
{
    uint64_t number = *(uint64_t *)arg, answer = 0;
    CHECK(corio_io(shared, &number, &answer) == 0 && answer == mix(number));
    return 0;
}

static int share(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < 6; i++) {
        uint64_t number = i % 2;
        CHECK(corio_go_copy(ask_shared, &number, sizeof number) == 0);
    }
    return corio_wait();
}

static void run_shared(corio_dispatch_fn *fn, corio_task_fn *root, bool replay)
{
    corio_runtime *runtime;
    assert_int_equal(create(&(how){.workers = 2, .replay = replay}, &runtime), 0);
    add(runtime, "plain", answer_plain, &plain);
    add(runtime, "shared", fn, &shared);
    assert_int_equal(corio_run(runtime, root, NULL), 0);
    assert_string_equal(told, "");
    assert_int_equal(calls == 0, replay);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
}

static void requests_asked_once_are_put_off_again(void **state)
{
    (void)state;
    run_shared(answer_at_the_third, share, false);
    run_shared(answer_at_the_third, share, true);
}

static uint64_t delay_ns;
static unsigned may_be_put_off, times_asked;
static int asker_code, follower_code;

static int put_off_when_told(void *arg, corio_batch *batch)
{
    (void)arg;
    while (__atomic_load_n(&may_be_put_off, __ATOMIC_ACQUIRE) == 0)
        sched_yield();
    corio_batch_retry(batch, 0, delay_ns);
    return CORIO_DONE;
}

static int answer_the_second(void *self, corio_batch *batch)
{
    ADD(calls);
    if (ADD(times_asked) > 1)
        return answer_plain(self, batch);
    int rc = corio_batch_submit(batch, put_off_when_told, self);
    return rc < 0 ? rc : CORIO_LATER;
}

static int ask_and_note(void *code)
{
    uint64_t number = 7, answer = 0;
    *(int *)code = corio_io(shared, &number, &answer);
    return 0;
}

/* The one whose request has gone out gives up; another waits for the answer. */
static int give_up_root(void *arg)
{
    uint64_t value = 1;
    corio_group *group;
    CHECK(corio_group_open(NULL, &group) == 0);
    CHECK(corio_group_go(group, ask_and_note, &asker_code) == 0);
    CHECK(corio_go(ask_and_note, &follower_code) == 0);
    CHECK(corio_io(plain, &value, &value) == 0);
    CHECK(corio_group_cancel(group, -EINTR) == 0 && corio_io(plain, &value, &value) == 0);
    __atomic_store_n(&may_be_put_off, 1, __ATOMIC_RELEASE);
    CHECK(corio_group_close(group) == -EINTR && asker_code == -ECANCELED);
    (void)arg;
    return corio_wait();
}

static void a_request_put_off_goes_on_for_who_still_waits(void **state)
{
    (void)state;
    for (delay_ns = 0; delay_ns <= 1000; delay_ns += 1000) {
        for (int i = 0; i < 3; i++) {
            may_be_put_off = times_asked = 0;
            asker_code = follower_code = 1;
            run_shared(answer_the_second, give_up_root, i > 0);
            assert_int_equal(asker_code, -ECANCELED);
            assert_int_equal(follower_code, 0);
            assert_int_equal(times_asked, i > 0 ? 0 : 2);
        }
    }
}

/* -- Programs that have changed -- */

static void changed_program_is_named(void **state)
{
    (void)state;
    uint64_t sums[2];
    task_count = 10;
    assert_int_equal(run_twice(&(how){.workers = 3}, sums), 0);
    for (unsigned i = 0; i < worker_count_count; i++) {
        const how replay = {.workers = worker_counts[i], .replay = true};
        odd_one = 7;
        assert_int_equal(run_twice(&replay, sums), CORIO_EDIFFERENT);
        assert_non_null(strstr(told, "differs from the recorded one at line"));
        assert_non_null(strstr(told, "(7)\t"));
        assert_non_null(strstr(told, "now:      "));
        odd_one = -1;
        task_count = 9;
        assert_int_equal(run_twice(&replay, sums), CORIO_EDIFFERENT);
        assert_non_null(strstr(told, "recorded: 0\tsliced\t9\t(9)\t"));
        task_count = 11;
        assert_int_equal(run_twice(&replay, sums), CORIO_EDIFFERENT);
        assert_non_null(strstr(told, "\t(10)\t"));
        task_count = 10;
        assert_int_equal(run_twice(&replay, sums), 0);
        assert_string_equal(told, "");
    }
}

static int ask_once(void *arg)
{
    (void)arg;
    uint64_t value = 1;
    return corio_io(plain, &value, &value);
}

static int ask_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void fewer_and_more_runs_are_named(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        corio_runtime *runtime;
        assert_int_equal(create(&(how){.workers = 1, .replay = i > 0}, &runtime), 0);
        add(runtime, "plain", answer_plain, &plain);
        assert_int_equal(corio_run(runtime, i == 3 ? ask_nothing : ask_once, NULL),
                         i == 3 ? CORIO_EDIFFERENT : 0);
        if (i == 2)
            assert_int_equal(corio_run(runtime, ask_once, NULL), CORIO_EDIFFERENT);
        if (i >= 2)
            assert_string_not_equal(told, "");
        assert_int_equal(corio_runtime_destroy(runtime), 0);
    }
}

static void answers_that_do_not_fit_are_named(void **state)
{
    (void)state;
    uint64_t sums[2];
    task_count = 10;
    assert_int_equal(run_twice(&(how){.workers = 1}, sums), 0);
    bad_hooks = true;
    assert_int_equal(run_twice(&(how){.workers = 2, .replay = true}, sums), CORIO_ERECORDING);
    bad_hooks = false;
    assert_string_not_equal(told, "");
}

/* -- Damaged files -- */

static int small_program(void *arg)
{
    uint64_t *value = arg;
    int rc = ask_text(value);
    return rc == 0 ? ask_several(value) : rc;
}

/* *value: what the program comes to. */
static int run_small(bool replay, uint64_t *ret_value)
{
    corio_runtime *runtime;
    int rc = create(&(how){.workers = 1, .replay = replay}, &runtime);
    if (rc != 0)
        return rc;
    add_all(runtime);
    *ret_value = 1;
    rc = corio_run(runtime, small_program, ret_value);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    return rc;
}

/* A small recording with all kinds of frames. */
static char *small_recording(size_t *ret_bytes, uint64_t *ret_value)
{
    char *content = NULL;
    do { /* the retries are up to chance */
        assert_int_equal(run_small(false, ret_value), 0);
        free(content);
        content = read_whole(record_path, ret_bytes);
    } while (*ret_bytes < 1400 || *ret_bytes > 1700);
    return content;
}

/* Any error will do, as long as the run ends; without one, the result is right. */
static int replay_of(const char *content, size_t bytes, const uint64_t *value)
{
    uint64_t now;
    write_whole(record_path, content, bytes);
    int rc = run_small(true, &now);
    if (rc == 0 && value != NULL)
        assert_int_equal(now, *value);
    return rc;
}

/* The end of the last frame but one: from there on nothing is missed. */
enum { end_frame_bytes = 24 };

static void cut_off_file_is_named(void **state)
{
    (void)state;
    uint64_t value;
    size_t bytes;
    char *content = small_recording(&bytes, &value);
    for (size_t length = 0; length <= bytes; length++)
        assert_int_equal(replay_of(content, length, &value),
                         length >= bytes - end_frame_bytes ? 0 : CORIO_ERECORDING);
    free(content);
}

static void flipped_bit_is_named(void **state)
{
    (void)state;
    uint64_t value;
    size_t bytes;
    char *content = small_recording(&bytes, &value);
    for (size_t at = 0; at < bytes; at++) {
        char bit = (char)(1 << mix(at) % 8);
        content[at] = (char)(content[at] ^ bit);
        assert_int_equal(replay_of(content, bytes, &value),
                         at >= bytes - end_frame_bytes ? 0 : CORIO_ERECORDING);
        content[at] = (char)(content[at] ^ bit);
    }
    free(content);
}

typedef struct frame_head {
    uint32_t type, check;
    uint64_t count;
} frame_head;

enum { header_bytes = 32 };

/* Makes the hashes of a frame right again. */
static void sign(char *frame)
{
    frame_head head;
    memcpy(&head, frame, sizeof head);
    uint64_t hash = corio_hash_bytes(CORIO_HASH_BEGIN, &head.type, sizeof head.type);
    head.check = (uint32_t)corio_hash_bytes(hash, &head.count, sizeof head.count);
    memcpy(frame, &head, sizeof head);
    hash = corio_hash_bytes(CORIO_HASH_BEGIN, frame, sizeof head + (size_t)head.count);
    memcpy(frame + sizeof head + head.count, &hash, sizeof hash);
}

static size_t frame_bytes(const char *frame)
{
    frame_head head;
    memcpy(&head, frame, sizeof head);
    return sizeof head + (size_t)head.count + sizeof(uint64_t);
}

/* Files that no accident makes: each frame is whole, but says something else. */
static void forged_file_does_no_harm(void **state)
{
    (void)state;
    uint64_t value, chance = 0;
    size_t bytes;
    char *content = small_recording(&bytes, &value);
    char *forged = malloc(2 * bytes);
    assert_non_null(forged);
    for (size_t at = header_bytes; at < bytes; at += frame_bytes(content + at)) {
        size_t whole = frame_bytes(content + at), payload = whole - end_frame_bytes;
        for (size_t i = 0; i < 4 + payload / 2; i++) { /* another payload, or another type */
            memcpy(forged, content, bytes);
            uint64_t random = mix(chance++);
            size_t where = i < 4 || payload == 0 ? 0 : sizeof(frame_head) + random % payload;
            forged[at + where] =
                where == 0 ? (char)(random % 12) : (char)(forged[at + where] ^ 1 << random / 7 % 8);
            sign(forged + at);
            (void)replay_of(forged, bytes, NULL);
        }
        memcpy(forged, content, at); /* twice, and left out */
        memcpy(forged + at, content + at, whole);
        memcpy(forged + at + whole, content + at, bytes - at);
        (void)replay_of(forged, bytes + whole, NULL);
        memmove(forged + at, content + at + whole, bytes - at - whole);
        (void)replay_of(forged, bytes - whole, NULL);
    }
    free(forged);
    free(content);
}

/* A length that no memory would be enough for. */
static void long_length_is_not_believed(void **state)
{
    (void)state;
    uint64_t value;
    size_t bytes;
    char *content = small_recording(&bytes, &value);
    frame_head head = {.type = 2, .count = UINT64_MAX - 100};
    uint64_t hash = corio_hash_bytes(CORIO_HASH_BEGIN, &head.type, sizeof head.type);
    head.check = (uint32_t)corio_hash_bytes(hash, &head.count, sizeof head.count);
    size_t second = header_bytes + frame_bytes(content + header_bytes);
    memcpy(content + second, &head, sizeof head);
    assert_int_equal(replay_of(content, bytes, NULL), CORIO_ERECORDING);
    free(content);
}

/* -- Options -- */

static void bad_options_are_refused(void **state)
{
    (void)state;
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    options.record = record_path;
    options.replay = log_path;
    assert_int_equal(corio_runtime_create(&options, &runtime), -EINVAL);
    options.replay = NULL;
    assert_int_equal(setenv("CORIO_REPLAY", record_path, 1), 0);
    assert_int_equal(corio_runtime_create(&options, &runtime), -EINVAL);
    options.record = NULL;
    write_whole(record_path, "no recording, but a text of some length", 39);
    assert_int_equal(corio_runtime_create(&options, &runtime), CORIO_ERECORDING);
    assert_int_equal(setenv("CORIO_REPLAY", "/nonexistent/file", 1), 0);
    assert_int_equal(corio_runtime_create(&options, &runtime), -ENOENT);
    unsetenv("CORIO_REPLAY");
    assert_int_equal(setenv("CORIO_RECORD", "/nonexistent/file", 1), 0);
    assert_int_equal(corio_runtime_create(&options, &runtime), -ENOENT);
    assert_int_equal(setenv("CORIO_RECORD", record_path, 1), 0);
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    unsetenv("CORIO_RECORD");
    assert_true(corio_runtime_recording(runtime));
    corio_dispatcher_options with = {
        .size = sizeof with, .name = "it", .dispatch = answer_all, .not_recorded = true};
    assert_int_equal(corio_dispatcher_add(runtime, &with, &plain), -ENOTSUP);
    with.not_recorded = false;
    with.save = save_text;
    assert_int_equal(corio_dispatcher_add(runtime, &with, &plain), -EINVAL);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    assert_false(corio_runtime_replaying(NULL));
    assert_false(corio_runtime_recording(NULL));
    assert_int_equal(corio_sink_write(NULL, "", 1), -EINVAL);
}

static int save_never(void *self, const void *input, const void *output, int status,
                      corio_sink *sink)
{
    (void)self;
    (void)input;
    (void)output;
    (void)status;
    return corio_sink_write(sink, NULL, 1) == -EINVAL ? -EOVERFLOW : 0;
}

static void refused_answer_ends_the_recording_and_not_the_run(void **state)
{
    (void)state;
    corio_runtime *runtime;
    assert_int_equal(create(&(how){.workers = 1}, &runtime), 0);
    corio_dispatcher_options with = {.size = sizeof with,
                                     .name = "it",
                                     .dispatch = answer_plain,
                                     .input_bytes = 8,
                                     .output_bytes = 8,
                                     .save = save_never,
                                     .restore = restore_text};
    assert_int_equal(corio_dispatcher_add(runtime, &with, &plain), 0);
    assert_int_equal(corio_run(runtime, ask_once, NULL), 0);
    assert_int_equal(corio_runtime_destroy(runtime), -EOVERFLOW);
}

int main(void)
{
    close(mkstemp(record_path));
    close(mkstemp(log_path));
    const struct CMUnitTest tests_of_it[] = {
        cmocka_unit_test(replay_gives_the_same_batches_and_answers),
        cmocka_unit_test(simulation_is_recorded_and_replayed),
        cmocka_unit_test(clocks_go_on),
        cmocka_unit_test(requests_asked_once_are_put_off_again),
        cmocka_unit_test(a_request_put_off_goes_on_for_who_still_waits),
        cmocka_unit_test(changed_program_is_named),
        cmocka_unit_test(fewer_and_more_runs_are_named),
        cmocka_unit_test(answers_that_do_not_fit_are_named),
        cmocka_unit_test(cut_off_file_is_named),
        cmocka_unit_test(flipped_bit_is_named),
        cmocka_unit_test(forged_file_does_no_harm),
        cmocka_unit_test(long_length_is_not_believed),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(refused_answer_ends_the_recording_and_not_the_run),
    };
    int failed = cmocka_run_group_tests(tests_of_it, NULL, NULL);
    unlink(record_path);
    unlink(log_path);
    return failed;
}
