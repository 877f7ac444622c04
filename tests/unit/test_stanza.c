/* SPDX-License-Identifier: MIT
 *
 * test_stanza.c - reading stanzas. Built with examples/pkgaudit/stanza.c.
 */
#include "examples/pkgaudit/stanza.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.at, expected, text.length);
}

static int read_one(const char *block, struct stanza *ret, struct stanza_cursor *cursor)
{
    stanza_begin(cursor, block, strlen(block), 1);
    return stanza_next(cursor, ret);
}

static void fields_are_found_in_any_order_and_case(void **state)
{
    (void)state;
    static const char block[] =
        "\n\nVersion: 1.2-3\nPACKAGE:  a\nArchitecture:all\nFilename: x: y\nDepends: b, c\n"
        "Pre-Depends: d\nProvides: e\n\nPackage: b\nVersion: 2\nArchitecture: amd64\n";
    struct stanza_cursor cursor;
    struct stanza stanza;
    assert_int_equal(read_one(block, &stanza, &cursor), 1);
    assert_text(stanza.package, "a");
    assert_text(stanza.version, "1.2-3");
    assert_text(stanza.architecture, "all");
    assert_text(stanza.depends, "b, c");
    assert_text(stanza.pre_depends, "d");
    assert_text(stanza.provides, "e");
    assert_int_equal(stanza.line, 3);
    assert_int_equal(stanza_next(&cursor, &stanza), 1);
    assert_text(stanza.package, "b");
    assert_text(stanza.depends, "");
    assert_int_equal(stanza.line, 11);
    assert_int_equal(stanza_next(&cursor, &stanza), 0);
}

static void folded_value_goes_on(void **state)
{
    (void)state;
    static const char block[] = "Package: a\nVersion: 1\nArchitecture: all\nDescription: x\n .\n "
                                "y\nDepends: b,\n c,\n\td\n";
    struct stanza_cursor cursor;
    struct stanza stanza;
    assert_int_equal(read_one(block, &stanza, &cursor), 1);
    assert_text(stanza.depends, "b,\n c,\n\td");
}

static void empty_text_has_no_stanza(void **state)
{
    (void)state;
    struct stanza_cursor cursor;
    struct stanza stanza;
    assert_int_equal(read_one("", &stanza, &cursor), 0);
    assert_int_equal(read_one("\n \n\n", &stanza, &cursor), 0);
}

static void cut_off_stanza_is_refused(void **state)
{
    (void)state;
    static const char *const blocks[] = {
        "Package: a\nVersion: 1\nArchitecture: all\nDepe",
        "Package: a\nVersion: 1\nArchitecture: all",
        "Package: a\nVersion: 1\n",
        "Package: a\nArchitecture: all\n",
        "Version: 1\nArchitecture: all\n",
        "Package: a\nVersion 1\n",
        ": a\n",
    };
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        struct stanza_cursor cursor;
        struct stanza stanza;
        assert_int_equal(read_one(blocks[i], &stanza, &cursor), -EBADMSG);
        assert_non_null(cursor.problem);
    }
}

static void removed_package_in_a_status_file_needs_no_version(void **state)
{
    (void)state;
    struct stanza_cursor cursor;
    struct stanza stanza;
    assert_int_equal(read_one("Package: a\nStatus: deinstall ok config-files\n", &stanza, &cursor),
                     1);
    assert_text(stanza.status, "deinstall ok config-files");
}

static void boundary_lies_behind_the_last_blank_line(void **state)
{
    (void)state;
    assert_int_equal(stanza_boundary("a\n\nb\n\nc\n", 8), 6);
    assert_int_equal(stanza_boundary("a\n\n", 3), 3);
    assert_int_equal(stanza_boundary("a\nb\n", 4), 0);
    assert_int_equal(stanza_boundary("", 0), 0);
    assert_int_equal(stanza_boundary("\n", 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_in_any_order_and_case),
        cmocka_unit_test(folded_value_goes_on),
        cmocka_unit_test(empty_text_has_no_stanza),
        cmocka_unit_test(cut_off_stanza_is_refused),
        cmocka_unit_test(removed_package_in_a_status_file_needs_no_version),
        cmocka_unit_test(boundary_lies_behind_the_last_blank_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
