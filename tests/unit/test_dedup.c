/* SPDX-License-Identifier: MIT
 *
 * Equal requests are asked once: who asks, who follows, and what becomes of them by answers, errors, retries, withdrawal.
 */
#include "book.h"

enum { many = 100 };

static const corio_dispatcher_options dedup = {.dedup = true};

/* -- Who is asked -- */

static int many_equal(void *arg)
{
    int error = *(int *)arg;
    for (int i = 0; i < many; i++)
        CHECK(go(i, i % 10, 0) == 0);
    CHECK(corio_wait() == 0);
    for (int i = 0; i < many; i++)
        CHECK(codes[i] == error && (error != 0 || answers[i] / 10 == i % 10));
    return 0;
}

static void equal_requests_are_asked_once(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, dedup);
        assert_int_equal(corio_run(runtime, many_equal, &(int){0}), 0);
        assert_int_equal(book.calls, 1);
        for (int i = 0; i < 10; i++)
            assert_int_equal(book.asked[i], 1);
        /* The first in spawn order of each. */
        assert_string_equal(book.paths, "(0)(1)(2)(3)(4)(5)(6)(7)(8)(9)");
        corio_cache_stats stats = book_stats();
        assert_true(stats.misses == 10 && stats.followers == 90 && stats.hits == 0);
        assert_true(stats.entries == 0 && stats.bytes == 0);
    }
}

static void without_dedup_all_are_asked(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, (corio_dispatcher_options){.dedup = false});
        book.mode = book_answers;
        assert_int_equal(corio_run(runtime, many_equal, &(int){0}), 0);
        for (int i = 0; i < 10; i++)
            assert_int_equal(book.asked[i], 10);
        corio_cache_stats stats = book_stats();
        assert_true(stats.misses == 0 && stats.followers == 0);
        assert_int_equal(corio_cache_prime(asks, &(int){1}, &(int){2}), 0);
        assert_int_equal(corio_cache_invalidate(asks, &(int){1}), 0);
        assert_int_equal(corio_cache_clear(asks), 0);
    }
}

static void an_error_is_everybodys(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, dedup);
        book.mode = book_fails;
        assert_int_equal(corio_run(runtime, many_equal, &(int){-EIO}), 0);
        for (int i = 0; i < 10; i++)
            assert_int_equal(book.asked[i], 1);
    }
}

static void a_retry_keeps_its_followers(void **state)
{
    (void)state;
    for (int cached = 0; cached < 2; cached++) {
        FOR_EACH_WORKER_COUNT(runtime)
        {
            for (enum book_mode mode = book_retries_once; mode <= book_delays_once; mode++) {
                book_open(runtime, (corio_dispatcher_options){.dedup = true,
                                                              .cache_bytes = cached ? 100000 : 0});
                book.mode = mode;
                assert_int_equal(corio_run(runtime, many_equal, &(int){0}), 0);
                for (int i = 0; i < 10; i++)
                    assert_int_equal(book.asked[i], 2);
                assert_int_equal(book_stats().misses, 10);
                assert_int_equal(book_stats().followers, 90);
                assert_int_equal(book_stats().entries, cached ? 10 : 0);
            }
        }
    }
}

static void followers_do_not_count_for_limits(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, (corio_dispatcher_options){.dedup = true, .max_batch = 10});
        assert_int_equal(corio_run(runtime, many_equal, &(int){0}), 0);
        assert_int_equal(book.calls, 1);
        book_open(runtime, (corio_dispatcher_options){.dedup = true, .max_in_flight = 10});
        assert_int_equal(corio_run(runtime, many_equal, &(int){0}), 0);
        assert_int_equal(book.calls, 1);
    }
}

/* -- Several requests of one call -- */

