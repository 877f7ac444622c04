/* SPDX-License-Identifier: MIT
 *
 * bench_system.cpp - the library as a guest on a machine: what it uses while it waits, and what it
 * does when there are fewer cores than workers.
 *
 *   idle             8 workers, one task, an I/O phase of one second. Counter: cpu_ms, processor
 *                    time of all threads in that second
 *   oversubscribed   8 workers on 2 cores. Counter: ratio, to 2 workers on them
 *   beside           2 workers on 2 cores, of which a foreign process keeps one busy. Counter:
 *                    ratio, to the cores to themselves. 1.33 is what the process leaves in a fair
 *                    share between three threads, 2 if all had to wait for the slower half
 *
 * The last two with the same work each: `fib` spawns, `uneven` computes 1 us to 1 ms in 1,000
 * tasks, `rounds` are 10,000 tasks that ask 10 times. Both sides of a ratio are measured in turn.
 * On a machine with more than 2 cores the process keeps to 2 of them.
 */
#include "support.hpp"
#include "work/burn.hpp"
#include "work/corio.hpp"
#include "work/work.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace
{

CORIO_DISPATCHER(echo, std::uint64_t, std::uint64_t);

constexpr std::uint64_t tasks = 10000, rounds_per_task = 10, uneven_tasks = 1000;
constexpr unsigned cores = 2, many_workers = 8;

/* -- Cores -- */

/* Keeps this process, and threads it makes from now on, to the first `cores` of its CPUs. */
void use_two_cores()
{
    cpu_set_t may, use;
    CPU_ZERO(&use);
    bench::check(sched_getaffinity(0, sizeof may, &may), "sched_getaffinity");
    unsigned found = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && found < cores; cpu++) {
        if (CPU_ISSET(cpu, &may)) {
            CPU_SET(cpu, &use);
            found++;
        }
    }
    bench::check(sched_setaffinity(0, sizeof use, &use), "sched_setaffinity");
}

/* A process that computes when it is told to, on the same cores. It is made before there is anything that
 * it could share: a fork of a runtime would leave it with a page to copy at each stack's next use. */
class busy_process
{
  public:
    busy_process() : pid_(fork())
    {
        if (pid_ < 0)
            std::abort();
        if (pid_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            raise(SIGSTOP);
            for (;;)
                work::burn(1000000);
        }
        await(WUNTRACED);
    }
    ~busy_process()
    {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    busy_process(const busy_process &) = delete;
    busy_process &operator=(const busy_process &) = delete;
    void go_on() const
    {
        kill(pid_, SIGCONT);
        await(WCONTINUED);
    }
    void stop() const
    {
        kill(pid_, SIGSTOP);
        await(WUNTRACED);
    }

  private:
    void await(int change) const
    {
        if (waitpid(pid_, nullptr, change) != pid_)
            std::abort();
    }
    pid_t pid_;
};

const busy_process *other; /* main's */

/* -- Idle -- */

int answer_after_a_second(void *self, corio_batch *batch)
{
    const double before = bench::cpu_ns();
    sleep(1);
    *static_cast<double *>(self) = (bench::cpu_ns() - before) * 1e-6;
    for (std::size_t i = 0; i < corio_batch_len(batch); i++)
        echo_respond(batch, i, echo_input(batch, i));
    return CORIO_DONE;
}

int submit(void *self, corio_batch *batch)
{
    int rc = corio_batch_submit(batch, answer_after_a_second, self);
    return rc != 0 ? rc : CORIO_LATER;
}

int ask_once(void *arg)
{
    std::uint64_t question = 1, answered = 0;
    return echo_io(*static_cast<const echo *>(arg), &question, &answered);
}

void idle(benchmark::State &state)
{
    double used = 0;
    bench::runtime runtime(static_cast<unsigned>(state.range(0)));
    echo face;
    bench::check(echo_add(runtime.get(), submit, &used, &face), "corio_dispatcher_add");
    for (auto _ : state)
        state.SetIterationTime(runtime.timed_run(ask_once, &face) * 1e-9);
    state.counters["cpu_ms"] = used;
}

/* -- The work -- */

int answer(void *, corio_batch *batch)
{
    const std::size_t count = corio_batch_len(batch);
    for (std::size_t i = 0; i < count; i++)
        echo_respond(batch, i, echo_input(batch, i));
    return CORIO_DONE;
}

int asking_task(void *arg)
{
    int rc = 0;
    for (std::uint64_t round = 0; round < rounds_per_task; round++)
        rc |= ask_once(arg);
    return rc;
}

int rounds(void *arg)
{
    int rc = 0;
    for (std::uint64_t i = 0; i < tasks; i++)
        rc |= corio_go(asking_task, arg);
    return rc | corio_wait();
}

int computing_task(void *arg)
{
    benchmark::DoNotOptimize(work::burn(*static_cast<const std::uint64_t *>(arg)));
    return 0;
}

int uneven(void *)
{
    int rc = 0;
    for (std::uint64_t i = 0; i < uneven_tasks; i++) {
        const std::uint64_t steps = work::uneven_steps(i);
        rc |= corio_go_copy(computing_task, &steps, sizeof steps);
    }
    return rc | corio_wait();
}

class guest
{
  public:
    explicit guest(unsigned workers) : runtime_(workers)
    {
        bench::check(echo_add(runtime_.get(), answer, nullptr, &face_), "corio_dispatcher_add");
    }
    double timed_run(corio_task_fn *root)
    {
        return runtime_.timed_run(root, &face_);
    }

  private:
    bench::runtime runtime_;
    echo face_ = {};
};

void oversubscribed(benchmark::State &state, corio_task_fn *root)
{
    guest few(cores), many(many_workers);
    few.timed_run(root);
    many.timed_run(root);
    bench::per_unit cost(state);
    double few_ns = 0;
    for (auto _ : state) {
        few_ns += few.timed_run(root);
        cost.add(many.timed_run(root), 1e6);
    }
    cost.report("ms");
    state.counters["ratio"] = cost.total_ns() / few_ns;
}

void beside(benchmark::State &state, corio_task_fn *root)
{
    guest ours(cores);
    ours.timed_run(root);
    bench::per_unit cost(state);
    double alone_ns = 0;
    for (auto _ : state) {
        alone_ns += ours.timed_run(root);
        other->go_on();
        cost.add(ours.timed_run(root), 1e6);
        other->stop();
    }
    cost.report("ms");
    state.counters["ratio"] = cost.total_ns() / alone_ns;
}

corio_task_fn *const fib = work::corio_tasks::root<work::fib_both<work::corio_tasks>>;

BENCHMARK(idle)->ArgName("workers")->Arg(8)->UseManualTime()->Iterations(1);
#define REGISTER(name)                                                                             \
    BENCHMARK_CAPTURE(name, fib, fib)->UseManualTime()->Unit(benchmark::kMillisecond);             \
    BENCHMARK_CAPTURE(name, uneven, uneven)->UseManualTime()->Unit(benchmark::kMillisecond);       \
    BENCHMARK_CAPTURE(name, rounds, rounds)->UseManualTime()->Unit(benchmark::kMillisecond)

REGISTER(oversubscribed);
REGISTER(beside);

} // namespace

int main(int argc, char **argv)
{
    use_two_cores();
    const busy_process foreign;
    other = &foreign;
    return bench::main(argc, argv);
}
