/* SPDX-License-Identifier: MIT
 *
 * Answers that are kept: what is answered from the cache and when, what leaves it, what must not come into it.
 */
#include "book.h"

#include <pthread.h>

enum { per_answer = sizeof(int) * 2 };

/* What an answer of the book costs. */
static size_t answer_bytes(void)
{
    corio_runtime *runtime = runtime_with(1);
    book_open(runtime, (corio_dispatcher_options){.cache_bytes = 1000});
    assert_int_equal(corio_cache_prime(asks, &(int){1}, &(int){1}), 1);
    size_t bytes = (size_t)book_stats().bytes;
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    assert_in_range(bytes, per_answer + 1, per_answer + 150);
    return bytes;
}

static const corio_dispatcher_options cached = {.cache_bytes = 100000};

/* One number, asked by the calling task; its answer, or the error. */
static int get(int number)
{
    int out = -1, rc = corio_io(asks, &number, &out);
    return rc != 0 ? rc : out;
}

/* -- Hits -- */

static int ask_again(void *arg)
{
    (void)arg;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20; i++)
            CHECK(go(i, i % 5, 0) == 0);
        CHECK(corio_wait() == 0);
        for (int i = 0; i < 20; i++)
            CHECK(codes[i] == 0 && answers[i] == i % 5 * 10);
    }
    return 0;
}

static void answers_are_kept_for_later_phases(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, cached);
        assert_int_equal(corio_run(runtime, ask_again, NULL), 0);
        assert_int_equal(book.calls, 1); /* hits alone: the dispatcher is not called */
        assert_int_equal(corio_run(runtime, ask_again, NULL), 0);
        assert_int_equal(book.calls, 1); /* nor in the next run */
        corio_cache_stats stats = book_stats();
        assert_true(stats.misses == 5 && stats.followers == 15 && stats.hits == 100);
        assert_true(stats.entries == 5 && stats.bytes > 0 && stats.evictions == 0);
        corio_stats whole = {.size = sizeof whole};
        assert_int_equal(corio_runtime_stats(runtime, &whole), 0);
        assert_int_equal(whole.requests, 5);
    }
}

static int errors_are_asked_again_root(void *arg)
{
    (void)arg;
    book.mode = book_fails;
    CHECK(get(3) == -EIO);
    book.mode = book_answers;
    CHECK(get(3) == 31 && get(3) == 31);
    return 0;
}

static void errors_are_not_kept(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, cached);
        assert_int_equal(corio_run(runtime, errors_are_asked_again_root, NULL), 0);
    }
}

static int some_of_one_call(void *arg)
{
    int in[4] = {1, 2, 3, 1}, out[4] = {0};
    corio_request requests[4];
    (void)arg;
    CHECK(get(1) == 10);
    for (int i = 0; i < 4; i++)
        requests[i] = (corio_request){.dispatcher = asks, .input = &in[i], .output = &out[i]};
    CHECK(corio_io_all(requests, 4) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(requests[i].status == 0 && out[i] == in[i] * 10);
    CHECK(corio_io_all(requests, 4) == 0);
    return 0;
}

static void a_call_may_have_hits_and_misses(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, cached);
        assert_int_equal(corio_run(runtime, some_of_one_call, NULL), 0);
        assert_true(book.calls == 2 && book_stats().hits == 6 && book_stats().misses == 3);
    }
}

/* -- When hits go on -- */

static int asks_twice(void *arg)
{
    int number = *(int *)arg;
    CHECK(get(number) >= 0);
    return get(1000 + number) == 10000 + 10 * number ? 0 : -EBADMSG;
}

static int hits_and_misses_root(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i += 2)
        CHECK(corio_cache_prime(asks, &i, &i) == 1);
    book.mode = book_keeps;
    for (int i = 0; i < 10; i++)
        CHECK(corio_go_copy(asks_twice, &i, sizeof i) == 0);
    for (int i = 0; i < 5; i++)
        CHECK(tick() == 0);
    CHECK(book.calls == 1 && corio_batch_len(book.kept[0]) == 5); /* the misses; the hits wait */
    book_give(0);
    CHECK(tick() == 0 && tick() == 0);
    CHECK(book.calls == 2 && corio_batch_len(book.kept[0]) == 10); /* all together again */
    book_give(0);
    return corio_wait();
}

static void hits_go_on_with_those_asked_beside_them(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, cached);
        assert_int_equal(corio_run(runtime, hits_and_misses_root, NULL), 0);
    }
}

