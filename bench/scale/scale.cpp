/* SPDX-License-Identifier: MIT
 *
 * scale.cpp - one work with one number of workers, for scale.py: how long it takes, and where the
 * time goes. Prints a line of JSON for each run, after one to warm up.
 *
 *   scale WORK WORKERS COPIES [--pin] [--runs=N] [--rounds=N]
 *   scale WORK plain COPIES [--runs=N]     the same as a loop of plain calls (not for `rounds`)
 *
 *   fib        a copy is fib(27), both branches spawned                         units: calls
 *   uneven     a copy is the tree T3 of the unbalanced tree search              units: nodes
 *   rounds     a copy is 1,000 tasks that ask 10 times                          units: requests
 *   pipeline   a copy is 1,000 tasks, 5 rounds of computing 20 us, then asking  units: stages
 *
 * The copies run at the same time: children of the root. With --pin worker i keeps to the process's
 * i-th CPU. --rounds is how often the tasks of `rounds` ask, if not 10 times.
 */
#include "bench/work/burn.hpp"
#include "bench/work/corio.hpp"
#include "bench/work/work.hpp"

#include <chrono>
#include <cstring>
#include <dirent.h>
#include <sched.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace
{

using work::corio_tasks;
using work::plain;

CORIO_DISPATCHER(echo, std::uint64_t, std::uint64_t);

constexpr std::uint64_t asking_tasks = 1000, stages = 5;
constexpr double stage_us = 20;
constexpr unsigned most = 1024;

echo face;
std::uint64_t stage_steps;
unsigned rounds = 10;
double answer_ns; /* within `answer`, of this run */

double now_ns()
{
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double, std::nano>(now).count();
}

int answer(void *, corio_batch *batch)
{
    const double began = now_ns();
    const std::size_t count = corio_batch_len(batch);
    for (std::size_t i = 0; i < count; i++)
        echo_respond(batch, i, echo_input(batch, i));
    answer_ns += now_ns() - began;
    return CORIO_DONE;
}

void ask(std::uint64_t question)
{
    std::uint64_t answered = 0;
    work::require(echo_io(face, &question, &answered), "echo_io");
    work::expect(answered, question, "echo");
}

int asking_task(void *)
{
    for (std::uint64_t round = 0; round < rounds; round++)
        ask(round);
    return 0;
}

int stage_task(void *)
{
    for (std::uint64_t stage = 0; stage < stages; stage++)
        ask(work::burn(stage_steps));
    return 0;
}

/* -- A copy of each work -- */

void spawn_tasks(corio_task_fn *task)
{
    for (std::uint64_t i = 0; i < asking_tasks; i++)
        work::require(corio_go_named("task", task, nullptr), "corio_go");
    work::require(corio_wait(), "corio_wait");
}

void ask_in_rounds()
{
    spawn_tasks(asking_task);
}

void compute_and_ask()
{
    spawn_tasks(stage_task);
}

void compute_only()
{
    for (std::uint64_t i = 0; i < asking_tasks * stages; i++) {
        std::uint64_t result = work::burn(stage_steps);
        asm volatile("" : : "r"(result));
    }
}

struct kind {
    const char *name;
    const char *unit;
    double units; /* of `rounds`: in a round */
    void (*copy)();
    void (*plain_copy)(); /* none: there is nothing to compare with */
};

const kind kinds[] = {
    {"fib", "calls", static_cast<double>(work::fib_calls), work::fib_both<corio_tasks>,
     work::fib_both<plain>},
    {"uneven", "nodes", static_cast<double>(work::tree_t3().nodes), work::uts_t3<corio_tasks>,
     work::uts_t3<plain>},
    {"rounds", "requests", static_cast<double>(asking_tasks), ask_in_rounds, nullptr},
    {"pipeline", "stages", static_cast<double>(asking_tasks *stages), compute_and_ask,
     compute_only},
};

/* -- Runs -- */

struct command {
    const kind *what = nullptr;
    unsigned workers = 0; /* 0: plain calls */
    unsigned copies = 0;
    unsigned runs = 1;
    bool pin = false;

    double units() const
    {
        return copies * what->units * (what->copy == ask_in_rounds ? rounds : 1);
    }
};

int copy_task(void *arg)
{
    static_cast<const command *>(arg)->what->copy();
    return 0;
}

int root(void *arg)
{
    const auto *asked = static_cast<const command *>(arg);
    for (unsigned i = 0; i < asked->copies; i++)
        work::require(corio_go(copy_task, arg), "corio_go");
    work::require(corio_wait(), "corio_wait");
    return 0;
}

std::vector<pid_t> threads_of_this_process()
{
    std::vector<pid_t> ids;
    DIR *directory = opendir("/proc/self/task");
    while (directory != nullptr) {
        const dirent *entry = readdir(directory);
        if (entry == nullptr)
            break;
        if (entry->d_name[0] != '.')
            ids.push_back(static_cast<pid_t>(std::atoi(entry->d_name)));
    }
    if (directory != nullptr)
        closedir(directory);
    return ids;
}

/* The runtime has made its threads, and no others run yet; the calling thread is worker 0. */
void pin_threads()
{
    cpu_set_t may;
    CPU_ZERO(&may);
    if (sched_getaffinity(0, sizeof may, &may) != 0)
        work::require(-errno, "sched_getaffinity");
    int cpu = -1;
    for (pid_t id : threads_of_this_process()) {
        do
            cpu = (cpu + 1) % CPU_SETSIZE;
        while (!CPU_ISSET(cpu, &may));
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        if (sched_setaffinity(id, sizeof one, &one) != 0)
            work::require(-errno, "sched_setaffinity");
    }
}

corio_stats stats_of(corio_runtime *runtime)
{
    corio_stats stats = {};
    stats.size = sizeof stats;
    work::require(corio_runtime_stats(runtime, &stats), "corio_runtime_stats");
    return stats;
}

void print_run(const command &asked, double wall_ns, const corio_stats &before,
               const corio_stats &after)
{
    std::printf("{\"wall_ns\": %.0f, \"units\": %.0f, \"unit\": \"%s\", \"cpu_phase_ns\": %llu, "
                "\"io_phase_ns\": %llu, \"answer_ns\": %.0f, \"phases\": %llu, \"steals\": %llu, "
                "\"parks\": %llu}\n",
                wall_ns, asked.units(), asked.what->unit,
                static_cast<unsigned long long>(after.cpu_phase_ns - before.cpu_phase_ns),
                static_cast<unsigned long long>(after.io_phase_ns - before.io_phase_ns), answer_ns,
                static_cast<unsigned long long>(after.phases - before.phases),
                static_cast<unsigned long long>(after.steals - before.steals),
                static_cast<unsigned long long>(after.parks - before.parks));
}

void run_plain(const command &asked)
{
    for (unsigned run = 0; run <= asked.runs; run++) {
        const double began = now_ns();
        for (unsigned i = 0; i < asked.copies; i++)
            asked.what->plain_copy();
        const double wall_ns = now_ns() - began;
        if (run > 0)
            print_run(asked, wall_ns, {}, {});
    }
}

void run_with_workers(command &asked)
{
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = asked.workers;
    corio_runtime *runtime;
    work::require(corio_runtime_create(&options, &runtime), "corio_runtime_create");
    work::require(echo_add(runtime, answer, nullptr, &face), "corio_dispatcher_add");
    if (asked.pin)
        pin_threads();
    for (unsigned run = 0; run <= asked.runs; run++) {
        const corio_stats before = stats_of(runtime);
        answer_ns = 0;
        const double began = now_ns();
        work::require(corio_run(runtime, root, &asked), "corio_run");
        const double wall_ns = now_ns() - began;
        if (run > 0)
            print_run(asked, wall_ns, before, stats_of(runtime));
    }
    work::require(corio_runtime_destroy(runtime), "corio_runtime_destroy");
}

/* -- Command line -- */

int usage(FILE *stream)
{
    std::fputs("Usage: scale WORK WORKERS|plain COPIES [--pin] [--runs=N] [--rounds=N]\n"
               "Runs that many copies of a work at once, once to warm up and then N (1) times, and "
               "prints a\n"
               "line of JSON for each. --pin keeps worker i to the i-th CPU. Works: fib uneven "
               "rounds pipeline\n",
               stream);
    return stream == stdout ? 0 : 2;
}

/* 0 if the text is not a number from 1 to `most`. */
unsigned number(const char *text)
{
    char *end;
    const unsigned long value = std::strtoul(text, &end, 10);
    return *end == '\0' && end != text && value <= most ? static_cast<unsigned>(value) : 0;
}

bool parse(int argc, char **argv, command &ret)
{
    std::vector<std::string> words;
    for (int i = 1; i < argc; i++) {
        const std::string word = argv[i];
        if (word == "--pin")
            ret.pin = true;
        else if (word.rfind("--runs=", 0) == 0)
            ret.runs = number(word.c_str() + std::strlen("--runs="));
        else if (word.rfind("--rounds=", 0) == 0)
            rounds = number(word.c_str() + std::strlen("--rounds="));
        else
            words.push_back(word);
    }
    if (words.size() != 3)
        return false;
    for (const kind &each : kinds) {
        if (words[0] == each.name)
            ret.what = &each;
    }
    const bool is_plain = words[1] == "plain";
    ret.workers = is_plain ? 0 : number(words[1].c_str());
    ret.copies = number(words[2].c_str());
    return ret.what != nullptr && ret.copies > 0 && ret.runs > 0 && rounds > 0 &&
           (is_plain ? ret.what->plain_copy != nullptr && !ret.pin : ret.workers > 0);
}

} // namespace

int main(int argc, char **argv)
{
    command asked;
    if (argc == 2 && std::strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    if (!parse(argc, argv, asked))
        return usage(stderr);
    stage_steps = work::steps_of(stage_us);
    if (asked.workers == 0)
        run_plain(asked);
    else
        run_with_workers(asked);
    return 0;
}
