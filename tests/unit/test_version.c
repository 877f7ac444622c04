/* SPDX-License-Identifier: MIT
 *
 * test_version.c - the order of Debian versions. Built with examples/pkgaudit/version.c.
 */
#include "examples/pkgaudit/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Each is earlier than the next. */
static const char *const ascending[] = {
    "0~~",
    "0~",
    "0~a",
    "0",
    "0-0.1",
    "0.1",
    "0.9",
    "0.10~rc1",
    "0.10",
    "0.10-1",
    "0.10-1+b1",
    "0.10-2",
    "0.10-10",
    "0.10a-1",
    "0.10+dfsg",
    "1.0~beta1~svn1",
    "1.0~beta1",
    "1.0",
    "1.0a",
    "1.0aa",
    "1.0+",
    "1.0.",
    "1.0.1",
    "1.1-a-1",
    "9",
    "10",
    "20240101",
    "99999999999999999999",
    "100000000000000000000",
    "1:0~",
    "1:0",
    "2:0",
    "10:0",
};

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void versions_are_ordered(void **state)
{
    (void)state;
    int count = (int)(sizeof ascending / sizeof ascending[0]);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++) {
            int order = sign(version_compare(ascending[i], ascending[j]));
            if (order != sign(i - j))
                fail_msg("%s and %s: %d", ascending[i], ascending[j], order);
        }
}

static void absent_parts_count_as_zero(void **state)
{
    (void)state;
    assert_int_equal(version_compare("1.0", "0:1.0"), 0);
    assert_int_equal(version_compare("1.0", "1.0-0"), 0);
    assert_int_equal(version_compare("1.0", "1.00"), 0);
    assert_int_equal(version_compare("1.a", "1.a0"), 0);
    assert_int_equal(version_compare("007", "7"), 0);
    assert_true(version_compare("", "1") < 0);
}

static void revision_begins_at_the_last_hyphen(void **state)
{
    (void)state;
    assert_true(version_compare("1-2-3", "1-2-4") < 0);
    assert_true(version_compare("1-10-1", "1-2-9") > 0);
}

static void relations_hold_as_written(void **state)
{
    (void)state;
    assert_true(version_meets("1.0", RELATION_ANY, ""));
    assert_true(version_meets("1.0", RELATION_AT_LEAST, "1.0"));
    assert_true(version_meets("1.0", RELATION_AT_MOST, "1.0"));
    assert_true(version_meets("1.0", RELATION_EQUAL, "1.0-0"));
    assert_false(version_meets("1.0", RELATION_LATER, "1.0"));
    assert_false(version_meets("1.0", RELATION_EARLIER, "1.0"));
    assert_true(version_meets("1.0~rc1", RELATION_EARLIER, "1.0"));
    assert_true(version_meets("1:0", RELATION_LATER, "99"));
    assert_string_equal(relation_text(RELATION_AT_LEAST), ">=");
    assert_string_equal(relation_text(RELATION_ANY), "");
}

static void unknown_version_meets_no_demand(void **state)
{
    (void)state;
    assert_true(version_meets("", RELATION_ANY, ""));
    assert_false(version_meets("", RELATION_AT_MOST, "1"));
    assert_false(version_meets("", RELATION_EARLIER, "1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_ordered),
        cmocka_unit_test(absent_parts_count_as_zero),
        cmocka_unit_test(revision_begins_at_the_last_hyphen),
        cmocka_unit_test(relations_hold_as_written),
        cmocka_unit_test(unknown_version_meets_no_demand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
