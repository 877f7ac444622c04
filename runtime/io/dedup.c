/* SPDX-License-Identifier: MIT
 *
 * dedup.c - equal questions are asked once. The picture and the rules are in reuse.h.
 *
 * Nothing here fails: a request for which there is no memory is asked on its own.
 */
#include "runtime/io/reuse.h"

#include "runtime/base/alloc.h"
#include "runtime/base/panic.h"

#include <errno.h>
#include <string.h>

enum { question_bit = 1, far_ahead = 16, ahead = 8 };

static cr_question *question_of(const corio_request *asker)
{
    uint64_t tagged = asker->reserved_due_ns;
    return (tagged & question_bit) != 0 ? (cr_question *)(uintptr_t)(tagged - question_bit) : NULL;
}

static void set_question(corio_request *asker, cr_question *question)
{
    asker->reserved_due_ns = (uint64_t)(uintptr_t)question + question_bit;
}

static corio_request *next_follower(const corio_request *follower)
{
    return (corio_request *)(uintptr_t)follower->reserved_due_ns;
}

static void set_next(corio_request *follower, const corio_request *next)
{
    follower->reserved_due_ns = (uint64_t)(uintptr_t)next;
}

static cr_entry entry_of(corio_request *request)
{
    const corio_task *task = ((const cr_call *)request->reserved_call)->park.task;
    return (cr_entry){.what = request, .parent = task->parent, .index = task->index};
}

/* -- Questions -- */

static void recycle(cr_reuse *reuse, cr_question *question)
{
    question->next = reuse->unused;
    reuse->unused = question;
}

static cr_question *take_unused(cr_reuse *reuse)
{
    if (reuse->unused == NULL) {
        cr_question_chunk *chunk = cr_alloc(sizeof *chunk);
        if (chunk == NULL)
            return NULL;
        chunk->next = reuse->chunks;
        reuse->chunks = chunk;
        for (size_t i = CR_QUESTION_CHUNK; i-- > 0;)
            recycle(reuse, &chunk->questions[i]);
    }
    cr_question *question = reuse->unused;
    reuse->unused = question->next;
    return question;
}

static bool list(cr_reuse *reuse, cr_question *question)
{
    question->listed = cr_known_add(&reuse->table, &question->known);
    return question->listed;
}

void cr_question_unlist(cr_reuse *reuse, cr_question *question)
{
    if (question->listed)
        cr_known_remove(&reuse->table, &question->known);
    question->listed = false;
}

static void link_open(cr_reuse *reuse, cr_question *question)
{
    question->before = reuse->last_open;
    question->behind = NULL;
    if (reuse->last_open != NULL)
        reuse->last_open->behind = question;
    else
        reuse->first_open = question;
    reuse->last_open = question;
}

static void unlink_open(cr_reuse *reuse, const cr_question *question)
{
    if (question->before != NULL)
        question->before->behind = question->behind;
    else
        reuse->first_open = question->behind;
    if (question->behind != NULL)
        question->behind->before = question->before;
    else
        reuse->last_open = question->before;
}

/* It is over without having been finished. */
static void close_question(cr_reuse *reuse, cr_question *question)
{
    cr_question_unlist(reuse, question);
    unlink_open(reuse, question);
    recycle(reuse, question);
}

static void follow(cr_question *question, corio_request *request)
{
    set_next(request, NULL);
    if (question->last != NULL)
        set_next(question->last, request);
    else
        question->first = request;
    question->last = request;
}

/* -- Collecting -- */

static void open_question(cr_reuse *reuse, corio_request *asker, const cr_key *key)
{
    cr_question *question = take_unused(reuse);
    if (question == NULL)
        return;
    *question = (cr_question){.known = {.key = *key}, .asker = asker, .number = reuse->asked++};
    if (!list(reuse, question)) {
        recycle(reuse, question);
        return;
    }
    link_open(reuse, question);
    set_question(asker, question);
}

