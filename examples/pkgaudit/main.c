/* SPDX-License-Identifier: MIT
 *
 * main.c - pkgaudit: audits the dependencies of a Debian package universe. Options, and the order
 * of things:
 *
 *     options -> database -> ingest, if the data has changed -> roots -> audit in one mode or all
 *     -> report
 */
#include "audit.h"
#include "ingest.h"
#include "report.h"
#include "roots.h"
#include "text.h"

#include <corio.h>

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PKGAUDIT_VERSION
#define PKGAUDIT_VERSION "unknown"
#endif

static const char help[] =
    "Usage: pkgaudit [OPTION]... [PACKAGES-FILE]...\n"
    "Audits what packages need: the closure of the dependencies of each root, dependencies that "
    "nothing meets,\n"
    "and packages that need each other. The packages are those of `apt-cache dumpavail`, or of the "
    "files named\n"
    "(plain, gz, xz, zst, lz4, bz2). They are kept in a database, which is filled anew when they "
    "have changed.\n"
    "\n"
    "  --all                audit every package; default: those that are installed\n"
    "  --root=NAME          audit this package; may be given several times\n"
    "  --sample=N           audit N packages, spread evenly over all names\n"
    "  --mode=MODE          batch (default): requests go out in batches, equal ones are asked "
    "once\n"
    "                       item: one query per request; threads: plain threads with a shared "
    "cache\n"
    "  --compare            run all modes and print a table (and batch with 1 and 2 workers)\n"
    "  --rounds=N           rounds of --compare, of which the median counts; default 3\n"
    "  --workers=N          worker threads of corio; default: the CPUs that may be used\n"
    "  --threads=N          threads of --mode=threads; default 8\n"
    "  --readers=N          database connections for reading in batch mode; default: one per CPU, "
    "at most 8\n"
    "  --no-memory          batch mode: ask again for what an earlier batch has answered\n"
    "  --database=FILE      default: corio/pkgaudit.db in $XDG_CACHE_HOME or ~/.cache\n"
    "  --refresh            fill the database even if nothing has changed\n"
    "  --ingest-only        fill the database, audit nothing\n"
    "  --architecture=ARCH  default: what dpkg says\n"
    "  --status=FILE        where to find what is installed; default /var/lib/dpkg/status\n"
    "  --dump=FILE          write the full result, one line for each root, finding and cycle\n"
    "  --json               print one JSON object instead of text\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 audited; 1 no memory or the like; 2 usage; 3 an input is missing; 4 an input "
    "is cut off or\n"
    "malformed; 5 the database is damaged, locked or not ours; 6 the disk is full; 7 nothing to "
    "audit; 130 interrupted.\n";

struct program {
    struct audit_options options;
    struct roots_wanted wanted;
    char *database; /* given, or made by default_database */
    unsigned readers;
    unsigned rounds;
    bool compare;
    bool refresh;
    bool ingest_only;
    bool json;
    const char *dump;
    const char *architecture;
    char architecture_text[32];
    char **files;
    size_t file_count;
    struct failure failure;
};

/* -- Options -- */

enum option_code {
    OPTION_ALL = 256,
    OPTION_ROOT,
    OPTION_SAMPLE,
    OPTION_MODE,
    OPTION_COMPARE,
    OPTION_ROUNDS,
    OPTION_WORKERS,
    OPTION_THREADS,
    OPTION_READERS,
    OPTION_NO_MEMORY,
    OPTION_DATABASE,
    OPTION_REFRESH,
    OPTION_INGEST_ONLY,
    OPTION_ARCHITECTURE,
    OPTION_STATUS,
    OPTION_DUMP,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option long_options[] = {
    {"all", no_argument, NULL, OPTION_ALL},
    {"root", required_argument, NULL, OPTION_ROOT},
    {"sample", required_argument, NULL, OPTION_SAMPLE},
    {"mode", required_argument, NULL, OPTION_MODE},
    {"compare", no_argument, NULL, OPTION_COMPARE},
    {"rounds", required_argument, NULL, OPTION_ROUNDS},
    {"workers", required_argument, NULL, OPTION_WORKERS},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"readers", required_argument, NULL, OPTION_READERS},
    {"no-memory", no_argument, NULL, OPTION_NO_MEMORY},
    {"database", required_argument, NULL, OPTION_DATABASE},
    {"refresh", no_argument, NULL, OPTION_REFRESH},
    {"ingest-only", no_argument, NULL, OPTION_INGEST_ONLY},
    {"architecture", required_argument, NULL, OPTION_ARCHITECTURE},
    {"status", required_argument, NULL, OPTION_STATUS},
    {"dump", required_argument, NULL, OPTION_DUMP},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static int usage(struct program *program, const char *problem, const char *value)
{
    return failure_set(&program->failure, EXIT_USAGE, "%s%s%s (--help lists the options)", problem,
                       value ? ": " : "", value ? value : "");
}

static int take_number(struct program *program, const char *text, unsigned most, unsigned *ret)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || *end || end == text || text[0] == '-' || value < 1 || value > most)
        return usage(program, "a number out of range", text);
    *ret = (unsigned)value;
    return 0;
}

