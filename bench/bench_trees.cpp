/* SPDX-License-Identifier: MIT
 *
 * bench_trees.cpp - the trees that task systems are compared by (work/work.hpp), with plain calls
 * of the same code in the same seconds: `ratio` is taken against them.
 *
 *   skynet     a tree of tens with a million leaves                         ns/task
 *   nqueens    all solutions on a board of 12 x 12, each place a task       ms
 *   uts_t3     unbalanced tree search: T3, 4.1 million nodes of 0.2 us      ns/node
 *   uts_t3l    T3L, 111 million nodes, up to 17,844 deep                    ns/node
 *
 * T3L takes a minute, and is there with CORIO_BENCH_LARGE=1 only.
 * `efficiency` is what part of the workers' time plain calls would have needed.
 */
#include "support.hpp"
#include "work/corio.hpp"
#include "work/work.hpp"

namespace
{

using work::corio_tasks;

double timed_ns(void (*function)())
{
    bench::stopwatch watch;
    function();
    return watch.elapsed_ns();
}

void tree(benchmark::State &state, corio_task_fn *root, void (*plain)(), double units,
          const char *unit)
{
    const auto workers = static_cast<unsigned>(state.range(0));
    bench::runtime runtime(workers);
    bench::per_unit cost(state);
    double plain_ns = 0;
    for (auto _ : state) {
        plain_ns += plain ? timed_ns(plain) : 0;
        cost.add(runtime.timed_run(root, nullptr), units);
    }
    cost.report(unit);
    if (plain) {
        const double ratio = cost.total_ns() / plain_ns;
        state.counters["ratio"] = ratio;
        state.counters["efficiency"] = 1 / (ratio * workers);
    }
}

void skynet(benchmark::State &state)
{
    tree(state, corio_tasks::root<work::skynet<corio_tasks>>, work::skynet<work::plain>,
         work::skynet_tasks, "ns/task");
}

void nqueens(benchmark::State &state)
{
    tree(state, corio_tasks::root<work::nqueens<corio_tasks>>, work::nqueens<work::plain>, 1e6,
         "ms");
}

void uts_t3(benchmark::State &state)
{
    tree(state, corio_tasks::root<work::uts_t3<corio_tasks>>, work::uts_t3<work::plain>,
         static_cast<double>(work::tree_t3().nodes), "ns/node");
}

/* No plain calls beside it: they overflow the thread's stack. */
void uts_t3l(benchmark::State &state)
{
    tree(state, corio_tasks::root<work::uts_t3l<corio_tasks>>, nullptr,
         static_cast<double>(work::tree_t3l().nodes), "ns/node");
}

void sizes(benchmark::internal::Benchmark *benchmark)
{
    benchmark->ArgName("workers")->Arg(1)->Arg(2)->UseManualTime()->Unit(benchmark::kMillisecond);
}

void large_sizes(benchmark::internal::Benchmark *benchmark)
{
    sizes(benchmark);
    benchmark->Iterations(1);
}

BENCHMARK(skynet)->Apply(sizes);
BENCHMARK(nqueens)->Apply(sizes);
BENCHMARK(uts_t3)->Apply(sizes);

} // namespace

int main(int argc, char **argv)
{
    if (bench::want_large())
        benchmark::RegisterBenchmark("uts_t3l", uts_t3l)->Apply(large_sizes);
    return bench::main(argc, argv);
}
