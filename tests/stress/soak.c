/* SPDX-License-Identifier: MIT */
#include "tests/stress/soak.h"

#include "tests/stress/stress.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

/* A sanitizer keeps memory of its own, and more and more of it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { memory_is_ours = false };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { memory_is_ours = false };
#else
enum { memory_is_ours = true };
#endif
#else
enum { memory_is_ours = true };
#endif

/* -- The process, measured -- */

enum { RESIDENT, HEAP, MAPPINGS, THREADS, FILES, level_count };

static const struct {
    const char *name;
    uint64_t unit, slack;
    const char *unit_name;
    bool of_memory;
} levels[level_count] = {
    [RESIDENT] = {"resident memory", 1024, 2 << 20, " KiB", true},
    [HEAP] = {"heap in use", 1024, 256 << 10, " KiB", true}, /* what a thread caches */
    [MAPPINGS] = {"mappings", 1, 8, "", true},
    [THREADS] = {"threads", 1, 0, "", false},
    [FILES] = {"file descriptors", 1, 0, "", false},
};

typedef struct sample {
    uint64_t lowest[level_count], highest[level_count];
} sample;

static uint64_t field_of_status(const char *name)
{
    FILE *file = fopen("/proc/self/status", "re");
    CHECK(file != NULL);
    char line[256];
    uint64_t value = UINT64_MAX;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoull(line + strlen(name), NULL, 10);
    fclose(file);
    CHECK(value != UINT64_MAX);
    return value;
}

static uint64_t mapping_count(void)
{
    FILE *file = fopen("/proc/self/maps", "re");
    CHECK(file != NULL);
    uint64_t count = 0;
    for (int c = getc(file); c != EOF; c = getc(file))
        count += c == '\n';
    fclose(file);
    return count;
}

static uint64_t file_count(void)
{
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder != NULL);
    uint64_t count = 0;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count - 3; /* . and .. and the folder itself */
}

static void measure(uint64_t now[level_count])
{
    malloc_trim(0);
    now[RESIDENT] = field_of_status("RssAnon:") * 1024;
    now[HEAP] = memory_is_ours ? mallinfo2().uordblks : 0;
    now[MAPPINGS] = mapping_count();
    now[THREADS] = field_of_status("Threads:");
    now[FILES] = file_count();
}

/* -- What has been measured: in a place of its own, wholly touched before the first life -- */

enum { most_samples = 600, fewest_samples = 30 };

static struct {
    sample samples[most_samples];
    unsigned count;
    unsigned lives_each; /* of which a sample is made; doubled when the place is full */
    unsigned lives;      /* in the last one */
} watched;

static void merge(sample *into, const sample *with)
{
    for (int i = 0; i < level_count; i++) {
        if (with->lowest[i] < into->lowest[i])
            into->lowest[i] = with->lowest[i];
        if (with->highest[i] > into->highest[i])
            into->highest[i] = with->highest[i];
    }
}

static void make_room(void)
{
    for (unsigned i = 0; i < most_samples / 2; i++) {
        sample both = watched.samples[2 * i];
        merge(&both, &watched.samples[2 * i + 1]);
        watched.samples[i] = both;
    }
    watched.count = most_samples / 2;
    watched.lives_each *= 2;
}

static void watch(const uint64_t now[level_count])
{
    sample one;
    memcpy(one.lowest, now, sizeof one.lowest);
    memcpy(one.highest, now, sizeof one.highest);
    if (watched.count > 0 && watched.lives < watched.lives_each) {
        merge(&watched.samples[watched.count - 1], &one);
        watched.lives++;
        return;
    }
    if (watched.count == most_samples)
        make_room();
    watched.samples[watched.count++] = one;
    watched.lives = 1;
}

static sample range_of(unsigned from, unsigned to)
{
    sample all = watched.samples[from];
    for (unsigned i = from + 1; i < to; i++)
        merge(&all, &watched.samples[i]);
    return all;
}