static int hits_beside_older_root(void *arg)
{
    (void)arg;
    CHECK(corio_cache_prime(asks, &(int){1}, &(int){111}) == 1);
    book.mode = book_keeps;
    CHECK(go(0, 7, 0) == 0 && tick() == 0);
    CHECK(book.kept_count == 1); /* in flight; only this task could say when it is answered */
    CHECK(get(1) == 111);
    CHECK(codes[0] == unset);
    book_give(0);
    return corio_wait();
}

static void hits_alone_wait_for_nobody(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, cached);
        assert_int_equal(corio_run(runtime, hits_beside_older_root, NULL), 0);
    }
}

static int waiting_hit_root(void *arg)
{
    (void)arg;
    corio_group *group;
    CHECK(corio_cache_prime(asks, &(int){1}, &(int){111}) == 1);
    book.mode = book_keeps;
    CHECK(corio_group_open(NULL, &group) == 0);
    CHECK(go(0, 7, 0) == 0 && go_in(group, 1, 1) == 0 && tick() == 0);
    CHECK(codes[1] == unset && book.kept_count == 1);
    CHECK(corio_group_cancel(group, -EINTR) == 0 && corio_group_close(group) == -EINTR);
    CHECK(codes[1] == 0 && answers[1] == 111 && codes[0] == unset);
    book_give(0);
    return corio_wait();
}

static void a_cancelled_hit_goes_on_with_its_answer(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, cached);
        assert_int_equal(corio_run(runtime, waiting_hit_root, NULL), 0);
    }
}

/* -- What leaves -- */

static int last_used_root(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 3; i++)
        CHECK(get(i) == 10 * i);
    CHECK(get(1) == 10); /* 2 is the oldest now */
    CHECK(get(4) == 40); /* 2 leaves */
    CHECK(get(1) == 10 && get(3) == 30 && get(4) == 40 && book.asked[1] == 1 && book.asked[3] == 1);
    CHECK(get(2) == 21); /* 1 leaves */
    CHECK(get(3) == 30 && get(4) == 40 && get(1) == 11);
    return 0;
}

static void the_longest_unused_leaves_first(void **state)
{
    (void)state;
    size_t each = answer_bytes();
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, (corio_dispatcher_options){.cache_bytes = 3 * each + each / 2});
        assert_int_equal(corio_run(runtime, last_used_root, NULL), 0);
        corio_cache_stats stats = book_stats();
        assert_true(stats.entries == 3 && stats.bytes == 3 * each && stats.evictions == 3);
    }
}

static int use_in_one_phase(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++)
        CHECK(get(i) >= 0);
    /* Used in spawn order: 3, 0, 2; then two new ones: 1 and 3 leave. */
    CHECK(go(0, 3, 0) == 0 && go(1, 0, 0) == 0 && go(2, 2, 0) == 0 && go(3, 8, 0) == 0 &&
          go(4, 9, 0) == 0);
    CHECK(corio_wait() == 0);
    unsigned calls = book.calls;
    CHECK(get(0) == 0 && get(2) == 20 && get(8) == 80 && get(9) == 90 && book.calls == calls);
    CHECK(get(1) == 11 && get(3) == 31);
    return 0;
}

static void use_counts_in_spawn_order(void **state)
{
    (void)state;
    size_t each = answer_bytes();
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, (corio_dispatcher_options){.cache_bytes = 4 * each});
        assert_int_equal(corio_run(runtime, use_in_one_phase, NULL), 0);
    }
}

/* Single requests as slices, completed in an order of its own. */
static int in_disorder(void *self, corio_batch *batch)
{
    corio_batch *slices[16];
    size_t count = corio_batch_len(batch);
    (void)self;
    for (size_t i = 0; i < count; i++) {
        if (corio_batch_slice(batch, i, 1, &slices[i]) != 0)
            abort();
        book.asked[*(const int *)corio_batch_input(slices[i], 0)]++;
    }
    for (size_t i = 0; i < count; i++) { /* count: 1 or 10 */
        book_respond(slices[3 * i % count], 0, 0);
        corio_batch_complete(slices[3 * i % count]);
    }
    return CORIO_DONE;
}

static int answered_in_disorder_root(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        CHECK(go(i, i, 0) == 0);
    CHECK(corio_wait() == 0);
    for (int i = 7; i < 10; i++) /* asked last, so kept */
        CHECK(get(i) == 10 * i && book.asked[i] == 1);
    CHECK(get(0) == 0 && book.asked[0] == 2);
    return 0;
}

