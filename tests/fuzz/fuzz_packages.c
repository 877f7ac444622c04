/* SPDX-License-Identifier: MIT
 *
 * The audit's parsers on any bytes: stanzas, and what they hold as dependency fields. Built with
 * examples/pkgaudit/stanza.c, dependency.c and version.c.
 *
 * Checked: nothing outside of the input is read or returned, every call gets on, a block that is cut at
 * stanza_boundary gives the same stanzas in two parts, ruling architectures out leaves fewer
 * alternatives, and versions are in an order (it agrees with dpkg's in check_versions.py).
 */
#include "examples/pkgaudit/dependency.h"
#include "examples/pkgaudit/stanza.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { most_versions = 6, version_bytes = 64 };

static char versions[most_versions][version_bytes];
static unsigned version_count;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_in(struct text inner, struct text outer)
{
    return inner.length == 0 || (inner.at >= outer.at && inner.length <= outer.length &&
                                 (size_t)(inner.at - outer.at) <= outer.length - inner.length);
}

static void keep_version(struct text version)
{
    if (version_count == most_versions || version.length == 0 || version.length >= version_bytes)
        return;
    memcpy(versions[version_count], version.at, version.length);
    versions[version_count++][version.length] = '\0';
}

static unsigned read_dependencies(struct text field, const char *architecture)
{
    struct dependency_cursor cursor;
    struct dependency next, last = {.position = 0};
    unsigned count = 0;
    int rc;
    dependency_begin(&cursor, field, architecture, 0);
    while ((rc = dependency_next(&cursor, &next)) == 1) {
        CHECK(lies_in(next.name, field) && next.name.length > 0);
        CHECK(lies_in(next.qualifier, field) && lies_in(next.version, field));
        CHECK((next.relation == RELATION_ANY) == (next.version.length == 0));
        CHECK(count == 0 || next.position > last.position ||
              (next.position == last.position && next.alternative > last.alternative));
        last = next;
        count++;
        if (next.version.length > 0)
            keep_version(next.version);
    }
    CHECK(rc == 0 || rc == -EINVAL);
    return rc == 0 ? count : UINT32_MAX;
}

static void read_field(struct text field)
{
    unsigned all = read_dependencies(field, NULL);
    unsigned some = read_dependencies(field, "amd64");
    CHECK((all == UINT32_MAX) == (some == UINT32_MAX) && some <= all);
}

/* How many stanzas there are; *ret_rc: how it ended. */
static unsigned read_stanzas(struct text block, size_t line, size_t *ret_line, int *ret_rc)
{
    struct stanza_cursor cursor;
    struct stanza stanza;
    unsigned count = 0;
    stanza_begin(&cursor, block.at, block.length, line);
    for (;;) {
        const char *before = cursor.at;
        *ret_rc = stanza_next(&cursor, &stanza);
        if (*ret_rc != 1)
            break;
        CHECK(cursor.at > before && stanza.line >= line && stanza.line < cursor.line);
        const struct text fields[] = {stanza.package,    stanza.version,  stanza.architecture,
                                      stanza.depends,    stanza.provides, stanza.status,
                                      stanza.pre_depends};
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            CHECK(lies_in(fields[i], block));
        CHECK(stanza.package.length > 0);
        keep_version(stanza.version);
        read_field(stanza.depends);
        read_field(stanza.provides);
        count++;
    }
    CHECK(*ret_rc == 0 || (*ret_rc == -EBADMSG && cursor.problem != NULL));
    *ret_line = cursor.line;
    return count;
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void check_order(void)
{
    for (unsigned i = 0; i < version_count; i++) {
        const char *a = versions[i];
        CHECK(version_compare(a, a) == 0);
        for (unsigned j = 0; j < version_count; j++) {
            const char *b = versions[j];
            int order = sign(version_compare(a, b));
            CHECK(order == -sign(version_compare(b, a)));
            if (a[0] != '\0')
                CHECK(version_meets(a, RELATION_AT_LEAST, b) == (order >= 0) &&
                      version_meets(a, RELATION_EARLIER, b) == (order < 0));
            for (unsigned k = 0; k < version_count; k++)
                if (order <= 0 && version_compare(b, versions[k]) <= 0)
                    CHECK(version_compare(a, versions[k]) <= 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text block = {(const char *)data, size};
    size_t line, middle_line;
    int rc, first_rc, second_rc;
    version_count = 0;
    unsigned whole = read_stanzas(block, 1, &line, &rc);
    size_t boundary = stanza_boundary(block.at, block.length);
    CHECK(boundary <= size);
    struct text first = {block.at, boundary}, second = {block.at + boundary, size - boundary};
    unsigned count = read_stanzas(first, 1, &middle_line, &first_rc);
    if (first_rc == 0)
        count += read_stanzas(second, middle_line, &line, &second_rc);
    CHECK(count == whole);
    version_count = 0;
    read_field(block);
    check_order();
    return 0;
}
