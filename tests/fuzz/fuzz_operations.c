/* SPDX-License-Identifier: MIT
 *
 * Operations from bytes: tasks and dispatchers that do what an input says, in a simulation whose seed the
 * input gives too. So a run is a matter of the input alone, and a finding is a file.
 *
 * All tasks read from the same bytes, each the next one; behind the end they read zeroes, for which a
 * task returns and a dispatcher answers. So every input comes to its end, unless it deadlocks: then the
 * library must say so and let all tasks go.
 *
 * Checked: what stress_torture checks. Every task that starts ends, every cleanup runs once, one task at a
 * time holds a mutex, an answer is one's own, a call returns a code that it may return, and after the
 * run nothing is left.
 */
#include <corio.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { most_tasks = 200, most_depth = 6, mutex_count = 3, dispatcher_count = 3 };

static const uint8_t *bytes_at, *bytes_end;
static corio_runtime *runtime;
static corio_dispatcher *dispatchers[dispatcher_count];
static corio_flight *flight;
static corio_mutex mutexes[mutex_count];
static unsigned inside[mutex_count];
static corio_waitgroup waitgroup;
static unsigned started, ended, cleanups_due, cleanups_run;
static corio_canceller canceller;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned next_byte(void)
{
    return bytes_at < bytes_end ? *bytes_at++ : 0;
}

/* -- Dispatchers -- */

static uint64_t answer_to(uint64_t question)
{
    return question * 0x9e3779b97f4a7c15u + 1;
}

static void answer_one(corio_batch *batch, size_t i)
{
    const uint64_t *input = corio_batch_input(batch, i);
    CHECK(input != NULL);
    *(uint64_t *)corio_batch_output(batch, i) = answer_to(*input);
    CHECK(corio_batch_respond(batch, i) == 0);
}

static int answer(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        switch (next_byte() % 16) {
        case 1:
            CHECK(corio_batch_fail(batch, i, -EIO) == 0);
            break;
        case 2:
            CHECK(corio_batch_retry(batch, i, 0) == 0);
            break;
        case 3:
            CHECK(corio_batch_retry(batch, i, next_byte() * 1000) == 0);
            break;
        case 4: /* left out */
            break;
        case 5: /* twice */
            answer_one(batch, i);
            CHECK(corio_batch_respond(batch, i) == CORIO_EANSWERED);
            break;
        case 6:
            CHECK(corio_batch_respond(batch, corio_batch_len(batch)) == CORIO_EINDEX);
            answer_one(batch, i);
            break;
        default:
            answer_one(batch, i);
        }
    }
    return next_byte() % 8 == 7 ? -EHOSTDOWN : CORIO_DONE;
}

static int dispatch(void *self, corio_batch *batch)
{
    size_t count = corio_batch_len(batch);
    unsigned choice = next_byte();
    corio_batch *slice, *other;
    if (choice % 32 == 31)
        corio_canceller_cancel(&canceller, -EINTR);
    switch (choice % 4) {
    case 1: /* whole, by an I/O thread */
        return corio_batch_submit(batch, answer, self) == 0 ? CORIO_LATER : answer(self, batch);
    case 2: /* the first half by an I/O thread, the rest here */
        CHECK(corio_batch_slice(batch, 0, count / 2 + 1, &slice) == 0);
        CHECK(corio_batch_slice(batch, count / 2, 1, &other) ==
              (count > 2 ? CORIO_ECARVED : CORIO_ECOMPLETED));
        CHECK(corio_batch_submit(slice, answer, self) == 0);
        for (size_t i = count / 2 + 1; i < count; i++)
            answer_one(batch, i);
        return CORIO_DONE;
    case 3: /* one by one, completed here, in reverse */
        for (size_t i = count; i-- > 0;) {
            CHECK(corio_batch_slice(batch, i, 1, &slice) == 0);
            answer_one(slice, 0);
            CHECK(corio_batch_complete(slice) == 0);
        }
        return CORIO_DONE;
    default:
        return answer(self, batch);
    }
}

/* -- Tasks -- */

typedef struct local {
    int depth;
    unsigned held; /* mutexes, a bit each */
    unsigned added;
    corio_group *group;
} local;

static int task(void *arg);

static bool gave_up(int rc)
{
    return rc == -ECANCELED || rc == -ETIMEDOUT || rc == -EDEADLK;
}

static uint64_t some_deadline(void)
{
    unsigned choice = next_byte();
    return choice % 2 ? corio_now_ns() + choice * 200 : UINT64_MAX;
}

