/* SPDX-License-Identifier: MIT
 *
 * sched.h - the scheduler: workers, what they share, and how a stack is left for another.
 *
 * Each worker has three kinds of place to be:
 *
 *     home         its native thread stack: stealing, idling, the phase boundary. Never a task.
 *     base loop    the bottom frame of a pooled stack: takes from the worker's own deque and range,
 *                  calls closures
 *     task frames  above a base loop: a closure's function, and children inlined in its waits
 *
 *     task suspends --> own continuation: jump to it             (one switch)
 *                   --> own closure: take a stack, jump to its base loop
 *                   --> nothing: jump home
 *     base loop out of work --> its stack goes back to the pool, jump home (or to a continuation)
 *
 * A parked stack is published only after it has been left: the arrival on the next stack stores the
 * context and then runs park->after. I/O needs no `after`: a call is seen by nobody before the
 * boundary.
 *
 * Who writes what: a cr_worker is its thread's alone except for the deque (see there), the range,
 * the event, and, at quiescence, everything (the leader's).
 *
 * Quiescence: the argument stands in idle.c.
 *
 * Edges
 *   quiescence.leave   going idle -> the leader
 *                      what a worker wrote in the phase is seen at the boundary
 *   quiescence.enter   the leader's resume -> entering
 *                      what the boundary wrote is seen in the next phase
 *   sleep.push         push -> park
 *                      a pusher sees the sleeper, or the sleeper sees the item
 */
#ifndef CR_SCHED_SCHED_H
#define CR_SCHED_SCHED_H

#include "runtime/base/clock.h"
#include "runtime/base/event.h"
#include "runtime/base/exceptions.h"
#include "runtime/base/sanitizer.h"
#include "runtime/base/timer.h"
#include "runtime/observe/tally.h"
#include "runtime/observe/trace.h"
#include "runtime/sched/alone.h"
#include "runtime/sched/deque.h"
#include "runtime/sched/range.h"
#include "runtime/sched/sim.h"
#include "runtime/sched/turn.h"
#include "runtime/stack/pool.h"
#include "runtime/task/cancel.h"
#include "runtime/task/failure.h"
#include "runtime/task/more.h"
#include "runtime/task/task.h"

#include <corio/waiters.h>

typedef struct cr_worker cr_worker;
typedef struct cr_sched cr_sched;

/* Counters of one worker: written by it alone, read by anybody who can bear an old value. */
typedef struct cr_worker_stats {
    uint64_t steals;
    uint64_t suspends;
    uint64_t parks;
} cr_worker_stats;

struct cr_worker {
    cr_deque deque;
    cr_deque
        behind; /* a queue: all take at its top. What has yielded, run when there is nothing else */
    alignas(64) cr_range range; /* the owner and thieves */

    alignas(64) cr_sched *sched; /* from here on: the owner's */
    corio_task *task;            /* running now; NULL at home and in a base loop */
    cr_stack *stack;             /* running on it now; NULL at home */
    char *inline_limit;          /* a frame below this does not inline further children */
    cr_item item;                /* handed to the base loop that is jumped to */
    /* Closures of this scope that ended in a base loop, while the next one of the same scope runs: the
     * scope, whose line others write, is told of them together. NULL: none. */
    cr_scope *arriving;
    uint64_t arriving_count;
    bool ending; /* the last task that it left had ended */
    cr_park home;
    cr_stack_cache stacks;
    cr_park *overflow;         /* continuations for which the deque had no memory */
    bool errand;               /* it is to go home and run one, before anything else */
    cr_park *settling;         /* waiters of scopes marked in this step: they go on when it ends */
    cr_park *ended;            /* roots that are complete, but for that of the run */
    void *asked;               /* request lists, see runtime/io */
    cr_trace_buffer *trace;    /* NULL: no trace is written */
    cr_tally *tally;           /* NULL: nobody wants statistics of phases */
    cr_exceptions *exceptions; /* its thread's; NULL: there is no C++ runtime */
    /* Whether there is more to do than usual: somebody looks on, it is simulated, it may have errands, a
     * push needs a fence, or a sanitizer is told. */
    bool special;
    bool watched;        /* its turns are kept */
    uint64_t identities; /* next one to give to a task, see cr_identity_of */
    uint64_t random;
    unsigned number;
    unsigned last_victim;
    /* The last time that it got something from another's deque: whose it was, when, and how many items; 0: it has
     * been back since, and found out how long to pause. */
    cr_worker *stole_from;
    uint64_t stole_ns, stole_count;
    uint64_t stole_in; /* the phase in which it last thought of doing so */
    uint64_t pause_ns;
    uint64_t steal_ns; /* how long it took to get as many as there may be, the last time */
    bool saw_guarded;  /* in its last look: something for which it must ask */
    cr_worker_stats stats;

