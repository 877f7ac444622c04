/* SPDX-License-Identifier: MIT
 *
 * saved.c - answers in a recording.
 *
 *     a PGresult    status, columns, rows | column: numbers, name with its zero | ...
 *                                         | value: length or -1, bytes | ...
 *     with memory   a word | what the program's own function writes; nothing if there is no memory
 *     else          the output's bytes
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct saved_result {
    int32_t status, columns, rows;
};

struct saved_column {
    int32_t table_column, format, modifier, type_bytes;
    uint32_t table, type;
};

/* -- Saving -- */

static int save_column(corio_sink *sink, const PGresult *result, int column)
{
    const struct saved_column saved = {
        .table_column = PQftablecol(result, column),
        .format = PQfformat(result, column),
        .modifier = PQfmod(result, column),
        .type_bytes = PQfsize(result, column),
        .table = PQftable(result, column),
        .type = PQftype(result, column),
    };
    const char *name = PQfname(result, column);
    int rc = corio_sink_write(sink, &saved, sizeof saved);
    return rc == 0 ? corio_sink_write(sink, name, strlen(name) + 1) : rc;
}

static int save_value(corio_sink *sink, const PGresult *result, int row, int column)
{
    bool null = PQgetisnull(result, row, column);
    int32_t bytes = null ? -1 : PQgetlength(result, row, column);
    int rc = corio_sink_write(sink, &bytes, sizeof bytes);
    if (rc == 0 && bytes > 0)
        rc = corio_sink_write(sink, PQgetvalue(result, row, column), (size_t)bytes);
    return rc;
}

static int save_result(corio_sink *sink, const PGresult *result)
{
    const struct saved_result saved = {PQresultStatus(result), PQnfields(result),
                                       PQntuples(result)};
    int rc = corio_sink_write(sink, &saved, sizeof saved);
    for (int column = 0; rc == 0 && column < saved.columns; column++)
        rc = save_column(sink, result, column);
    for (int row = 0; rc == 0 && row < saved.rows; row++) {
        for (int column = 0; rc == 0 && column < saved.columns; column++)
            rc = save_value(sink, result, row, column);
    }
    return rc;
}

int cr_postgres_save(void *self, const void *input, const void *output, int status,
                     corio_sink *sink)
{
    (void)input;
    const struct cr_postgres_face *face = self;
    void *held = NULL;
    if (!output || face->request.output_bytes == 0)
        return 0;
    if (!face->request.row || face->request.with_memory)
        memcpy(&held, output, sizeof held);
    if (!face->request.row)
        return held ? save_result(sink, held) : 0;
    if (!face->request.with_memory)
        return status == 0 ? corio_sink_write(sink, output, face->request.output_bytes) : 0;
    const uint64_t some = 1;
    int rc = held ? corio_sink_write(sink, &some, sizeof some) : 0;
    return rc == 0 && held ? face->save(face->request.self, output, sink) : rc;
}

/* -- Restoring -- */

struct reading {
    const char *at;
    size_t left;
};

static bool take_bytes(struct reading *reading, void *to, size_t bytes)
{
    if (bytes > reading->left)
        return false;
    memcpy(to, reading->at, bytes);
    reading->at += bytes;
    reading->left -= bytes;
    return true;
}

/* Names point into what is read. */
static bool read_columns(struct reading *reading, PGresAttDesc *columns, int count)
{
    for (int i = 0; i < count; i++) {
        struct saved_column saved;
        if (!take_bytes(reading, &saved, sizeof saved))
            return false;
        size_t bytes = strnlen(reading->at, reading->left);
        if (bytes == reading->left)
            return false;
        columns[i] = (PGresAttDesc){.name = (char *)reading->at,
                                    .tableid = saved.table,
                                    .columnid = saved.table_column,
                                    .format = saved.format,
                                    .typid = saved.type,
                                    .typlen = saved.type_bytes,
                                    .atttypmod = saved.modifier};
        reading->at += bytes + 1;
        reading->left -= bytes + 1;
    }
    return true;
}

static int restore_columns(struct reading *reading, PGresult *result, int count)
{
    if ((size_t)count > reading->left / sizeof(struct saved_column))
        return -EBADMSG;
    PGresAttDesc *columns = calloc((size_t)count + 1, sizeof *columns);
    if (!columns)
        return -ENOMEM;
    int rc = read_columns(reading, columns, count) ? 0 : -EBADMSG;
    if (rc == 0 && count > 0 && !PQsetResultAttrs(result, count, columns))
        rc = -ENOMEM;
    free(columns);
    return rc;
}

static int restore_value(struct reading *reading, PGresult *result, int row, int column)
{
    int32_t bytes;
    if (!take_bytes(reading, &bytes, sizeof bytes) || bytes < -1 ||
        (bytes > 0 && (size_t)bytes > reading->left))
        return -EBADMSG;
    size_t skip = bytes > 0 ? (size_t)bytes : 0;
    char *value = bytes < 0 ? NULL : (char *)reading->at;
    reading->at += skip;
    reading->left -= skip;
    return PQsetvalue(result, row, column, value, bytes) ? 0 : -ENOMEM;
}

static int restore_result(const void *bytes, size_t count, PGresult **ret)
{
    struct reading reading = {bytes, count};
    struct saved_result saved;
    if (!take_bytes(&reading, &saved, sizeof saved) || saved.columns < 0 || saved.rows < 0 ||
        (saved.rows > 0 && saved.columns == 0 && (size_t)saved.rows > count))
        return -EBADMSG;
    PGresult *result = PQmakeEmptyPGresult(NULL, (ExecStatusType)saved.status);
    if (!result)
        return -ENOMEM;
    int rc = restore_columns(&reading, result, saved.columns);
    for (int row = 0; rc == 0 && row < saved.rows; row++) {
        for (int column = 0; rc == 0 && column < saved.columns; column++)
            rc = restore_value(&reading, result, row, column);
    }
    if (rc == 0 && reading.left > 0)
        rc = -EBADMSG;
    if (rc == 0)
        *ret = result;
    else
        PQclear(result);
    return rc;
}

static int restore_memory(struct cr_postgres_face *face, const void *bytes, size_t count,
                          void *output)
{
    const size_t word = sizeof(uint64_t);
    corio_postgres_memory *memory = count >= word ? cr_postgres_memory_create() : NULL;
    if (!memory)
        return count >= word ? -ENOMEM : -EBADMSG;
    memset(output, 0, face->request.output_bytes);
    memcpy(output, &memory, sizeof memory);
    int rc =
        face->restore(face->request.self, memory, (const char *)bytes + word, count - word, output);
    if (rc < 0) {
        corio_postgres_free(memory);
        memset(output, 0, sizeof memory);
    }
    return rc;
}

int cr_postgres_restore(void *self, const corio_batch *batch, size_t i, int status,
                        const void *bytes, size_t count)
{
    struct cr_postgres_face *face = self;
    void *output = corio_batch_output(batch, i);
    size_t output_bytes = face->request.output_bytes;
    PGresult *result = NULL;
    if (!output || output_bytes == 0)
        return 0;
    if (face->request.row && !face->request.with_memory) {
        if (count != (status == 0 ? output_bytes : 0))
            return -EBADMSG;
        memcpy(output, bytes, count);
        return 0;
    }
    if (count == 0) { /* nothing was held */
        memset(output, 0, output_bytes);
        return 0;
    }
    if (face->request.row)
        return restore_memory(face, bytes, count, output);
    int rc = restore_result(bytes, count, &result);
    memcpy(output, &result, sizeof(PGresult *));
    return rc;
}
