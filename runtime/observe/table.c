/* SPDX-License-Identifier: MIT */
#include "runtime/observe/table.h"

#include <errno.h>
#include <inttypes.h>

static void note(cr_table *table, bool failed)
{
    if (failed && table->error == 0)
        table->error = errno != 0 ? -errno : -EIO;
}

int cr_table_open(cr_table *table, const char *path)
{
    static const char heading[] =
        "run,phase,last,workers,runnable,closures,continuations,steals,cpu_ns,boundary_ns,"
        "dispatch_ns,wait_ns,batches,requests,alone_ns,straggler,straggler_path,dispatchers\n";
    *table = (cr_table){.file = fopen(path, "we")};
    if (table->file == NULL)
        return -errno;
    note(table, fputs(heading, table->file) < 0);
    return 0;
}

/* Within quotes, which are doubled. */
static void put_text(FILE *file, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"')
            putc('"', file);
        putc(*text, file);
    }
}

/* name:batches:requests:largest:dispatch_ns of each that got something. */
static void put_dispatchers(FILE *file, const corio_phase_stats *stats)
{
    const char *before = "";
    for (size_t i = 0; i < stats->dispatcher_count; i++) {
        const corio_phase_dispatcher *one = &stats->dispatchers[i];
        if (one->batches == 0)
            continue;
        fputs(before, file);
        put_text(file, one->name);
        fprintf(file, ":%" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%" PRIu64, one->batches, one->requests,
                one->largest, one->dispatch_ns);
        before = ";";
    }
}

void cr_table_write(cr_table *table, const corio_phase_stats *stats)
{
    FILE *file = table->file;
    const uint64_t numbers[] = {stats->run,           stats->phase,       stats->last,
                                stats->workers,       stats->runnable,    stats->closures,
                                stats->continuations, stats->steals,      stats->cpu_ns,
                                stats->boundary_ns,   stats->dispatch_ns, stats->wait_ns,
                                stats->batches,       stats->requests,    stats->alone_ns};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        fprintf(file, "%" PRIu64 ",", numbers[i]);
    putc('"', file);
    put_text(file, stats->straggler);
    fprintf(file, "\",\"%s\",\"", stats->straggler_path);
    put_dispatchers(file, stats);
    fputs("\"\n", file);
    note(table, ferror(file) != 0);
}

int cr_table_close(cr_table *table)
{
    if (table->file == NULL)
        return 0;
    note(table, fclose(table->file) != 0);
    table->file = NULL;
    return table->error;
}
