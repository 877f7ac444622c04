/* SPDX-License-Identifier: MIT
 *
 * system.h - included before everything else in a model: the operating system that the library's
 * sources see is the explorer's.
 *
 * All system headers come first, so that the names below change the library's sources only. The
 * architecture's name goes away too: what is explored is the code for weakly ordered processors.
 */
#ifndef MODEL_SYSTEM_H
#define MODEL_SYSTEM_H

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int model_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int model_mutex_destroy(pthread_mutex_t *mutex);
int model_mutex_lock(pthread_mutex_t *mutex);
int model_mutex_unlock(pthread_mutex_t *mutex);
int model_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes);
int model_cond_destroy(pthread_cond_t *cond);
int model_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int model_cond_signal(pthread_cond_t *cond);
int model_cond_broadcast(pthread_cond_t *cond);
int model_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                 void *arg);
int model_join(pthread_t thread, void **ret_value);
int model_sigmask(int how, const sigset_t *set, sigset_t *before);
long model_syscall(long number, ...);
int model_gettime(clockid_t clock, struct timespec *ret_now);
int model_yield(void);

#define pthread_mutex_init     model_mutex_init
#define pthread_mutex_destroy  model_mutex_destroy
#define pthread_mutex_lock     model_mutex_lock
#define pthread_mutex_unlock   model_mutex_unlock
#define pthread_cond_init      model_cond_init
#define pthread_cond_destroy   model_cond_destroy
#define pthread_cond_wait      model_cond_wait
#define pthread_cond_signal    model_cond_signal
#define pthread_cond_broadcast model_cond_broadcast
#define pthread_create         model_create
#define pthread_join           model_join
#define pthread_sigmask        model_sigmask
#define syscall                model_syscall
#define clock_gettime          model_gettime
#define sched_yield            model_yield

#undef __x86_64__
#undef __aarch64__

#endif
