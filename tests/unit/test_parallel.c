/* SPDX-License-Identifier: MIT
 *
 * Loops over ranges: each number once, the same result on any number of workers, errors, I/O.
 */
#include "harness.h"

enum { numbers = 10000 };

static corio_dispatcher *dispatcher;
static unsigned seen[numbers];
static uint64_t calls;
static uint64_t asked[numbers];
static size_t asked_count, batches;

static int answer(void *self, corio_batch *batch)
{
    (void)self;
    batches++;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        if (asked_count < numbers)
            asked[asked_count++] = *(const uint64_t *)corio_batch_input(batch, i);
        corio_batch_respond(batch, i);
    }
    return CORIO_DONE;
}

static void set_up(corio_runtime *runtime)
{
    corio_dispatcher_options options = {.size = sizeof options,
                                        .name = "empty",
                                        .dispatch = answer,
                                        .input_bytes = sizeof(uint64_t)};
    assert_int_equal(corio_dispatcher_add(runtime, &options, &dispatcher), 0);
    memset(seen, 0, sizeof seen);
    calls = 0;
    asked_count = batches = 0;
}

/* -- Each number once, in chunks of the grain -- */

static int mark(uint64_t begin, uint64_t end, void *arg)
{
    uint64_t grain = *(uint64_t *)arg;
    CHECK(begin < end && end <= numbers);
    CHECK(grain == 0 || (begin % grain == 0 && (end - begin == grain || end == numbers)));
    for (uint64_t i = begin; i < end; i++)
        ADD(seen[i]);
    ADD(calls);
    return 0;
}

static int cover(void *arg)
{
    (void)arg;
    static const uint64_t grains[] = {0, 1, 7, 100, numbers - 1, numbers, UINT64_MAX};
    unsigned rounds = 0;
    for (size_t i = 0; i < sizeof grains / sizeof *grains; i++) {
        uint64_t grain = grains[i];
        calls = 0;
        CHECK(corio_parallel_for(0, numbers, grain, mark, &grain) == 0);
        rounds++;
        for (int at = 0; at < numbers; at++)
            CHECK(READ(seen[at]) == rounds);
        CHECK(grain == 0 ? READ(calls) <= 1024 && READ(calls) > 512
                         : READ(calls) == (numbers - 1) / grain + 1);
    }
    CHECK(corio_parallel_for(5, 5, 1, mark, NULL) == 0);
    return 0;
}

static void every_number_is_done_once(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, cover, NULL), 0);
    }
}

/* Ranges at the end of the numbers. */
static int count_far(uint64_t begin, uint64_t end, void *arg)
{
    __atomic_add_fetch((uint64_t *)arg, end - begin, __ATOMIC_RELAXED);
    return 0;
}

static int far(void *arg)
{
    (void)arg;
    uint64_t count = 0;
    CHECK(corio_parallel_for(0, UINT64_MAX, 0, count_far, &count) == 0 && count == UINT64_MAX);
    count = 0;
    CHECK(corio_parallel_for(UINT64_MAX - 1000, UINT64_MAX, 3, count_far, &count) == 0);
    CHECK(count == 1000);
    return 0;
}

static void largest_ranges_do_not_overflow(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, far, NULL), 0);
    }
}

/* -- The caller's own children are left alone -- */

static int own_child(void *arg)
{
    (void)arg;
    return corio_sleep(1000000) == 0 ? -ENOENT : -EBADMSG;
}

static int nested(uint64_t begin, uint64_t end, void *arg)
{
    (void)begin, (void)end;
    uint64_t grain = 50;
    (void)arg;
    return corio_parallel_for(0, numbers, grain, mark, &grain);
}

static int with_children(void *arg)
{
    (void)arg;
    CHECK(corio_go(own_child, NULL) == 0);
    CHECK(corio_parallel_for(0, 20, 1, nested, NULL) == 0);
    CHECK(READ(seen[17]) == 20);
    return corio_wait() == -ENOENT ? 0 : -EBADMSG;
}

static void loops_nest_and_leave_other_children_alone(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, with_children, NULL), 0);
    }
}

/* -- I/O: one batch, in the order of the range -- */

static int ask(uint64_t begin, uint64_t end, void *arg)
{
    (void)end, (void)arg;
    return corio_io(dispatcher, &begin, NULL);
}

static int ask_all(void *arg)
{
    (void)arg;
    return corio_parallel_for(0, 1000, 10, ask, NULL);
}

