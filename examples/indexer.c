/* SPDX-License-Identifier: MIT
 *
 * indexer.c - an index of the words in a folder's files, with duplicates found and words looked up.
 *
 *     folder task --list-->  I/O thread          one task per folder and per file, straight down:
 *       file task --known->  SQLite, read          ask whether it has changed, read, hash and count
 *       file task --read-->  I/O thread            words on any core, store
 *       file task --store->  SQLite, one transaction for all files of a phase
 *
 * What is in a phase: as many files of each folder as its window lets in. So memory is bounded, and
 * the database sees a few hundred files per transaction and not one.
 */
#include <corio.h>
#include <corio/blocking.h>
#include <corio/sqlite.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { window = 256, most_bytes = 64 << 20, word_least = 3, word_most = 32 };
enum { status_fine = 0, status_nothing = 1, status_usage = 2, status_error = 3 };

static const char help[] =
    "Usage: indexer [OPTION]... index FOLDER\n"
    "       indexer [OPTION]... search WORD...\n"
    "       indexer [OPTION]... duplicates\n"
    "Indexes the words of all files below a folder; a second time only those that have changed are "
    "read. Files that are not text are only compared.\n"
    "search prints the files that have all the words, the one that has them most often first.\n"
    "\n"
    "  --database=FILE  default: index.db\n"
    "  --workers=N      default: the CPUs that may be used\n"
    "  --help\n"
    "\n"
    "Exit status: 0 done; 1 nothing found; 2 usage; 3 an error (files that cannot be read are "
    "named and left out).\n";

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

static corio_dispatcher *blocking;
static corio_dispatcher *store;
static struct known known;
static struct postings_of postings_of;
static sqlite3_int64 this_run; /* of `index`: files not seen in it are gone */
static struct {
    size_t files, unchanged, failed;
} figures; /* relaxed atomics, read at the end */

static void add_one(size_t *figure)
{
    __atomic_add_fetch(figure, 1, __ATOMIC_RELAXED);
}

static void complain(const char *path, int rc)
{
    fprintf(stderr, "indexer: %s: %s\n", path, corio_strerror(rc));
    add_one(&figures.failed);
}

/* -- The database -- */

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS file (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, bytes "
    "INTEGER NOT NULL,"
    " changed_ns INTEGER NOT NULL, hash BLOB NOT NULL, run INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS file_hash ON file (hash);"
    "CREATE TABLE IF NOT EXISTS word (word TEXT NOT NULL, file INTEGER NOT NULL, count INTEGER NOT "
    "NULL,"
    " PRIMARY KEY (word, file)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS word_file ON word (file);";

static int bind_path(void *self, sqlite3_stmt *statement, const void *input)
{
    (void)self;
    const struct file_key *key = input;
    return corio_sqlite_error(sqlite3_bind_text(statement, 1, key->path, -1, SQLITE_STATIC));
}

static const void *path_key(void *self, const void *input, size_t *ret_bytes)
{
    (void)self;
    const struct file_key *key = input;
    *ret_bytes = strlen(key->path);
    return key->path;
}

static int take_known(void *self, corio_sqlite_memory *memory, sqlite3_stmt *statement,
                      void *output)
{
    (void)self;
    (void)memory;
    *(struct file_known *)output = (struct file_known){sqlite3_column_int64(statement, 0),
                                                       sqlite3_column_int64(statement, 1), true};
    return 1;
}

static int take_posting(void *self, corio_sqlite_memory *memory, sqlite3_stmt *statement,
                        void *output)
{
    (void)self;
    struct postings *list = output;
    if (list->length == list->capacity) {
        size_t more = list->capacity ? 2 * list->capacity : 16;
        void *items =
            corio_sqlite_grow(memory, (void *)list->items, list->capacity * sizeof *list->items,
                              more * sizeof *list->items);
        if (!items)
            return -ENOMEM;
        list->items = items;
        list->capacity = more;
    }
    struct posting *items = (struct posting *)list->items;
    items[list->length++] =
        (struct posting){sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1)};
    return 0;
}

enum { sql_seen, sql_forget, sql_file, sql_word };

