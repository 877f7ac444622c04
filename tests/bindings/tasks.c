/* SPDX-License-Identifier: MIT
 *
 * tasks.c - tasks written in C, for a dispatcher written in Python.
 */
#include <corio.h>

struct square_all {
    corio_dispatcher *square;
    long count;
    long sum;
};

struct one {
    struct square_all *all;
    long number;
};

/* What a binding has to know by heart. */
CORIO_API extern const size_t sizes[];
CORIO_API extern const char code_names[];
CORIO_API extern const int codes[];

#define NAME(name, value, text)  #name " "
#define VALUE(name, value, text) value,
const size_t sizes[] = {sizeof(corio_options), sizeof(corio_dispatcher_options),
                        sizeof(corio_request)};
const char code_names[] = CORIO_ERRORS(NAME);
const int codes[] = {CORIO_ERRORS(VALUE)};

CORIO_API int square_all(struct square_all *all);
CORIO_API int fail(void *arg);

static int one(void *arg)
{
    struct one *self = arg;
    long answer = 0;
    int rc = corio_io(self->all->square, &self->number, &answer);
    __atomic_add_fetch(&self->all->sum, answer, __ATOMIC_RELAXED);
    return rc;
}

int square_all(struct square_all *all)
{
    for (long i = 0; i < all->count; i++) {
        struct one argument = {all, i};
        corio_go_copy(one, &argument, sizeof argument);
    }
    return corio_wait();
}

int fail(void *arg)
{
    (void)arg;
    corio_fail(-EDOM, "on purpose");
}
