/* SPDX-License-Identifier: MIT
 *
 * report.h - what the audit found, as lines, a table, or JSON.
 *
 * The lines are the full result, and the digest is FNV-1a (64 bit) over them:
 *
 *     root NAME SIZE MEMBERS MISSING   each root in order of names; MEMBERS: sum of the members' name hashes, in hex
 *     missing NAME: DEPENDENCY         each dependency that nothing meets, of any package reached
 *     cycle NAME NAME ...              each group of packages that need each other
 */
#ifndef PKGAUDIT_REPORT_H
#define PKGAUDIT_REPORT_H

#include "audit.h"
#include "cycles.h"
#include "ingest.h"

#include <stdio.h>

struct report {
    const struct audit *audit;
    struct cycles cycles;
    char *lines; /* the full result */
    size_t lines_bytes;
    uint64_t digest;
    uint32_t missing;       /* dependencies */
    uint32_t largest_cycle; /* members */
};

/* Makes the report. Returns 0 or -ENOMEM. */
int report_init(struct report *report, const struct audit *audit);
void report_fini(struct report *report);

/* The findings and figures for people. `ingest` may be NULL: the data was there already. */
void report_print(const struct report *report, const struct ingest *ingest, FILE *to);

/* One object, one line. */
void report_json(const struct report *report, const struct ingest *ingest, FILE *to);

/* A row of the comparison. */
struct comparison {
    const char *name;
    struct audit_figures figures; /* of the median round */
    uint64_t digest;
};

/* The table; `item` and `threads` are the rows that the last column refers to. */
void report_compare(const struct comparison *rows, size_t count, size_t item, size_t threads,
                    FILE *to);

#endif
