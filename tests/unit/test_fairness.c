/* SPDX-License-Identifier: MIT
 *
 * Fairness: those who wait for the same thing get it in turn, on any number of workers. And
 * progress: what can run is run, whatever the others do, where there is a worker to do it.
 *
 * A request is answered when nothing else can run any more. So whoever has got something asks
 * before he counts: then all others wait for it, and whose turn is next is a matter of the library
 * alone, not of which threads the system happens to run.
 */
#include "harness.h"

#include <corio/yield.h>

enum { contestants = 10, enough = 60 };

static corio_dispatcher *asked, *limited;

/* -- Taking turns -- */

static struct {
    unsigned turns[contestants];
    unsigned most_apart;
    bool over;
} contest;

static void count_turn(unsigned number)
{
    unsigned least = ++contest.turns[number], most = least;
    for (unsigned i = 0; i < contestants; i++) {
        least = contest.turns[i] < least ? contest.turns[i] : least;
        most = contest.turns[i] > most ? contest.turns[i] : most;
    }
    if (most - least > contest.most_apart)
        contest.most_apart = most - least;
    if (most == enough)
        contest.over = true;
}

static struct {
    corio_mutex mutex;
    corio_semaphore semaphore;
    corio_rwlock rwlock;
    corio_condition condition;
    corio_channel *channel;
} shared;

static int has_it(unsigned number)
{
    CHECK(corio_io(asked, NULL, NULL) == 0); /* all others wait now */
    count_turn(number);
    return 0;
}

static int mutex_turn(unsigned number)
{
    CHECK(corio_mutex_lock(&shared.mutex) == 0);
    int rc = has_it(number);
    CHECK(corio_mutex_unlock(&shared.mutex) == 0);
    return rc;
}

static int semaphore_turn(unsigned number)
{
    CHECK(corio_semaphore_acquire(&shared.semaphore, 1) == 0);
    int rc = has_it(number);
    CHECK(corio_semaphore_release(&shared.semaphore, 1) == 0);
    return rc;
}

static int write_turn(unsigned number)
{
    CHECK(corio_rwlock_write(&shared.rwlock) == 0);
    int rc = has_it(number);
    CHECK(corio_rwlock_unlock(&shared.rwlock) == 0);
    return rc;
}

/* Signalled by one that has the mutex and has seen all others wait. */
static int condition_turn(unsigned number)
{
    CHECK(corio_mutex_lock(&shared.mutex) == 0);
    int rc = 0;
    if (corio_condition_wait_count(&shared.condition) < contestants - 1)
        rc = corio_condition_wait(&shared.condition, &shared.mutex);
    if (rc == 0)
        rc = has_it(number);
    CHECK(corio_condition_signal(&shared.condition) == 0);
    CHECK(corio_mutex_unlock(&shared.mutex) == 0);
    return rc;
}

/* Requests of earlier phases go first, those of one phase by spawn path. So while one waits, another
 * gets two turns at most, one of them in the same batch. */
static int request_turn(unsigned number)
{
    return corio_io(limited, &number, NULL);
}

