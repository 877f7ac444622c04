/* SPDX-License-Identifier: MIT
 *
 * Typed faces, as a user declares them.
 */
#include "harness.h"

struct point {
    int x, y;
};

CORIO_DISPATCHER(norm, struct point, long);

static int norm_dispatch(void *self, corio_batch *batch)
{
    int *calls = self;
    ++*calls;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        const struct point *p = norm_input(batch, i);
        long value = (long)p->x * p->x + (long)p->y * p->y;
        norm_respond(batch, i, &value);
    }
    return CORIO_DONE;
}

static struct norm norm;

static int ask_norms(void *arg)
{
    (void)arg;
    struct point points[3] = {{1, 2}, {3, 4}, {5, 12}};
    long answers[3] = {0};
    CHECK(norm_io(norm, &points[1], &answers[1]) == 0 && answers[1] == 25);
    corio_request requests[3];
    for (int i = 0; i < 3; i++)
        requests[i] = norm_request(norm, &points[i], &answers[i]);
    CHECK(corio_io_all(requests, 3) == 0);
    CHECK(answers[0] == 5 && answers[1] == 25 && answers[2] == 169);
    return 0;
}

static void typed_face_carries_values_both_ways(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        int calls = 0;
        assert_int_equal(norm_add(runtime, norm_dispatch, &calls, &norm), 0);
        assert_string_equal(corio_dispatcher_name(norm.dispatcher), "norm");
        assert_int_equal(corio_run(runtime, ask_norms, NULL), 0);
        assert_int_equal(calls, 2);
    }
}

static void typed_face_takes_limits(void **state)
{
    (void)state;
    corio_runtime *runtime = runtime_with(1);
    int calls = 0;
    corio_dispatcher_options options = {
        .name = "limited", .dispatch = norm_dispatch, .self = &calls, .max_batch = 1};
    assert_int_equal(norm_add_with(runtime, &options, &norm), 0);
    assert_int_equal(corio_run(runtime, ask_norms, NULL), 0);
    assert_int_equal(calls, 4);
    corio_runtime_destroy(runtime);
}

static int ask_the_same_twice(void *arg)
{
    struct point p = {3, 4};
    long answer = 0;
    (void)arg;
    CHECK(norm_prime(norm, &(struct point){8, 6}, &(long){100}) == 1);
    CHECK(norm_io(norm, &(struct point){8, 6}, &answer) == 0 && answer == 100);
    CHECK(norm_io(norm, &p, &answer) == 0 && norm_io(norm, &p, &answer) == 0 && answer == 25);
    CHECK(norm_invalidate(norm, &p) == 1);
    return norm_io(norm, &p, &answer);
}

static void typed_face_takes_a_cache(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        int calls = 0;
        corio_dispatcher_options options = {
            .dispatch = norm_dispatch, .self = &calls, .cache_bytes = 1000};
        assert_int_equal(norm_add_with(runtime, &options, &norm), 0);
        assert_int_equal(corio_run(runtime, ask_the_same_twice, NULL), 0);
        assert_int_equal(calls, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typed_face_carries_values_both_ways),
        cmocka_unit_test(typed_face_takes_limits),
        cmocka_unit_test(typed_face_takes_a_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
