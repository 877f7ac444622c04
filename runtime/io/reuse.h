/* SPDX-License-Identifier: MIT
 *
 * reuse.h - one answer for several requests: equal questions asked once (dedup.c), answers kept for
 * later ones (cache.c). A dispatcher that has neither has no cr_reuse, and pays a branch per batch.
 *
 *     workers' lists -> collect --known answer--> hits ----------+
 *                         |  \                                   |
 *                         |   +-equal question--> its followers  |
 *                         v                            |         |
 *                       queue -> batch -> reply -> finished -> finish -> cr_io.reused -> resume
 *                         ^                 |
 *                         +---- retries ----+
 *
 * A *question* stands for the request that is asked, its asker, and for its followers. The asker
 * goes the usual way, through queues and batches; followers wait in the question. It is *listed* in
 * the table while others may still follow it: until it is handed over, and with a cache until it is
 * answered; unless its key is invalidated on the way. Only the answer of a listed question is kept.
 *
 * corio_request.reserved_due_ns, of a dispatcher with a cr_reuse: of an asker its question, with bit
 * 0 set; of a follower the next one; of one that is asked without a question (no memory) 0, or when
 * it is to be retried, bit 0 clear.
 *
 * Hits are answered at once, but go on with the first answers that their dispatcher gives to what was
 * asked beside them: their next requests meet those of the others as they would without a cache.
 *
 * Answers are kept in the order in which they were asked for, whatever order they came in: so what
 * is in the cache does not depend on timing where batches do not.
 *
 * Threads: the leader's, but for what is under `lock`: the table, the questions' followers and
 * listing, the answers, the counts. Dispatchers' hooks but `key` are called under it.
 */
#ifndef CR_IO_REUSE_H
#define CR_IO_REUSE_H

#include "runtime/io/io.h"
#include "runtime/io/known.h"

#include <corio/cache.h>
#include <pthread.h>

typedef struct cr_question {
    cr_known known; /* the asker's key, if listed */
    corio_request *asker;
    corio_request *first, *last;         /* followers, in the order in which they came */
    struct cr_question *before, *behind; /* all that are open, in the order of `number` */
    struct cr_question *next;            /* of the finished, or of those not in use */
    uint64_t number;
    uint64_t due_ns; /* when it is to be retried; the batch's holder's */
    bool listed;
    bool handed_over;
} cr_question;

typedef struct cr_kept_answer {
    cr_known known; /* the key lies behind the output */
    struct cr_kept_answer *newer, *older;
    size_t bytes; /* all that it costs */
    _Alignas(16) unsigned char output[];
} cr_kept_answer;

enum { CR_QUESTION_CHUNK = 64 };

typedef struct cr_question_chunk {
    struct cr_question_chunk *next;
    cr_question questions[CR_QUESTION_CHUNK];
} cr_question_chunk;

struct cr_reuse {
    const corio_dispatcher_options *options;
    pthread_mutex_t lock;
    cr_known_table table;
    cr_question *first_open, *last_open;
    cr_question *first_finished, *last_finished; /* answered, and not yet given to followers */
    cr_question *unused;
    cr_question_chunk *chunks;
    uint64_t asked;  /* questions so far */
    cr_entries hits; /* answered, and not yet gone on */
    bool replied;    /* since the last finish */
    cr_kept_answer *newest, *oldest;
    corio_cache_stats stats;
};

/* *ret_reuse is NULL if the options want none. Errors: -EINVAL; -ENOMEM. */
int cr_reuse_create(const corio_dispatcher_options *options, cr_reuse **ret_reuse);
void cr_reuse_destroy(cr_reuse *reuse);

/* The key of an input; false: it has none. */
bool cr_reuse_key(const corio_dispatcher_options *options, const void *input, cr_key *ret_key);
/* Copies an answer; returns what it takes besides, or an error. */
int cr_reuse_copy(const corio_dispatcher_options *options, void *to, const void *from);

/* -- Questions (dedup.c), the leader's -- */

/* Takes those entries out, sorted by spawn path, that need not be asked. */
void cr_reuse_collect(corio_dispatcher *dispatcher, cr_worker *leader, cr_entries *fresh);
/* They are about to be handed over. batch: its number, for the trace. */
void cr_reuse_hand_over(const corio_dispatcher *dispatcher, const cr_entry *entries, size_t count,
                        uint64_t batch);
/* They have been answered, or are to be retried. */
void cr_reuse_take(const corio_dispatcher *dispatcher, const cr_entry *entries, size_t count);
/* An asker is to be retried: true if it follows another question by now. */
bool cr_reuse_again(const corio_dispatcher *dispatcher, const cr_entry *entry);
/* After replies: what is finished is kept, and given to followers; hits go on. */
void cr_reuse_finish(cr_io *io, cr_worker *leader);

/* The asker in `entry`, which is not in flight, gives up: true if a follower takes its place there. */
bool cr_reuse_replace(const corio_dispatcher *dispatcher, cr_entry *entry);
/* Whether somebody else waits for the asker's answer. */
bool cr_reuse_followed(const corio_dispatcher *dispatcher, const corio_request *asker);
/* An asker has got an error without having been handed over: so do its followers. */
void cr_reuse_fail(cr_worker *leader, const corio_request *asker);
/* Followers that give up, and hits that need not wait any more. */
void cr_reuse_withdraw(corio_dispatcher *dispatcher, cr_worker *leader);

/* When the asker is to be retried: set by the batch's holder. */
void cr_reuse_set_due(corio_request *asker, uint64_t due_ns);
uint64_t cr_reuse_due(const corio_request *asker);
/* The same for any request. */
static inline uint64_t cr_request_due(const corio_request *request)
{
    return request->dispatcher->reuse != NULL ? cr_reuse_due(request) : request->reserved_due_ns;
}
/* Any thread that holds the batch: whether none of its followers wants the answer any more, and the
 * latest of their deadlines and the given one. */
bool cr_reuse_unwanted(const corio_dispatcher *dispatcher, const corio_request *asker);
uint64_t cr_reuse_deadline(const corio_dispatcher *dispatcher, const corio_request *asker,
                           uint64_t deadline_ns);

/* -- Between dedup.c and cache.c, under the lock -- */

void cr_question_unlist(cr_reuse *reuse, cr_question *question);
/* Keeps a copy of the output, if it can; the key must not be in the table. */
bool cr_cache_keep(cr_reuse *reuse, const cr_key *key, const void *output);
void cr_cache_use(cr_reuse *reuse, cr_kept_answer *answer); /* now it is the newest */
void cr_cache_remove(cr_reuse *reuse, cr_kept_answer *answer);

#endif
