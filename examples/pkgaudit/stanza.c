/* SPDX-License-Identifier: MIT
 *
 * stanza.c - reads stanzas.
 *
 *     Package: foo            a field: name, colon, value
 *     Depends: bar,
 *      baz                    a line that begins with a blank goes on with the value above
 *                             an empty line ends the stanza
 */
#include "stanza.h"

#include <errno.h>
#include <strings.h>

void stanza_begin(struct stanza_cursor *cursor, const char *block, size_t bytes, size_t line)
{
    *cursor = (struct stanza_cursor){.at = block, .end = block + bytes, .line = line};
}

static int bad(struct stanza_cursor *cursor, const char *problem)
{
    cursor->problem = problem;
    return -EBADMSG;
}

/* Takes a line without its end. Returns 1, or 0 if the text ends first. */
static int take_line(struct stanza_cursor *cursor, struct text *ret)
{
    const char *end = memchr(cursor->at, '\n', (size_t)(cursor->end - cursor->at));
    if (!end)
        return 0;
    *ret = (struct text){cursor->at, (size_t)(end - cursor->at)};
    cursor->at = end + 1;
    cursor->line++;
    return 1;
}

static bool is_blank(struct text line)
{
    for (size_t i = 0; i < line.length; i++)
        if (line.at[i] != ' ' && line.at[i] != '\t' && line.at[i] != '\r')
            return false;
    return true;
}

static struct text trim(struct text text)
{
    while (text.length > 0 && strchr(" \t\r\n", text.at[0])) {
        text.at++;
        text.length--;
    }
    while (text.length > 0 && strchr(" \t\r\n", text.at[text.length - 1]))
        text.length--;
    return text;
}

/* The place for a field's value, NULL if the field does not matter. */
static struct text *field_of(struct stanza *stanza, struct text name)
{
    const struct {
        const char *name;
        size_t length;
        struct text *value;
    } fields[] = {
        {"Package", 7, &stanza->package},   {"Version", 7, &stanza->version},
        {"Depends", 7, &stanza->depends},   {"Architecture", 12, &stanza->architecture},
        {"Provides", 8, &stanza->provides}, {"Pre-Depends", 11, &stanza->pre_depends},
        {"Status", 6, &stanza->status},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (name.length == fields[i].length &&
            strncasecmp(name.at, fields[i].name, name.length) == 0)
            return fields[i].value;
    return NULL;
}

/* Takes one field or continuation line; *value is where a continuation belongs. */
static int take_field(struct stanza_cursor *cursor, struct stanza *stanza, struct text line,
                      struct text **value)
{
    if (line.at[0] == ' ' || line.at[0] == '\t') {
        if (*value)
            (*value)->length = (size_t)(line.at + line.length - (*value)->at);
        return 0;
    }
    if (line.at[0] == '#')
        return 0;
    const char *colon = memchr(line.at, ':', line.length);
    if (!colon || colon == line.at)
        return bad(cursor, "a line that is no field");
    *value = field_of(stanza, (struct text){line.at, (size_t)(colon - line.at)});
    if (*value)
        **value = (struct text){colon + 1, (size_t)(line.at + line.length - colon - 1)};
    return 0;
}

static int check(struct stanza_cursor *cursor, struct stanza *stanza)
{
    struct text *const all[] = {&stanza->package, &stanza->version,     &stanza->architecture,
                                &stanza->depends, &stanza->pre_depends, &stanza->provides,
                                &stanza->status};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        *all[i] = trim(*all[i]);
    if (stanza->package.length == 0)
        return bad(cursor, "a stanza without Package");
    /* A status file has stanzas of removed packages, without a version. */
    if (stanza->version.length == 0 && stanza->status.length == 0)
        return bad(cursor, "a stanza cut off before its Version");
    if (stanza->architecture.length == 0 && stanza->status.length == 0)
        return bad(cursor, "a stanza cut off before its Architecture");
    return 1;
}

int stanza_next(struct stanza_cursor *cursor, struct stanza *ret)
{
    struct stanza stanza = {.line = 0};
    struct text *value = NULL;
    while (cursor->at < cursor->end) {
        struct text line;
        size_t number = cursor->line;
        if (!take_line(cursor, &line))
            return bad(cursor, "a stanza cut off within a line");
        if (is_blank(line)) {
            if (stanza.line > 0)
                break;
            continue;
        }
        if (stanza.line == 0)
            stanza.line = number;
        int rc = take_field(cursor, &stanza, line, &value);
        if (rc < 0)
            return rc;
    }
    if (stanza.line == 0)
        return 0;
    int rc = check(cursor, &stanza);
    if (rc == 1)
        *ret = stanza;
    return rc;
}

size_t stanza_boundary(const char *block, size_t bytes)
{
    while (bytes >= 2) {
        const char *end = memrchr(block, '\n', bytes);
        if (!end || end == block)
            return 0;
        if (end[-1] == '\n')
            return (size_t)(end - block) + 1;
        bytes = (size_t)(end - block);
    }
    return 0;
}
