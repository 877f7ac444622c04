/* SPDX-License-Identifier: MIT
 *
 * model_canceller.c - a run that is cancelled from another thread while its leader goes to sleep,
 * sleeps, takes an answer or ends: the cancellation is never lost, what waits gives up, and nobody
 * touches the run after its end.
 *
 * Thread 0 runs: it is the leader at each boundary. One or two tasks are parked, below no task: one
 * waits until it gives up, with a timer that is never due, the other for an answer.
 */
#include "runtime/base/event.c"
#include "runtime/base/timer.c"
#include "runtime/phase/boundary.c"
#include "runtime/phase/canceller.c"
#include "runtime/phase/settle.c"
#include "runtime/sched/alone.c"
#include "runtime/task/cancel.c"
#include "runtime/task/failure.c"
#include "runtime/task/path.c"
#include "tests/model/model.h"
#include "tests/model/no_sim.h"

static struct {
    corio_canceller canceller;
    corio_runtime *runtime; /* on the heap: who touches it after its end is told */
    cr_worker leader;
    cr_worker *workers[1];
    corio_task task;
    cr_stack stack;
    cr_park park;
    cr_timer timer;
    cr_scope other; /* of somebody else: a mark may lie there from the beginning */
    bool fails;     /* the task that is answered */
    bool answers;
    int answer; /* plain: written by who answers */
    int code;   /* of the run */
    unsigned cancelled;
} world;

/* -- What is not part of it -- */

void cr_io_begin(cr_io *io)
{
    io->ready_count = 0;
}

void cr_io_collect(cr_io *io, cr_worker *leader)
{
    (void)io;
    (void)leader;
}

void cr_io_send(cr_io *io, corio_dispatcher **dispatchers, size_t dispatcher_count,
                cr_trace_buffer *trace, cr_worker *leader)
{
    (void)io;
    (void)dispatchers;
    (void)dispatcher_count;
    (void)trace;
    (void)leader;
}

uint64_t cr_late_next(const cr_io *io)
{
    (void)io;
    return CR_NEVER;
}

char *cr_late_text(cr_io *io)
{
    (void)io;
    return NULL;
}

void cr_record_mark(cr_record *record, enum cr_frame_type type)
{
    (void)record;
    (void)type;
}

void cr_replay_go(cr_io *io)
{
    (void)io;
}

bool cr_roots_over(cr_roots *roots)
{
    (void)roots;
    return true;
}

bool cr_roots_idle(cr_roots *roots)
{
    (void)roots;
    return false;
}

bool cr_roots_expected(cr_roots *roots)
{
    (void)roots;
    return false;
}

bool cr_io_queued(const cr_io *io)
{
    (void)io;
    return false;
}

void cr_io_withdraw(cr_io *io, cr_worker *leader)
{
    (void)io;
    (void)leader;
}

void cr_io_take_replies(cr_io *io, cr_worker *leader)
{
    (void)leader;
    if (cr_swap_ptr(&io->replies, NULL) == NULL)
        return;
    MODEL_CHECK(world.answer == 1);
    io->in_flight--;
    io->ready_count++;
}

size_t cr_io_resume_list(cr_io *io, cr_worker *leader, cr_entry **ret_parks)
{
    (void)leader;
    *ret_parks = NULL;
    return io->ready_count;
}

void cr_resume_all(cr_worker *leader, cr_entry *parks, size_t count)
{
    (void)leader;
    (void)parks;
    (void)count;
}

void cr_stack_pool_each_parked(cr_stack_pool *pool, void (*look)(void *arg, cr_stack *stack),
                               void *arg)
{
    (void)pool;
    if (world.stack.park != NULL)
        look(arg, &world.stack);
}

static void nothing_to_do(cr_worker *leader, cr_park *park)
{
    (void)leader;
    (void)park;
}

void cr_give_up(cr_worker *leader, cr_park *park, int result)
{
    park->result = result;
    cr_end_park(leader, park, result);
}

void cr_end_park(cr_worker *leader, cr_park *park, int result)
{
    park->result = result;
    park->stack->park = NULL;
    cr_make_runnable_leader(leader, park);
}

void cr_make_runnable_leader(cr_worker *leader, cr_park *park)
{
    leader->overflow = park;
}

size_t cr_stack_pool_available(cr_stack_pool *pool)
{
    (void)pool;
    return 0;
}

void cr_stack_cache_flush(cr_stack_pool *pool, cr_stack_cache *cache)
{
    (void)pool;
    (void)cache;
}

void cr_stack_pool_trim(cr_stack_pool *pool, size_t keep)
{
    (void)pool;
    (void)keep;
}

void cr_deque_free_retired(cr_deque *deque)
{
    (void)deque;
}

