/* SPDX-License-Identifier: MIT
 *
 * support.hpp - what the benchmarks share: a runtime that releases itself, time, and memory figures of this process.
 *
 * A benchmark that cannot do its work ends the program: a figure of something else would be worse than none.
 */
#ifndef BENCH_SUPPORT_HPP
#define BENCH_SUPPORT_HPP

#include <benchmark/benchmark.h>
#include <corio.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace bench
{

inline void check(int rc, const char *what)
{
    if (rc >= 0)
        return;
    std::fprintf(stderr, "%s: %s\n", what, corio_strerror(rc));
    std::exit(1);
}

class runtime
{
  public:
    explicit runtime(unsigned workers, corio_wait_mode mode = CORIO_WAIT_STREAMING)
    {
        corio_options options = CORIO_OPTIONS_INIT;
        options.workers = workers;
        options.wait_mode = mode;
        check(corio_runtime_create(&options, &runtime_), "corio_runtime_create");
    }
    ~runtime()
    {
        check(corio_runtime_destroy(runtime_), "corio_runtime_destroy");
    }
    runtime(const runtime &) = delete;
    runtime &operator=(const runtime &) = delete;

    corio_runtime *get() const
    {
        return runtime_;
    }
    void run(corio_task_fn *root, void *arg) const
    {
        check(corio_run_named(runtime_, "benchmark", root, arg), "corio_run");
    }
    /* Nanoseconds of wall time of one run. */
    double timed_run(corio_task_fn *root, void *arg) const;

  private:
    corio_runtime *runtime_ = nullptr;
};

/* Nanoseconds since construction. */
class stopwatch
{
  public:
    double elapsed_ns() const
    {
        return std::chrono::duration<double, std::nano>(clock::now() - began_).count();
    }

  private:
    using clock = std::chrono::steady_clock;
    clock::time_point began_ = clock::now();
};

inline double runtime::timed_run(corio_task_fn *root, void *arg) const
{
    stopwatch watch;
    run(root, arg);
    return watch.elapsed_ns();
}

/* Sums what the iterations of a benchmark took: the timed part, divided by the units of work done. */
class per_unit
{
  public:
    explicit per_unit(benchmark::State &state) : state_(state)
    {
    }
    void add(double ns, double units)
    {
        state_.SetIterationTime(ns * 1e-9);
        ns_ += ns;
        units_ += units;
    }
    double ns() const
    {
        return ns_ / units_;
    }
    double total_ns() const
    {
        return ns_;
    }
    void report(const char *counter) const
    {
        state_.counters[counter] = ns();
    }

  private:
    benchmark::State &state_;
    double ns_ = 0;
    double units_ = 0;
};

/* Bytes of a line "NAME:   1234 kB" of a file below /proc/self; 0 if there is none. */
inline double proc_bytes(const char *file, const char *name)
{
    double bytes = 0;
    FILE *stream = std::fopen(file, "r");
    if (stream == nullptr)
        return 0;
    char line[256];
    while (std::fgets(line, sizeof line, stream) != nullptr) {
        size_t length = std::strlen(name);
        if (std::strncmp(line, name, length) == 0 && line[length] == ':')
            bytes = std::strtod(line + length + 1, nullptr) * 1024;
    }
    std::fclose(stream);
    return bytes;
}

/* Nanoseconds of processor time that this process has used, all threads together. */
inline double cpu_ns()
{
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/* Whether to register benchmarks that need gigabytes or many seconds: environment variable CORIO_BENCH_LARGE. */
inline bool want_large()
{
    const char *text = std::getenv("CORIO_BENCH_LARGE");
    return text != nullptr && *text != '\0' && std::strcmp(text, "0") != 0;
}

/* As BENCHMARK_MAIN, for a program that has something to do before. */
inline int main(int argc, char **argv)
{
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}

} // namespace bench

#endif
