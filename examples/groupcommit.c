/* SPDX-License-Identifier: MIT
 *
 * groupcommit.c - transfers between accounts, acknowledged when they are safe on the disk; group
 * commit without a line of code for it.
 *
 *     stdin --chunk--> root: a task per line
 *                        task --transfer--> SQLite: those of a phase in one transaction, one fsync
 *                        task --say-------> stdout: those of a phase in one write
 *
 * The root reads on while transfers are committed, so the slower the disk, the larger the groups.
 * Transfers are applied in the order of the lines: a batch is in spawn order, and batches are
 * committed one after the other.
 *
 * Whatever happens, kill -9 and power failures included: what was acknowledged is in the database,
 * once. A line that was in flight may be in it or not; sent again it gets the answer that it got,
 * or would have got, the first time.
 */
#include "command.h"

#include <corio.h>
#include <corio/blocking.h>
#include <corio/sqlite.h>

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { name_most = 31, chunk_bytes = 64 << 10, window_default = 10000 };
enum { status_fine = 0, status_bad_lines = 1, status_usage = 2, status_error = 3 };

static const char help[] =
    "Usage: groupcommit [OPTION]... <TRANSFERS >ACKNOWLEDGEMENTS\n"
    "Reads lines `ID FROM TO AMOUNT`, names of at most 31 bytes, and answers each with a line, "
    "once its\n"
    "outcome is on the disk:\n"
    "    ID ok         the amount was moved\n"
    "    ID poor       FROM has less than that (every account begins with 1000, `bank` has no "
    "limit)\n"
    "    ID refused    this is no such line, or the ID was used for another transfer; a bad line "
    "has its\n"
    "                  number for an ID\n"
    "An ID that was seen before gets its first answer again and moves nothing.\n"
    "\n"
    "  --database=FILE  default: transfers.db\n"
    "  --window=N       most transfers on their way; default 10000\n"
    "  --workers=N      default: the CPUs that may be used\n"
    "  --balances       read no transfers, print all accounts\n"
    "  --help\n"
    "\n"
    "Exit status: 0 all lines were taken; 1 some were refused; 2 usage; 3 an error.\n";

/* A line, and what became of it. */
struct transfer {
    sqlite3_int64 id, amount;
    char from[name_most + 1], to[name_most + 1];
};
enum outcome { outcome_ok = 1, outcome_poor, outcome_refused };
struct answer {
    enum outcome outcome;
};
struct said {
    sqlite3_int64 id;
    enum outcome outcome;
};
struct nothing {
    char unused;
};
CORIO_DISPATCHER(apply, struct transfer, struct answer);
CORIO_DISPATCHER(say, struct said, struct nothing);

static struct apply apply;
static struct say say;
static corio_dispatcher *blocking;
static unsigned long refused; /* relaxed atomic */
static char problem[128];     /* of a run, if it is not the database's */

/* -- Transfers: in the transaction of their batch -- */

static const char schema[] = "CREATE TABLE IF NOT EXISTS account (name TEXT PRIMARY KEY, balance "
                             "INTEGER NOT NULL) WITHOUT ROWID;"
                             "CREATE TABLE IF NOT EXISTS transfer (id INTEGER PRIMARY KEY, source "
                             "TEXT NOT NULL, target TEXT NOT NULL,"
                             " amount INTEGER NOT NULL, outcome INTEGER NOT NULL);"
                             "INSERT OR IGNORE INTO account VALUES ('bank', 0);";

enum { sql_known, sql_open, sql_balance, sql_move, sql_note };

/* One row, one number: ret_found tells whether there is one. */
static int ask_number(sqlite3_stmt *statement, sqlite3_int64 *ret_number, bool *ret_found)
{
    int rc = sqlite3_step(statement);
    *ret_found = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW)
        *ret_number = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return corio_sqlite_error(rc);
}

static int bind_name(sqlite3_stmt *statement, int n, const char *name)
{
    return corio_sqlite_error(sqlite3_bind_text(statement, n, name, -1, SQLITE_STATIC));
}

