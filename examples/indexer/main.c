/* SPDX-License-Identifier: MIT
 *
 * main.c - options and commands.
 */
#include "../command.h"
#include "indexer.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { status_fine = 0, status_nothing = 1, status_usage = 2, status_error = 3 };

static const char help[] =
    "Usage: indexer [OPTION]... index FOLDER\n"
    "       indexer [OPTION]... search WORD...\n"
    "       indexer [OPTION]... duplicates\n"
    "Indexes the words of all files below a folder; a second time only those that have changed are "
    "read. Files that are not text are only compared.\n"
    "search prints the files that have all the words, the one that has them most often first.\n"
    "\n"
    "  --database=FILE  default: index.db\n"
    "  --workers=N      default: the CPUs that may be used\n"
    "  --help\n"
    "\n"
    "Exit status: 0 done; 1 nothing found; 2 usage; 3 an error (files that cannot be read are "
    "named and left out).\n";

corio_dispatcher *blocking;
struct figures figures;

/* Runs a statement on the writer connection and prints its rows, columns separated by two spaces.
 */
static int print_rows(sqlite3 *connection, const char *sql, sqlite3_int64 parameter,
                      const char *prefix)
{
    sqlite3_stmt *statement;
    int rows = 0, rc = sqlite3_prepare_v2(connection, sql, -1, &statement, NULL);
    if (rc != SQLITE_OK)
        return corio_sqlite_error(rc);
    sqlite3_bind_int64(statement, 1, parameter);
    for (; (rc = sqlite3_step(statement)) == SQLITE_ROW; rows++) {
        fputs(prefix, stdout);
        for (int i = 0; i < sqlite3_column_count(statement); i++)
            printf("%s%s", i ? "  " : "", (const char *)sqlite3_column_text(statement, i));
        putchar('\n');
    }
    sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? rows : corio_sqlite_error(rc);
}

static void begin_this_run(sqlite3 *connection)
{
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(connection, "SELECT coalesce(max(run), 0) + 1 FROM file", -1,
                                &statement, NULL);
    if (rc == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        this_run = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
}

static int forget_gone(sqlite3 *connection)
{
    char *gone = sqlite3_mprintf(
        "BEGIN; DELETE FROM word WHERE file IN (SELECT id FROM file WHERE run <> %lld);"
        "DELETE FROM file WHERE run <> %lld; COMMIT",
        this_run, this_run);
    int rc = gone ? corio_sqlite_error(sqlite3_exec(connection, gone, NULL, NULL, NULL)) : -ENOMEM;
    sqlite3_free(gone);
    return rc;
}

static int command_index(corio_runtime *runtime, corio_sqlite *database, char *folder)
{
    sqlite3 *connection = corio_sqlite_writer(database); /* NULL in a replay */
    if (connection)
        begin_this_run(connection);
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--)
        folder[n - 1] = '\0';
    struct stat status;
    int error = !connection                 ? 0
                : stat(folder, &status) < 0 ? errno
                : S_ISDIR(status.st_mode)   ? 0
                                            : ENOTDIR;
    if (error) {
        fprintf(stderr, "indexer: %s: %s\n", folder, strerror(error));
        add_one(&figures.failed);
        return -error;
    }
    int rc = corio_run(runtime, index_folder, folder);
    if (rc < 0)
        return rc;
    if (connection)
        rc = forget_gone(connection);
    corio_sqlite_stats stats = {.size = sizeof stats};
    corio_sqlite_dispatcher_stats(store, &stats);
    printf("%zu files, %zu of them unchanged, in %llu transactions\n", figures.files,
           figures.unchanged, (unsigned long long)stats.transactions);
    return rc < 0 ? rc : figures.failed ? -EIO : 1;
}

static int command_search(corio_runtime *runtime, corio_sqlite *database, char **texts,
                          size_t length)
{
    struct words words = {calloc(length, sizeof(struct search)), length};
    if (!words.items)
        return -ENOMEM;
    for (size_t i = 0; i < length; i++)
        words.items[i].word = texts[i];
    int rc = corio_run(runtime, find_words, &words);
    for (size_t i = 1; rc == 0 && i < length; i++)
        intersect(&words.items[0], &words.items[i]);
    struct search *found = &words.items[0];
    if (rc == 0)
        qsort(found->items, found->length, sizeof *found->items, by_count);
    for (size_t i = 0; rc >= 0 && i < found->length; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "%lld  ", found->items[i].count);
        rc = print_rows(corio_sqlite_writer(database), "SELECT path FROM file WHERE id = ?1",
                        found->items[i].file, prefix);
    }
    rc = rc < 0 ? rc : found->length > 0;
    for (size_t i = 0; i < length; i++)
        free(words.items[i].items);
    free(words.items);
    return rc;
}

