/* SPDX-License-Identifier: MIT */
#include "runtime/observe/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { most_columns = 512, usual_columns = 80 };

/* Back to the line's beginning, and nothing right of it. */
static const char erase[] = "\r\033[K";

static size_t columns(void)
{
    struct winsize size;
    size_t found = usual_columns;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        found = size.ws_col;
    return found < most_columns ? found : most_columns;
}

/* One call for all of it, so that it is not torn apart by other threads' output. A terminal that is
 * gone is nobody's concern. */
static void put(const char *text, size_t bytes)
{
    ssize_t written = write(STDERR_FILENO, text, bytes);
    (void)written;
}

/* The dispatcher that got most in this phase; "" if none did. */
static const char *busiest(const corio_phase_stats *stats)
{
    const char *name = "";
    uint64_t most = 0;
    for (size_t i = 0; i < stats->dispatcher_count; i++) {
        if (stats->dispatchers[i].requests > most) {
            most = stats->dispatchers[i].requests;
            name = stats->dispatchers[i].name;
        }
    }
    return name;
}

/* What would move the cursor is shown as a question mark. */
static void make_harmless(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
    }
}

static void show(const cr_progress *progress, const corio_phase_stats *stats, uint64_t now_ns)
{
    char line[most_columns + sizeof erase];
    char *text = line + sizeof erase - 1;
    uint64_t ms = (now_ns - progress->began_ns) / 1000000;
    uint64_t rate = ms > 0 ? progress->requests * 1000 / ms : 0;
    const char *dispatcher = busiest(stats);
    memcpy(line, erase, sizeof erase);
    /* One column is left free: some terminals begin a new line behind the last one. */
    snprintf(text, columns(),
             "%" PRIu64 ".%us  phases %" PRIu64 "  tasks %" PRIu64 "  requests %" PRIu64
             " (%" PRIu64 "/s)  last %s %s%s%s",
             ms / 1000, (unsigned)(ms % 1000 / 100), progress->phases, progress->tasks,
             progress->requests, rate, stats->straggler, stats->straggler_path,
             *dispatcher != '\0' ? "  asked " : "", dispatcher);
    make_harmless(text);
    put(line, strlen(line));
}

void cr_progress_phase(cr_progress *progress, const corio_phase_stats *stats, uint64_t now_ns)
{
    if (progress->began_ns == 0)
        progress->began_ns = now_ns - stats->cpu_ns - stats->boundary_ns - stats->wait_ns;
    progress->phases++;
    progress->tasks += stats->closures;
    progress->requests += stats->requests;
    if (stats->last) {
        if (progress->shown)
            put(erase, sizeof erase - 1);
        *progress = (cr_progress){.wanted = progress->wanted};
    } else if (now_ns - progress->shown_ns >= 1000000000 / CR_PROGRESS_PER_SECOND) {
        show(progress, stats, now_ns);
        progress->shown = true;
        progress->shown_ns = now_ns;
    }
}
