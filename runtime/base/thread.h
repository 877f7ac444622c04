/* SPDX-License-Identifier: MIT
 *
 * thread.h - threads of the library's own.
 */
#ifndef CR_BASE_THREAD_H
#define CR_BASE_THREAD_H

#include <pthread.h>

/* Starts a thread that runs main(arg). It takes no signals that are meant for the program; those that
 * a thread brings upon itself stay open, or they could not be handled at all, and so does a
 * profiler's. Errors: -EAGAIN, -ENOMEM. */
int cr_thread_create(pthread_t *ret_thread, void *(*main)(void *arg), void *arg);

#endif