/* An account begins with 1000 from the bank, so that all balances together are always 0. */
static int open_account(sqlite3_stmt *const *sql, const char *name)
{
    bool found;
    sqlite3_int64 balance;
    bind_name(sql[sql_balance], 1, name);
    int rc = ask_number(sql[sql_balance], &balance, &found);
    if (rc < 0 || found)
        return rc;
    bind_name(sql[sql_open], 1, name);
    rc = corio_sqlite_step(sql[sql_open]);
    bind_name(sql[sql_move], 1, "bank");
    sqlite3_bind_int64(sql[sql_move], 2, -1000);
    return rc < 0 ? rc : corio_sqlite_step(sql[sql_move]);
}

static int move(sqlite3_stmt *const *sql, const struct transfer *transfer)
{
    bind_name(sql[sql_move], 1, transfer->from);
    sqlite3_bind_int64(sql[sql_move], 2, -transfer->amount);
    int rc = corio_sqlite_step(sql[sql_move]);
    bind_name(sql[sql_move], 1, transfer->to);
    sqlite3_bind_int64(sql[sql_move], 2, transfer->amount);
    return rc < 0 ? rc : corio_sqlite_step(sql[sql_move]);
}

static int apply_transfer(void *self, sqlite3_stmt *const *sql, const void *input, void *output)
{
    (void)self;
    const struct transfer *transfer = input;
    struct answer *answer = output;
    sqlite3_int64 number = 0;
    bool found;
    sqlite3_bind_int64(sql[sql_known], 1, transfer->id);
    bind_name(sql[sql_known], 2, transfer->from);
    bind_name(sql[sql_known], 3, transfer->to);
    sqlite3_bind_int64(sql[sql_known], 4, transfer->amount);
    int rc = ask_number(sql[sql_known], &number, &found);
    if (rc < 0 || found) {
        answer->outcome = (enum outcome)number;
        return rc;
    }
    rc = open_account(sql, transfer->from);
    if (rc == 0)
        rc = open_account(sql, transfer->to);
    bind_name(sql[sql_balance], 1, transfer->from);
    if (rc == 0)
        rc = ask_number(sql[sql_balance], &number, &found);
    if (rc < 0)
        return rc;
    answer->outcome = number >= transfer->amount || strcmp(transfer->from, "bank") == 0
                          ? outcome_ok
                          : outcome_poor;
    if (answer->outcome == outcome_ok && (rc = move(sql, transfer)) < 0)
        return rc;
    sqlite3_bind_int64(sql[sql_note], 1, transfer->id);
    bind_name(sql[sql_note], 2, transfer->from);
    bind_name(sql[sql_note], 3, transfer->to);
    sqlite3_bind_int64(sql[sql_note], 4, transfer->amount);
    sqlite3_bind_int64(sql[sql_note], 5, answer->outcome);
    return corio_sqlite_step(sql[sql_note]);
}

static const corio_sqlite_exec exec_apply = {
    .size = sizeof exec_apply,
    .name = "apply",
    .sql = {"SELECT CASE WHEN source = ?2 AND target = ?3 AND amount = ?4 THEN outcome ELSE 3 END"
            " FROM transfer WHERE id = ?1",
            "INSERT INTO account VALUES (?1, 1000)", "SELECT balance FROM account WHERE name = ?1",
            "UPDATE account SET balance = balance + ?2 WHERE name = ?1",
            "INSERT INTO transfer VALUES (?1, ?2, ?3, ?4, ?5)"},
    .input_bytes = sizeof(struct transfer),
    .output_bytes = sizeof(struct answer),
    .execute = apply_transfer,
};

/* -- Acknowledgements: those of a phase in one write -- */

static int write_all(const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(STDOUT_FILENO, text, bytes);
        if (n < 0 && errno != EINTR)
            return -errno;
        text += n > 0 ? n : 0;
        bytes -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* In an I/O thread: who reads the acknowledgements may be slow. */
static int write_batch(void *arg, corio_batch *batch)
{
    (void)arg;
    static const char *const words[] = {"?", "ok", "poor", "refused"};
    size_t count = corio_batch_len(batch), length = 0, room = count * 32;
    char *text = malloc(room);
    if (!text)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct said *said = say_input(batch, i);
        length += (size_t)snprintf(text + length, room - length, "%lld %s\n", said->id,
                                   words[said->outcome]);
    }
    int rc = write_all(text, length);
    free(text);
    for (size_t i = 0; rc == 0 && i < count; i++)
        corio_batch_respond(batch, i);
    return rc;
}

