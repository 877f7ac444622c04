/* SPDX-License-Identifier: MIT
 *
 * source.c - reads the input in blocks of whole stanzas.
 *
 *     file or pipe -> libarchive (gzip, xz, zstd, lz4, bzip2, or plain) -> block + the beginning of
 *     the next
 *
 * It is a dispatcher, so reading is I/O like any other: while an I/O thread waits for apt-cache,
 * the workers parse.
 */
#include "source.h"

#include "stanza.h"

#include <corio/batch.h>

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCK_BYTES = 1 << 20 };

static const char apt_name[] = "apt-cache dumpavail";

struct source {
    char *const *files;
    size_t count;
    size_t next;      /* file to open next */
    const char *name; /* of the open input */
    struct archive *archive;
    pid_t child; /* apt-cache, 0: none */
    int pipe;    /* from it */
    char *rest;  /* read, but not given yet: the beginning of a stanza */
    size_t rest_length;
    size_t line; /* of the rest */
    bool empty;  /* the open input has nothing */
    bool apt_done;
    struct failure *failure;
};

int source_create(char *const *files, size_t count, struct failure *failure,
                  struct source **ret_source)
{
    struct source *source = calloc(1, sizeof *source);
    if (!source)
        return -ENOMEM;
    source->files = files;
    source->count = count;
    source->failure = failure;
    source->pipe = -1;
    *ret_source = source;
    return 0;
}

/* Ends the open input. Returns 0, or a failure: of apt-cache only. */
static int close_input(struct source *source)
{
    int status = 0;
    if (source->archive)
        archive_read_free(source->archive);
    source->archive = NULL;
    if (source->pipe >= 0)
        close(source->pipe);
    source->pipe = -1;
    if (source->child > 0 && waitpid(source->child, &status, 0) < 0)
        status = -1;
    source->child = 0;
    if (status == 0)
        return 0;
    int rc = failure_if_interrupted(source->failure);
    return rc < 0 ? rc
                  : failure_set(source->failure, EXIT_INPUT, "%s failed; is apt there?", apt_name);
}

void source_destroy(struct source *source)
{
    if (!source)
        return;
    close_input(source);
    free(source->rest);
    free(source);
}

