/* SPDX-License-Identifier: MIT
 *
 * dependency.c - reads dependency fields.
 */
#include "dependency.h"

#include <errno.h>

void dependency_begin(struct dependency_cursor *cursor, struct text field, const char *architecture,
                      unsigned position)
{
    *cursor =
        (struct dependency_cursor){.at = field.at,
                                   .end = field.length > 0 ? field.at + field.length : field.at,
                                   .architecture = architecture,
                                   .position = position};
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_spaces(struct dependency_cursor *cursor)
{
    while (cursor->at < cursor->end && is_space(*cursor->at))
        cursor->at++;
}

static bool at(const struct dependency_cursor *cursor, char c)
{
    return cursor->at < cursor->end && *cursor->at == c;
}

/* A run of characters up to a space or one of `stops`. */
static struct text take_word(struct dependency_cursor *cursor, const char *stops)
{
    struct text word = {cursor->at, 0};
    while (cursor->at < cursor->end && !is_space(*cursor->at) && !strchr(stops, *cursor->at))
        cursor->at++;
    word.length = (size_t)(cursor->at - word.at);
    return word;
}

/* "<" and ">" alone are the old way to write "<=" and ">=". */
static int take_relation(struct dependency_cursor *cursor, enum relation *ret)
{
    static const struct {
        const char *text;
        enum relation relation;
    } known[] = {
        {"<<", RELATION_EARLIER},  {"<=", RELATION_AT_MOST}, {">>", RELATION_LATER},
        {">=", RELATION_AT_LEAST}, {"=", RELATION_EQUAL},    {"<", RELATION_AT_MOST},
        {">", RELATION_AT_LEAST},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t length = strlen(known[i].text);
        if ((size_t)(cursor->end - cursor->at) >= length &&
            memcmp(cursor->at, known[i].text, length) == 0) {
            cursor->at += length;
            *ret = known[i].relation;
            return 0;
        }
    }
    return -EINVAL;
}

static int take_version(struct dependency_cursor *cursor, struct dependency *dependency)
{
    cursor->at++; /* the parenthesis */
    skip_spaces(cursor);
    int rc = take_relation(cursor, &dependency->relation);
    if (rc < 0)
        return rc;
    skip_spaces(cursor);
    dependency->version = take_word(cursor, ")");
    skip_spaces(cursor);
    if (!at(cursor, ')') || dependency->version.length == 0)
        return -EINVAL;
    cursor->at++;
    return 0;
}

static bool ends_with(struct text text, const char *end)
{
    size_t length = strlen(end);
    return text.length >= length && memcmp(text.at + text.length - length, end, length) == 0;
}

/* "amd64", "any", "linux-any", "any-amd64", "linux-amd64" for the architecture amd64. */
static bool architecture_matches(struct text name, const char *architecture)
{
    if (text_is(name, architecture) || text_is(name, "any") || text_is(name, "linux-any"))
        return true;
    struct text system = {
        name.at, name.length > strlen(architecture) ? name.length - strlen(architecture) : 0};
    return ends_with(name, architecture) && (text_is(system, "any-") || text_is(system, "linux-"));
}

/* [a b]: only for these; [!a !b]: for all but these. */
static int take_architectures(struct dependency_cursor *cursor, bool *ret_applies)
{
    bool listed = false;
    bool negated = false;
    cursor->at++; /* the bracket */
    for (skip_spaces(cursor); !at(cursor, ']'); skip_spaces(cursor)) {
        if (at(cursor, '!')) {
            negated = true;
            cursor->at++;
        }
        struct text name = take_word(cursor, "]");
        if (name.length == 0)
            return -EINVAL;
        listed |= cursor->architecture && architecture_matches(name, cursor->architecture);
    }
    cursor->at++;
    *ret_applies = !cursor->architecture || listed != negated;
    return 0;
}

static int skip_profiles(struct dependency_cursor *cursor)
{
    while (cursor->at < cursor->end && *cursor->at != '>')
        cursor->at++;
    if (!at(cursor, '>'))
        return -EINVAL;
    cursor->at++;
    return 0;
}

static int take_alternative(struct dependency_cursor *cursor, struct dependency *dependency,
                            bool *ret_applies)
{
    dependency->name = take_word(cursor, ":([<|,");
    if (dependency->name.length == 0)
        return -EINVAL;
    if (at(cursor, ':')) {
        cursor->at++;
        dependency->qualifier = take_word(cursor, "([<|,");
    }
    for (;;) {
        int rc = 0;
        skip_spaces(cursor);
        if (at(cursor, '('))
            rc = take_version(cursor, dependency);
        else if (at(cursor, '['))
            rc = take_architectures(cursor, ret_applies);
        else if (at(cursor, '<'))
            rc = skip_profiles(cursor);
        else
            return cursor->at == cursor->end || *cursor->at == ',' || *cursor->at == '|' ? 0
                                                                                         : -EINVAL;
        if (rc < 0)
            return rc;
    }
}

/* Moves past the mark behind an alternative, and counts. */
static void pass_mark(struct dependency_cursor *cursor)
{
    if (at(cursor, '|')) {
        cursor->alternative++;
        cursor->at++;
    } else if (at(cursor, ',')) {
        cursor->position++;
        cursor->alternative = 0;
        cursor->at++;
    }
}

int dependency_next(struct dependency_cursor *cursor, struct dependency *ret)
{
    for (;;) {
        skip_spaces(cursor);
        if (cursor->at == cursor->end)
            return 0;
        if (at(cursor, ',')) { /* an empty position, or the comma at the end of a field */
            pass_mark(cursor);
            continue;
        }
        struct dependency dependency = {.position = cursor->position,
                                        .alternative = cursor->alternative};
        bool applies = true;
        int rc = take_alternative(cursor, &dependency, &applies);
        if (rc < 0)
            return rc;
        pass_mark(cursor);
        if (applies) {
            *ret = dependency;
            return 1;
        }
    }
}

void dependency_print(FILE *to, bool first, const char *name, enum relation relation,
                      const char *version)
{
    fprintf(to, "%s%s", first ? "" : " | ", name);
    if (relation != RELATION_ANY)
        fprintf(to, " (%s %s)", relation_text(relation), version);
}
