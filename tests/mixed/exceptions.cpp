// SPDX-License-Identifier: MIT
//
// exceptions.cpp - C++ exceptions across suspensions: tasks that suspend in catch blocks, and in
// destructors that an exception has called, go on with their own exceptions, on whatever worker; tasks
// beside them see none of those. Called by exceptions_main.c, as a part of the program or as a plugin
// that brings the C++ runtime along.
#include <corio.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <pthread.h>
#include <stdexcept>
#include <string>

namespace
{

constexpr int tasks = 60, suspensions = 5;

corio_dispatcher *dispatcher;
unsigned moved; // to another thread, in a catch block

void check(bool good, int line)
{
    if (good)
        return;
    std::fprintf(stderr, "exceptions.cpp:%d\n", line);
    std::abort();
}
#define CHECK(condition) check((condition), __LINE__)

int answer(void *, corio_batch *batch)
{
    for (size_t i = 0; i < corio_batch_len(batch); i++)
        corio_batch_respond(batch, i);
    return CORIO_DONE;
}

// Not inlined: the address of what is thread-local must not be kept.
__attribute__((noinline)) pthread_t here()
{
    __asm__ volatile("" ::: "memory");
    return pthread_self();
}

void suspend(int way)
{
    pthread_t before = here();
    if (way % 3 == 0)
        CHECK(corio_io(dispatcher, nullptr, nullptr) == 0);
    else if (way % 3 == 1)
        CHECK(corio_yield() == 0);
    else
        CHECK(corio_sleep(1000) == 0); // less could be over before it begins
    if (!pthread_equal(before, here()))
        __atomic_add_fetch(&moved, 1, __ATOMIC_RELAXED);
}

std::string current()
{
    try {
        std::rethrow_exception(std::current_exception());
    } catch (const std::exception &caught) {
        return caught.what();
    }
}

// Suspends while an exception is on its way past it.
struct slow_end {
    int number;
    int uncaught;
    ~slow_end()
    {
        CHECK(std::uncaught_exceptions() == uncaught);
        suspend(number);
        CHECK(std::uncaught_exceptions() == uncaught);
    }
};

void handle(int number)
{
    const std::string text = std::to_string(number);
    try {
        slow_end end = {number, 1};
        throw std::runtime_error(text);
    } catch (const std::exception &caught) {
        for (int i = 0; i < suspensions; i++) {
            suspend(number + i);
            CHECK(caught.what() == text && current() == text);
            CHECK(std::uncaught_exceptions() == 0);
        }
        try {
            slow_end end = {number, 1};
            throw std::logic_error(text + " again");
        } catch (const std::logic_error &) {
            suspend(number + 1);
            CHECK(current() == text + " again");
        }
        CHECK(current() == text);
        throw;
    }
}

int throwing(void *arg)
{
    const int number = *static_cast<int *>(arg);
    for (int i = 0; i < suspensions; i++) {
        try {
            handle(number);
            CHECK(false);
        } catch (const std::runtime_error &caught) {
            CHECK(caught.what() == std::to_string(number));
        }
        CHECK(std::current_exception() == nullptr && std::uncaught_exceptions() == 0);
    }
    return 0;
}

int quiet(void *arg)
{
    for (int i = 0; i < tasks; i++) {
        CHECK(std::current_exception() == nullptr && std::uncaught_exceptions() == 0);
        suspend(*static_cast<int *>(arg) + i);
    }
    return 0;
}

// corio_fail is no C++ exception, but passes catch (...).
int failing(void *)
{
    try {
        slow_end end = {0, 0};
        corio_fail(-EDOM, "as meant");
    } catch (...) {
        suspend(0);
        suspend(1);
        throw;
    }
}

int watched(void *)
{
    CHECK(corio_go(failing, nullptr) == 0);
    return corio_wait() == -EDOM ? 0 : -EPROTO;
}

int root(void *)
{
    CHECK(std::current_exception() == nullptr);
    for (int i = 0; i < tasks; i++) {
        CHECK(corio_go_copy(throwing, &i, sizeof i) == 0);
        CHECK(corio_go_copy(quiet, &i, sizeof i) == 0);
        CHECK(corio_go(watched, nullptr) == 0);
    }
    return corio_wait();
}

// The caller of a run has an exception, and the tasks have nothing to do with it.
void run_in_handler(corio_runtime *runtime)
{
    try {
        throw std::runtime_error("of the caller");
    } catch (const std::exception &) {
        CHECK(corio_run(runtime, root, nullptr) == 0);
        CHECK(current() == "of the caller");
        throw;
    }
}

} // namespace

extern "C" int check_exceptions()
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    corio_dispatcher_options answering{};
    answering.size = sizeof answering;
    answering.name = "answering";
    answering.dispatch = answer;
    options.workers = 3;
    CHECK(corio_runtime_create(&options, &runtime) == 0);
    CHECK(corio_dispatcher_add(runtime, &answering, &dispatcher) == 0);
    for (int runs = 0; runs < 3 || moved == 0; runs++) {
        try {
            run_in_handler(runtime);
            CHECK(false);
        } catch (const std::runtime_error &caught) {
            CHECK(std::string(caught.what()) == "of the caller");
        }
        CHECK(std::current_exception() == nullptr);
    }
    CHECK(corio_runtime_destroy(runtime) == 0);
    return 0;
}
