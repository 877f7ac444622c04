/* SPDX-License-Identifier: MIT
 *
 * order.c [race] - for ThreadSanitizer in the program and none in the library.
 *
 * Plain data changes hands over every edge that the library gives: between tasks that run at the same
 * moment, on workers of their own, as far as it can be arranged. Nothing here is a race, so nothing may
 * be reported. `race NAME` makes one: that must be.
 */
#include <corio.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { parties = 3, rounds = 200, element_bytes = 48 };

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* -- Tasks that run at the same time -- */

/* Opens when all have come; gives no order that the sanitizer sees. */
static unsigned at_gate;

static void pass_gate(unsigned count)
{
    __atomic_fetch_add(&at_gate, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&at_gate, __ATOMIC_RELAXED) < count)
        sched_yield();
}

typedef struct party {
    void (*does)(unsigned number);
    unsigned number;
} party;

static int take_part(void *arg)
{
    const party *mine = arg;
    pass_gate(parties);
    mine->does(mine->number);
    return 0;
}

static void together(void (*does)(unsigned number))
{
    __atomic_store_n(&at_gate, 0, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < parties; i++) {
        party one = {does, i};
        CHECK(corio_go_copy(take_part, &one, sizeof one) == 0);
    }
    CHECK(corio_wait() == 0);
}

/* -- Spawn, wait, values, cleanups -- */

static int slots[parties];
static int key;

static void change_slot(void *arg)
{
    *(int *)arg += 1;
}

static void fill_slot(unsigned number)
{
    CHECK(slots[number] == (int)number && *(int *)corio_local_get(&key) == 7);
    CHECK(corio_defer(change_slot, &slots[number]) == 0);
    slots[number] += 10;
}

static void spawn_and_wait(void)
{
    int value = 7;
    CHECK(corio_local_set(&key, &value) == 0);
    for (unsigned i = 0; i < parties; i++)
        slots[i] = (int)i;
    together(fill_slot);
    for (unsigned i = 0; i < parties; i++)
        CHECK(slots[i] == (int)i + 11);
}

typedef struct big {
    int numbers[100];
} big;

static int check_big(void *arg)
{
    const big *mine = arg;
    pass_gate(2);
    CHECK(mine->numbers[99] == 99);
    corio_fail(-EDOM, "as %s", "meant");
}

static void spawn_with_options(void)
{
    big value = {{0}};
    corio_go_options options = {.size = sizeof options, .copy_bytes = sizeof value};
    CHECK(corio_group_open(NULL, &options.group) == 0);
    value.numbers[99] = 99;
    __atomic_store_n(&at_gate, 0, __ATOMIC_RELAXED);
    CHECK(corio_go_with(&options, check_big, &value) == 0);
    value.numbers[99] = 0;
    pass_gate(2);
    CHECK(corio_group_wait(options.group) == -EDOM);
    CHECK(strcmp(corio_task_error()->text, "as meant") == 0);
    CHECK(corio_group_close(options.group) == 0);
}

static int add_range(uint64_t begin, uint64_t end, void *arg)
{
    for (uint64_t i = begin; i < end; i++)
        ((int *)arg)[i] += (int)i;
    return 0;
}

static int sum_range(uint64_t begin, uint64_t end, void *arg, void *value)
{
    *(int *)value = 0;
    for (uint64_t i = begin; i < end; i++)
        *(int *)value += ((int *)arg)[i];
    return 0;
}

static int add_value(void *into, const void *next, void *arg)
{
    (void)arg;
    *(int *)into += *(const int *)next;
    return 0;
}

static void loops(void)
{
    int numbers[100] = {0}, sum = 0;
    for (int i = 0; i < 20; i++)
        CHECK(corio_parallel_for(0, 100, 5, add_range, numbers) == 0);
    CHECK(corio_reduce(0, 100, 5, sum_range, add_value, numbers, &sum, sizeof sum) == 0);
    CHECK(sum == 20 * 4950);
}

/* Deep enough, and often enough, that a sanitizer's record of the calls would overflow if the frames
 * that corio_fail leaves stayed in it. */
static __attribute__((noinline)) int descend(int depth)
{
    volatile int below = depth > 0 ? descend(depth - 1) : 0;
    if (depth == 0)
        corio_fail(-EDOM, "at the bottom");
    return below + 1;
}

static int fall(void *arg)
{
    return descend(*(const int *)arg);
}

static void fail_often(void)
{
    enum { fails = 3000 };
    int depth = 40;
    for (int i = 0; i < fails; i++) {
        CHECK(corio_go(fall, &depth) == 0);
        CHECK(corio_wait() == -EDOM);
    }
}

/* -- Locks -- */

