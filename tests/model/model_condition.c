/* SPDX-License-Identifier: MIT
 *
 * model_condition.c - the condition: whoever waits has let go of the mutex and is found by the next
 * signal, in one step; it goes on with the mutex, and sees what was changed under it.
 */
#define enqueue enqueue_waiter /* wait.c has one too */
#include "runtime/sync/condition.c"
#undef enqueue
#include "runtime/sync/mutex.c"
#include "tests/model/model.h"
#include "tests/model/wait_world.h"

static struct {
    corio_mutex mutex;
    corio_condition changed;
    unsigned elements, looks; /* under the mutex */
} shared;

int corio_shield(bool on)
{
    (void)on;
    return 0;
}

static void begin(void)
{
    begin_tasks(3);
    memset(&shared, 0, sizeof shared);
    model_name(&shared.mutex, sizeof shared.mutex, "mutex");
    model_name(&shared.changed, sizeof shared.changed, "condition");
    model_name(&shared.elements, sizeof shared.elements, "elements");
}

static void take_one(void)
{
    MODEL_CHECK(corio_mutex_lock(&shared.mutex) == 0);
    model_enter(1);
    while (shared.elements == 0) {
        shared.looks++;
        model_leave();
        MODEL_CHECK(corio_condition_wait(&shared.changed, &shared.mutex) == 0);
        model_enter(1);
    }
    shared.elements--;
    model_leave();
    MODEL_CHECK(corio_mutex_unlock(&shared.mutex) == 0);
}

static void put(unsigned count)
{
    MODEL_CHECK(corio_mutex_lock(&shared.mutex) == 0);
    model_enter(1);
    shared.elements += count;
    shared.looks++;
    model_leave();
}

static void put_one(void)
{
    put(1);
    MODEL_CHECK(corio_condition_signal(&shared.changed) == 0);
    MODEL_CHECK(corio_mutex_unlock(&shared.mutex) == 0);
}

/* The signal comes when the mutex is free. */
static void put_one_and_signal_late(void)
{
    put(1);
    MODEL_CHECK(corio_mutex_unlock(&shared.mutex) == 0);
    MODEL_CHECK(corio_condition_signal(&shared.changed) == 0);
}

static void take_two(void)
{
    take_one();
    take_one();
}

static void put_two_for_all(void)
{
    put(2);
    MODEL_CHECK(corio_mutex_unlock(&shared.mutex) == 0);
    MODEL_CHECK(corio_condition_broadcast(&shared.changed) == 0);
}

static void put_and_take(void)
{
    put_one();
    take_one();
}

static void all_is_free(void)
{
    MODEL_CHECK(shared.elements == 0);
    MODEL_CHECK(corio_condition_wait_count(&shared.changed) == 0);
    MODEL_CHECK(corio_mutex_wait_count(&shared.mutex) == 0);
    MODEL_CHECK(corio_mutex_destroy(&shared.mutex) == 0);
}

static void one_is_left(void)
{
    MODEL_CHECK(shared.elements == 1);
    shared.elements = 0;
    all_is_free();
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"a_signal_is_not_lost",
         begin,
         {take_one, put_one, put_one, work, work, work},
         one_is_left,
         tasks_ended},
        {"a_late_signal_is_not_lost",
         begin,
         {take_one, put_one_and_signal_late, put_one_and_signal_late, work, work, work},
         one_is_left,
         tasks_ended},
        {"all_are_told",
         begin,
         {take_one, take_one, put_two_for_all, work, work, work},
         all_is_free,
         tasks_ended},
        {"a_signal_comes_too_late",
         begin,
         {take_two, put_one_and_signal_late, put_one, work, work, work},
         all_is_free,
         tasks_ended},
        {"a_taker_puts",
         begin,
         {take_one, put_and_take, put_one, work, work, work},
         all_is_free,
         tasks_ended},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 1500);
}
