/* SPDX-License-Identifier: MIT
 *
 * peer.hpp - what the C++ programs of this folder share: the command line, and measuring.
 *
 * A program is called as `PROGRAM WORK WORKERS`, does the work once to warm up, then several times,
 * and prints
 *
 *     WORK WORKERS UNIT MEDIAN MINIMUM
 *
 * in nanoseconds for a unit of work. PROGRAM --list names the works it has, a line each. The
 * programs in Go and Rust do the same.
 */
#ifndef BENCH_PEERS_PEER_HPP
#define BENCH_PEERS_PEER_HPP

#include "../work/work.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

namespace peer
{

struct task {
    const char *name;
    const char *unit;
    double units;
    void (*run)();
};

/* What every task system of work.hpp can do. */
template <class system> std::vector<task> tasks_of()
{
    return {
        {"fib", "call", static_cast<double>(work::fib_calls), work::fib<system>},
        {"fib_both", "call", static_cast<double>(work::fib_calls), work::fib_both<system>},
        {"loop", "child", static_cast<double>(work::loop_children), work::loop<system>},
        {"skynet", "task", static_cast<double>(work::skynet_tasks), work::skynet<system>},
        {"nqueens", "board", 1, work::nqueens<system>},
        {"uts_t3", "node", static_cast<double>(work::tree_t3().nodes), work::uts_t3<system>},
        {"uts_t3l", "node", static_cast<double>(work::tree_t3l().nodes), work::uts_t3l<system>},
    };
}

constexpr double measured_ns = 4e8; /* of one work, at least */
constexpr double long_ns = 15e9;    /* a first run as long as this is the measurement */
constexpr std::size_t most_runs = 50;

template <class around> double timed_ns(around &enter, const task &what)
{
    using clock = std::chrono::steady_clock;
    const auto began = clock::now();
    enter(what.run);
    return std::chrono::duration<double, std::nano>(clock::now() - began).count();
}

/* `enter(run)` calls run() inside the task system, and returns when it is done. */
template <class around> int measure(around enter, const task &what, unsigned workers)
{
    std::vector<double> runs = {timed_ns(enter, what)};
    if (runs.front() < long_ns) {
        runs.clear();
        for (double sum = 0; sum < measured_ns && runs.size() < most_runs; sum += runs.back())
            runs.push_back(timed_ns(enter, what));
    }
    std::sort(runs.begin(), runs.end());
    std::printf("%s %u %s %.4g %.4g\n", what.name, workers, what.unit,
                runs[runs.size() / 2] / what.units, runs.front() / what.units);
    return 0;
}

inline int usage(const char *program, FILE *stream)
{
    std::fprintf(
        stream,
        "Usage: %s WORK WORKERS\n"
        "Measures a work and prints: WORK WORKERS UNIT MEDIAN MINIMUM (nanoseconds a unit).\n"
        "--list names the works.\n",
        program);
    return stream == stdout ? 0 : 2;
}

/* `start(workers, task)` makes the task system and calls measure. */
template <class starter>
int main_of(int argc, char **argv, const std::vector<task> &tasks, starter start)
{
    const std::string first = argc > 1 ? argv[1] : "";
    if (first == "--help")
        return usage(argv[0], stdout);
    if (first == "--list") {
        for (const task &what : tasks)
            std::puts(what.name);
        return 0;
    }
    char *end = nullptr;
    const unsigned long workers = argc == 3 ? std::strtoul(argv[2], &end, 10) : 0;
    if (argc != 3 || *end != '\0' || workers < 1 || workers > 1024)
        return usage(argv[0], stderr);
    for (const task &what : tasks) {
        if (first == what.name)
            return start(static_cast<unsigned>(workers), what);
    }
    std::fprintf(stderr, "%s: no such work: %s\n", argv[0], argv[1]);
    return 2;
}

} // namespace peer

#endif