static int take_mode(struct program *program, const char *text)
{
    for (enum mode mode = MODE_BATCH; mode <= MODE_THREADS; mode++) {
        if (strcmp(text, mode_name(mode)) == 0) {
            program->options.mode = mode;
            return 0;
        }
    }
    return usage(program, "no such mode", text);
}

static int take_numeric(struct program *program, int code)
{
    switch (code) {
    case OPTION_SAMPLE:
        return take_number(program, optarg, UINT32_MAX, &program->wanted.sample);
    case OPTION_ROUNDS:
        return take_number(program, optarg, 1000, &program->rounds);
    case OPTION_WORKERS:
        return take_number(program, optarg, 1024, &program->options.workers);
    case OPTION_THREADS:
        return take_number(program, optarg, 1024, &program->options.threads);
    default:
        return take_number(program, optarg, 64, &program->readers);
    }
}

static int take_option(struct program *program, int code)
{
    switch (code) {
    case OPTION_ALL:
        program->wanted.all = true;
        return 0;
    case OPTION_ROOT:
        program->wanted.names[program->wanted.name_count++] = optarg;
        return 0;
    case OPTION_MODE:
        return take_mode(program, optarg);
    case OPTION_COMPARE:
        program->compare = true;
        return 0;
    case OPTION_NO_MEMORY:
        program->options.memory = false;
        return 0;
    case OPTION_DATABASE:
        free(program->database);
        program->database = strdup(optarg);
        return 0;
    case OPTION_REFRESH:
        program->refresh = true;
        return 0;
    case OPTION_INGEST_ONLY:
        program->ingest_only = true;
        return 0;
    case OPTION_ARCHITECTURE:
        program->architecture = optarg;
        return 0;
    case OPTION_STATUS:
        program->wanted.status = optarg;
        return 0;
    case OPTION_DUMP:
        program->dump = optarg;
        return 0;
    case OPTION_JSON:
        program->json = true;
        return 0;
    case OPTION_HELP:
        fputs(help, stdout);
        return 1;
    case OPTION_VERSION:
        puts("pkgaudit " PKGAUDIT_VERSION);
        return 1;
    default:
        return take_numeric(program, code);
    }
}

/* Returns 0, 1 if there is nothing left to do, or a negative code with the failure noted. */
static int take_options(struct program *program, int argc, char **argv)
{
    int code;
    int rc = 0;
    opterr = 0;
    program->wanted.names = calloc((size_t)argc + 1, sizeof *program->wanted.names);
    if (!program->wanted.names)
        return failure_set(&program->failure, EXIT_OTHER, "no memory");
    while (rc == 0 && (code = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (code == '?')
            rc = usage(program, "no such option", argv[optind - 1]);
        else if (code == ':')
            rc = usage(program, "an option without its value", argv[optind - 1]);
        else
            rc = take_option(program, code);
    }
    program->files = argv + optind;
    program->file_count = (size_t)(argc - optind);
    return rc;
}

/* -- Set-up -- */

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* The first signal asks for an orderly end, a second one ends at once. */
static void set_signals(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit fails like one to a full disk */
    signal(SIGPIPE, SIG_DFL);
}

static int make_directories(struct program *program, char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int rc = mkdir(path, 0777);
        int error = errno;
        *slash = '/';
        if (rc < 0 && error != EEXIST)
            return failure_set(&program->failure, EXIT_DATABASE, "%s: %s (see --database)", path,
                               strerror(error));
    }
    return 0;
}

