/* SPDX-License-Identifier: MIT */
#include "runtime/base/exceptions.h"

#include <dlfcn.h>

__attribute__((weak)) cr_exceptions *__cxa_get_globals(void);

/* Of a library that is loaded already, wherever its symbols are visible. It is not closed again, and so
 * stays: runtimes keep addresses in it. */
static void *find_in(const char *library)
{
    void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    return handle != NULL ? dlsym(handle, "__cxa_get_globals") : NULL;
}

cr_exceptions_fn *cr_exceptions_find(void)
{
    if (__cxa_get_globals != NULL)
        return __cxa_get_globals;
    /* Loaded later than this library, or by a plugin for itself. */
    static const char *const libraries[] = {"libstdc++.so.6", "libc++abi.so.1"};
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        void *found = find_in(libraries[i]);
        if (found != NULL)
            return __extension__(cr_exceptions_fn *) found;
    }
    return NULL;
}
