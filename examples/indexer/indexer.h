/* SPDX-License-Identifier: MIT
 *
 * indexer.h - an index of the words in a folder's files, with duplicates found and words looked up.
 *
 *     folder task --list-->  I/O thread          one task per folder and per file, straight down:
 *       file task --known->  SQLite, read          ask whether it has changed, read, hash and count
 *       file task --read-->  I/O thread            words on any core, store
 *       file task --store->  SQLite, one transaction for all files of a phase
 *
 * What is in a phase: as many files of each folder as its window lets in. So memory is bounded, and
 * the database sees a few hundred files per transaction and not one.
 *
 *     main.c       options and commands
 *     database.c   what is asked of SQLite, as dispatchers
 *     folder.c     the task of a folder
 *     file.c       the task of a file
 *     search.c     the tasks of a search
 *     recording.c  what the I/O threads have done, for CORIO_RECORD and CORIO_REPLAY
 */
#ifndef INDEXER_H
#define INDEXER_H

#include <corio.h>
#include <corio/blocking.h>
#include <corio/sqlite.h>

#include <stdio.h>
#include <string.h>

enum { window = 256, most_bytes = 64 << 20, word_least = 3, word_most = 32 };

/* Questions and answers. */
struct file_key {
    const char *path;
};
struct file_known {
    sqlite3_int64 bytes, changed_ns;
    bool found;
};
struct word_count {
    char word[word_most + 1];
    unsigned count;
};
struct file_data {
    const char *path;
    sqlite3_int64 bytes, changed_ns;
    uint64_t hash[2];
    const struct word_count *words; /* NULL: it is unchanged, and only marked as seen */
    size_t word_count;
};
struct posting {
    sqlite3_int64 file;
    sqlite3_int64 count;
};
struct postings {
    const struct posting *items;
    size_t length, capacity;
};
CORIO_DISPATCHER(known, struct file_key, struct file_known);
CORIO_DISPATCHER(postings_of, struct file_key, struct postings);

/* Set before the run. */
extern corio_dispatcher *blocking;
extern corio_dispatcher *store;
extern struct known known;
extern struct postings_of postings_of;
extern sqlite3_int64 this_run; /* of `index`: files not seen in it are gone */

extern struct figures {
    size_t files, unchanged, failed;
} figures; /* relaxed atomics, read at the end */

static inline void add_one(size_t *figure)
{
    __atomic_add_fetch(figure, 1, __ATOMIC_RELAXED);
}

static inline void complain(const char *path, int rc)
{
    fprintf(stderr, "indexer: %s: %s\n", path, corio_strerror(rc));
    add_one(&figures.failed);
}

/* -- database.c -- */

extern const char schema[];
int add_dispatchers(corio_sqlite *database, corio_runtime *runtime);

/* -- file.c -- */

struct file {
    char *path;
    sqlite3_int64 bytes, changed_ns;
    char *content;
};

int read_file(void *arg); /* in an I/O thread */
int restore_file(struct file *file, const void *bytes, size_t count);
int index_file(void *arg); /* task of a struct file, which it has from then on */
void free_file(void *arg);

/* -- folder.c -- */

struct folder;

int list_folder(void *arg); /* in an I/O thread */
int save_folder(const struct folder *folder, corio_sink *sink);
int restore_folder(struct folder *folder, const char *bytes, size_t count);
int index_folder(void *arg); /* task of a path, which is borrowed */

/* -- recording.c -- */

corio_save_fn save_call; /* of the blocking dispatcher */
corio_restore_fn restore_call;

/* -- search.c -- */

struct search {
    char *word;
    struct posting *items;
    size_t length;
};

struct words {
    struct search *items;
    size_t length;
};

int find_words(void *arg); /* root task of a struct words; fills in what was found */
int by_count(const void *a, const void *b); /* for qsort: most first */
/* Leaves in the first list what is in the second, too. Both are sorted by file. */
void intersect(struct search *first, const struct search *second);

#endif
