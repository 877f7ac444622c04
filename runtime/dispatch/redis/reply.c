/* SPDX-License-Identifier: MIT
 *
 * reply.c - replies into tasks' hands.
 *
 *     task a's  reply --+            +--> element 0
 *     task b's  reply --+-> element 1 of the MGET's reply, counted by `shared`
 *
 * Edges
 *   reply.read   a task's last look at a reply -> the release that frees it
 */
#include "internal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct shared {
    atomic_size_t references;
    redisReply *root;
};

void corio_redis_release(corio_redis_reply *reply)
{
    if (!reply || !reply->reserved)
        return;
    struct shared *shared = reply->reserved;
    *reply = (corio_redis_reply){NULL, NULL};
    /* [acq_rel reply.read] */
    if (atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) > 1)
        return;
    freeReplyObject(shared->root);
    free(shared);
}

bool cr_redis_give(corio_redis_reply *to, redisReply *reply)
{
    struct shared *shared = malloc(sizeof *shared);
    if (!shared) {
        freeReplyObject(reply);
        return false;
    }
    atomic_init(&shared->references, 1);
    shared->root = reply;
    *to = (corio_redis_reply){reply, shared};
    return true;
}

static size_t count_wanted(const struct cr_redis_unit *unit)
{
    size_t count = 0;
    for (const struct cr_redis_op *op = unit->ops; op; op = op->next)
        count += op->output != NULL;
    return count;
}

/* The reply's owner, one reference for each output; NULL: there is none, or no memory. */
static struct shared *share(const struct cr_redis_unit *unit, redisReply *root)
{
    size_t wanted = count_wanted(unit);
    struct shared *shared = wanted > 0 ? malloc(sizeof *shared) : NULL;
    if (shared) {
        atomic_init(&shared->references, wanted);
        shared->root = root;
    }
    return shared;
}

static int status_of(const struct cr_redis_unit *unit, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        return CORIO_REDIS_EREPLY;
    if (unit->form == CR_REDIS_MGET &&
        (reply->type != REDIS_REPLY_ARRAY || reply->elements != unit->elements))
        return -EPROTO;
    return 0;
}

void cr_redis_finish(struct cr_redis_unit *unit, int status, redisReply *reply)
{
    struct shared *shared = NULL;
    if (reply) {
        status = status_of(unit, reply);
        if (status == 0 || status == CORIO_REDIS_EREPLY) {
            shared = share(unit, reply);
            if (!shared && count_wanted(unit) > 0)
                status = -ENOMEM;
        }
    }
    bool parts = shared && unit->form == CR_REDIS_MGET && status == 0;
    for (struct cr_redis_op *op = unit->ops, *next; op; op = next) {
        next = op->next;
        if (op->output)
            *op->output = (corio_redis_reply){
                shared ? parts ? reply->element[op->element] : reply : NULL, shared};
        cr_kept_finish(&op->work->kept, op->index, status);
    }
    unit->ops = NULL;
    if (reply && !shared)
        freeReplyObject(reply);
}
