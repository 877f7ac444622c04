/* SPDX-License-Identifier: MIT
 *
 * outside.h - what the programs of outside projects do: tasks, a batch, and one that fails deep
 * down.
 */
#ifndef OUTSIDE_H
#define OUTSIDE_H

#include <corio.h>

CORIO_DISPATCHER(square, long, long);
static struct square squares;

static int dispatch(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        long n = *square_input(batch, i), answer = n * n;
        square_respond(batch, i, &answer);
    }
    return CORIO_DONE;
}

static int ask(void *arg)
{
    long n = *(long *)arg, answer = 0;
    int rc = square_io(squares, &n, &answer);
    if (rc == 0 && answer != n * n)
        corio_fail(-EDOM, "%ld", answer);
    return rc;
}

static int leave(void *arg)
{
    (void)arg;
    corio_fail(-ENOTTY, "on purpose");
}

static int outside_root(void *arg)
{
    (void)arg;
    for (long i = 0; i < 100; i++)
        corio_go_copy(ask, &i, sizeof i);
    int rc = corio_wait();
    if (rc < 0)
        return rc;
    corio_go(leave, NULL);
    return corio_wait() == -ENOTTY ? 0 : -EINVAL;
}

#endif
