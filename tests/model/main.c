/* SPDX-License-Identifier: MIT
 *
 * main.c - all cases of a model with all strategies; or one run again, with its steps.
 */
#include "tests/model/explorer.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct {
    const char *program;
    const char *wanted_case; /* NULL: all */
    int wanted_strategy;     /* -1: all */
    uint64_t seed;           /* of the one run; 0: many */
    uint64_t runs;
    bool find, thorough;
} options = {.wanted_strategy = -1};

static void usage(void)
{
    printf("Usage: %s [OPTION ...]\n\n"
           "Explores the cases of this model with random, pct and dfs schedules.\n\n"
           "  --case NAME       this case only\n"
           "  --strategy NAME   random, pct or dfs only\n"
           "  --seed N          the one run with this seed (dfs: run number N)\n"
           "  --trace           with --seed: print the steps of the run\n"
           "  --runs N          runs per case and strategy (%llu; dfs: three times as many)\n"
           "  --find            one line for each strategy that finds a failure: in which run\n"
           "  --thorough        with --find: go on until each strategy has found one\n"
           "  --list            the names of the cases\n"
           "  --help            this text\n\n"
           "CORIO_MODEL=10 in the environment multiplies the runs by ten.\n",
           options.program, (unsigned long long)options.runs);
}

static int strategy_of(const char *name)
{
    for (int kind = 0; kind < STRATEGIES; kind++) {
        if (strcmp(name, strategy_name((strategy_kind)kind)) == 0)
            return kind;
    }
    fprintf(stderr, "%s: no strategy: %s\n", options.program, name);
    exit(2);
}

static void list(const model_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        puts(cases[i].name);
}

static void parse(int argc, char **argv, const model_case *cases, size_t count)
{
    static const struct option known[] = {
        {"case", required_argument, NULL, 'c'}, {"strategy", required_argument, NULL, 's'},
        {"seed", required_argument, NULL, 'n'}, {"trace", no_argument, NULL, 't'},
        {"runs", required_argument, NULL, 'r'}, {"find", no_argument, NULL, 'f'},
        {"thorough", no_argument, NULL, 'T'},   {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0},
    };
    options.program = argv[0];
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case 'c':
            options.wanted_case = optarg;
            break;
        case 's':
            options.wanted_strategy = strategy_of(optarg);
            break;
        case 'n':
            options.seed = strtoull(optarg, NULL, 10);
            break;
        case 't':
            explorer.tracing = true;
            break;
        case 'r':
            options.runs = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            options.find = true;
            break;
        case 'T':
            options.thorough = true;
            break;
        case 'l':
            list(cases, count);
            exit(0);
        case 'h':
            usage();
            exit(0);
        default:
            exit(2);
        }
    }
    const char *factor = getenv("CORIO_MODEL");
    options.runs *= factor != NULL && atoi(factor) > 0 ? (unsigned)atoi(factor) : 1;
}

/* -- Exploring -- */

static unsigned length_of(const model_case *model)
{
    strategy_start(DFS, 1);
    strategy_begin_run(1);
    explorer_run(model);
    return explorer.steps;
}

/* Runs up to `most`; the number of the one that failed, or 0. */
static uint64_t explore(const model_case *model, strategy_kind kind, uint64_t first, uint64_t most,
                        uint64_t *ret_done)
{
    bool tracing = explorer.tracing;
    explorer.tracing = false;
    strategy_start(kind, length_of(model));
    *ret_done = 0;
    for (uint64_t seed = kind == DFS ? 1 : first; seed <= most; seed++) {
        if (!strategy_begin_run(seed))
            break;
        explorer.tracing = tracing && seed == most;
        ++*ret_done;
        bool good = explorer_run(model);
        trace_end_run();
        if (!good)
            return seed;
        strategy_end_run();
    }
    return 0;
}

static uint64_t runs_of(strategy_kind kind)
{
    return kind == DFS ? 3 * options.runs : options.runs;
}

