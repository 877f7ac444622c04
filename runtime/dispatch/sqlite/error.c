/* SPDX-License-Identifier: MIT
 *
 * error.c - SQLite's result codes as negated errno values, and the words kept with them.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

int corio_sqlite_error(int result)
{
    switch (result & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EUCLEAN;
    case SQLITE_CONSTRAINT:
        return -EEXIST;
    case SQLITE_IOERR:
        return result == SQLITE_IOERR_NOMEM ? -ENOMEM : -EIO;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_CANTOPEN:
        return -ENOENT;
    case SQLITE_TOOBIG:
        return -E2BIG;
    case SQLITE_INTERRUPT:
        return -EINTR;
    default:
        return -EINVAL;
    }
}

int cr_sqlite_failed(corio_sqlite *database, struct cr_sqlite_connection *connection, int result)
{
    const char *words =
        connection->handle ? sqlite3_errmsg(connection->handle) : sqlite3_errstr(result);
    int code = corio_sqlite_error(result);
    int system = connection->handle ? sqlite3_system_errno(connection->handle) : 0;
    if (code == -EIO && (system == ENOSPC || system == EDQUOT || system == EFBIG))
        code = -ENOSPC;
    pthread_mutex_lock(&database->lock);
    strncpy(database->message, words, sizeof database->message - 1);
    pthread_mutex_unlock(&database->lock);
    return code;
}

size_t corio_sqlite_message(const corio_sqlite *database, char *text, size_t bytes)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&database->lock;
    pthread_mutex_lock(lock);
    size_t length = strlen(database->message);
    if (bytes > 0) {
        size_t copied = length < bytes ? length : bytes - 1;
        memcpy(text, database->message, copied);
        text[copied] = '\0';
    }
    pthread_mutex_unlock(lock);
    return length;
}
