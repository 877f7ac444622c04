/* SPDX-License-Identifier: MIT
 *
 * redis_place.c - where a Redis server is: URLs.
 */
#include "redis_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEFAULT_PORT = 6379 };

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* A copy without percent escapes; NULL without memory. */
static char *decode(const char *text, size_t length)
{
    char *copy = malloc(length + 1);
    char *to = copy;
    for (size_t i = 0; copy && i < length; i++) {
        bool escaped =
            text[i] == '%' && i + 2 < length && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
        *to++ = escaped ? (char)(digit(text[i + 1]) << 4 | digit(text[i + 2])) : text[i];
        i += escaped ? 2 : 0;
    }
    if (copy)
        *to = '\0';
    return copy;
}

static int take_number(const char *text, size_t length, int most, int *ret)
{
    char copy[12];
    if (length == 0 || length >= sizeof copy || strspn(text, "0123456789") < length)
        return -EINVAL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    long long value = strtoll(copy, NULL, 10);
    if (value > most)
        return -EINVAL;
    *ret = (int)value;
    return 0;
}

/* [USER]:PASSWORD@; *at goes behind it. */
static int take_user(const char **at, struct redis_place *place)
{
    const char *slash = *at + strcspn(*at, "/?");
    const char *end = memrchr(*at, '@', (size_t)(slash - *at));
    if (!end)
        return 0;
    const char *colon = memchr(*at, ':', (size_t)(end - *at));
    if (!colon)
        return -EINVAL;
    if (colon > *at && !(place->user = decode(*at, (size_t)(colon - *at))))
        return -ENOMEM;
    place->password = decode(colon + 1, (size_t)(end - colon - 1));
    *at = end + 1;
    return place->password ? 0 : -ENOMEM;
}

static int take_socket(const char *at, struct redis_place *place)
{
    static const char db[] = "?db=";
    size_t length = strcspn(at, "?");
    place->unix_path = decode(at, length);
    at += length;
    if (!place->unix_path)
        return -ENOMEM;
    if (*at == '\0')
        return 0;
    if (strncmp(at, db, sizeof db - 1) != 0)
        return -EINVAL;
    at += sizeof db - 1;
    return take_number(at, strlen(at), 1 << 20, &place->database);
}

/* HOST[:PORT][/DB]; an IPv6 address stands in brackets. */
static int take_host(const char *at, struct redis_place *place)
{
    bool bracket = *at == '[';
    at += bracket;
    size_t length = strcspn(at, bracket ? "]" : ":/");
    place->host = length > 0 ? decode(at, length) : strdup("127.0.0.1");
    if (!place->host)
        return -ENOMEM;
    at += length + (bracket && at[length] == ']');
    if (*at == ':') {
        length = strcspn(++at, "/");
        if (take_number(at, length, 65535, &place->port) < 0)
            return -EINVAL;
        at += length;
    }
    if (*at == '/' && at[1])
        return take_number(at + 1, strlen(at + 1), 1 << 20, &place->database);
    return *at && *at != '/' ? -EINVAL : 0;
}

int redis_place_parse(const char *url, struct redis_place *ret)
{
    static const char tcp[] = "redis://", socket[] = "unix://";
    *ret = (struct redis_place){.port = DEFAULT_PORT};
    int rc;
    if (url[0] == '/')
        return take_socket(url, ret);
    if (strncmp(url, tcp, sizeof tcp - 1) == 0) {
        url += sizeof tcp - 1;
        rc = take_user(&url, ret);
        return rc < 0 ? rc : take_host(url, ret);
    }
    if (strncmp(url, socket, sizeof socket - 1) != 0)
        return -EINVAL;
    url += sizeof socket - 1;
    rc = take_user(&url, ret);
    return rc < 0 ? rc : take_socket(url, ret);
}

void redis_place_fini(struct redis_place *place)
{
    free(place->unix_path);
    free(place->host);
    free(place->user);
    free(place->password);
}

char *redis_place_text(const struct redis_place *place)
{
    char *text;
    int length = place->unix_path
                     ? asprintf(&text, "unix:%s?db=%d", place->unix_path, place->database)
                     : asprintf(&text, "%s:%d/%d", place->host, place->port, place->database);
    return length < 0 ? NULL : text;
}
