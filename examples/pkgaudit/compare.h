/* SPDX-License-Identifier: MIT
 *
 * compare.h - the audit once, or in all its modes.
 */
#ifndef PKGAUDIT_COMPARE_H
#define PKGAUDIT_COMPARE_H

#include "audit.h"
#include "report.h"

/* What is audited. All is borrowed. */
struct job {
    struct store *store;
    const struct universe *universe;
    const uint32_t *roots;
    uint32_t root_count;
    struct failure *failure;
};

/* Runs the audit; audit and report are to be released. Returns 0 or a negative code with the failure
 * noted: there is nothing to release then. */
int audit_once(const struct job *job, const struct audit_options *options, struct audit *audit,
               struct report *report);

/* Runs all modes, `rounds` times in turn, and prints a table of the median rounds. `given`: what the
 * modes have in common. */
int compare(const struct job *job, const struct audit_options *given, unsigned rounds);

#endif