static int all_of_several(void *arg)
{
    int in[6] = {1, 2, 1, 1, 3, 2}, out[6];
    corio_request requests[6];
    (void)arg;
    memset(requests, 0xa5, sizeof requests); /* what is the library's may hold anything */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 6; i++) {
            requests[i].dispatcher = asks;
            requests[i].input = &in[i];
            requests[i].output = &out[i];
        }
        memset(out, 0, sizeof out);
        CHECK(corio_io_all(requests, 6) == 0);
        for (int i = 0; i < 6; i++)
            CHECK(requests[i].status == 0 && out[i] == in[i] * 10 + (int)book.asked[in[i]] - 1);
    }
    return 0;
}

static void requests_of_one_call_may_be_equal(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, dedup);
        assert_int_equal(corio_run(runtime, all_of_several, NULL), 0);
        assert_true(book.asked[1] == 3 && book.asked[2] == 3 && book.asked[3] == 3);
    }
}

static size_t partial_seen;

static int notes_partial(void *self, corio_batch *batch)
{
    partial_seen = corio_batch_partial_calls(batch);
    return answer_all(self, batch);
}

static int ask_two(void *arg)
{
    int in[2] = {1, 2}, out[2];
    corio_request requests[2];
    (void)arg;
    for (int i = 0; i < 2; i++)
        requests[i] = (corio_request){.dispatcher = asks, .input = &in[i], .output = &out[i]};
    int rc = corio_io_all(requests, 2);
    return rc != 0 ? rc : out[0] == 10 && out[1] == 20 ? 0 : -EBADMSG;
}

static int a_call_with_followers_in_two_batches(void *arg)
{
    /* max_batch 1: numbers 1 and 2 go out in two batches, each with a follower of the same call. */
    corio_dispatcher *notes = arg;
    book.mode = book_keeps;
    CHECK(go(0, 1, 0) == 0 && go(1, 2, 0) == 0 && corio_go(ask_two, NULL) == 0);
    CHECK(tick() == 0);
    CHECK(book.kept_count == 2);
    book_give(0);
    CHECK(corio_io(notes, NULL, NULL) == 0); /* the boundary before took the answer */
    CHECK(corio_io(notes, NULL, NULL) == 0);
    CHECK(partial_seen == 1 && codes[0] == 0 && codes[1] == unset);
    book_give(0);
    CHECK(corio_wait() == 0);
    CHECK(corio_io(notes, NULL, NULL) == 0);
    CHECK(partial_seen == 0);
    return 0;
}

static void a_call_with_some_answers_is_partial(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, (corio_dispatcher_options){.dedup = true, .max_batch = 1});
        assert_int_equal(corio_run(runtime, a_call_with_followers_in_two_batches,
                                   add_dispatcher(runtime, notes_partial)),
                         0);
    }
}

/* -- In flight -- */

static int asks_while_in_flight(void *arg)
{
    bool joins = *(bool *)arg;
    book.mode = book_keeps;
    CHECK(go(0, 7, 0) == 0 && go(1, 7, 1) == 0 && go(2, 7, 2) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(tick() == 0);
    CHECK(book.kept_count == (joins ? 1 : 3));
    CHECK(codes[0] == unset && codes[1] == unset && codes[2] == unset);
    while (book.kept_count > 0)
        book_give(0);
    CHECK(corio_wait() == 0);
    CHECK(codes[0] == 0 && codes[1] == 0 && codes[2] == 0);
    return 0;
}

static void only_with_a_cache_one_in_flight_is_followed(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, dedup);
        assert_int_equal(corio_run(runtime, asks_while_in_flight, &(bool){false}), 0);
        book_open(runtime, (corio_dispatcher_options){.cache_bytes = 10000});
        assert_int_equal(corio_run(runtime, asks_while_in_flight, &(bool){true}), 0);
        assert_int_equal(book_stats().followers, 2);
    }
}

