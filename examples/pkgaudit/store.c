/* SPDX-License-Identifier: MIT
 *
 * store.c - what the kinds of databases have in common.
 */
#include "store.h"

#include "cache.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum {
    TRIES = 40,          /* with FIRST_DELAY_MS: some 15 s */
    FIRST_DELAY_MS = 50, /* doubled up to the next */
    LARGEST_DELAY_MS = 400,
};

/* PKGAUDIT_STORES is the build's list: X(sqlite) X(postgres) ... */
#define X(kind) &store_##kind,
const struct store_kind *const store_kinds[] = {PKGAUDIT_STORES NULL};
#undef X

const struct store_kind *store_kind_find(const char *name)
{
    for (const struct store_kind *const *kind = store_kinds; *kind; kind++)
        if (strcmp((*kind)->name, name) == 0)
            return *kind;
    return NULL;
}

int store_failed(struct store *store, int code)
{
    char words[300] = "";
    store->kind->message(store, words, sizeof words);
    return failure_of_database(store->failure, code, store->kind->text_of(code), words,
                               store->where);
}

bool store_pause(unsigned tries)
{
    unsigned ms = LARGEST_DELAY_MS;
    if (tries < 8 && FIRST_DELAY_MS << tries < LARGEST_DELAY_MS)
        ms = FIRST_DELAY_MS << tries;
    if (tries == TRIES || interrupted)
        return false;
    nanosleep(&(struct timespec){0, (long)ms * 1000000}, NULL);
    return true;
}

void question_recall(struct question *question, const uint32_t *ids, uint32_t count,
                     struct edges *answers, bool *found)
{
    for (uint32_t i = 0; i < count; i++)
        found[i] = cache_find(question->cache, ids[i], &answers[i]);
}

int sheet_reserve(struct sheet *sheet, uint32_t count, size_t input_bytes, size_t output_bytes)
{
    if (count <= sheet->room)
        return 0;
    sheet_free(sheet);
    uint32_t room = 2 * count;
    sheet->requests = malloc(room * sizeof *sheet->requests);
    sheet->inputs = malloc(room * input_bytes + 1);
    sheet->outputs = malloc(room * output_bytes + 1);
    if (!sheet->requests || !sheet->inputs || !sheet->outputs) {
        sheet_free(sheet);
        return -ENOMEM;
    }
    sheet->room = room;
    return 0;
}

void sheet_free(struct sheet *sheet)
{
    free(sheet->requests);
    free(sheet->inputs);
    free(sheet->outputs);
    *sheet = (struct sheet){0};
}
