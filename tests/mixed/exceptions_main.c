/* SPDX-License-Identifier: MIT
 *
 * exceptions_main.c [PLUGIN] - calls what exceptions.cpp checks. With PLUGIN that is loaded, and the
 * C++ runtime with it, later than the library.
 */
#include <dlfcn.h>
#include <stdio.h>

typedef int checks(void);

#ifdef PLUGIN
static checks *find(const char *plugin)
{
    void *handle = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return NULL;
    return __extension__(checks *) dlsym(handle, "check_exceptions");
}

int main(int argc, char **argv)
{
    checks *found = argc == 2 ? find(argv[1]) : NULL;
    if (found != NULL)
        return found();
    fprintf(stderr, "no plugin: %s\n", argc == 2 ? dlerror() : "");
    return 1;
}
#else
int check_exceptions(void);

int main(void)
{
    return check_exceptions();
}
#endif
