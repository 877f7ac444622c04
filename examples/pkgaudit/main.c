/* SPDX-License-Identifier: MIT
 *
 * main.c - pkgaudit: audits the dependencies of a Debian package universe. Options, and the order
 * of things:
 *
 *     options -> database -> ingest, if the data has changed -> roots -> audit in one mode or all
 *     -> report
 */
#include "../command.h"
#include "compare.h"
#include "ingest.h"
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
    "  --db=KIND            the kind of database; default sqlite; see below\n"
    "  --db-url=WHERE       a database of another kind; see below\n"
    "  --refresh            fill the database even if nothing has changed\n"
    "  --ingest-only        fill the database, audit nothing\n"
    "  --architecture=ARCH  default: what dpkg says\n"
    "  --status=FILE        where to find what is installed; default /var/lib/dpkg/status\n"
    "  --dump=FILE          write the full result, one line for each root, finding and cycle\n"
    "  --json               print one JSON object instead of text\n"
    "  --help, --version\n"
    "\n";

static const char help_end[] =
    "\n"
    "Exit status: 0 audited; 1 no memory or the like; 2 usage; 3 an input is missing; 4 an input "
    "is cut off or\n"
    "malformed; 5 the database is absent, damaged, locked or not ours; 6 the disk is full; 7 "
    "nothing to "
    "audit; 130 interrupted.\n";

struct program {
    struct audit_options options;
    struct roots_wanted wanted;
    const struct store_kind *kind;
    char *database; /* where it is: given, or made by default_database; NULL: the kind's default */
    bool is_url;    /* it came by --db-url */
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
    OPTION_DB,
    OPTION_DB_URL,
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
    {"db", required_argument, NULL, OPTION_DB},
    {"db-url", required_argument, NULL, OPTION_DB_URL},
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
    return read_number(text, 1, most, ret) ? 0
                                           : usage(program, "not a number, or out of range", text);
}

static int take_kind(struct program *program, const char *text)
{
    program->kind = store_kind_find(text);
    return program->kind ? 0 : usage(program, "this build has no such kind of database", text);
}

static int take_database(struct program *program, bool is_url)
{
    free(program->database);
    program->database = strdup(optarg);
    program->is_url = is_url;
    return program->database ? 0 : failure_set(&program->failure, EXIT_OTHER, "no memory");
}

/* A file for sqlite, a URL for the others. */
static int check_database(struct program *program)
{
    bool is_file = program->kind == &store_sqlite;
    if (!program->database || program->is_url != is_file)
        return 0;
    return usage(program,
                 is_file ? "sqlite needs --database and no" : "--database is for sqlite, and not",
                 is_file ? "--db-url" : program->kind->name);
}

