/* SPDX-License-Identifier: MIT
 *
 * openmp.cpp - the works with OpenMP tasks, of whichever compiler builds it.
 */
#include "peer.hpp"

namespace
{

struct openmp_tasks {
    struct scope {
        template <class child> void spawn(child &what)
        {
            child *task = &what;
#pragma omp task firstprivate(task) default(none)
            (*task)();
        }
        void wait()
        {
#pragma omp taskwait
        }
    };
};

int start(unsigned workers, const peer::task &what)
{
    auto enter = [workers](void (*run)()) {
#pragma omp parallel num_threads(workers)
#pragma omp single
        run();
    };
    return peer::measure(enter, what, workers);
}

} // namespace

int main(int argc, char **argv)
{
    return peer::main_of(argc, argv, peer::tasks_of<openmp_tasks>(), start);
}