static int one_queued_is_followed_root(void *arg)
{
    (void)arg;
    book.mode = book_keeps; /* one in flight: 1; 7 waits for its turn */
    CHECK(go(0, 1, 0) == 0 && go(1, 7, 0) == 0 && go(2, 7, 1) == 0 && go(3, 7, 2) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(tick() == 0);
    CHECK(book.asked[7] == 0);
    book_give(0);
    CHECK(tick() == 0 && tick() == 0);
    CHECK(book.asked[7] == 1);
    book_give(0);
    CHECK(corio_wait() == 0);
    for (int i = 0; i < 4; i++)
        CHECK(codes[i] == 0);
    return 0;
}

static void one_that_waits_for_its_turn_is_followed(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, (corio_dispatcher_options){.dedup = true, .max_in_flight = 1});
        assert_int_equal(corio_run(runtime, one_queued_is_followed_root, NULL), 0);
        assert_string_equal(book.paths, "(0)(1)");
        assert_int_equal(book.asked[7], 1);
    }
}

static int retried_meets_equal_root(void *arg)
{
    (void)arg;
    book.mode = book_keeps; /* 7 is in flight with a follower; asked again, it waits for its turn */
    CHECK(go(0, 7, 0) == 0 && go(1, 7, 0) == 0 && go(2, 7, 1) == 0 && go(3, 7, 1) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(tick() == 0);
    CHECK(book.asked[7] == 1 && book.kept_count == 1);
    book_give(1); /* the retried one and its follower follow the one that waits */
    CHECK(tick() == 0 && tick() == 0);
    CHECK(book.asked[7] == 2 && book.kept_count == 1);
    book_give(0);
    CHECK(corio_wait() == 0);
    for (int i = 0; i < 4; i++)
        CHECK(codes[i] == 0 && answers[i] == 71);
    return 0;
}

static void a_retry_joins_an_equal_one_that_waits(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, (corio_dispatcher_options){.dedup = true, .max_in_flight = 1});
        assert_int_equal(corio_run(runtime, retried_meets_equal_root, NULL), 0);
        assert_string_equal(book.paths, "(0)(2)");
    }
}

/* -- Withdrawal -- */

static int go_in_until(corio_group *group, int i, int number, uint64_t deadline_ns)
{
    return corio_group_go(group, ask, question_of(i, number, 0, deadline_ns));
}

/* 1 is in flight, 7 waits: its asker's time is over before its turn comes. */
static int asked_one_withdrawn_root(void *arg)
{
    (void)arg;
    corio_group *group;
    book.mode = book_keeps;
    CHECK(corio_group_open(NULL, &group) == 0);
    CHECK(go(0, 1, 0) == 0 && go_in_until(group, 1, 7, corio_now_ns() + 1000000) == 0);
    CHECK(go(2, 7, 0) == 0 && go(3, 7, 0) == 0);
    CHECK(corio_group_close(group) == 0);
    CHECK(codes[1] == -ETIMEDOUT && book.asked[7] == 0);
    CHECK(go(4, 7, 0) == 0); /* the one that took its place is followed */
    CHECK(tick() == 0);
    book_give(0);
    CHECK(tick() == 0 && tick() == 0);
    CHECK(book.asked[7] == 1);
    book_give(0);
    CHECK(corio_wait() == 0);
    for (int i = 2; i <= 4; i++)
        CHECK(codes[i] == 0 && answers[i] == 70);
    return 0;
}

static void a_follower_takes_the_place_of_one_withdrawn(void **state)
{
    (void)state;
    for (int cached = 0; cached < 2; cached++) {
        FOR_EACH_WORKER_COUNT(runtime)
        {
            book_open(runtime, (corio_dispatcher_options){.dedup = true,
                                                          .cache_bytes = cached ? 10000 : 0,
                                                          .max_in_flight = 1});
            assert_int_equal(corio_run(runtime, asked_one_withdrawn_root, NULL), 0);
            assert_string_equal(book.paths, "(0)(2)");
        }
    }
}