/* From the cache; false: it is to be asked. */
static bool hit(cr_reuse *reuse, cr_kept_answer *answer, const cr_entry *entry)
{
    if (!cr_entries_reserve(&reuse->hits, 1) ||
        cr_reuse_copy(reuse->options, cr_entry_request(entry)->output, answer->output) < 0)
        return false;
    cr_cache_use(reuse, answer);
    reuse->hits.items[reuse->hits.count++] = *entry;
    reuse->stats.hits++;
    return true;
}

/* Whether the request needs no asking. One that has no place for an answer can have none copied. */
static bool is_served(cr_reuse *reuse, const cr_entry *entry)
{
    corio_request *request = cr_entry_request(entry);
    cr_key key;
    request->reserved_due_ns = 0;
    if ((request->output == NULL && reuse->options->output_bytes > 0) ||
        !cr_reuse_key(reuse->options, request->input, &key))
        return false;
    cr_known *known = cr_known_find(&reuse->table, &key);
    if (known == NULL) {
        open_question(reuse, request, &key);
        return false;
    }
    if (known->is_answer)
        return hit(reuse, (cr_kept_answer *)known, entry);
    follow((cr_question *)known, request);
    reuse->stats.followers++;
    return true;
}

/* The requests lie in as many frames, their inputs mostly beside them. */
static void prefetch(const cr_entries *fresh, size_t i)
{
    if (i + far_ahead < fresh->count)
        __builtin_prefetch(cr_entry_request(&fresh->items[i + far_ahead]), 1);
    if (i + ahead < fresh->count)
        __builtin_prefetch(cr_entry_request(&fresh->items[i + ahead])->input);
}

/* The request is answered: its call, if that may go on, does so at the resume. */
static void go_on(cr_io *io, cr_worker *leader, const cr_entry *entry)
{
    cr_park *park = cr_entry_done(entry);
    if (park == NULL)
        return;
    if (cr_entries_reserve(&io->reused, 1))
        io->reused.items[io->reused.count++] = (cr_entry){park, entry->parent, entry->index};
    else
        cr_make_runnable_leader(leader, park);
}

static void release_hits(cr_reuse *reuse, cr_io *io, cr_worker *leader)
{
    for (size_t i = 0; i < reuse->hits.count; i++)
        go_on(io, leader, &reuse->hits.items[i]);
    reuse->hits.count = 0;
}

void cr_reuse_collect(corio_dispatcher *dispatcher, cr_worker *leader, cr_entries *fresh)
{
    cr_reuse *reuse = dispatcher->reuse;
    size_t kept = fresh->begin;
    pthread_mutex_lock(&reuse->lock);
    for (size_t i = fresh->begin; i < fresh->count; i++) {
        prefetch(fresh, i);
        if (!is_served(reuse, &fresh->items[i]))
            fresh->items[kept++] = fresh->items[i];
    }
    reuse->stats.misses += kept - fresh->begin;
    pthread_mutex_unlock(&reuse->lock);
    fresh->count = kept;
    if (kept == fresh->begin)
        release_hits(reuse, dispatcher->io, leader);
}

/* -- Out and back -- */

/* For the trace. */
static void number_followers(const cr_question *question, uint64_t batch)
{
    for (corio_request *at = question->first; at != NULL; at = next_follower(at))
        ((cr_call *)at->reserved_call)->park.batch = batch;
}

void cr_reuse_hand_over(const corio_dispatcher *dispatcher, const cr_entry *entries, size_t count,
                        uint64_t batch)
{
    cr_reuse *reuse = dispatcher->reuse;
    pthread_mutex_lock(&reuse->lock);
    for (size_t i = 0; i < count; i++) {
        cr_question *question = question_of(cr_entry_request(&entries[i]));
        if (question == NULL)
            continue;
        question->handed_over = true;
        /* From now on its answer may be older than what somebody who asks has done. With a cache that
         * is so of all answers, and who cares invalidates. */
        if (reuse->options->cache_bytes == 0)
            cr_question_unlist(reuse, question);
        if (CR_UNLIKELY(dispatcher->io->trace != NULL))
            number_followers(question, batch);
    }
    pthread_mutex_unlock(&reuse->lock);
}

