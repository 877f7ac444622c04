/* SPDX-License-Identifier: MIT
 *
 * ingest.c - fills the database.
 *
 *     root task: asks the source for a block -> pieces of whole stanzas -> a task for each
 *     piece task: parses -> asks for an upsert of each stanza, all at once
 *     end of phase: all upserts are one batch, one transaction; the next block is read meanwhile
 *
 * A window bounds the pieces that are under way, and so the memory.
 */
#include "ingest.h"

#include "dependency.h"
#include "sqlite_tables.h"
#include "stanza.h"

#include <corio.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    PIECE_BYTES = 65536,
    WINDOW = 64, /* pieces: about 4 MiB of text */
};

/* One stanza's rows. The texts lie in the block. */
struct upsert {
    struct stanza stanza;
    size_t first_dependency; /* in the piece's array */
    size_t dependencies;
    size_t first_provided;
    size_t provided;
    const struct piece *piece;
};

struct shared_block {
    char *bytes;
    atomic_uint users;
};

struct piece {
    struct ingest *ingest;
    corio_dispatcher *upserts;
    struct shared_block *block;
    const char *at;
    size_t length;
    size_t line;
    const char *name; /* of the input */
    struct upsert *rows;
    size_t count;
    size_t room;
    struct dependency *links; /* dependencies and provided names of all rows */
    size_t link_count;
    size_t link_room;
};

/* -- Parsing: the CPU phase -- */

static bool grow(void **array, size_t *room, size_t count, size_t each)
{
    if (count < *room)
        return true;
    size_t larger = *room ? 2 * *room : 64;
    void *moved = realloc(*array, larger * each);
    if (!moved)
        return false;
    *array = moved;
    *room = larger;
    return true;
}

static int no_memory(struct ingest *ingest)
{
    return failure_set(ingest->failure, EXIT_OTHER, "no memory");
}

/* Adds a field's alternatives to the links; *position goes on behind the last. */
static int add_links(struct piece *piece, const struct stanza *stanza, struct text field,
                     unsigned *position)
{
    struct dependency_cursor cursor;
    struct dependency link;
    int rc;
    dependency_begin(&cursor, field, piece->ingest->architecture, *position);
    while ((rc = dependency_next(&cursor, &link)) > 0) {
        if (!grow((void **)&piece->links, &piece->link_room, piece->link_count, sizeof link))
            return no_memory(piece->ingest);
        piece->links[piece->link_count++] = link;
        *position = link.position + 1;
    }
    if (rc < 0)
        return failure_set(piece->ingest->failure, EXIT_STANZA,
                           "%s: line %zu: package %.*s: a malformed dependency", piece->name,
                           stanza->line, (int)stanza->package.length, stanza->package.at);
    return 0;
}

static int add_row(struct piece *piece, const struct stanza *stanza)
{
    unsigned position = 0;
    if (!grow((void **)&piece->rows, &piece->room, piece->count, sizeof *piece->rows))
        return no_memory(piece->ingest);
    struct upsert *row = &piece->rows[piece->count++];
    *row =
        (struct upsert){.stanza = *stanza, .first_dependency = piece->link_count, .piece = piece};
    int rc = add_links(piece, stanza, stanza->pre_depends, &position);
    if (rc == 0)
        rc = add_links(piece, stanza, stanza->depends, &position);
    row->dependencies = piece->link_count - row->first_dependency;
    row->first_provided = piece->link_count;
    position = 0;
    if (rc == 0)
        rc = add_links(piece, stanza, stanza->provides, &position);
    row->provided = piece->link_count - row->first_provided;
    return rc;
}

static int parse(struct piece *piece)
{
    struct stanza_cursor cursor;
    struct stanza stanza;
    int rc;
    stanza_begin(&cursor, piece->at, piece->length, piece->line);
    while ((rc = stanza_next(&cursor, &stanza)) > 0) {
        if (!text_is(stanza.architecture, "all") &&
            !text_is(stanza.architecture, piece->ingest->architecture))
            continue;
        rc = add_row(piece, &stanza);
        if (rc < 0)
            return rc;
    }
    if (rc < 0)
        return failure_set(piece->ingest->failure, EXIT_STANZA, "%s: line %zu: %s", piece->name,
                           cursor.line, cursor.problem);
    return 0;
}