static int cancelled_asker_root(void *arg)
{
    (void)arg;
    corio_group *group; /* the first who asks for 7, and one of the followers, are in it */
    book.mode = book_keeps;
    CHECK(corio_group_open(NULL, &group) == 0);
    CHECK(go(0, 1, 0) == 0 && go_in(group, 1, 7) == 0 && go_in(group, 2, 7) == 0);
    CHECK(go(3, 7, 0) == 0 && go(4, 7, 0) == 0);
    CHECK(tick() == 0);
    CHECK(corio_group_cancel(group, -EINTR) == 0);
    CHECK(corio_group_close(group) == -EINTR);
    CHECK(codes[1] == -ECANCELED && codes[2] == -ECANCELED && book.asked[7] == 0);
    book_give(0);
    CHECK(tick() == 0 && tick() == 0);
    book_give(0);
    CHECK(corio_wait() == 0);
    CHECK(codes[3] == 0 && codes[4] == 0 && answers[3] == 70 && answers[4] == 70);
    return 0;
}

static void cancelled_ones_leave_the_others_asked(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, (corio_dispatcher_options){.dedup = true, .max_in_flight = 1});
        assert_int_equal(corio_run(runtime, cancelled_asker_root, NULL), 0);
        assert_string_equal(book.paths, "(0)(3)");
    }
}

static int retry_of_withdrawn_root(void *arg)
{
    bool delayed = *(bool *)arg;
    corio_group *group;
    book.mode = book_keeps; /* the asker is cancelled in flight; then it is to be retried */
    CHECK(corio_group_open(NULL, &group) == 0);
    CHECK(go_in(group, 0, 7) == 0 && go(1, 7, 0) == 0 && tick() == 0);
    CHECK(corio_group_cancel(group, -EINTR) == 0 && tick() == 0);
    CHECK(codes[0] == unset && codes[1] == unset); /* handed over: it waits */
    corio_batch *batch = book_take();
    book.mode = book_answers;
    CHECK(corio_batch_retry(batch, 0, delayed ? 1000000 : 0) == 0);
    CHECK(corio_batch_complete(batch) == 0);
    CHECK(corio_wait() == 0 && corio_group_close(group) == -EINTR);
    CHECK(codes[0] == -ECANCELED && codes[1] == 0 && answers[1] == 71);
    return 0;
}

static void a_retry_goes_on_for_the_followers(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int delayed = 0; delayed < 2; delayed++) {
            book_open(runtime, dedup);
            assert_int_equal(corio_run(runtime, retry_of_withdrawn_root, &(bool){delayed}), 0);
            assert_string_equal(book.paths, "(0)(1)");
        }
    }
}

/* To be retried in an hour; the asker gives up meanwhile. In a simulation the hour passes. */
static int delayed_asker_withdrawn_root(void *arg)
{
    bool hour_passes = *(bool *)arg;
    corio_group *asker, *followers;
    book.mode = book_keeps;
    CHECK(corio_group_open(NULL, &asker) == 0 && corio_group_open(NULL, &followers) == 0);
    CHECK(go_in(asker, 0, 7) == 0 && go_in(followers, 1, 7) == 0 && tick() == 0);
    corio_batch *batch = book_take();
    book.mode = book_answers;
    CHECK(corio_batch_retry(batch, 0, 3600000000000) == 0 && corio_batch_complete(batch) == 0);
    CHECK(tick() == 0 && tick() == 0 && book.asked[7] == 1);
    CHECK(corio_group_cancel(asker, -EINTR) == 0 && corio_group_close(asker) == -EINTR);
    CHECK(codes[0] == -ECANCELED && codes[1] == unset);
    CHECK(go_in(followers, 2, 7) == 0); /* one that waits for a retry is followed */
    CHECK(tick() == 0 && book_stats().followers == 2);
    if (!hour_passes)
        CHECK(corio_group_cancel(followers, -EINTR) == 0);
    CHECK(corio_group_close(followers) == (hour_passes ? 0 : -EINTR));
    for (int i = 1; i <= 2; i++)
        CHECK(hour_passes ? codes[i] == 0 && answers[i] == 71 : codes[i] == -ECANCELED);
    return 0;
}

