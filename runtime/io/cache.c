/* SPDX-License-Identifier: MIT
 *
 * cache.c - answers that are kept: least recently used out first, bounded in bytes.
 *
 * An answer's memory is one block: node, output, key. What the output owns besides is the business
 * of the hooks `copy` and `drop`.
 */
#include "runtime/io/reuse.h"

#include "runtime/base/alloc.h"
#include "runtime/base/options.h"

#include <errno.h>
#include <string.h>

/* Of the table, per answer: it has at most two chains for each. */
enum { share_of_table = 2 * sizeof(void *) };

bool cr_reuse_key(const corio_dispatcher_options *options, const void *input, cr_key *ret_key)
{
    cr_key key = {.bytes = NULL};
    if (options->key != NULL) {
        key.count = options->key(options->self, input, &key.bytes);
    } else {
        key.count = options->input_bytes;
        key.bytes = key.count > 0 ? input : "";
    }
    if (key.bytes == NULL)
        return false;
    key.hash = corio_hash_bytes(CORIO_HASH_BEGIN, key.bytes, key.count);
    *ret_key = key;
    return true;
}

int cr_reuse_copy(const corio_dispatcher_options *options, void *to, const void *from)
{
    if (to == from || options->output_bytes == 0)
        return 0;
    if (options->copy != NULL)
        return options->copy(options->self, to, from);
    memcpy(to, from, options->output_bytes);
    return 0;
}

/* -- The order of use -- */

static void link_newest(cr_reuse *reuse, cr_kept_answer *answer)
{
    answer->newer = NULL;
    answer->older = reuse->newest;
    if (reuse->newest != NULL)
        reuse->newest->newer = answer;
    else
        reuse->oldest = answer;
    reuse->newest = answer;
}

static void unlink_answer(cr_reuse *reuse, const cr_kept_answer *answer)
{
    if (answer->newer != NULL)
        answer->newer->older = answer->older;
    else
        reuse->newest = answer->older;
    if (answer->older != NULL)
        answer->older->newer = answer->newer;
    else
        reuse->oldest = answer->newer;
}

void cr_cache_use(cr_reuse *reuse, cr_kept_answer *answer)
{
    if (answer == reuse->newest)
        return;
    unlink_answer(reuse, answer);
    link_newest(reuse, answer);
}

/* -- Keeping and dropping -- */

static void drop(const cr_reuse *reuse, cr_kept_answer *answer)
{
    if (reuse->options->drop != NULL)
        reuse->options->drop(reuse->options->self, answer->output);
    cr_free(answer);
}

void cr_cache_remove(cr_reuse *reuse, cr_kept_answer *answer)
{
    cr_known_remove(&reuse->table, &answer->known);
    unlink_answer(reuse, answer);
    reuse->stats.entries--;
    reuse->stats.bytes -= answer->bytes;
    drop(reuse, answer);
}

/* A copy that is not in the table yet; NULL: no memory, or too large. */
static cr_kept_answer *make_answer(const cr_reuse *reuse, const cr_key *key, const void *output)
{
    const corio_dispatcher_options *options = reuse->options;
    size_t limit = options->cache_bytes, fixed = sizeof(cr_kept_answer) + share_of_table;
    if (fixed > limit || options->output_bytes > limit - fixed ||
        key->count > limit - fixed - options->output_bytes)
        return NULL;
    cr_kept_answer *answer = cr_alloc(sizeof *answer + options->output_bytes + key->count);
    if (answer == NULL)
        return NULL;
    unsigned char *bytes = answer->output + options->output_bytes;
    *answer = (cr_kept_answer){.known = {.key = {bytes, key->count, key->hash}, .is_answer = true}};
    memcpy(bytes, key->bytes, key->count);
    int besides = cr_reuse_copy(options, answer->output, output);
    if (besides < 0) {
        cr_free(answer);
        return NULL;
    }
    answer->bytes = fixed + options->output_bytes + key->count + (size_t)besides;
    return answer;
}

