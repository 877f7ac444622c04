/* SPDX-License-Identifier: MIT
 *
 * table.h - statistics of phases as lines of comma-separated values.
 *
 * The leader's, at a boundary; or that of who opens and closes it.
 */
#ifndef CR_OBSERVE_TABLE_H
#define CR_OBSERVE_TABLE_H

#include <corio/statistics.h>
#include <stdio.h>

typedef struct cr_table {
    FILE *file; /* NULL: none is written */
    int error;  /* first one of writing */
} cr_table;

int cr_table_open(cr_table *table, const char *path);
void cr_table_write(cr_table *table, const corio_phase_stats *stats);
int cr_table_close(cr_table *table); /* the first error of writing or closing */

#endif