static void a_follower_takes_the_place_while_a_retry_waits(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, dedup);
        assert_int_equal(corio_run(runtime, delayed_asker_withdrawn_root, &(bool){false}), 0);
        assert_string_equal(book.paths, "(0)");
    }
    for (uint64_t seed = 1; seed <= 20; seed++) {
        corio_runtime *runtime = simulation_with(seed);
        book_open(runtime, dedup);
        assert_int_equal(corio_run(runtime, delayed_asker_withdrawn_root, &(bool){true}), 0);
        assert_string_equal(book.paths, "(0)(1)");
        assert_int_equal(corio_runtime_destroy(runtime), 0);
    }
}

static int follower_withdrawn_root(void *arg)
{
    (void)arg;
    corio_group *group;
    book.mode = book_keeps;
    CHECK(corio_group_open(NULL, &group) == 0);
    CHECK(go(0, 7, 0) == 0 && go_in(group, 1, 7) == 0 && go(2, 7, 0) == 0);
    CHECK(tick() == 0 && book.kept_count == 1);
    CHECK(corio_group_cancel(group, -EINTR) == 0);
    CHECK(corio_group_close(group) ==
          -EINTR); /* the asked one is in flight: the follower need not wait */
    CHECK(codes[1] == -ECANCELED && codes[0] == unset && codes[2] == unset);
    CHECK(corio_group_open(NULL, &group) == 0);
    CHECK(go_in_until(group, 3, 7, 1) == 0 && corio_group_close(group) == 0);
    CHECK(codes[3] == -ETIMEDOUT); /* nor one whose time is over */
    book_give(0);
    CHECK(corio_wait() == 0);
    CHECK(codes[0] == 0 && codes[2] == 0 && answers[2] == 70);
    return 0;
}

static void a_follower_gives_up_at_once(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, dedup);
        assert_int_equal(corio_run(runtime, follower_withdrawn_root, NULL), 0);
        assert_int_equal(book.asked[7], 1);
    }
}

/* -- What a dispatcher is told of followers -- */

static int wanted_root(void *arg)
{
    (void)arg;
    uint64_t sooner = corio_now_ns() + 3600000000000u, later = 2 * sooner;
    corio_group *groups[2];
    for (int i = 0; i < 2; i++) {
        CHECK(corio_group_open(NULL, &groups[i]) == 0);
        corio_go_options options = {
            .size = sizeof options, .group = groups[i], .deadline_ns = i == 0 ? sooner : later};
        CHECK(corio_go_with(&options, ask, question_of(i, 7, 0, 0)) == 0);
    }
    book.mode = book_keeps;
    CHECK(tick() == 0);
    CHECK(corio_batch_deadline(book.kept[0], 0) == later);
    CHECK(corio_group_cancel(groups[0], -EINTR) == 0 && tick() == 0);
    CHECK(!corio_batch_cancelled(book.kept[0], 0)); /* the follower wants it */
    CHECK(corio_group_cancel(groups[1], -EINTR) == 0 && corio_group_close(groups[1]) == -EINTR);
    CHECK(codes[1] == -ECANCELED && codes[0] == unset);
    CHECK(corio_batch_cancelled(book.kept[0], 0)); /* nobody does */
    CHECK(corio_batch_deadline(book.kept[0], 0) == sooner);
    book_give(-ESTALE);
    CHECK(corio_group_close(groups[0]) == -EINTR);
    CHECK(codes[0] == -ESTALE);
    return 0;
}

static void it_is_cancelled_when_all_are(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, dedup);
        assert_int_equal(corio_run(runtime, wanted_root, NULL), 0);
    }
}

/* -- A dispatcher that errs -- */

