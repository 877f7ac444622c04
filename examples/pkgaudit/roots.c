/* SPDX-License-Identifier: MIT
 *
 * roots.c - which packages are audited.
 */
#include "roots.h"

#include "stanza.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Marks by id. */
struct choice_of_roots {
    const struct universe *universe;
    bool *chosen;
    struct failure *failure;
};

static char *read_file(const char *path, size_t *ret_bytes)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;
    *ret_bytes = 0;
    while (file) {
        if (*ret_bytes == room) {
            room = room ? 2 * room : 65536;
            char *moved = realloc(text, room);
            if (!moved)
                break;
            text = moved;
        }
        size_t got = fread(text + *ret_bytes, 1, room - *ret_bytes, file);
        *ret_bytes += got;
        if (got == 0)
            break;
    }
    bool good = file && feof(file);
    if (file)
        fclose(file);
    if (!good) {
        free(text);
        text = NULL;
    }
    return text;
}

/* "install ok installed": the last word is the state. */
static bool is_installed(struct text status)
{
    static const char word[] = " installed";
    size_t length = sizeof word - 1;
    return status.length > length && memcmp(status.at + status.length - length, word, length) == 0;
}

static int choose_installed(struct choice_of_roots *choice, const char *path)
{
    size_t bytes;
    char *text = read_file(path, &bytes);
    if (!text)
        return failure_set(choice->failure, EXIT_INPUT,
                           "%s: cannot be read (--all audits every package)", path);
    struct stanza_cursor cursor;
    struct stanza stanza;
    int rc;
    stanza_begin(&cursor, text, bytes, 1);
    while ((rc = stanza_next(&cursor, &stanza)) > 0)
        if (is_installed(stanza.status))
            choice->chosen[universe_find(choice->universe, stanza.package.at,
                                         stanza.package.length)] = true;
    if (rc < 0)
        failure_set(choice->failure, EXIT_STANZA, "%s: line %zu: %s", path, cursor.line,
                    cursor.problem);
    free(text);
    return rc;
}

static int choose_named(struct choice_of_roots *choice, const struct roots_wanted *wanted)
{
    for (size_t i = 0; i < wanted->name_count; i++) {
        uint32_t id = universe_find(choice->universe, wanted->names[i], strlen(wanted->names[i]));
        if (id == 0)
            return failure_set(choice->failure, EXIT_NO_ROOTS, "no package %s", wanted->names[i]);
        choice->chosen[id] = true;
    }
    return 0;
}

static void choose_spread(struct choice_of_roots *choice, uint32_t count)
{
    const struct universe *universe = choice->universe;
    if (count > universe->count)
        count = universe->count;
    for (uint32_t i = 0; i < count; i++)
        choice->chosen[universe->sorted[(uint64_t)i * universe->count / count]] = true;
}

int roots_choose(const struct roots_wanted *wanted, const struct universe *universe,
                 struct failure *failure, uint32_t **ret_roots, uint32_t *ret_count)
{
    struct choice_of_roots choice = {
        universe, calloc((size_t)universe->largest_id + 1, sizeof(bool)), failure};
    uint32_t *roots = malloc(((size_t)universe->count + 1) * sizeof *roots);
    uint32_t count = 0;
    int rc = choice.chosen && roots ? 0 : failure_set(failure, EXIT_OTHER, "no memory");
    if (rc == 0 && (wanted->all || wanted->sample > 0))
        choose_spread(&choice, wanted->all ? universe->count : wanted->sample);
    else if (rc == 0 && wanted->name_count == 0)
        rc = choose_installed(&choice, wanted->status);
    if (rc == 0)
        rc = choose_named(&choice, wanted);
    for (uint32_t i = 0; rc == 0 && i < universe->count; i++)
        if (choice.chosen[universe->sorted[i]])
            roots[count++] = universe->sorted[i];
    if (rc == 0 && count == 0)
        rc = failure_set(failure, EXIT_NO_ROOTS,
                         universe->count == 0
                             ? "no packages: run `apt-get update`, or name a Packages file"
                             : "none of the packages is installed: --all audits every one");
    free(choice.chosen);
    if (rc < 0) {
        free(roots);
        return rc;
    }
    *ret_roots = roots;
    *ret_count = count;
    return 0;
}