static int counter;
static corio_mutex mutex = CORIO_MUTEX_INIT;
static corio_condition condition = CORIO_CONDITION_INIT;
static corio_semaphore semaphore = CORIO_SEMAPHORE_INIT(1);
static corio_rwlock rwlock = CORIO_RWLOCK_INIT;

static void lock_mutex(unsigned number)
{
    for (int i = 0; i < rounds; i++) {
        if (number == 0)
            CHECK(corio_mutex_lock(&mutex) == 0);
        else
            while (corio_mutex_try_lock(&mutex) != 0)
                CHECK(corio_yield() == 0);
        counter++;
        CHECK(corio_mutex_unlock(&mutex) == 0);
    }
}

/* Whose turn it is, is said under the mutex. */
static void take_turns(unsigned number)
{
    for (int i = 0; i < rounds / 10; i++) {
        CHECK(corio_mutex_lock(&mutex) == 0);
        while ((unsigned)counter % parties != number)
            CHECK(corio_condition_wait(&condition, &mutex) == 0);
        counter++;
        CHECK(corio_condition_broadcast(&condition) == 0);
        CHECK(corio_mutex_unlock(&mutex) == 0);
    }
}

static void take_permit(unsigned number)
{
    for (int i = 0; i < rounds; i++) {
        if (number == 0)
            CHECK(corio_semaphore_acquire(&semaphore, 1) == 0);
        else
            while (corio_semaphore_try_acquire(&semaphore, 1) != 0)
                CHECK(corio_yield() == 0);
        counter++;
        CHECK(corio_semaphore_release(&semaphore, 1) == 0);
    }
}

static void read_and_write(unsigned number)
{
    for (int i = 0; i < rounds; i++) {
        CHECK(corio_rwlock_write(&rwlock) == 0);
        counter++;
        CHECK(corio_rwlock_unlock(&rwlock) == 0);
        CHECK(corio_rwlock_read(&rwlock) == 0);
        CHECK(counter > (int)number - (int)number);
        CHECK(corio_rwlock_unlock(&rwlock) == 0);
    }
}

static void count(void (*how)(unsigned number), int times)
{
    counter = 0;
    together(how);
    CHECK(counter == parties * times);
}

static void locks(void)
{
    count(lock_mutex, rounds);
    count(take_turns, rounds / 10);
    count(take_permit, rounds);
    count(read_and_write, rounds);
}

static int lock_crosswise(void *arg)
{
    static corio_mutex pair[2] = {CORIO_MUTEX_INIT, CORIO_MUTEX_INIT};
    const unsigned number = *(const unsigned *)arg;
    CHECK(corio_mutex_lock(&pair[number]) == 0);
    pass_gate(2);
    CHECK(corio_mutex_lock(&pair[1 - number]) == -EDEADLK);
    CHECK(corio_mutex_unlock(&pair[number]) == 0);
    return 0;
}

static void locks_in_a_circle(const corio_runtime *runtime)
{
    __atomic_store_n(&at_gate, 0, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < 2; i++)
        CHECK(corio_go_copy(lock_crosswise, &i, sizeof i) == 0);
    CHECK(corio_wait() == 0);
    CHECK(strstr(corio_runtime_report(runtime), "held by lock_crosswise") != NULL);
}

/* -- Once, flights, groups, barriers -- */

static corio_once once[rounds];
static int made[rounds];
static corio_flight *flight;
static corio_waitgroup group = CORIO_WAITGROUP_INIT;
static corio_barrier barrier = CORIO_BARRIER_INIT(parties);

static int make(void *arg)
{
    *(int *)arg = 5;
    return 0;
}

static void make_once(unsigned number)
{
    for (int i = 0; i < rounds; i++) {
        if (number == 0)
            while (!corio_once_is_done(&once[i]))
                CHECK(corio_yield() == 0);
        CHECK(corio_once_do(&once[i], make, &made[i]) == 0);
        CHECK(made[i] == 5);
    }
}

static int fly(void *arg, void *value)
{
    CHECK(corio_yield() == 0);
    memcpy(value, arg, element_bytes);
    return 0;
}

static void share(unsigned number)
{
    for (int i = 0; i < rounds; i++) {
        char name[element_bytes], value[element_bytes];
        memset(name, i / 4, sizeof name); /* several at once */
        memset(value, (int)number, sizeof value);
        CHECK(corio_do(flight, name, sizeof name, fly, name, value, NULL) == 0);
        CHECK(memcmp(name, value, sizeof name) == 0);
    }
}

static void finish(unsigned number)
{
    slots[number] = 3;
    CHECK(corio_waitgroup_done(&group) == 0);
    CHECK(corio_waitgroup_wait(&group) == 0);
    for (unsigned i = 0; i < parties; i++)
        CHECK(slots[i] == 3);
}