static int submit_batch(void *self, corio_batch *batch)
{
    int rc = corio_batch_submit(batch, write_batch, self);
    return rc < 0 ? rc : CORIO_LATER;
}

/* -- Tasks -- */

static int transfer_task(void *arg)
{
    struct transfer *transfer = *(struct transfer **)arg;
    struct answer answer = {outcome_refused};
    int rc = corio_defer(free, transfer);
    if (rc == 0 && transfer->amount > 0)
        rc = apply_io(apply, transfer, &answer); /* answered after the commit */
    if (rc < 0)
        return rc;
    if (answer.outcome == outcome_refused)
        __atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED);
    rc = say_io(say, &(struct said){transfer->id, answer.outcome}, &(struct nothing){0});
    if (rc < 0 && rc != -ECANCELED)
        corio_fail(rc, "acknowledgements: %s", corio_strerror(rc));
    return rc;
}

static const char blanks[] = " \t\r\f\v";

static bool read_integer(const char *word, sqlite3_int64 *ret)
{
    char *end;
    errno = 0;
    long long value = strtoll(word, &end, 10);
    if (end == word || *end || errno)
        return false;
    *ret = value;
    return true;
}

static bool read_name(const char *word, char name[name_most + 1])
{
    return snprintf(name, name_most + 1, "%s", word) <= name_most;
}

/* What is behind the ID: `FROM TO AMOUNT`. */
static bool read_transfer(char *rest, struct transfer *ret)
{
    const char *from = strtok_r(NULL, blanks, &rest), *to = strtok_r(NULL, blanks, &rest),
               *amount = strtok_r(NULL, blanks, &rest);
    return amount && !strtok_r(NULL, blanks, &rest) && read_name(from, ret->from) &&
           read_name(to, ret->to) && strcmp(ret->from, ret->to) != 0 &&
           read_integer(amount, &ret->amount) && ret->amount > 0 && ret->amount <= 1000000000;
}

/* `ID FROM TO AMOUNT`; anything else has an amount of 0, which is refused. */
static int spawn_line(char *line, sqlite3_int64 number)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (!transfer)
        return -ENOMEM;
    char *rest;
    const char *id = strtok_r(line, blanks, &rest);
    if (!id || !read_integer(id, &transfer->id))
        transfer->id = number;
    else if (!read_transfer(rest, transfer))
        transfer->amount = 0;
    int rc = corio_go_copy(transfer_task, &transfer, sizeof transfer);
    if (rc < 0)
        free(transfer);
    return rc;
}

struct input {
    char text[chunk_bytes + 1];
    size_t length;
    bool ended;
    bool skips; /* the rest of a line that was too long */
};

/* In an I/O thread: what is there, at least one byte. */
static int read_more(void *arg)
{
    struct input *input = arg;
    ssize_t n;
    do
        n = read(STDIN_FILENO, input->text + input->length, chunk_bytes - input->length);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    input->length += (size_t)n;
    input->ended = n == 0;
    return 0;
}

/* Spawns a task for each whole line; the rest is moved to the front. */
static int spawn_lines(struct input *input, sqlite3_int64 *number)
{
    char *line = input->text, *end = input->text + input->length;
    if (input->skips) {
        char *stop = memchr(line, '\n', input->length);
        input->skips = !stop;
        line = stop ? stop + 1 : end;
    }
    if (line == input->text && input->length == chunk_bytes && !memchr(line, '\n', chunk_bytes)) {
        strcpy(line, "\n"); /* as if it were empty */
        end = line + 1;
        input->skips = true;
    }
    if (input->ended && line < end)
        *end++ = '\n'; /* a last one without an end */
    for (char *stop; (stop = memchr(line, '\n', (size_t)(end - line))); line = stop + 1) {
        if (memchr(line, '\0', (size_t)(stop - line)))
            *line = '\0'; /* no text */
        *stop = '\0';
        int rc = spawn_line(line, ++*number);
        if (rc < 0)
            return rc;
    }
    input->length = (size_t)(end - line);
    memmove(input->text, line, input->length);
    return 0;
}

