/* SPDX-License-Identifier: MIT
 *
 * Torture: random trees of tasks that do everything there is, from a seed.
 *
 * What a task does depends on its seed alone; what becomes of it also depends on the others, on
 * clocks and on threads. So the invariants are checked, not the results:
 *
 *   - every task that starts ends, and every cleanup runs once
 *   - one task at a time is in a critical section, also through I/O and cancellation
 *   - a request is answered once, with its own answer
 *   - also where equal ones are asked once and answers are kept: none is older than what had been
 *     invalidated when it was asked for
 *   - a shared result is one that somebody has just made
 *   - no more permits are out than there are; readers and writers are not inside together
 *   - what was sent into channels has been received, or is there still; of a select one case is done
 *   - after the run nothing is left: no key in flight, no mutex held, no stack in use
 *
 * In a simulation the same seed gives the same run, so the results are checked as well: every
 * eighth is run twice.
 *
 * How it is called: usage() below.
 */
#include "soak.h"
#include "stress.h"

#include <corio.h>
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>

enum {
    mutexes = 4,
    most_depth = 5,
    key_count = 8,
    permits = 3,
    channel_count = 3,
    seeds_per_runtime = 15,
    dispatcher_count = 6,
    first_reusing = 4, /* from this one on equal requests are asked once */
    page_count = 48,
    version_bits = 24,
    cache_bytes = 3000 /* for some 20 pages */
};

typedef struct locked {
    corio_mutex mutex;
    unsigned inside;
} locked;

static corio_runtime *runtime;
static corio_dispatcher *dispatchers[dispatcher_count];
static corio_flight *flight;
static locked sections[mutexes];
static unsigned started, ended, cleanups_due, cleanups_run;
static unsigned made[key_count];
static uint64_t all_started, all_requests, failed_runs, all_hits;

/* What tasks share in further ways. */
static struct {
    corio_semaphore semaphore;
    unsigned out; /* permits */
    corio_rwlock lock;
    unsigned readers, writers;
    corio_channel *channels[channel_count];
    uint64_t sent, sent_sum, received, received_sum;
    corio_mutex mutex;
    corio_condition changed;
    corio_once once;
    unsigned done;
    corio_barrier barrier;
} shared;
static const char key;
static corio_canceller canceller;
static uint64_t early_seed;         /* decides which dispatchers hand over early */
static uint64_t simulated, history; /* what has happened: in a simulation, a matter of the seed */

/* Notes something that is up to timing in a real run. */
static void happened(uint64_t what)
{
    if (simulated != 0)
        history = mix(history ^ what);
}

#define COUNT(counter) __atomic_add_fetch(&(counter), 1, __ATOMIC_RELAXED)
#define VALUE(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)

typedef struct seed {
    uint64_t state;
    int depth;
} seed;

static uint64_t next(seed *from)
{
    return mix(from->state++);
}

/* -- Dispatchers: at once, with retries, in slices on threads, late -- */

/* What the dispatchers with dedup or cache are asked about: it changes. */
static struct {
    pthread_mutex_t lock; /* who changes something */
    uint64_t version;
    uint64_t known; /* the version that everybody may rely on */
} pages[page_count];

static uint64_t page_text(uint64_t page, uint64_t version)
{
    return mix(page) << version_bits | version;
}

static void answer_one(corio_batch *batch, size_t i)
{
    uint64_t input = *(const uint64_t *)corio_batch_input(batch, i);
    *(uint64_t *)corio_batch_output(batch, i) =
        input < page_count ? page_text(input, VALUE(pages[input].version)) : mix(input);
    CHECK(corio_batch_respond(batch, i) == 0);
}

/* A task, a dispatcher or a thread of its own changes a page. */
static void change_page(uint64_t choice)
{
    uint64_t page = choice % page_count;
    pthread_mutex_lock(&pages[page].lock);
    uint64_t version = COUNT(pages[page].version), text = page_text(page, version);
    for (unsigned i = first_reusing; i < dispatcher_count; i++) {
        if (choice % 64 == 0)
            (void)corio_cache_clear(dispatchers[i]);
        else if (choice % 3 == 0)
            (void)corio_cache_prime(dispatchers[i], &page, &text);
        else
            (void)corio_cache_invalidate(dispatchers[i], &page);
    }
    __atomic_store_n(&pages[page].known, version, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&pages[page].lock);
}

