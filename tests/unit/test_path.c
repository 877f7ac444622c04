/* SPDX-License-Identifier: MIT
 *
 * Spawn paths: order and text.
 */
#include "harness.h"

#include "runtime/task/task.h"

/*        root
 *       /    \
 *      a(0)   b(2)
 *      |      | \
 *      c(5)   d(0) e(1)        */
static corio_task root = {.name = "root"};
static corio_task a = {.parent = &root, .index = 0}, b = {.parent = &root, .index = 2};
static corio_task c = {.parent = &a, .index = 5};
static corio_task d = {.parent = &b, .index = 0}, e = {.parent = &b, .index = 1};

static int order(const corio_task *x, const corio_task *y)
{
    return cr_path_compare(x->parent, x->index, y->parent, y->index);
}

static void order_is_that_of_a_walk_from_the_root(void **state)
{
    (void)state;
    const corio_task *const walk[] = {&root, &a, &c, &b, &d, &e};
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 6; j++) {
            int got = order(walk[i], walk[j]);
            assert_true(i < j ? got < 0 : i > j ? got > 0 : got == 0);
        }
    }
}

/* The second and third root, of submissions. */
static corio_task second = {.name = "second", .index = 1}, third = {.name = "third", .index = 12};
static corio_task below_second = {.parent = &second, .index = 7};
static corio_task below_third = {.parent = &third, .index = 0};

static void roots_stand_in_the_order_of_their_numbers(void **state)
{
    (void)state;
    const corio_task *const walk[] = {&root,         &a,     &c,          &b, &second,
                                      &below_second, &third, &below_third};
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 8; j++) {
            int got = order(walk[i], walk[j]);
            assert_true(i < j ? got < 0 : i > j ? got > 0 : got == 0);
        }
    }
}

static void text_names_a_numbered_root(void **state)
{
    (void)state;
    char text[16];
    uint64_t indices[2] = {99, 99};
    corio_task deep = {.parent = &below_third, .index = 345};
    assert_int_equal(corio_task_path_text(&deep, text, sizeof text), 11);
    assert_string_equal(text, "#12(0, 345)");
    assert_int_equal(corio_task_path_text(&deep, text, 3), 11);
    assert_string_equal(text, "#1");
    assert_int_equal(corio_task_path_text(&second, text, sizeof text), 4);
    assert_string_equal(text, "#1()");
    assert_int_equal(corio_task_path(&deep, indices, 2), 2);
    assert_int_equal(indices[0], 0);
    assert_int_equal(indices[1], 345);
    assert_int_equal(corio_task_root(&deep), 12);
    assert_int_equal(corio_task_root(&second), 1);
    assert_int_equal(corio_task_root(&e), 0);
    assert_int_equal(corio_task_root(NULL), 0);
}

static void order_of_deep_chains_is_found(void **state)
{
    (void)state;
    enum { depth = 100000 };
    corio_task *left = calloc(depth, sizeof *left), *right = calloc(depth, sizeof *right);
    for (int i = 0; i < depth; i++) {
        left[i] = (corio_task){.parent = i ? &left[i - 1] : &a, .index = 1};
        right[i] = (corio_task){.parent = i ? &right[i - 1] : &b, .index = 0};
    }
    assert_true(order(&left[depth - 1], &right[depth - 1]) < 0);
    assert_true(order(&left[depth - 1], &left[depth - 2]) > 0);
    free(left);
    free(right);
}

static void text_is_cut_to_fit_and_terminated(void **state)
{
    (void)state;
    char text[16];
    corio_task deep = {.parent = &e, .index = 123};
    static const char whole[] = "(2, 1, 123)";
    for (size_t bytes = 1; bytes <= sizeof text; bytes++) {
        memset(text, 'x', sizeof text);
        assert_int_equal(corio_task_path_text(&deep, text, bytes), sizeof whole - 1);
        size_t kept = bytes - 1 < sizeof whole - 1 ? bytes - 1 : sizeof whole - 1;
        assert_memory_equal(text, whole, kept);
        assert_int_equal(text[kept], '\0');
        if (bytes < sizeof text)
            assert_int_equal(text[bytes], 'x');
    }
    assert_int_equal(corio_task_path_text(&deep, NULL, 0), sizeof whole - 1);
    corio_task_path_text(&root, text, sizeof text);
    assert_string_equal(text, "()");
    corio_task_path_text(NULL, text, sizeof text);
    assert_string_equal(text, "()");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_that_of_a_walk_from_the_root),
        cmocka_unit_test(roots_stand_in_the_order_of_their_numbers),
        cmocka_unit_test(text_names_a_numbered_root),
        cmocka_unit_test(order_of_deep_chains_is_found),
        cmocka_unit_test(text_is_cut_to_fit_and_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
