/* SPDX-License-Identifier: MIT
 *
 * fiber.cpp - works with Boost.Fiber on one thread: a spawned call is a fiber of its own, on a pooled
 * stack. Its scheduler is first in, first out, so all of a tree's fibers live at once: the works are
 * smaller than the others' (fib(20), 100,000 children, 100,000 leaves), and nqueens and UTS are left
 * out. Besides:
 *
 *   turns   two fibers yield to each other    units: yields
 */
#include "peer.hpp"

#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <boost/fiber/pooled_fixedsize_stack.hpp>

namespace
{

constexpr std::size_t stack_bytes = 16 * 1024;
constexpr std::uint64_t turns = 1000000;
constexpr int small_fib_of = 20;
constexpr std::uint64_t small_fib_result = 6765, small_fib_calls = 21891;
constexpr std::uint64_t few_children = 100000, few_leaves = 100000, few_tasks = 111111;

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

template <template <class> class call_type> void fib()
{
    call_type<fibers> call = {small_fib_of, 0};
    call();
    work::expect(call.result, small_fib_result, "fib");
}

void loop()
{
    work::loop_of<fibers>(few_children);
}

void skynet()
{
    work::skynet_call<fibers> call = {0, few_leaves, 0};
    call();
    work::expect(call.result, few_leaves * (few_leaves - 1) / 2, "skynet");
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
    const std::vector<peer::task> tasks = {
        {"fib", "call", static_cast<double>(small_fib_calls), fib<work::fib_call>},
        {"fib_both", "call", static_cast<double>(small_fib_calls), fib<work::fib_both_call>},
        {"loop", "child", static_cast<double>(few_children), loop},
        {"skynet", "task", static_cast<double>(few_tasks), skynet},
        {"turns", "turn", static_cast<double>(turns), two_fibers_in_turn},
    };
    return peer::main_of(argc, argv, tasks, start);
}