/* One file, inside the transaction of its batch. An error undoes this file and no other. */
static int store_file(void *self, sqlite3_stmt *const *sql, const void *input, void *output)
{
    (void)self;
    (void)output;
    const struct file_data *file = input;
    if (!file->words) {
        sqlite3_bind_text(sql[sql_seen], 1, file->path, -1, SQLITE_STATIC);
        sqlite3_bind_int64(sql[sql_seen], 2, this_run);
        return corio_sqlite_step(sql[sql_seen]);
    }
    sqlite3_bind_text(sql[sql_forget], 1, file->path, -1, SQLITE_STATIC);
    int rc = corio_sqlite_step(sql[sql_forget]);
    if (rc < 0)
        return rc;
    sqlite3_bind_text(sql[sql_file], 1, file->path, -1, SQLITE_STATIC);
    sqlite3_bind_int64(sql[sql_file], 2, file->bytes);
    sqlite3_bind_int64(sql[sql_file], 3, file->changed_ns);
    sqlite3_bind_blob(sql[sql_file], 4, file->hash, sizeof file->hash, SQLITE_STATIC);
    sqlite3_bind_int64(sql[sql_file], 5, this_run);
    rc = corio_sqlite_step(sql[sql_file]);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < file->word_count; i++) {
        sqlite3_bind_text(sql[sql_word], 1, file->words[i].word, -1, SQLITE_STATIC);
        sqlite3_bind_int64(sql[sql_word], 2, file->words[i].count);
        sqlite3_bind_text(sql[sql_word], 3, file->path, -1, SQLITE_STATIC);
        rc = corio_sqlite_step(sql[sql_word]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Of the path: the other members are addresses, or come from it. */
static uint64_t hash_of_path(void *self, const void *input)
{
    (void)self;
    const struct file_data *file = input;
    return corio_hash_bytes(CORIO_HASH_BEGIN, file->path, strlen(file->path));
}

static int add_dispatchers(corio_sqlite *database, corio_runtime *runtime)
{
    const corio_sqlite_query query_known = {
        .size = sizeof query_known,
        .name = "known",
        .sql = "SELECT bytes, changed_ns FROM file WHERE path = ?1",
        .input_bytes = sizeof(struct file_key),
        .output_bytes = sizeof(struct file_known),
        .bind = bind_path,
        .row = take_known,
        .key = path_key,
    };
    const corio_sqlite_query query_postings = {
        .size = sizeof query_postings,
        .name = "postings",
        .sql = "SELECT file, count FROM word WHERE word = ?1 ORDER BY file",
        .input_bytes = sizeof(struct file_key),
        .output_bytes = sizeof(struct postings),
        .bind = bind_path,
        .row = take_posting,
        .key = path_key,
    };
    const corio_sqlite_exec exec_store = {
        .size = sizeof exec_store,
        .name = "store",
        .sql = {"UPDATE file SET run = ?2 WHERE path = ?1",
                "DELETE FROM word WHERE file = (SELECT id FROM file WHERE path = ?1)",
                "INSERT INTO file (path, bytes, changed_ns, hash, run) VALUES (?1, ?2, ?3, ?4, ?5) "
                "ON CONFLICT (path)"
                " DO UPDATE SET bytes = ?2, changed_ns = ?3, hash = ?4, run = ?5",
                "INSERT INTO word VALUES (?1, (SELECT id FROM file WHERE path = ?3), ?2)"},
        .input_bytes = sizeof(struct file_data),
        .execute = store_file,
        .hash = hash_of_path,
    };
    int rc = corio_sqlite_add_query(database, runtime, &query_known, &known.dispatcher);
    if (rc == 0)
        rc = corio_sqlite_add_query(database, runtime, &query_postings, &postings_of.dispatcher);
    if (rc == 0)
        rc = corio_sqlite_add_exec(database, runtime, &exec_store, &store);
    return rc;
}

/* -- A file: read in an I/O thread, hashed and counted by its task -- */

struct file {
    char *path;
    sqlite3_int64 bytes, changed_ns;
    char *content;
};

static int read_file(void *arg)
{
    struct file *file = arg;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    size_t room = (size_t)file->bytes, length = 0;
    file->content = malloc(room + 1);
    int rc = file->content ? 0 : -ENOMEM;
    if (rc == 0)
        file->content[0] = '\0'; /* of an empty file */
    while (rc == 0 && length < room) {
        ssize_t n = read(fd, file->content + length, room - length);
        if (n > 0)
            length += (size_t)n;
        else if (n == 0)
            break; /* it has become shorter */
        else if (errno != EINTR)
            rc = -errno;
    }
    close(fd);
    file->bytes = (sqlite3_int64)length;
    return rc;
}

/* Two independent 64-bit hashes: enough to tell files apart, not to keep out who wants to cheat. */
static void hash_content(const char *content, size_t bytes, uint64_t hash[2])
{
    uint64_t a = corio_hash_bytes(CORIO_HASH_BEGIN, content, bytes),
             b = bytes * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < bytes; i++) {
        b = (b + (unsigned char)content[i]) * 0xff51afd7ed558ccdu;
        b ^= b >> 32;
    }
    hash[0] = a;
    hash[1] = b;
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* All words, sorted, then counted. ret_words: to be freed. */
static int count_words(const char *content, size_t bytes, struct word_count **ret_words,
                       size_t *ret_count)
{
    size_t count = 0, capacity = 64;
    struct word_count *words = malloc(capacity * sizeof *words);
    for (size_t i = 0; words && i < bytes;) {
        char word[word_most + 1];
        size_t length = 0;
        for (; i < bytes && isalnum((unsigned char)content[i]) && (unsigned char)content[i] < 128;
             i++, length++)
            if (length < word_most)
                word[length] = (char)tolower((unsigned char)content[i]);
        if (length == 0)
            i++;
        if (length < word_least || length > word_most)
            continue;
        if (count == capacity) {
            struct word_count *more = realloc(words, 2 * capacity * sizeof *words);
            if (!more) {
                free(words);
                return -ENOMEM;
            }
            words = more;
            capacity *= 2;
        }
        word[length] = '\0';
        memcpy(words[count].word, word, length + 1);
        words[count++].count = 1;
    }
    if (!words)
        return -ENOMEM;
    qsort(words, count, sizeof *words, compare_words);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && strcmp(words[kept - 1].word, words[i].word) == 0)
            words[kept - 1].count++;
        else
            words[kept++] = words[i];
    }
    *ret_words = words;
    *ret_count = kept;
    return 0;
}

