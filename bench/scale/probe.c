/* SPDX-License-Identifier: MIT
 *
 * probe.c - what a machine's parts of the scheduler cost, for costs.py: prints a line of JSON.
 *
 *   line_ns         a cache line goes from one core to another, one way
 *   wake_call_ns    a futex wake-up, for the one who wakes
 *   wake_ns         from the wake-up's beginning until the sleeper runs
 *   fence_idle_ns   membarrier(2) while the process's other thread sleeps
 *   fence_busy_ns   the same while it runs
 *   spin_ns         200 rounds of what an idle worker does between two looks
 *   sort            ns an entry for runs that have to be merged: {"1": .., "2": .., ...}
 *
 * Least of many tries each: others may be using the machine. Two cores are needed.
 */
#include "runtime/base/alloc.h"
#include "runtime/base/atomic.h"
#include "runtime/base/clock.h"
#include "runtime/io/order.h"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    tries = 40,
    turns = 2000,
    sleep_ns = 1000000, /* a sleeper is given so long to fall asleep */
    count_sorted = 20000,
    most_runs = 256,
    spin_relaxes = 1600, /* as in runtime/sched/idle.c */
};

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "probe: %s\n", what);
    exit(1);
}

static void keep_least(double *least, double value)
{
    if (*least == 0 || value < *least)
        *least = value;
}

static pthread_t start(void *(*main)(void *arg), void *arg)
{
    pthread_t thread;
    require(pthread_create(&thread, NULL, main, arg) == 0, "no thread");
    return thread;
}

/* -- A line to and fro -- */

static alignas(64) uint32_t turn;

static void *answer_turns(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < turns; i++) {
        while (cr_load_acquire_32(&turn) != 2 * i + 1)
            ;
        cr_store_release_32(&turn, 2 * i + 2);
    }
    return NULL;
}

static double line_ns(void)
{
    turn = 0;
    pthread_t other = start(answer_turns, NULL);
    double least = 0;
    for (uint32_t i = 0; i < turns; i += 100) { /* the least hundred: both were running then */
        uint64_t began = cr_now_ns();
        for (uint32_t at = i; at < i + 100; at++) {
            cr_store_release_32(&turn, 2 * at + 1);
            while (cr_load_acquire_32(&turn) != 2 * at + 2)
                ;
        }
        keep_least(&least, (double)(cr_now_ns() - began) / 200);
    }
    pthread_join(other, NULL);
    return least;
}

/* -- Sleeping and waking -- */

static alignas(64) uint32_t word;
static uint64_t woken_ns;

static void *sleep_once(void *arg)
{
    (void)arg;
    while (cr_load_acquire_32(&word) == 0)
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    woken_ns = cr_now_ns();
    return NULL;
}

static void pause_for(uint64_t ns)
{
    struct timespec time = {.tv_sec = 0, .tv_nsec = (long)ns};
    nanosleep(&time, NULL);
}

/* The sleeper is asleep unless the machine is very busy: then the try is no minimum either. */
static void wake(double *call_ns, double *latency_ns, double *fence_ns)
{
    word = 0;
    pthread_t sleeper = start(sleep_once, NULL);
    pause_for(sleep_ns);
    uint64_t began = cr_now_ns();
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    keep_least(fence_ns, (double)(cr_now_ns() - began));
    began = cr_now_ns();
    cr_store_release_32(&word, 1);
    long woken = syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    double call = (double)(cr_now_ns() - began);
    pthread_join(sleeper, NULL);
    if (woken != 1)
        return;
    keep_least(call_ns, call);
    keep_least(latency_ns, (double)(woken_ns - began));
}

static void *run_on(void *arg)
{
    (void)arg;
    cr_store_release_32(&turn, 1);
    while (cr_load_acquire_32(&turn) == 1)
        cr_cpu_relax();
    return NULL;
}

/* The least would be that of a moment in which the other thread was not running: the median. */
static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static double fence_busy_ns(void)
{
    double took[tries];
    turn = 0;
    pthread_t other = start(run_on, NULL);
    while (cr_load_acquire_32(&turn) == 0)
        cr_cpu_relax();
    for (unsigned i = 0; i < tries; i++) {
        uint64_t began = cr_now_ns();
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
        took[i] = (double)(cr_now_ns() - began);
    }
    cr_store_release_32(&turn, 2);
    pthread_join(other, NULL);
    qsort(took, tries, sizeof *took, by_value);
    return took[tries / 2];
}

static double spin_ns(void)
{
    double least = 0;
    for (unsigned i = 0; i < tries; i++) {
        uint64_t began = cr_now_ns();
        for (unsigned relax = 0; relax < spin_relaxes; relax++)
            cr_cpu_relax();
        keep_least(&least, (double)(cr_now_ns() - began));
    }
    return least;
}

/* -- Sorting -- */

/* Rising runs in as many places that have to be merged all the way: blocks of neighbours, as workers'
 * shares are. A single one is looked at only. */
static void sort(cr_order *order, cr_entry *entries, cr_entry *to, unsigned runs)
{
    if (runs == 1) {
        cr_order_sort(order, entries, count_sorted);
        return;
    }
    require(cr_order_begin(order, runs), "no memory");
    for (unsigned run = runs; run-- > 0;) {
        size_t begin = (size_t)count_sorted * run / runs;
        cr_order_add(order, entries + begin, (size_t)count_sorted * (run + 1) / runs - begin);
    }
    cr_order_merge(order, to);
}

static double sort_ns(unsigned runs)
{
    cr_entry *entries = calloc(count_sorted, sizeof *entries);
    cr_entry *to = calloc(count_sorted, sizeof *to);
    require(entries != NULL && to != NULL, "no memory");
    corio_task parent;
    memset(&parent, 0, sizeof parent);
    for (size_t i = 0; i < count_sorted; i++)
        entries[i] = (cr_entry){.what = entries, .parent = &parent, .index = i};
    cr_order order = {0};
    double least = 0;
    for (unsigned i = 0; i < tries; i++) {
        uint64_t began = cr_now_ns();
        sort(&order, entries, to, runs);
        keep_least(&least, (double)(cr_now_ns() - began) / count_sorted);
    }
    cr_order_fini(&order);
    free(entries);
    free(to);
    return least;
}

int main(void)
{
    double call_ns = 0, latency_ns = 0, fence_ns = 0;
    require(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0,
            "no membarrier");
    for (unsigned i = 0; i < tries; i++)
        wake(&call_ns, &latency_ns, &fence_ns);
    printf(
        "{\"line_ns\": %.1f, \"wake_call_ns\": %.0f, \"wake_ns\": %.0f, \"fence_idle_ns\": %.0f, "
        "\"fence_busy_ns\": %.0f, \"spin_ns\": %.0f, \"sort\": {",
        line_ns(), call_ns, latency_ns, fence_ns, fence_busy_ns(), spin_ns());
    for (unsigned runs = 1; runs <= most_runs; runs *= 2)
        printf("%s\"%u\": %.2f", runs > 1 ? ", " : "", runs, sort_ns(runs));
    printf("}}\n");
    return 0;
}
