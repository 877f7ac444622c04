/* SPDX-License-Identifier: MIT
 *
 * tbb.cpp - the works with oneTBB: a scope is a task_group, inside an arena of that many threads.
 */
#include "peer.hpp"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

namespace
{

/* Trees as deep as T3L's run on the threads' own stacks. */
constexpr std::size_t stack_bytes = std::size_t{1} << 30;

struct tbb_tasks {
    class scope
    {
      public:
        template <class child> void spawn(child &what)
        {
            group_.run([&what] { what(); });
        }
        void wait()
        {
            group_.wait();
        }

      private:
        oneapi::tbb::task_group group_;
    };
};

int start(unsigned workers, const peer::task &what)
{
    using oneapi::tbb::global_control;
    global_control parallelism(global_control::max_allowed_parallelism, workers);
    global_control stacks(global_control::thread_stack_size, stack_bytes);
    oneapi::tbb::task_arena arena(static_cast<int>(workers));
    return peer::measure([&arena](void (*run)()) { arena.execute([run] { run(); }); }, what,
                         workers);
}

} // namespace

int main(int argc, char **argv)
{
    return peer::main_of(argc, argv, peer::tasks_of<tbb_tasks>(), start);
}