static void what_is_kept_does_not_depend_on_the_order_of_answers(void **state)
{
    (void)state;
    size_t each = answer_bytes();
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, (corio_dispatcher_options){.cache_bytes = 1000});
        corio_dispatcher_options options = {.size = sizeof options,
                                            .name = "disorder",
                                            .dispatch = in_disorder,
                                            .input_bytes = sizeof(int),
                                            .output_bytes = sizeof(int),
                                            .cache_bytes = 3 * each};
        assert_int_equal(corio_dispatcher_add(runtime, &options, &asks), 0);
        assert_int_equal(corio_run(runtime, answered_in_disorder_root, NULL), 0);
    }
}

static void one_that_is_too_large_is_not_kept(void **state)
{
    (void)state;
    size_t each = answer_bytes();
    corio_runtime *runtime = runtime_with(1);
    for (size_t bytes = 1; bytes < each; bytes++) {
        book_open(runtime, (corio_dispatcher_options){.cache_bytes = bytes});
        assert_int_equal(corio_cache_prime(asks, &(int){1}, &(int){1}), 0);
        assert_int_equal(book_stats().bytes, 0);
    }
    assert_int_equal(corio_runtime_destroy(runtime), 0);
}

/* -- Taking out, putting in -- */

static int invalidated_root(void *arg)
{
    (void)arg;
    CHECK(get(1) == 10 && get(2) == 20 && get(3) == 30);
    CHECK(corio_cache_invalidate(asks, &(int){2}) == 1);
    CHECK(corio_cache_invalidate(asks, &(int){2}) == 0);
    CHECK(get(1) == 10 && get(2) == 21 && get(3) == 30);
    CHECK(corio_cache_clear(asks) == 1 && corio_cache_clear(asks) == 0);
    CHECK(book_stats().entries == 0 && book_stats().bytes == 0 && book_stats().evictions == 0);
    CHECK(get(1) == 11 && get(2) == 22);
    CHECK(corio_cache_prime(asks, &(int){2}, &(int){222}) == 1); /* in place of the other */
    CHECK(get(2) == 222 && book_stats().entries == 2);
    return 0;
}

static void answers_are_taken_out_and_put_in(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, cached);
        assert_int_equal(corio_run(runtime, invalidated_root, NULL), 0);
    }
}

enum way { by_invalidate, by_clear, by_prime };

static int outdated_in_flight_root(void *arg)
{
    enum way way = *(enum way *)arg;
    book.mode = book_keeps;
    CHECK(go(0, 7, 0) == 0 && go(1, 7, 0) == 0 && tick() == 0);
    CHECK(book.kept_count == 1);
    if (way == by_prime)
        CHECK(corio_cache_prime(asks, &(int){7}, &(int){777}) == 1);
    else
        CHECK((way == by_clear ? corio_cache_clear(asks)
                               : corio_cache_invalidate(asks, &(int){7})) == 1);
    CHECK(go(2, 7, 0) == 0); /* asks anew; or finds what was put in */
    CHECK(tick() == 0 && tick() == 0);
    CHECK(book.kept_count == (way == by_prime ? 1 : 2));
    CHECK(codes[0] == unset && codes[2] == (way == by_prime ? 0 : unset));
    book_give(0);
    if (way != by_prime)
        book_give(0);
    CHECK(corio_wait() == 0);
    CHECK(codes[0] == 0 && codes[1] == 0 && answers[0] == answers[1]);
    CHECK(answers[2] == (way == by_prime ? 777 : 71));
    book.mode = book_answers;
    CHECK(get(7) == (way == by_prime ? 777 : 71)); /* the outdated answer was not kept */
    return 0;
}

static void what_is_outdated_in_flight_is_not_kept(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (enum way way = by_invalidate; way <= by_prime; way++) {
            book_open(runtime, cached);
            assert_int_equal(corio_run(runtime, outdated_in_flight_root, &way), 0);
        }
    }
}

static int outdated_then_answered_root(void *arg)
{
    (void)arg;
    book.mode = book_keeps;
    CHECK(go(0, 7, 0) == 0 && tick() == 0);
    CHECK(corio_cache_invalidate(asks, &(int){7}) == 1);
    book_give(*(int *)arg); /* answered, or retried */
    if (*(int *)arg > 0) {
        CHECK(tick() == 0 && tick() == 0);
        book_give(0); /* this answer is new */
    }
    CHECK(corio_wait() == 0 && codes[0] == 0);
    book.mode = book_answers;
    CHECK(get(7) == 71);
    CHECK(book.asked[7] == 2);
    return 0;
}

static void a_retry_is_a_new_question(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int retried = 0; retried < 2; retried++) {
            book_open(runtime, cached);
            assert_int_equal(corio_run(runtime, outdated_then_answered_root, &retried), 0);
        }
    }
}