static int ask(void)
{
    uint64_t input[3], output[3];
    corio_request requests[3];
    size_t count = next_byte() % 3 + 1;
    for (size_t i = 0; i < count; i++) {
        input[i] = next_byte();
        requests[i] = (corio_request){.dispatcher = dispatchers[input[i] % dispatcher_count],
                                      .input = &input[i],
                                      .output = &output[i]};
    }
    int rc = corio_io_all_until(requests, count, some_deadline());
    for (size_t i = 0; i < count; i++) {
        int status = requests[i].status;
        CHECK(status == 0 || gave_up(status) || status == -EIO || status == -EHOSTDOWN ||
              status == CORIO_EUNANSWERED || status == CORIO_EANSWERED);
        if (status == 0)
            CHECK(output[i] == answer_to(input[i]));
    }
    CHECK(count > 1 || rc == requests[0].status);
    return rc;
}

static int lock(local *mine)
{
    unsigned which = next_byte() % mutex_count;
    int rc = corio_mutex_lock_until(&mutexes[which], some_deadline());
    if (mine->held & 1u << which) {
        CHECK(rc == -EDEADLK);
        return 0;
    }
    if (rc != 0) {
        CHECK(gave_up(rc));
        return rc;
    }
    CHECK(++inside[which] == 1);
    mine->held |= 1u << which;
    return 0;
}

static void unlock(local *mine, unsigned which)
{
    if (!(mine->held & 1u << which)) {
        CHECK(corio_mutex_unlock(&mutexes[which]) == -EPERM);
        return;
    }
    CHECK(--inside[which] == 0);
    mine->held &= ~(1u << which);
    CHECK(corio_mutex_unlock(&mutexes[which]) == 0);
}

static int make_value(void *arg, void *value)
{
    unsigned choice = next_byte();
    int rc = choice % 2 ? ask() : 0;
    if (choice % 16 == 8)
        corio_fail(-ENOENT, "made for key %u", *(unsigned *)arg);
    *(unsigned *)value = *(unsigned *)arg;
    return rc;
}

static int share(void)
{
    unsigned key = next_byte() % 4, value = 99;
    int rc = corio_do(flight, &key, sizeof key, make_value, &key, &value, NULL);
    CHECK(rc != 0 || value == key);
    return rc;
}

static int spawn(local *mine, corio_group *group)
{
    int depth = mine->depth - 1;
    unsigned choice = next_byte();
    int rc;
    if (depth < 0 || started >= most_tasks)
        return 0;
    if (choice % 4 == 1) {
        corio_go_options options = {.size = sizeof options,
                                    .name = "limited",
                                    .group = group,
                                    .copy_bytes = sizeof depth,
                                    .deadline_ns = choice % 8 == 1 ? some_deadline() : 0};
        rc = corio_go_with(&options, task, &depth);
    } else {
        rc = group != NULL ? corio_group_go_copy(group, task, &depth, sizeof depth)
                           : corio_go_copy(task, &depth, sizeof depth);
    }
    CHECK(rc == 0 || gave_up(rc));
    return rc;
}

static int use_group(local *mine)
{
    unsigned choice = next_byte();
    corio_group_options options = {.size = sizeof options,
                                   .window = choice % 8 == 1 ? 1 + choice / 64 : 0,
                                   .keep_going = choice % 2,
                                   .deadline_ns = choice % 8 == 3 ? some_deadline() : 0};
    if (mine->group == NULL)
        return corio_group_open(&options, &mine->group);
    switch (choice % 4) {
    case 0:
        return corio_group_cancel(mine->group, -EINTR);
    case 1: {
        corio_group *group = mine->group;
        mine->group = NULL;
        return corio_group_close(group);
    }
    case 2:
        return corio_group_wait_until(mine->group, some_deadline());
    default:
        return spawn(mine, mine->group);
    }
}

static int use_waitgroup(local *mine)
{
    switch (next_byte() % 4) {
    case 0:
        if (mine->added == 0)
            return 0;
        mine->added--;
        CHECK(corio_waitgroup_done(&waitgroup) == 0);
        return 0;
    case 1: {
        int rc = corio_waitgroup_wait_until(&waitgroup, some_deadline());
        CHECK(rc == 0 || gave_up(rc));
        return rc;
    }
    case 2:
        CHECK(corio_waitgroup_add(&waitgroup, -1000000) == CORIO_ENEGATIVE);
        return 0;
    default:
        mine->added++;
        CHECK(corio_waitgroup_add(&waitgroup, 1) == 0);
        return 0;
    }
}