static void meet(unsigned number)
{
    for (int i = 0; i < rounds / 4; i++) {
        slots[number] = i;
        CHECK(corio_barrier_wait(&barrier) >= 0);
        CHECK(slots[(number + 1) % parties] == i);
        CHECK(corio_barrier_wait(&barrier) >= 0);
    }
}

static void meetings(void)
{
    memset(once, 0, sizeof once);
    memset(made, 0, sizeof made);
    together(make_once);
    CHECK(corio_flight_create(element_bytes, &flight) == 0);
    together(share);
    CHECK(corio_flight_destroy(flight) == 0);
    CHECK(corio_waitgroup_add(&group, parties) == 0);
    together(finish);
    together(meet);
}

/* -- Channels -- */

typedef struct element {
    int *number;
    char rest[element_bytes];
} element;

static corio_channel *channels[2];

static void send_some(corio_channel *to)
{
    element sent = {.number = malloc(sizeof(int))};
    CHECK(sent.number != NULL);
    *sent.number = 9;
    memset(sent.rest, 9, sizeof sent.rest);
    if (corio_channel_try_send(to, &sent) != 0)
        CHECK(corio_channel_send(to, &sent) == 0);
}

static void receive_any(void)
{
    element got[2];
    corio_select_case cases[2];
    for (int i = 0; i < 2; i++)
        cases[i] = corio_select_recv(channels[i], &got[i]);
    int which = corio_select(cases, 2);
    CHECK(which >= 0 && cases[which].result == 0);
    CHECK(*got[which].number == 9 && got[which].rest[element_bytes - 1] == 9);
    free(got[which].number);
}

static void send_or_receive(unsigned number)
{
    for (int i = 0; i < rounds; i++)
        if (number == 0)
            send_some(channels[i % 2]);
        else if (number == 1)
            receive_any();
}

static void exchange(void)
{
    for (size_t capacity = 0; capacity < 5; capacity += 2) {
        for (int i = 0; i < 2; i++)
            CHECK(corio_channel_create(sizeof(element), capacity, &channels[i]) == 0);
        together(send_or_receive);
        for (int i = 0; i < 2; i++)
            CHECK(corio_channel_destroy(channels[i]) == 0);
    }
}

/* -- I/O: each batch is answered by its dispatcher, by a job and by a thread of the program -- */

enum { asking = 30, asks = 40 };

