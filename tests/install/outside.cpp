// SPDX-License-Identifier: MIT
//
// outside.cpp - the same in C++20: lambdas as tasks, destructors on the way of corio_fail, an
// exception inside a task.
#include "outside.h"

#include <cstdio>
#include <memory>
#include <span>
#include <stdexcept>
#include <vector>

namespace
{

int destroyed;

struct counted {
    ~counted()
    {
        destroyed++;
    }
};

int more(void *arg)
{
    std::span<long> numbers(*static_cast<std::vector<long> *>(arg));
    for (long &n : numbers)
        corio_go_named(
            "square",
            [](void *p) -> int {
                long &number = *static_cast<long *>(p);
                long answer = 0;
                int rc = square_io(squares, &number, &answer);
                number = answer;
                return rc;
            },
            &n);
    if (int rc = corio_wait(); rc < 0)
        return rc;
    try {
        throw std::runtime_error("inside");
    } catch (const std::runtime_error &) {
    }
    corio_go_named(
        "leave",
        [](void *) -> int {
            counted object;
            corio_fail(-ENOTTY, "on purpose");
        },
        nullptr);
    return corio_wait() == -ENOTTY && destroyed == 1 ? outside_root(nullptr) : -EINVAL;
}

} // namespace

int main()
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *raw = nullptr;
    if (corio_runtime_create(&options, &raw) < 0)
        return 1;
    std::unique_ptr<corio_runtime, decltype(&corio_runtime_destroy)> runtime(raw,
                                                                             corio_runtime_destroy);
    std::vector<long> numbers{1, 2, 3};
    int rc = square_add(raw, dispatch, nullptr, &squares);
    if (rc == 0)
        rc = corio_run(raw, more, &numbers);
    if (rc == 0 && numbers != std::vector<long>{1, 4, 9})
        rc = -EDOM;
    std::puts(rc == 0 ? "corio works" : corio_strerror(rc));
    return rc != 0;
}