static void clean_up(void *arg)
{
    (void)arg;
    cleanups_run++;
    if (next_byte() % 4 == 1)
        ask();
}

/* The first cleanup that a task registers, so the last that runs: it has let go of everything then. */
static void count_end(void *arg)
{
    local *mine = arg;
    for (unsigned i = 0; i < mutex_count; i++)
        if (mine->held & 1u << i)
            unlock(mine, i);
    for (; mine->added > 0; mine->added--)
        CHECK(corio_waitgroup_done(&waitgroup) == 0);
    free(mine);
    ended++;
}

static int step(local *mine, unsigned operation)
{
    switch (operation % 16) {
    case 1:
    case 2:
        return spawn(mine, NULL);
    case 3:
    case 4:
        return ask();
    case 5:
        return lock(mine);
    case 6:
        unlock(mine, next_byte() % mutex_count);
        return 0;
    case 7:
        return use_waitgroup(mine);
    case 8:
    case 9:
        return use_group(mine);
    case 10:
        return share();
    case 11:
        if (operation >= 128)
            corio_fail(-EILSEQ, "operation %u", operation);
        return operation >= 64 ? -ENOTTY : 0;
    case 12:
        cleanups_due++;
        CHECK(corio_defer(clean_up, NULL) == 0);
        return 0;
    case 13:
        return operation >= 128 ? corio_set_deadline(some_deadline())
                                : corio_sleep(next_byte() * 100);
    case 14:
        switch (operation / 64) {
        case 0:
            return corio_set_window(next_byte() % 3);
        case 1:
            return corio_cancel_children(-EINTR);
        case 2:
            return corio_shield(next_byte() % 2) < 0 ? -EPROTO : 0;
        default:
            return corio_set_keep_going(next_byte() % 2);
        }
    default:
        return corio_wait();
    }
}

static int task(void *arg)
{
    local *mine = calloc(1, sizeof *mine);
    CHECK(mine != NULL);
    mine->depth = *(int *)arg;
    started++;
    CHECK(corio_defer(count_end, mine) == 0);
    for (;;) {
        unsigned operation = next_byte();
        if (operation == 0)
            return 0;
        int rc = step(mine, operation);
        if (rc != 0 && next_byte() % 2)
            return rc;
    }
}

/* -- A run -- */

static void create(uint64_t seed, unsigned flags)
{
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = 1;
    options.sim_seed = seed + 1;
    options.io_permits = 2;
    options.max_stacks = 512;
    options.stack_bytes = 64 << 10;
    options.wait_mode = flags & 1 ? CORIO_WAIT_STRICT : CORIO_WAIT_STREAMING;
    CHECK(corio_runtime_create(&options, &runtime) == 0);
    for (int i = 0; i < dispatcher_count; i++) {
        corio_dispatcher_options plain = {.size = sizeof plain,
                                          .name = "fuzzed",
                                          .dispatch = dispatch,
                                          .input_bytes = sizeof(uint64_t),
                                          .output_bytes = sizeof(uint64_t),
                                          .max_batch = i == 1 ? 2 : 0,
                                          .max_in_flight = i == 2 ? 3 : 0};
        CHECK(corio_dispatcher_add(runtime, &plain, &dispatchers[i]) == 0);
    }
    CHECK(corio_flight_create(sizeof(unsigned), &flight) == 0);
}

static void check_end(int rc)
{
    const corio_error *error = corio_runtime_error(runtime);
    corio_stats stats = {.size = sizeof stats};
    CHECK((rc == 0) == (error == NULL) && (rc == 0 || error->code == rc));
    CHECK(started == ended && cleanups_due == cleanups_run);
    CHECK(corio_flight_count(flight) == 0);
    CHECK(corio_waitgroup_count(&waitgroup) == 0);
    for (int i = 0; i < mutex_count; i++)
        CHECK(inside[i] == 0 && corio_mutex_destroy(&mutexes[i]) == 0);
    CHECK(corio_runtime_stats(runtime, &stats) == 0 && stats.stacks_in_use == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes_at = data;
    bytes_end = data + size;
    started = ended = cleanups_due = cleanups_run = 0;
    memset(&canceller, 0, sizeof canceller);
    uint64_t seed = next_byte();
    create(seed, next_byte());
    corio_run_options options = {.size = sizeof options, .name = "fuzz", .canceller = &canceller};
    int depth = most_depth;
    check_end(corio_run_with(runtime, &options, task, &depth));
    CHECK(corio_flight_destroy(flight) == 0);
    CHECK(corio_runtime_destroy(runtime) == 0);
    return 0;
}
