/* SPDX-License-Identifier: MIT
 *
 * bench_primitives.cpp - what tasks share: semaphores, read/write locks, conditions, channels, loops, yielding.
 *
 *   semaphore    acquire and release, nobody waits                              ns/acquire_release
 *   rwlock       lock to read and unlock, nobody waits                          ns/lock_unlock
 *   once         corio_once_do, done already                                    ns/do
 *   buffered     send and receive by one task, there is room                    ns/send_recv
 *   select_of_4  the same through a select of 4 cases each                      ns/send_recv
 *   passing      one task sends, one receives, capacity 64                      ns/element
 *   rendezvous   the same with capacity 0: each element suspends a task         ns/element
 *   crowd        8 tasks send to 8, capacity 64                                 ns/element
 *   ping_pong    two tasks and a condition each                                 ns/turn
 *   barrier      8 tasks, round after round                                     ns/arrival
 *   yielding     100 tasks yield in turn                                        ns/yield
 *   yield_alone  there is nobody else                                           ns/yield
 *   loop         parallel_for of 2^20 numbers, grain 0: what a chunk costs      ns/chunk
 *   sum          corio_reduce of 2^20 doubles, grain 4,096                      ns/number
 */
#include "support.hpp"

#include <cerrno>
#include <vector>

namespace
{

constexpr std::uint64_t often = 100000, crowd_size = 8, yielders = 100, numbers = 1u << 20;

struct job {
    corio_semaphore semaphore = CORIO_SEMAPHORE_INIT(1);
    corio_rwlock lock = CORIO_RWLOCK_INIT;
    corio_once once = CORIO_ONCE_INIT;
    corio_mutex mutex = CORIO_MUTEX_INIT;
    corio_condition turns[2] = {CORIO_CONDITION_INIT, CORIO_CONDITION_INIT};
    corio_barrier barrier = CORIO_BARRIER_INIT(crowd_size);
    corio_channel *channels[4] = {};
    std::uint64_t whose = 0;
    std::vector<double> samples;
    double ns = 0; /* ret: of the timed part */