/* -- Upserting: callbacks of the exec dispatcher -- */

enum { FIND, INSERT, UPDATE, DROP_DEPENDENCIES, DROP_CANDIDATES, ADD_DEPENDENCY, ADD_CANDIDATE };

static const char *const upsert_sql[] = {
    [FIND] = "SELECT id, version, architecture FROM package WHERE name = ?1",
    [INSERT] = "INSERT INTO package(name, version, architecture) VALUES(?1, ?2, ?3)",
    [UPDATE] = "UPDATE package SET version = ?2, architecture = ?3 WHERE name = ?1",
    [DROP_DEPENDENCIES] = "DELETE FROM dependency WHERE package = ?1",
    [DROP_CANDIDATES] = "DELETE FROM candidate WHERE owner_id = ?1",
    [ADD_DEPENDENCY] = "INSERT INTO dependency VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [ADD_CANDIDATE] = "INSERT OR IGNORE INTO candidate VALUES(?1, ?2, ?3, ?4, ?5)",
};

static void bind_text(sqlite3_stmt *statement, int place, struct text text)
{
    sqlite3_bind_text(statement, place, text.length ? text.at : "", (int)text.length,
                      SQLITE_STATIC);
}

static bool is_better(const struct stanza *stanza, sqlite3_stmt *found)
{
    char version[256];
    char architecture[64];
    if (stanza->version.length >= sizeof version ||
        stanza->architecture.length >= sizeof architecture)
        return false;
    memcpy(version, stanza->version.at, stanza->version.length);
    version[stanza->version.length] = '\0';
    memcpy(architecture, stanza->architecture.at, stanza->architecture.length);
    architecture[stanza->architecture.length] = '\0';
    int order = version_compare(version, (const char *)sqlite3_column_text(found, 1));
    return order > 0 ||
           (order == 0 && strcmp(architecture, (const char *)sqlite3_column_text(found, 2)) < 0);
}

/* Makes or updates the package's own row. Returns 1 and its id, 0 if a better one is there, or a
 * negative code. */
static int upsert_package(sqlite3_stmt *const *statements, const struct stanza *stanza,
                          int64_t *ret_id)
{
    sqlite3_stmt *find = statements[FIND];
    bind_text(find, 1, stanza->package);
    bool found = sqlite3_step(find) == SQLITE_ROW;
    bool better = !found || is_better(stanza, find);
    int64_t id = found ? sqlite3_column_int64(find, 0) : 0;
    int rc = corio_sqlite_error(sqlite3_reset(find));
    if (rc < 0 || !better)
        return rc;
    sqlite3_stmt *store = statements[found ? UPDATE : INSERT];
    bind_text(store, 1, stanza->package);
    bind_text(store, 2, stanza->version);
    bind_text(store, 3, stanza->architecture);
    rc = corio_sqlite_step(store);
    for (int drop = DROP_DEPENDENCIES; rc == 0 && found && drop <= DROP_CANDIDATES; drop++) {
        sqlite3_bind_int64(statements[drop], 1, id);
        rc = corio_sqlite_step(statements[drop]);
    }
    *ret_id = found ? id : sqlite3_last_insert_rowid(sqlite3_db_handle(store));
    return rc < 0 ? rc : 1;
}

/* "any", "native" and the audited architecture itself say nothing here; another architecture's
 * package is not in the universe: its name with the qualifier is one that nothing has. */
static struct text target_of(const struct dependency *link, const char *architecture)
{
    struct text target = link->name;
    if (link->qualifier.length > 0 && !text_is(link->qualifier, "any") &&
        !text_is(link->qualifier, "native") && !text_is(link->qualifier, architecture))
        target.length = (size_t)(link->qualifier.at + link->qualifier.length - link->name.at);
    return target;
}

