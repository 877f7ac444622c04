/* SPDX-License-Identifier: MIT
 *
 * search.c - words looked up, a task each.
 */
#include "indexer.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

/* A task per word: all questions are one batch. */
static int find_word(void *arg)
{
    struct search *search = arg;
    struct postings found = {0};
    for (char *c = search->word; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    int rc = postings_of_io(postings_of, &(struct file_key){search->word}, &found);
    if (rc < 0)
        return rc;
    search->items = malloc((found.length + 1) * sizeof *search->items);
    if (!search->items)
        return -ENOMEM;
    if (found.length) /* the answer is valid until the next suspension only */
        memcpy(search->items, found.items, found.length * sizeof *search->items);
    search->length = found.length;
    return 0;
}

int find_words(void *arg)
{
    struct words *words = arg;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < words->length; i++)
        rc = corio_go(find_word, &words->items[i]);
    int waited = corio_wait();
    return rc < 0 ? rc : waited;
}

int by_count(const void *a, const void *b)
{
    const struct posting *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count ? 1 : -1)
                                : (x->file > y->file) - (x->file < y->file);
}

void intersect(struct search *first, const struct search *second)
{
    size_t kept = 0, j = 0;
    for (size_t i = 0; i < first->length; i++) {
        while (j < second->length && second->items[j].file < first->items[i].file)
            j++;
        if (j < second->length && second->items[j].file == first->items[i].file) {
            first->items[kept] = first->items[i];
            first->items[kept++].count += second->items[j].count;
        }
    }
    first->length = kept;
}
