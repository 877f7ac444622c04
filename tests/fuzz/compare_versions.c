/* SPDX-License-Identifier: MIT
 *
 * Compares the pairs of versions on standard input, two words a line, for check_versions.py: prints -1, 0 or
 * 1 for each. Built with examples/pkgaudit/version.c.
 */
#include "examples/pkgaudit/version.h"

#include <stdio.h>

int main(void)
{
    char a[256], b[256];
    while (scanf("%255s %255s", a, b) == 2) {
        int order = version_compare(a, b);
        printf("%d\n", (order > 0) - (order < 0));
    }
    return 0;
}
