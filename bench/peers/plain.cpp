/* SPDX-License-Identifier: MIT
 *
 * plain.cpp - the works as plain calls on one thread: the floor.
 */
#include "peer.hpp"

int main(int argc, char **argv)
{
    return peer::main_of(argc, argv, peer::tasks_of<work::plain>(),
                         [](unsigned workers, const peer::task &what) {
                             return peer::measure([](void (*run)()) { run(); }, what, workers);
                         });
}
