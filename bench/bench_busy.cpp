/* SPDX-License-Identifier: MIT
 *
 * bench_busy.cpp - programs that compute, against a plain loop of the same work in the same
 * seconds.
 *
 *   pipeline   20,000 tasks, 5 rounds each of computing for 20 us, then asking a dispatcher that
 *              costs nothing
 *   uneven     4,000 tasks that compute for 1 us to 1 ms, a third of them in each decade, and ask
 *              nothing
 *
 * Counters: ms; `ratio` to the loop (1 / workers is ideal); `efficiency`, 1 / (ratio * workers).
 */
#include "support.hpp"
#include "work/burn.hpp"

namespace
{

CORIO_DISPATCHER(echo, std::uint64_t, std::uint64_t);

constexpr std::uint64_t pipeline_tasks = 20000, pipeline_rounds = 5, uneven_tasks = 4000;
constexpr double pipeline_us = 20;

int answer(void *, corio_batch *batch)
{
    const std::size_t count = corio_batch_len(batch);
    for (std::size_t i = 0; i < count; i++)
        echo_respond(batch, i, echo_input(batch, i));
    return CORIO_DONE;
}

struct job {
    echo face;
    std::uint64_t steps;
};

/* -- Pipeline -- */

int stage_task(void *arg)
{
    const auto *what = static_cast<const job *>(arg);
    for (std::uint64_t round = 0; round < pipeline_rounds; round++) {
        std::uint64_t asked = work::burn(what->steps), answered = 0;
        int rc = echo_io(what->face, &asked, &answered);
        if (rc != 0 || answered != asked)
            return rc != 0 ? rc : -EIO;
    }
    return 0;
}

int pipeline_root(void *arg)
{
    int rc = 0;
    for (std::uint64_t i = 0; i < pipeline_tasks; i++)
        rc |= corio_go(stage_task, arg);
    return rc | corio_wait();
}

void pipeline_loop(const job &what)
{
    for (std::uint64_t i = 0; i < pipeline_tasks * pipeline_rounds; i++)
        benchmark::DoNotOptimize(work::burn(what.steps));
}

/* -- Uneven -- */

int uneven_task(void *arg)
{
    benchmark::DoNotOptimize(work::burn(*static_cast<const std::uint64_t *>(arg)));
    return 0;
}

int uneven_root(void *)
{
    int rc = 0;
    for (std::uint64_t i = 0; i < uneven_tasks; i++) {
        const std::uint64_t steps = work::uneven_steps(i);
        rc |= corio_go_copy(uneven_task, &steps, sizeof steps);
    }
    return rc | corio_wait();
}

void uneven_loop(const job &)
{
    for (std::uint64_t i = 0; i < uneven_tasks; i++)
        benchmark::DoNotOptimize(work::burn(work::uneven_steps(i)));
}

/* -- Both -- */

void compare(benchmark::State &state, corio_task_fn *root, void (*loop)(const job &))
{
    const auto workers = static_cast<unsigned>(state.range(0));
    bench::runtime runtime(workers);
    job what = {{}, work::steps_of(pipeline_us)};
    bench::check(echo_add(runtime.get(), answer, nullptr, &what.face), "corio_dispatcher_add");
    bench::per_unit cost(state);
    double loop_ns = 0;
    for (auto _ : state) {
        bench::stopwatch watch;
        loop(what);
        loop_ns += watch.elapsed_ns();
        cost.add(runtime.timed_run(root, &what), 1e6);
    }
    const double ratio = cost.total_ns() / loop_ns;
    cost.report("ms");
    state.counters["ratio"] = ratio;
    state.counters["efficiency"] = 1 / (ratio * workers);
}

void pipeline(benchmark::State &state)
{
    compare(state, pipeline_root, pipeline_loop);
}

void uneven(benchmark::State &state)
{
    compare(state, uneven_root, uneven_loop);
}

void sizes(benchmark::internal::Benchmark *benchmark)
{
    benchmark->ArgName("workers")->Arg(1)->Arg(2);
    benchmark->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);
}

BENCHMARK(pipeline)->Apply(sizes);
BENCHMARK(uneven)->Apply(sizes);

} // namespace

BENCHMARK_MAIN();