    alignas(64) cr_event event; /* it sleeps here */
    cr_worker *next_sleeper;    /* under sched->sleep_lock */
    bool asleep;                /* under sched->sleep_lock */
    pthread_t thread;
    cr_turn turn;
    /* What a sanitizer is told of its native stack (sanitizer.h). */
    const void *home_low;
    size_t home_bytes;
    void *home_fiber;
};

/* What a worker may have to do at home in the middle of a phase. */
typedef struct cr_errand {
    /* A task has asked for I/O, and its stack is about to be left. NULL: there are no errands. */
    bool (*wanted)(void *self, cr_worker *worker);
    void (*run)(void *self, cr_worker *worker);
    void *self;
} cr_errand;

struct cr_sched {
    /* Read by everybody, written rarely */
    cr_worker **workers;
    unsigned worker_count;
    unsigned cpus;
    unsigned most_spinners;
    unsigned most_sharers; /* how many are woken because they have a part of a resume */
    bool push_needs_fence; /* no membarrier(2): see sleep.push */
    bool watched;          /* somebody wants to know who holds a worker */
    uint32_t stop;         /* threads are to end */
    size_t inline_margin;  /* bytes a task is promised on its waiter's stack */
    void *owner;           /* the runtime */
    /* Called by the worker that found quiescence, at home. It publishes what is to run, and
     * returns true; or false: the run is over. */
    bool (*boundary)(void *owner, cr_worker *leader);
    cr_errand errand;
    cr_stack_pool pool;
    uint64_t phase; /* written at the boundary */
    cr_sim sim;     /* seed 0: none */
    cr_cancel cancel;
    cr_timers timers;
    cr_exceptions_fn *exceptions; /* NULL: there is no C++ runtime */
    corio_waiters held;           /* tasks at full windows: looked at by the boundary */

    cr_entry *resume;       /* parked stacks, what the ranges index; written at the boundary */
    unsigned resume_leader; /* its number */
    bool shared_out;        /* others than the leader were given parts of it */
    uint64_t stay_out_ns;   /* until then nobody else comes, see alone.h; 0: they may */
    cr_alone alone;

    alignas(64) uint32_t active; /* workers that may run, push or steal */
    alignas(64) uint32_t idle;   /* spinning << 16 | sleeping, of those not active */
    uint32_t over;               /* the run is over: worker 0 goes back to its caller */

    alignas(64) pthread_mutex_t sleep_lock;
    cr_worker *sleepers; /* last in, first out: the same few are woken, and the rest left asleep */

    pthread_mutex_t starved_lock;
    cr_item *starved; /* closures that found no stack; taken up again at the boundary */
    size_t starved_count;
    size_t starved_capacity;
};

/* The worker of the calling thread; NULL outside. Never inlined, so that no caller keeps a
 * thread-local address across a suspension: read it again after every point that may suspend. */
cr_worker *cr_worker_self(void);
/* The variable itself, for a function that reads it once, at its very beginning, and is never inlined:
 * what it calls may suspend, it must not look again. initial-exec: one load instead of a call; eight
 * bytes of the space that the loader keeps for libraries loaded late. */
