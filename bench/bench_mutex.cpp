/* SPDX-License-Identifier: MIT
 *
 * bench_mutex.cpp - the mutex.
 *
 *   uncontended   one task locks and unlocks                           ns/lock_unlock
 *   hand_over     two tasks take turns: every lock waits for the other   ns/hand_over  (unlock, park, switch)
 *   queue         1,000 tasks wait, each passes the mutex on and ends    ns/hand_over
 */
#include "support.hpp"

namespace
{

constexpr std::uint64_t locks_per_run = 100000, waiting_tasks = 1000;

CORIO_DISPATCHER(pause_for, char, char);

int answer(void *, corio_batch *batch)
{
    const std::size_t count = corio_batch_len(batch);
    for (std::size_t i = 0; i < count; i++)
        corio_batch_respond(batch, i);
    return CORIO_DONE;
}

struct job {
    pause_for face;
    corio_mutex mutex;
    std::uint64_t tasks;
    std::uint64_t locks; /* of each task */
    double ns;           /* ret: from the moment that all wait */
};

int lock_often(void *arg)
{
    auto *what = static_cast<job *>(arg);
    for (std::uint64_t i = 0; i < what->locks; i++) {
        int rc = corio_mutex_lock(&what->mutex);
        if (rc == 0)
            rc = corio_mutex_unlock(&what->mutex);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int alone(void *arg)
{
    auto *what = static_cast<job *>(arg);
    bench::stopwatch watch;
    int rc = lock_often(arg);
    what->ns = watch.elapsed_ns();
    return rc;
}

/* Holds the mutex through a phase, so that all tasks queue up behind it. */
int contended(void *arg)
{
    auto *what = static_cast<job *>(arg);
    char nothing = 0;
    int rc = corio_mutex_lock(&what->mutex);
    for (std::uint64_t i = 0; i < what->tasks; i++)
        rc |= corio_go(lock_often, arg);
    rc |= pause_for_io(what->face, &nothing, &nothing);
    bench::stopwatch watch;
    rc |= corio_mutex_unlock(&what->mutex);
    rc |= corio_wait();
    what->ns = watch.elapsed_ns();
    return rc;
}

void measure(benchmark::State &state, corio_task_fn *root, std::uint64_t tasks, std::uint64_t locks,
             const char *counter)
{
    bench::runtime runtime(static_cast<unsigned>(state.range(0)));
    job what = {{}, CORIO_MUTEX_INIT, tasks, locks, 0};
    bench::check(pause_for_add(runtime.get(), answer, nullptr, &what.face), "corio_dispatcher_add");
    runtime.run(root, &what);
    bench::per_unit cost(state);
    for (auto _ : state) {
        runtime.run(root, &what);
        cost.add(what.ns, static_cast<double>(tasks * locks));
    }
    cost.report(counter);
}

void uncontended(benchmark::State &state)
{
    measure(state, alone, 1, locks_per_run, "ns/lock_unlock");
}

void hand_over(benchmark::State &state)
{
    measure(state, contended, 2, locks_per_run / 2, "ns/hand_over");
}

void queue(benchmark::State &state)
{
    measure(state, contended, waiting_tasks, 1, "ns/hand_over");
}

BENCHMARK(uncontended)->ArgName("workers")->Arg(1)->UseManualTime();
BENCHMARK(hand_over)->ArgName("workers")->Arg(1)->Arg(2)->UseManualTime();
BENCHMARK(queue)->ArgName("workers")->Arg(1)->Arg(2)->UseManualTime();

} // namespace

BENCHMARK_MAIN();
