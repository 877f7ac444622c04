/* SPDX-License-Identifier: MIT
 *
 * version.c - Debian version numbers.
 *
 *     [epoch:]upstream[-revision]     the epoch ends at the first colon, the revision begins after the last hyphen
 *
 * A part is read as text and number in turns: text is compared by rank (the tilde before the end,
 * the end before letters, letters before all else), a number by value, of any length. An absent
 * number counts as 0.
 */
#include "version.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

struct part {
    const char *at;
    const char *end;
};

static bool at_digit(const struct part *part)
{
    return part->at < part->end && *part->at >= '0' && *part->at <= '9';
}

/* Rank of the next character as text; a digit ends the text like the end of the part. */
static int text_rank(const struct part *part)
{
    if (part->at >= part->end || at_digit(part))
        return 0;
    unsigned char c = (unsigned char)*part->at;
    if (c == '~')
        return -1;
    return isalpha(c) ? c : c + 256;
}

static int compare_text(struct part *a, struct part *b)
{
    for (;;) {
        int rank_a = text_rank(a);
        int rank_b = text_rank(b);
        if (rank_a != rank_b)
            return rank_a < rank_b ? -1 : 1;
        if (rank_a == 0)
            return 0;
        a->at++;
        b->at++;
    }
}

static struct part take_number(struct part *part)
{
    while (at_digit(part) && *part->at == '0')
        part->at++;
    struct part number = {part->at, part->at};
    while (at_digit(part))
        part->at++;
    number.end = part->at;
    return number;
}

/* Without leading zeros the longer number is the larger. */
static int compare_number(struct part *a, struct part *b)
{
    struct part x = take_number(a);
    struct part y = take_number(b);
    ptrdiff_t length = x.end - x.at;
    if (length != y.end - y.at)
        return length < y.end - y.at ? -1 : 1;
    for (; x.at < x.end; x.at++, y.at++) /* mostly a digit or two: not worth a call of memcmp */
        if (*x.at != *y.at)
            return *x.at < *y.at ? -1 : 1;
    return 0;
}

static int compare_part(struct part a, struct part b)
{
    while (a.at < a.end || b.at < b.end) {
        int order = compare_text(&a, &b);
        if (order == 0)
            order = compare_number(&a, &b);
        if (order != 0)
            return order;
    }
    return 0;
}

struct version {
    struct part epoch;
    struct part upstream;
    struct part revision;
};

static struct version split(const char *text)
{
    const char *end = text + strlen(text);
    const char *colon = strchr(text, ':');
    struct version version = {
        {text, colon ? colon : text}, {colon ? colon + 1 : text, end}, {end, end}};
    const char *hyphen = strrchr(version.upstream.at, '-');
    if (hyphen) {
        version.upstream.end = hyphen;
        version.revision.at = hyphen + 1;
    }
    return version;
}

int version_compare(const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return 0;
    struct version x = split(a);
    struct version y = split(b);
    int order = compare_number(&x.epoch, &y.epoch);
    if (order == 0)
        order = compare_part(x.upstream, y.upstream);
    if (order == 0)
        order = compare_part(x.revision, y.revision);
    return order;
}

bool version_meets(const char *have, enum relation relation, const char *want)
{
    if (relation == RELATION_ANY)
        return true;
    if (have[0] == '\0')
        return false;
    int order = version_compare(have, want);
    switch (relation) {
    case RELATION_EARLIER:
        return order < 0;
    case RELATION_AT_MOST:
        return order <= 0;
    case RELATION_EQUAL:
        return order == 0;
    case RELATION_AT_LEAST:
        return order >= 0;
    case RELATION_LATER:
        return order > 0;
    default:
        return false;
    }
}

const char *relation_text(enum relation relation)
{
    static const char *const texts[] = {"", "<<", "<=", "=", ">=", ">>"};
    return (unsigned)relation < sizeof texts / sizeof texts[0] ? texts[relation] : "";
}
