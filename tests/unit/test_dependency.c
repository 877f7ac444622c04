/* SPDX-License-Identifier: MIT
 *
 * test_dependency.c - reading dependency fields. Built with examples/pkgaudit/dependency.c and
 * version.c.
 */
#include "examples/pkgaudit/dependency.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Reads a whole field into "position.alternative name:qualifier relation version; ". Returns the
 * last result. */
static int read_field(const char *field, const char *architecture, char *text, size_t bytes)
{
    struct dependency_cursor cursor;
    struct dependency found;
    size_t at = 0;
    int rc;
    text[0] = '\0';
    dependency_begin(&cursor, (struct text){field, strlen(field)}, architecture, 0);
    while ((rc = dependency_next(&cursor, &found)) > 0)
        at += (size_t)snprintf(
            text + at, bytes - at, "%u.%u %.*s%s%.*s%s%s%s%.*s; ", found.position,
            found.alternative, (int)found.name.length, found.name.at,
            found.qualifier.length ? ":" : "", (int)found.qualifier.length, found.qualifier.at,
            found.relation ? " " : "", relation_text(found.relation), found.relation ? " " : "",
            (int)found.version.length, found.version.at);
    return rc;
}

static void assert_reads(const char *field, const char *architecture, const char *expected)
{
    char text[512];
    assert_int_equal(read_field(field, architecture, text, sizeof text), 0);
    assert_string_equal(text, expected);
}

static void alternatives_are_counted(void **state)
{
    (void)state;
    assert_reads("a, b | c | d,e", NULL, "0.0 a; 1.0 b; 1.1 c; 1.2 d; 2.0 e; ");
    assert_reads("", NULL, "");
    assert_reads(" a ,\n b,", NULL, "0.0 a; 1.0 b; ");
}

static void relations_are_read(void **state)
{
    (void)state;
    assert_reads(
        "a (>= 1:2-3), b(<<4), c ( = 5 ), d (<= 6), e (>> 7), f (< 8), g (> 9)", NULL,
        "0.0 a >= 1:2-3; 1.0 b << 4; 2.0 c = 5; 3.0 d <= 6; 4.0 e >> 7; 5.0 f <= 8; 6.0 g >= 9; ");
}

static void qualifiers_are_kept(void **state)
{
    (void)state;
    assert_reads("python3:any (>= 3.7), b:native | c:i386", NULL,
                 "0.0 python3:any >= 3.7; 1.0 b:native; 1.1 c:i386; ");
}

static void architectures_rule_alternatives_out(void **state)
{
    (void)state;
    assert_reads("a [amd64 i386], b [!amd64], c [i386] | d, e [linux-any], f [any-amd64], g "
                 "[any-arm64], h [!i386]",
                 "amd64", "0.0 a; 2.1 d; 3.0 e; 4.0 f; 6.0 h; ");
    assert_reads("a (>= 1) [i386] <!nocheck> | b <cross>", "amd64", "0.1 b; ");
}

static void malformed_text_is_refused(void **state)
{
    (void)state;
    static const char *const fields[] = {
        "a (", "a (>= 1",  "a ()", "a (1)",      "a (>= )", "a b",       "a | | b (",
        "| a", "a [amd64", "a <x", "a (>= 1) b", "(>= 1)",  "a (>= 1 2)"};
    char text[512];
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (read_field(fields[i], "amd64", text, sizeof text) != -EINVAL)
            fail_msg("accepted: %s", fields[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alternatives_are_counted),
        cmocka_unit_test(relations_are_read),
        cmocka_unit_test(qualifiers_are_kept),
        cmocka_unit_test(architectures_rule_alternatives_out),
        cmocka_unit_test(malformed_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