static int index_content(struct file *file)
{
    struct file_data data = {
        .path = file->path, .bytes = file->bytes, .changed_ns = file->changed_ns};
    struct word_count *words = NULL;
    hash_content(file->content, (size_t)file->bytes, data.hash);
    if (memchr(file->content, '\0', (size_t)file->bytes < 8000 ? (size_t)file->bytes : 8000))
        file->content[0] = '\0'; /* not text: known by its hash only */
    size_t bytes = file->content[0] ? (size_t)file->bytes : 0;
    int rc = count_words(file->content, bytes, &words, &data.word_count);
    free(file->content); /* not kept while the database works */
    file->content = NULL;
    data.words = words;
    if (rc == 0)
        rc = corio_io(store, &data, NULL);
    free(words);
    return rc;
}

static void free_file(void *arg)
{
    struct file *file = arg;
    free(file->content);
    free(file->path);
    free(file);
}

/* The task of a file; it has it. */
static int index_file(void *arg)
{
    struct file *file = arg;
    int rc = corio_defer(free_file, file);
    if (rc < 0)
        return rc;
    struct file_known before = {0};
    rc = known_io(known, &(struct file_key){file->path}, &before);
    if (rc < 0)
        return rc;
    add_one(&figures.files);
    if (before.found && before.bytes == file->bytes && before.changed_ns == file->changed_ns) {
        add_one(&figures.unchanged);
        return corio_io(store, &(struct file_data){.path = file->path}, NULL);
    }
    rc = corio_blocking(blocking, read_file, file);
    if (rc < 0) {
        complain(file->path, rc);
        return rc == -ENOMEM || rc == -ECANCELED ? rc : 0;
    }
    return index_content(file);
}

