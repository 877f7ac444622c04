/* SPDX-License-Identifier: MIT
 *
 * Statistics of phases: what the callback and the table say is what the program did.
 */
#include "harness.h"

#include <pty.h>
#include <unistd.h>

enum { tasks = 50, most_phases = 64, path_bytes = 512 };

typedef struct seen {
    corio_phase_stats stats;
    corio_phase_dispatcher dispatchers[2];
    char straggler[64], path[path_bytes];
} seen;

static seen phases[most_phases];
static size_t phase_count;
static corio_runtime *watched;
static corio_dispatcher *first, *second;

static void note(void *self, const corio_phase_stats *stats)
{
    assert_ptr_equal(self, phases);
    assert_null(corio_self());
    assert_true(phase_count < most_phases);
    assert_int_equal(stats->size, sizeof *stats);
    seen *now = &phases[phase_count++];
    now->stats = *stats;
    for (size_t i = 0; i < stats->dispatcher_count; i++)
        now->dispatchers[i] = stats->dispatchers[i];
    snprintf(now->straggler, sizeof now->straggler, "%s", stats->straggler);
    snprintf(now->path, sizeof now->path, "%s", stats->straggler_path);
}

static corio_runtime *watched_runtime(unsigned workers)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime = NULL;
    options.workers = workers;
    options.on_phase = note;
    options.on_phase_self = phases;
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    first = add_dispatcher(runtime, answer_all);
    second = add_dispatcher(runtime, answer_all);
    phase_count = 0;
    return runtime;
}

static int ask_twice(void *arg)
{
    (void)arg;
    CHECK(corio_io(first, NULL, NULL) == 0);
    return corio_io(second, NULL, NULL);
}

static int fifty(void *arg)
{
    (void)arg;
    for (int i = 0; i < tasks; i++)
        CHECK(corio_go(ask_twice, NULL) == 0);
    return corio_wait();
}

static void phases_say_what_was_run_and_asked(void **state)
{
    (void)state;
    for (unsigned at = 0; at < worker_count_count; at++) {
        corio_runtime *runtime = watched_runtime(worker_counts[at]);
        corio_stats total = {.size = sizeof total};
        uint64_t continuations = 0, cpu_ns = 0, io_ns = 0, steals = 0;
        assert_int_equal(corio_run(runtime, fifty, NULL), 0);
        assert_int_equal(corio_runtime_stats(runtime, &total), 0);
        assert_int_equal(phase_count, 3);
        for (size_t i = 0; i < phase_count; i++) {
            const corio_phase_stats *stats = &phases[i].stats;
            assert_int_equal(stats->run, 0);
            assert_int_equal(stats->phase, i);
            assert_int_equal(stats->last, i == 2);
            assert_int_equal(stats->closures, i == 0 ? tasks + 1 : 0);
            assert_int_equal(stats->runnable, i == 0 ? 1 : tasks);
            assert_int_equal(stats->batches, i < 2);
            assert_int_equal(stats->requests, i < 2 ? tasks : 0);
            assert_int_equal(stats->dispatcher_count, 2);
            assert_int_equal(phases[i].dispatchers[0].requests, i == 0 ? tasks : 0);
            assert_int_equal(phases[i].dispatchers[1].largest, i == 1 ? tasks : 0);
            assert_in_range(stats->workers, 1, worker_counts[at]);
            assert_true(stats->dispatch_ns <= stats->boundary_ns);
            assert_true(stats->alone_ns <= stats->cpu_ns);
            assert_true(phases[i].straggler[0] != '\0');
            continuations += stats->continuations;
            steals += stats->steals;
            cpu_ns += stats->cpu_ns;
            io_ns += stats->boundary_ns + stats->wait_ns;
        }
        assert_int_equal(continuations, total.suspends);
        assert_int_equal(steals, total.steals);
        assert_int_equal(cpu_ns, total.cpu_phase_ns);
        assert_true(io_ns >= total.io_phase_ns);
        corio_runtime_destroy(runtime);
    }
}

/* -- Who was last -- */

static int leaf(void *arg)
{
    for (int depth = --*(int *)arg; depth > 0;) {
        CHECK(corio_go_named("inner", leaf, arg) == 0);
        return corio_wait();
    }
    CHECK(corio_io(first, NULL, NULL) == 0);
    return corio_io(first, NULL, NULL); /* in this phase nothing else could run */
}