static void requests_are_one_batch_in_the_order_of_the_range(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, ask_all, NULL), 0);
        assert_int_equal(batches, 1);
        assert_int_equal(asked_count, 100);
        for (uint64_t i = 0; i < 100; i++)
            assert_int_equal(asked[i], 10 * i);
    }
}

/* -- Errors -- */

static int fail_some(uint64_t begin, uint64_t end, void *arg)
{
    (void)end;
    if (begin == 330)
        corio_fail(-ENOENT, "chunk %d", 33);
    if (begin == 700)
        return -EIO;
    ADD(calls);
    int rc = *(int *)arg ? corio_sleep(UINT64_MAX) : 0;
    return rc;
}

static int all_fail(void *arg)
{
    CHECK(corio_parallel_for(0, 1000, 10, fail_some, arg) == -ENOENT); /* the lowest */
    CHECK(strcmp(corio_task_error()->task, "fail_some") == 0);
    CHECK(strcmp(corio_task_error()->text, "chunk 33") == 0);
    return 0;
}

static int limited(void *arg)
{
    (void)arg;
    int sleeps = 1;
    CHECK(corio_set_deadline(corio_now_ns() + 2000000) == 0);
    CHECK(corio_parallel_for(0, 300, 10, fail_some, &sleeps) == -ECANCELED);
    CHECK(corio_parallel_for(0, 300, 10, fail_some, &sleeps) == -ECANCELED);
    return -ECANCELED;
}

static void first_error_cancels_the_rest(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int sleeps = 0; sleeps < 2; sleeps++)
            assert_int_equal(corio_run(runtime, all_fail, &sleeps), 0);
        assert_int_equal(corio_run(runtime, limited, NULL), -ETIMEDOUT);
    }
}

/* Errors behind I/O: who asks how often is the same on any number of workers. */
static int ask_and_fail(uint64_t begin, uint64_t end, void *arg)
{
    for (int i = 0; i < 5; i++) {
        int rc = ask(begin, end, arg);
        if (rc != 0)
            return rc;
        if (begin % 7 == 3 && (int)(begin % 5) == i)
            return -ENOENT;
    }
    return 0;
}

static int fail_and_go_on(void *arg)
{
    for (uint64_t grain = 1; grain < 4; grain++) {
        CHECK(corio_parallel_for(0, 100, grain, ask_and_fail, arg) == -ENOENT);
        CHECK(ask(grain, 0, NULL) == 0);
    }
    return 0;
}

static void failing_loops_ask_the_same_on_any_number_of_workers(void **state)
{
    (void)state;
    static uint64_t first[numbers];
    size_t first_count = 0, first_batches = 0;
    for (int round = 0; round < 20; round++) {
        FOR_EACH_WORKER_COUNT(runtime)
        {
            set_up(runtime);
            assert_int_equal(corio_run(runtime, fail_and_go_on, NULL), 0);
            if (first_count == 0) {
                memcpy(first, asked, sizeof first);
                first_count = asked_count;
                first_batches = batches;
            }
            assert_int_equal(asked_count, first_count);
            assert_int_equal(batches, first_batches);
            assert_memory_equal(asked, first, first_count * sizeof *first);
        }
    }
    assert_true(first_count > 100);
}

/* -- Reduce -- */

static int add_inverses(uint64_t begin, uint64_t end, void *arg, void *value)
{
    float sum = 0;
    (void)arg;
    for (uint64_t i = begin; i < end; i++)
        sum += 1.0f / (float)(i + 1);
    *(float *)value = sum;
    return 0;
}

static int add(void *into, const void *next, void *arg)
{
    (void)arg;
    *(float *)into += *(const float *)next;
    return 0;
}

static int sum_up(void *arg)
{
    float *sums = arg;
    for (uint64_t grain = 0; grain < 8; grain++)
        CHECK(corio_reduce(0, numbers, grain, add_inverses, add, NULL, &sums[grain],
                           sizeof(float)) == 0);
    return 0;
}

static void result_is_the_same_to_the_bit_on_any_number_of_workers(void **state)
{
    (void)state;
    float first[8], sums[8];
    for (int round = 0; round < 20; round++) {
        FOR_EACH_WORKER_COUNT(runtime)
        {
            bool is_first = round == 0 && count_at == 0;
            assert_int_equal(corio_run(runtime, sum_up, is_first ? first : sums), 0);
            if (!is_first)
                assert_memory_equal(sums, first, sizeof first);
        }
    }
    for (int i = 0; i < 8; i++)
        assert_true(first[i] > 9.78f && first[i] < 9.80f);
}

