/* SPDX-License-Identifier: MIT
 *
 * error.c - SQLSTATEs as negated errno values, and the words kept with them.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

/* The first that fits: longer ones stand before their class. */
static const struct {
    const char *sqlstate;
    int code;
} codes[] = {
    {"08P01", -EINVAL}, /* protocol: a number of parameters that does not fit */
    {"08", -ECONNRESET},
    {"22003", -ERANGE},
    {"22", -EDOM},
    {"23", -EEXIST},
    {"25006", -EROFS},
    {"28", -EACCES},
    {"40", -EAGAIN},
    {"42501", -EACCES},
    {"53100", -ENOSPC},
    {"53200", -ENOMEM},
    {"53300", -ECONNREFUSED}, /* too many connections */
    {"54", -E2BIG},
    {"55P03", -EBUSY},
    {"57014", -ETIMEDOUT}, /* statement_timeout, or cancelled */
    {"57P", -ECONNRESET},  /* shutdown, crash, starting up */
    {"58", -EIO},
    {"XX001", -EUCLEAN},
    {"XX002", -EUCLEAN},
    {"XX", -EIO},
};

int corio_postgres_error(const char *sqlstate)
{
    if (!sqlstate)
        return 0;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strncmp(sqlstate, codes[i].sqlstate, strlen(codes[i].sqlstate)) == 0)
            return codes[i].code;
    }
    return -EINVAL;
}

const char *corio_postgres_strerror(int code)
{
    if (code == CORIO_POSTGRES_EUNKNOWN)
        return "the connection was lost while the transaction was being committed";
    return corio_strerror(code);
}

bool cr_postgres_transient(int code)
{
    return code == -ECONNRESET || code == -ECONNREFUSED || code == -EAGAIN;
}

void cr_postgres_say(corio_postgres *database, const char *words)
{
    size_t length = strnlen(words, sizeof database->message - 1);
    while (length > 0 && words[length - 1] == '\n')
        length--;
    if (length == 0)
        return;
    pthread_mutex_lock(&database->lock);
    memcpy(database->message, words, length);
    database->message[length] = '\0';
    pthread_mutex_unlock(&database->lock);
}

int cr_postgres_refused(corio_postgres *database, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    cr_postgres_say(database, PQresultErrorMessage(result));
    return sqlstate ? corio_postgres_error(sqlstate) : -EINVAL;
}

size_t corio_postgres_message(corio_postgres *database, char *text, size_t bytes)
{
    pthread_mutex_lock(&database->lock);
    size_t length = strlen(database->message);
    if (bytes > 0) {
        size_t copied = length < bytes ? length : bytes - 1;
        memcpy(text, database->message, copied);
        text[copied] = '\0';
    }
    pthread_mutex_unlock(&database->lock);
    return length;
}
