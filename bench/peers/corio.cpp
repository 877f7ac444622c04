/* SPDX-License-Identifier: MIT
 *
 * corio.cpp - the works with this library, in the same table as its peers. Besides those of
 * work.hpp:
 *
 *   switch          the context switch alone                                   units: jumps
 *   turns           two tasks take turns with a mutex: unlock, park, switch    units: turns
 *   io_100 ...      that many tasks ask 10 times each; the dispatcher echoes   units: requests
 */
#include "../work/corio.hpp"
#include "peer.hpp"
#include "runtime/base/context.h"

namespace
{

CORIO_DISPATCHER(echo, std::uint64_t, std::uint64_t);

constexpr std::uint64_t turns = 100000, jumps = 1000000, rounds = 10;
constexpr std::size_t stack_bytes = 64 * 1024;

struct shared {
    echo face;
    corio_mutex mutex;
} state;

int answer(void *, corio_batch *batch)
{
    const std::size_t count = corio_batch_len(batch);
    for (std::size_t i = 0; i < count; i++)
        echo_respond(batch, i, echo_input(batch, i));
    return CORIO_DONE;
}

/* -- Switches -- */

void bounce(cr_transfer transfer)
{
    for (;;)
        transfer = cr_context_jump(transfer.from, nullptr);
}

void switch_contexts()
{
    alignas(64) static char stack[stack_bytes];
    cr_context other = cr_context_make(stack + stack_bytes, stack_bytes, bounce);
    for (std::uint64_t i = 0; i < jumps; i += 2)
        other = cr_context_jump(other, nullptr).from;
}

int take_turns(void *)
{
    for (std::uint64_t i = 0; i < turns / 2; i++) {
        work::require(corio_mutex_lock(&state.mutex), "corio_mutex_lock");
        work::require(corio_mutex_unlock(&state.mutex), "corio_mutex_unlock");
    }
    return 0;
}

/* Both wait when the mutex comes free; from then on every lock waits for the other task. */
void two_tasks_in_turn()
{
    std::uint64_t nothing = 0;
    work::require(corio_mutex_lock(&state.mutex), "corio_mutex_lock");
    work::require(corio_go(take_turns, nullptr), "corio_go");
    work::require(corio_go(take_turns, nullptr), "corio_go");
    work::require(echo_io(state.face, &nothing, &nothing), "echo_io");
    work::require(corio_mutex_unlock(&state.mutex), "corio_mutex_unlock");
    work::require(corio_wait(), "corio_wait");
}

/* -- Requests -- */

int asking_task(void *)
{
    for (std::uint64_t round = 0; round < rounds; round++) {
        std::uint64_t answered = 0;
        work::require(echo_io(state.face, &round, &answered), "echo_io");
        work::expect(answered, round, "echo");
    }
    return 0;
}

template <std::uint64_t tasks> void io()
{
    for (std::uint64_t i = 0; i < tasks; i++)
        work::require(corio_go(asking_task, nullptr), "corio_go");
    work::require(corio_wait(), "corio_wait");
}

template <std::uint64_t tasks> peer::task io_of(const char *name)
{
    return {name, "request", static_cast<double>(tasks * rounds), io<tasks>};
}

int call(void *arg)
{
    (*static_cast<void (**)()>(arg))();
    return 0;
}

int start(unsigned workers, const peer::task &what)
{
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = workers;
    corio_runtime *runtime;
    work::require(corio_runtime_create(&options, &runtime), "corio_runtime_create");
    work::require(echo_add(runtime, answer, nullptr, &state.face), "corio_dispatcher_add");
    auto enter = [runtime](void (*run)()) {
        work::require(corio_run_named(runtime, "work", call, &run), "corio_run");
    };
    const int status = peer::measure(enter, what, workers);
    work::require(corio_runtime_destroy(runtime), "corio_runtime_destroy");
    return status;
}

} // namespace

int main(int argc, char **argv)
{
    std::vector<peer::task> tasks = peer::tasks_of<work::corio_tasks>();
    tasks.push_back({"switch", "jump", static_cast<double>(jumps), switch_contexts});
    tasks.push_back({"turns", "turn", static_cast<double>(turns), two_tasks_in_turn});
    tasks.push_back(io_of<100>("io_100"));
    tasks.push_back(io_of<10000>("io_10k"));
    tasks.push_back(io_of<100000>("io_100k"));
    tasks.push_back(io_of<1000000>("io_1m"));
    return peer::main_of(argc, argv, tasks, start);
}
