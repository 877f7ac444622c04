/* SPDX-License-Identifier: MIT
 *
 * compare.c - the audit once, or in all its modes.
 */
#include "compare.h"

#include <stdlib.h>

int audit_once(const struct job *job, const struct audit_options *options, struct audit *audit,
               struct report *report)
{
    *audit = (struct audit){
        .universe = job->universe,
        .store = job->store,
        .options = *options,
        .failure = job->failure,
        .roots = job->roots,
        .root_count = job->root_count,
    };
    int rc = audit_run(audit);
    if (rc == 0 && report_init(report, audit) < 0)
        rc = failure_set(job->failure, EXIT_OTHER, "no memory");
    if (rc < 0)
        audit_fini(audit);
    return rc;
}

enum { VARIANTS = 6, VARIANT_ITEM = 0, VARIANT_THREADS = 1, VARIANT_TWO = 5 };

static int by_wall(const void *a, const void *b)
{
    double x = ((const struct audit_figures *)a)->wall_s;
    double y = ((const struct audit_figures *)b)->wall_s;
    return x < y ? -1 : x > y;
}

static void list_variants(const struct audit_options *given, struct audit_options *options,
                          const char **names)
{
    static const char *const known[VARIANTS] = {
        "item", "threads", "batch", "batch, no memory", "batch, 1 worker", "batch, 2 workers",
    };
    for (size_t i = 0; i < VARIANTS; i++) {
        names[i] = known[i];
        options[i] = *given;
        options[i].mode = MODE_BATCH;
        options[i].memory = true;
    }
    options[VARIANT_ITEM].mode = MODE_ITEM;
    options[VARIANT_THREADS].mode = MODE_THREADS;
    options[3].memory = false;
    options[4].workers = 1;
    options[VARIANT_TWO].workers = 2;
}

/* The rounds go through all modes in turn, so that a slow moment of the machine hits them alike. */
static int run_rounds(const struct job *job, const struct audit_options *options, unsigned rounds,
                      struct audit_figures *all, uint64_t *digests)
{
    for (unsigned round = 0; round < rounds; round++) {
        for (size_t i = 0; i < VARIANTS; i++) {
            struct audit audit;
            struct report report;
            int rc = audit_once(job, &options[i], &audit, &report);
            if (rc < 0)
                return rc;
            all[i * rounds + round] = audit.figures;
            digests[i] = report.digest;
            report_fini(&report);
            audit_fini(&audit);
            if (digests[i] != digests[0])
                return failure_set(job->failure, EXIT_OTHER, "the modes differ in their results");
        }
    }
    return 0;
}

static void print_comparison(const struct comparison *rows, uint32_t roots)
{
    printf("%u roots, digest %016llx in every mode\n", roots, (unsigned long long)rows[0].digest);
    report_compare(rows, VARIANTS, VARIANT_ITEM, VARIANT_THREADS, stdout);
    printf("2 workers are %.2f times as fast as 1\n",
           rows[4].figures.wall_s / rows[VARIANT_TWO].figures.wall_s);
}

int compare(const struct job *job, const struct audit_options *given, unsigned rounds)
{
    struct audit_options options[VARIANTS];
    const char *names[VARIANTS];
    uint64_t digests[VARIANTS] = {0};
    struct audit_figures *all = calloc((size_t)VARIANTS * rounds, sizeof *all);
    if (!all)
        return failure_set(job->failure, EXIT_OTHER, "no memory");
    list_variants(given, options, names);
    int rc = run_rounds(job, options, rounds, all, digests);
    if (rc == 0) {
        struct comparison rows[VARIANTS];
        for (size_t i = 0; i < VARIANTS; i++) {
            qsort(all + i * rounds, rounds, sizeof *all, by_wall);
            rows[i] = (struct comparison){names[i], all[i * rounds + rounds / 2], digests[i]};
        }
        print_comparison(rows, job->root_count);
    }
    free(all);
    return rc;
}
