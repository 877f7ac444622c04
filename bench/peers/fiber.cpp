/* SPDX-License-Identifier: MIT
 *
 * fiber.cpp - the works with Boost.Fiber on one thread: a spawned call is a fiber of its own, on a
 * pooled stack. Besides:
 *
 *   turns   two fibers yield to each other    units: yields
 *
 * `loop` has a tenth of the children: each holds a stack from its spawn on.
 */
#include "peer.hpp"

#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <boost/fiber/pooled_fixedsize_stack.hpp>

namespace
{

constexpr std::size_t stack_bytes = 16 * 1024;
constexpr std::uint64_t few_children = work::loop_children / 10, turns = 1000000;

boost::fibers::pooled_fixedsize_stack &stacks()
{
    static boost::fibers::pooled_fixedsize_stack pool(stack_bytes);
    return pool;
}

struct fibers {
    class scope
    {
      public:
        template <class child> void spawn(child &what)
        {
            children_.emplace_back(std::allocator_arg, stacks(), [&what] { what(); });
        }
        void wait()
        {
            for (boost::fibers::fiber &child : children_)
                child.join();
            children_.clear();
        }

      private:
        std::vector<boost::fibers::fiber> children_;
    };
};

void loop()
{
    work::loop_of<fibers>(few_children);
}

void yields()
{
    for (std::uint64_t i = 0; i < turns / 2; i++)
        boost::this_fiber::yield();
}

void two_fibers_in_turn()
{
    fibers::scope scope;
    scope.spawn(yields);
    scope.spawn(yields);
    scope.wait();
}

int start(unsigned workers, const peer::task &what)
{
    if (workers != 1) {
        std::fprintf(stderr, "fiber: one worker only\n");
        return 2;
    }
    return peer::measure([](void (*run)()) { run(); }, what, workers);
}

} // namespace

int main(int argc, char **argv)
{
    std::vector<peer::task> tasks = peer::tasks_of<fibers>();
    tasks.pop_back(); /* T3L would take minutes */
    for (peer::task &what : tasks) {
        if (std::strcmp(what.name, "loop") == 0)
            what = {"loop", "child", static_cast<double>(few_children), loop};
    }
    tasks.push_back({"turns", "turn", static_cast<double>(turns), two_fibers_in_turn});
    return peer::main_of(argc, argv, tasks, start);
}