/* -- A folder: listed in an I/O thread, its task spawns what is in it -- */

struct folder {
    char *path;
    struct file **files;
    size_t file_count;
    char **folders;
    size_t folder_count;
};

static int by_path(const void *a, const void *b)
{
    return strcmp((*(struct file *const *)a)->path, (*(struct file *const *)b)->path);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Makes room for one more pointer at each power of two. */
static int grow(void *array, size_t count)
{
    if (count & (count - 1))
        return 0;
    void *more = realloc(*(void **)array, (count ? 2 * count : 1) * sizeof(void *));
    if (!more)
        return -ENOMEM;
    *(void **)array = more;
    return 0;
}

static int add_entry(struct folder *folder, char *path, const struct stat *stat)
{
    if (S_ISDIR(stat->st_mode)) {
        if (grow(&folder->folders, folder->folder_count) < 0)
            return -ENOMEM;
        folder->folders[folder->folder_count++] = path;
        return 0;
    }
    struct file *file = calloc(1, sizeof *file);
    if (!file || grow(&folder->files, folder->file_count) < 0) {
        free(file);
        return -ENOMEM;
    }
    file->path = path;
    file->bytes = stat->st_size;
    file->changed_ns = stat->st_mtim.tv_sec * 1000000000LL + stat->st_mtim.tv_nsec;
    folder->files[folder->file_count++] = file;
    return 0;
}

/* In an I/O thread. Symbolic links are left out, and so is what is no file. */
static int list_folder(void *arg)
{
    struct folder *folder = arg;
    DIR *stream = opendir(folder->path);
    if (!stream)
        return -errno;
    int rc = 0;
    for (struct dirent *entry; rc == 0 && (entry = readdir(stream));) {
        struct stat stat;
        char *path;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(dirfd(stream), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) < 0 ||
            !(S_ISDIR(stat.st_mode) || (S_ISREG(stat.st_mode) && stat.st_size <= most_bytes)))
            continue;
        if (asprintf(&path, "%s/%s", folder->path, entry->d_name) < 0)
            rc = -ENOMEM;
        else if ((rc = add_entry(folder, path, &stat)) < 0)
            free(path);
    }
    closedir(stream);
    if (folder->files)
        qsort(folder->files, folder->file_count, sizeof *folder->files, by_path);
    if (folder->folders)
        qsort(folder->folders, folder->folder_count, sizeof *folder->folders, by_text);
    return rc;
}

/* What no task has taken is released here. */
static void free_folder(void *arg)
{
    struct folder *folder = arg;
    for (size_t i = 0; i < folder->file_count; i++)
        if (folder->files[i])
            free_file(folder->files[i]);
    for (size_t i = 0; i < folder->folder_count; i++)
        free(folder->folders[i]);
    free(folder->files);
    free(folder->folders);
    free(folder->path);
    free(folder);
}

static int index_folder(void *arg)
{
    struct folder *folder = calloc(1, sizeof *folder);
    if (folder)
        folder->path = strdup(arg);
    int rc = folder ? corio_defer(free_folder, folder) : -ENOMEM;
    if (rc < 0 || !folder->path)
        return -ENOMEM;
    corio_set_window(window);
    rc = corio_blocking(blocking, list_folder, folder);
    if (rc < 0) {
        complain(folder->path, rc);
        return rc == -ENOMEM || rc == -ECANCELED ? rc : 0;
    }
    for (size_t i = 0; rc == 0 && i < folder->file_count; i++) {
        rc = corio_go(index_file, folder->files[i]);
        if (rc == 0)
            folder->files[i] = NULL; /* the task has it */
    }
    for (size_t i = 0; rc == 0 && i < folder->folder_count; i++)
        rc = corio_go(index_folder, folder->folders[i]);
    int waited = corio_wait();
    return rc < 0 ? rc : waited;
}

/* -- Search -- */

struct search {
    char *word;
    struct posting *items;
    size_t length;
};

