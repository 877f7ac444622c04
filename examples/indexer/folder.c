/* SPDX-License-Identifier: MIT
 *
 * folder.c - a folder: listed in an I/O thread; its task spawns what is in it.
 */
#include "indexer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

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
int list_folder(void *arg)
{
    struct folder *folder = arg;
    DIR *stream = opendir(folder->path);
    if (!stream)
        return -errno;
    int rc = 0;
    for (struct dirent *entry; rc == 0 && (errno = 0, entry = readdir(stream));) {
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
    if (rc == 0)
        rc = -errno; /* of readdir: 0 at the end */
    closedir(stream);
    if (folder->files)
        qsort(folder->files, folder->file_count, sizeof *folder->files, by_path);
    if (folder->folders)
        qsort(folder->folders, folder->folder_count, sizeof *folder->folders, by_text);
    return rc;
}

/* -- Recordings: an entry after the other, each a head and its path -- */

struct saved_entry {
    int64_t bytes, changed_s, changed_ns;
    uint64_t mode, path_bytes; /* with its zero */
};

static int save_entry(corio_sink *sink, const char *path, const struct file *file)
{
    const struct saved_entry saved = {
        .bytes = file ? file->bytes : 0,
        .changed_s = file ? file->changed_ns / 1000000000 : 0,
        .changed_ns = file ? file->changed_ns % 1000000000 : 0,
        .mode = file ? S_IFREG : S_IFDIR,
        .path_bytes = strlen(path) + 1,
    };
    int rc = corio_sink_write(sink, &saved, sizeof saved);
    return rc == 0 ? corio_sink_write(sink, path, saved.path_bytes) : rc;
}

int save_folder(const struct folder *folder, corio_sink *sink)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < folder->file_count; i++)
        rc = save_entry(sink, folder->files[i]->path, folder->files[i]);
    for (size_t i = 0; rc == 0 && i < folder->folder_count; i++)
        rc = save_entry(sink, folder->folders[i], NULL);
    return rc;
}

int restore_folder(struct folder *folder, const char *bytes, size_t count)
{
    int rc = 0;
    while (rc == 0 && count > 0) {
        struct saved_entry saved;
        if (count < sizeof saved)
            return -EBADMSG;
        memcpy(&saved, bytes, sizeof saved);
        bytes += sizeof saved;
        count -= sizeof saved;
        if (saved.path_bytes == 0 || saved.path_bytes > count || bytes[saved.path_bytes - 1])
            return -EBADMSG;
        const struct stat stat = {.st_mode = (mode_t)saved.mode,
                                  .st_size = saved.bytes,
                                  .st_mtim = {saved.changed_s, saved.changed_ns}};
        char *path = strdup(bytes);
        rc = path ? add_entry(folder, path, &stat) : -ENOMEM;
        if (rc < 0)
            free(path);
        bytes += saved.path_bytes;
        count -= saved.path_bytes;
    }
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

int index_folder(void *arg)
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
