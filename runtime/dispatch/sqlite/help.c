/* SPDX-License-Identifier: MIT
 *
 * help.c - threads of the database's own that read along with whoever dispatches.
 *
 *     dispatching thread   offer --- reads ---------------------- withdraw - waits for those who joined
 *     helper                   wakes up ... join --- reads ---------------- counts itself out
 *
 * A helper joins a plan if it comes in time, and is not waited for if it does not: how long a
 * wake-up takes is the scheduler's business, and can be longer than the work. So a batch is not cut
 * into slices for I/O threads: a slice that was given away must be waited for.
 *
 * Helpers are started when they are first wanted, and end with the database.
 */
#include "plan.h"

#include <signal.h>

/* The lock makes joining and withdrawing one after the other: a plan that is offered is not done,
 * since the one who offered it has not counted itself out. */
static struct share *join_locked(corio_sqlite *database, struct plan *plan)
{
    if (--plan->wanted == 0)
        database->offers = plan->next_offer;
    atomic_fetch_add_explicit(&plan->unfinished, 1, memory_order_relaxed); /* locked */
    return &plan->shares[plan->share_count++];
}

static void *helper_main(void *arg)
{
    corio_sqlite *database = arg;
    pthread_mutex_lock(&database->lock);
    for (;;) {
        while (!database->offers && !database->closing)
            pthread_cond_wait(&database->offered, &database->lock);
        if (database->closing)
            break;
        struct plan *plan = database->offers;
        struct share *share = join_locked(database, plan);
        pthread_mutex_unlock(&database->lock);
        cr_sqlite_read_along(plan, share);
        pthread_mutex_lock(&database->lock);
    }
    pthread_mutex_unlock(&database->lock);
    return NULL;
}

/* Signals are for the program's own threads, except those that tell of a fault in this one. */
static int start_helper_locked(corio_sqlite *database)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc =
        pthread_create(&database->helpers[database->helper_count], NULL, helper_main, database);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        database->helper_count++;
    return -rc;
}

void cr_sqlite_offer(struct plan *plan, unsigned helpers)
{
    corio_sqlite *database = plan->query->face.database;
    if (helpers == 0)
        return;
    pthread_mutex_lock(&database->lock);
    while (database->helper_count < helpers && start_helper_locked(database) == 0)
        ;
    plan->wanted = helpers;
    plan->next_offer = database->offers;
    database->offers = plan;
    pthread_mutex_unlock(&database->lock);
    while (helpers-- > 0)
        pthread_cond_signal(&database->offered);
}

void cr_sqlite_withdraw(struct plan *plan)
{
    corio_sqlite *database = plan->query->face.database;
    pthread_mutex_lock(&database->lock);
    for (struct plan **at = &database->offers; *at; at = &(*at)->next_offer) {
        if (*at == plan) {
            *at = plan->next_offer;
            break;
        }
    }
    pthread_mutex_unlock(&database->lock);
}

void cr_sqlite_end_helpers(corio_sqlite *database)
{
    pthread_mutex_lock(&database->lock);
    database->closing = true;
    pthread_cond_broadcast(&database->offered);
    pthread_mutex_unlock(&database->lock);
    for (unsigned i = 0; i < database->helper_count; i++)
        pthread_join(database->helpers[i], NULL);
}
