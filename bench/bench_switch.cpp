/* SPDX-License-Identifier: MIT
 *
 * bench_switch.cpp - the context switch alone, and Boost.Context's in the same process if it is installed.
 *
 *   ping_pong     two contexts jump to each other             ns/jump
 *   make_first    make a context, jump to it and back          ns/context
 *   ring/1000     a jump each around 1,000 stacks              ns/jump    what caches and TLB add
 */
#include "runtime/base/context.h"
#include "support.hpp"

#ifdef BENCH_WITH_BOOST
#include <boost/context/detail/fcontext.hpp>
#endif

#include <sys/mman.h>
#include <vector>

namespace
{

struct ours {
    using context = cr_context;
    using transfer = cr_transfer;
    static context from(const transfer &t)
    {
        return t.from;
    }
    static context make(void *top, std::size_t bytes, void (*entry)(transfer))
    {
        return cr_context_make(top, bytes, entry);
    }
    static transfer jump(context to, void *data)
    {
        return cr_context_jump(to, data);
    }
};

#ifdef BENCH_WITH_BOOST
struct boost_context {
    using context = boost::context::detail::fcontext_t;
    using transfer = boost::context::detail::transfer_t;
    static context from(const transfer &t)
    {
        return t.fctx;
    }
    static context make(void *top, std::size_t bytes, void (*entry)(transfer))
    {
        return boost::context::detail::make_fcontext(top, bytes, entry);
    }
    static transfer jump(context to, void *data)
    {
        return boost::context::detail::jump_fcontext(to, data);
    }
};
#endif

constexpr int repeats = 1000; /* between two looks at the clock */
constexpr std::size_t page_bytes = 4096, stack_bytes = 64 * 1024;
constexpr std::size_t cache_line = 64, colours = 16;

/* Stacks as the library lays them out: a page more than a power of two apart, tops a few lines off the page's end. */
class stacks
{
  public:
    explicit stacks(std::size_t count) : bytes_(count * stride)
    {
        void *memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            std::abort();
        memory_ = static_cast<char *>(memory);
        madvise(memory_, bytes_, MADV_NOHUGEPAGE);
    }
    ~stacks()
    {
        munmap(memory_, bytes_);
    }
    stacks(const stacks &) = delete;
    stacks &operator=(const stacks &) = delete;

    void *top(std::size_t i) const
    {
        return memory_ + (i + 1) * stride - (i % colours) * cache_line;
    }

  private:
    static constexpr std::size_t stride = stack_bytes + page_bytes;
    std::size_t bytes_;
    char *memory_;
};

/* -- Two contexts -- */

template <class api> void bounce(typename api::transfer t)
{
    for (;;)
        t = api::jump(api::from(t), t.data);
}

template <class api> void ping_pong(benchmark::State &state)
{
    stacks memory(1);
    auto other = api::make(memory.top(0), stack_bytes / 2, bounce<api>);
    bench::per_unit cost(state);
    for (auto _ : state) {
        bench::stopwatch watch;
        for (int i = 0; i < repeats; i++)
            other = api::from(api::jump(other, nullptr));
        cost.add(watch.elapsed_ns(), 2.0 * repeats);
    }
    cost.report("ns/jump");
}

template <class api> void make_first(benchmark::State &state)
{
    stacks memory(1);
    bench::per_unit cost(state);
    for (auto _ : state) {
        bench::stopwatch watch;
        for (int i = 0; i < repeats; i++)
            benchmark::DoNotOptimize(
                api::jump(api::make(memory.top(0), stack_bytes / 2, bounce<api>), nullptr));
        cost.add(watch.elapsed_ns(), repeats);
    }
    cost.report("ns/context");
}

/* -- A ring: member 0 is the thread's own stack -- */

template <class api> struct member {
    typename api::context context;
    member *next;
};

/* Jumps to the next member; the one who arrives notes where the jumper can be found again. */
template <class api> void pass_on(member<api> *self)
{
    auto t = api::jump(self->next->context, self);
    static_cast<member<api> *>(t.data)->context = api::from(t);
}

template <class api> void ring_member(typename api::transfer t)
{
    auto *before = static_cast<member<api> *>(t.data);
    before->context = api::from(t);
    for (member<api> *self = before->next;;)
        pass_on<api>(self);
}

template <class api> void ring(benchmark::State &state)
{
    const auto count = static_cast<std::size_t>(state.range(0));
    stacks memory(count);
    std::vector<member<api>> members(count + 1);
    for (std::size_t i = 0; i <= count; i++) {
        members[i].next = &members[(i + 1) % (count + 1)];
        if (i > 0)
            members[i].context = api::make(memory.top(i - 1), stack_bytes / 2, ring_member<api>);
    }
    pass_on<api>(&members[0]); /* pages are touched */
    bench::per_unit cost(state);
    for (auto _ : state) {
        bench::stopwatch watch;
        pass_on<api>(&members[0]);
        cost.add(watch.elapsed_ns(), static_cast<double>(count + 1));
    }
    cost.report("ns/jump");
}

#define REGISTER(api)                                                                              \
    BENCHMARK_TEMPLATE(ping_pong, api)->Name("ping_pong/" #api)->UseManualTime();                  \
    BENCHMARK_TEMPLATE(make_first, api)->Name("make_first/" #api)->UseManualTime();                \
    BENCHMARK_TEMPLATE(ring, api)->Name("ring/" #api)->Arg(1000)->UseManualTime()

REGISTER(ours);
#ifdef BENCH_WITH_BOOST
REGISTER(boost_context);
#endif

} // namespace

BENCHMARK_MAIN();
