/* SPDX-License-Identifier: MIT
 *
 * redis_keys.h - the package universe in Redis, under keys of its own, and the connection beside those
 * of the dispatcher for what no task asks for.
 *
 *     corio:pkgaudit:current       version, byte order, generation, fingerprint: what is valid now
 *     corio:pkgaudit:generations   a set: those that were begun
 *     corio:pkgaudit:GEN:names     "ID NAME\n" for each package, in order of names
 *     corio:pkgaudit:GEN:e:ID      a package's edges: how many records, and the records (edges.h)
 *     corio:pkgaudit:GEN:texts     a hash: ID -> "POSITION TEXT\n" for each dependency
 *
 * Redis joins nothing, so what PostgreSQL puts together for each question is put together here when
 * the data are written.
 */
#ifndef PKGAUDIT_REDIS_KEYS_H
#define PKGAUDIT_REDIS_KEYS_H

#include "store.h"

#include <hiredis/hiredis.h>
#include <sqlite3.h>

#define REDIS_PREFIX "corio:pkgaudit:"

#define REDIS_CURRENT     REDIS_PREFIX "current"
#define REDIS_GENERATIONS REDIS_PREFIX "generations"

enum { REDIS_KEY_BYTES = 64, REDIS_VERSION = 1 };

/* Where a server is: what a URL says. */
struct redis_place {
    char *unix_path; /* NULL: host and port */
    char *host;
    int port;
    char *user; /* NULL: the default user */
    char *password;
    int database;
};

struct redis_store {
    struct store store;
    struct redis_place place;
    unsigned connections; /* 0: the library's default */
    char generation[20];  /* "" : there is no data */
    redisContext *side;   /* one thread at a time: it is used outside of the audit */
};

/* redis_place.c: takes redis://[USER:PASSWORD@]HOST[:PORT][/DB], unix://[USER:PASSWORD@]/PATH[?db=DB]
 * or a socket's path. Returns 0, -EINVAL or -ENOMEM. */
int redis_place_parse(const char *url, struct redis_place *ret);
void redis_place_fini(struct redis_place *place);
/* For messages, without the password; given, NULL without memory. */
char *redis_place_text(const struct redis_place *place);

/* Connects, with AUTH and SELECT. Returns NULL with the failure noted. */
redisContext *redis_connect(struct redis_store *store);
/* Notes what a reply, or with NULL the connection, says. */
int redis_failed(struct redis_store *store, const redisContext *connection,
                 const redisReply *reply);

bool redis_is_error(const redisReply *reply);
/* A command on the side connection that may be repeated. Connects again, for some seconds, when the server went away. Returns a reply that is no error, to be freed,
 * or NULL with the failure noted. */
redisReply *redis_side(struct redis_store *store, int argc, const char **argv);

/* What the data is made from, 0 if there is none. Refuses data of another version. */
int redis_fingerprint(struct redis_store *store, int64_t *ret);
/* Of the numbers in the edges: as a number, other on a machine with another order. */
unsigned redis_byte_order(void);
/* redis_import.c: replaces the data by the tables of an SQLite database: seen by others all at once. */
int redis_import(struct redis_store *store, sqlite3 *from, int64_t fingerprint);

/* A package's key; key has REDIS_KEY_BYTES. Returns its length. */
size_t redis_edges_key(const struct redis_store *store, uint32_t package, char *key);
/* The edges in a reply to GET, borrowed from it. Returns 0, or -ENODATA: the key is gone. */
int redis_edges(const redisReply *reply, struct edges *ret);

#endif
