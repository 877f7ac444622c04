/* SPDX-License-Identifier: MIT
 *
 * bench_early.cpp - what early dispatch is for: a long task among many that ask.
 *
 *   long_task   one task computes for 50 ms, 1,000 ask once; an answer takes 20 ms from the hand-over    wall time
 *     early 0      nothing is handed over before the long task ends
 *     early 1      by number: at 500 requests
 *     early 2      by age: after 2 ms
 */
#include "support.hpp"

#include <chrono>
#include <thread>

namespace
{

constexpr int askers = 1000;
constexpr std::uint64_t long_ns = 50000000;
corio_dispatcher *slow;

int answer(void *, corio_batch *batch)
{
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    for (std::size_t i = 0; i < corio_batch_len(batch); i++)
        corio_batch_respond(batch, i);
    return CORIO_DONE;
}

int submit(void *, corio_batch *batch)
{
    int rc = corio_batch_submit(batch, answer, nullptr);
    return rc == 0 ? CORIO_LATER : rc;
}

int compute(void *)
{
    for (const std::uint64_t until = corio_now_ns() + long_ns; corio_now_ns() < until;)
        ;
    return 0;
}

int ask(void *)
{
    return corio_io(slow, nullptr, nullptr);
}

int root(void *)
{
    int rc = corio_go(compute, nullptr);
    for (int i = 0; i < askers; i++)
        rc |= corio_go(ask, nullptr);
    return rc | corio_wait();
}

void long_task(benchmark::State &state)
{
    bench::runtime runtime(static_cast<unsigned>(state.range(1)));
    corio_dispatcher_options options = {};
    options.size = sizeof options;
    options.name = "slow";
    options.dispatch = submit;
    options.early_count = state.range(0) == 1 ? askers / 2 : 0;
    options.early_ns = state.range(0) == 2 ? 2000000 : 0;
    bench::check(corio_dispatcher_add(runtime.get(), &options, &slow), "corio_dispatcher_add");
    bench::per_unit cost(state);
    for (auto _ : state)
        cost.add(runtime.timed_run(root, nullptr), askers);
    cost.report("ns/request");
}

BENCHMARK(long_task)
    ->ArgNames({"early", "workers"})
    ->ArgsProduct({{0, 1, 2}, {1, 2}})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

} // namespace

BENCHMARK_MAIN();
