/* SPDX-License-Identifier: MIT
 *
 * tape.h - a recording: what was asked and answered, in the order in which the leader saw it.
 *
 *     header | frame | frame | ...                 a frame: head, payload, hash of both
 *
 *     RUN                                          a run begins
 *     ASKED  a line of the batch log               one for each request handed over (log.c)
 *     TAKE   phase, place                          the leader takes replies here
 *       GROUP  batch, first, count                   requests of a batch that are side by side
 *         ANSWER kind, status, bytes                   one for each of them, in order
 *     TAKEN
 *     AGAIN  phase, place, batch, index            a request put off is to go out again
 *     GO                                           tasks go on
 *     OVER                                         the run has ended
 *     END                                          the runtime has
 *
 * A replay reads one frame after the other and is never ahead of what the program does: a request
 * that is handed over must be the next ASKED; where replies may be taken, they are if the next frame
 * is a TAKE of this phase and place. Where the leader would sleep, a GO says that the recorded run
 * went on without an answer: so a timer is waited for. Without one, the next TAKE is for now: the
 * recorded run woke a few times for nothing, and each time is a phase. Reading and writing need the
 * memory of one frame.
 *
 * The reader trusts nothing: a length is believed as far as bytes come, and only what its hash
 * confirms is looked at. What a file that was made to deceive can do is to give wrong answers, and to
 * make its hooks read any bytes.
 *
 * Threads: the leader's during a run, and the holder of the runtime's between runs.
 */
#ifndef CR_IO_TAPE_H
#define CR_IO_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct cr_io;
struct corio_batch;

enum cr_frame_type {
    CR_FRAME_RUN = 1,
    CR_FRAME_ASKED,
    CR_FRAME_TAKE,
    CR_FRAME_GROUP,
    CR_FRAME_ANSWER,
    CR_FRAME_TAKEN,
    CR_FRAME_AGAIN,
    CR_FRAME_GO,
    CR_FRAME_OVER,
    CR_FRAME_END,
};

/* Where in a boundary something happens. */
typedef enum cr_place {
    CR_PLACE_BEGIN,    /* before anything is handed over */
    CR_PLACE_EXCHANGE, /* after it */
    CR_PLACE_STRICT,   /* while all that is in flight is waited for */
    CR_PLACE_WAIT,     /* while nothing can go on */
} cr_place;

typedef struct cr_moment {
    uint64_t phase;
    uint32_t place;
    uint32_t zero;
} cr_moment;

typedef struct cr_group {
    uint64_t batch;
    uint64_t first; /* in the batch as it was handed over */
    uint64_t count;
} cr_group;

/* ANSWER: the request's new state, and what goes with it. */
enum cr_answer_kind { CR_ANSWER_STATUS, CR_ANSWER_RETRY, CR_ANSWER_RETRY_LATER };

typedef struct cr_answer {
    uint32_t kind;
    int32_t status; /* to be retried: what the asker is answered, if it has given up; 0: nothing */
} cr_answer;        /* and the bytes of the answer */

typedef struct cr_again {
    cr_moment moment;
    uint64_t batch;
    uint64_t index;
} cr_again;

/* Bytes of the payload that is being made or was read. */
typedef struct cr_bytes {
    unsigned char *items;
    size_t count;
    size_t capacity;
} cr_bytes;

bool cr_bytes_append(cr_bytes *bytes, const void *from, size_t count); /* false: no memory */

/* -- Frames (frame.c) -- */

/* Writes the header. 0 or a negated errno value. */
int cr_frame_begin(FILE *file, uint32_t wait_mode);
int cr_frame_write(FILE *file, enum cr_frame_type type, const void *payload, size_t count);

/* Reads the header. Errors: CORIO_ERECORDING; that of reading. */
int cr_frame_open(FILE *file, uint32_t *ret_wait_mode);
/* Reads a frame. Errors: CORIO_ERECORDING it is damaged, or there is none; -ENOMEM; that of
 * reading. */
int cr_frame_read(FILE *file, enum cr_frame_type *ret_type, cr_bytes *payload);

/* -- Recording (record.c) -- */

typedef struct cr_record {
    FILE *file; /* NULL: nothing is recorded */
    int error;  /* the first */
    cr_bytes payload;
} cr_record;

int cr_record_open(cr_record *record, const char *path, uint32_t wait_mode);
int cr_record_close(cr_record *record); /* the first error of writing or closing */
void cr_record_mark(cr_record *record, enum cr_frame_type type); /* RUN, TAKEN, GO, OVER */
void cr_record_asked(cr_record *record, const char *line);
/* Before the leader takes a list of replies: what is in them. */
void cr_record_replies(struct cr_io *io, const struct corio_batch *replies);
void cr_record_again(struct cr_io *io, uint64_t batch, uint64_t index);

/* -- Replaying (replay.c) -- */

/* A batch that waits for its answers. */
typedef struct cr_held {
    uint64_t number;
    struct corio_batch *batch; /* NULL: it has them */
    size_t left;               /* requests that are not answered */
} cr_held;

typedef struct cr_replay {
    FILE *file;              /* NULL: nothing is replayed */
    bool ahead;              /* a frame has been read and not been used */
    bool due;                /* it is for now, whatever its moment */
    enum cr_frame_type type; /* its */
    cr_bytes payload;        /* its, and a zero behind */
    int error;      /* CORIO_EDIFFERENT, CORIO_ERECORDING, ...: what all requests get; 0: none */
    uint64_t asked; /* requests compared */
    cr_held *held;  /* by number */
    size_t held_count;
    size_t held_capacity;
    size_t held_live; /* of these, those with a batch */
} cr_replay;

int cr_replay_open(cr_replay *replay, const char *path, uint32_t *ret_wait_mode);
void cr_replay_close(cr_replay *replay);
void cr_replay_begin_run(struct cr_io *io);
int cr_replay_end_run(struct cr_io *io); /* 0, or why the runs are not the same */
/* A request is handed over: it must be the recorded one. */
void cr_replay_asked(struct cr_io *io, const char *line);
/* Instead of a dispatch function. */
int cr_replay_dispatch(void *self, struct corio_batch *batch);
/* Completes what was complete at this moment of the recorded run. */
void cr_replay_answer(struct cr_io *io);
/* What goes out again at this moment: true, and which one. */
bool cr_replay_again(struct cr_io *io, uint64_t *ret_batch, uint64_t *ret_index);
/* The leader has nothing to do. True: it must sleep until a timer is due (timers: there are some);
 * false: there is something now, if only an error. */
bool cr_replay_must_sleep(struct cr_io *io, bool timers);
void cr_replay_go(struct cr_io *io); /* tasks go on */

#endif