static int answer(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++)
        answer_one(batch, i);
    return CORIO_DONE;
}

static int answer_oddly(void *self, corio_batch *batch)
{
    (void)self;
    if (simulated % 4 == 1 && corio_batch_phase(batch) == simulated % 7)
        corio_canceller_cancel(&canceller, -EINTR);
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        uint64_t chance =
            mix(*(const uint64_t *)corio_batch_input(batch, i) + corio_batch_phase(batch));
        if (corio_batch_cancelled(batch, i) && chance % 2)
            corio_batch_fail(batch, i, -ESTALE);
        else if (chance % 5 == 0)
            corio_batch_retry(batch, i, 0);
        else if (chance % 5 == 1)
            corio_batch_retry(batch, i, chance % 100000);
        else if (chance % 11 == 2)
            corio_batch_fail(batch, i, -EIO);
        else
            answer_one(batch, i);
    }
    return CORIO_DONE;
}

static int answer_in_thread(void *arg, corio_batch *batch)
{
    if (corio_batch_len(batch) == 3)
        change_page(corio_batch_phase(batch));
    for (size_t i = 0; i < corio_batch_len(batch); i++) /* whoever holds it may look */
        CHECK(corio_batch_deadline(batch, i) > 0 || !corio_batch_cancelled(batch, i));
    for (uint64_t i = 0; i < corio_batch_len(batch) % 7; i++)
        sched_yield();
    return answer(arg, batch);
}

static int slice_up(void *self, corio_batch *batch)
{
    size_t count = corio_batch_len(batch), at = 0;
    while (at < count) {
        size_t size = 1 + mix(count + at) % 5;
        corio_batch *slice;
        if (size > count - at)
            size = count - at;
        CHECK(corio_batch_slice(batch, at, size, &slice) == 0);
        if (corio_batch_submit(slice, answer_in_thread, self) != 0) {
            answer(self, slice);
            corio_batch_complete(slice);
        }
        at += size;
    }
    return CORIO_DONE;
}

static int answer_or_slice_up(void *self, corio_batch *batch)
{
    return (corio_batch_phase(batch) % 2 ? slice_up : answer_oddly)(self, batch);
}

/* -- What a task can do -- */

static void clean_up(void *arg)
{
    seed mine = {(uint64_t)(uintptr_t)arg, 0};
    COUNT(cleanups_run);
    if (next(&mine) % 4 == 0) { /* cleanups are shielded: this goes out and comes back */
        uint64_t in = mine.state, out = 0;
        CHECK(corio_io(dispatchers[0], &in, &out) == 0 && out == mix(in));
    }
}

static int ask(seed *mine)
{
    uint64_t in[3], out[3], known[3] = {0};
    corio_request requests[3];
    uint64_t choice = next(mine);
    size_t count = choice % 3 == 0 ? 3 : 1;
    uint64_t limit = choice % 7 == 0 ? corio_now_ns() + choice % 200000 : UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        in[i] = next(mine);
        uint64_t to = in[i] % dispatcher_count;
        if (to >= first_reusing) {
            in[i] = in[i] / dispatcher_count % page_count;
            known[i] = VALUE(pages[in[i]].known);
        }
        requests[i] =
            (corio_request){.dispatcher = dispatchers[to], .input = &in[i], .output = &out[i]};
    }
    int rc = corio_io_all_until(requests, count, limit);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        uint64_t version = out[i] & (((uint64_t)1 << version_bits) - 1);
        CHECK(in[i] < page_count ? out[i] == page_text(in[i], version) && version >= known[i]
                                 : out[i] == mix(in[i]));
        happened(out[i]);
    }
    CHECK(rc == 0 || rc == -ECANCELED || rc == -ETIMEDOUT || rc == -EIO || rc == -ESTALE);
    return rc == -EIO || rc == -ESTALE || rc == -ETIMEDOUT ? 0 : rc;
}

static void leave_section(void *arg)
{
    locked *section = arg;
    CHECK(__atomic_sub_fetch(&section->inside, 1, __ATOMIC_RELAXED) == 0);
    CHECK(corio_mutex_unlock(&section->mutex) == 0);
}