#define CR_INITIAL_EXEC __attribute__((visibility("hidden"), tls_model("initial-exec")))
#define CR_READS_HERE   __attribute__((noinline))
extern _Thread_local cr_worker *cr_worker_here CR_INITIAL_EXEC;
void cr_worker_set_self(cr_worker *worker);

static inline bool cr_simulated(const cr_sched *sched)
{
    return CR_UNLIKELY(sched->sim.seed != 0);
}

/* The clock of the runtime. */
static inline uint64_t cr_sched_now(cr_sched *sched)
{
    return cr_simulated(sched) ? cr_sim_now(&sched->sim) : cr_now_ns();
}

/* The same two questions for the hot paths: one test of a line that is the worker's own. */
static inline bool cr_worker_simulated(const cr_worker *worker)
{
    return CR_UNLIKELY(worker->special) && cr_simulated(worker->sched);
}

/* Where a real run could go on with something else, on this worker or another. The worker must be
 * read again. */
static inline cr_worker *cr_preemption_point(cr_worker *worker)
{
    if (CR_LIKELY(!cr_worker_simulated(worker)))
        return worker;
    cr_sim_preempt(worker);
    return cr_worker_self();
}

/* -- Starting and stopping (start.c) -- */

int cr_sched_init(cr_sched *sched, unsigned workers, size_t stack_bytes, size_t max_stacks);
void cr_sched_fini(cr_sched *sched);
/* Sets worker->special, when it is known who looks on, and whether it is simulated. Nobody runs. */
void cr_sched_specialise(cr_sched *sched);
/* The calling thread becomes worker 0, runs `root` (NULL: what the boundary finds) and comes back
 * when the boundary says that the run is over. */
void cr_sched_run(cr_sched *sched, const cr_item *root);

/* -- Moving between stacks (switch.c) -- */

/* Parks the current stack under `park` (its kind, object, after and give_up are set) and runs
 * other things. Returns when it is resumed, maybe on another worker: read the worker again. */
void cr_suspend(cr_worker *worker, cr_park *park);
/* From home: runs `item` and what follows from it until the worker has nothing left of its own. */
void cr_run_from_home(cr_worker *worker, const cr_item *item);
/* Makes a parked stack runnable: in the worker's own deque. Cannot fail. */
void cr_make_runnable(cr_worker *worker, cr_park *park);
/* The same, behind all else that the worker has, and what got there before. */
void cr_make_runnable_behind(cr_worker *worker, cr_park *park);
/* The same by the leader at a boundary: nobody is woken for it before the resume. */
void cr_make_runnable_leader(cr_worker *leader, cr_park *park);
/* At quiescence, for one that waits nowhere any more: the call that parked returns `result`. */
void cr_end_park(cr_worker *leader, cr_park *park, int result);
/* At quiescence: the call that parked returns `result` instead of what it waits for. The park's
 * reason must be able to give up. */
void cr_give_up(cr_worker *leader, cr_park *park, int result);

/* -- What is noted of tasks, on special workers (note.c) -- */

void cr_note_start(cr_worker *worker, const corio_task *task); /* a closure */
void cr_note_run(cr_worker *worker, const corio_task *task);   /* it has the worker, again */
void cr_note_end(cr_worker *worker, const corio_task *task, int rc);
void cr_note_park(cr_worker *worker, cr_park *park);
void cr_note_resume(cr_worker *worker, const cr_park *park); /* if park->noted */
void cr_note_spawn(cr_worker *worker, const corio_task *parent, const char *name);
void cr_note_call(cr_worker *worker); /* its task has called in, and goes on */

/* -- Running closures (spawn.c) -- */

/* Calls the closure's function as a task on the current stack, waits for its children, records
 * its error; or, if it is cancelled, does nothing. The caller re-reads the worker, and counts the
 * child. */
void cr_task_call(cr_worker *worker, const cr_item *closure);
/* A closure that is not to run: its task fails with `code`. */
void cr_task_refuse(cr_worker *worker, const cr_item *closure, int code);
/* So many closures ended on stacks that are not their scope owner's. Wakes the waiter if these were
 * the last ones. */
