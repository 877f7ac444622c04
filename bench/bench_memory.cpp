/* SPDX-License-Identifier: MIT
 *
 * bench_memory.cpp - what a suspended task occupies.
 *
 *   suspended     N tasks wait for an answer; seen from the dispatcher, against the moment before the runtime was made
 *                   bytes/task               resident memory and page tables together
 *                   page_table_bytes/task    the page tables alone
 *   page_fault    the first touch of a page, pages as far apart as stacks are          ns/page
 *   guard         a guard page before each of them (MADV_GUARD_INSTALL, Linux 6.13)     ns/page
 *
 * The last two are the floor of a first run. N is 100,000, with CORIO_BENCH_LARGE=1 also 1,000,000. The whole address space is counted: stacks, the closures'
 * deque, the batch.
 */
#include "support.hpp"

#include <sys/mman.h>

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

/* -- What a new stack costs at least -- */

constexpr std::size_t page_bytes = 4096, slot_bytes = 17 * page_bytes, slots = 100000;
constexpr int guard_install = 102; /* the headers may be older than the kernel */

char *map_slots()
{
    void *memory = mmap(nullptr, slots * slot_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bench::check(memory != MAP_FAILED ? 0 : -errno, "mmap");
    madvise(memory, slots * slot_bytes, MADV_NOHUGEPAGE);
    return static_cast<char *>(memory);
}

void page_fault(benchmark::State &state)
{
    bench::per_unit cost(state);
    for (auto _ : state) {
        char *memory = map_slots();
        bench::stopwatch watch;
        for (std::size_t i = 1; i <= slots; i++)
            memory[i * slot_bytes - 1] = 1;
        cost.add(watch.elapsed_ns(), slots);
        munmap(memory, slots * slot_bytes);
    }
    cost.report("ns/page");
}

void guard(benchmark::State &state)
{
    bench::per_unit cost(state);
    for (auto _ : state) {
        char *memory = map_slots();
        bool works = true;
        bench::stopwatch watch;
        for (std::size_t i = 0; i < slots; i++)
            works &= madvise(memory + i * slot_bytes, page_bytes, guard_install) == 0;
        cost.add(watch.elapsed_ns(), slots);
        munmap(memory, slots * slot_bytes);
        if (!works)
            state.SkipWithError("no MADV_GUARD_INSTALL");
    }
    cost.report("ns/page");
}

void sizes(benchmark::internal::Benchmark *benchmark)
{
    benchmark->ArgName("tasks")->Iterations(1)->Unit(benchmark::kMillisecond);
    benchmark->Arg(100000);
    if (bench::want_large())
        benchmark->Arg(1000000);
}

BENCHMARK(suspended)->Apply(sizes);
BENCHMARK(page_fault)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(guard)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);

} // namespace

BENCHMARK_MAIN();
