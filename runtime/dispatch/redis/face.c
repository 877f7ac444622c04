/* SPDX-License-Identifier: MIT
 *
 * face.c - what tasks call.
 */
#include <corio/redis.h>

#include <string.h>

const char *corio_redis_strerror(int code)
{
    switch (code) {
#define CORIO_REDIS_CASE(name, value, text)                                                        \
    case name:                                                                                     \
        return text;
        CORIO_REDIS_ERRORS(CORIO_REDIS_CASE)
#undef CORIO_REDIS_CASE
    default:
        return corio_strerror(code);
    }
}

corio_request corio_redis_ask(corio_dispatcher *dispatcher, const corio_redis_command *command,
                              corio_redis_reply *reply)
{
    *reply = (corio_redis_reply){NULL, NULL};
    return (corio_request){.dispatcher = dispatcher, .input = command, .output = reply};
}

int corio_redis_call(corio_dispatcher *dispatcher, const corio_redis_command *command,
                     corio_redis_reply *ret_reply)
{
    corio_redis_reply reply = {NULL, NULL};
    int rc = corio_io(dispatcher, command, &reply);
    if (ret_reply)
        *ret_reply = reply;
    else
        corio_redis_release(&reply);
    return rc;
}

int corio_redis_get(corio_dispatcher *dispatcher, const char *key, corio_redis_reply *ret_reply)
{
    const char *const argv[] = {"GET", key};
    const corio_redis_command command = {.argc = 2, .argv = argv};
    return corio_redis_call(dispatcher, &command, ret_reply);
}

int corio_redis_set(corio_dispatcher *dispatcher, const char *key, const void *value, size_t bytes)
{
    const char *const argv[] = {"SET", key, value};
    const size_t argv_bytes[] = {3, strlen(key), bytes};
    const corio_redis_command command = {.argc = 3, .argv = argv, .argv_bytes = argv_bytes};
    return corio_redis_call(dispatcher, &command, NULL);
}
