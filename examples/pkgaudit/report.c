/* SPDX-License-Identifier: MIT
 *
 * report.c - what the audit found.
 */
#include "report.h"

#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { SHOWN = 10 };

static const char *name_of(const struct audit *audit, uint32_t package)
{
    return audit->universe->name[package];
}

/* -- The lines -- */

static void put_roots(const struct audit *audit, FILE *to)
{
    for (uint32_t i = 0; i < audit->root_count; i++) {
        const struct root_result *result = &audit->results[i];
        fprintf(to, "root %s %u %016" PRIx64 " %u\n", name_of(audit, result->package), result->size,
                result->members, result->missing);
    }
}

/* Returns 0, or -ENOMEM if a text cannot be had. */
static int put_missing(const struct audit *audit, uint32_t *ret_count, FILE *to)
{
    const struct store_kind *kind = audit->store->kind;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < audit->universe->count; i++) {
        uint32_t package = audit->universe->sorted[i];
        const struct node *node = &audit->nodes[package];
        for (uint32_t j = 0; rc == 0 && j < node->missing_count; j++, ++*ret_count) {
            char *text = kind->dependency_text(audit->store, package, node->missing[j]);
            fprintf(to, "missing %s: %s\n", name_of(audit, package), text ? text : "?");
            rc = text ? 0 : -ENOMEM;
            free(text);
        }
    }
    return rc;
}

static uint32_t put_cycles(const struct audit *audit, const struct cycles *cycles, FILE *to)
{
    uint32_t largest = 0;
    for (uint32_t i = 0; i < cycles->count; i++) {
        fprintf(to, "cycle");
        for (uint32_t j = cycles->starts[i]; j < cycles->starts[i + 1]; j++)
            fprintf(to, " %s", name_of(audit, cycles->members[j]));
        fprintf(to, "\n");
        if (cycles->starts[i + 1] - cycles->starts[i] > largest)
            largest = cycles->starts[i + 1] - cycles->starts[i];
    }
    return largest;
}

int report_init(struct report *report, const struct audit *audit)
{
    *report = (struct report){.audit = audit};
    int rc = cycles_find(audit, &report->cycles);
    FILE *to = rc == 0 ? open_memstream(&report->lines, &report->lines_bytes) : NULL;
    if (!to) {
        report_fini(report);
        return -ENOMEM;
    }
    put_roots(audit, to);
    rc = put_missing(audit, &report->missing, to);
    report->largest_cycle = put_cycles(audit, &report->cycles, to);
    if (fclose(to) != 0 || rc < 0) {
        report_fini(report);
        return -ENOMEM;
    }
    report->digest = corio_hash_bytes(CORIO_HASH_BEGIN, report->lines, report->lines_bytes);
    return 0;
}

void report_fini(struct report *report)
{
    cycles_fini(&report->cycles);
    free(report->lines);
    report->lines = NULL;
}

/* -- For people -- */

static int by_size(const void *a, const void *b)
{
    const struct root_result *x = *(const struct root_result *const *)a;
    const struct root_result *y = *(const struct root_result *const *)b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x < y ? -1 : x > y; /* they lie in order of names */
}

static void print_largest(const struct audit *audit, FILE *to)
{
    const struct root_result **sorted = malloc((audit->root_count + 1) * sizeof *sorted);
    if (!sorted)
        return;
    for (uint32_t i = 0; i < audit->root_count; i++)
        sorted[i] = &audit->results[i];
    qsort(sorted, audit->root_count, sizeof *sorted, by_size);
    fprintf(to, "Largest closures\n");
    for (uint32_t i = 0; i < audit->root_count && i < SHOWN; i++)
        fprintf(to, "  %6u  %s\n", sorted[i]->size, name_of(audit, sorted[i]->package));
    free(sorted);
}

/* Prints the first lines that begin with `word`, without it. */
static void print_lines(const struct report *report, const char *word, uint32_t count, FILE *to)
{
    size_t length = strlen(word);
    uint32_t shown = 0;
    for (const char *at = report->lines; *at && shown < SHOWN; at = strchr(at, '\n') + 1) {
        if (strncmp(at, word, length) == 0) {
            fprintf(to, "  %.*s\n", (int)strcspn(at + length, "\n"), at + length);
            shown++;
        }
    }
    if (count > SHOWN)
        fprintf(to, "  ... and %u more (--dump=FILE lists all)\n", count - SHOWN);
}

