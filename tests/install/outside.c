/* SPDX-License-Identifier: MIT
 *
 * outside.c - a program of an outside project: prints "corio works", and exits with 0 then.
 */
#include "outside.h"

#include <stdio.h>

int main(void)
{
    corio_runtime *runtime;
    int rc = corio_runtime_create(NULL, &runtime);
    if (rc < 0)
        return 1;
    rc = square_add(runtime, dispatch, NULL, &squares);
    if (rc == 0)
        rc = corio_run(runtime, outside_root, NULL);
    corio_runtime_destroy(runtime);
    puts(rc == 0 ? "corio works" : corio_strerror(rc));
    return rc != 0;
}