void cr_reuse_take(const corio_dispatcher *dispatcher, const cr_entry *entries, size_t count)
{
    cr_reuse *reuse = dispatcher->reuse;
    pthread_mutex_lock(&reuse->lock);
    reuse->replied = true;
    for (size_t i = 0; i < count; i++) {
        const corio_request *asker = cr_entry_request(&entries[i]);
        cr_question *question = question_of(asker);
        if (question == NULL || asker->reserved_state == CR_REQUEST_RETRY)
            continue;
        unlink_open(reuse, question);
        question->next = NULL;
        if (reuse->last_finished != NULL)
            reuse->last_finished->next = question;
        else
            reuse->first_finished = question;
        reuse->last_finished = question;
    }
    pthread_mutex_unlock(&reuse->lock);
}

void cr_reuse_set_due(corio_request *asker, uint64_t due_ns)
{
    cr_question *question = question_of(asker);
    if (question != NULL)
        question->due_ns = due_ns;
    else
        asker->reserved_due_ns = due_ns & ~(uint64_t)question_bit;
}

uint64_t cr_reuse_due(const corio_request *asker)
{
    const cr_question *question = question_of(asker);
    return question != NULL ? question->due_ns : asker->reserved_due_ns;
}

/* The asker and all its followers follow another question. */
static void join(cr_reuse *reuse, cr_question *from, cr_question *into)
{
    corio_request *follower = from->first, *next;
    follow(into, from->asker);
    for (; follower != NULL; follower = next) {
        next = next_follower(follower);
        follow(into, follower);
    }
    close_question(reuse, from);
}

bool cr_reuse_again(const corio_dispatcher *dispatcher, const cr_entry *entry)
{
    cr_reuse *reuse = dispatcher->reuse;
    corio_request *asker = cr_entry_request(entry);
    cr_question *question = question_of(asker);
    bool follows = false;
    if (question == NULL) {
        asker->reserved_due_ns = 0;
        return false;
    }
    pthread_mutex_lock(&reuse->lock);
    question->handed_over = false;
    cr_known *known = question->listed ? NULL : cr_known_find(&reuse->table, &question->known.key);
    follows = known != NULL && !known->is_answer;
    if (follows)
        join(reuse, question, (cr_question *)known);
    else if (known == NULL && !question->listed)
        (void)list(reuse, question); /* without: it goes out all the same */
    pthread_mutex_unlock(&reuse->lock);
    return follows;
}

/* -- Finishing -- */

static cr_question *merge_lists(cr_question *a, cr_question *b)
{
    cr_question *first = NULL, **end = &first;
    while (a != NULL && b != NULL) {
        cr_question **lower = a->number < b->number ? &a : &b;
        *end = *lower;
        end = &(*lower)->next;
        *lower = *end;
    }
    *end = a != NULL ? a : b;
    return first;
}

/* The rising run at the front of *list, taken off. */
static cr_question *take_run(cr_question **list)
{
    cr_question *first = *list, *last = first;
    while (last->next != NULL && last->number < last->next->number)
        last = last->next;
    *list = last->next;
    last->next = NULL;
    return first;
}

/* Into the order in which they were asked: a natural merge sort. There is a run per slice. */
static cr_question *sort(cr_question *list)
{
    cr_question *sorted = take_run(&list);
    if (list == NULL)
        return sorted;
    cr_question *runs[64] = {sorted}; /* runs[n]: 2^n of them, merged */
    sorted = NULL;
    while (list != NULL) {
        cr_question *run = take_run(&list);
        size_t n = 0;
        for (; runs[n] != NULL; n++) {
            run = merge_lists(runs[n], run);
            runs[n] = NULL;
        }
        runs[n] = run;
    }
    for (size_t n = 0; n < sizeof runs / sizeof *runs; n++)
        sorted = merge_lists(runs[n], sorted);
    return sorted;
}

static void give_one(const cr_reuse *reuse, cr_io *io, cr_worker *leader,
                     const corio_request *asker, corio_request *follower)
{
    cr_entry entry = entry_of(follower);
    int rc = asker->status;
    if (rc == 0)
        rc = cr_reuse_copy(reuse->options, follower->output, asker->output);
    follower->status = rc < 0 ? rc : 0;
    go_on(io, leader, &entry);
}