bool cr_cache_keep(cr_reuse *reuse, const cr_key *key, const void *output)
{
    cr_kept_answer *answer = make_answer(reuse, key, output);
    if (answer == NULL)
        return false;
    size_t limit = reuse->options->cache_bytes;
    bool fits = answer->bytes <= limit;
    while (fits && reuse->stats.bytes > limit - answer->bytes) {
        cr_cache_remove(reuse, reuse->oldest);
        reuse->stats.evictions++;
    }
    if (!fits || !cr_known_add(&reuse->table, &answer->known)) {
        drop(reuse, answer);
        return false;
    }
    link_newest(reuse, answer);
    reuse->stats.entries++;
    reuse->stats.bytes += answer->bytes;
    return true;
}

/* -- The public functions -- */

/* What is known of the key is out of date. asked_before: also what a question that has not been
 * handed over will get. */
static bool forget(cr_reuse *reuse, const cr_key *key, bool asked_before)
{
    cr_known *known = cr_known_find(&reuse->table, key);
    if (known == NULL)
        return false;
    if (known->is_answer) {
        cr_cache_remove(reuse, (cr_kept_answer *)known);
        return true;
    }
    cr_question *question = (cr_question *)known;
    if (!question->handed_over && !asked_before)
        return false;
    cr_question_unlist(reuse, question);
    return true;
}

int corio_cache_prime(corio_dispatcher *dispatcher, const void *input, const void *output)
{
    if (dispatcher == NULL || (output == NULL && dispatcher->options.output_bytes > 0))
        return -EINVAL;
    cr_reuse *reuse = dispatcher->reuse;
    cr_key key;
    if (reuse == NULL || reuse->options->cache_bytes == 0 ||
        !cr_reuse_key(reuse->options, input, &key))
        return 0;
    pthread_mutex_lock(&reuse->lock);
    (void)forget(reuse, &key, true);
    bool kept = cr_cache_keep(reuse, &key, output);
    pthread_mutex_unlock(&reuse->lock);
    return kept;
}

int corio_cache_invalidate(corio_dispatcher *dispatcher, const void *input)
{
    if (dispatcher == NULL)
        return -EINVAL;
    cr_reuse *reuse = dispatcher->reuse;
    cr_key key;
    if (reuse == NULL || !cr_reuse_key(reuse->options, input, &key))
        return 0;
    pthread_mutex_lock(&reuse->lock);
    bool any = forget(reuse, &key, false);
    pthread_mutex_unlock(&reuse->lock);
    return any;
}

int corio_cache_clear(corio_dispatcher *dispatcher)
{
    if (dispatcher == NULL)
        return -EINVAL;
    cr_reuse *reuse = dispatcher->reuse;
    bool any = false;
    if (reuse == NULL)
        return 0;
    pthread_mutex_lock(&reuse->lock);
    for (; reuse->newest != NULL; any = true)
        cr_cache_remove(reuse, reuse->newest);
    for (cr_question *at = reuse->first_open; at != NULL; at = at->behind) {
        any |= at->listed && at->handed_over;
        if (at->handed_over)
            cr_question_unlist(reuse, at);
    }
    for (cr_question *at = reuse->first_finished; at != NULL; at = at->next) {
        any |= at->listed;
        cr_question_unlist(reuse, at);
    }
    pthread_mutex_unlock(&reuse->lock);
    return any;
}

int corio_cache_get_stats(corio_dispatcher *dispatcher, corio_cache_stats *stats)
{
    if (dispatcher == NULL || stats == NULL)
        return -EINVAL;
    corio_cache_stats now = {.size = sizeof now};
    cr_reuse *reuse = dispatcher->reuse;
    if (reuse != NULL) {
        pthread_mutex_lock(&reuse->lock);
        now = reuse->stats;
        pthread_mutex_unlock(&reuse->lock);
    }
    return cr_options_fill(stats, sizeof now, &now) ? 0 : -EINVAL;
}
