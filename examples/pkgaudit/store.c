/* SPDX-License-Identifier: MIT
 *
 * store.c - what the kinds of databases have in common.
 */
#include "store.h"

#include <errno.h>
#include <stdlib.h>

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