static int default_database(struct program *program)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    int length;
    if (program->database)
        return 0;
    if (cache && cache[0] == '/')
        length = asprintf(&program->database, "%s/corio/pkgaudit.db", cache);
    else if (home && home[0] == '/')
        length = asprintf(&program->database, "%s/.cache/corio/pkgaudit.db", home);
    else
        length = asprintf(&program->database, "/var/tmp/pkgaudit-%u.db", (unsigned)getuid());
    if (length < 0) {
        program->database = NULL;
        return failure_set(&program->failure, EXIT_OTHER, "no memory");
    }
    return make_directories(program, program->database);
}

static void default_architecture(struct program *program)
{
#if defined(__aarch64__)
    const char *known = "arm64";
#else
    const char *known = "amd64";
#endif
    if (program->architecture)
        return;
    program->architecture = known;
    FILE *dpkg = popen("dpkg --print-architecture 2>/dev/null", "re");
    if (!dpkg)
        return;
    if (fscanf(dpkg, "%31s", program->architecture_text) == 1)
        program->architecture = program->architecture_text;
    pclose(dpkg);
}

/* -- Ingest -- */

static int fill(struct program *program, corio_sqlite *store, int64_t fingerprint,
                struct ingest *ingest)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    *ingest = (struct ingest){.store = store,
                              .path = program->database,
                              .architecture = program->architecture,
                              .failure = &program->failure};
    options.workers = program->options.workers;
    if (program->options.progress)
        fprintf(stderr, "reading packages ... ");
    int rc = source_create(program->files, program->file_count, &program->failure, &ingest->source);
    if (rc == 0)
        rc = corio_runtime_create(&options, &runtime);
    if (rc < 0)
        return failure_set(&program->failure, EXIT_OTHER, "runtime: %s", corio_strerror(rc));
    rc = ingest_run(ingest, runtime, fingerprint);
    corio_runtime_destroy(runtime);
    source_destroy(ingest->source);
    if (program->options.progress)
        fprintf(stderr, "\r\033[K");
    return rc;
}

/* Returns 1 if it filled the database, 0 if that was not needed. */
static int fill_if_needed(struct program *program, corio_sqlite *store, struct ingest *ingest)
{
    uint64_t hash;
    int rc = source_fingerprint(program->files, program->file_count, &program->failure, &hash);
    if (rc < 0)
        return rc;
    hash = corio_hash_bytes(hash, program->architecture, strlen(program->architecture));
    int64_t fingerprint = (int64_t)(hash >> 1);
    if (!program->refresh && store_note(store, "complete") == 1 &&
        store_note(store, "fingerprint") == fingerprint)
        return 0;
    rc = fill(program, store, fingerprint, ingest);
    return rc < 0 ? rc : 1;
}

/* -- Audit -- */

struct job {
    struct program *program;
    corio_sqlite *store;
    const struct universe *universe;
    const uint32_t *roots;
    uint32_t root_count;
};

static int audit_once(const struct job *job, const struct audit_options *options,
                      struct audit *audit, struct report *report)
{
    *audit = (struct audit){
        .universe = job->universe,
        .store = job->store,
        .options = *options,
        .failure = &job->program->failure,
        .roots = job->roots,
        .root_count = job->root_count,
    };
    audit->options.path = job->program->database;
    int rc = audit_run(audit);
    if (rc == 0 && report_init(report, audit) < 0)
        rc = failure_set(&job->program->failure, EXIT_OTHER, "no memory");
    if (rc < 0)
        audit_fini(audit);
    return rc;
}

static int write_dump(struct program *program, const struct report *report)
{
    if (!program->dump)
        return 0;
    FILE *to = fopen(program->dump, "we");
    bool good = to && fwrite(report->lines, 1, report->lines_bytes, to) == report->lines_bytes;
    int error = errno;
    if (to && fclose(to) != 0) {
        good = false;
        error = errno;
    }
    if (good)
        return 0;
    return failure_set(&program->failure, error == ENOSPC ? EXIT_DISK_FULL : EXIT_OTHER, "%s: %s",
                       program->dump, strerror(error));
}

