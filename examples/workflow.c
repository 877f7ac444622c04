/* SPDX-License-Identifier: MIT
 *
 * workflow.c - orders worked off step by step, with a journal: stopped or killed at any moment, it
 * goes on where it was.
 *
 *     order task:  step --in the journal?--> its result, from there
 *                    |--not yet--> act, in an I/O thread, again if it fails --> journal --> result
 *
 *     journal: a dispatcher. All entries of a phase are one write and one fdatasync.
 *
 * A step that is in the journal is never done again. One that was being done when the program was
 * killed is: the act gets the step's key, "7/charge", by which the world outside tells a
 * repetition. What decides the way of an order must come out of steps, the time included (see
 * cool_off): then it takes the same way again.
 */
#include "command.h"

#include <corio.h>
#include <corio/blocking.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { key_most = 47, tries_most = 5 };
enum { status_fine = 0, status_usage = 2, status_error = 3, status_stopped = 75 };

static const char help[] =
    "Usage: workflow [OPTION]... ORDERS\n"
    "Works off ORDERS orders: reserve, charge, then pack and invoice side by side, cool off, ship. "
    "A card that is\n"
    "declined gives the reservation back. Prints one line per order when all are done. Started "
    "again with the same\n"
    "journal, it goes on where it was stopped (SIGINT, SIGTERM) or killed.\n"
    "\n"
    "  --journal=FILE   default: workflow.journal\n"
    "  --world=FILE     the world outside: gets a line `KEY` for each act; default: "
    "workflow.world\n"
    "  --act-ms=N       how long an act takes; default 5\n"
    "  --cool-ms=N      how long to wait before an order is shipped; default 50\n"
    "  --fail=PERCENT   acts that fail and are tried again; default 10\n"
    "  --window=N       most orders on their way; default 100\n"
    "  --help\n"
    "\n"
    "Exit status: 0 all done; 2 usage; 3 an error; 75 stopped, start it again.\n";

/* An entry of the journal, and what is asked of its dispatcher. */
struct entry {
    char key[key_most + 1];
    long long result;
};
struct nothing {
    char unused;
};
CORIO_DISPATCHER(journal, struct entry, struct nothing);

static struct {
    const char *journal, *world;
    unsigned act_ms, cool_ms, fail, window, orders;
    int journal_fd, world_fd;
    struct entry *known; /* the journal as it was at the start, sorted by key */
    size_t known_count;
    long long *outcomes; /* of the orders: the receipt, or 0 */
    size_t acts, syncs;  /* relaxed atomics: statistics */
} program = {.journal = "workflow.journal",
             .world = "workflow.world",
             .act_ms = 5,
             .cool_ms = 50,
             .fail = 10,
             .window = 100};

static struct journal journal;
static corio_dispatcher *blocking;

/* -- The journal: lines `CHECKSUM KEY RESULT` -- */

static uint64_t hash(const char *text, uint64_t seed)
{
    uint64_t h = corio_hash_bytes(CORIO_HASH_BEGIN ^ seed, text, strlen(text));
    return h ^ h >> 29;
}

/* Writes an entry as a line. Returns its length. */
static size_t write_entry(const struct entry *entry, char *line, size_t bytes)
{
    char body[key_most + 32];
    snprintf(body, sizeof body, "%s %lld", entry->key, entry->result);
    return (size_t)snprintf(line, bytes, "%016llx %s\n", (unsigned long long)hash(body, 0), body);
}

