/* SPDX-License-Identifier: MIT
 *
 * burn.hpp - computing for about so many microseconds: a fixed amount of work, found once per
 * process, so that a busy machine makes it longer as it would any program, and a loop of the same
 * work can be measured beside it.
 */
#ifndef BENCH_WORK_BURN_HPP
#define BENCH_WORK_BURN_HPP

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>

namespace work
{

/* A chain of dependent operations: about a nanosecond each. */
__attribute__((noinline)) inline std::uint64_t burn(std::uint64_t steps)
{
    std::uint64_t x = steps | 1;
    for (std::uint64_t i = 0; i < steps; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        asm volatile("" : "+r"(x));
    }
    return x;
}

/* Steps of a microsecond on this machine when it is not disturbed: of several tries the fastest. */
inline double steps_per_us()
{
    static const double steps = [] {
        constexpr std::uint64_t tried = 1000000;
        double least_us = 1e9;
        for (int i = 0; i < 10; i++) {
            const auto began = std::chrono::steady_clock::now();
            burn(tried);
            const std::chrono::duration<double, std::micro> took =
                std::chrono::steady_clock::now() - began;
            least_us = std::min(least_us, took.count());
        }
        return static_cast<double>(tried) / least_us;
    }();
    return steps;
}

inline std::uint64_t steps_of(double us)
{
    return static_cast<std::uint64_t>(us * steps_per_us());
}

/* Steps of piece i of uneven work: 1 us to 1 ms, a third of them in each decade, in an order that
 * has nothing to do with their size (multiples of an irrational number, their fraction). */
inline std::uint64_t uneven_steps(std::uint64_t i)
{
    const double fraction = std::fmod(static_cast<double>(i) * 0.6180339887498949, 1.0);
    return steps_of(std::pow(10.0, 3 * fraction));
}

} // namespace work

#endif
