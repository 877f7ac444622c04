/* SPDX-License-Identifier: MIT
 *
 * stress.h - what the stress tests share: how much to do, a watchdog, checks that hold in any
 * thread or task, numbers from a seed.
 *
 * A test does a fixed amount of work, times the factor in its first argument or in CORIO_STRESS. A
 * check that fails, and a fact that does not come to its end, abort with a line that says which.
 */
#ifndef CR_TESTS_STRESS_H
#define CR_TESTS_STRESS_H

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { watchdog_seconds = 300, came_to_the_end = 42 };

static unsigned long stress_factor = 1;
static const char *stress_fact = "";

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: in %s: not so: %s\n", __FILE__, __LINE__, stress_fact,         \
                    #condition);                                                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Runs a function whose name is the fact that it checks. */
#define FACT(function)                                                                             \
    do {                                                                                           \
        stress_fact = #function;                                                                   \
        alarm((unsigned)(watchdog_seconds * stress_factor));                                       \
        function();                                                                                \
        alarm(0);                                                                                  \
        printf("ok %s\n", #function);                                                              \
        fflush(stdout);                                                                            \
    } while (0)

static inline void stress_hangs(int signal_number)
{
    (void)signal_number;
    static const char text[] = ": does not come to its end\n";
    (void)!write(STDERR_FILENO, stress_fact, strlen(stress_fact));
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    abort();
}

/* A stack that is entered wrongly can end the process with status 0: so the tests run in a child, and
 * the status that counts is one that only main returns. */
static inline void stress_in_a_child(void)
{
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* whoever ends the test ends all of it */
        return;
    }
    while (waitpid(child, &status, 0) != child) /* a signal may be for the child */
        CHECK(errno == EINTR);
    if (WIFSIGNALED(status))
        fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
    _exit(WIFEXITED(status) && WEXITSTATUS(status) == came_to_the_end ? 0 : 1);
}

/* The first line of main, before there is any thread. */
static inline void stress_begin(int argc, char **argv)
{
    const char *factor = argc > 1 ? argv[1] : getenv("CORIO_STRESS");
    if (factor != NULL && strtoul(factor, NULL, 10) > 0)
        stress_factor = strtoul(factor, NULL, 10);
    stress_in_a_child();
    signal(SIGALRM, stress_hangs);
}

static inline int stress_end(void)
{
    return came_to_the_end;
}

/* splitmix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (2014). */
static inline uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* The next number of a sequence, below `bound`. */
static inline uint64_t draw(uint64_t *seed, uint64_t bound)
{
    *seed = mix(*seed);
    return *seed % bound;
}

#endif
