/* SPDX-License-Identifier: MIT
 *
 * open.c - the connections that are open, and how they are ended.
 *
 * A connection that waits for its next request is ended by shutting its receiving side: its recv
 * gives 0, wherever it waits. One that has something of a request is not: it looks before it
 * answers.
 *
 * The lock is held for a few instructions, and never while a task suspends.
 */
#include "server.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct open *first;
static bool stopping; /* written under the lock */

void open_add(struct open *open, int fd)
{
    *open = (struct open){.fd = fd, .at = &first};
    pthread_mutex_lock(&lock);
    open->next = first;
    if (first)
        first->at = &open->next;
    first = open;
    pthread_mutex_unlock(&lock);
}

void open_close(struct open *open)
{
    pthread_mutex_lock(&lock);
    *open->at = open->next;
    if (open->next)
        open->next->at = open->at;
    close(open->fd); /* under the lock: open_stop does not shut another file of that number */
    pthread_mutex_unlock(&lock);
}

bool open_set_idle(struct open *open, bool idle)
{
    pthread_mutex_lock(&lock);
    open->idle = idle && !stopping;
    bool done = open->idle == idle;
    pthread_mutex_unlock(&lock);
    return done;
}

void open_stop(void)
{
    pthread_mutex_lock(&lock);
    __atomic_store_n(&stopping, true, __ATOMIC_RELAXED);
    for (struct open *open = first; open; open = open->next) {
        if (open->idle)
            shutdown(open->fd, SHUT_RD);
    }
    pthread_mutex_unlock(&lock);
    shutdown(config.listener, SHUT_RD); /* accept gives -EINVAL */
}

bool open_stopping(void)
{
    return __atomic_load_n(&stopping, __ATOMIC_RELAXED);
}
