/* SPDX-License-Identifier: MIT
 *
 * request.c - a request's way to the wire, and its answer's way back into the output.
 *
 * Folded keys travel as one binary array: a header of five words (one dimension, no NULLs, the
 * element's type, the number of elements, the lowest index), then length and bytes of each element;
 * all in network order.
 */
#include "internal.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* From the server's catalog; these never change. */
enum { TYPE_INT64 = 20, TYPE_INT16 = 21, TYPE_INT32 = 23, TYPE_TEXT = 25 };

/* -- Out -- */

static int bind_request(const struct cr_postgres_face *face, struct cr_postgres_entry *entry,
                        corio_postgres_params *params)
{
    if (!face->request.bind)
        return 0;
    int rc = face->request.bind(face->request.self, params, entry->input);
    if (rc < 0) {
        entry->status = rc;
        entry->fixed = true;
    }
    return rc;
}

int cr_postgres_send(struct cr_postgres_share *share, struct cr_postgres_entry *entry)
{
    const struct cr_postgres_face *face = share->plan->face;
    corio_postgres_params params = {.statement_count = face->statement_count};
    int rc = bind_request(face, entry, &params);
    if (rc >= 0) {
        size_t statement = face->first_statement + params.statement;
        int sent = PQsendQueryPrepared(
            share->connection->handle, face->database->statements[statement].name, params.count,
            params.values, params.lengths, params.formats, face->request.binary);
        rc = sent ? 0 : -ECONNRESET;
        share->statements++;
    } else {
        rc = 1;
    }
    corio_postgres_free(params.scratch);
    return rc;
}

static char *put_word(char *at, uint32_t word)
{
    word = htonl(word);
    memcpy(at, &word, sizeof word);
    return at + sizeof word;
}

static char *put_key(char *at, const struct cr_postgres_face *face,
                     const struct cr_postgres_entry *entry)
{
    at = put_word(at, (uint32_t)entry->key_bytes);
    if (face->fold == CORIO_POSTGRES_FOLD_INT64) {
        uint64_t key;
        memcpy(&key, entry->key, sizeof key);
        key = htobe64(key);
        memcpy(at, &key, sizeof key);
    } else {
        memcpy(at, entry->key, entry->key_bytes);
    }
    return at + entry->key_bytes;
}

int cr_postgres_send_keys(struct cr_postgres_share *share, size_t first, size_t count)
{
    const struct cr_postgres_face *face = share->plan->face;
    const struct cr_postgres_entry *entries = share->entries + first;
    size_t bytes = 5 * sizeof(uint32_t);
    for (size_t i = 0; i < count; i++)
        bytes += sizeof(uint32_t) + entries[i].key_bytes;
    char *array = bytes < 1 << 30 ? malloc(bytes) : NULL;
    if (!array)
        return -ENOMEM;
    char *at = put_word(array, 1);
    at = put_word(at, 0);
    at = put_word(at, face->fold == CORIO_POSTGRES_FOLD_INT64 ? TYPE_INT64 : TYPE_TEXT);
    at = put_word(at, (uint32_t)count);
    at = put_word(at, 1);
    for (size_t i = 0; i < count; i++)
        at = put_key(at, face, &entries[i]);
    const char *values[1] = {array};
    const int lengths[1] = {(int)bytes}, formats[1] = {1};
    int sent = PQsendQueryPrepared(share->connection->handle,
                                   face->database->statements[face->first_statement].name, 1,
                                   values, lengths, formats, face->request.binary);
    share->statements++;
    free(array);
    return sent ? 0 : -ECONNRESET;
}

/* -- Back -- */

int64_t corio_postgres_int64(const PGresult *result, int row, int column)
{
    const char *value = PQgetvalue(result, row, column);
    int bytes = PQgetlength(result, row, column);
    if (!value || PQgetisnull(result, row, column))
        return 0;
    if (PQfformat(result, column) == 0)
        return strtoll(value, NULL, 10);
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (PQftype(result, column)) {
    case TYPE_INT16:
        memcpy(&two, value, sizeof two);
        return (int16_t)ntohs(two);
    case TYPE_INT32:
        memcpy(&four, value, sizeof four);
        return (int32_t)ntohl(four);
    case TYPE_INT64:
        memcpy(&eight, value, sizeof eight);
        return bytes == sizeof eight ? (int64_t)be64toh(eight) : 0;
    default:
        return 0;
    }
}

/* The memory of an entry: the first word of its output, if the dispatcher has any. */
static corio_postgres_memory *memory_of(const struct cr_postgres_face *face,
                                        struct cr_postgres_entry *entry)
{
    corio_postgres_memory *memory;
    if (!face->request.with_memory)
        return NULL;
    memcpy(&memory, entry->output, sizeof memory);
    if (!memory) {
        memory = cr_postgres_memory_create();
        memcpy(entry->output, &memory, sizeof memory);
    }
    return memory;
}

void cr_postgres_take_row(struct cr_postgres_share *share, struct cr_postgres_entry *entry,
                          const PGresult *result, int row)
{
    const struct cr_postgres_face *face = share->plan->face;
    if (entry->full)
        return;
    int rc =
        face->request.row(face->request.self, memory_of(face, entry), result, row, entry->output);
    entry->full = rc != 0;
    if (rc < 0) {
        entry->status = rc;
        entry->fixed = true;
    }
}

void cr_postgres_clear_output(const struct cr_postgres_face *face, struct cr_postgres_entry *entry)
{
    void *held = NULL;
    if (!face->request.row || face->request.with_memory)
        memcpy(&held, entry->output, sizeof held);
    if (!face->request.row)
        PQclear(held);
    else
        corio_postgres_free(held);
    if (face->request.output_bytes > 0)
        memset(entry->output, 0, face->request.output_bytes);
}

static void take_answer(struct cr_postgres_share *share, struct cr_postgres_entry *entry,
                        PGresult *result)
{
    entry->status = 0;
    if (!share->plan->face->request.row) {
        memcpy(entry->output, &result, sizeof(PGresult *));
        return;
    }
    int rows = PQntuples(result);
    for (int row = 0; row < rows && !entry->full; row++)
        cr_postgres_take_row(share, entry, result, row);
    PQclear(result);
}

void cr_postgres_tell_error(struct cr_postgres_share *share, struct cr_postgres_entry *entry,
                            const PGresult *result)
{
    const struct cr_postgres_face *face = share->plan->face;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (sqlstate && strcmp(sqlstate, "26000") == 0)
        share->connection->prepared = 0; /* the statement is missing: prepare again, next time */
    entry->status = sqlstate ? corio_postgres_error(sqlstate) : -EINVAL;
    entry->again = cr_postgres_transient(entry->status);
    if (face->request.row && face->request.failed)
        face->request.failed(face->request.self, memory_of(face, entry), result, entry->output);
}

static void take_error(struct cr_postgres_share *share, struct cr_postgres_entry *entry,
                       PGresult *result)
{
    cr_postgres_say(share->plan->face->database, PQresultErrorMessage(result));
    cr_postgres_tell_error(share, entry, result);
    if (share->plan->face->request.row)
        PQclear(result);
    else
        memcpy(entry->output, &result, sizeof(PGresult *));
}

void cr_postgres_take(struct cr_postgres_share *share, struct cr_postgres_entry *entry,
                      PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        take_answer(share, entry, result);
        return;
    case PGRES_PIPELINE_ABORTED: /* skipped after a neighbour's error: still open */
        PQclear(result);
        return;
    default:
        take_error(share, entry, result);
    }
}
