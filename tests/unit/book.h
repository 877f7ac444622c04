/* SPDX-License-Identifier: MIT
 *
 * book.h - for tests of dedup and cache: a dispatcher that notes what it is asked, and answers as it is told to, now or
 * when a task says so.
 *
 * A question is a number, the answer ten times as much plus how often it was asked before.
 */
#ifndef CR_TESTS_BOOK_H
#define CR_TESTS_BOOK_H

#include "harness.h"

enum { most_keys = 4096, most_kept = 16, most_questions = 256, unset = 99 };

enum book_mode { book_answers, book_keeps, book_fails, book_retries_once, book_delays_once };

static struct {
    enum book_mode mode;
    unsigned calls;            /* of dispatch */
    unsigned asked[most_keys]; /* how often each number */
    char paths[4096];          /* of those who asked, in order */
    corio_batch *kept[most_kept];
    unsigned kept_count;
} book;

static corio_dispatcher *asks, *ticks;

static void book_respond(corio_batch *batch, size_t i, unsigned before)
{
    *(int *)corio_batch_output(batch, i) =
        *(const int *)corio_batch_input(batch, i) * 10 + (int)before;
    corio_batch_respond(batch, i);
}

static int book_dispatch(void *self, corio_batch *batch)
{
    (void)self;
    book.calls++;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        int number = *(const int *)corio_batch_input(batch, i);
        unsigned before = book.asked[number]++;
        size_t at = strlen(book.paths);
        corio_batch_task_path_text(batch, i, book.paths + at, sizeof book.paths - at);
        if (book.mode == book_fails)
            corio_batch_fail(batch, i, -EIO);
        else if (book.mode >= book_retries_once && before == 0)
            corio_batch_retry(batch, i, book.mode == book_delays_once ? 1000000 : 0);
        else if (book.mode != book_keeps)
            book_respond(batch, i, before);
    }
    if (book.mode != book_keeps)
        return CORIO_DONE;
    book.kept[book.kept_count++] = batch;
    return CORIO_LATER;
}

/* The batch that was kept first: it is the caller's, a task's. */
static corio_batch *book_take(void)
{
    corio_batch *batch = book.kept[0];
    memmove(book.kept, book.kept + 1, --book.kept_count * sizeof *book.kept);
    return batch;
}

/* Answers it. error: 0 none, 1: retry. */
static void book_give(int error)
{
    corio_batch *batch = book_take();
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        int number = *(const int *)corio_batch_input(batch, i);
        if (error < 0)
            corio_batch_fail(batch, i, error);
        else if (error > 0)
            corio_batch_retry(batch, i, 0);
        else
            book_respond(batch, i, book.asked[number] - 1);
    }
    corio_batch_complete(batch);
}

static void book_open(corio_runtime *runtime, corio_dispatcher_options options)
{
    memset(&book, 0, sizeof book);
    options.size = sizeof options;
    options.name = "book";
    options.dispatch = book_dispatch;
    options.input_bytes = options.output_bytes = sizeof(int);
    assert_int_equal(corio_dispatcher_add(runtime, &options, &asks), 0);
    ticks = add_dispatcher(runtime, answer_all);
}

/* A phase passes for the calling task. */
static int tick(void)
{
    return corio_io(ticks, NULL, NULL);
}

static corio_cache_stats book_stats(void)
{
    corio_cache_stats stats = {.size = sizeof stats};
    corio_cache_get_stats(asks, &stats);
    return stats;
}

/* Question i of a test. What became of it is in codes[i] and answers[i], for those who have waited
 * for the task that asks it, or know that it cannot go on. */
typedef struct question {
    int number, after;    /* phases */
    uint64_t deadline_ns; /* 0: none */
} question;

static question questions[most_questions];
static int codes[most_questions], answers[most_questions];

static question *question_of(int i, int number, int after, uint64_t deadline_ns)
{
    codes[i] = unset;
    questions[i] = (question){number, after, deadline_ns};
    return &questions[i];
}

static int ask(void *arg)
{
    const question *mine = arg;
    volatile int number = mine->number; /* gone when the task has its answer */
    int out = -1;
    for (int i = 0; i < mine->after; i++)
        CHECK(tick() == 0);
    int rc = corio_io_until(asks, (const void *)&number, &out,
                            mine->deadline_ns ? mine->deadline_ns : UINT64_MAX);
    number = -1;
    codes[mine - questions] = rc;
    answers[mine - questions] = out;
    return 0;
}

static int go(int i, int number, int after)
{
    return corio_go(ask, question_of(i, number, after, 0));
}

static int go_in(corio_group *group, int i, int number)
{
    return corio_group_go(group, ask, question_of(i, number, 0, 0));
}

#endif