static void print_help(void)
{
    fputs(help, stdout);
    puts("Kinds of databases in this build:");
    for (const struct store_kind *const *kind = store_kinds; *kind; kind++)
        printf("  %-20s %s\n", (*kind)->name, (*kind)->where_is);
    fputs(help_end, stdout);
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
    case OPTION_DB_URL:
        return take_database(program, code == OPTION_DB_URL);
    case OPTION_DB:
        return take_kind(program, optarg);
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
        print_help();
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
        const char letter[] = {'-', (char)optopt, '\0'};
        if (code == '?') /* optopt: the letter, 0 or a code of ours */
            rc = usage(program, "no such option",
                       optopt > 0 && optopt < OPTION_ALL ? letter : argv[optind - 1]);
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

static int fill(struct program *program, struct store *store, int64_t fingerprint,
                struct ingest *ingest)
{
    *ingest = (struct ingest){.architecture = program->architecture,
                              .workers = program->options.workers,
                              .failure = &program->failure};
    if (program->options.progress)
        fprintf(stderr, "reading packages ... ");
    int rc = source_create(program->files, program->file_count, &program->failure, &ingest->source);
    if (rc < 0)
        return rc;
    rc = store->kind->fill(store, ingest, fingerprint);
    source_destroy(ingest->source);
    if (program->options.progress)
        fprintf(stderr, "\r\033[K");
    return rc;
}

/* Returns 1 if it filled the database, 0 if that was not needed. */
static int fill_if_needed(struct program *program, struct store *store, struct ingest *ingest)
{
    uint64_t hash;
    int64_t known = 0;
    int rc = source_fingerprint(program->files, program->file_count, &program->failure, &hash);
    if (rc < 0)
        return rc;
    hash = corio_hash_bytes(hash, program->architecture, strlen(program->architecture));
    int64_t fingerprint = (int64_t)(hash >> 1);
    rc = store->kind->fingerprint(store, &known);
    if (rc < 0)
        return rc;
    if (!program->refresh && known == fingerprint)
        return 0;
    rc = fill(program, store, fingerprint, ingest);
    return rc < 0 ? rc : 1;
}

/* -- Audit -- */

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

static int audit_and_report(struct program *program, const struct job *job,
                            const struct ingest *ingest)
{
    struct audit audit;
    struct report report;
    int rc = audit_once(job, &program->options, &audit, &report);
    if (rc < 0)
        return rc;
    if (program->json)
        report_json(&report, ingest, stdout);
    else
        report_print(&report, ingest, stdout);
    rc = write_dump(program, &report);
    report_fini(&report);
    audit_fini(&audit);
    return rc;
}

/* -- All together -- */

static int run_with_store(struct program *program, struct store *store)
{
    struct ingest ingest;
    struct universe universe;
    struct job job = {.store = store, .universe = &universe, .failure = &program->failure};
    uint32_t *roots = NULL;
    int filled = fill_if_needed(program, store, &ingest);
    if (filled < 0 || program->ingest_only)
        return filled < 0 ? filled : 0;
    int rc = store->kind->load(store, &universe);
    if (rc < 0)
        return rc;
    rc = roots_choose(&program->wanted, &universe, &program->failure, &roots, &job.root_count);
    job.roots = roots;
    if (rc == 0)
        rc = program->compare ? compare(&job, &program->options, program->rounds)
                              : audit_and_report(program, &job, filled ? &ingest : NULL);
    free(roots);
    universe_fini(&universe);
    return rc;
}

static int run(struct program *program, int argc, char **argv)
{
    struct store *store = NULL;
    int rc = take_options(program, argc, argv);
    if (rc == 0)
        rc = check_database(program);
    if (rc != 0)
        return rc;
    set_signals();
    program->options.progress = isatty(STDERR_FILENO) && !program->compare;
    default_architecture(program);
    if (program->kind == &store_sqlite)
        rc = default_database(program);
    if (rc == 0)
        rc = program->kind->open(program->database, program->readers, &program->failure, &store);
    if (rc < 0)
        return rc;
    rc = run_with_store(program, store);
    store->kind->close(store);
    return rc;
}

int main(int argc, char **argv)
{
    struct program program = {
        .options = {.mode = MODE_BATCH, .threads = 8, .memory = true},
        .kind = &store_sqlite,
        .wanted = {.status = "/var/lib/dpkg/status"},
        .rounds = 3,
        .failure = FAILURE_INIT,
    };
    int rc = run(&program, argc, argv);
    errno = EIO; /* of an earlier write */
    if ((fflush(stdout) != 0 || ferror(stdout)) && rc >= 0)
        rc = failure_set(&program.failure, errno == ENOSPC ? EXIT_DISK_FULL : EXIT_OTHER,
                         "output: %s", strerror(errno));
    if (rc < 0)
        fprintf(stderr, "pkgaudit: %s\n",
                program.failure.text[0] ? program.failure.text : corio_strerror(rc));
    free(program.wanted.names);
    free(program.database);
    return rc < 0 && program.failure.status == EXIT_FINE ? EXIT_OTHER : (int)program.failure.status;
}
