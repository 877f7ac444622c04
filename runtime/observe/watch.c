/* SPDX-License-Identifier: MIT */
#include "runtime/observe/watch.h"

#include <inttypes.h>
#include <stdio.h>

void cr_watch_path(const cr_watch *watch, char *text)
{
    const char *before = watch->deeper ? "..., " : "";
    size_t at = 1;
    text[0] = '(';
    for (unsigned i = watch->levels; i-- > 0; before = ", ")
        at += (size_t)snprintf(text + at, CR_WATCH_PATH - at, "%s%" PRIu64, before,
                               watch->indices[i]);
    snprintf(text + at, CR_WATCH_PATH - at, ")");
}
