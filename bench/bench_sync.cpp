/* SPDX-License-Identifier: MIT
 *
 * bench_sync.cpp - what tasks do among themselves, besides the mutex.
 *
 *   waitgroup     add and done, nobody waits                              ns/add_done
 *   waiters       1,000 tasks wait in a wait group: from done to the last  ns/waiter
 *   flight        corio_do, alone with its key                            ns/do
 *   shared        1,000 tasks want one key: park, copy, wake              ns/do
 *   deferred      a cleanup, from corio_defer until it has run            ns/cleanup
 *   failing       a child that leaves by corio_fail, spawn and wait       ns/child
 *   sleeping      1,000 tasks sleep for a nanosecond: arm, fire, resume   ns/sleep
 *   cancelled     1,000 tasks wait in a wait group and are cancelled      ns/task
 */
#include "support.hpp"

#include <cerrno>

namespace
{

constexpr std::uint64_t many = 1000, often = 100000;

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
    corio_waitgroup group;
    corio_flight *flight;
    double ns; /* ret: of the timed part */
};

int pause(const job *what)
{
    char nothing = 0;
    return pause_for_io(what->face, &nothing, &nothing);
}

int add_done(void *arg)
{
    auto *what = static_cast<job *>(arg);
    bench::stopwatch watch;
    int rc = 0;
    for (std::uint64_t i = 0; i < often; i++) {
        rc |= corio_waitgroup_add(&what->group, 1);
        rc |= corio_waitgroup_done(&what->group);
    }
    what->ns = watch.elapsed_ns();
    return rc;
}

int wait_in_group(void *arg)
{
    return corio_waitgroup_wait(&static_cast<job *>(arg)->group);
}

int wake_waiters(void *arg)
{
    auto *what = static_cast<job *>(arg);
    int rc = corio_waitgroup_add(&what->group, 1);
    for (std::uint64_t i = 0; i < many; i++)
        rc |= corio_go(wait_in_group, arg);
    rc |= pause(what);
    bench::stopwatch watch;
    rc |= corio_waitgroup_done(&what->group);
    rc |= corio_wait();
    what->ns = watch.elapsed_ns();
    return rc;
}

int make_value(void *arg, void *value)
{
    *static_cast<std::uint64_t *>(value) = 1;
    return arg != nullptr ? pause(static_cast<job *>(arg)) : 0;
}

int do_alone(void *arg)
{
    auto *what = static_cast<job *>(arg);
    bench::stopwatch watch;
    int rc = 0;
    for (std::uint64_t i = 0; i < often; i++) {
        std::uint64_t value;
        rc |= corio_do(what->flight, &i, sizeof i, make_value, nullptr, &value, nullptr);
    }
    what->ns = watch.elapsed_ns();
    return rc;
}

int do_shared(void *arg)
{
    std::uint64_t value;
    return corio_do(static_cast<job *>(arg)->flight, "key", 3, make_value, arg, &value, nullptr);
}

int all_do_shared(void *arg)
{
    bench::stopwatch watch;
    int rc = 0;
    for (std::uint64_t i = 0; i < many; i++)
        rc |= corio_go(do_shared, arg);
    rc |= corio_wait();
    static_cast<job *>(arg)->ns = watch.elapsed_ns();
    return rc;
}

void clean_up(void *)
{
}

int defer_one(void *)
{
    return corio_defer(clean_up, nullptr);
}

int all_defer(void *arg)
{
    bench::stopwatch watch;
    int rc = 0;
    for (std::uint64_t i = 0; i < often; i++) {
        rc |= corio_go(defer_one, nullptr);
        rc |= corio_wait();
    }
    static_cast<job *>(arg)->ns = watch.elapsed_ns();
    return rc;
}

int leave(void *)
{
    corio_fail(-EIO, nullptr);
}

int all_fail(void *arg)
{
    bench::stopwatch watch;
    int rc = 0;
    for (std::uint64_t i = 0; i < many; i++) {
        rc |= corio_go(leave, nullptr);
        rc |= corio_wait() == -EIO ? 0 : -EPROTO;
    }
    static_cast<job *>(arg)->ns = watch.elapsed_ns();
    return rc;
}

int sleep_shortly(void *)
{
    return corio_sleep(1);
}

int all_sleep(void *arg)
{
    bench::stopwatch watch;
    int rc = 0;
    for (std::uint64_t i = 0; i < many; i++)
        rc |= corio_go(sleep_shortly, nullptr);
    rc |= corio_wait();
    static_cast<job *>(arg)->ns = watch.elapsed_ns();
    return rc;
}

int all_cancelled(void *arg)
{
    auto *what = static_cast<job *>(arg);
    int rc = corio_waitgroup_add(&what->group, 1);
    for (std::uint64_t i = 0; i < many; i++)
        rc |= corio_go(wait_in_group, arg);
    rc |= pause(what);
    bench::stopwatch watch;
    rc |= corio_cancel_children(-EINTR);
    rc |= corio_wait() == -EINTR ? 0 : -EPROTO;
    what->ns = watch.elapsed_ns();
    return rc | corio_waitgroup_done(&what->group);
}

void measure(benchmark::State &state, corio_task_fn *root, std::uint64_t units, const char *counter)
{
    bench::runtime runtime(static_cast<unsigned>(state.range(0)));
    job what = {{}, CORIO_WAITGROUP_INIT, nullptr, 0};
    bench::check(pause_for_add(runtime.get(), answer, nullptr, &what.face), "corio_dispatcher_add");
    bench::check(corio_flight_create(sizeof(std::uint64_t), &what.flight), "corio_flight_create");
    runtime.run(root, &what);
    bench::per_unit cost(state);
    for (auto _ : state) {
        runtime.run(root, &what);
        cost.add(what.ns, static_cast<double>(units));
    }
    cost.report(counter);
    bench::check(corio_flight_destroy(what.flight), "corio_flight_destroy");
}

#define SYNC_BENCHMARK(name, root, units, counter)                                                 \
    void name(benchmark::State &state)                                                             \
    {                                                                                              \
        measure(state, root, units, counter);                                                      \
    }                                                                                              \
    BENCHMARK(name)->ArgName("workers")->Arg(1)->UseManualTime()

SYNC_BENCHMARK(waitgroup, add_done, often, "ns/add_done");
SYNC_BENCHMARK(waiters, wake_waiters, many, "ns/waiter")->Arg(2);
SYNC_BENCHMARK(flight, do_alone, often, "ns/do");
SYNC_BENCHMARK(shared, all_do_shared, many, "ns/do")->Arg(2);
SYNC_BENCHMARK(deferred, all_defer, often, "ns/cleanup");
SYNC_BENCHMARK(failing, all_fail, many, "ns/child");
SYNC_BENCHMARK(sleeping, all_sleep, many, "ns/sleep")->Arg(2);
SYNC_BENCHMARK(cancelled, all_cancelled, many, "ns/task")->Arg(2);

} // namespace

BENCHMARK_MAIN();