static int audit_and_report(const struct job *job, const struct ingest *ingest)
{
    struct audit audit;
    struct report report;
    int rc = audit_once(job, &job->program->options, &audit, &report);
    if (rc < 0)
        return rc;
    if (job->program->json)
        report_json(&report, ingest, stdout);
    else
        report_print(&report, ingest, stdout);
    rc = write_dump(job->program, &report);
    report_fini(&report);
    audit_fini(&audit);
    return rc;
}

/* -- Comparison -- */

enum { VARIANTS = 6, VARIANT_ITEM = 0, VARIANT_THREADS = 1, VARIANT_TWO = 5 };

static int by_wall(const void *a, const void *b)
{
    double x = ((const struct audit_figures *)a)->wall_s;
    double y = ((const struct audit_figures *)b)->wall_s;
    return x < y ? -1 : x > y;
}

static void list_variants(const struct program *program, struct audit_options *options,
                          const char **names)
{
    static const char *const known[VARIANTS] = {
        "item", "threads", "batch", "batch, no memory", "batch, 1 worker", "batch, 2 workers",
    };
    for (size_t i = 0; i < VARIANTS; i++) {
        names[i] = known[i];
        options[i] = program->options;
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
static int run_rounds(const struct job *job, const struct audit_options *options,
                      struct audit_figures *all, uint64_t *digests)
{
    unsigned rounds = job->program->rounds;
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
                return failure_set(&job->program->failure, EXIT_OTHER,
                                   "the modes differ in their results");
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

static int compare(const struct job *job)
{
    struct audit_options options[VARIANTS];
    const char *names[VARIANTS];
    uint64_t digests[VARIANTS] = {0};
    unsigned rounds = job->program->rounds;
    struct audit_figures *all = calloc((size_t)VARIANTS * rounds, sizeof *all);
    if (!all)
        return failure_set(&job->program->failure, EXIT_OTHER, "no memory");
    list_variants(job->program, options, names);
    int rc = run_rounds(job, options, all, digests);
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

/* -- All together -- */

static int run_with_store(struct program *program, corio_sqlite *store)
{
    struct ingest ingest;
    struct universe universe;
    struct job job = {.program = program, .store = store, .universe = &universe};
    uint32_t *roots = NULL;
    int filled = fill_if_needed(program, store, &ingest);
    if (filled < 0 || program->ingest_only)
        return filled < 0 ? filled : 0;
    int rc = store_load(store, &universe);
    if (rc < 0)
        return failure_of_database(&program->failure, rc, NULL, program->database);
    rc = roots_choose(&program->wanted, &universe, &program->failure, &roots, &job.root_count);
    job.roots = roots;
    if (rc == 0)
        rc = program->compare ? compare(&job) : audit_and_report(&job, filled ? &ingest : NULL);
    free(roots);
    universe_fini(&universe);
    return rc;
}

static int run(struct program *program, int argc, char **argv)
{
    corio_sqlite *store = NULL;
    int rc = take_options(program, argc, argv);
    if (rc != 0)
        return rc;
    set_signals();
    program->options.progress = isatty(STDERR_FILENO) && !program->compare;
    default_architecture(program);
    rc = default_database(program);
    if (rc == 0)
        rc = store_open(program->database, program->readers, &program->failure, &store);
    if (rc == 0)
        rc = run_with_store(program, store);
    corio_sqlite_close(store);
    return rc;
}

int main(int argc, char **argv)
{
    struct program program = {
        .options = {.mode = MODE_BATCH, .threads = 8, .memory = true},
        .wanted = {.status = "/var/lib/dpkg/status"},
        .rounds = 3,
        .failure = FAILURE_INIT,
    };
    int rc = run(&program, argc, argv);
    if (fflush(stdout) != 0 && rc >= 0)
        rc = failure_set(&program.failure, errno == ENOSPC ? EXIT_DISK_FULL : EXIT_OTHER,
                         "output: %s", strerror(errno));
    if (rc < 0)
        fprintf(stderr, "pkgaudit: %s\n",
                program.failure.text[0] ? program.failure.text : corio_strerror(rc));
    free(program.wanted.names);
    free(program.database);
    return rc < 0 && program.failure.status == EXIT_FINE ? EXIT_OTHER : (int)program.failure.status;
}
