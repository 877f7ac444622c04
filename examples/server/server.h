/* SPDX-License-Identifier: MIT
 *
 * server.h - an HTTP server for keys and values in SQLite, which works in batches.
 *
 *     acceptor --accept--> a task per connection, straight down:
 *       receive --recv-->  ring      until a whole request is there
 *       ask     --find-->  SQLite    all that connections look up in a phase: one read transaction
 *               --change-> SQLite    all that they change: one transaction, one fsync, then answers
 *       send    --send-->  ring      and again, while the connection is kept
 *     stopper waits for a signal: no more is accepted, idle connections end, the others after their
 *     request
 *
 * The same connections, requests and answers with a thread each, for comparison: --threaded.
 *
 *     main.c        options, the signal, the listening socket
 *     batched.c     with tasks: how to wait for the network and ask the database
 *     threads.c     with threads: the same
 *     connection.c  a connection, from its first request to its end
 *     request.c     bytes into a request
 *     answer.c      a request into an answer
 *     open.c        the connections that are open, and how they are ended
 *     database.c    schema and statements
 *
 * Time: a request has to be there, whole, `timeout_ns` after the answer before it was sent; an
 * answer has to be taken in that time.
 *
 * Memory of a connection: most_head and most_body at most for a request, most_waiting and one value
 * for answers that wait to be sent.
 */
#ifndef SERVER_H
#define SERVER_H

#include <corio.h>

#include <http_parser.h>
#include <sqlite3.h>
#include <stdio.h>

enum {
    most_head = 16 << 10,    /* bytes of a request's line and headers: else 431 */
    most_target = 1024,      /* of its target: else 414 */
    most_key = 256,          /* of a key */
    most_body = 1 << 20,     /* of a value: else 413 */
    most_waiting = 64 << 10, /* of answers to requests that came together */
    chunk = 16 << 10,        /* received at once */
};

/* Bytes that grow. */
struct bytes {
    char *data;
    size_t length, capacity;
};

int bytes_reserve(struct bytes *bytes, size_t more); /* -ENOMEM */
int bytes_append(struct bytes *bytes, const void *data, size_t length);
void bytes_free(struct bytes *bytes);

/* -- database.c: what is asked -- */

struct key {
    char data[most_key];
    size_t length;
};

/* A value to be stored; NULL: the key is to be removed. */
struct change {
    struct key key;
    const char *value;
    size_t length;
};
struct changed {
    bool was_there;
};

extern const char schema[], sql_find[], sql_update[], sql_insert[], sql_remove[];
int bind_key(sqlite3_stmt *statement, const struct key *key);
/* statements: update, insert, remove. */
int apply_change(sqlite3_stmt *const *statements, const struct change *change,
                 struct changed *ret_changed);

/* -- batched.c, threads.c: how a connection waits and asks -- */

struct figures {
    uint64_t phases, finds, find_batches, changes, change_batches, commits;
};

struct ways {
    const char *name;
    /* At least one byte, 0 at the end; -ETIMEDOUT. */
    int (*receive)(int fd, void *buffer, size_t bytes, uint64_t timeout_ns);
    /* All of it. */
    int (*send)(int fd, const void *data, size_t bytes, uint64_t timeout_ns);
    /* Appends the value. -ENOENT: there is none. */
    int (*find)(void *self, const struct key *key, struct bytes *value);
    /* Back when it is committed. */
    int (*change)(void *self, const struct change *change, struct changed *ret_changed);
    void (*figures)(struct figures *ret);
};

struct config {
    const char *database;
    unsigned workers, connections;
    uint64_t timeout_ns;
    int listener, stop; /* a socket; a signalfd, readable when it is time */
};

extern struct config config;
void ask_to_stop(void);           /* as a signal does */
void stop_serving(void);          /* by whoever has read one */
bool may_accept_again(int error); /* an errno value that has to do with one connection, or passes */
int serve_batched(void);
int serve_threaded(void);

/* -- open.c -- */

/* One of the connections; in a list, so that they can be ended. */
struct open {
    struct open *next, **at;
    int fd;
    bool idle; /* waits for the first byte of a request */
};

void open_add(struct open *open, int fd);
void open_close(struct open *open);               /* closes the socket, too */
bool open_set_idle(struct open *open, bool idle); /* false: the server stops, it is to end */
void open_stop(void);     /* nothing more is accepted, and idle connections see their end */
bool open_stopping(void); /* whether the next answer shall be the last */

/* -- request.c -- */

struct request {
    struct bytes input; /* received; taken in up to `taken` */
    size_t taken;
    struct bytes body;
    char target[most_target + 1];
    size_t target_length;
    char field[8]; /* of the header that is read: enough to know `Expect` */
    size_t field_length;
    http_parser parser;
    unsigned error;   /* status to refuse it with; 0: none so far */
    bool begun;       /* something of it is there */
    bool expects;     /* an interim answer, before it sends its body */
    bool whole, keep; /* keep: the connection, by its wish */
};

void request_init(struct request *request);
void request_free(struct request *request);
/* Takes in what has been received, up to the end of a request. True: it is whole, or refused. */
bool request_take(struct request *request);
void request_next(struct request *request); /* what was received behind it stays */

/* -- answer.c -- */

/* Appends the answer. last: the connection ends with it. Negative: out of memory, or cancelled. */
int answer(const struct ways *ways, void *self, const struct request *request, bool last,
           struct bytes *output);
/* An answer without a request: 4xx. */
int answer_error(unsigned status, struct bytes *output);
extern uint64_t answered; /* relaxed atomic */

/* -- connection.c -- */

/* From the first request to the end; closes the socket. self: for ways->find and change. */
void serve_connection(const struct ways *ways, void *self, int fd);

#endif
