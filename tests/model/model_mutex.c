/* SPDX-License-Identifier: MIT
 *
 * model_mutex.c - the mutex: one holder at a time, who sees what the one before wrote; whoever waits
 * gets it; and in the end it is free.
 */
#include "runtime/sync/mutex.c"
#include "tests/model/model.h"
#include "tests/model/wait_world.h"

static struct {
    corio_mutex mutex;
    uint64_t count; /* under the mutex */
} guarded;

static void begin(unsigned tasks)
{
    begin_tasks(tasks);
    memset(&guarded, 0, sizeof guarded);
    model_name(&guarded.mutex, sizeof guarded.mutex, "mutex");
    model_name(&guarded.count, sizeof guarded.count, "count");
}

static void begin_two(void)
{
    begin(2);
}

static void begin_three(void)
{
    begin(3);
}

static void hold(void)
{
    model_enter(1);
    guarded.count++;
    model_leave();
    MODEL_CHECK(corio_mutex_unlock(&guarded.mutex) == 0);
}

static void lock_once(void)
{
    MODEL_CHECK(corio_mutex_lock(&guarded.mutex) == 0);
    hold();
}

static void lock_twice(void)
{
    lock_once();
    lock_once();
}

static void try_once(void)
{
    int rc = corio_mutex_try_lock(&guarded.mutex);
    MODEL_CHECK(rc == 0 || rc == -EBUSY);
    if (rc == 0)
        hold();
}

static void is_free(void)
{
    MODEL_CHECK(corio_mutex_wait_count(&guarded.mutex) == 0);
    MODEL_CHECK(corio_mutex_destroy(&guarded.mutex) == 0);
    MODEL_CHECK(guarded.mutex.reserved_waiters.reserved_head == NULL);
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"two_lock", begin_two, {lock_once, lock_once, work, work}, is_free, tasks_ended},
        {"three_lock",
         begin_three,
         {lock_once, lock_once, lock_once, work, work, work},
         is_free,
         tasks_ended},
        {"two_lock_twice", begin_two, {lock_twice, lock_twice, work, work}, is_free, tasks_ended},
        {"one_only_tries",
         begin_three,
         {lock_once, lock_once, try_once, work, work, work},
         is_free,
         tasks_ended},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 6000);
}