/* One at a time, so that there is no deadlock; left by a cleanup or at once. */
static int lock(seed *mine, bool *held)
{
    uint64_t choice = next(mine);
    locked *section = &sections[choice % mutexes];
    uint64_t limit = choice % 3 == 0 ? corio_now_ns() + choice % 50000 : UINT64_MAX;
    if (*held)
        return 0;
    int rc = corio_mutex_lock_until(&section->mutex, limit);
    if (rc != 0) {
        CHECK(rc == -ECANCELED || rc == -ETIMEDOUT);
        return rc == -ETIMEDOUT ? 0 : rc;
    }
    CHECK(COUNT(section->inside) == 1);
    /* Children could wait for what is held until they are complete: so only a leaf holds on. */
    if (mine->depth == 0 && choice % 5 == 0 && corio_defer(leave_section, section) == 0) {
        *held = true;
        return 0;
    }
    rc = choice % 2 ? ask(mine) : 0;
    CHECK(VALUE(section->inside) == 1);
    leave_section(section);
    return rc;
}

static int make_value(void *arg, void *value)
{
    seed *mine = arg;
    unsigned which = (unsigned)(next(mine) % key_count);
    int rc = next(mine) % 2 ? ask(mine) : 0;
    if (rc == 0 && next(mine) % 16 == 0)
        corio_fail(-ENOENT, "made for key %u", which);
    *(unsigned *)value = COUNT(made[which]);
    return rc;
}

static int share(seed *mine)
{
    seed copy = *mine;
    unsigned which = (unsigned)(next(&copy) % key_count), value = 0;
    unsigned before = VALUE(made[which]);
    int rc = corio_do(flight, &which, sizeof which, make_value, mine, &value, NULL);
    if (rc == 0)
        CHECK(value >= before); /* one made before that was given to nobody else */
    CHECK(rc == 0 || rc == -ECANCELED || rc == -ENOENT);
    return rc == -ENOENT ? 0 : rc;
}

/* -- What tasks share: nobody waits for what only a task could do that waits itself -- */

static int take_permits(seed *mine)
{
    uint64_t choice = next(mine), count = 1 + choice % permits;
    uint64_t limit = choice % 4 == 0 ? corio_now_ns() + choice % 50000 : UINT64_MAX;
    int rc = corio_semaphore_acquire_until(&shared.semaphore, count, limit);
    if (rc != 0) {
        CHECK(rc == -ECANCELED || rc == -ETIMEDOUT);
        return rc == -ETIMEDOUT ? 0 : rc;
    }
    CHECK(__atomic_add_fetch(&shared.out, count, __ATOMIC_RELAXED) <= permits);
    rc = choice % 3 == 0 ? ask(mine) : 0;
    __atomic_sub_fetch(&shared.out, count, __ATOMIC_RELAXED);
    CHECK(corio_semaphore_release(&shared.semaphore, count) == 0);
    return rc;
}

static int read_or_write(seed *mine)
{
    uint64_t choice = next(mine);
    bool writes = choice % 3 == 0;
    unsigned *inside = writes ? &shared.writers : &shared.readers;
    uint64_t limit = choice % 4 == 0 ? corio_now_ns() + choice % 50000 : UINT64_MAX;
    int rc = writes ? corio_rwlock_write_until(&shared.lock, limit)
                    : corio_rwlock_read_until(&shared.lock, limit);
    if (rc != 0) {
        CHECK(rc == -ECANCELED || rc == -ETIMEDOUT);
        return rc == -ETIMEDOUT ? 0 : rc;
    }
    CHECK(COUNT(*inside) == 1 || !writes);
    rc = choice % 5 == 0 ? ask(mine) : 0;
    CHECK(writes ? VALUE(shared.readers) == 0 : VALUE(shared.writers) == 0);
    __atomic_sub_fetch(inside, 1, __ATOMIC_RELAXED);
    CHECK(corio_rwlock_unlock(&shared.lock) == 0);
    return rc;
}