static int outdated_in_queue_root(void *arg)
{
    (void)arg;
    book.mode = book_keeps;
    CHECK(go(0, 1, 0) == 0 && go(1, 7, 0) == 0 && tick() == 0);
    CHECK(book.asked[7] == 0);                           /* it waits for its turn */
    CHECK(corio_cache_invalidate(asks, &(int){7}) == 0); /* and will get a new answer */
    CHECK(go(2, 7, 0) == 0 && tick() == 0);
    book_give(0);
    CHECK(tick() == 0 && tick() == 0);
    book_give(0);
    CHECK(corio_wait() == 0);
    CHECK(codes[1] == 0 && codes[2] == 0 && get(7) == 70 && book.asked[7] == 1);
    return 0;
}

static void one_that_waits_for_its_turn_is_not_outdated(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, (corio_dispatcher_options){.cache_bytes = 1000, .max_in_flight = 1});
        assert_int_equal(corio_run(runtime, outdated_in_queue_root, NULL), 0);
    }
}

static int primed_while_queued_root(void *arg)
{
    (void)arg;
    book.mode = book_keeps;
    CHECK(go(0, 1, 0) == 0 && go(1, 7, 0) == 0 && go(2, 7, 0) == 0 && tick() == 0);
    CHECK(corio_cache_prime(asks, &(int){7}, &(int){777}) == 1);
    CHECK(get(7) == 777); /* who asks now */
    book_give(0);
    CHECK(tick() == 0 && tick() == 0);
    book_give(1); /* a retry: it still asks on its own */
    CHECK(tick() == 0 && tick() == 0);
    book_give(0);
    CHECK(corio_wait() == 0);
    CHECK(answers[1] == 71 && answers[2] == 71 && get(7) == 777);
    return 0;
}

static void one_that_waits_for_its_turn_goes_out_beside_what_is_put_in(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        book_open(runtime, (corio_dispatcher_options){.cache_bytes = 1000, .max_in_flight = 1});
        assert_int_equal(corio_run(runtime, primed_while_queued_root, NULL), 0);
    }
}

/* -- From other threads, all at once -- */

static uint32_t over;

static void *disturb(void *arg)
{
    for (int i = 0; !__atomic_load_n(&over, __ATOMIC_RELAXED); i++) {
        int key = i % 16, answer = key * 10;
        if (i % 3 == 0)
            (void)corio_cache_prime(asks, &key, &answer);
        else if (i % 3 == 1)
            (void)corio_cache_invalidate(asks, &key);
        else if (i % 100 == 2)
            (void)corio_cache_clear(asks);
        corio_cache_stats stats = {.size = sizeof stats};
        if (corio_cache_get_stats(asks, &stats) != 0 || stats.bytes > 1500)
            abort();
    }
    return arg;
}

static int asks_on(void *arg)
{
    int number = *(int *)arg, key = number % 16;
    for (int i = 0; i < 50; i++) {
        CHECK(get(key) >= key * 10);
        if (i % 10 == number % 10)
            (void)corio_cache_invalidate(asks, &key);
    }
    return 0;
}

static int ask_amid_threads(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++)
        CHECK(corio_go_copy(asks_on, &i, sizeof i) == 0);
    return corio_wait();
}

static void any_thread_may_take_out_and_put_in(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        pthread_t threads[2];
        book_open(runtime, (corio_dispatcher_options){.cache_bytes = 1500});
        over = 0;
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, disturb, NULL), 0);
        int rc = corio_run(runtime, ask_amid_threads, NULL);
        __atomic_store_n(&over, 1, __ATOMIC_RELAXED);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(rc, 0);
    }
}

/* -- Answers that own memory -- */

static int owned, refuse_copy;

static int copy_text(void *self, void *to, const void *from)
{
    (void)self;
    if (refuse_copy != 0 && --refuse_copy == 0)
        return -ENOMEM;
    *(char **)to = strdup(*(char *const *)from);
    ADD(owned);
    return 1000; /* so it says */
}

static void drop_text(void *self, void *output)
{
    (void)self;
    free(*(char **)output);
    owned--;
}

static unsigned texts_made;