static int answer_and_count(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        count_turn(*(const unsigned *)corio_batch_input(batch, i));
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

/* In turn with one worker only: with several each has a queue of its own for those that yield. */
static int yield_turn(unsigned number)
{
    count_turn(number);
    return corio_yield();
}

typedef int turn_fn(unsigned number);

typedef struct contestant {
    turn_fn *turn;
    unsigned number;
} contestant;

static int take_turns(void *arg)
{
    const contestant *mine = arg;
    int rc = 0;
    while (rc == 0 && !READ(contest.over))
        rc = mine->turn(mine->number);
    return rc;
}

static int all_take_turns(void *arg)
{
    for (unsigned i = 0; i < contestants; i++) {
        contestant one = {*(turn_fn **)arg, i};
        CHECK(corio_go_copy(take_turns, &one, sizeof one) == 0);
    }
    return corio_wait();
}

static void add_dispatchers(corio_runtime *runtime)
{
    corio_dispatcher_options options = {.size = sizeof options,
                                        .name = "limited",
                                        .dispatch = answer_and_count,
                                        .input_bytes = sizeof(unsigned),
                                        .max_in_flight = 3};
    asked = add_dispatcher(runtime, answer_all);
    assert_int_equal(corio_dispatcher_add(runtime, &options, &limited), 0);
}

static void hold_contest(unsigned workers, turn_fn *turn)
{
    corio_runtime *runtime = runtime_with(workers);
    add_dispatchers(runtime);
    memset(&contest, 0, sizeof contest);
    memset(&shared, 0, sizeof shared);
    assert_int_equal(corio_semaphore_init(&shared.semaphore, 1), 0);
    assert_int_equal(corio_run(runtime, all_take_turns, &turn), 0);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    assert_true(contest.over);
    for (unsigned i = 0; i < contestants; i++)
        assert_true(2 * contest.turns[i] >= enough);
}

/* First come, first served. */
static void go_round(turn_fn *turn)
{
    for (unsigned i = 0; i < worker_count_count; i++) {
        hold_contest(worker_counts[i], turn);
        assert_in_range(contest.most_apart, 1, 2);
    }
}

static void a_mutex_goes_round(void **state)
{
    (void)state;
    go_round(mutex_turn);
}

static void a_permit_goes_round(void **state)
{
    (void)state;
    go_round(semaphore_turn);
}

static void writing_goes_round(void **state)
{
    (void)state;
    go_round(write_turn);
}

static void a_signal_goes_round(void **state)
{
    (void)state;
    go_round(condition_turn);
}

static void a_limited_dispatcher_serves_all(void **state)
{
    (void)state;
    for (unsigned i = 0; i < worker_count_count; i++)
        hold_contest(worker_counts[i], request_turn);
}

static void yielding_tasks_of_one_worker_take_turns(void **state)
{
    (void)state;
    hold_contest(1, yield_turn);
}

/* -- A channel: one receiver, many senders -- */

static int send_on(void *arg)
{
    int rc;
    do {
        rc = corio_channel_send(shared.channel, arg);
    } while (rc == 0);
    return rc == CORIO_ECLOSED ? 0 : rc;
}

static int receive_in_turn(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < contestants; i++)
        CHECK(corio_go_copy(send_on, &i, sizeof i) == 0);
    while (!contest.over) {
        unsigned number = contestants;
        CHECK(corio_io(asked, NULL, NULL) == 0); /* all senders wait now */
        CHECK(corio_channel_recv(shared.channel, &number) == 0 && number < contestants);
        count_turn(number);
    }
    CHECK(corio_channel_close(shared.channel, 0) == 0);
    return corio_wait();
}

static void senders_into_a_channel_take_turns(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        add_dispatchers(runtime);
        memset(&contest, 0, sizeof contest);
        assert_int_equal(corio_channel_create(sizeof(unsigned), 0, &shared.channel), 0);
        assert_int_equal(corio_run(runtime, receive_in_turn, NULL), 0);
        assert_int_equal(corio_channel_destroy(shared.channel), 0);
        assert_in_range(contest.most_apart, 1, 2);
    }
}

/* -- Progress: woken by a worker that stays busy -- */

static unsigned gone_on;

static void stay_busy_until(unsigned count)
{
    while (READ(gone_on) < count) /* no call: this worker does nothing else */
        ;
}

static corio_waitgroup waitgroup;
static corio_barrier barrier;

static int wait_for_mutex(void)
{
    int rc = corio_mutex_lock(&shared.mutex);
    return rc != 0 ? rc : corio_mutex_unlock(&shared.mutex);
}

static int wake_by_mutex(void)
{
    return corio_mutex_unlock(&shared.mutex);
}

static int wait_for_permit(void)
{
    return corio_semaphore_acquire(&shared.semaphore, 1);
}

static int wake_by_permit(void)
{
    return corio_semaphore_release(&shared.semaphore, 1);
}

static int wait_for_group(void)
{
    return corio_waitgroup_wait(&waitgroup);
}

