/* SPDX-License-Identifier: MIT
 *
 * params.c - the parameters of one request, while it is bound.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>

static int set(corio_postgres_params *params, unsigned n, const char *value, size_t bytes,
               int format)
{
    if (n < 1 || n > CORIO_POSTGRES_PARAMETERS || bytes > 1 << 30)
        return -EINVAL;
    params->values[n - 1] = value;
    params->lengths[n - 1] = (int)bytes;
    params->formats[n - 1] = format;
    if (params->count < (int)n)
        params->count = (int)n;
    return 0;
}

int corio_postgres_use(corio_postgres_params *params, unsigned statement)
{
    if (statement >= params->statement_count)
        return -EINVAL;
    params->statement = statement;
    return 0;
}

int corio_postgres_bind_text(corio_postgres_params *params, unsigned n, const char *text)
{
    return text ? set(params, n, text, 0, 0) : -EINVAL;
}

int corio_postgres_bind_bytes(corio_postgres_params *params, unsigned n, const void *data,
                              size_t bytes)
{
    return data || bytes == 0 ? set(params, n, data ? data : "", bytes, 1) : -EINVAL;
}

int corio_postgres_bind_int64(corio_postgres_params *params, unsigned n, int64_t value)
{
    if (n < 1 || n > CORIO_POSTGRES_PARAMETERS)
        return -EINVAL;
    char *text = params->numbers[n - 1];
    snprintf(text, sizeof params->numbers[n - 1], "%lld", (long long)value);
    return set(params, n, text, 0, 0);
}

int corio_postgres_bind_null(corio_postgres_params *params, unsigned n)
{
    return set(params, n, NULL, 0, 0);
}

void *corio_postgres_scratch(corio_postgres_params *params, size_t bytes)
{
    if (!params->scratch)
        params->scratch = cr_postgres_memory_create();
    return corio_postgres_alloc(params->scratch, bytes);
}
