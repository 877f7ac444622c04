/* SPDX-License-Identifier: MIT
 *
 * work.hpp - the work that task systems are compared by, written once, compiled for each of them.
 *
 * A system is a type with a `scope`, made where children are spawned and left when they are done:
 *
 *     spawn(child)   child() is to be called; the object stays where it is until wait has returned
 *     wait()         all of them are done
 *
 * `plain` calls at once: the same code without a task system, the floor.
 *
 *   fib        one branch is spawned, the other called                units: calls
 *   fib_both   both branches are spawned                              units: calls
 *   loop       empty children of one task                             units: children
 *   skynet     a tree of tens with a million leaves, summed up        units: tasks
 *   nqueens    every safe place of a queen is a task, 12 x 12         units: boards solved (1)
 *   uts        unbalanced tree search (uts.h), every node is a task   units: nodes
 */
#ifndef BENCH_WORK_WORK_HPP
#define BENCH_WORK_WORK_HPP

#include "uts.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace work
{

struct plain {
    struct scope {
        template <class child> void spawn(child &what)
        {
            what();
        }
        void wait()
        {
        }
    };
};

/* Wrong results end the program: a figure of something else would be worse than none. */
inline void expect(std::uint64_t result, std::uint64_t expected, const char *what)
{
    if (result == expected)
        return;
    std::fprintf(stderr, "%s: wrong result\n", what);
    std::exit(1);
}

/* -- fib -- */

constexpr int fib_of = 27;
constexpr std::uint64_t fib_result = 196418, fib_calls = 635621;

template <class system> struct fib_call {
    int n;
    std::uint64_t result;

    /* Neither inlined into itself nor turned into a loop: calls are what is counted. */
    __attribute__((noinline)) void operator()()
    {
        if (n < 2) {
            result = static_cast<std::uint64_t>(n);
            return;
        }
        fib_call a = {n - 1, 0}, b = {n - 2, 0};
        typename system::scope scope;
        scope.spawn(a);
        b();
        scope.wait();
        result = a.result + b.result;
    }
};

template <class system> struct fib_both_call {
    int n;
    std::uint64_t result;

    __attribute__((noinline)) void operator()()
    {
        if (n < 2) {
            result = static_cast<std::uint64_t>(n);
            return;
        }
        fib_both_call a = {n - 1, 0}, b = {n - 2, 0};
        typename system::scope scope;
        scope.spawn(a);
        scope.spawn(b);
        scope.wait();
        result = a.result + b.result;
    }
};

template <class system> void fib()
{
    fib_call<system> call = {fib_of, 0};
    call();
    expect(call.result, fib_result, "fib");
}

template <class system> void fib_both()
{
    fib_both_call<system> call = {fib_of, 0};
    call();
    expect(call.result, fib_result, "fib_both");
}

/* -- loop -- */

constexpr std::uint64_t loop_children = 1000000;

struct empty_call {
    __attribute__((noinline)) void operator()()
    {
        asm volatile("");
    }
};

template <class system> void loop_of(std::uint64_t children)
{
    empty_call call;
    typename system::scope scope;
    for (std::uint64_t i = 0; i < children; i++)
        scope.spawn(call);
    scope.wait();
}

template <class system> void loop()
{
    loop_of<system>(loop_children);
}

/* -- skynet -- */

constexpr std::uint64_t skynet_leaves = 1000000, skynet_tasks = 1111111;

template <class system> struct skynet_call {
    std::uint64_t first, leaves, result;

    __attribute__((noinline)) void operator()()
    {
        if (leaves == 1) {
            result = first;
            return;
        }
        skynet_call below[10];
        typename system::scope scope;
        for (std::uint64_t i = 0; i < 10; i++) {
            below[i] = {first + i * leaves / 10, leaves / 10, 0};
            scope.spawn(below[i]);
        }
        scope.wait();
        result = 0;
        for (const skynet_call &child : below)
            result += child.result;
    }
};

template <class system> void skynet()
{
    skynet_call<system> call = {0, skynet_leaves, 0};
    call();
    expect(call.result, skynet_leaves * (skynet_leaves - 1) / 2, "skynet");
}

/* -- nqueens -- */

constexpr int queens = 12;
constexpr std::uint64_t queens_solutions = 14200;

template <class system> struct queens_call {
    std::uint64_t solutions;
    int row; /* that the next queen goes to */
    signed char columns[queens];

    bool safe(int column) const
    {
        for (int i = 0; i < row; i++) {
            int sideways = columns[i] - column;
            if (sideways == 0 || sideways == row - i || sideways == i - row)
                return false;
        }
        return true;
    }

    __attribute__((noinline)) void operator()()
    {
        if (row == queens) {
            solutions = 1;
            return;
        }
        queens_call next[queens];
        int count = 0;
        typename system::scope scope;
        for (int column = 0; column < queens; column++) {
            if (!safe(column))
                continue;
            queens_call &call = next[count++];
            call = *this;
            call.columns[row] = static_cast<signed char>(column);
            call.row = row + 1;
            scope.spawn(call);
        }
        scope.wait();
        solutions = 0;
        for (int i = 0; i < count; i++)
            solutions += next[i].solutions;
    }
};

template <class system> void nqueens()
{
    queens_call<system> call = {};
    call();
    expect(call.solutions, queens_solutions, "nqueens");
}

/* -- UTS -- */

template <class system> struct uts_call {
    const uts_tree *tree;
    uts_node node;
    std::uint64_t nodes;

    __attribute__((noinline)) void operator()()
    {
        nodes = 1;
        int count = uts_children(tree, &node);
        if (count == 0)
            return;
        uts_call below[UTS_MOST_CHILDREN];
        typename system::scope scope;
        for (int i = 0; i < count; i++) {
            below[i].tree = tree;
            below[i].node = uts_child(&node, static_cast<std::uint32_t>(i));
            scope.spawn(below[i]);
        }
        scope.wait();
        for (int i = 0; i < count; i++)
            nodes += below[i].nodes;
    }
};

template <class system> void uts(const uts_tree &tree)
{
    const uts_node root = uts_root(&tree);
    std::vector<uts_call<system>> below(static_cast<std::size_t>(tree.root_children));
    typename system::scope scope;
    for (std::size_t i = 0; i < below.size(); i++) {
        below[i].tree = &tree;
        below[i].node = uts_child(&root, static_cast<std::uint32_t>(i));
        scope.spawn(below[i]);
    }
    scope.wait();
    std::uint64_t nodes = 1;
    for (const auto &call : below)
        nodes += call.nodes;
    expect(nodes, tree.nodes, "uts");
}

inline const uts_tree &tree_t3()
{
    static const uts_tree tree = UTS_T3;
    return tree;
}

inline const uts_tree &tree_t3l()
{
    static const uts_tree tree = UTS_T3L;
    return tree;
}

template <class system> void uts_t3()
{
    uts<system>(tree_t3());
}

template <class system> void uts_t3l()
{
    uts<system>(tree_t3l());
}

} // namespace work

#endif