static bool read_entry(const char *line, struct entry *ret_entry)
{
    unsigned long long sum;
    int body = 0;
    return sscanf(line, "%16llx %n%47s %lld", &sum, &body, ret_entry->key, &ret_entry->result) ==
               3 &&
           hash(line + body, 0) == sum;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

/* Reads the journal. A last line that is cut off or damaged was never acknowledged, and is cut
 * away; another is an error. */
static int load_journal(void)
{
    struct stat status;
    program.journal_fd = open(program.journal, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (program.journal_fd < 0 || fstat(program.journal_fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    if (flock(program.journal_fd, LOCK_EX | LOCK_NB) < 0) /* two would do the same steps */
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    FILE *file = fopen(program.journal, "re");
    if (!file)
        return -errno;
    char *line = NULL;
    size_t room = 0, capacity = 0;
    off_t good = 0;
    int rc = 0;
    for (ssize_t length; rc == 0 && (length = getline(&line, &room, file)) > 0;) {
        struct entry entry;
        bool whole = line[length - 1] == '\n';
        line[length - whole] = '\0';
        if (!whole || !read_entry(line, &entry)) {
            rc = getc(file) == EOF ? 0 : -EUCLEAN;
            break;
        }
        good += length;
        if (program.known_count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            struct entry *more = realloc(program.known, capacity * sizeof *more);
            if (!more)
                rc = -ENOMEM;
            else
                program.known = more;
        }
        if (rc == 0)
            program.known[program.known_count++] = entry;
    }
    if (rc == 0 && !feof(file))
        rc = -errno; /* what was not read must not be cut away */
    free(line);
    fclose(file);
    if (program.known)
        qsort(program.known, program.known_count, sizeof *program.known, by_key);
    return rc < 0 ? rc : ftruncate(program.journal_fd, good) < 0 ? -errno : 0;
}

static int write_all(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(fd, text, bytes);
        if (n < 0 && errno != EINTR)
            return -errno;
        text += n > 0 ? n : 0;
        bytes -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* In an I/O thread. After an error nothing more is written: what a later line would follow is not
 * known. */
static int journal_batch(void *arg, corio_batch *batch)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static int error;
    (void)arg;
    size_t count = corio_batch_len(batch), length = 0, room = count * (key_most + 64);
    char *text = malloc(room);
    if (!text)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        length += write_entry(journal_input(batch, i), text + length, room - length);
    pthread_mutex_lock(&lock);
    if (error == 0)
        error = write_all(program.journal_fd, text, length);
    if (error == 0 && fdatasync(program.journal_fd) < 0)
        error = -errno;
    int rc = error;
    pthread_mutex_unlock(&lock);
    free(text);
    __atomic_add_fetch(&program.syncs, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; rc == 0 && i < count; i++)
        corio_batch_respond(batch, i);
    return rc;
}

static int submit_journal(void *self, corio_batch *batch)
{
    int rc = corio_batch_submit(batch, journal_batch, self);
    return rc < 0 ? rc : CORIO_LATER;
}

/* -- Acts: what the steps do to the world, in I/O threads -- */

struct act {
    const char *key;
    unsigned tries;
    long long result; /* a shelf, a receipt, 0: declined */
};

static int act(void *arg)
{
    struct act *self = arg;
    char line[key_most + 2];
    int length = snprintf(line, sizeof line, "%s\n", self->key);
    nanosleep(&(struct timespec){program.act_ms / 1000, program.act_ms % 1000 * 1000000L}, NULL);
    if (hash(self->key, 1 + self->tries) % 100 < program.fail)
        return -EAGAIN;
    self->result = (long long)(hash(self->key, 0) % 10);
    return write_all(program.world_fd, line, (size_t)length);
}

/* -- Steps -- */

static const struct entry *find_known(const char *key)
{
    struct entry wanted = {{0}, 0};
    snprintf(wanted.key, sizeof wanted.key, "%s", key);
    return program.known
               ? bsearch(&wanted, program.known, program.known_count, sizeof wanted, by_key)
               : NULL;
}

static int remember(const char *key, long long result)
{
    struct entry entry = {{0}, result};
    snprintf(entry.key, sizeof entry.key, "%s", key);
    return journal_io(journal, &entry, &(struct nothing){0});
}

/* The step `name` of an order: done, and in the journal, or found there. ret_result: NULL is
 * allowed. */
static int step(long order, const char *name, long long *ret_result)
{
    char key[key_most + 1];
    snprintf(key, sizeof key, "%ld/%s", order, name);
    const struct entry *known = find_known(key);
    struct act self = {.key = key};
    if (!known) {
        int rc = corio_blocking(blocking, act, &self);
        while (rc == -EAGAIN && ++self.tries < tries_most) {
            rc = corio_sleep(1000000ull << self.tries);
            if (rc == 0)
                rc = corio_blocking(blocking, act, &self);
        }
        if (rc == -EAGAIN)
            corio_fail(rc, "%s: failed %u times", key, self.tries);
        if (rc < 0)
            return rc;
        int shielded =
            corio_shield(true); /* what is done must be in the journal, though the run be stopped */
        rc = remember(key, self.result);
        corio_shield(shielded);
        if (rc < 0)
            return rc;
        __atomic_add_fetch(&program.acts, 1, __ATOMIC_RELAXED);
    }
    if (ret_result)
        *ret_result = known ? known->result : self.result;
    return 0;
}

/* Waits until cool_ms after the first time that the order came here, whatever happened since: the
 * moment is in the journal, in the time of day, which goes on while the program does not run. */
static int cool_off(long order)
{
    char key[key_most + 1];
    snprintf(key, sizeof key, "%ld/cool-off", order);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long long now_ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000,
              due_ms = now_ms + program.cool_ms;
    const struct entry *known = find_known(key);
    int rc = known ? 0 : remember(key, due_ms);
    if (known)
        due_ms = known->result;
    return rc < 0 || due_ms <= now_ms ? rc : corio_sleep((uint64_t)(due_ms - now_ms) * 1000000);
}

static int pack(void *arg)
{
    return step(*(long *)arg, "pack", NULL);
}

static int invoice(void *arg)
{
    return step(*(long *)arg, "invoice", NULL);
}

/* The workflow, straight down. */
static int work_off(void *arg)
{
    long order = *(long *)arg;
    long long receipt = 0;
    int rc = step(order, "reserve", NULL);
    if (rc == 0)
        rc = step(order, "charge", &receipt);
    if (rc < 0)
        return rc;
    if (receipt == 0) /* declined: undo */
        return step(order, "release", NULL);
    rc = corio_go(pack, &order);
    if (rc == 0)
        rc = corio_go(invoice, &order);
    int waited = corio_wait();
    if (rc == 0)
        rc = waited;
    if (rc == 0)
        rc = cool_off(order);
    if (rc == 0)
        rc = step(order, "ship", NULL);
    if (rc == 0)
        program.outcomes[order] = receipt;
    return rc;
}

static int root(void *arg)
{
    (void)arg;
    int rc = 0;
    corio_set_window(program.window);
    for (long order = 0; rc == 0 && order < program.orders; order++)
        rc = corio_go_copy(work_off, &order, sizeof order);
    int waited = corio_wait();
    return waited < 0 ? waited : rc;
}

/* -- Stopping: a thread waits for signals, since handlers may not cancel -- */

static corio_canceller canceller;

static void *wait_for_signal(void *arg)
{
    int signal;
    if (sigwait(arg, &signal) == 0 && signal != SIGUSR1)
        corio_canceller_cancel(&canceller, -EINTR);
    return NULL;
}

static int run(corio_runtime *runtime)
{
    sigset_t signals;
    pthread_t thread;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1); /* ours: the run is over */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    int rc = pthread_create(&thread, NULL, wait_for_signal, &signals);
    if (rc != 0)
        return -rc;
    const corio_run_options options = {.size = sizeof options, .canceller = &canceller};
    rc = corio_run_with(runtime, &options, root, NULL);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, NULL);
    return rc;
}

static int complain(const char *what, int rc)
{
    fprintf(stderr, "workflow: %s: %s\n", what, corio_strerror(rc));
    return rc;
}

static int open_and_run(void)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    int rc = load_journal();
    if (rc < 0)
        return complain(program.journal, rc);
    program.world_fd = open(program.world, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (program.world_fd < 0)
        return complain(program.world, -errno);
    rc = corio_runtime_create(&options, &runtime);
    if (rc < 0)
        return complain("runtime", rc);
    rc = corio_blocking_add(runtime, NULL, &blocking);
    if (rc == 0)
        rc = journal_add(runtime, submit_journal, NULL, &journal);
    if (rc == 0)
        rc = run(runtime);
    if (rc < 0 && rc != -EINTR) {
        const corio_error *error = corio_runtime_error(runtime);
        fprintf(stderr, "workflow: %s\n", error && *error->text ? error->text : corio_strerror(rc));
    }
    corio_runtime_destroy(runtime);
    return rc;
}

static int usage(const char *what)
{
    fprintf(stderr, "workflow: %s\n%s", what, help);
    return status_usage;
}

/* What is closed of the standard files must not be opened as the journal, and be printed into. To
 * print there stays an error. */
static void keep_standard_files(void)
{
    int fd;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0 && fd <= STDERR_FILENO)
        ;
    close(fd);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"journal", required_argument, NULL, 'j'}, {"world", required_argument, NULL, 'w'},
        {"act-ms", required_argument, NULL, 'a'},  {"cool-ms", required_argument, NULL, 'c'},
        {"fail", required_argument, NULL, 'f'},    {"window", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},          {0}};
    keep_standard_files();
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'j':
            program.journal = optarg;
            break;
        case 'w':
            program.world = optarg;
            break;
        case 'a':
            if (!read_number(optarg, 0, 3600000, &program.act_ms))
                return usage("--act-ms is a number from 0 to 3600000");
            break;
        case 'c':
            if (!read_number(optarg, 0, INT_MAX, &program.cool_ms))
                return usage("--cool-ms is a number from 0 to 2147483647");
            break;
        case 'f':
            if (!read_number(optarg, 0, 99, &program.fail))
                return usage("--fail is a number from 0 to 99");
            break;
        case 'n':
            if (!read_number(optarg, 1, INT_MAX, &program.window))
                return usage("--window is a number from 1 to 2147483647");
            break;
        case 'h':
            return fputs(help, stdout), finish("workflow", status_fine, status_error);
        default:
            return fputs(help, stderr), status_usage;
        }
    }
    if (argc != optind + 1)
        return usage("how many orders?");
    if (!read_number(argv[optind], 1, INT_MAX, &program.orders))
        return usage("ORDERS is a number from 1 to 2147483647");
    program.outcomes = calloc(program.orders, sizeof *program.outcomes);
    if (!program.outcomes)
        return fputs("workflow: out of memory\n", stderr), status_error;
    int rc = open_and_run();
    for (unsigned i = 0; rc == 0 && i < program.orders; i++)
        printf(program.outcomes[i] ? "%u shipped, receipt %lld\n" : "%u declined\n", i,
               program.outcomes[i]);
    fprintf(stderr, "%s: %zu steps were in the journal, %zu done now, %zu syncs\n",
            rc == 0 ? "done" : "stopped", program.known_count, program.acts, program.syncs);
    free(program.outcomes);
    free(program.known);
    return finish("workflow",
                  rc == 0        ? status_fine
                  : rc == -EINTR ? status_stopped
                                 : status_error,
                  status_error);
}
