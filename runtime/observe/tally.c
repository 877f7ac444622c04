/* SPDX-License-Identifier: MIT */
#include "runtime/observe/tally.h"

#include <inttypes.h>
#include <stdio.h>

void cr_tally_path(const cr_tally *tally, char *text)
{
    const char *before = tally->deeper ? "..., " : "";
    size_t at = 0;
    if (tally->root > 0)
        at += (size_t)snprintf(text, CR_TALLY_PATH, "#%" PRIu64, tally->root);
    text[at++] = '(';
    for (unsigned i = tally->levels; i-- > 0; before = ", ")
        at += (size_t)snprintf(text + at, CR_TALLY_PATH - at, "%s%" PRIu64, before,
                               tally->indices[i]);
    snprintf(text + at, CR_TALLY_PATH - at, ")");
}
