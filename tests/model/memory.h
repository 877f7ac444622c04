/* SPDX-License-Identifier: MIT
 *
 * memory.h - locations: what memory.c keeps of each place that is accessed atomically, and atomic.c
 * reads and writes.
 */
#ifndef MODEL_MEMORY_H
#define MODEL_MEMORY_H

#include "tests/model/explorer.h"

typedef struct write_record {
    uint64_t value;
    const view *carried;
    uint8_t writer;
    stamp when; /* the writer's count of writes; 0: none */
} write_record;

typedef struct location {
    const void *at;
    unsigned bytes;
    unsigned index; /* in views */
    stamp first;    /* number of writes[0] */
    stamp count;
    stamp capacity;
    bool plain; /* written plainly since: memory has the value */
    write_record *writes;
    stamp read_at[MODEL_THREADS]; /* atomic accesses: when the thread's clock was that */
    stamp written_at[MODEL_THREADS];
} location;

/* The location of an atomic access, which is checked against plain ones. */
location *memory_locate(const void *at, unsigned bytes, bool write);
void memory_append(location *to, write_record record);
/* After a plain write there is one value, and nobody may see an older one: without a race all have
 * seen that write. */
void memory_renew(location *of);
uint64_t memory_read(const void *at, unsigned bytes);
void memory_write(void *at, unsigned bytes, uint64_t value);
/* A thread's own time: it goes on when what was done before may be told apart from what follows. */
stamp memory_now(const model_thread *thread);
void memory_tick(model_thread *thread);

static inline unsigned memory_thread_number(const model_thread *thread)
{
    return (unsigned)(thread - explorer.threads);
}

static inline stamp memory_newest(const location *of)
{
    return (stamp)(of->first + of->count - 1);
}

static inline write_record memory_record(const location *of, stamp number)
{
    return of->writes[number - of->first];
}

/* atomic.c */
void atomic_begin_run(void);

#endif
