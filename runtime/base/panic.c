/* SPDX-License-Identifier: MIT */
#include "runtime/base/panic.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void cr_panic(const char *what)
{
    static const char head[] = "corio: broken invariant: ";
    (void)!write(STDERR_FILENO, head, sizeof head - 1);
    (void)!write(STDERR_FILENO, what, strlen(what));
    (void)!write(STDERR_FILENO, "\n", 1);
    abort();
}