static int add_dependency(sqlite3_stmt *statement, const struct dependency *link, int64_t id,
                          const char *architecture)
{
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int(statement, 2, (int)link->position);
    sqlite3_bind_int(statement, 3, (int)link->alternative);
    bind_text(statement, 4, target_of(link, architecture));
    sqlite3_bind_int(statement, 5, (int)link->relation);
    bind_text(statement, 6, link->version);
    return corio_sqlite_step(statement);
}

static int add_candidate(sqlite3_stmt *statement, struct text name, bool provided,
                         const struct stanza *owner, int64_t id, struct text version)
{
    bind_text(statement, 1, name);
    sqlite3_bind_int(statement, 2, provided);
    bind_text(statement, 3, owner->package);
    bind_text(statement, 4, version);
    sqlite3_bind_int64(statement, 5, id);
    return corio_sqlite_step(statement);
}

static int upsert(void *self, sqlite3_stmt *const *statements, const void *input, void *output)
{
    (void)output;
    const struct ingest *ingest = self;
    const struct upsert *row = input;
    const struct dependency *links = row->piece->links;
    int64_t id = 0;
    int rc = upsert_package(statements, &row->stanza, &id);
    if (rc <= 0)
        return rc;
    rc = add_candidate(statements[ADD_CANDIDATE], row->stanza.package, false, &row->stanza, id,
                       row->stanza.version);
    for (size_t i = 0; rc == 0 && i < row->dependencies; i++)
        rc = add_dependency(statements[ADD_DEPENDENCY], &links[row->first_dependency + i], id,
                            ingest->architecture);
    for (size_t i = 0; rc == 0 && i < row->provided; i++) {
        const struct dependency *link = &links[row->first_provided + i];
        rc = add_candidate(statements[ADD_CANDIDATE], link->name, true, &row->stanza, id,
                           link->version);
    }
    return rc;
}

static uint64_t hash_upsert(void *self, const void *input)
{
    (void)self;
    const struct stanza *stanza = &((const struct upsert *)input)->stanza;
    uint64_t hash = corio_hash_bytes(CORIO_HASH_BEGIN, stanza->package.at, stanza->package.length);
    return corio_hash_bytes(hash, stanza->version.at, stanza->version.length);
}

/* -- Tasks -- */

static void drop_block(struct shared_block *block)
{
    if (atomic_fetch_sub(&block->users, 1) == 1) {
        free(block->bytes);
        free(block);
    }
}

static int store_rows(struct piece *piece)
{
    if (piece->count == 0)
        return 0;
    corio_request *requests = calloc(piece->count, sizeof *requests);
    if (!requests)
        return no_memory(piece->ingest);
    for (size_t i = 0; i < piece->count; i++) {
        requests[i].dispatcher = piece->upserts;
        requests[i].input = &piece->rows[i];
    }
    int rc = corio_io_all(requests, piece->count);
    free(requests);
    if (rc < 0)
        return sqlite_failed(piece->ingest->failure, rc, piece->ingest->database,
                             piece->ingest->path);
    return 0;
}

static int piece_task(void *arg)
{
    struct piece *piece = arg;
    int rc = parse(piece);
    if (rc == 0)
        rc = store_rows(piece);
    drop_block(piece->block);
    free(piece->rows);
    free(piece->links);
    free(piece);
    return rc;
}

struct feed {
    struct ingest *ingest;
    corio_dispatcher *upserts;
    struct source_face source;
};

static int spawn_piece(const struct feed *feed, struct shared_block *shared,
                       const struct piece *like)
{
    struct piece *piece = malloc(sizeof *piece);
    if (!piece)
        return no_memory(feed->ingest);
    *piece = *like;
    atomic_fetch_add(&shared->users, 1);
    int rc = corio_go(piece_task, piece);
    if (rc < 0) {
        drop_block(shared);
        free(piece);
    }
    return rc;
}

