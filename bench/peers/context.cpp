/* SPDX-License-Identifier: MIT
 *
 * context.cpp - Boost.Context's switch alone: `switch`, units: jumps.
 */
#include "peer.hpp"

#include <boost/context/detail/fcontext.hpp>

namespace
{

using namespace boost::context::detail;

constexpr std::uint64_t jumps = 1000000;
constexpr std::size_t stack_bytes = 64 * 1024;

void bounce(transfer_t transfer)
{
    for (;;)
        transfer = jump_fcontext(transfer.fctx, nullptr);
}

void switch_contexts()
{
    alignas(64) static char stack[stack_bytes];
    fcontext_t other = make_fcontext(stack + stack_bytes, stack_bytes, bounce);
    for (std::uint64_t i = 0; i < jumps; i += 2)
        other = jump_fcontext(other, nullptr).fctx;
}

} // namespace

int main(int argc, char **argv)
{
    const std::vector<peer::task> tasks = {
        {"switch", "jump", static_cast<double>(jumps), switch_contexts}};
    return peer::main_of(argc, argv, tasks, [](unsigned workers, const peer::task &what) {
        return peer::measure([](void (*run)()) { run(); }, what, workers);
    });
}