static int wake_by_group(void)
{
    return corio_waitgroup_done(&waitgroup);
}

static int wait_for_element(void)
{
    unsigned element;
    return corio_channel_recv(shared.channel, &element);
}

static int wake_by_element(void)
{
    unsigned element = 0;
    return corio_channel_send(shared.channel, &element);
}

static int wait_at_barrier(void)
{
    int rc = corio_barrier_wait(&barrier);
    return rc < 0 ? rc : 0;
}

static int wake_at_barrier(void)
{
    int rc = corio_barrier_wait(&barrier);
    return rc < 0 ? rc : 0;
}

typedef struct pair {
    int (*wait)(void);
    int (*wake)(void);
} pair;

static int be_woken(void *arg)
{
    const pair *with = arg;
    int rc = with->wait();
    ADD(gone_on);
    return rc;
}

static int wake_and_stay_busy(void *arg)
{
    const pair *with = arg;
    CHECK(corio_mutex_lock(&shared.mutex) == 0);
    CHECK(corio_waitgroup_add(&waitgroup, 1) == 0);
    CHECK(corio_go(be_woken, arg) == 0);
    CHECK(corio_io(asked, NULL, NULL) == 0); /* it waits now */
    int rc = with->wake();
    if (rc == 0)
        stay_busy_until(1);
    return rc;
}

static void whoever_is_woken_goes_on_beside_a_busy_waker(void **state)
{
    (void)state;
    static const pair pairs[] = {{wait_for_mutex, wake_by_mutex},
                                 {wait_for_permit, wake_by_permit},
                                 {wait_for_group, wake_by_group},
                                 {wait_for_element, wake_by_element},
                                 {wait_at_barrier, wake_at_barrier}};
    for (unsigned workers = 2; workers <= 8; workers += 6) {
        corio_runtime *runtime = runtime_with(workers);
        add_dispatchers(runtime);
        for (unsigned i = 0; i < sizeof pairs / sizeof *pairs; i++) {
            pair with = pairs[i];
            gone_on = 0;
            memset(&shared, 0, sizeof shared);
            memset(&waitgroup, 0, sizeof waitgroup);
            assert_int_equal(corio_barrier_init(&barrier, 2), 0);
            assert_int_equal(corio_channel_create(sizeof(unsigned), 0, &shared.channel), 0);
            assert_int_equal(corio_run(runtime, wake_and_stay_busy, &with), 0);
            assert_int_equal(corio_channel_destroy(shared.channel), 0);
        }
        assert_int_equal(corio_runtime_destroy(runtime), 0);
    }
}

/* All are resumed at once: one of them, whichever is first, is busy until the rest has run. */
static int resumed(void *arg)
{
    (void)arg;
    CHECK(corio_io(asked, NULL, NULL) == 0);
    if (ADD(gone_on) == 1)
        stay_busy_until(contestants);
    return 0;
}

static int resume_all(void *arg)
{
    for (unsigned i = 0; i < contestants; i++)
        CHECK(corio_go(resumed, arg) == 0);
    return corio_wait();
}