/* In rounds, one follower of each question in each: by the next round its next one has come from
 * memory, and they are nearly in spawn order. The questions are over then. */
static void give_to_followers(cr_reuse *reuse, cr_io *io, cr_worker *leader, cr_question *list)
{
    while (list != NULL) {
        for (cr_question **at = &list; *at != NULL;) {
            cr_question *question = *at;
            corio_request *follower = question->first;
            if (follower == NULL) {
                *at = question->next;
                recycle(reuse, question);
                continue;
            }
            question->first = next_follower(follower);
            if (question->first != NULL)
                __builtin_prefetch(question->first, 1);
            give_one(reuse, io, leader, question->asker, follower);
            at = &question->next;
        }
    }
}

static void finish_questions(cr_reuse *reuse, cr_io *io, cr_worker *leader)
{
    cr_question *finished = sort(reuse->first_finished);
    reuse->first_finished = reuse->last_finished = NULL;
    for (cr_question *at = finished; at != NULL; at = at->next) {
        bool keep = at->listed && at->asker->status == 0 && reuse->options->cache_bytes > 0;
        cr_question_unlist(reuse, at);
        if (keep)
            (void)cr_cache_keep(reuse, &at->known.key, at->asker->output);
    }
    give_to_followers(reuse, io, leader, finished);
}

static void finish(corio_dispatcher *dispatcher, cr_worker *leader)
{
    cr_reuse *reuse = dispatcher->reuse;
    if (reuse->first_finished != NULL) {
        pthread_mutex_lock(&reuse->lock);
        finish_questions(reuse, dispatcher->io, leader);
        pthread_mutex_unlock(&reuse->lock);
    }
    if (reuse->replied || dispatcher->in_flight == 0)
        release_hits(reuse, dispatcher->io, leader);
    reuse->replied = false;
}

void cr_reuse_finish(cr_io *io, cr_worker *leader)
{
    for (size_t i = 0; i < io->dispatcher_count; i++) {
        if (io->dispatchers[i]->reuse != NULL)
            finish(io->dispatchers[i], leader);
    }
}

/* -- Giving up -- */

bool cr_reuse_replace(const corio_dispatcher *dispatcher, cr_entry *entry)
{
    cr_reuse *reuse = dispatcher->reuse;
    corio_request *asker = cr_entry_request(entry);
    cr_question *question = question_of(asker);
    if (question == NULL)
        return false;
    pthread_mutex_lock(&reuse->lock);
    corio_request *follower = question->first;
    asker->reserved_due_ns = 0;
    if (follower != NULL) {
        question->first = next_follower(follower);
        if (question->first == NULL)
            question->last = NULL;
        question->asker = follower;
        set_question(follower, question);
        cr_key key; /* the same bytes, elsewhere */
        if (cr_reuse_key(reuse->options, follower->input, &key))
            question->known.key.bytes = key.bytes;
        *entry = entry_of(follower);
    } else {
        close_question(reuse, question);
    }
    pthread_mutex_unlock(&reuse->lock);
    return follower != NULL;
}

bool cr_reuse_followed(const corio_dispatcher *dispatcher, const corio_request *asker)
{
    const cr_question *question = dispatcher->reuse != NULL ? question_of(asker) : NULL;
    return question != NULL && question->first != NULL;
}

static void end_request(cr_worker *leader, corio_request *request)
{
    cr_call *call = request->reserved_call;
    if (cr_request_done(request))
        cr_make_runnable_leader(leader, &call->park);
}

void cr_reuse_fail(cr_worker *leader, const corio_request *asker)
{
    cr_reuse *reuse = asker->dispatcher->reuse;
    cr_question *question = question_of(asker);
    if (question == NULL)
        return;
    pthread_mutex_lock(&reuse->lock);
    for (corio_request *at = question->first, *next; at != NULL; at = next) {
        next = next_follower(at);
        at->status = asker->status;
        end_request(leader, at);
    }
    close_question(reuse, question);
    pthread_mutex_unlock(&reuse->lock);
}

