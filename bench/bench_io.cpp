/* SPDX-License-Identifier: MIT
 *
 * bench_io.cpp - what a request costs when its answer costs nothing: suspend, collect, hand over, answer, resume.
 *
 *   rounds        N tasks ask 10 times each; the runtime has done the same before    ns/request
 *   rounds_cold   the same in a new runtime: stacks are made, pages are touched      ns/request
 *   first_run     a new runtime's first run: every task asks once                    ns/task
 *   ping_pong     one task asks 10,000 times: a phase per request                    ns/request
 *                   cpu/wall   processor time of all threads: 1 if the workers without work sleep
 *   equal_asked   N tasks ask 10 times each one of 1,000 questions: all are asked    ns/request
 *   equal_dedup   the same with dedup: all but 1,000 of a round follow               ns/request
 *   equal_cached  the same with a cache that has all the answers                     ns/request
 *
 * N is 100, 10,000 and 100,000, with CORIO_BENCH_LARGE=1 also 1,000,000 (4 GB of memory). Spawning the tasks is included.
 */
#include "support.hpp"

namespace
{

CORIO_DISPATCHER(echo, std::uint64_t, std::uint64_t);

constexpr std::uint64_t rounds_per_task = 10, ping_pong_rounds = 10000, questions = 1000;

int answer(void *, corio_batch *batch)
{
    const std::size_t count = corio_batch_len(batch);
    for (std::size_t i = 0; i < count; i++)
        echo_respond(batch, i, echo_input(batch, i));
    return CORIO_DONE;
}

struct job {
    echo face;
    std::uint64_t tasks;
    std::uint64_t rounds;
};

int asking_task(void *arg)
{
    const auto *what = static_cast<const job *>(arg);
    for (std::uint64_t round = 0; round < what->rounds; round++) {
        std::uint64_t answered = 0;
        int rc = echo_io(what->face, &round, &answered);
        if (rc != 0 || answered != round)
            return rc != 0 ? rc : -EIO;
    }
    return 0;
}

int root(void *arg)
{
    const auto *what = static_cast<const job *>(arg);
    int rc = 0;
    for (std::uint64_t i = 0; i < what->tasks; i++)
        rc |= corio_go(asking_task, arg);
    return rc | corio_wait();
}

struct question {
    const job *what;
    std::uint64_t number;
};

int asking_equal(void *arg)
{
    const auto *mine = static_cast<const question *>(arg);
    for (std::uint64_t round = 0; round < mine->what->rounds; round++) {
        std::uint64_t answered = 0;
        int rc = echo_io(mine->what->face, &mine->number, &answered);
        if (rc != 0 || answered != mine->number)
            return rc != 0 ? rc : -EIO;
    }
    return 0;
}

int equal_root(void *arg)
{
    const auto *what = static_cast<const job *>(arg);
    int rc = 0;
    for (std::uint64_t i = 0; i < what->tasks; i++) {
        const question asked = {what, i % questions};
        rc |= corio_go_copy(asking_equal, &asked, sizeof asked);
    }
    return rc | corio_wait();
}

job make_job(const bench::runtime &runtime, std::uint64_t tasks, std::uint64_t rounds)
{
    job what = {{}, tasks, rounds};
    bench::check(echo_add(runtime.get(), answer, nullptr, &what.face), "corio_dispatcher_add");
    return what;
}

double requests(const job &what)
{
    return static_cast<double>(what.tasks * what.rounds);
}

void warm(benchmark::State &state, corio_wait_mode mode, std::uint64_t rounds)
{
    bench::runtime runtime(static_cast<unsigned>(state.range(1)), mode);
    job what = make_job(runtime, static_cast<std::uint64_t>(state.range(0)), rounds);
    runtime.run(root, &what);
    bench::per_unit cost(state);
    for (auto _ : state)
        cost.add(runtime.timed_run(root, &what), requests(what));
    cost.report("ns/request");
}

void rounds(benchmark::State &state)
{
    warm(state, CORIO_WAIT_STREAMING, rounds_per_task);
}

void rounds_strict(benchmark::State &state)
{
    warm(state, CORIO_WAIT_STRICT, rounds_per_task);
}

void ping_pong(benchmark::State &state)
{
    const double cpu_before = bench::cpu_ns();
    bench::stopwatch watch;
    warm(state, CORIO_WAIT_STREAMING, ping_pong_rounds);
    state.counters["cpu/wall"] = (bench::cpu_ns() - cpu_before) / watch.elapsed_ns();
}

void cold(benchmark::State &state, std::uint64_t rounds, const char *counter)
{
    bench::per_unit cost(state);
    for (auto _ : state) {
        bench::runtime runtime(static_cast<unsigned>(state.range(1)));
        job what = make_job(runtime, static_cast<std::uint64_t>(state.range(0)), rounds);
        cost.add(runtime.timed_run(root, &what), requests(what));
    }
    cost.report(counter);
}

void rounds_cold(benchmark::State &state)
{
    cold(state, rounds_per_task, "ns/request");
}

void first_run(benchmark::State &state)
{
    cold(state, 1, "ns/task");
}

void equal(benchmark::State &state, bool dedup, std::size_t cache_bytes)
{
    bench::runtime runtime(static_cast<unsigned>(state.range(1)));
    job what = {{}, static_cast<std::uint64_t>(state.range(0)), rounds_per_task};
    corio_dispatcher_options options = {};
    options.dispatch = answer;
    options.dedup = dedup;
    options.cache_bytes = cache_bytes;
    bench::check(echo_add_with(runtime.get(), &options, &what.face), "corio_dispatcher_add");
    runtime.run(equal_root, &what);
    bench::per_unit cost(state);
    for (auto _ : state)
        cost.add(runtime.timed_run(equal_root, &what), requests(what));
    cost.report("ns/request");
}

void equal_asked(benchmark::State &state)
{
    equal(state, false, 0);
}

void equal_dedup(benchmark::State &state)
{
    equal(state, true, 0);
}

void equal_cached(benchmark::State &state)
{
    equal(state, true, std::size_t{1} << 20);
}

void sizes(benchmark::internal::Benchmark *benchmark)
{
    benchmark->ArgNames({"tasks", "workers"})->UseManualTime()->Unit(benchmark::kMillisecond);
    for (int tasks : {100, 1000, 10000, 100000, 1000000}) {
        if (tasks == 1000000 && !bench::want_large())
            continue;
        benchmark->Args({tasks, 1})->Args({tasks, 2});
    }
}

BENCHMARK(rounds)->Apply(sizes);
BENCHMARK(rounds_strict)->Apply(sizes);
BENCHMARK(rounds_cold)->Apply(sizes);
BENCHMARK(equal_asked)->Apply(sizes);
BENCHMARK(equal_dedup)->Apply(sizes);
BENCHMARK(equal_cached)->Apply(sizes);
BENCHMARK(first_run)
    ->ArgNames({"tasks", "workers"})
    ->Args({100000, 1})
    ->Args({100000, 2})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(ping_pong)
    ->ArgNames({"tasks", "workers"})
    ->Args({1, 1})
    ->Args({1, 8})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

} // namespace

BENCHMARK_MAIN();