static int root(void *arg)
{
    struct input *input = calloc(1, sizeof *input); /* too large for a stack */
    int rc = input ? corio_defer(free, input) : -ENOMEM;
    corio_set_window(*(uint32_t *)arg);
    sqlite3_int64 number = 0;
    while (rc == 0 && !input->ended) {
        rc = corio_blocking(blocking, read_more,
                            input); /* goes out with the transfers of earlier chunks */
        if (rc == 0)
            rc = spawn_lines(input, &number);
    }
    int waited = corio_wait();
    if (waited == 0 && rc < 0)
        corio_fail(rc, "transfers: %s", corio_strerror(rc));
    return waited;
}

/* -- The rest -- */

static int print_balances(sqlite3 *connection)
{
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(connection, "SELECT name, balance FROM account ORDER BY name", -1,
                                &statement, NULL);
    if (rc != SQLITE_OK)
        return corio_sqlite_error(rc);
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
        printf("%s %lld\n", sqlite3_column_text(statement, 0), sqlite3_column_int64(statement, 1));
    sqlite3_finalize(statement);
    return corio_sqlite_error(rc);
}

static int transfers(corio_sqlite *database, unsigned workers, uint32_t window)
{
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = workers;
    corio_runtime *runtime;
    int rc = corio_runtime_create(&options, &runtime);
    if (rc < 0)
        return rc;
    rc = corio_blocking_add(runtime, NULL, &blocking);
    if (rc == 0)
        rc = corio_sqlite_add_exec(database, runtime, &exec_apply, &apply.dispatcher);
    if (rc == 0)
        rc = say_add(runtime, submit_batch, NULL, &say);
    if (rc == 0)
        rc = corio_run(runtime, root, &window);
    corio_sqlite_stats stats = {.size = sizeof stats};
    if (rc == 0 && corio_sqlite_dispatcher_stats(apply.dispatcher, &stats) == 0)
        fprintf(stderr, "%llu transfers in %llu commits, at most %llu in one\n",
                (unsigned long long)stats.requests, (unsigned long long)stats.batches,
                (unsigned long long)stats.largest_batch);
    const corio_error *error = rc < 0 ? corio_runtime_error(runtime) : NULL;
    if (error)
        snprintf(problem, sizeof problem, "%s", error->text);
    corio_runtime_destroy(runtime);
    return rc;
}

static int usage(const char *what)
{
    fprintf(stderr, "groupcommit: %s\n%s", what, help);
    return status_usage;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"database", required_argument, NULL, 'd'}, {"window", required_argument, NULL, 'n'},
        {"workers", required_argument, NULL, 'w'},  {"balances", no_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},           {0}};
    corio_sqlite_options with = {
        .size = sizeof with, .path = "transfers.db", .sync = CORIO_SQLITE_SYNC_FULL};
    unsigned window = window_default, workers = 0;
    bool balances = false;
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (option == 'd')
            with.path = optarg;
        else if (option == 'n' && !read_number(optarg, 1, INT_MAX, &window))
            return usage("--window is a number from 1 to 2147483647");
        else if (option == 'w' && !read_number(optarg, 1, 1024, &workers))
            return usage("--workers is a number from 1 to 1024");
        else if (option == 'h')
            return fputs(help, stdout), finish("groupcommit", status_fine, status_error);
        else if (option == '?')
            return fputs(help, stderr), status_usage;
        balances |= option == 'b';
    }
    if (optind < argc)
        return usage("transfers are read from stdin");
    corio_sqlite *database = NULL;
    int rc = corio_sqlite_open(&with, &database);
    if (rc == 0)
        rc = corio_sqlite_error(
            sqlite3_exec(corio_sqlite_writer(database), schema, NULL, NULL, NULL));
    if (rc == 0)
        rc = balances ? print_balances(corio_sqlite_writer(database))
                      : transfers(database, workers, window);
    if (rc < 0) {
        char words[256] = "";
        if (database)
            corio_sqlite_message(database, words, sizeof words);
        if (*problem)
            fprintf(stderr, "groupcommit: %s\n", problem);
        else
            fprintf(stderr, "groupcommit: %s: %s%s%s\n", with.path, corio_strerror(rc),
                    *words ? ": " : "", words);
    }
    corio_sqlite_close(database);
    return finish("groupcommit",
                  rc < 0    ? status_error
                  : refused ? status_bad_lines
                            : status_fine,
                  status_error);
}
