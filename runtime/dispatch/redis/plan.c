/* SPDX-License-Identifier: MIT
 *
 * plan.c - a batch into commands, folded on request.
 *
 *     GET a   GET b   SET c 1   GET a   INCR d   SET c 2
 *       \       \       |        /        |        /
 *        MGET a b (a for two) --+       INCR d   MSET c 2 (for two)
 *
 * Keys are found again in a table of the batch's own (open addressing); it holds ops, the first of
 * a key for GETs, the last for SETs.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_FOLDED = 512
}; /* keys of one MGET or MSET: a longer one holds up the server's others */

/* -- Lists -- */

void cr_redis_list_init(struct cr_redis_list *list)
{
    *list = (struct cr_redis_list){.first = NULL};
    list->last = &list->first;
}

void cr_redis_list_push(struct cr_redis_list *list, struct cr_redis_unit *unit)
{
    unit->next = NULL;
    *list->last = unit;
    list->last = &unit->next;
    list->count++;
}

struct cr_redis_unit *cr_redis_list_pop(struct cr_redis_list *list)
{
    struct cr_redis_unit *unit = list->first;
    if (!unit)
        return NULL;
    list->first = unit->next;
    if (!list->first)
        list->last = &list->first;
    list->count--;
    return unit;
}

/* -- Units -- */

struct cr_redis_unit *cr_redis_unit_create(enum cr_redis_form form, int argc, const char **argv,
                                           const size_t *argv_bytes)
{
    struct cr_redis_unit *unit = calloc(1, sizeof *unit);
    if (!unit)
        return NULL;
    int bytes = redisFormatCommandArgv(&unit->text, argc, argv, argv_bytes);
    if (bytes < 0) {
        free(unit);
        return NULL;
    }
    unit->form = form;
    unit->bytes = (size_t)bytes;
    return unit;
}

void cr_redis_unit_destroy(struct cr_redis_unit *unit)
{
    free(unit->text);
    free(unit);
}

static void enqueue(corio_redis *redis, struct cr_redis_unit *unit, uint64_t handed_ns,
                    uint64_t timeout_ns)
{
    if (timeout_ns == 0)
        timeout_ns = redis->options.timeout_ns;
    unit->deadline_ns = timeout_ns < UINT64_MAX - handed_ns ? handed_ns + timeout_ns : UINT64_MAX;
    if (unit->deadline_ns < redis->next_deadline_ns)
        redis->next_deadline_ns = unit->deadline_ns;
    cr_redis_list_push(&redis->queue, unit);
}

static bool is_repeatable(const corio_redis_command *command)
{
    return command->repeat == CORIO_REDIS_REPEAT ||
           (command->repeat == CORIO_REDIS_BY_NAME && cr_redis_only_reads(command));
}

static bool is_command(const corio_redis_command *command)
{
    bool good = command->argc > 0 && command->argv;
    for (int i = 0; good && i < command->argc; i++)
        good = command->argv[i] != NULL;
    return good;
}

static void fail(struct cr_redis_op *op, int status)
{
    if (op->output)
        *op->output = (corio_redis_reply){NULL, NULL};
    cr_kept_finish(&op->work->kept, op->index, status);
}

static void plan_single(corio_redis *redis, struct cr_redis_op *op)
{
    const corio_redis_command *command = op->command;
    /* hiredis writes nothing through argv; its type says otherwise */
    struct cr_redis_unit *unit =
        cr_redis_unit_create(CR_REDIS_SINGLE, command->argc,
                             (const char **)(uintptr_t)command->argv, command->argv_bytes);
    if (!unit) {
        fail(op, -ENOMEM);
        return;
    }
    op->next = NULL;
    unit->ops = op;
    unit->op_count = 1;
    unit->repeatable = is_repeatable(command);
    enqueue(redis, unit, op->work->handed_ns, command->timeout_ns);
}

/* -- Folding -- */

/* Of one kind, GET or SET: a chain of ops for each different key. */
struct fold {
    enum cr_redis_form form;
    struct cr_redis_op **slots; /* by key; the chain's head, whose value a SET sends */
    struct cr_redis_op **heads; /* in order of their first op; GET: as slots, SET: updated */
    uint32_t *head_of_slot;
    size_t slot_count;
    size_t head_count;
    size_t op_count;
    bool repeatable;
};

static uint64_t hash_key(const char *key, size_t bytes)
{
    uint64_t hash = corio_hash_bytes(CORIO_HASH_BEGIN, key, bytes);
    return hash ^ hash >> 32;
}

static bool same_key(const corio_redis_command *a, const corio_redis_command *b)
{
    size_t bytes = cr_redis_arg_bytes(a, 1);
    return cr_redis_arg_bytes(b, 1) == bytes && memcmp(a->argv[1], b->argv[1], bytes) == 0;
}

