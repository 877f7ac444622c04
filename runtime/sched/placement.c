/* SPDX-License-Identifier: MIT
 *
 * placement.c - how many workers this process should use: the CPUs of its affinity mask, and not
 * more than its cgroup's quota pays for (rounded up, so that a quota of half a CPU gives one
 * worker).
 */
#include "runtime/sched/sched.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { path_bytes = 4096 };

static unsigned affinity_cpus(void)
{
    /* The kernel wants room for all possible CPUs, however many that may be. */
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (set == NULL)
            return 1;
        size_t bytes = CPU_ALLOC_SIZE(cpus);
        int rc = sched_getaffinity(0, bytes, set);
        int count = rc == 0 ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (rc == 0)
            return count > 0 ? (unsigned)count : 1;
    }
    return 1;
}

/* First line of a file; false if there is none. */
static bool read_line(const char *path, char *line, size_t bytes)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool got = fgets(line, (int)bytes, file) != NULL;
    fclose(file);
    return got;
}

/* CPUs that a cgroup's cpu.max ("quota period" or "max period", in microseconds) allows; 0: no
 * limit. */
static unsigned quota_cpus(const char *directory)
{
    char path[path_bytes + 16], line[128];
    snprintf(path, sizeof path, "%s/cpu.max", directory);
    if (!read_line(path, line, sizeof line))
        return 0;
    char *end;
    unsigned long long quota = strtoull(line, &end, 10);
    if (end == line) /* "max" */
        return 0;
    unsigned long long period = strtoull(end, NULL, 10);
    return period > 0 ? (unsigned)((quota + period - 1) / period) : 0;
}

/* Smallest quota from this process's cgroup (version 2) up to the root. */
static unsigned cgroup_cpus(void)
{
    static const char mount[] = "/sys/fs/cgroup";
    char line[path_bytes], directory[path_bytes];
    unsigned smallest = 0;
    if (!read_line("/proc/self/cgroup", line, sizeof line) || strncmp(line, "0::", 3) != 0)
        return 0;
    line[strcspn(line, "\n")] = '\0';
    int length = snprintf(directory, sizeof directory, "%s%s", mount, line + 3);
    if (length < 0 || (size_t)length >= sizeof directory)
        return 0;
    for (;;) {
        unsigned cpus = quota_cpus(directory);
        if (cpus > 0 && (smallest == 0 || cpus < smallest))
            smallest = cpus;
        char *slash = strrchr(directory, '/');
        if (slash == NULL || (size_t)(slash - directory) < sizeof mount - 1)
            return smallest;
        *slash = '\0';
    }
}

unsigned cr_default_workers(void)
{
    unsigned cpus = affinity_cpus();
    unsigned quota = cgroup_cpus();
    return quota > 0 && quota < cpus ? quota : cpus;
}