static int forgets_and_doubles(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        int number = *(const int *)corio_batch_input(batch, i);
        if (number % 2)
            continue;
        corio_batch_retry(batch, i, 0);
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static int misused_root(void *arg)
{
    (void)arg;
    for (int i = 0; i < 8; i++)
        CHECK(go(i, i % 2, 0) == 0);
    CHECK(corio_wait() == 0);
    for (int i = 0; i < 8; i++)
        CHECK(codes[i] == (i % 2 ? CORIO_EUNANSWERED : CORIO_EANSWERED));
    return 0;
}

static void followers_learn_of_a_dispatchers_fault(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_dispatcher_options options = {.size = sizeof options,
                                            .name = "errs",
                                            .dispatch = forgets_and_doubles,
                                            .input_bytes = sizeof(int),
                                            .output_bytes = sizeof(int),
                                            .dedup = true};
        assert_int_equal(corio_dispatcher_add(runtime, &options, &asks), 0);
        assert_int_equal(corio_run(runtime, misused_root, NULL), 0);
    }
}

/* -- Keys and copies of one's own -- */

typedef struct name {
    const char *text;
    int salt; /* is not part of the key */
} name;

static unsigned copies, refuse_copy, names_asked;

static size_t name_key(void *self, const void *input, const void **ret_key)
{
    const char *text = ((const name *)input)->text;
    (void)self;
    if (text[0] == '!')
        return 0; /* asked on its own */
    *ret_key = text;
    return strlen(text);
}

static int copy_text(void *self, void *to, const void *from)
{
    (void)self;
    if (++copies == refuse_copy)
        return -ENOMEM;
    char *copy = strdup(*(char *const *)from);
    *(char **)to = copy;
    return copy != NULL ? (int)strlen(copy) + 1 : -ENOMEM;
}

static int give_names(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        const name *asked = corio_batch_input(batch, i);
        char **output = corio_batch_output(batch, i);
        names_asked++;
        if (output != NULL)
            *output = strdup(asked->text);
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static int ask_name(void *arg)
{
    static const char *const texts[] = {"ab", "abc", "ab", "!", "!", "abc", "ab"};
    int i = *(int *)arg;
    char text[8], *answer = NULL;
    name in = {strcpy(text, texts[i]), i};
    int rc = corio_io(asks, &in, &answer);
    if (rc != 0)
        return rc;
    CHECK(strcmp(answer, texts[i]) == 0);
    free(answer);
    return 0;
}

static int ask_names(void *arg)
{
    (void)arg;
    for (int i = 0; i < 7; i++)
        CHECK(corio_go_copy(ask_name, &i, sizeof i) == 0);
    return corio_wait();
}

static corio_dispatcher_options with_names(void)
{
    copies = names_asked = refuse_copy = 0;
    return (corio_dispatcher_options){.size = sizeof(corio_dispatcher_options),
                                      .name = "names",
                                      .dispatch = give_names,
                                      .input_bytes = sizeof(name),
                                      .output_bytes = sizeof(char *),
                                      .dedup = true,
                                      .key = name_key,
                                      .copy = copy_text};
}

static void keys_and_copies_are_the_dispatchers(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_dispatcher_options options = with_names();
        assert_int_equal(corio_dispatcher_add(runtime, &options, &asks), 0);
        assert_int_equal(corio_run(runtime, ask_names, NULL), 0);
        assert_int_equal(names_asked, 4); /* ab, abc, and two of their own */
        assert_int_equal(copies, 3);
        refuse_copy = 4; /* the first of the next three */
        assert_int_equal(corio_run(runtime, ask_names, NULL), -ENOMEM);
    }
}

static int ask_for_nothing(void *arg)
{
    name in = {"ab", 0};
    char **answer = arg;
    return corio_io(asks, &in, answer);
}

