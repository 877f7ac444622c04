/* SPDX-License-Identifier: MIT
 *
 * file.c - a file: read in an I/O thread, hashed and counted by its task.
 */
#include "indexer.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int read_file(void *arg)
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

int restore_file(struct file *file, const void *bytes, size_t count)
{
    file->content = malloc(count + 1);
    if (!file->content)
        return -ENOMEM;
    memcpy(file->content, bytes, count);
    file->content[count] = '\0';
    file->bytes = (sqlite3_int64)count;
    return 0;
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

void free_file(void *arg)
{
    struct file *file = arg;
    free(file->content);
    free(file->path);
    free(file);
}

int index_file(void *arg)
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