static int give_text(void *self, corio_batch *batch)
{
    (void)self;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", *(const int *)corio_batch_input(batch, i));
        *(char **)corio_batch_output(batch, i) = strdup(text);
        ADD(owned);
        texts_made++;
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static int read_text(void *arg)
{
    int number = *(int *)arg;
    char *text = NULL;
    CHECK(corio_io(asks, &number, &text) == 0);
    CHECK(atoi(text) == number);
    drop_text(NULL, &text);
    return 0;
}

static int read_texts(void *arg)
{
    for (int i = 0; i < 8; i++) /* one after the other */
        CHECK(read_text(&(int){i % *(int *)arg}) == 0);
    return 0;
}

static void answers_that_own_memory_are_copied_and_dropped(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        corio_dispatcher_options options = {.size = sizeof options,
                                            .name = "texts",
                                            .dispatch = give_text,
                                            .input_bytes = sizeof(int),
                                            .output_bytes = sizeof(char *),
                                            .cache_bytes = 4600,
                                            .copy = copy_text,
                                            .drop = drop_text};
        texts_made = 0;
        owned = 0;
        assert_int_equal(corio_dispatcher_add(runtime, &options, &asks), 0);
        assert_int_equal(corio_run(runtime, read_texts, &(int){4}), 0);
        assert_true(texts_made == 4 && owned == 4 && book_stats().entries == 4);
        assert_in_range(book_stats().bytes, 4000, 4600);
        assert_int_equal(corio_run(runtime, read_texts, &(int){8}), 0);
        assert_true(owned == 4 && book_stats().evictions == 4);
        refuse_copy = 1; /* into the reader: it is asked, on its own */
        assert_int_equal(corio_run(runtime, read_text, &(int){7}), 0);
        assert_true(texts_made == 9 && owned == 4);
        refuse_copy = 1; /* into the cache: it is not kept */
        assert_int_equal(corio_run(runtime, read_text, &(int){9}), 0);
        assert_true(texts_made == 10 && owned == 4 && refuse_copy == 0);
        assert_int_equal(corio_cache_invalidate(asks, &(int){7}), 1);
        assert_int_equal(owned, 3);
        char *text = NULL;
        assert_int_equal(corio_cache_prime(asks, &(int){1}, NULL), -EINVAL);
        text = strdup("1");
        assert_int_equal(corio_cache_prime(asks, &(int){1}, &text), 1);
        free(text);
        assert_int_equal(owned, 4);
    }
    assert_int_equal(owned, 0); /* with the runtime */
}

/* -- Arguments -- */

static void nonsense_is_refused(void **state)
{
    (void)state;
    corio_runtime *runtime = runtime_with(1);
    book_open(runtime, cached);
    int number = 1;
    corio_cache_stats stats = {.size = 0};
    assert_int_equal(corio_cache_prime(NULL, &number, &number), -EINVAL);
    assert_int_equal(corio_cache_invalidate(NULL, &number), -EINVAL);
    assert_int_equal(corio_cache_clear(NULL), -EINVAL);
    assert_int_equal(corio_cache_get_stats(NULL, &stats), -EINVAL);
    assert_int_equal(corio_cache_get_stats(asks, NULL), -EINVAL);
    assert_int_equal(corio_cache_get_stats(asks, &stats), -EINVAL);
    assert_int_equal(corio_cache_invalidate(asks, NULL), 0); /* it has no key */
    stats = (corio_cache_stats){.size = offsetof(corio_cache_stats, misses), .misses = 77};
    assert_int_equal(corio_cache_get_stats(asks, &stats), 0);
    assert_int_equal(stats.misses, 77); /* an older header's struct is shorter */
    assert_int_equal(corio_runtime_destroy(runtime), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_kept_for_later_phases),
        cmocka_unit_test(errors_are_not_kept),
        cmocka_unit_test(a_call_may_have_hits_and_misses),
        cmocka_unit_test(hits_go_on_with_those_asked_beside_them),
        cmocka_unit_test(hits_alone_wait_for_nobody),
        cmocka_unit_test(a_cancelled_hit_goes_on_with_its_answer),
        cmocka_unit_test(the_longest_unused_leaves_first),
        cmocka_unit_test(use_counts_in_spawn_order),
        cmocka_unit_test(what_is_kept_does_not_depend_on_the_order_of_answers),
        cmocka_unit_test(one_that_is_too_large_is_not_kept),
        cmocka_unit_test(answers_are_taken_out_and_put_in),
        cmocka_unit_test(what_is_outdated_in_flight_is_not_kept),
        cmocka_unit_test(a_retry_is_a_new_question),
        cmocka_unit_test(one_that_waits_for_its_turn_is_not_outdated),
        cmocka_unit_test(one_that_waits_for_its_turn_goes_out_beside_what_is_put_in),
        cmocka_unit_test(any_thread_may_take_out_and_put_in),
        cmocka_unit_test(answers_that_own_memory_are_copied_and_dropped),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