static double share(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static void print_figures(const struct audit *audit, const struct ingest *ingest, FILE *to)
{
    const struct audit_figures *figures = &audit->figures;
    fprintf(to, "\n");
    if (ingest)
        fprintf(to,
                "ingest      %" PRIu64 " stanzas in %" PRIu64 " transactions (largest %" PRIu64
                "), %.2f s\n",
                ingest->stanzas, ingest->batches, ingest->largest_batch, ingest->wall_s);
    fprintf(to, "mode        %s, %u %s\n", mode_name(audit->options.mode), figures->workers,
            audit->options.mode == MODE_THREADS ? "threads" : "workers");
    fprintf(to,
            "requests    %" PRIu64 ", unique in their batch %" PRIu64
            ", asked of the database %" PRIu64 "\n",
            figures->requests, figures->unique, figures->statements);
    if (audit->options.mode != MODE_THREADS && figures->batches > 0) {
        fprintf(to, "phases      %" PRIu64 "\n", figures->phases);
        fprintf(to,
                "batches     %" PRIu64 ", of %" PRIu64 " to %" PRIu64
                " requests, %.0f on average\n",
                figures->batches, figures->smallest_batch, figures->largest_batch,
                (double)figures->batched / (double)figures->batches);
        fprintf(to, "wall time   %.3f s: CPU %.0f%%, I/O %.0f%%\n", figures->wall_s,
                share(figures->cpu_s, figures->wall_s), share(figures->io_s, figures->wall_s));
    } else {
        fprintf(to, "wall time   %.3f s\n", figures->wall_s);
    }
}

void report_print(const struct report *report, const struct ingest *ingest, FILE *to)
{
    const struct audit *audit = report->audit;
    print_largest(audit, to);
    fprintf(to, "\nDependencies that nothing meets: %u\n", report->missing);
    print_lines(report, "missing ", report->missing, to);
    fprintf(to, "\nGroups of packages that need each other: %u, the largest of %u\n",
            report->cycles.count, report->largest_cycle);
    print_lines(report, "cycle ", report->cycles.count, to);
    fprintf(to, "\nuniverse    %u packages\n", audit->universe->count);
    fprintf(to, "roots       %u, reaching %u packages", audit->root_count, audit->reached_count);
    print_figures(audit, ingest, to);
    fprintf(to, "digest      %016" PRIx64 "\n", report->digest);
}

/* -- For machines -- */

static void put_string(const char *text, FILE *to)
{
    fputc('"', to);
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\')
            fprintf(to, "\\%c", *at);
        else if (*at < 0x20)
            fprintf(to, "\\u%04x", *at);
        else
            fputc(*at, to);
    }
    fputc('"', to);
}

void report_json(const struct report *report, const struct ingest *ingest, FILE *to)
{
    const struct audit *audit = report->audit;
    const struct audit_figures *figures = &audit->figures;
    fprintf(to, "{\"mode\": \"%s\", \"db\": \"%s\", \"database\": ", mode_name(audit->options.mode),
            audit->store->kind->name);
    put_string(audit->store->where, to);
    fprintf(to, ", \"workers\": %u, \"packages\": %u, \"roots\": %u, \"reached\": %u",
            figures->workers, audit->universe->count, audit->root_count, audit->reached_count);
    fprintf(to,
            ", \"requests\": %" PRIu64 ", \"unique_requests\": %" PRIu64
            ", \"statements\": %" PRIu64,
            figures->requests, figures->unique, figures->statements);
    fprintf(to, ", \"phases\": %" PRIu64 ", \"batches\": %" PRIu64, figures->phases,
            figures->batches);
    fprintf(to, ", \"smallest_batch\": %" PRIu64 ", \"largest_batch\": %" PRIu64,
            figures->smallest_batch, figures->largest_batch);
    fprintf(to, ", \"wall_s\": %.6f, \"cpu_s\": %.6f, \"io_s\": %.6f, \"processor_s\": %.6f",
            figures->wall_s, figures->cpu_s, figures->io_s, figures->processor_s);
    fprintf(to, ", \"missing\": %u, \"cycles\": %u, \"largest_cycle\": %u", report->missing,
            report->cycles.count, report->largest_cycle);
    if (ingest)
        fprintf(to,
                ", \"ingest\": {\"stanzas\": %" PRIu64 ", \"batches\": %" PRIu64
                ", \"wall_s\": %.6f}",
                ingest->stanzas, ingest->batches, ingest->wall_s);
    fprintf(to, ", \"digest\": \"%016" PRIx64 "\"}\n", report->digest);
}

void report_compare(const struct comparison *rows, size_t count, size_t item, size_t threads,
                    FILE *to)
{
    fprintf(to, "%-28s %9s %9s %9s %8s %8s %9s %9s %8s %10s\n", "mode", "requests", "unique",
            "asked", "phases", "batches", "cpu s", "wall s", "vs item", "vs threads");
    for (size_t i = 0; i < count; i++) {
        const struct audit_figures *figures = &rows[i].figures;
        fprintf(to, "%-28s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %8" PRIu64 " %8" PRIu64,
                rows[i].name, figures->requests, figures->unique, figures->statements,
                figures->phases, figures->batches);
        fprintf(to, " %9.3f %9.3f %7.1fx %9.2fx\n", figures->processor_s, figures->wall_s,
                rows[item].figures.wall_s / figures->wall_s,
                rows[threads].figures.wall_s / figures->wall_s);
    }
}