static void straggler_has_a_name_and_a_path(void **state)
{
    (void)state;
    static const struct {
        int depth;
        const char *name, *path;
    } cases[] = {
        {1, "leaf", "()"},
        {3, "inner", "(0, 0)"},
        {17, "inner", "(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)"},
        {18, "inner", "(..., 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        corio_runtime *runtime = watched_runtime(3);
        int depth = cases[i].depth;
        assert_int_equal(corio_run(runtime, leaf, &depth), 0);
        assert_int_equal(phase_count, 3);
        assert_int_equal(phases[1].stats.workers, 1);
        assert_int_equal(phases[1].stats.continuations, 1);
        assert_string_equal(phases[1].straggler, cases[i].name);
        assert_string_equal(phases[1].path, cases[i].path);
        assert_true(phases[1].stats.alone_ns > 0);
        corio_runtime_destroy(runtime);
    }
}

/* The name is the submitter's again. */
static void forget_name(void *name, corio_job *job, int code)
{
    (void)job;
    assert_int_equal(code, 0);
    memset(name, '?', strlen(name));
}

static int submit_one(void *name)
{
    corio_submit_options options = {
        .size = sizeof options, .name = name, .done = forget_name, .self = name};
    static int depth;
    depth = 3;
    CHECK(corio_submit_with(watched, &options, leaf, &depth, NULL) == 0);
    return 0;
}

static void straggler_may_be_of_a_job(void **state)
{
    (void)state;
    char name[] = "a job";
    watched = watched_runtime(1);
    assert_int_equal(corio_run(watched, submit_one, name), 0);
    assert_string_equal(name, "?????");
    seen *last = &phases[phase_count - 1];
    assert_string_equal(last->straggler, "a job");
    assert_string_equal(last->path, "#1()");
    assert_string_equal(last[-1].straggler, "inner");
    assert_string_equal(last[-1].path, "#1(0, 0)");
    corio_runtime_destroy(watched);
}

/* -- Runs, waiting -- */

static int sleep_a_while(void *arg)
{
    return corio_sleep(*(const uint64_t *)arg);
}

static void waiting_is_told_from_the_boundary(void **state)
{
    (void)state;
    corio_runtime *runtime = watched_runtime(2);
    uint64_t while_ns = 20000000;
    uint64_t wait_ns = 0;
    /* Again, where the thread had to wait for a processor before it could for the time. */
    for (uint64_t run = 0; run < 2 || wait_ns <= while_ns / 2; run++) {
        phase_count = 0;
        assert_int_equal(corio_run(runtime, sleep_a_while, &while_ns), 0);
        assert_int_equal(phases[0].stats.run, run);
        assert_int_equal(phases[0].stats.phase, 0);
        assert_true(phases[phase_count - 1].stats.last);
        wait_ns = phases[0].stats.wait_ns;
    }
    corio_runtime_destroy(runtime);
}

/* -- The table -- */

static size_t lines_with(const char *path, const char *beginning, const char *wanted)
{
    char line[1024];
    size_t found = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        found += strstr(line, wanted) != NULL && strncmp(line, beginning, strlen(beginning)) == 0;
    fclose(file);
    return found;
}

static void table_has_a_line_per_phase(void **state)
{
    (void)state;
    char path[] = "/tmp/corio-phases-XXXXXX";
    close(mkstemp(path));
    setenv("CORIO_PHASES", path, 1);
    corio_runtime *runtime = runtime_with(2);
    unsetenv("CORIO_PHASES");
    corio_dispatcher_options with = {
        .size = sizeof with, .name = "a \"b\"", .dispatch = answer_all};
    assert_int_equal(corio_dispatcher_add(runtime, &with, &first), 0);
    second = first;
    assert_int_equal(corio_run(runtime, fifty, NULL), 0);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    assert_int_equal(lines_with(path, "", ""), 4);
    assert_int_equal(lines_with(path, "", "run,phase,last,workers,runnable,closures"), 1);
    assert_int_equal(lines_with(path, "", "\"a \"\"b\"\":1:50:50:"), 2);
    assert_int_equal(lines_with(path, "0,2,1,", ""), 1);
    unlink(path);
}

static void table_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime = NULL;
    options.phases = "/nowhere/phases.csv";
    assert_int_equal(corio_runtime_create(&options, &runtime), -ENOENT);
    assert_null(runtime);
    options.phases = "/dev/full";
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    first = second = add_dispatcher(runtime, answer_all);
    assert_int_equal(corio_run(runtime, fifty, NULL), 0);
    assert_int_equal(corio_runtime_destroy(runtime), -ENOSPC);
}