static int pass_on(seed *mine)
{
    corio_select_case cases[4];
    uint64_t sent[4], received = 0;
    size_t count = 1 + next(mine) % 4;
    for (size_t i = 0; i < count; i++) {
        uint64_t choice = next(mine);
        corio_channel *channel = shared.channels[choice % channel_count];
        sent[i] = choice % 1000;
        cases[i] = choice % 2 ? corio_select_send(channel, &sent[i])
                              : corio_select_recv(channel, &received);
    }
    int chosen = corio_select_until(cases, count, corio_now_ns() + next(mine) % 50000);
    if (chosen < 0) {
        CHECK(chosen == -ECANCELED || chosen == -ETIMEDOUT);
        CHECK(received == 0);
        return chosen == -ETIMEDOUT ? 0 : chosen;
    }
    CHECK((size_t)chosen < count && cases[chosen].result == 0);
    bool sends = cases[chosen].direction == CORIO_SELECT_SEND;
    CHECK(!sends || received == 0);
    __atomic_add_fetch(sends ? &shared.sent : &shared.received, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(sends ? &shared.sent_sum : &shared.received_sum,
                       sends ? sent[chosen] : received, __ATOMIC_RELAXED);
    return 0;
}

static int wait_for_change(seed *mine)
{
    uint64_t choice = next(mine);
    if (choice % 2)
        return choice % 4 == 1 ? corio_condition_signal(&shared.changed)
                               : corio_condition_broadcast(&shared.changed);
    int rc = corio_mutex_lock(&shared.mutex);
    if (rc != 0) {
        CHECK(rc == -ECANCELED);
        return rc;
    }
    rc =
        corio_condition_wait_until(&shared.changed, &shared.mutex, corio_now_ns() + choice % 50000);
    CHECK(rc == 0 || rc == -ECANCELED || rc == -ETIMEDOUT);
    CHECK(corio_mutex_unlock(&shared.mutex) == 0); /* it is held in every case */
    return rc == -ETIMEDOUT ? 0 : rc;
}

static int do_once(void *arg)
{
    seed *mine = arg;
    CHECK(VALUE(shared.done) == 0);
    int rc = next(mine) % 2 ? ask(mine) : 0;
    if (next(mine) % 2)
        corio_fail(-ENOENT, "not this time");
    if (rc == 0)
        COUNT(shared.done);
    return rc;
}

static int need_once(seed *mine)
{
    int rc = corio_once_do(&shared.once, do_once, mine);
    CHECK(rc == 0 || rc == -ECANCELED);
    CHECK(rc != 0 || (VALUE(shared.done) == 1 && corio_once_is_done(&shared.once)));
    return rc;
}

static int meet(seed *mine)
{
    uint64_t choice = next(mine);
    int rc = corio_barrier_wait_until(&shared.barrier, corio_now_ns() + choice % 50000);
    if (rc == CORIO_EBROKEN && choice % 2)
        return corio_barrier_reset(&shared.barrier);
    CHECK(rc == 0 || rc == 1 || rc == CORIO_EBROKEN || rc == -ECANCELED || rc == -ETIMEDOUT);
    return rc == -ECANCELED ? rc : 0;
}

static int add_numbers(uint64_t begin, uint64_t end, void *arg, void *value)
{
    seed mine = {*(uint64_t *)arg + begin, 0};
    uint64_t sum = 0;
    for (uint64_t i = begin; i < end; i++)
        sum += i;
    *(uint64_t *)value = sum;
    return next(&mine) % 8 == 0 ? ask(&mine) : next(&mine) % 256 == 0 ? -ENOENT : 0;
}

static int add_sums(void *into, const void *next_sum, void *arg)
{
    (void)arg;
    *(uint64_t *)into += *(const uint64_t *)next_sum;
    return 0;
}

static int reduce(seed *mine)
{
    uint64_t choice = next(mine), count = choice % 50, sum = 0;
    int rc = corio_reduce(0, count, choice % 4, add_numbers, add_sums, &choice, &sum, sizeof sum);
    CHECK(rc == 0 || rc == -ECANCELED || rc == -ENOENT);
    CHECK(rc != 0 || count == 0 || sum == count * (count - 1) / 2);
    return rc == -ENOENT ? 0 : rc;
}

static int use_shared(seed *mine)
{
    switch (next(mine) % 8) {
    case 0:
        return take_permits(mine);
    case 1:
        return read_or_write(mine);
    case 2:
        return wait_for_change(mine);
    case 3:
        return need_once(mine);
    case 4:
        return meet(mine);
    case 5:
        return reduce(mine);
    case 6: {
        int rc = corio_yield();
        CHECK(rc == 0 || rc == -ECANCELED);
        return rc;
    }
    default:
        return pass_on(mine);
    }
}

static int task(void *arg);

static int spawn(seed *mine, corio_group *group)
{
    seed child = {next(mine), mine->depth - 1};
    uint64_t choice = next(mine);
    if (mine->depth == 0)
        return 0;
    if (choice % 6 == 0) {
        corio_go_options options = {.size = sizeof options,
                                    .name = "limited",
                                    .group = group,
                                    .copy_bytes = sizeof child,
                                    .deadline_ns = corio_now_ns() + choice % 300000,
                                    .key = &key,
                                    .value = (void *)&key};
        return corio_go_with(&options, task, &child);
    }
    return group != NULL ? corio_group_go_copy(group, task, &child, sizeof child)
                         : corio_go_copy(task, &child, sizeof child);
}

static int group_of_tasks(seed *mine)
{
    uint64_t choice = next(mine);
    corio_group *group;
    corio_group_options options = {.size = sizeof options,
                                   .window = (uint32_t)(choice % 4),
                                   .keep_going = choice % 3 == 0,
                                   .deadline_ns =
                                       choice % 5 == 0 ? corio_now_ns() + choice % 400000 : 0};
    int rc = corio_group_open(&options, &group);
    CHECK(rc == 0);
    for (uint64_t i = 0; rc == 0 && i < choice % 5; i++)
        rc = spawn(mine, group);
    if (choice % 7 == 0)
        CHECK(corio_group_cancel(group, -EINTR) == 0);
    if (choice % 11 == 0)
        return 0; /* left open */
    int ended_with = corio_group_close(group);
    return choice % 2 ? ended_with : 0;
}

static int step(seed *mine, bool *held)
{
    switch (next(mine) % 20) {
    case 0:
    case 1:
    case 2:
        return ask(mine);
    case 3:
        return lock(mine, held);
    case 4:
        return *held ? 0 : share(mine); /* whoever shares may wait for what needs the section */
    case 5:
        return *held ? 0 : corio_wait() == 0 ? 0 : -EPROTO;
    case 6:
        return *held ? 0 : group_of_tasks(mine);
    case 7:
        if (next(mine) % 2)
            return corio_sleep(next(mine) % 30000);
        change_page(next(mine));
        return 0;
    case 8:
        if (next(mine) % 4 == 0)
            corio_fail(-EILSEQ, "step %llu", (unsigned long long)mine->state);
        return next(mine) % 8 == 0 ? -ENOTTY : 0;
    case 9:
        return next(mine) % 8 == 0 ? corio_cancel_children(-EINTR) : 0;
    case 10:
        return next(mine) % 8 == 0 ? corio_set_deadline(corio_now_ns() + next(mine) % 500000) : 0;
    case 11:
        COUNT(cleanups_due);
        CHECK(corio_defer(clean_up, (void *)(uintptr_t)next(mine)) == 0);
        return 0;
    case 12:
        corio_log("step %llu", (unsigned long long)mine->state);
        return corio_cancelled() == 0 ? 0 : -ECANCELED;
    case 13:
    case 14:
    case 15:
        return *held ? 0 : use_shared(mine);
    default:
        return spawn(mine, NULL);
    }
}

static void count_end(void *arg)
{
    (void)arg;
    COUNT(ended);
}

static int task(void *arg)
{
    seed mine = *(seed *)arg;
    bool held = false;
    COUNT(started);
    happened(mine.state);
    CHECK(corio_defer(count_end, NULL) == 0);
    if (corio_local_get(&key) != NULL)
        CHECK(corio_local_get(&key) == &key);
    int rc = 0;
    for (uint64_t left = next(&mine) % 12; rc == 0 && left > 0; left--) {
        rc = step(&mine, &held);
        happened(mine.state + (uint64_t)rc);
        if (next(&mine) % 2 && rc != -ECANCELED)
            rc = 0; /* handled */
    }
    return rc;
}

static int root(void *arg)
{
    seed mine = *(seed *)arg;
    CHECK(corio_set_keep_going(mine.state % 8 != 0) == 0);
    for (uint64_t left = 1 + next(&mine) % 80; left > 0; left--) {
        seed child = {next(&mine), most_depth};
        int rc = corio_go_copy(task, &child, sizeof child);
        CHECK(rc == 0 || rc == -ECANCELED);
    }
    return corio_wait();
}

/* -- Running -- */

static void *cancel_somewhen(void *arg)
{
    uint64_t until = corio_now_ns() + (uint64_t)(uintptr_t)arg;
    while (corio_now_ns() < until)
        sched_yield();
    corio_canceller_cancel(&canceller, -EINTR);
    return NULL;
}

/* Some runtimes have dispatchers that hand over early, by count or by age, or both. */
static bool is_early(unsigned number, const corio_options *how)
{
    return how->wait_mode == CORIO_WAIT_STREAMING && mix(early_seed + number) % 3 == 0;
}

static void add(unsigned number, const char *name, corio_dispatch_fn *fn, size_t max_batch,
                size_t max_in_flight, size_t cached_bytes, const corio_options *how)
{
    corio_dispatcher_options options = {.size = sizeof options,
                                        .name = name,
                                        .dispatch = fn,
                                        .input_bytes = sizeof(uint64_t),
                                        .output_bytes = sizeof(uint64_t),
                                        .max_batch = max_batch,
                                        .max_in_flight = max_in_flight,
                                        .dedup = number >= first_reusing,
                                        .cache_bytes = cached_bytes};
    uint64_t choice = mix(early_seed ^ number);
    if (number < first_reusing && is_early(number, how)) {
        options.early_count = choice % 4 != 0 ? 1 + choice % 20 : 0;
        options.early_ns = choice % 4 <= 1 ? 1 + choice % 5000 : 0;
    }
    CHECK(corio_dispatcher_add(runtime, &options, &dispatchers[number]) == 0);
}

static corio_options options_for(unsigned workers, bool strict)
{
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = workers;
    options.sim_seed = simulated;
    options.io_permits = 3;
    options.wait_mode = strict ? CORIO_WAIT_STRICT : CORIO_WAIT_STREAMING;
    return options;
}

static void create(const corio_options *given)
{
    corio_options options = *given;
    if (early_seed % 2) /* somebody looks on; nothing takes that long */
        options.hold_ns = options.late_ns = 3600000000000;
    CHECK(corio_runtime_create(&options, &runtime) == 0);
    add(0, "plain", answer, 0, 0, 0, &options);
    add(1, "odd", answer_oddly, 7, 0, 0, &options);
    add(2, "sliced", slice_up, 0, 0, 0, &options);
    add(3, "limited", answer_oddly, 0, 3, 0, &options);
    add(4, "dedup", answer_or_slice_up, 0, 5, 0, &options);
    add(5, "cached", answer_or_slice_up, 4, 0, cache_bytes, &options);
    for (size_t i = 0; i < page_count; i++) {
        pthread_mutex_init(&pages[i].lock, NULL);
        pages[i].version = pages[i].known = 0;
    }
    CHECK(corio_flight_create(sizeof(unsigned), &flight) == 0);
    CHECK(corio_semaphore_init(&shared.semaphore, permits) == 0);
    for (size_t i = 0; i < channel_count; i++) /* one is a rendezvous */
        CHECK(corio_channel_create(sizeof(uint64_t), 2 * i, &shared.channels[i]) == 0);
    shared.sent = shared.received = shared.sent_sum = shared.received_sum = 0;
}

/* Nobody is left, and nothing is lost. */
static void check_shared(void)
{
    CHECK(corio_semaphore_count(&shared.semaphore) == permits && shared.out == 0);
    CHECK(corio_semaphore_wait_count(&shared.semaphore) == 0);
    CHECK(corio_rwlock_destroy(&shared.lock) == 0 && shared.readers == 0 && shared.writers == 0);
    CHECK(corio_mutex_destroy(&shared.mutex) == 0);
    CHECK(corio_condition_wait_count(&shared.changed) == 0);
    CHECK(shared.done == (corio_once_is_done(&shared.once) ? 1 : 0));
    CHECK(corio_barrier_wait_count(&shared.barrier) == 0);
    uint64_t inside = 0;
    for (size_t i = 0; i < channel_count; i++)
        inside += corio_channel_length(shared.channels[i]);
    CHECK(shared.sent == shared.received + inside);
    CHECK(inside > 0 || shared.sent_sum == shared.received_sum);
}

static void run_seed(uint64_t number)
{
    seed first = {mix(number), most_depth};
    corio_run_options options = {.size = sizeof options, .name = "torture"};
    bool from_outside = number % 4 == 0 && simulated == 0;
    pthread_t thread;
    started = ended = cleanups_due = cleanups_run = 0;
    shared.done = 0;
    shared.once = (corio_once)CORIO_ONCE_INIT;
    CHECK(corio_barrier_init(&shared.barrier, 3) == 0);
    memset(&canceller, 0, sizeof canceller);
    options.canceller = simulated != 0 ? &canceller : NULL;
    if (number % 5 == 0) /* the clock of a simulation begins at a second */
        options.deadline_ns =
            (simulated != 0 ? 1000000000 : corio_now_ns()) + mix(number) % 3000000;
    if (from_outside) {
        options.canceller = &canceller;
        CHECK(pthread_create(&thread, NULL, cancel_somewhen,
                             (void *)(uintptr_t)(mix(number) % 1000000)) == 0);
    }
    int rc = corio_run_with(runtime, &options, root, &first);
    if (from_outside)
        pthread_join(thread, NULL);
    all_started += started;
    failed_runs += rc != 0;
    const corio_error *error = corio_runtime_error(runtime);
    CHECK((rc == 0) == (error == NULL) && (rc == 0 || error->code == rc));
    CHECK(rc != -EDEADLK && corio_runtime_report(runtime)[0] == '\0');
    CHECK(started == ended && cleanups_due == cleanups_run);
    CHECK(corio_flight_count(flight) == 0);
    check_shared();
    corio_cache_stats cache = {.size = sizeof cache};
    CHECK(corio_cache_get_stats(dispatchers[5], &cache) == 0 && cache.bytes <= cache_bytes);
    CHECK(cache.entries <= page_count && (cache.entries == 0) == (cache.bytes == 0));
    all_hits += cache.hits;
    for (int i = 0; i < mutexes; i++)
        CHECK(sections[i].inside == 0 && corio_mutex_destroy(&sections[i].mutex) == 0);
    corio_stats stats = {.size = sizeof stats};
    corio_runtime_stats(runtime, &stats);
    CHECK(stats.stacks_in_use == 0);
}

/* What create has made; all of it must be at rest. */
static void destroy(void)
{
    corio_stats stats = {.size = sizeof stats};
    CHECK(corio_runtime_stats(runtime, &stats) == 0);
    all_requests += stats.requests;
    CHECK(corio_flight_destroy(flight) == 0);
    for (size_t i = 0; i < channel_count; i++)
        CHECK(corio_channel_destroy(shared.channels[i]) == 0);
    CHECK(corio_runtime_destroy(runtime) == 0);
}

static void run_seeds(const corio_options *options, uint64_t first, uint64_t count)
{
    unsigned workers = options->workers;
    early_seed = first / seeds_per_runtime;
    create(options);
    for (uint64_t number = first; number < first + count; number++) {
        static char fact[120];
        snprintf(fact, sizeof fact, "seed %llu on %u workers (replay: stress_torture 1 %llu %u)",
                 (unsigned long long)number, workers, (unsigned long long)number, workers);
        stress_fact = fact;
        alarm(watchdog_seconds);
        run_seed(number);
    }
    destroy();
}

/* A whole life of a runtime in a simulation; what happened in it. */
static uint64_t simulate_once(uint64_t number)
{
    static char fact[120];
    snprintf(fact, sizeof fact, "seed %llu (replay: stress_torture simulate %llu)",
             (unsigned long long)number, (unsigned long long)number);
    stress_fact = fact;
    alarm(watchdog_seconds);
    simulated = history = early_seed = number;
    corio_options options = options_for(1, number % 2);
    create(&options);
    memset(made, 0, sizeof made);
    run_seed(number);
    destroy();
    return history;
}

static void simulate_seeds(uint64_t first, uint64_t count)
{
    for (uint64_t number = first; number < first + count; number++) {
        uint64_t once = simulate_once(number);
        if (number % 8 == 0 || count == 1)
            CHECK(simulate_once(number) == once);
    }
    printf("%llu seeds, %llu tasks, %llu runs failed as they should\n", (unsigned long long)count,
           (unsigned long long)all_started, (unsigned long long)failed_runs);
}

static void torture_on(unsigned workers)
{
    uint64_t count = 60 * stress_factor;
    corio_options streaming = options_for(workers, false), strict = options_for(workers, true);
    for (uint64_t first = 0; first < count; first += seeds_per_runtime)
        run_seeds(&streaming, first, seeds_per_runtime);
    run_seeds(&strict, count, count / 4 + 1);
}

static void one_worker(void)
{
    torture_on(1);
}

static void two_workers(void)
{
    torture_on(2);
}

static void eight_workers(void)
{
    torture_on(8);
}

/* -- For long -- */

enum { soak_workers = 8 };

/* One runtime of a soak, with options, seeds and as many runs as the number says. */
static void live(uint64_t number, unsigned most_runs, soak_counts *counts)
{
    seed mine = {number, 0};
    uint64_t choice = next(&mine), runs = 1 + next(&mine) % most_runs;
    uint64_t started_before = all_started, requests_before = all_requests;
    corio_options options = options_for(soak_workers, choice % 4 == 0);
    options.io_permits = (unsigned)(1 + choice / 4 % 6);
    options.stack_bytes = (size_t)65536 << choice / 32 % 3;
    options.batch_log = choice / 128 % 8 == 0 ? "/dev/null" : NULL;
    options.trace = choice / 1024 % 8 == 0 ? "/dev/null" : NULL;
    memset(made, 0, sizeof made);
    run_seeds(&options, number >> 16, runs);
    counts->runs += runs;
    counts->tasks += all_started - started_before;
    counts->requests += all_requests - requests_before;
}

static int soak_for(double minutes, const char *leak)
{
    uint64_t first = (uint64_t)getpid() << 32 ^ corio_now_ns();
    printf("soak: %g minutes on %d workers, from number %llu\n", minutes, soak_workers,
           (unsigned long long)first);
    fflush(stdout);
    return soak(minutes, first, leak, live) ? stress_end() : 1;
}

static int usage(FILE *stream, int status)
{
    fputs(
        "Usage: stress_torture [FACTOR]\n"
        "           60 runs, times FACTOR, on 1, 2 and 8 workers\n"
        "       stress_torture FACTOR SEED [WORKERS]\n"
        "           FACTOR times the run of one seed (workers: 1)\n"
        "       stress_torture simulate [SEED [COUNT]]\n"
        "           simulations of 10,000 seeds; of one; of COUNT seeds from there on\n"
        "       stress_torture soak [MINUTES [LEAK]]\n"
        "           runtimes on 8 workers, one after the other, each with runs of new seeds, for\n"
        "           MINUTES (30), with a line a minute. Fails if memory, mappings, threads or "
        "file\n"
        "           descriptors grow. Ctrl-C ends it with the summary. LEAK (memory, mappings,\n"
        "           threads, files): loses some on purpose, to see that this is noticed\n",
        stream);
    return status;
}

static const double most_seed = 9007199254740992.0; /* a double has all up to there */

/* Argument i, a number from 0 to `most`; `otherwise` if there is none. */
static double argument(int argc, char **argv, int i, double most, double otherwise)
{
    if (i >= argc)
        return otherwise;
    char *end;
    double value = strtod(argv[i], &end);
    if (!isdigit((unsigned char)*argv[i]) || *end != '\0' || !(value <= most))
        exit(usage(stderr, 2));
    return value;
}

static int run_one_seed(uint64_t number, unsigned workers)
{
    corio_options options = options_for(workers, false);
    for (unsigned long i = 0; i < stress_factor; i++)
        run_seeds(&options, number, 1);
    return stress_end();
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "--help") == 0)
        return usage(stdout, 0);
    if (strcmp(command, "soak") == 0)
        signal(SIGINT, soak_stop); /* here, and in the child */
    stress_begin(argc, argv);
    if (strcmp(command, "soak") == 0)
        return soak_for(argument(argc, argv, 2, 1e6, 30), argc > 3 ? argv[3] : NULL);
    if (strcmp(command, "simulate") == 0) {
        uint64_t first = (uint64_t)argument(argc, argv, 2, most_seed, 1);
        simulate_seeds(first, (uint64_t)argument(argc, argv, 3, most_seed, argc > 2 ? 1 : 10000));
        return stress_end();
    }
    if (argc > 2)
        return run_one_seed((uint64_t)argument(argc, argv, 2, most_seed, 0),
                            (unsigned)argument(argc, argv, 3, 1024, 1));
    FACT(one_worker);
    FACT(two_workers);
    FACT(eight_workers);
    printf("%llu tasks, %llu runs failed as they should, %llu hits\n",
           (unsigned long long)all_started, (unsigned long long)failed_runs,
           (unsigned long long)all_hits);
    return stress_end();
}
