/* SPDX-License-Identifier: MIT */
#include "runtime/base/thread.h"

#include <signal.h>
#include <stddef.h>

int cr_thread_create(pthread_t *ret_thread, void *(*main)(void *arg), void *arg)
{
    static const int open_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof open_signals / sizeof *open_signals; i++)
        sigdelset(&blocked, open_signals[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int rc = pthread_create(ret_thread, NULL, main, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}