static int spawn_apt(struct source *source)
{
    extern char **environ;
    char program[] = "apt-cache";
    char command[] = "dumpavail";
    char *const arguments[] = {program, command, NULL};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return failure_set(source->failure, EXIT_OTHER, "pipe: %s", strerror(errno));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int error = posix_spawnp(&source->child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    source->pipe = ends[0];
    if (error) {
        source->child = 0;
        return failure_set(source->failure, EXIT_INPUT,
                           "apt-cache: %s; name a Packages file instead", strerror(error));
    }
    return 0;
}

static int input_failed(struct source *source)
{
    int number = archive_errno(source->archive);
    const char *words = archive_error_string(source->archive);
    bool missing = number == ENOENT || number == EACCES || number == EISDIR || number == EPERM;
    return failure_set(source->failure, missing ? EXIT_INPUT : EXIT_STANZA, "%s: %s", source->name,
                       missing ? strerror(number)
                       : words ? words
                               : "cannot be read");
}

/* Opens what libarchive reads from: a file by name, apt-cache by its pipe. */
static int open_archive(struct source *source)
{
    source->archive = archive_read_new();
    if (!source->archive)
        return failure_set(source->failure, EXIT_OTHER, "no memory");
    archive_read_support_filter_all(source->archive);
    archive_read_support_format_raw(source->archive);
    archive_read_support_format_empty(source->archive);
    int result = source->pipe >= 0
                     ? archive_read_open_fd(source->archive, source->pipe, 65536)
                     : archive_read_open_filename(source->archive, source->name, 65536);
    struct archive_entry *entry;
    if (result == ARCHIVE_OK)
        result = archive_read_next_header(source->archive, &entry);
    source->empty = result == ARCHIVE_EOF;
    return result == ARCHIVE_OK || source->empty ? 0 : input_failed(source);
}

/* Returns 1 when an input is open, 0 when there is none left. */
static int open_next(struct source *source)
{
    int rc = 0;
    if (source->archive)
        return 1;
    if (source->count == 0) {
        if (source->apt_done)
            return 0;
        source->apt_done = true;
        source->name = apt_name;
        rc = spawn_apt(source);
    } else {
        if (source->next == source->count)
            return 0;
        source->name = source->files[source->next++];
    }
    source->line = 1;
    if (rc == 0)
        rc = open_archive(source);
    return rc < 0 ? rc : 1;
}

/* Fills the buffer up. Returns the bytes in it, or an error; *ret_end tells whether the input is
 * at its end. */
static ssize_t fill(struct source *source, char *buffer, size_t have, bool *ret_end)
{
    *ret_end = source->empty;
    while (have < BLOCK_BYTES && !*ret_end) {
        ssize_t got = archive_read_data(source->archive, buffer + have, BLOCK_BYTES - have);
        if (got < 0 && interrupted)
            return failure_if_interrupted(source->failure);
        if (got < 0)
            return input_failed(source);
        *ret_end = got == 0;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

static size_t count_lines(const char *at, size_t length)
{
    size_t lines = 0;
    for (const char *end = at + length; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        lines++;
    return lines;
}

/* Cuts the buffer behind its last whole stanza; the rest waits for the next call. */
static int cut(struct source *source, char *buffer, size_t have, bool at_end, struct block *ret)
{
    size_t whole = at_end ? have : stanza_boundary(buffer, have);
    if (whole == 0 && have > 0)
        return failure_set(source->failure, EXIT_STANZA,
                           "%s: line %zu: a stanza of more than %d bytes", source->name,
                           source->line, BLOCK_BYTES);
    *ret = (struct block){
        .bytes = buffer, .length = whole, .line = source->line, .name = source->name};
    source->line += count_lines(buffer, whole);
    source->rest_length = have - whole;
    free(source->rest);
    source->rest = NULL;
    if (source->rest_length == 0)
        return 0;
    source->rest = malloc(source->rest_length);
    if (!source->rest)
        return failure_set(source->failure, EXIT_OTHER, "no memory");
    memcpy(source->rest, buffer + whole, source->rest_length);
    return 0;
}

static int read_block(struct source *source, struct block *ret)
{
    int rc = failure_if_interrupted(source->failure);
    if (rc == 0)
        rc = open_next(source);
    *ret = (struct block){0};
    if (rc <= 0)
        return rc;
    char *buffer = malloc(BLOCK_BYTES);
    if (!buffer)
        return failure_set(source->failure, EXIT_OTHER, "no memory");
    if (source->rest)
        memcpy(buffer, source->rest, source->rest_length);
    bool at_end;
    ssize_t have = fill(source, buffer, source->rest ? source->rest_length : 0, &at_end);
    rc = have < 0 ? (int)have : cut(source, buffer, (size_t)have, at_end, ret);
    if (rc == 0 && at_end)
        rc = close_input(source);
    if (rc < 0) {
        free(buffer);
        *ret = (struct block){0};
    }
    return rc;
}

static int read_blocks(void *self, corio_batch *batch)
{
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        struct block block;
        int rc = read_block(self, &block);
        if (rc < 0)
            corio_batch_fail(batch, i, rc);
        else
            source_face_respond(batch, i, &block);
    }
    return CORIO_DONE;
}

static int dispatch(void *self, corio_batch *batch)
{
    return corio_batch_submit(batch, read_blocks, self) < 0 ? read_blocks(self, batch)
                                                            : CORIO_LATER;
}

int source_add(struct source *source, corio_runtime *runtime, struct source_face *ret_face)
{
    return source_face_add(runtime, dispatch, source, ret_face);
}

/* -- Fingerprint -- */

static uint64_t mix_file(uint64_t hash, const char *name, const struct stat *status)
{
    int64_t facts[] = {status->st_size, status->st_mtim.tv_sec, status->st_mtim.tv_nsec};
    hash = corio_hash_bytes(hash, name, strlen(name));
    return corio_hash_bytes(hash, (const char *)facts, sizeof facts);
}

/* The order in which a directory is read does not matter: sums do not care. */
static uint64_t mix_directory(uint64_t hash, const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    uint64_t sum = 0;
    while (directory && (entry = readdir(directory))) {
        struct stat status;
        if (fstatat(dirfd(directory), entry->d_name, &status, 0) == 0 && S_ISREG(status.st_mode))
            sum += mix_file(hash, entry->d_name, &status);
    }
    if (directory)
        closedir(directory);
    return hash ^ sum;
}

int source_fingerprint(char *const *files, size_t count, struct failure *failure,
                       uint64_t *ret_hash)
{
    uint64_t hash = CORIO_HASH_BEGIN;
    struct stat status;
    if (count == 0) {
        hash = mix_directory(hash, "/var/lib/apt/lists");
        if (stat("/var/lib/dpkg/status", &status) == 0)
            hash = mix_file(hash, apt_name, &status);
    }
    for (size_t i = 0; i < count; i++) {
        if (stat(files[i], &status) < 0)
            return failure_set(failure, EXIT_INPUT, "%s: %s", files[i], strerror(errno));
        hash = mix_file(hash, files[i], &status);
    }
    *ret_hash = hash;
    return 0;
}