/* Order: pieces of text are put together. Large: the values are on the heap. */
typedef struct text {
    size_t length;
    char letters[1000];
} text;

static int letters(uint64_t begin, uint64_t end, void *arg, void *value)
{
    text *made = value;
    made->length = 0;
    for (uint64_t i = begin; i < end; i++)
        made->letters[made->length++] = (char)('a' + i % 26);
    return arg != NULL ? corio_io(dispatcher, &begin, NULL) : 0;
}

static int join(void *into, const void *next, void *arg)
{
    text *left = into;
    const text *right = next;
    (void)arg;
    memcpy(left->letters + left->length, right->letters, right->length);
    left->length += right->length;
    return 0;
}

static int spell(void *arg)
{
    text whole;
    for (uint64_t grain = 0; grain < 30; grain += 7) {
        CHECK(corio_reduce(0, 1000, grain, letters, join, arg, &whole, sizeof whole) == 0);
        CHECK(whole.length == 1000);
        for (size_t i = 0; i < 1000; i++)
            CHECK(whole.letters[i] == (char)('a' + i % 26));
    }
    whole.length = 77;
    CHECK(corio_reduce(3, 3, 0, letters, join, arg, &whole, sizeof whole) == 0);
    CHECK(whole.length == 77);
    return 0;
}

static void values_are_combined_in_the_order_of_the_range(void **state)
{
    (void)state;
    int with_io = 1;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, spell, NULL), 0);
        assert_int_equal(corio_run(runtime, spell, &with_io), 0);
    }
}

static int fail_to_join(void *into, const void *next, void *arg)
{
    (void)into, (void)next;
    if (*(int *)arg)
        corio_fail(-ERANGE, "too long");
    return -ERANGE;
}

static int no_letters(uint64_t begin, uint64_t end, void *arg, void *value)
{
    (void)end, (void)arg, (void)value;
    return begin == 2000 ? -ENOENT : 0;
}

static int fail_to_spell(void *arg)
{
    text whole;
    CHECK(corio_reduce(0, 1000, 10, no_letters, fail_to_join, arg, &whole, sizeof whole) ==
          -ERANGE);
    CHECK(corio_reduce(0, 1000, 10, no_letters, fail_to_join, arg, &whole, 8) == -ERANGE);
    CHECK(corio_reduce(1990, 2010, 10, no_letters, fail_to_join, arg, &whole, 8) == -ENOENT);
    return 0;
}

static void failing_values_fail_the_whole(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int how = 0; how < 2; how++)
            assert_int_equal(corio_run(runtime, fail_to_spell, &how), 0);
    }
}

/* -- Misuse -- */

static int misuse(void *arg)
{
    float value;
    CHECK(corio_parallel_for(1, 0, 0, mark, arg) == -EINVAL);
    CHECK(corio_parallel_for_named("none", 0, 1, 0, NULL, arg) == -EINVAL);
    CHECK(corio_reduce(1, 0, 0, add_inverses, add, NULL, &value, sizeof value) == -EINVAL);
    CHECK(corio_reduce(0, 1, 0, add_inverses, add, NULL, NULL, sizeof value) == -EINVAL);
    CHECK(corio_reduce(0, 1, 0, add_inverses, NULL, NULL, &value, sizeof value) == -EINVAL);
    return 0;
}

static void misuse_is_a_named_error(void **state)
{
    (void)state;
    float value;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        assert_int_equal(corio_run(runtime, misuse, NULL), 0);
    }
    assert_int_equal(corio_parallel_for(0, 1, 0, mark, NULL), -EPERM);
    assert_int_equal(corio_reduce(0, 1, 0, add_inverses, add, NULL, &value, sizeof value), -EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_is_done_once),
        cmocka_unit_test(largest_ranges_do_not_overflow),
        cmocka_unit_test(loops_nest_and_leave_other_children_alone),
        cmocka_unit_test(requests_are_one_batch_in_the_order_of_the_range),
        cmocka_unit_test(first_error_cancels_the_rest),
        cmocka_unit_test(failing_loops_ask_the_same_on_any_number_of_workers),
        cmocka_unit_test(result_is_the_same_to_the_bit_on_any_number_of_workers),
        cmocka_unit_test(values_are_combined_in_the_order_of_the_range),
        cmocka_unit_test(failing_values_fail_the_whole),
        cmocka_unit_test(misuse_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
