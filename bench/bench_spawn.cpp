/* SPDX-License-Identifier: MIT
 *
 * bench_spawn.cpp - spawning and waiting, without I/O.
 *
 *   fib           fib(27), both calls spawned: every call is a task       ns/task, and plain calls beside it
 *   fib_half      the same, one call spawned and the other a plain call   ns/call (as other libraries' fib is written)
 *   loop          1,000,000 empty children of one task, then wait         ns/task
 *   chain         each task spawns one and waits for it, 1,000 deep       ns/task
 *
 * The host may have faster and slower minutes: compare `ratio`, which is taken against plain calls of the same seconds.
 */
#include "support.hpp"

namespace
{

constexpr int fib_of = 27;
constexpr std::size_t loop_children = 1000000, chain_depth = 1000, chain_rounds = 100;

/* -- Plain calls -- */

/* The empty asm keeps the compiler from turning one of the calls into a loop. */
__attribute__((noinline)) std::uint64_t plain_fib(int n)
{
    if (n < 2)
        return static_cast<std::uint64_t>(n);
    std::uint64_t a = plain_fib(n - 1);
    asm volatile("" : "+r"(a));
    std::uint64_t b = plain_fib(n - 2);
    asm volatile("" : "+r"(b));
    return a + b;
}

/* Calls that fib(n) makes, itself included. */
double fib_calls(int n)
{
    double before = 1, calls = 1;
    for (int i = 2; i <= n; i++) {
        double next = 1 + calls + before;
        before = calls;
        calls = next;
    }
    return calls;
}

double plain_ns_per_call()
{
    bench::stopwatch watch;
    benchmark::DoNotOptimize(plain_fib(fib_of));
    return watch.elapsed_ns() / fib_calls(fib_of);
}

/* -- Tasks -- */

struct fib_frame {
    int n;
    std::uint64_t result;
};

int fib_task(void *arg)
{
    auto *frame = static_cast<fib_frame *>(arg);
    if (frame->n < 2) {
        frame->result = static_cast<std::uint64_t>(frame->n);
        return 0;
    }
    fib_frame a = {frame->n - 1, 0}, b = {frame->n - 2, 0};
    int rc = corio_go(fib_task, &a);
    rc |= corio_go(fib_task, &b);
    rc |= corio_wait();
    frame->result = a.result + b.result;
    return rc;
}

int fib_half_task(void *arg)
{
    auto *frame = static_cast<fib_frame *>(arg);
    if (frame->n < 2) {
        frame->result = static_cast<std::uint64_t>(frame->n);
        return 0;
    }
    fib_frame a = {frame->n - 1, 0}, b = {frame->n - 2, 0};
    int rc = corio_go(fib_half_task, &a);
    rc |= fib_half_task(&b); /* its wait waits for `a` too: the scope is the task's */
    rc |= corio_wait();
    frame->result = a.result + b.result;
    return rc;
}

void fib_with(benchmark::State &state, corio_task_fn *task, const char *counter)
{
    bench::runtime runtime(static_cast<unsigned>(state.range(0)));
    const std::uint64_t expected = plain_fib(fib_of);
    fib_frame frame = {fib_of, 0};
    runtime.run(task, &frame);
    bench::per_unit cost(state);
    double plain_ns = 0, plain_runs = 0;
    for (auto _ : state) {
        plain_ns += plain_ns_per_call();
        plain_runs++;
        frame = {fib_of, 0};
        cost.add(runtime.timed_run(task, &frame), fib_calls(fib_of));
        if (frame.result != expected)
            bench::check(-1, "fib is wrong");
    }
    cost.report(counter);
    state.counters["ns/plain_call"] = plain_ns / plain_runs;
    state.counters["ratio"] = cost.ns() / (plain_ns / plain_runs);
}

void fib(benchmark::State &state)
{
    fib_with(state, fib_task, "ns/task");
}

void fib_half(benchmark::State &state)
{
    fib_with(state, fib_half_task, "ns/call");
}

int empty_task(void *)
{
    return 0;
}

int loop_root(void *)
{
    int rc = 0;
    for (std::size_t i = 0; i < loop_children; i++)
        rc |= corio_go(empty_task, nullptr);
    return rc | corio_wait();
}

void loop(benchmark::State &state)
{
    bench::runtime runtime(static_cast<unsigned>(state.range(0)));
    runtime.run(loop_root, nullptr);
    bench::per_unit cost(state);
    for (auto _ : state)
        cost.add(runtime.timed_run(loop_root, nullptr), loop_children);
    cost.report("ns/task");
}

int chain_link(void *arg)
{
    auto *left = static_cast<std::size_t *>(arg);
    if (--*left == 0)
        return 0;
    int rc = corio_go(chain_link, left);
    return rc | corio_wait();
}

int chain_root(void *)
{
    int rc = 0;
    for (std::size_t i = 0; i < chain_rounds; i++) {
        std::size_t left = chain_depth;
        rc |= corio_go(chain_link, &left);
        rc |= corio_wait();
    }
    return rc;
}

void chain(benchmark::State &state)
{
    bench::runtime runtime(static_cast<unsigned>(state.range(0)));
    runtime.run(chain_root, nullptr);
    bench::per_unit cost(state);
    for (auto _ : state)
        cost.add(runtime.timed_run(chain_root, nullptr), chain_depth * chain_rounds);
    cost.report("ns/task");
}

#define REGISTER(function)                                                                         \
    BENCHMARK(function)->ArgName("workers")->Arg(1)->Arg(2)->UseManualTime()->Unit(                \
        benchmark::kMillisecond)

REGISTER(fib);
REGISTER(fib_half);
REGISTER(loop);
REGISTER(chain);

} // namespace

BENCHMARK_MAIN();