static void withdraw_followers(const cr_io *io, cr_worker *leader, cr_question *question)
{
    corio_request *before = NULL;
    for (corio_request *at = question->first, *next; at != NULL; at = next) {
        next = next_follower(at);
        at->status = cr_call_given_up(io, at->reserved_call);
        if (at->status == 0) {
            before = at;
            continue;
        }
        if (before != NULL)
            set_next(before, next);
        else
            question->first = next;
        end_request(leader, at);
    }
    question->last = before;
}

void cr_reuse_withdraw(corio_dispatcher *dispatcher, cr_worker *leader)
{
    cr_reuse *reuse = dispatcher->reuse;
    const cr_io *io = dispatcher->io;
    pthread_mutex_lock(&reuse->lock);
    for (cr_question *at = reuse->first_open; at != NULL; at = at->behind)
        withdraw_followers(io, leader, at);
    pthread_mutex_unlock(&reuse->lock);
    size_t kept = 0;
    for (size_t i = 0; i < reuse->hits.count; i++) {
        corio_request *request = cr_entry_request(&reuse->hits.items[i]);
        if (cr_call_given_up(io, request->reserved_call) != 0)
            end_request(leader, request); /* it is answered, and waits for nothing else */
        else
            reuse->hits.items[kept++] = reuse->hits.items[i];
    }
    reuse->hits.count = kept;
}

bool cr_reuse_unwanted(const corio_dispatcher *dispatcher, const corio_request *asker)
{
    const cr_question *question = question_of(asker);
    bool unwanted = true;
    if (question == NULL)
        return true;
    pthread_mutex_lock(&dispatcher->reuse->lock);
    for (corio_request *at = question->first; at != NULL && unwanted; at = next_follower(at))
        unwanted = cr_call_given_up(dispatcher->io, at->reserved_call) != 0;
    pthread_mutex_unlock(&dispatcher->reuse->lock);
    return unwanted;
}

uint64_t cr_reuse_deadline(const corio_dispatcher *dispatcher, const corio_request *asker,
                           uint64_t deadline_ns)
{
    const cr_question *question = question_of(asker);
    if (question == NULL)
        return deadline_ns;
    pthread_mutex_lock(&dispatcher->reuse->lock);
    for (corio_request *at = question->first; at != NULL; at = next_follower(at)) {
        uint64_t other = cr_task_deadline(((const cr_call *)at->reserved_call)->park.task);
        deadline_ns = other > deadline_ns ? other : deadline_ns;
    }
    pthread_mutex_unlock(&dispatcher->reuse->lock);
    return deadline_ns;
}

/* -- Life -- */

static bool is_valid(const corio_dispatcher_options *options)
{
    bool pointers_as_keys = options->hash != NULL && options->key == NULL;
    return (options->drop == NULL || options->copy != NULL) &&
           !(options->cache_bytes > 0 && pointers_as_keys);
}

int cr_reuse_create(const corio_dispatcher_options *options, cr_reuse **ret_reuse)
{
    *ret_reuse = NULL;
    if (!is_valid(options))
        return -EINVAL;
    if (!options->dedup && options->cache_bytes == 0)
        return 0;
    cr_reuse *reuse = cr_alloc_zeroed(sizeof *reuse);
    if (reuse == NULL)
        return -ENOMEM;
    reuse->options = options;
    pthread_mutex_init(&reuse->lock, NULL);
    *ret_reuse = reuse;
    return 0;
}

void cr_reuse_destroy(cr_reuse *reuse)
{
    if (reuse == NULL)
        return;
    CR_INVARIANT(reuse->first_open == NULL && reuse->first_finished == NULL);
    while (reuse->newest != NULL)
        cr_cache_remove(reuse, reuse->newest);
    while (reuse->chunks != NULL) {
        cr_question_chunk *chunk = reuse->chunks;
        reuse->chunks = chunk->next;
        cr_free(chunk);
    }
    cr_known_fini(&reuse->table);
    cr_free(reuse->hits.items);
    pthread_mutex_destroy(&reuse->lock);
    cr_free(reuse);
}