static bool is_wanted(const model_case *model)
{
    return options.wanted_case == NULL || strcmp(options.wanted_case, model->name) == 0;
}

static void report_failure(const model_case *model, strategy_kind kind, uint64_t seed)
{
    printf("FAILED %s: %s\n  again: %s --case '%s' --strategy %s --seed %llu --trace\n",
           model->name, explorer.message, options.program, model->name, strategy_name(kind),
           (unsigned long long)seed);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* True if no run failed. */
static bool explore_case(const model_case *model, strategy_kind kind)
{
    uint64_t done, steps = explorer.total_steps;
    double began = seconds();
    uint64_t failed = explore(model, kind, 1, runs_of(kind), &done);
    double took = seconds() - began;
    if (failed != 0) {
        report_failure(model, kind, failed);
        return false;
    }
    printf("%-44s %-6s %8llu runs  %5llu steps each %9.0f runs/s%s\n", model->name,
           strategy_name(kind), (unsigned long long)done,
           (unsigned long long)((explorer.total_steps - steps) / (done + 1)), (double)done / took,
           kind == DFS && done < runs_of(kind) ? "  (all within the bounds)" : "");
    fflush(stdout);
    return true;
}

/* Runs `first` to `most` of all cases; the number of the one that failed, or 0. */
static uint64_t explore_cases(const model_case *cases, size_t count, strategy_kind kind,
                              uint64_t first, uint64_t most)
{
    uint64_t done, failed = 0;
    if (most > runs_of(kind))
        most = runs_of(kind);
    for (size_t i = 0; i < count && failed == 0 && first <= most; i++) {
        if (is_wanted(&cases[i]))
            failed = explore(&cases[i], kind, first, most, &done);
        if (failed != 0)
            printf("found\t%s\t%llu\t%s\t%s\n", strategy_name(kind), (unsigned long long)failed,
                   cases[i].name, explorer.message);
    }
    return failed;
}

/* For the test of the test: a few runs of each case with each strategy, then more, so that none is
 * kept waiting by the others. It ends when one strategy has found something, or with --thorough,
 * when all have. */
static bool find(const model_case *cases, size_t count)
{
    bool found[STRATEGIES] = {false}, any = false;
    uint64_t first = 1;
    for (uint64_t most = 64; first <= runs_of(DFS) && (!any || options.thorough); most *= 8) {
        for (int kind = 0; kind < STRATEGIES; kind++) {
            if (options.wanted_strategy >= 0 && kind != options.wanted_strategy)
                continue;
            if (!found[kind])
                found[kind] = explore_cases(cases, count, (strategy_kind)kind, first, most) != 0;
            any |= found[kind];
        }
        first = most + 1;
    }
    printf("end\n");
    return any;
}

static bool replay(const model_case *model, strategy_kind kind)
{
    uint64_t done;
    uint64_t failed = explore(model, kind, options.seed, options.seed, &done);
    if (failed != 0)
        report_failure(model, kind, failed);
    else
        printf("%s: this run is good\n", model->name);
    return failed == 0;
}

static bool explore_all(const model_case *cases, size_t count)
{
    bool good = true;
    for (int kind = 0; kind < STRATEGIES; kind++) {
        if (options.wanted_strategy >= 0 && kind != options.wanted_strategy)
            continue;
        for (size_t i = 0; i < count; i++) {
            if (is_wanted(&cases[i]))
                good &= options.seed != 0 ? replay(&cases[i], (strategy_kind)kind)
                                          : explore_case(&cases[i], (strategy_kind)kind);
        }
    }
    return good;
}

int model_main(int argc, char **argv, const model_case *cases, size_t count, unsigned runs)
{
    options.runs = runs;
    parse(argc, argv, cases, count);
    bool good = options.find ? find(cases, count) : explore_all(cases, count);
    return good ? 0 : 1;
}