    explicit job(std::size_t capacity)
    {
        for (auto &channel : channels)
            bench::check(corio_channel_create(sizeof(std::uint64_t), capacity, &channel),
                         "corio_channel_create");
    }
    ~job()
    {
        for (auto *channel : channels)
            bench::check(corio_channel_destroy(channel), "corio_channel_destroy");
    }
    job(const job &) = delete;
    job &operator=(const job &) = delete;
};

/* Runs body() `often` times. */
template <typename Body> int repeat(void *arg, Body body)
{
    auto *what = static_cast<job *>(arg);
    bench::stopwatch watch;
    int rc = 0;
    for (std::uint64_t i = 0; i < often && rc == 0; i++)
        rc = body(*what, i);
    what->ns = watch.elapsed_ns();
    return rc;
}

/* Spawns `count` tasks of each of two kinds and waits. */
int spawn_both(void *arg, std::uint64_t count, corio_task_fn *one, corio_task_fn *other)
{
    bench::stopwatch watch;
    int rc = 0;
    for (std::uint64_t i = 0; i < count; i++) {
        rc |= corio_go(one, arg);
        if (other != nullptr)
            rc |= corio_go(other, arg);
    }
    rc |= corio_wait();
    static_cast<job *>(arg)->ns = watch.elapsed_ns();
    return rc;
}

int acquire_release(void *arg)
{
    return repeat(arg, [](job &what, std::uint64_t) {
        int rc = corio_semaphore_acquire(&what.semaphore, 1);
        return rc != 0 ? rc : corio_semaphore_release(&what.semaphore, 1);
    });
}

int read_unlock(void *arg)
{
    return repeat(arg, [](job &what, std::uint64_t) {
        int rc = corio_rwlock_read(&what.lock);
        return rc != 0 ? rc : corio_rwlock_unlock(&what.lock);
    });
}

int nothing(void *)
{
    return 0;
}

int do_once(void *arg)
{
    return repeat(
        arg, [](job &what, std::uint64_t) { return corio_once_do(&what.once, nothing, nullptr); });
}

int send_recv(void *arg)
{
    return repeat(arg, [](job &what, std::uint64_t i) {
        int rc = corio_channel_send(what.channels[0], &i);
        return rc != 0 ? rc : corio_channel_recv(what.channels[0], &i);
    });
}

int select_both(void *arg)
{
    return repeat(arg, [](job &what, std::uint64_t i) {
        corio_select_case sends[4], receives[4];
        for (int at = 0; at < 4; at++) {
            sends[at] = corio_select_send(what.channels[at], &i);
            receives[at] = corio_select_recv(what.channels[at], &i);
        }
        int rc = corio_select(sends, 4);
        return rc < 0 ? rc : corio_select(receives, 4);
    });
}

int send_all(void *arg)
{
    const auto *what = static_cast<job *>(arg);
    int rc = 0;
    for (std::uint64_t i = 0; i < often && rc == 0; i++)
        rc = corio_channel_send(what->channels[0], &i);
    return rc;
}

int recv_all(void *arg)
{
    const auto *what = static_cast<job *>(arg);
    int rc = 0;
    for (std::uint64_t i = 0, got; i < often && rc == 0; i++)
        rc = corio_channel_recv(what->channels[0], &got);
    return rc;
}

int one_to_one(void *arg)
{
    return spawn_both(arg, 1, send_all, recv_all);
}

int many_to_many(void *arg)
{
    return spawn_both(arg, crowd_size, send_all, recv_all);
}

int take_turns(void *arg)
{
    struct player {
        job *what;
        std::uint64_t number;
    };
    auto play = [](void *me) {
        const auto *mine = static_cast<player *>(me);
        job &what = *mine->what;
        int rc = corio_mutex_lock(&what.mutex);
        for (std::uint64_t i = 0; i < often / 2 && rc == 0; i++) {
            while (what.whose != mine->number && rc == 0)
                rc = corio_condition_wait(&what.turns[mine->number], &what.mutex);
            what.whose = 1 - mine->number;
            rc |= corio_condition_signal(&what.turns[what.whose]);
        }
        return corio_mutex_unlock(&what.mutex) | rc;
    };
    auto *what = static_cast<job *>(arg);
    player players[2] = {{what, 0}, {what, 1}};
    bench::stopwatch watch;
    int rc = corio_go_named("play", play, &players[0]);
    rc |= corio_go_named("play", play, &players[1]);
    rc |= corio_wait();
    what->ns = watch.elapsed_ns();
    return rc;
}

int go_round(void *arg)
{
    int rc = 0;
    for (std::uint64_t i = 0; i < often / crowd_size && rc >= 0; i++)
        rc = corio_barrier_wait(&static_cast<job *>(arg)->barrier);
    return rc < 0 ? rc : 0;
}

int all_go_round(void *arg)
{
    return spawn_both(arg, crowd_size, go_round, nullptr);
}

int yield_often(void *)
{
    int rc = 0;
    for (std::uint64_t i = 0; i < often / yielders && rc == 0; i++)
        rc = corio_yield();
    return rc;
}

int all_yield(void *arg)
{
    return spawn_both(arg, yielders, yield_often, nullptr);
}

int yield_with_nobody(void *arg)
{
    return repeat(arg, [](job &, std::uint64_t) { return corio_yield(); });
}

int run_empty_loop(void *arg)
{
    bench::stopwatch watch;
    int rc = corio_parallel_for_named(
        "chunk", 0, numbers, 0, [](std::uint64_t, std::uint64_t, void *) { return 0; }, nullptr);
    static_cast<job *>(arg)->ns = watch.elapsed_ns();
    return rc;
}

int add_samples(std::uint64_t begin, std::uint64_t end, void *arg, void *value)
{
    const auto *what = static_cast<job *>(arg);
    double sum = 0;
    for (std::uint64_t i = begin; i < end; i++)
        sum += what->samples[i];
    *static_cast<double *>(value) = sum;
    return 0;
}

int add(void *into, const void *next, void *)
{
    *static_cast<double *>(into) += *static_cast<const double *>(next);
    return 0;
}

int sum_up(void *arg)
{
    auto *what = static_cast<job *>(arg);
    what->samples.resize(numbers, 0.1);
    double sum = 0;
    bench::stopwatch watch;
    int rc = corio_reduce(0, numbers, 4096, add_samples, add, arg, &sum, sizeof sum);
    what->ns = watch.elapsed_ns();
    return rc != 0 || sum > 0 ? rc : -EPROTO;
}

void measure(benchmark::State &state, corio_task_fn *root, std::size_t capacity,
             std::uint64_t units, const char *counter)
{
    bench::runtime runtime(static_cast<unsigned>(state.range(0)));
    job what(capacity);
    runtime.run(root, &what);
    bench::per_unit cost(state);
    for (auto _ : state) {
        runtime.run(root, &what);
        cost.add(what.ns, static_cast<double>(units));
    }
    cost.report(counter);
}

#define SYNC_BENCHMARK(name, root, capacity, units, counter)                                       \
    void name(benchmark::State &state)                                                             \
    {                                                                                              \
        measure(state, root, capacity, units, counter);                                            \
    }                                                                                              \
    BENCHMARK(name)->ArgName("workers")->Arg(1)->UseManualTime()

SYNC_BENCHMARK(semaphore, acquire_release, 1, often, "ns/acquire_release");
SYNC_BENCHMARK(rwlock, read_unlock, 1, often, "ns/lock_unlock");
SYNC_BENCHMARK(once, do_once, 1, often, "ns/do");
SYNC_BENCHMARK(buffered, send_recv, 64, often, "ns/send_recv");
SYNC_BENCHMARK(select_of_4, select_both, 64, often, "ns/send_recv");
SYNC_BENCHMARK(passing, one_to_one, 64, often, "ns/element")->Arg(2);
SYNC_BENCHMARK(rendezvous, one_to_one, 0, often, "ns/element")->Arg(2);
SYNC_BENCHMARK(crowd, many_to_many, 64, crowd_size *often, "ns/element")->Arg(2);
SYNC_BENCHMARK(ping_pong, take_turns, 1, often, "ns/turn")->Arg(2);
SYNC_BENCHMARK(barrier, all_go_round, 1, often, "ns/arrival")->Arg(2);
SYNC_BENCHMARK(yielding, all_yield, 1, often, "ns/yield")->Arg(2);
SYNC_BENCHMARK(yield_alone, yield_with_nobody, 1, often, "ns/yield");
SYNC_BENCHMARK(loop, run_empty_loop, 1, 1024, "ns/chunk")->Arg(2);
SYNC_BENCHMARK(sum, sum_up, 1, numbers, "ns/number")->Arg(2);

} // namespace

BENCHMARK_MAIN();
