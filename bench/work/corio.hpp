/* SPDX-License-Identifier: MIT
 *
 * corio.hpp - this library as a system of work.hpp: a spawned call is a task, and a task has one
 * scope, its own. So in `fib` the wait of a branch that is called, not spawned, also waits for what
 * its caller has spawned.
 */
#ifndef BENCH_WORK_CORIO_HPP
#define BENCH_WORK_CORIO_HPP

#include <corio.h>

#include <cstdio>
#include <cstdlib>

namespace work
{

inline void require(int rc, const char *what)
{
    if (rc >= 0)
        return;
    std::fprintf(stderr, "%s: %s\n", what, corio_strerror(rc));
    std::exit(1);
}

struct corio_tasks {
    template <class child> static int call(void *arg)
    {
        (*static_cast<child *>(arg))();
        return 0;
    }
    struct scope {
        template <class child> void spawn(child &what)
        {
            require(corio_go_named("child", call<child>, &what), "corio_go");
        }
        void wait()
        {
            require(corio_wait(), "corio_wait");
        }
    };
    /* A root task that does the work. */
    template <void (*function)()> static int root(void *)
    {
        function();
        return 0;
    }
};

} // namespace work

#endif