/* A task per word: all questions are one batch. */
static int find_word(void *arg)
{
    struct search *search = arg;
    struct postings found = {0};
    for (char *c = search->word; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    int rc = postings_of_io(postings_of, &(struct file_key){search->word}, &found);
    if (rc < 0)
        return rc;
    search->items = malloc((found.length + 1) * sizeof *search->items);
    if (!search->items)
        return -ENOMEM;
    if (found.length) /* the answer is valid until the next suspension only */
        memcpy(search->items, found.items, found.length * sizeof *search->items);
    search->length = found.length;
    return 0;
}

struct words {
    struct search *items;
    size_t length;
};

static int find_words(void *arg)
{
    struct words *words = arg;
    for (size_t i = 0; i < words->length; i++)
        corio_go(find_word, &words->items[i]);
    return corio_wait();
}

static int by_count(const void *a, const void *b)
{
    const struct posting *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count ? 1 : -1)
                                : (x->file > y->file) - (x->file < y->file);
}

/* Leaves in the first list what is in the second, too. Both are sorted by file. */
static void intersect(struct search *first, const struct search *second)
{
    size_t kept = 0, j = 0;
    for (size_t i = 0; i < first->length; i++) {
        while (j < second->length && second->items[j].file < first->items[i].file)
            j++;
        if (j < second->length && second->items[j].file == first->items[i].file) {
            first->items[kept] = first->items[i];
            first->items[kept++].count += second->items[j].count;
        }
    }
    first->length = kept;
}

/* -- Commands -- */

/* Runs a statement on the writer connection and prints its rows, columns separated by two spaces.
 */
static int print_rows(sqlite3 *connection, const char *sql, sqlite3_int64 parameter,
                      const char *prefix)
{
    sqlite3_stmt *statement;
    int rows = 0, rc = sqlite3_prepare_v2(connection, sql, -1, &statement, NULL);
    if (rc != SQLITE_OK)
        return corio_sqlite_error(rc);
    sqlite3_bind_int64(statement, 1, parameter);
    for (; (rc = sqlite3_step(statement)) == SQLITE_ROW; rows++) {
        fputs(prefix, stdout);
        for (int i = 0; i < sqlite3_column_count(statement); i++)
            printf("%s%s", i ? "  " : "", (const char *)sqlite3_column_text(statement, i));
        putchar('\n');
    }
    sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? rows : corio_sqlite_error(rc);
}

static int command_index(corio_runtime *runtime, corio_sqlite *database, char *folder)
{
    sqlite3 *connection = corio_sqlite_writer(database);
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(connection, "SELECT coalesce(max(run), 0) + 1 FROM file", -1,
                                &statement, NULL);
    if (rc == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        this_run = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--)
        folder[n - 1] = '\0';
    struct stat status;
    int error = stat(folder, &status) < 0 ? errno : S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
    if (error) {
        fprintf(stderr, "indexer: %s: %s\n", folder, strerror(error));
        add_one(&figures.failed);
        return -error;
    }
    rc = corio_run(runtime, index_folder, folder);
    if (rc < 0)
        return rc;
    char *gone = sqlite3_mprintf(
        "BEGIN; DELETE FROM word WHERE file IN (SELECT id FROM file WHERE run <> %lld);"
        "DELETE FROM file WHERE run <> %lld; COMMIT",
        this_run, this_run);
    rc = gone ? corio_sqlite_error(sqlite3_exec(connection, gone, NULL, NULL, NULL)) : -ENOMEM;
    sqlite3_free(gone);
    corio_sqlite_stats stats = {.size = sizeof stats};
    corio_sqlite_dispatcher_stats(store, &stats);
    printf("%zu files, %zu of them unchanged, in %llu transactions\n", figures.files,
           figures.unchanged, (unsigned long long)stats.transactions);
    return rc < 0 ? rc : figures.failed ? -EIO : 1;
}