/* -- The progress line -- */

static const char erase[] = "\r\033[K";

/* Runs with standard error at `to`. */
static void run_with_progress(int to, corio_progress progress, corio_task_fn *root, void *arg)
{
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime = NULL;
    int before = dup(STDERR_FILENO);
    assert_int_equal(dup2(to, STDERR_FILENO), STDERR_FILENO);
    options.progress = progress;
    options.workers = 2;
    assert_int_equal(corio_runtime_create(&options, &runtime), 0);
    corio_dispatcher_options with = {
        .size = sizeof with, .name = "st\033ore", .dispatch = answer_all};
    assert_int_equal(corio_dispatcher_add(runtime, &with, &first), 0);
    second = first;
    int rc = corio_run(runtime, root, arg);
    corio_runtime_destroy(runtime);
    dup2(before, STDERR_FILENO);
    close(before);
    assert_int_equal(rc, 0);
}

/* What was written to standard error, a file: given. */
static char *progress_of(corio_progress progress, corio_task_fn *root, void *arg)
{
    enum { most = 1 << 20 };
    FILE *file = tmpfile();
    run_with_progress(fileno(file), progress, root, arg);
    char *text = calloc(1, most);
    rewind(file);
    assert_true(fread(text, 1, most - 1, file) < most - 1);
    fclose(file);
    return text;
}

static void progress_is_a_line_that_is_erased(void **state)
{
    (void)state;
    char *text = progress_of(CORIO_PROGRESS_ALWAYS, fifty, NULL);
    assert_non_null(strstr(text, "phases 1  tasks 51  requests 50 ("));
    assert_non_null(strstr(text, "  last "));
    assert_null(strstr(text, "st\033ore"));
    assert_null(strchr(text, '\n'));
    for (char *line = strstr(text, erase); line != NULL; line = strstr(line + 4, erase)) {
        const char *next = strchr(line + 4, '\r');
        size_t length = next != NULL ? (size_t)(next - line) - 4 : strlen(line + 4);
        assert_true(length < 80);
    }
    assert_string_equal(text + strlen(text) - strlen(erase), erase);
    free(text);
}

static int ask_often(void *arg)
{
    uint64_t began = corio_now_ns();
    for (int i = 0; i < 5000; i++)
        CHECK(corio_io(first, NULL, NULL) == 0);
    *(uint64_t *)arg = corio_now_ns() - began;
    return 0;
}

static void progress_is_not_shown_more_often_than_can_be_read(void **state)
{
    (void)state;
    uint64_t took_ns = 0, shown = 0;
    char *text = progress_of(CORIO_PROGRESS_ALWAYS, ask_often, &took_ns);
    for (char *line = text; (line = strstr(line, "phases")) != NULL; line++)
        shown++;
    assert_in_range(shown, 1, 2 + took_ns / 200000000);
    free(text);
}

static void progress_is_for_terminals(void **state)
{
    (void)state;
    char text[4096] = "";
    int ours, theirs;
    struct winsize narrow = {.ws_col = 20, .ws_row = 5};
    char *in_file = progress_of(CORIO_PROGRESS_TERMINAL, fifty, NULL);
    assert_string_equal(in_file, "");
    free(in_file);
    assert_int_equal(openpty(&ours, &theirs, NULL, NULL, &narrow), 0);
    run_with_progress(theirs, CORIO_PROGRESS_TERMINAL, fifty, NULL);
    assert_true(read(ours, text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "phases 1"));
    assert_int_equal(strcspn(text + strlen(erase), "\r"), 19);
    close(ours);
    close(theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phases_say_what_was_run_and_asked),
        cmocka_unit_test(straggler_has_a_name_and_a_path),
        cmocka_unit_test(straggler_may_be_of_a_job),
        cmocka_unit_test(waiting_is_told_from_the_boundary),
        cmocka_unit_test(table_has_a_line_per_phase),
        cmocka_unit_test(table_that_cannot_be_written_is_an_error),
        cmocka_unit_test(progress_is_a_line_that_is_erased),
        cmocka_unit_test(progress_is_not_shown_more_often_than_can_be_read),
        cmocka_unit_test(progress_is_for_terminals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
