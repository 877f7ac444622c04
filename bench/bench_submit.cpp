/* SPDX-License-Identifier: MIT
 *
 * bench_submit.cpp - work from outside: a service, jobs and promises. Argument: workers.
 *
 *   idle         processor time of an open service within a second, all threads      us/s
 *   round_trip   submit an empty job and wait for it, one at a time                  ns/job
 *   stream       one thread submits 10,000 empty jobs, then drains                   ns/job
 *   crowd        four threads do the same with 2,500 each                            ns/job
 *   asking       submit a job that asks once, answered in place; one at a time       ns/job
 *   promise      a job waits for a promise that the submitting thread fulfils        ns/promise
 */
#include "support.hpp"

#include <thread>
#include <vector>

namespace
{

constexpr int jobs = 10000, submitters = 4, trips = 2000;
constexpr double second_ns = 1e9;

class service : public bench::runtime
{
  public:
    explicit service(benchmark::State &state) : runtime(static_cast<unsigned>(state.range(0)))
    {
        bench::check(corio_runtime_start(get()), "corio_runtime_start");
    }
    ~service()
    {
        bench::check(corio_runtime_stop(get(), 0), "corio_runtime_stop");
    }
    service(const service &) = delete;
    service &operator=(const service &) = delete;

    void submit(corio_task_fn *fn, void *arg, corio_job **ret_job = nullptr) const
    {
        bench::check(corio_submit_named(get(), "job", fn, arg, ret_job), "corio_submit");
    }
    void submit_and_wait(corio_task_fn *fn, void *arg) const
    {
        corio_job *job = nullptr;
        submit(fn, arg, &job);
        bench::check(corio_job_wait(job), "corio_job_wait");
        corio_job_release(job);
    }
    void drain() const
    {
        bench::check(corio_runtime_drain(get()), "corio_runtime_drain");
    }
};

int nothing(void *)
{
    return 0;
}

void idle(benchmark::State &state)
{
    service open(state);
    open.submit_and_wait(nothing, nullptr);
    for (auto _ : state) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100)); /* workers that spun do not */
        bench::stopwatch watch;
        double before = bench::cpu_ns();
        std::this_thread::sleep_for(std::chrono::seconds(1));
        double used = bench::cpu_ns() - before, passed = watch.elapsed_ns();
        state.SetIterationTime(passed * 1e-9);
        state.counters["us/s"] = used / 1000 * second_ns / passed;
    }
}

template <typename Body> void repeat(benchmark::State &state, int count, Body body)
{
    bench::per_unit unit(state);
    for (auto _ : state) {
        bench::stopwatch watch;
        body();
        unit.add(watch.elapsed_ns(), count);
    }
    unit.report("ns/job");
}

void round_trip(benchmark::State &state)
{
    service open(state);
    repeat(state, trips, [&] {
        for (int i = 0; i < trips; i++)
            open.submit_and_wait(nothing, nullptr);
    });
}

void submit_many(const service &open, int count)
{
    for (int i = 0; i < count; i++)
        open.submit(nothing, nullptr);
}

void stream(benchmark::State &state)
{
    service open(state);
    repeat(state, jobs, [&] {
        submit_many(open, jobs);
        open.drain();
    });
}

void crowd(benchmark::State &state)
{
    service open(state);
    repeat(state, jobs, [&] {
        std::vector<std::thread> threads;
        for (int i = 0; i < submitters; i++)
            threads.emplace_back([&] { submit_many(open, jobs / submitters); });
        for (auto &thread : threads)
            thread.join();
        open.drain();
    });
}

int answer(void *, corio_batch *batch)
{
    for (std::size_t i = 0; i < corio_batch_len(batch); i++)
        corio_batch_respond(batch, i);
    return CORIO_DONE;
}

int ask(void *dispatcher)
{
    return corio_io(static_cast<corio_dispatcher *>(dispatcher), nullptr, nullptr);
}

void asking(benchmark::State &state)
{
    bench::runtime runtime(static_cast<unsigned>(state.range(0)));
    corio_dispatcher_options options = {};
    corio_dispatcher *dispatcher = nullptr;
    options.size = sizeof options;
    options.name = "echo";
    options.dispatch = answer;
    bench::check(corio_dispatcher_add(runtime.get(), &options, &dispatcher),
                 "corio_dispatcher_add");
    bench::check(corio_runtime_start(runtime.get()), "corio_runtime_start");
    repeat(state, trips, [&] {
        for (int i = 0; i < trips; i++) {
            corio_job *job = nullptr;
            bench::check(corio_submit_named(runtime.get(), "job", ask, dispatcher, &job),
                         "corio_submit");
            bench::check(corio_job_wait(job), "corio_job_wait");
            corio_job_release(job);
        }
    });
    bench::check(corio_runtime_stop(runtime.get(), 0), "corio_runtime_stop");
}

int wait_for(void *promise)
{
    return corio_promise_wait(static_cast<corio_promise *>(promise), nullptr);
}

void promise(benchmark::State &state)
{
    service open(state);
    bench::per_unit unit(state);
    for (auto _ : state) {
        double ns = 0;
        for (int i = 0; i < trips; i++) {
            corio_promise *one = nullptr;
            corio_job *job = nullptr;
            bench::check(corio_promise_create(&one), "corio_promise_create");
            open.submit(wait_for, one, &job);
            while (corio_promise_wait_count(one) == 0)
                std::this_thread::yield();
            bench::stopwatch watch; /* until the waiting job is complete */
            bench::check(corio_promise_fulfil(one, nullptr), "corio_promise_fulfil");
            bench::check(corio_job_wait(job), "corio_job_wait");
            ns += watch.elapsed_ns();
            corio_job_release(job);
            corio_promise_destroy(one);
        }
        unit.add(ns, trips);
    }
    unit.report("ns/promise");
}

constexpr int few = 1, many = 8;

BENCHMARK(idle)->Arg(few)->Arg(many)->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(round_trip)->Arg(few)->Arg(2)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(stream)->Arg(few)->Arg(2)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(crowd)->Arg(few)->Arg(2)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(asking)->Arg(few)->Arg(2)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(promise)->Arg(few)->Arg(2)->UseManualTime()->Unit(benchmark::kMillisecond);

} // namespace

int main(int argc, char **argv)
{
    return bench::main(argc, argv);
}