static int command_search(corio_runtime *runtime, corio_sqlite *database, char **texts,
                          size_t length)
{
    struct words words = {calloc(length, sizeof(struct search)), length};
    if (!words.items)
        return -ENOMEM;
    for (size_t i = 0; i < length; i++)
        words.items[i].word = texts[i];
    int rc = corio_run(runtime, find_words, &words);
    for (size_t i = 1; rc == 0 && i < length; i++)
        intersect(&words.items[0], &words.items[i]);
    struct search *found = &words.items[0];
    if (rc == 0)
        qsort(found->items, found->length, sizeof *found->items, by_count);
    for (size_t i = 0; rc >= 0 && i < found->length; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "%lld  ", found->items[i].count);
        rc = print_rows(corio_sqlite_writer(database), "SELECT path FROM file WHERE id = ?1",
                        found->items[i].file, prefix);
    }
    rc = rc < 0 ? rc : found->length > 0;
    for (size_t i = 0; i < length; i++)
        free(words.items[i].items);
    free(words.items);
    return rc;
}

static int command_duplicates(corio_sqlite *database)
{
    return print_rows(
        corio_sqlite_writer(database),
        "SELECT lower(substr(hex(hash), 1, 12)), bytes, path FROM file WHERE bytes > 0 AND hash IN"
        " (SELECT hash FROM file GROUP BY hash, bytes HAVING count(*) > 1) ORDER BY bytes DESC, "
        "hash, path",
        0, "");
}

static int usage(const char *what)
{
    fprintf(stderr, "indexer: %s\n%s", what, help);
    return status_usage;
}

/* The command's result: negative a failure, 0 nothing found, positive fine. */
static int command(corio_runtime *runtime, corio_sqlite *database, int argc, char **argv)
{
    if (strcmp(argv[0], "index") == 0)
        return command_index(runtime, database, argv[1]);
    if (strcmp(argv[0], "search") == 0)
        return command_search(runtime, database, argv + 1, (size_t)(argc - 1));
    return command_duplicates(database);
}

static int with_database(const char *path, unsigned workers, int argc, char **argv)
{
    const corio_sqlite_options with = {.size = sizeof with, .path = path};
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = workers;
    options.wait_mode =
        CORIO_WAIT_STRICT; /* all reads of a phase are there before the next: large transactions */
    corio_sqlite *database = NULL;
    corio_runtime *runtime = NULL;
    int rc = corio_sqlite_open(&with, &database);
    if (rc == 0)
        rc = corio_sqlite_error(
            sqlite3_exec(corio_sqlite_writer(database), schema, NULL, NULL, NULL));
    if (rc == 0)
        rc = corio_runtime_create(&options, &runtime);
    if (rc == 0)
        rc = corio_blocking_add(
            runtime, &(corio_blocking_options){.size = sizeof(corio_blocking_options), .grain = 4},
            &blocking);
    if (rc == 0)
        rc = add_dispatchers(database, runtime);
    if (rc == 0)
        rc = command(runtime, database, argc, argv);
    if (rc < 0 && !figures.failed) {
        char words[256] = "";
        if (database)
            corio_sqlite_message(database, words, sizeof words);
        fprintf(stderr, "indexer: %s: %s%s%s\n", path, corio_strerror(rc), *words ? ": " : "",
                words);
    }
    corio_runtime_destroy(runtime);
    corio_sqlite_close(database);
    return rc < 0 ? status_error : rc > 0 ? status_fine : status_nothing;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"database", required_argument, NULL, 'd'},
                                            {"workers", required_argument, NULL, 'w'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const char *path = "index.db";
    int workers = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'd')
            path = optarg;
        else if (option == 'w' && ((workers = atoi(optarg)) < 1 || workers > 1024))
            return usage("--workers is a number from 1 to 1024");
        else if (option == 'h')
            return fputs(help, stdout) < 0;
        else if (option == '?')
            return fputs(help, stderr), status_usage;
    }
    argc -= optind;
    argv += optind;
    if (argc == 0)
        return usage("index, search or duplicates?");
    if (strcmp(argv[0], "index") == 0    ? argc != 2
        : strcmp(argv[0], "search") == 0 ? argc < 2
                                         : argc != 1)
        return usage("too many or too few arguments");
    if (strcmp(argv[0], "index") && strcmp(argv[0], "search") && strcmp(argv[0], "duplicates"))
        return usage("index, search or duplicates?");
    int status = with_database(path, (unsigned)workers, argc, argv);
    return fflush(stdout) != 0 ? status_error : status;
}
