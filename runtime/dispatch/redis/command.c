/* SPDX-License-Identifier: MIT
 *
 * command.c - what is known about commands by their name.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Sorted. Commands that only read, whatever their arguments. */
static const char *const readers[] = {
    "BITCOUNT",
    "BITPOS",
    "DBSIZE",
    "ECHO",
    "EXISTS",
    "EXPIRETIME",
    "GEODIST",
    "GEOHASH",
    "GEOPOS",
    "GEOSEARCH",
    "GET",
    "GETBIT",
    "GETRANGE",
    "HEXISTS",
    "HGET",
    "HGETALL",
    "HKEYS",
    "HLEN",
    "HMGET",
    "HRANDFIELD",
    "HSCAN",
    "HSTRLEN",
    "HVALS",
    "INFO",
    "KEYS",
    "LINDEX",
    "LLEN",
    "LPOS",
    "LRANGE",
    "MGET",
    "PEXPIRETIME",
    "PFCOUNT",
    "PING",
    "PTTL",
    "RANDOMKEY",
    "SCAN",
    "SCARD",
    "SDIFF",
    "SINTER",
    "SISMEMBER",
    "SMEMBERS",
    "SMISMEMBER",
    "SRANDMEMBER",
    "SSCAN",
    "STRLEN",
    "SUNION",
    "TIME",
    "TTL",
    "TYPE",
    "XLEN",
    "XRANGE",
    "XREVRANGE",
    "ZCARD",
    "ZCOUNT",
    "ZLEXCOUNT",
    "ZMSCORE",
    "ZRANDMEMBER",
    "ZRANGE",
    "ZRANGEBYLEX",
    "ZRANGEBYSCORE",
    "ZRANK",
    "ZREVRANGE",
    "ZREVRANGEBYLEX",
    "ZREVRANGEBYSCORE",
    "ZREVRANK",
    "ZSCAN",
    "ZSCORE",
};

size_t cr_redis_arg_bytes(const corio_redis_command *command, int i)
{
    return command->argv_bytes ? command->argv_bytes[i] : strlen(command->argv[i]);
}

static int compare(const void *name, const void *reader)
{
    return strcasecmp(name, *(const char *const *)reader);
}

bool cr_redis_only_reads(const corio_redis_command *command)
{
    char name[24];
    size_t bytes = cr_redis_arg_bytes(command, 0);
    if (bytes >= sizeof name)
        return false;
    memcpy(name, command->argv[0], bytes);
    name[bytes] = '\0';
    return bsearch(name, readers, sizeof readers / sizeof *readers, sizeof *readers, compare);
}

bool cr_redis_is_plain(const corio_redis_command *command, const char *name, int argc)
{
    size_t bytes = strlen(name);
    return command->argc == argc && cr_redis_arg_bytes(command, 0) == bytes &&
           strncasecmp(command->argv[0], name, bytes) == 0;
}