/* The newest op of a key is the chain's head: for SETs it is the one that counts. */
static void fold_op(struct fold *fold, struct cr_redis_op *op)
{
    const corio_redis_command *command = op->command;
    size_t at = hash_key(command->argv[1], cr_redis_arg_bytes(command, 1)) % fold->slot_count;
    while (fold->slots[at] && !same_key(fold->slots[at]->command, command))
        at = (at + 1) % fold->slot_count;
    op->next = fold->slots[at];
    if (!op->next)
        fold->head_of_slot[at] = (uint32_t)fold->head_count++;
    fold->slots[at] = op;
    fold->heads[fold->head_of_slot[at]] = op;
    fold->op_count++;
    fold->repeatable &= fold->form == CR_REDIS_MGET || command->repeat == CORIO_REDIS_REPEAT;
}

static bool fold_init(struct fold *fold, enum cr_redis_form form, size_t ops)
{
    *fold = (struct fold){.form = form, .slot_count = 2 * ops + 1, .repeatable = true};
    fold->slots = calloc(fold->slot_count, sizeof(struct cr_redis_op *));
    fold->heads = calloc(ops, sizeof(struct cr_redis_op *));
    fold->head_of_slot = calloc(fold->slot_count, sizeof *fold->head_of_slot);
    return fold->slots && fold->heads && fold->head_of_slot;
}

static void fold_fini(struct fold *fold)
{
    free(fold->slots);
    free(fold->heads);
    free(fold->head_of_slot);
}

/* One command for keys [first, first + count). NULL: no memory. */
static struct cr_redis_unit *fold_unit(const struct fold *fold, size_t first, size_t count)
{
    const char *argv[1 + 2 * MOST_FOLDED];
    size_t argv_bytes[1 + 2 * MOST_FOLDED];
    bool sets = fold->form == CR_REDIS_MSET;
    int argc = 1;
    argv[0] = sets ? "MSET" : "MGET";
    argv_bytes[0] = 4;
    for (size_t i = first; i < first + count; i++) {
        const corio_redis_command *command = fold->heads[i]->command;
        for (int part = 1; part <= (sets ? 2 : 1); part++, argc++) {
            argv[argc] = command->argv[part];
            argv_bytes[argc] = cr_redis_arg_bytes(command, part);
        }
    }
    return cr_redis_unit_create(fold->form, argc, argv, argv_bytes);
}

/* Moves a key's chain to the unit, as its value number `element`. */
static void attach(struct cr_redis_unit *unit, struct cr_redis_op *chain, size_t element)
{
    while (chain) {
        struct cr_redis_op *op = chain;
        chain = op->next;
        op->element = (uint32_t)element;
        op->next = unit->ops;
        unit->ops = op;
        unit->op_count++;
    }
}

static void fail_chains(const struct fold *fold, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        for (struct cr_redis_op *op = fold->heads[i], *next; op; op = next) {
            next = op->next;
            fail(op, -ENOMEM);
        }
    }
}

static void fold_end(corio_redis *redis, struct fold *fold, uint64_t handed_ns)
{
    size_t count;
    for (size_t first = 0; first < fold->head_count; first += count) {
        size_t left = fold->head_count - first;
        count = left < MOST_FOLDED ? left : MOST_FOLDED;
        struct cr_redis_unit *unit = fold_unit(fold, first, count);
        if (!unit) {
            fail_chains(fold, first, count);
            continue;
        }
        unit->elements = count;
        unit->repeatable = fold->repeatable;
        for (size_t i = 0; i < count; i++)
            attach(unit, fold->heads[first + i], i);
        enqueue(redis, unit, handed_ns, 0);
    }
    cr_redis_count(redis, &redis->stats.folded, fold->op_count);
    /* all of the batch are counted already: those that share a key are taken off, modulo 2^64 */
    cr_redis_count(redis, &redis->stats.unique, (uint64_t)fold->head_count - fold->op_count);
}

/* Folds what can be; the rest, and all if there is no memory for folding, goes out singly. */
static void plan_folded(corio_redis *redis, struct cr_redis_work *work)
{
    struct fold gets, sets;
    bool folds = fold_init(&gets, CR_REDIS_MGET, work->kept.count);
    folds &= fold_init(&sets, CR_REDIS_MSET, work->kept.count);
    for (size_t i = 0; i < work->kept.count; i++) {
        struct cr_redis_op *op = &work->ops[i];
        const corio_redis_command *command = op->command;
        bool may = folds && is_command(command) && command->timeout_ns == 0;
        if (!is_command(command))
            fail(op, -EINVAL);
        else if (may && cr_redis_is_plain(command, "GET", 2))
            fold_op(&gets, op);
        else if (may && cr_redis_is_plain(command, "SET", 3))
            fold_op(&sets, op);
        else
            plan_single(redis, op);
    }
    fold_end(redis, &gets, work->handed_ns);
    fold_end(redis, &sets, work->handed_ns);
    fold_fini(&gets);
    fold_fini(&sets);
}

void cr_redis_plan(corio_redis *redis, struct cr_redis_work *work)
{
    if (redis->options.fold) {
        plan_folded(redis, work);
        return;
    }
    for (size_t i = 0; i < work->kept.count; i++) {
        if (is_command(work->ops[i].command))
            plan_single(redis, &work->ops[i]);
        else
            fail(&work->ops[i], -EINVAL);
    }
}