static size_t count_lines(const char *at, size_t length)
{
    size_t lines = 0;
    for (const char *end = at + length; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        lines++;
    return lines;
}

/* The end of a piece: the first empty line behind PIECE_BYTES. */
static size_t piece_length(const char *at, size_t left)
{
    if (left <= PIECE_BYTES)
        return left;
    const char *end = memmem(at + PIECE_BYTES, left - PIECE_BYTES, "\n\n", 2);
    return end ? (size_t)(end + 2 - at) : left;
}

/* Cuts a block (taken) into pieces. */
static int spawn_pieces(const struct feed *feed, const struct block *block)
{
    struct shared_block *shared = malloc(sizeof *shared);
    if (!shared) {
        free(block->bytes);
        return no_memory(feed->ingest);
    }
    shared->bytes = block->bytes;
    atomic_init(&shared->users, 1);
    struct piece piece = {.ingest = feed->ingest,
                          .upserts = feed->upserts,
                          .block = shared,
                          .at = block->bytes,
                          .line = block->line,
                          .name = block->name};
    int rc = 0;
    for (size_t left = block->length; rc == 0 && left > 0; left -= piece.length) {
        piece.length = piece_length(piece.at, left);
        rc = spawn_piece(feed, shared, &piece);
        piece.line += count_lines(piece.at, piece.length);
        piece.at += piece.length;
    }
    drop_block(shared);
    return rc;
}

static int feed_task(void *arg)
{
    const struct feed *feed = arg;
    const struct source_request next = {0};
    struct block block = {0};
    int rc = corio_set_window(WINDOW);
    while (rc == 0) {
        rc = source_face_io(feed->source, &next, &block);
        if (rc < 0 || !block.bytes)
            break;
        rc = spawn_pieces(feed, &block); /* -ECANCELED, once a piece has failed */
    }
    int children = corio_wait();
    return rc < 0 ? rc : children;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int add_upserts(struct ingest *ingest, corio_runtime *runtime, corio_dispatcher **ret)
{
    corio_sqlite_exec exec = {
        .size = sizeof exec,
        .name = "upsert",
        .input_bytes = sizeof(struct upsert),
        .execute = upsert,
        .hash = hash_upsert,
        .self = ingest,
    };
    memcpy(exec.sql, upsert_sql, sizeof upsert_sql);
    return corio_sqlite_add_exec(ingest->database, runtime, &exec, ret);
}

static void take_stats(struct ingest *ingest, const corio_dispatcher *upserts)
{
    corio_sqlite_stats stats = {.size = sizeof stats};
    corio_sqlite_dispatcher_stats(upserts, &stats);
    ingest->stanzas = stats.requests;
    ingest->batches = stats.batches;
    ingest->largest_batch = stats.largest_batch;
}

static int run_feed(struct ingest *ingest)
{
    struct feed feed = {.ingest = ingest};
    corio_options options = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    options.workers = ingest->workers;
    int rc = corio_runtime_create(&options, &runtime);
    if (rc < 0)
        return failure_set(ingest->failure, EXIT_OTHER, "runtime: %s", corio_strerror(rc));
    rc = add_upserts(ingest, runtime, &feed.upserts);
    if (rc == 0)
        rc = source_add(ingest->source, runtime, &feed.source);
    if (rc == 0)
        rc = corio_run(runtime, feed_task, &feed);
    if (rc == 0)
        take_stats(ingest, feed.upserts);
    corio_runtime_destroy(runtime);
    return rc;
}

int ingest_run(struct ingest *ingest, int64_t fingerprint)
{
    double begin = seconds();
    int rc = sqlite_clear(ingest->database);
    if (rc == 0)
        rc = run_feed(ingest);
    if (rc == 0 && (rc = failure_if_interrupted(ingest->failure)) == 0)
        rc = sqlite_set_note(ingest->database, "fingerprint", fingerprint);
    if (rc == 0)
        rc = sqlite_set_note(ingest->database, "complete", 1);
    ingest->wall_s = seconds() - begin;
    if (rc < 0 && ingest->failure->status == EXIT_FINE)
        sqlite_failed(ingest->failure, rc, ingest->database, ingest->path);
    return rc;
}
