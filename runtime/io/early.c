/* SPDX-License-Identifier: MIT
 *
 * early.c - handing over while tasks still run, for dispatchers that ask for it.
 *
 *     corio_io -> worker's list -> the dispatcher's early list   (before the stack is left)
 *                                     | enough of them: that worker, at home
 *                                     | the oldest waits for too long: the thread that looks on
 *                                     v
 *                                  queue -> batch -> dispatch; answers are taken at the boundary
 *
 * Whoever has `exchanging` may use what is the leader's at a boundary: queues, counts, spare arrays,
 * heads of batches, the batch log. The leader has it from the boundary's begin to the resume, and between
 * runs nobody else gets it; in a CPU phase a worker or the thread that looks on takes it, if nobody has it, for as long
 * as something is due. So no two dispatch functions are called at once, and a phase's end waits for
 * the one that is being called.
 *
 * The early lists are written by workers under early_lock while tasks run, and by the leader at the
 * boundary, when nobody looks at them: who finds `exchanging` taken does not.
 *
 * A request is in the list before its stack has been left. That is early enough to be answered (all
 * of it is written), and not to be resumed: that needs quiescence, and its worker is active.
 *
 * Edges
 *   early.lock   the lock: what a worker asked -> who hands it over; what the boundary did -> who
 *                exchanges in the next CPU phase -> the next boundary
 */
#include "runtime/io/io.h"

static bool is_early(const corio_dispatcher *dispatcher)
{
    return dispatcher->options.early_count != 0 || dispatcher->options.early_ns != 0;
}

static bool enough_locked(const corio_dispatcher *dispatcher)
{
    size_t count = dispatcher->early.count;
    return dispatcher->options.early_count != 0 && count >= dispatcher->options.early_count;
}

static bool too_old_locked(const corio_dispatcher *dispatcher, uint64_t now)
{
    uint64_t limit = dispatcher->options.early_ns;
    return limit != 0 && dispatcher->early.count > 0 && now - dispatcher->early_since_ns >= limit;
}

/* -- Asked -- */

/* To the early list. Without memory they stay where they are, for the boundary. */
static void move_locked(cr_io *io, corio_dispatcher *dispatcher, cr_entries *asked)
{
    bool first = dispatcher->early.count == 0;
    if (cr_entries_move(&dispatcher->early, asked) && first && dispatcher->options.early_ns != 0)
        dispatcher->early_since_ns = cr_sched_now(io->sched);
}

/* A simulation has no thread that looks on. */
static bool due_locked(cr_io *io, const corio_dispatcher *dispatcher)
{
    return enough_locked(dispatcher) ||
           (cr_simulated(io->sched) && too_old_locked(dispatcher, cr_sched_now(io->sched)));
}

static bool wanted(void *self, cr_worker *worker)
{
    cr_io *io = self;
    bool due = false;
    pthread_mutex_lock(&io->early_lock); /* [early.lock] */
    for (size_t i = 0; i < io->dispatcher_count; i++) {
        corio_dispatcher *dispatcher = io->dispatchers[i];
        cr_entries *asked = (cr_entries *)worker->asked + i;
        if (!is_early(dispatcher) || asked->count == 0)
            continue;
        move_locked(io, dispatcher, asked);
        due |= due_locked(io, dispatcher);
    }
    due &= !io->exchanging; /* who has it looks once more */
    pthread_mutex_unlock(&io->early_lock);
    return due;
}

/* -- Handed over -- */

static corio_dispatcher *next_due_locked(cr_io *io)
{
    uint64_t now = cr_sched_now(io->sched);
    for (size_t i = 0; i < io->dispatcher_count; i++) {
        corio_dispatcher *dispatcher = io->dispatchers[i];
        if (enough_locked(dispatcher) || too_old_locked(dispatcher, now))
            return dispatcher;
    }
    return NULL;
}

void cr_early_hand_over(cr_io *io, cr_trace_buffer *trace)
{
    pthread_mutex_lock(&io->early_lock); /* [early.lock] */
    if (io->exchanging) {
        pthread_mutex_unlock(&io->early_lock);
        return;
    }
    io->exchanging = true;
    corio_dispatcher *due;
    /* Without memory for them in the queue they wait for the boundary. */
    while ((due = next_due_locked(io)) != NULL && cr_early_queue(io, due)) {
        pthread_mutex_unlock(&io->early_lock);
        cr_io_send(io, &due, 1, trace, NULL);
        pthread_mutex_lock(&io->early_lock);
    }
    io->exchanging = false;
    pthread_cond_signal(&io->early_free);
    pthread_mutex_unlock(&io->early_lock);
}

static void run_errand(void *self, cr_worker *worker)
{
    cr_early_hand_over(self, worker->trace);
}

/* -- The leader -- */

void cr_early_end(cr_io *io)
{
    pthread_mutex_lock(&io->early_lock); /* [early.lock] */
    while (io->exchanging)
        pthread_cond_wait(&io->early_free, &io->early_lock);
    io->exchanging = true;
    pthread_mutex_unlock(&io->early_lock);
}

void cr_early_begin(cr_io *io)
{
    pthread_mutex_lock(&io->early_lock); /* [early.lock] */
    io->exchanging = false;
    pthread_mutex_unlock(&io->early_lock);
}

void cr_early_add(cr_io *io, const corio_dispatcher *dispatcher)
{
    if (!is_early(dispatcher))
        return;
    cr_store_32(&io->early, 1); /* the thread that looks on may be at the end of a last look */
    io->sched->errand = (cr_errand){.wanted = wanted, .run = run_errand, .self = io};
}