static _Noreturn void not_here(void)
{
    model_fail("this does not happen here");
}

#define NOT_HERE(result, call)                                                                     \
    result call;                                                                                   \
    result call                                                                                    \
    {                                                                                              \
        not_here();                                                                                \
    }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
NOT_HERE(cr_stack *, cr_stack_take(cr_stack_pool *pool, cr_stack_cache *cache))
NOT_HERE(void, cr_stack_give(cr_stack_pool *pool, cr_stack_cache *cache, cr_stack *stack))
NOT_HERE(void, cr_jobs_end(corio_runtime *runtime, cr_worker *worker))
NOT_HERE(void, cr_jobs_take(corio_runtime *runtime, cr_worker *leader))

NOT_HERE(void, cr_stack_pool_new_run(cr_stack_pool *pool))
NOT_HERE(void, cr_early_begin(cr_io *io))
NOT_HERE(void, cr_early_end(cr_io *io))
NOT_HERE(void, cr_io_replay_retries(cr_io *io, cr_worker *leader))
NOT_HERE(void, cr_remark(corio_runtime *runtime, char *text))
NOT_HERE(void, cr_reuse_finish(cr_io *io, cr_worker *leader))
NOT_HERE(bool, cr_replay_must_sleep(cr_io *io, bool timers))
NOT_HERE(void, cr_statistics_cpu_phase_ends(cr_statistics *statistics, const cr_sched *sched,
                                            uint64_t began_ns))
NOT_HERE(void, cr_statistics_phase(cr_statistics *statistics, const corio_options *options,
                                   cr_io *io, const cr_phase_times *times, size_t runnable))
NOT_HERE(void, cr_watch_set_computing(cr_watch *watch, bool computing))
NOT_HERE(bool, cr_deque_grow_owner(cr_deque *deque))
NOT_HERE(void, cr_deadlock(corio_runtime *runtime, cr_worker *leader))
NOT_HERE(void, cr_report(corio_runtime *runtime, char *text))
NOT_HERE(void, cr_report_difference(corio_runtime *runtime))
NOT_HERE(void, cr_sim_jump(cr_sim *sim, uint64_t to_ns))
NOT_HERE(bool, cr_sim_run_a_job(cr_sim *sim))
NOT_HERE(void, cr_task_refuse(cr_worker *worker, const cr_item *closure, int code))
NOT_HERE(void, cr_trace_phase(cr_trace_buffer *buffer, const char *name, uint64_t phase,
                              uint64_t from_ns, uint64_t to_ns))
NOT_HERE(void, cr_wait_remove_locked(cr_wait *wait))
NOT_HERE(void, cr_wake_worker(cr_sched *sched, cr_worker *worker))
#pragma GCC diagnostic pop

/* -- A run -- */

static const cr_park_reason waits = {.text = "waits", .give_up = nothing_to_do};

static void begin(corio_wait_mode mode)
{
    memset(&world, 0, sizeof world);
    corio_runtime *runtime = world.runtime = model_alloc(sizeof *world.runtime);
    cr_sched *sched = &runtime->sched;
    runtime->root.name = "root";
    runtime->root.runtime = runtime;
    runtime->options.wait_mode = mode;
    world.workers[0] = &world.leader;
    world.leader.sched = sched;
    sched->workers = world.workers;
    sched->worker_count = 1;
    cr_cancel_init(&sched->cancel);
    cr_cancel_new_run(&sched->cancel);
    cr_timers_init(&sched->timers);
    cr_event_init(&runtime->io.replied);
    cr_scope_init(&runtime->root.scope, NULL, 0);
    runtime->root.scope.arrived = 1;
    world.task.in = &runtime->root.scope;
    world.park = (cr_park){.stack = &world.stack, .task = &world.task, .reason = &waits};
    model_name(&world.canceller, sizeof world.canceller, "canceller");
    model_name(&sched->cancel, sizeof sched->cancel, "cancel");
    model_name(&runtime->root.scope, sizeof runtime->root.scope, "root scope");
    model_name(&runtime->io.replied, sizeof runtime->io.replied, "replied");
    model_name(&runtime->io.replies, sizeof runtime->io.replies, "replies");
    model_name(runtime, sizeof *runtime, "runtime");
}

/* It can give up, as one that waits in a queue can. */
static void add_sleeper(void)
{
    world.stack.park = &world.park;
    MODEL_CHECK(cr_timers_arm(&world.runtime->sched.timers, &world.timer, CR_NEVER - 1) == 0);
}

static void begin_asleep(void)
{
    begin(CORIO_WAIT_STREAMING);
    add_sleeper();
}