/* What is queued already is run, while its worker spawns, and spawns, and does nothing else. */
static int go_on(void *arg)
{
    (void)arg;
    ADD(gone_on);
    return 0;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int spawn_for_ever(void *arg)
{
    enum { most_spawned = 1000000 };
    const pair with = {wait_for_permit, wake_by_permit};
    CHECK(corio_go_copy(be_woken, &with, sizeof with) == 0);
    CHECK(corio_io(asked, NULL, NULL) == 0);
    CHECK(corio_go(go_on, arg) == 0); /* a closure */
    CHECK(with.wake() == 0);          /* and a continuation */
    for (unsigned i = 0; READ(gone_on) < 2; i++)
        if (i < most_spawned)
            CHECK(corio_go(nothing, NULL) == 0);
    return corio_wait();
}

/* One that has yielded is run, though its worker has found something endless in its place. */
static int yield_and_go_on(void *arg)
{
    (void)arg;
    CHECK(corio_go(go_on, NULL) == 0); /* so that there is somebody to yield to */
    CHECK(corio_yield() == 0);
    ADD(gone_on);
    return corio_wait();
}

static int be_busy(void *arg)
{
    (void)arg;
    stay_busy_until(4);
    return 0;
}

static int yield_to_a_busy_one(void *arg)
{
    CHECK(corio_go(be_busy, arg) == 0);
    CHECK(corio_go(yield_and_go_on, arg) == 0);
    CHECK(corio_go(yield_and_go_on, arg) == 0);
    return corio_wait();
}

static void run_beside_a_busy_worker(corio_task_fn *root)
{
    for (unsigned workers = 2; workers <= 8; workers += 6) {
        corio_runtime *runtime = runtime_with(workers);
        add_dispatchers(runtime);
        gone_on = 0;
        memset(&shared, 0, sizeof shared);
        assert_int_equal(corio_run(runtime, root, NULL), 0);
        assert_int_equal(corio_runtime_destroy(runtime), 0);
    }
}

static void whoever_is_resumed_goes_on_beside_a_busy_worker(void **state)
{
    (void)state;
    run_beside_a_busy_worker(resume_all);
}

static void what_is_queued_runs_beside_an_endless_spawner(void **state)
{
    (void)state;
    run_beside_a_busy_worker(spawn_for_ever);
}

static void whoever_yields_goes_on_beside_a_busy_worker(void **state)
{
    (void)state;
    run_beside_a_busy_worker(yield_to_a_busy_one);
}

/* -- Progress: two that make each other runnable, for ever, and a third -- */

static corio_semaphore ping, pong;
static bool yields;

static int play(corio_semaphore *mine, corio_semaphore *other)
{
    while (READ(gone_on) == 0) {
        CHECK(corio_semaphore_release(other, 1) == 0);
        CHECK(corio_semaphore_acquire(mine, 1) == 0);
        if (yields)
            CHECK(corio_yield() == 0);
    }
    return corio_semaphore_release(other, 1);
}

static int play_ping(void *arg)
{
    (void)arg;
    return play(&ping, &pong);
}

static int play_pong(void *arg)
{
    (void)arg;
    return play(&pong, &ping);
}

/* The oldest, so what its worker would take last. */
static int play_for_ever(void *arg)
{
    CHECK(corio_go(go_on, arg) == 0);
    CHECK(corio_go(play_ping, arg) == 0);
    CHECK(corio_go(play_pong, arg) == 0);
    return corio_wait();
}

static void play_with(unsigned workers, bool with_yield)
{
    corio_runtime *runtime = runtime_with(workers);
    gone_on = 0;
    yields = with_yield;
    assert_int_equal(corio_semaphore_init(&ping, 0), 0);
    assert_int_equal(corio_semaphore_init(&pong, 0), 0);
    assert_int_equal(corio_run(runtime, play_for_ever, NULL), 0);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
}

static void resumes_without_end_do_not_starve_a_third(void **state)
{
    (void)state;
    play_with(2, false);
    play_with(8, false);
    play_with(1, true); /* the newest first: with one worker it takes a yield */
    play_with(8, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mutex_goes_round),
        cmocka_unit_test(a_permit_goes_round),
        cmocka_unit_test(writing_goes_round),
        cmocka_unit_test(a_signal_goes_round),
        cmocka_unit_test(a_limited_dispatcher_serves_all),
        cmocka_unit_test(yielding_tasks_of_one_worker_take_turns),
        cmocka_unit_test(senders_into_a_channel_take_turns),
        cmocka_unit_test(whoever_is_woken_goes_on_beside_a_busy_waker),
        cmocka_unit_test(whoever_is_resumed_goes_on_beside_a_busy_worker),
        cmocka_unit_test(what_is_queued_runs_beside_an_endless_spawner),
        cmocka_unit_test(whoever_yields_goes_on_beside_a_busy_worker),
        cmocka_unit_test(resumes_without_end_do_not_starve_a_third),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