void cr_task_arrive(cr_worker *worker, cr_scope *scope, uint64_t count);
/* The same for those in worker->arriving, which are some. */
void cr_arrive_all(cr_worker *worker);

/* -- Waiting for children (scope.c) -- */

/* Waits for all children of a scope, whatever becomes of them. The failure stays in the scope. */
void cr_scope_join(cr_worker *worker, corio_task *task, cr_scope *scope);
/* The failure of a scope whose children are complete (given); NULL: none. */
cr_failure *cr_scope_take_failure(cr_scope *scope);
/* Waits for all children of a scope; 0 or their first error, which the task has seen then. */
int cr_scope_wait(cr_worker *worker, corio_task *task, cr_scope *scope);

/* -- Leaving a task (leave.c) -- */

/* Calls fn(arg) for the current task, on the current stack. Returns what it returned, or what
 * corio_fail was told: task->more->leaving is set then. */
int cr_land(corio_task_fn *fn, void *arg);
/* Goes on leaving: after cr_land, for who must not end it. */
_Noreturn void cr_leave_again(corio_task *task);
/* Runs the cleanups; 0 or the first error among them. The task is shielded from then on: their
 * children may be unfinished. */
int cr_run_deferred(corio_task *task);

/* -- Finding work (steal.c, idle.c) -- */

bool cr_next_own(cr_worker *worker, cr_item *ret_item);
/* Whether the worker has anything to run: thieves may be about to take it. */
bool cr_has_own(const cr_worker *worker);
/* If the next thing is a stack of the resume array: that; else NULL. */
cr_park *cr_next_resume(cr_worker *worker);
bool cr_steal_any(cr_worker *thief, cr_item *ret_item);
/* Anybody's deque or range holds something. The caller's own counts: a boundary fills the ranges
 * of those who sleep. */
bool cr_work_visible(const cr_sched *sched);
/* The worker has nothing to run. Returns true when it is active again, false when it is to leave
 * (run over, stop). */
bool cr_idle(cr_worker *worker);
/* For threads that join in: the same without having been active. */
bool cr_idle_inactive(cr_worker *worker);
/* The leader, at the boundary: makes `count` parked stacks runnable, and itself active. */
void cr_resume_all(cr_worker *leader, cr_entry *parks, size_t count);
void cr_wake_one(cr_sched *sched);
/* If it sleeps. What it is to find has been published before. */
void cr_wake_worker(cr_sched *sched, cr_worker *worker);

/* Something stealable has been published: wake a sleeper if nobody is looking already. At most
 * one wakes at a time; it wakes the next when it has found something and there is more. */
static inline void cr_wake_if_needed(cr_sched *sched)
{
    uint32_t idle = cr_load_32(&sched->idle);
    if (CR_UNLIKELY(idle - 1 < 0xffff)) /* sleepers, and nobody spinning */
        cr_wake_one(sched);
}

/* After a push, by a worker that is not special. */
static inline void cr_pushed_plainly(cr_worker *worker)
{
    /* [sleep.push] The item is published before `idle` is read. Only the compiler is held back
     * here: the sleeper makes up for it with membarrier(2), which puts a full fence into this
     * thread. */
    cr_compiler_barrier();
    cr_wake_if_needed(worker->sched);
}

/* After a push. */
static inline void cr_pushed(cr_worker *worker)
{
    if (CR_UNLIKELY(worker->special) && worker->sched->push_needs_fence)
        cr_fence_full(); /* [sleep.push] without membarrier(2) */
    cr_pushed_plainly(worker);
}

/* What a call that is about to block must return instead: -ECANCELED if the task was cancelled in
 * an earlier step, else 0 (in the same step it parks until the step's end, see cancel.h). */
static inline int cr_check_cancelled(const cr_worker *worker)
{
    return cr_task_cancelled_earlier(&worker->sched->cancel, worker->task) ? -125 /* -ECANCELED */
                                                                           : 0;
}

/* -- Placement (placement.c) -- */

/* How many workers this process should use: affinity mask and cgroup quota. At least 1. */
unsigned cr_default_workers(void);

#endif
