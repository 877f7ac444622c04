/* SPDX-License-Identifier: MIT
 *
 * bench_memory.cpp - what a suspended task occupies.
 *
 *   suspended     N tasks wait for an answer; seen from the dispatcher, against the moment before the runtime was made
 *                   bytes/task               resident memory and page tables together
 *                   page_table_bytes/task    the page tables alone
 *
 * N is 100,000, with CORIO_BENCH_LARGE=1 also 1,000,000. The whole address space is counted: stacks, the closures'
 * deque, the batch.
 */
#include "support.hpp"

namespace
{

struct footprint {
    double resident_bytes;
    double page_table_bytes;
};

footprint measure()
{
    return {bench::proc_bytes("/proc/self/smaps_rollup", "Rss"),
            bench::proc_bytes("/proc/self/status", "VmPTE")};
}

CORIO_DISPATCHER(ask, std::uint64_t, std::uint64_t);

struct job {
    ask face;
    std::uint64_t tasks;
    footprint suspended;
};

int answer(void *self, corio_batch *batch)
{
    auto *what = static_cast<job *>(self);
    const std::size_t count = corio_batch_len(batch);
    if (count != what->tasks)
        return -EIO; /* not all of them are suspended */
    what->suspended = measure();
    for (std::size_t i = 0; i < count; i++)
        ask_respond(batch, i, ask_input(batch, i));
    return CORIO_DONE;
}

int asking_task(void *arg)
{
    const auto *what = static_cast<const job *>(arg);
    std::uint64_t question = 1, answered = 0;
    return ask_io(what->face, &question, &answered);
}

int root(void *arg)
{
    const auto *what = static_cast<const job *>(arg);
    int rc = 0;
    for (std::uint64_t i = 0; i < what->tasks; i++)
        rc |= corio_go(asking_task, arg);
    return rc | corio_wait();
}

void suspended(benchmark::State &state)
{
    job what = {{}, static_cast<std::uint64_t>(state.range(0)), {0, 0}};
    const auto tasks = static_cast<double>(what.tasks);
    double resident = 0, page_tables = 0, runs = 0;
    for (auto _ : state) {
        const footprint before = measure();
        bench::runtime runtime(1);
        bench::check(ask_add(runtime.get(), answer, &what, &what.face), "corio_dispatcher_add");
        runtime.run(root, &what);
        resident += what.suspended.resident_bytes - before.resident_bytes;
        page_tables += what.suspended.page_table_bytes - before.page_table_bytes;
        runs++;
    }
    state.counters["bytes/task"] = (resident + page_tables) / runs / tasks;
    state.counters["page_table_bytes/task"] = page_tables / runs / tasks;
}

void sizes(benchmark::internal::Benchmark *benchmark)
{
    benchmark->ArgName("tasks")->Iterations(1)->Unit(benchmark::kMillisecond);
    benchmark->Arg(100000);
    if (bench::want_large())
        benchmark->Arg(1000000);
}

BENCHMARK(suspended)->Apply(sizes);

} // namespace

BENCHMARK_MAIN();
