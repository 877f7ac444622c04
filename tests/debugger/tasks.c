/* SPDX-License-Identifier: MIT
 *
 * Tasks in every state, for test_gdb.py: it stops the program in before_wait (the root runs, its
 * children have not started) and in in_flight (nothing can run, an I/O thread has the batch).
 * It is not meant to end: there is a sleeper of an hour.
 */
#include <corio.h>
#include <stdint.h>
#include <stdio.h>

static corio_dispatcher *store;
static corio_mutex mutex;
static corio_waitgroup locked, over;

__attribute__((noinline)) static void before_wait(void)
{
    __asm__ __volatile__("");
}

__attribute__((noinline)) static void in_flight(size_t requests)
{
    __asm__ __volatile__("" ::"r"(requests));
}

static int answer(void *arg, corio_batch *batch)
{
    (void)arg;
    in_flight(corio_batch_len(batch));
    for (size_t i = 0; i < corio_batch_len(batch); i++)
        corio_batch_respond(batch, i);
    return CORIO_DONE;
}

static int dispatch(void *self, corio_batch *batch)
{
    int rc = corio_batch_submit(batch, answer, self);
    return rc == 0 ? CORIO_LATER : rc;
}

__attribute__((noinline)) static int fetch(long depth, long row)
{
    int rc = depth > 0 ? fetch(depth - 1, row + 1) : corio_io(store, NULL, NULL);
    __asm__ __volatile__("" ::"r"(row)); /* so that the debugger can find it in a saved register */
    return rc;
}

static int reader(void *arg)
{
    (void)arg;
    return fetch(2, 40);
}

static int holder(void *arg)
{
    (void)arg;
    int rc = corio_mutex_lock(&mutex);
    corio_waitgroup_done(&locked);
    if (rc == 0)
        rc = fetch(0, 0);
    if (rc == 0)
        rc = corio_mutex_unlock(&mutex);
    corio_waitgroup_done(&over);
    return rc;
}

static int child(void *arg)
{
    return fetch(1, *(long *)arg);
}

/* Its child is called on its own stack, and suspends there. */
static int parent(void *arg)
{
    (void)arg;
    corio_go_copy(child, &(long){7}, sizeof(long));
    return corio_wait();
}

static int patient(void *arg)
{
    (void)arg;
    return corio_waitgroup_wait(&over);
}

static int contender(void *arg)
{
    (void)arg;
    int rc = corio_waitgroup_wait(&locked);
    if (rc == 0)
        rc = corio_mutex_lock(&mutex);
    return rc == 0 ? corio_mutex_unlock(&mutex) : rc;
}

static int sleeper(void *arg)
{
    (void)arg;
    return corio_sleep(UINT64_C(3600000000000));
}

static int root(void *arg)
{
    (void)arg;
    corio_waitgroup_add(&locked, 1);
    corio_waitgroup_add(&over, 1);
    corio_go(reader, NULL);
    corio_go(parent, NULL);
    corio_go(patient, NULL);
    corio_go(holder, NULL);
    corio_go_named("the \"contender\"", contender, NULL);
    corio_go(sleeper, NULL);
    before_wait();
    return corio_wait();
}

int main(void)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime, *idle;
    options.workers = 1;
    corio_dispatcher_options with = {.size = sizeof with, .name = "store", .dispatch = dispatch};
    if (corio_runtime_create(&options, &idle) != 0 ||
        corio_runtime_create(&options, &runtime) != 0 ||
        corio_dispatcher_add(runtime, &with, &store) != 0)
        return 2;
    int rc = corio_run(runtime, root, NULL);
    printf("ended with %d\n", rc);
    corio_runtime_destroy(runtime);
    corio_runtime_destroy(idle);
    return rc != 0;
}
