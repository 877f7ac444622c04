/* SPDX-License-Identifier: MIT
 *
 * model.h - what a model is made of: cases, each with a few threads that call the library's own
 * code, and what must hold.
 *
 * A model includes the sources that it is about, as they are. They are compiled against the
 * explorer's atomics (include/ck_pr.h), its operating system (include/system.h) and with
 * -fsanitize=thread, whose calls the explorer answers itself: so it sees each plain access too, and
 * reports two that are not ordered, on whatever data.
 *
 * Threads are numbered as they stand in the case. Setup and check run alone, before and after; they
 * are not watched.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODEL_THREADS = 6 };

typedef struct model_case {
    const char *name; /* a fact */
    void (*setup)(void);
    void (*threads[MODEL_THREADS])(void);
    void (*check)(void); /* NULL: nothing more than what holds always */
    /* Nobody can go on and some have not ended: whether that is as it should be. NULL: never. */
    bool (*may_rest)(void);
} model_case;

/* Explores all cases, or does what the arguments say; the exit status. `runs`: per case and
 * strategy, unless the arguments say something else. */
int model_main(int argc, char **argv, const model_case *cases, size_t count, unsigned runs);

/* -- From a model's threads -- */

unsigned model_self(void);
_Noreturn void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define MODEL_CHECK(holds)                                                                         \
    do {                                                                                           \
        if (!(holds))                                                                              \
            model_fail("%s:%d: %s", __FILE__, __LINE__, #holds);                                   \
    } while (0)

/* The thread goes on only when `ready` returns true, which is not watched and orders nothing. */
void model_await(bool (*ready)(void), const char *what);
/* A hand-over by means outside of the model, with the order that it gives: each publish lets one
 * receive go on. */
void model_publish(const void *key);
void model_receive(const void *key, const char *what);
/* Whether the first `count` threads have ended. For may_rest. */
bool model_ended(unsigned count);
/* The environment decides: 0 to count - 1. */
unsigned model_choose(unsigned count);

/* -- Items: each made once and taken once -- */

enum { MODEL_ITEMS = 64 };

/* Made: its payload is written. Taken: its payload is read, and that must be ordered. */
void model_make(unsigned item);
void model_take(unsigned item);
unsigned model_made(void); /* how many, by now; not watched */
unsigned model_taken(void);
bool model_has_taken(unsigned item);
void model_check_all_taken(void);

/* Between the two are never more than `most` threads. */
void model_enter(unsigned most);
void model_leave(void);
unsigned model_inside(void);

/* -- Memory -- */

/* Fresh in each run. Freed memory is not used again within a run, and who touches it is told. */
void *model_alloc(size_t bytes);
void model_free(void *memory);
void model_check_all_freed(void);
/* For traces. Setup only. */
void model_name(const void *at, size_t bytes, const char *name);

#endif
