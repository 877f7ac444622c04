/* SPDX-License-Identifier: MIT
 *
 * query.c - a share of reads through one connection.
 *
 *     requests   R R R S R R R S R R S     first round: a sync point after each group
 *                  x -              -      x was refused, the rest of its group skipped
 *                R S                       second round: the skipped ones, a sync point each
 *
 *     keys       [k k k k k k k k] S       with folding: one array
 *                 x refused by value: its halves, [k k k k] S [k k k k] S, and so on
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* -- One by one -- */

static int send_request(void *self, struct cr_postgres_connection *connection, uint32_t item)
{
    (void)connection;
    struct cr_postgres_share *share = self;
    return cr_postgres_send(share, &share->entries[item]);
}

static void take_request(void *self, const struct cr_postgres_op *op, PGresult *result)
{
    struct cr_postgres_share *share = self;
    cr_postgres_take(share, &share->entries[op->item], result);
}

/* Asks all open entries, with a sync point after every `group`. */
static int ask_open(struct cr_postgres_share *share, unsigned group, uint64_t deadline_ns)
{
    struct cr_postgres_connection *connection = share->connection;
    const struct cr_postgres_user user = {send_request, take_request, share};
    unsigned since = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < share->entry_count; i++) {
        if (share->entries[i].status != CR_POSTGRES_OPEN)
            continue;
        rc = cr_postgres_op(connection, CR_POSTGRES_REQUEST, (uint32_t)i);
        if (rc == 0 && ++since == group) {
            rc = cr_postgres_op(connection, CR_POSTGRES_SYNC, 0);
            since = 0;
        }
    }
    if (rc == 0 && since > 0)
        rc = cr_postgres_op(connection, CR_POSTGRES_SYNC, 0);
    if (rc < 0) {
        connection->op_count = 0;
        return rc;
    }
    return cr_postgres_pipeline(connection, &user, deadline_ns);
}

static int ask_requests(struct cr_postgres_share *share, uint64_t deadline_ns)
{
    int rc = ask_open(share, share->plan->face->group, deadline_ns);
    return rc == 0 ? ask_open(share, 1, deadline_ns) : rc;
}

/* -- Folded -- */

struct range {
    size_t first; /* of the share's entries */
    size_t count;
};

struct folding {
    struct cr_postgres_share *share;
    struct range *ranges; /* asked in this round */
    size_t range_count;
    struct range *halves; /* to be asked in the next */
    size_t half_count;
};

static int send_range(void *self, struct cr_postgres_connection *connection, uint32_t item)
{
    (void)connection;
    struct folding *folding = self;
    const struct range *range = &folding->ranges[item];
    return cr_postgres_send_keys(folding->share, range->first, range->count);
}

static void settle_range(struct folding *folding, const struct range *range, int status)
{
    for (size_t i = 0; i < range->count; i++)
        folding->share->entries[range->first + i].status = status;
}

static struct cr_postgres_entry *entry_of_row(const struct folding *folding, const PGresult *result,
                                              int row)
{
    const struct cr_postgres_plan *plan = folding->share->plan;
    int column = (int)plan->face->key_column;
    if (column >= PQnfields(result))
        return NULL;
    if (plan->face->fold == CORIO_POSTGRES_FOLD_INT64) {
        int64_t key = corio_postgres_int64(result, row, column);
        return cr_postgres_find_key(plan, &key, sizeof key);
    }
    return cr_postgres_find_key(plan, PQgetvalue(result, row, column),
                                (size_t)PQgetlength(result, row, column));
}

static void take_rows(struct folding *folding, const struct range *range, PGresult *result)
{
    struct cr_postgres_share *share = folding->share;
    const struct cr_postgres_entry *begin = share->entries + range->first;
    settle_range(folding, range, 0);
    int rows = PQntuples(result);
    for (int row = 0; row < rows; row++) {
        struct cr_postgres_entry *entry = entry_of_row(folding, result, row);
        if (!entry || entry < begin || entry >= begin + range->count) {
            cr_postgres_say(share->plan->face->database, "a row with a key that was not asked for");
            settle_range(folding, range, -EBADMSG);
            break;
        }
        cr_postgres_take_row(share, entry, result, row);
    }
    PQclear(result);
}

/* Whether one value may be to blame: data, cardinality, routines, exceptions raised in SQL. */
static bool is_by_value(const PGresult *result)
{
    static const char *const classes[] = {"21", "22", "38", "39", "P0"};
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    for (size_t i = 0; sqlstate && i < sizeof classes / sizeof *classes; i++) {
        if (strncmp(sqlstate, classes[i], 2) == 0)
            return true;
    }
    return false;
}

/* All keys of the array share the error. */
static void refuse_range(struct folding *folding, const struct range *range, PGresult *result)
{
    cr_postgres_say(folding->share->plan->face->database, PQresultErrorMessage(result));
    for (size_t i = 0; i < range->count; i++)
        cr_postgres_tell_error(folding->share, &folding->share->entries[range->first + i], result);
    PQclear(result);
}

static void take_range(void *self, const struct cr_postgres_op *op, PGresult *result)
{
    struct folding *folding = self;
    const struct range *range = &folding->ranges[op->item];
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        take_rows(folding, range, result);
    } else if (range->count > 1 && is_by_value(result)) {
        size_t half = range->count / 2;
        struct range *halves = folding->halves + folding->half_count;
        halves[0] = (struct range){range->first, half};
        halves[1] = (struct range){range->first + half, range->count - half};
        folding->half_count += 2;
        PQclear(result);
    } else {
        refuse_range(folding, range, result);
    }
}

static int ask_ranges(struct folding *folding, uint64_t deadline_ns)
{
    struct cr_postgres_connection *connection = folding->share->connection;
    const struct cr_postgres_user user = {send_range, take_range, folding};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < folding->range_count; i++) {
        rc = cr_postgres_op(connection, CR_POSTGRES_REQUEST, (uint32_t)i);
        if (rc == 0)
            rc = cr_postgres_op(connection, CR_POSTGRES_SYNC, 0);
    }
    if (rc < 0) {
        connection->op_count = 0;
        return rc;
    }
    return cr_postgres_pipeline(connection, &user, deadline_ns);
}

/* One array, then as many rounds as it takes to find the keys that are refused. */
static int ask_keys(struct cr_postgres_share *share, uint64_t deadline_ns)
{
    struct folding folding = {.share = share};
    struct range whole = {0, share->entry_count};
    struct range *asked = NULL;
    int rc = 0;
    folding.ranges = &whole;
    folding.range_count = 1;
    while (rc == 0 && folding.range_count > 0) {
        folding.halves = malloc(2 * folding.range_count * sizeof *folding.halves);
        folding.half_count = 0;
        rc = folding.halves ? ask_ranges(&folding, deadline_ns) : -ENOMEM;
        free(asked);
        asked = folding.halves;
        folding.ranges = asked;
        folding.range_count = folding.half_count;
    }
    free(asked);
    return rc;
}

void cr_postgres_query_share(struct cr_postgres_share *share)
{
    uint64_t deadline_ns = cr_postgres_deadline_ns(share->plan->face->database);
    int rc = cr_postgres_ready(share->connection, deadline_ns, NULL);
    if (rc == 0 && share->plan->face->fold != CORIO_POSTGRES_FOLD_NONE)
        rc = ask_keys(share, deadline_ns);
    else if (rc == 0)
        rc = ask_requests(share, deadline_ns);
    if (rc < 0)
        cr_postgres_settle_lost(share, rc, deadline_ns);
}