/* Prints how each level was, and whether all are flat. */
static bool all_flat(void)
{
    if (watched.count < fewest_samples) {
        printf("too few lives to say whether anything grows\n");
        return true;
    }
    unsigned warm = watched.count / 5, third = (watched.count - warm) / 3;
    sample early = range_of(warm, warm + third);
    sample late = range_of(watched.count - third, watched.count);
    bool flat = true;
    for (int i = 0; i < level_count; i++) {
        bool grows = late.lowest[i] > early.highest[i] + levels[i].slack;
        bool counts = memory_is_ours || !levels[i].of_memory;
        uint64_t unit = levels[i].unit;
        printf("%-17s %llu to %llu%s at first, %llu to %llu at last: %s\n", levels[i].name,
               (unsigned long long)(early.lowest[i] / unit),
               (unsigned long long)(early.highest[i] / unit), levels[i].unit_name,
               (unsigned long long)(late.lowest[i] / unit),
               (unsigned long long)(late.highest[i] / unit),
               !counts ? "not judged, with a sanitizer"
               : grows ? "GROWS"
                       : "flat");
        flat = flat && !(grows && counts);
    }
    return flat;
}

/* -- Living -- */

static volatile sig_atomic_t stopped;

void soak_stop(int signal_number)
{
    (void)signal_number;
    stopped = 1;
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *stay(void *arg)
{
    (void)arg;
    for (;;)
        pause();
    return NULL;
}

/* Each is more, in ten lives, than the slack allows. */
static void lose(const char *what)
{
    pthread_t thread;
    if (what == NULL)
        return;
    if (strcmp(what, "memory") == 0) {
        char *lost = malloc(65536); /* below the size that gets a mapping of its own */
        CHECK(lost != NULL);
        memset(lost, 1, 65536);
        __asm__ __volatile__("" ::"r"(lost) : "memory");
    } else if (strcmp(what, "mappings") == 0) {
        for (int i = 0; i < 2; i++) /* others are never merged */
            CHECK(mmap(NULL, 4096, i ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
                  MAP_FAILED);
    } else if (strcmp(what, "threads") == 0) {
        CHECK(pthread_create(&thread, NULL, stay, NULL) == 0);
    } else {
        CHECK(strcmp(what, "files") == 0 && open("/dev/null", O_RDONLY) >= 0);
    }
}

static void print_line(double elapsed, unsigned long lives, const soak_counts *counts,
                       const uint64_t now[level_count])
{
    printf("%6.1f min: %lu runtimes, %llu runs, %llu tasks, %llu requests; %.1f MiB resident, "
           "%llu mappings, %llu threads, %llu files; %.0f s of processor time\n",
           elapsed / 60, lives, (unsigned long long)counts->runs, (unsigned long long)counts->tasks,
           (unsigned long long)counts->requests, (double)now[RESIDENT] / (1 << 20),
           (unsigned long long)now[MAPPINGS], (unsigned long long)now[THREADS],
           (unsigned long long)now[FILES], seconds(CLOCK_PROCESS_CPUTIME_ID));
    fflush(stdout);
}

bool soak(double minutes, uint64_t seed, const char *leak, soak_life *life)
{
    soak_counts counts = {0, 0, 0};
    uint64_t now[level_count];
    unsigned long lives = 0;
    memset(&watched, 0xff, sizeof watched); /* touched */
    watched.count = 0;
    watched.lives_each = 1;
    double began = seconds(CLOCK_MONOTONIC), next_line = 60, elapsed = 0;
    while (!stopped && (elapsed < minutes * 60 || lives < fewest_samples)) {
        life(draw(&seed, UINT64_MAX), leak != NULL || !memory_is_ours ? 2 : 40, &counts);
        lose(leak);
        lives++;
        measure(now);
        watch(now);
        elapsed = seconds(CLOCK_MONOTONIC) - began;
        if (elapsed >= next_line) {
            print_line(elapsed, lives, &counts, now);
            next_line += 60;
        }
    }
    printf("%s\n", stopped ? "stopped" : "at the end");
    if (lives == 0)
        return true;
    print_line(elapsed, lives, &counts, now);
    return all_flat();
}