/* The task has asked: it goes on when it is answered, cancelled or not. */
static void begin_asked(void)
{
    begin(CORIO_WAIT_STREAMING);
    world.runtime->io.in_flight = 1;
    world.answers = true;
}

static void begin_failing(void)
{
    begin_asked();
    world.fails = true;
}

/* There is something to look for already. */
static void begin_marked(void)
{
    begin_asleep();
    cr_mark_set_locked(&world.runtime->sched.cancel, &world.other.mark, &world.other, CR_MARK_ALL);
}

static void begin_strict(void)
{
    begin(CORIO_WAIT_STRICT);
    world.runtime->io.in_flight = 1;
    world.answers = true;
    add_sleeper();
    world.runtime->root.scope.arrived = 2;
}

/* Those that go on end. */
static void end_tasks(corio_runtime *runtime)
{
    if (world.leader.overflow != NULL) {
        world.leader.overflow = NULL;
        cr_timers_disarm(&runtime->sched.timers, &world.timer);
        (void)cr_scope_arrive(&runtime->root.scope, 1);
    }
    if (runtime->io.ready_count > 0) {
        if (world.fails)
            cr_scope_fail(&runtime->sched.cancel, &runtime->root.scope, &world.task, -EILSEQ);
        (void)cr_scope_arrive(&runtime->root.scope, 1);
    }
}

static bool is_set(const cr_mark *mark)
{
    return mark->word != CR_MARK_NONE;
}

static bool is_earlier(const cr_cancel *cancel, const cr_mark *mark)
{
    return is_set(mark) && mark->step < cancel->step;
}

/* Nobody sets any more. */
static void check_marks(const corio_runtime *runtime)
{
    const cr_cancel *cancel = &runtime->sched.cancel;
    const cr_mark *root = &runtime->root.scope.mark, *other = &world.other.mark;
    MODEL_CHECK(cancel->live == (uint32_t)is_set(root) + is_set(other));
    MODEL_CHECK(cancel->earlier == (uint32_t)is_earlier(cancel, root) + is_earlier(cancel, other));
}

/* As run() in runtime.c does it. */
static void run_it(void)
{
    corio_runtime *runtime = world.runtime;
    cr_canceller_bind(&world.canceller, &runtime->root);
    while (cr_boundary(runtime, &world.leader))
        end_tasks(runtime);
    cr_canceller_bind(&world.canceller, NULL);
    check_marks(runtime);
    cr_failure *failure = runtime->root.scope.failure;
    world.code = failure != NULL ? failure->error.code : 0;
    cr_failure_destroy(failure);
    if (world.answers) /* as cr_io_stop does it */
        model_receive(&world.answer, "waits for the I/O thread");
    cr_timers_fini(&runtime->sched.timers);
    model_free(runtime);
}

static void cancel_with(int code)
{
    int rc = corio_canceller_cancel(&world.canceller, code);
    MODEL_CHECK(rc == 0 || rc == -EALREADY);
    if (rc == 0)
        MODEL_CHECK(cr_add_32(&world.cancelled, 1) == 0);
}

static void cancel_it(void)
{
    cancel_with(-EINTR);
}

static void cancel_otherwise(void)
{
    cancel_with(-EILSEQ);
}

static void answer_it(void)
{
    cr_io *io = &world.runtime->io;
    world.answer = 1;
    cr_store_release_ptr(&io->replies, io);
    cr_event_signal(&io->replied);
    model_publish(&world.answer);
}

static void was_cancelled(void)
{
    MODEL_CHECK(world.cancelled == 1);
    MODEL_CHECK(world.code == world.canceller.reserved_code && world.code < 0);
    MODEL_CHECK(world.park.result == -ECANCELED);
    model_check_all_freed();
}

static void has_ended(void)
{
    MODEL_CHECK(world.code == (world.fails ? -EILSEQ : 0) || world.code == -EINTR);
    model_check_all_freed();
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"a_sleeping_leader_is_told", begin_asleep, {run_it, cancel_it}, was_cancelled, NULL},
        {"one_of_two_cancels",
         begin_asleep,
         {run_it, cancel_it, cancel_otherwise},
         was_cancelled,
         NULL},
        {"a_run_that_ends_is_left_alone",
         begin_asked,
         {run_it, cancel_it, answer_it},
         has_ended,
         NULL},
        {"the_task_fails_meanwhile",
         begin_failing,
         {run_it, cancel_it, answer_it},
         has_ended,
         NULL},
        {"a_mark_beside_others_is_found", begin_marked, {run_it, cancel_it}, was_cancelled, NULL},
        {"others_give_up_while_answers_are_awaited",
         begin_strict,
         {run_it, cancel_it, answer_it},
         was_cancelled,
         NULL},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 3000);
}
