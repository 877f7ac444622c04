/* SPDX-License-Identifier: MIT
 *
 * bench_uring.cpp - random reads of 4 KiB from a file that is larger than what a drive remembers: tasks with the io_uring
 * dispatcher, with its thread fallback, and plain threads.
 *
 *   uring           N tasks read in a loop, through the ring                     reads/s
 *   uring_fixed     the same into memory registered with the kernel              reads/s
 *   uring_threads   the same without a ring: slices on 16 I/O threads            reads/s
 *   pread           16 threads read in a loop with pread; with 256 what the      reads/s
 *                   drive can give at all, at the cost of 256 threads
 *
 * `direct` 1: O_DIRECT, from the drive; 0: from the page cache, warm. The file has CORIO_BENCH_FILE_MIB MiB (1,024) of random
 * bytes and lies in CORIO_BENCH_DIR (the current folder). The benchmarks take turns (--benchmark_repetitions,
 * --benchmark_enable_random_interleaving): a shared drive changes its mind.
 */
#include "support.hpp"

#include <corio/uring.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace
{

constexpr std::size_t block = 4096;

std::uint64_t number_from(const char *name, std::uint64_t otherwise)
{
    const char *text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/* xorshift64*: each reader has its own. */
struct random_blocks {
    std::uint64_t state;
    std::uint64_t next()
    {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return state * 0x2545f4914f6cdd1du;
    }
};

/* The file that all read; it has no name, and goes with the process. */
class data_file
{
  public:
    data_file() : blocks_(number_from("CORIO_BENCH_FILE_MIB", 1024) * (1 << 20) / block)
    {
        const char *folder = std::getenv("CORIO_BENCH_DIR");
        std::string path = std::string(folder != nullptr ? folder : ".") + "/corio-bench-XXXXXX";
        cached_ = mkstemp(&path[0]);
        bench::check(cached_ < 0 ? -errno : 0, "mkstemp");
        fill();
        direct_ = open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
        unlink(path.c_str());
    }
    int get(bool direct) const
    {
        return direct ? direct_ : cached_;
    }
    std::uint64_t blocks() const
    {
        return blocks_;
    }

  private:
    void fill()
    {
        std::vector<std::uint64_t> chunk((1 << 20) / sizeof(std::uint64_t));
        random_blocks random = {42};
        for (std::uint64_t written = 0; written < blocks_ * block; written += 1 << 20) {
            for (auto &word : chunk)
                word = random.next();
            ssize_t rc = pwrite(cached_, chunk.data(), 1 << 20, static_cast<off_t>(written));
            bench::check(rc == 1 << 20 ? 0 : -EIO, "pwrite");
        }
        bench::check(fsync(cached_), "fsync");
    }

    std::uint64_t blocks_;
    int cached_ = -1;
    int direct_ = -1;
};

const data_file &file()
{
    static data_file the_file;
    return the_file;
}

struct job {
    corio_dispatcher *dispatcher;
    int fd;
    char *memory;
    std::uint64_t tasks;
    std::uint64_t rounds;
    std::atomic<std::uint64_t> started;
};

int reading_task(void *arg)
{
    auto *what = static_cast<job *>(arg);
    std::uint64_t number = what->started.fetch_add(1);
    random_blocks random = {number + 1};
    random.next();
    char *buffer = what->memory + number % what->tasks * block;
    for (std::uint64_t round = 0; round < what->rounds; round++) {
        auto offset = static_cast<std::int64_t>(random.next() % file().blocks() * block);
        int rc = corio_uring_read(what->dispatcher, what->fd, buffer, block, offset);
        if (rc != static_cast<int>(block))
            return rc < 0 ? rc : -EIO;
    }
    return 0;
}

int root(void *arg)
{
    auto *what = static_cast<job *>(arg);
    int rc = 0;
    for (std::uint64_t i = 0; i < what->tasks; i++)
        rc |= corio_go(reading_task, arg);
    return rc | corio_wait();
}

/* Processor time of this process, the kernel's part too. */
double cpu_us()
{
    rusage used = {};
    getrusage(RUSAGE_SELF, &used);
    return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

void report(benchmark::State &state, double reads, double ns, double used_us)
{
    state.counters["reads/s"] = reads / (ns * 1e-9);
    state.counters["cpu_us/read"] = used_us / reads;
}

void with_tasks(benchmark::State &state, bool fixed, bool threads_only)
{
    job what = {};
    what.tasks = static_cast<std::uint64_t>(state.range(1));
    what.rounds = static_cast<std::uint64_t>(state.range(2)) / what.tasks;
    what.fd = file().get(state.range(0) != 0);
    if (what.fd < 0) {
        state.SkipWithError("no O_DIRECT here");
        return;
    }
    std::size_t bytes = what.tasks * block;
    void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    bench::check(memory == MAP_FAILED ? -ENOMEM : 0, "mmap");
    what.memory = static_cast<char *>(memory);
    const iovec buffer = {memory, bytes};
    corio_uring_options options = {};
    options.size = sizeof options;
    options.threads_only = threads_only;
    options.buffers = &buffer;
    options.buffer_count = fixed ? 1 : 0;
    corio_uring *uring = nullptr;
    bench::check(corio_uring_create(&options, &uring), "corio_uring_create");
    double reads = 0, ns = 0, used_us = 0;
    corio_uring_stats stats = {};
    stats.size = sizeof stats;
    {
        bench::runtime runtime(0);
        bench::check(corio_uring_add(uring, runtime.get(), &what.dispatcher), "corio_uring_add");
        for (auto _ : state) {
            double before_us = cpu_us();
            double took = runtime.timed_run(root, &what);
            used_us += cpu_us() - before_us;
            state.SetIterationTime(took * 1e-9);
            ns += took;
            reads += static_cast<double>(what.tasks * what.rounds);
        }
        bench::check(corio_uring_get_stats(uring, &stats), "corio_uring_get_stats");
    }
    report(state, reads, ns, used_us);
    state.counters["batch"] =
        static_cast<double>(stats.requests) / static_cast<double>(stats.batches);
    state.SetLabel(stats.uses_ring ? stats.fixed > 0 ? "ring, registered" : "ring" : "threads");
    corio_uring_destroy(uring);
    munmap(memory, bytes);
}

void uring(benchmark::State &state)
{
    with_tasks(state, false, false);
}

void uring_fixed(benchmark::State &state)
{
    with_tasks(state, true, false);
}

void uring_threads(benchmark::State &state)
{
    with_tasks(state, false, true);
}

void read_some(int fd, std::uint64_t seed, std::uint64_t count)
{
    void *memory = nullptr;
    bench::check(-posix_memalign(&memory, block, block), "posix_memalign");
    random_blocks random = {seed};
    random.next();
    for (std::uint64_t i = 0; i < count; i++) {
        auto offset = static_cast<off_t>(random.next() % file().blocks() * block);
        bench::check(pread(fd, memory, block, offset) == static_cast<ssize_t>(block) ? 0 : -EIO,
                     "pread");
    }
    std::free(memory);
}

void pread(benchmark::State &state)
{
    int fd = file().get(state.range(0) != 0);
    if (fd < 0) {
        state.SkipWithError("no O_DIRECT here");
        return;
    }
    auto count = static_cast<unsigned>(state.range(1));
    std::uint64_t each = static_cast<std::uint64_t>(state.range(2)) / count, seed = 1000;
    double reads = 0, ns = 0, used_us = 0;
    for (auto _ : state) {
        double before_us = cpu_us();
        bench::stopwatch watch;
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < count; i++)
            threads.emplace_back(read_some, fd, ++seed, each);
        for (auto &thread : threads)
            thread.join();
        double took = watch.elapsed_ns();
        used_us += cpu_us() - before_us;
        state.SetIterationTime(took * 1e-9);
        ns += took;
        reads += static_cast<double>(each * count);
    }
    report(state, reads, ns, used_us);
}

void tasks(benchmark::internal::Benchmark *benchmark)
{
    benchmark->ArgNames({"direct", "tasks", "reads"})
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
    for (int direct : {1, 0}) {
        for (int count : {64, 256, 1024})
            benchmark->Args({direct, count, direct ? 65536 : 262144});
    }
}

void plain(benchmark::internal::Benchmark *benchmark)
{
    benchmark->ArgNames({"direct", "threads", "reads"})
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
    for (int direct : {1, 0}) {
        for (int count : {16, 256})
            benchmark->Args({direct, count, direct ? 65536 : 262144});
    }
}

BENCHMARK(pread)->Apply(plain);
BENCHMARK(uring)->Apply(tasks);
BENCHMARK(uring_fixed)->Apply(tasks);
BENCHMARK(uring_threads)->Apply(tasks);

} // namespace

BENCHMARK_MAIN();