static int asks_without_a_place(void *arg)
{
    char *answer = NULL;
    (void)arg;
    CHECK(corio_go(ask_for_nothing, NULL) == 0 && corio_go(ask_for_nothing, &answer) == 0);
    CHECK(corio_go(ask_for_nothing, NULL) == 0);
    CHECK(corio_wait() == 0);
    CHECK(answer != NULL && strcmp(answer, "ab") == 0);
    free(answer);
    return 0;
}

static void one_without_a_place_for_the_answer_asks_alone(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_dispatcher_options options = with_names();
        assert_int_equal(corio_dispatcher_add(runtime, &options, &asks), 0);
        assert_int_equal(corio_run(runtime, asks_without_a_place, NULL), 0);
        assert_int_equal(names_asked, 3);
        assert_int_equal(copies, 0);
    }
}

static int ask_nothing(void *arg)
{
    return corio_io(arg, NULL, NULL);
}

static int all_ask_nothing(void *arg)
{
    for (int i = 0; i < 50; i++)
        CHECK(corio_go(ask_nothing, arg) == 0);
    return corio_wait();
}

static void requests_with_nothing_in_them_are_equal(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_dispatcher_options options = {
            .size = sizeof options, .name = "empty", .dispatch = answer_all, .dedup = true};
        assert_int_equal(corio_dispatcher_add(runtime, &options, &asks), 0);
        assert_int_equal(corio_run(runtime, all_ask_nothing, asks), 0);
        assert_true(book_stats().misses == 1 && book_stats().followers == 49);
    }
}

static uint64_t hash_zero(void *self, const void *input)
{
    (void)self;
    (void)input;
    return 0;
}

static void drop_nothing(void *self, void *output)
{
    (void)self;
    (void)output;
}

static void what_cannot_be_right_is_refused(void **state)
{
    (void)state;
    corio_runtime *runtime = runtime_with(1);
    corio_dispatcher_options options = with_names();
    options.copy = NULL;
    options.drop = drop_nothing;
    assert_int_equal(corio_dispatcher_add(runtime, &options, &asks), -EINVAL);
    options = with_names();
    options.key = NULL;
    options.hash = hash_zero;
    assert_int_equal(corio_dispatcher_add(runtime, &options, &asks), 0);
    options.cache_bytes = 1000;
    assert_int_equal(corio_dispatcher_add(runtime, &options, &asks), -EINVAL);
    options.key = name_key;
    assert_int_equal(corio_dispatcher_add(runtime, &options, &asks), 0);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_requests_are_asked_once),
        cmocka_unit_test(without_dedup_all_are_asked),
        cmocka_unit_test(an_error_is_everybodys),
        cmocka_unit_test(a_retry_keeps_its_followers),
        cmocka_unit_test(followers_do_not_count_for_limits),
        cmocka_unit_test(requests_of_one_call_may_be_equal),
        cmocka_unit_test(a_call_with_some_answers_is_partial),
        cmocka_unit_test(only_with_a_cache_one_in_flight_is_followed),
        cmocka_unit_test(one_that_waits_for_its_turn_is_followed),
        cmocka_unit_test(a_retry_joins_an_equal_one_that_waits),
        cmocka_unit_test(a_follower_takes_the_place_of_one_withdrawn),
        cmocka_unit_test(cancelled_ones_leave_the_others_asked),
        cmocka_unit_test(a_retry_goes_on_for_the_followers),
        cmocka_unit_test(a_follower_takes_the_place_while_a_retry_waits),
        cmocka_unit_test(a_follower_gives_up_at_once),
        cmocka_unit_test(it_is_cancelled_when_all_are),
        cmocka_unit_test(followers_learn_of_a_dispatchers_fault),
        cmocka_unit_test(keys_and_copies_are_the_dispatchers),
        cmocka_unit_test(one_without_a_place_for_the_answer_asks_alone),
        cmocka_unit_test(requests_with_nothing_in_them_are_equal),
        cmocka_unit_test(what_cannot_be_right_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