static int command_duplicates(corio_sqlite *database)
{
    return print_rows(
        corio_sqlite_writer(database),
        "SELECT lower(substr(hex(hash), 1, 12)), bytes, path FROM file WHERE bytes > 0 AND hash IN"
        " (SELECT hash FROM file GROUP BY hash, bytes HAVING count(*) > 1) ORDER BY bytes DESC, "
        "hash, path",
        0, "");
}

static int usage(const char *what)
{
    fprintf(stderr, "indexer: %s\n%s", what, help);
    return status_usage;
}

/* The command's result: negative a failure, 0 nothing found, positive fine. */
static int command(corio_runtime *runtime, corio_sqlite *database, int argc, char **argv)
{
    if (strcmp(argv[0], "index") == 0)
        return command_index(runtime, database, argv[1]);
    if (!corio_sqlite_writer(database))
        return -ENOTCONN; /* they ask the database beside the dispatchers, too */
    if (strcmp(argv[0], "search") == 0)
        return command_search(runtime, database, argv + 1, (size_t)(argc - 1));
    return command_duplicates(database);
}

static int with_database(const char *path, unsigned workers, int argc, char **argv)
{
    corio_sqlite_options with = {.size = sizeof with, .path = path};
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = workers;
    options.wait_mode =
        CORIO_WAIT_STRICT; /* all reads of a phase are there before the next: large transactions */
    corio_sqlite *database = NULL;
    corio_runtime *runtime = NULL;
    int rc = corio_runtime_create(&options, &runtime);
    with.offline = corio_runtime_replaying(runtime);
    if (rc == 0)
        rc = corio_sqlite_open(&with, &database);
    if (rc == 0 && !with.offline)
        rc = corio_sqlite_error(
            sqlite3_exec(corio_sqlite_writer(database), schema, NULL, NULL, NULL));
    if (rc == 0)
        rc = corio_blocking_add(runtime,
                                &(corio_blocking_options){.size = sizeof(corio_blocking_options),
                                                          .grain = 4,
                                                          .save = save_call,
                                                          .restore = restore_call},
                                &blocking);
    if (rc == 0)
        rc = add_dispatchers(database, runtime);
    if (rc == 0)
        rc = command(runtime, database, argc, argv);
    if (rc < 0 && !figures.failed) {
        char words[256] = "";
        if (database)
            corio_sqlite_message(database, words, sizeof words);
        fprintf(stderr, "indexer: %s: %s%s%s\n", path, corio_strerror(rc), *words ? ": " : "",
                words);
    }
    int end_rc = corio_runtime_destroy(runtime); /* of what it writes: a recording, a log */
    if (rc >= 0 && end_rc < 0) {
        fprintf(stderr, "indexer: recording or log: %s\n", corio_strerror(end_rc));
        rc = end_rc;
    }
    corio_sqlite_close(database);
    return rc < 0 ? status_error : rc > 0 ? status_fine : status_nothing;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"database", required_argument, NULL, 'd'},
                                            {"workers", required_argument, NULL, 'w'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const char *path = "index.db";
    unsigned workers = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'd')
            path = optarg;
        else if (option == 'w' && !read_number(optarg, 1, 1024, &workers))
            return usage("--workers is a number from 1 to 1024");
        else if (option == 'h')
            return fputs(help, stdout), finish("indexer", status_fine, status_error);
        else if (option == '?')
            return fputs(help, stderr), status_usage;
    }
    argc -= optind;
    argv += optind;
    if (argc == 0)
        return usage("index, search or duplicates?");
    if (strcmp(argv[0], "index") == 0    ? argc != 2
        : strcmp(argv[0], "search") == 0 ? argc < 2
                                         : argc != 1)
        return usage("too many or too few arguments");
    if (strcmp(argv[0], "index") && strcmp(argv[0], "search") && strcmp(argv[0], "duplicates"))
        return usage("index, search or duplicates?");
    return finish("indexer", with_database(path, workers, argc, argv), status_error);
}