static int answer_all(void *arg, corio_batch *batch)
{
    (void)arg;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        *(int *)corio_batch_output(batch, i) = *(const int *)corio_batch_input(batch, i) + 1;
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static void *answer_slice(void *slice)
{
    answer_all(NULL, slice);
    corio_batch_complete(slice);
    return NULL;
}

static int dispatch(void *self, corio_batch *batch)
{
    (void)self;
    size_t third = corio_batch_len(batch) / 3;
    corio_batch *slices[2];
    pthread_t thread;
    if (third == 0 || corio_batch_phase(batch) % 4 != 0) /* the others look for work meanwhile */
        return answer_all(NULL, batch);
    CHECK(corio_batch_slice(batch, 0, third, &slices[0]) == 0);
    CHECK(corio_batch_slice(batch, third, third, &slices[1]) == 0);
    CHECK(corio_batch_submit(slices[0], answer_all, NULL) == 0);
    CHECK(pthread_create(&thread, NULL, answer_slice, slices[1]) == 0);
    CHECK(pthread_detach(thread) == 0);
    for (size_t i = 2 * third; i < corio_batch_len(batch); i++) {
        *(int *)corio_batch_output(batch, i) = *(const int *)corio_batch_input(batch, i) + 1;
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static int ask(void *arg)
{
    corio_dispatcher *dispatcher = arg;
    for (int i = 0; i < asks; i++) {
        int *numbers = malloc(2 * sizeof *numbers);
        CHECK(numbers != NULL);
        numbers[0] = i;
        numbers[1] = 0;
        CHECK(corio_io(dispatcher, &numbers[0], &numbers[1]) == 0 && numbers[1] == i + 1);
        free(numbers);
        if (i % 8 == 0)
            CHECK(corio_sleep(1000) == 0);
    }
    return 0;
}

static void ask_a_lot(corio_dispatcher *dispatcher)
{
    for (int i = 0; i < asking; i++)
        CHECK(corio_go(ask, dispatcher) == 0);
    CHECK(corio_wait() == 0);
}

/* -- Races: each is one, whatever the schedule -- */

static int racing, *pointer;

static void write_both(unsigned number)
{
    racing = (int)number;
}

static void unlock_too_early(unsigned number)
{
    CHECK(corio_mutex_lock(&mutex) == 0);
    CHECK(corio_mutex_unlock(&mutex) == 0);
    pass_gate(2 * parties);
    racing = (int)number;
}

static void write_behind_send(unsigned number)
{
    if (number == 0) {
        CHECK(corio_channel_send(channels[0], &pointer) == 0);
        racing = 1;
    } else if (number == 1) {
        int *got;
        while (corio_channel_try_recv(channels[0], &got) != 0)
            sched_yield();
        racing = 2;
    }
}

static void read_beside_writer(unsigned number)
{
    CHECK(corio_rwlock_read(&rwlock) == 0);
    pass_gate(2 * parties);
    racing += (int)number;
    CHECK(corio_rwlock_unlock(&rwlock) == 0);
}

static int write_beside_parent(void *arg)
{
    pass_gate(2);
    *(int *)arg = 1;
    return 0;
}

static void spawn_and_write(void)
{
    __atomic_store_n(&at_gate, 0, __ATOMIC_RELAXED);
    CHECK(corio_go(write_beside_parent, &racing) == 0);
    pass_gate(2);
    racing = 2;
    CHECK(corio_wait() == 0);
}

static int make_race(void *name)
{
    if (strcmp(name, "tasks") == 0)
        together(write_both);
    else if (strcmp(name, "mutex") == 0)
        together(unlock_too_early);
    else if (strcmp(name, "rwlock") == 0)
        together(read_beside_writer);
    else if (strcmp(name, "parent") == 0)
        spawn_and_write();
    else if (strcmp(name, "channel") == 0 &&
             corio_channel_create(sizeof pointer, 1, &channels[0]) == 0)
        together(write_behind_send);
    else
        return -EINVAL;
    return 0;
}

/* -- Runs -- */

static int before_run, after_run;

static int run_inner(void *arg)
{
    *(int *)arg += 1;
    return 0;
}

typedef struct parts {
    corio_runtime *runtime;
    corio_dispatcher *dispatcher;
} parts;

static int inside(void *arg)
{
    const parts *of = arg;
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *inner;
    int value = 1;
    CHECK(before_run == 4);
    locks_in_a_circle(of->runtime);
    spawn_and_wait();
    spawn_with_options();
    loops();
    fail_often();
    locks();
    meetings();
    exchange();
    ask_a_lot(of->dispatcher);
    options.workers = 2;
    CHECK(corio_runtime_create(&options, &inner) == 0);
    CHECK(corio_run(inner, run_inner, &value) == 0 && value == 2);
    CHECK(corio_runtime_destroy(inner) == 0);
    after_run = 6;
    return 0;
}

static void do_nothing(unsigned number)
{
    (void)number;
}

/* A short one, which often ends on another worker than it began on. */
static int ask_once(void *dispatcher)
{
    int in = before_run, out;
    CHECK(corio_io(dispatcher, &in, &out) == 0);
    together(do_nothing);
    after_run = out;
    return 0;
}

static corio_runtime *create(corio_dispatcher **ret_dispatcher)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_dispatcher_options answering = {.size = sizeof answering,
                                          .name = "answering",
                                          .dispatch = dispatch,
                                          .input_bytes = sizeof(int),
                                          .output_bytes = sizeof(int)};
    corio_runtime *runtime;
    options.workers = parties + 1;
    CHECK(corio_runtime_create(&options, &runtime) == 0);
    CHECK(corio_dispatcher_add(runtime, &answering, ret_dispatcher) == 0);
    return runtime;
}

static int ask_inside(void *dispatcher)
{
    ask_a_lot(dispatcher);
    return 0;
}

/* Another runtime, in a thread of its own, at the same time. */
static void *run_another(void *arg)
{
    corio_dispatcher *dispatcher;
    corio_runtime *runtime = create(&dispatcher);
    CHECK(corio_run(runtime, ask_inside, dispatcher) == 0);
    CHECK(corio_runtime_destroy(runtime) == 0);
    return arg;
}

int main(int argc, char **argv)
{
    parts of;
    of.runtime = create(&of.dispatcher);
    if (argc > 1) {
        CHECK(corio_run(of.runtime, make_race, argv[1]) == 0);
    } else {
        pthread_t other;
        CHECK(pthread_create(&other, NULL, run_another, NULL) == 0);
        for (int i = 0; i < 2; i++) {
            before_run = 4;
            CHECK(corio_run(of.runtime, inside, &of) == 0 && after_run == 6);
            before_run = after_run = 0;
        }
        for (int i = 0; i < rounds; i++) {
            before_run = i;
            CHECK(corio_run(of.runtime, ask_once, of.dispatcher) == 0 && after_run == i + 1);
        }
        CHECK(pthread_join(other, NULL) == 0);
    }
    CHECK(corio_runtime_destroy(of.runtime) == 0);
    return 0;
}
