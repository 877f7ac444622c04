/* SPDX-License-Identifier: MIT
 *
 * replay.c - answers out of a file instead of dispatchers.
 *
 *     hand over -> held -> slices of what came together -> complete -> take replies
 *
 * It holds the batches as a dispatcher would that answers later, and answers them with the functions
 * that dispatchers have: so nothing else knows of it, and a file that says nonsense is told so by
 * the same checks.
 *
 * Once the runs have parted, or the file is damaged, `error` is set for good: what is in flight gets
 * it, and so does all that is asked from then on. So every run comes to its end.
 */
#include "runtime/io/io.h"

#include "runtime/base/alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int cr_replay_open(cr_replay *replay, const char *path, uint32_t *ret_wait_mode)
{
    if (path == NULL)
        return 0;
    replay->file = fopen(path, "re");
    return replay->file != NULL ? cr_frame_open(replay->file, ret_wait_mode) : -errno;
}

void cr_replay_close(cr_replay *replay)
{
    if (replay->file != NULL)
        fclose(replay->file);
    cr_free(replay->payload.items);
    cr_free(replay->held);
    *replay = (cr_replay){.file = NULL};
}

/* -- Frames -- */

static void fail(cr_io *io, int error, const char *what)
{
    enum { most_bytes = 256 };
    cr_replay *replay = &io->replay;
    if (replay->error != 0)
        return;
    replay->error = error;
    if (io->log.difference == NULL && (io->log.difference = cr_alloc(most_bytes)) != NULL)
        snprintf(io->log.difference, most_bytes,
                 "corio: in phase %" PRIu64 ", behind %" PRIu64 " requests: %s (%s)\n",
                 io->sched->phase, replay->asked, what, corio_strerror(error));
}

static void damaged(cr_io *io)
{
    fail(io, CORIO_ERECORDING, "the recording cannot be followed");
}

/* The next frame, which stays the next; 0: none, for there is an error. */
static unsigned peek(cr_io *io)
{
    cr_replay *replay = &io->replay;
    if (replay->error != 0)
        return 0;
    if (!replay->ahead) {
        int rc = cr_frame_read(replay->file, &replay->type, &replay->payload);
        if (rc != 0)
            fail(io, rc, "the recording cannot be read");
        replay->ahead = rc == 0;
        replay->due = false;
    }
    return replay->error == 0 ? replay->type : 0;
}

/* Uses the next frame if it is of this type and size; at least `size`, with more allowed. */
static bool take(cr_io *io, enum cr_frame_type type, void *to, size_t size, bool more)
{
    cr_replay *replay = &io->replay;
    if (peek(io) != type)
        return false;
    if (replay->payload.count < size || (replay->payload.count > size && !more)) {
        damaged(io);
        return false;
    }
    if (size > 0)
        memcpy(to, replay->payload.items, size);
    replay->ahead = false;
    return true;
}

static void skip_goes(cr_io *io)
{
    while (take(io, CR_FRAME_GO, NULL, 0, false))
        ;
}

/* The moment of the next frame, if it has one. */
static bool next_moment(cr_io *io, cr_moment *ret)
{
    unsigned type = peek(io);
    if ((type != CR_FRAME_TAKE && type != CR_FRAME_AGAIN) || io->replay.payload.count < sizeof *ret)
        return false;
    memcpy(ret, io->replay.payload.items, sizeof *ret);
    return true;
}

static bool is_for_now(cr_io *io)
{
    cr_moment moment;
    return next_moment(io, &moment) &&
           (io->replay.due || (moment.phase == io->sched->phase && moment.place == io->place));
}

/* -- What was asked -- */

void cr_replay_begin_run(cr_io *io)
{
    if (io->replay.file == NULL || take(io, CR_FRAME_RUN, NULL, 0, false))
        return;
    fail(io, CORIO_EDIFFERENT, "fewer runs have been recorded");
}

/* The recorded run did something else next, and this one does nothing. */
static void part(cr_io *io)
{
    cr_replay *replay = &io->replay;
    if (peek(io) == CR_FRAME_ASKED) {
        replay->error = CORIO_EDIFFERENT;
        cr_log_differ(&io->log, replay->asked + 1, (char *)replay->payload.items, NULL);
    }
    fail(io, CORIO_EDIFFERENT, "the recorded run went on in another way");
}

int cr_replay_end_run(cr_io *io)
{
    if (io->replay.file == NULL)
        return 0;
    skip_goes(io);
    if (take(io, CR_FRAME_OVER, NULL, 0, false))
        return 0;
    part(io);
    return io->replay.error;
}

void cr_replay_asked(cr_io *io, const char *line)
{
    cr_replay *replay = &io->replay;
    skip_goes(io);
    unsigned type = peek(io);
    if (type == 0)
        return;
    replay->asked++;
    const char *recorded = type == CR_FRAME_ASKED ? (char *)replay->payload.items : NULL;
    if (recorded != NULL && strcmp(recorded, line) == 0) {
        replay->ahead = false;
        return;
    }
    replay->error = CORIO_EDIFFERENT;
    cr_log_differ(&io->log, replay->asked, recorded, line);
}

/* -- Batches that wait -- */

/* Leaves out those that have their answers. */
static void compact(cr_replay *replay)
{
    size_t kept = 0;
    for (size_t i = 0; i < replay->held_count; i++) {
        if (replay->held[i].batch != NULL)
            replay->held[kept++] = replay->held[i];
    }
    replay->held_count = kept;
}

int cr_replay_dispatch(void *self, corio_batch *batch)
{
    cr_replay *replay = &batch->dispatcher->io->replay;
    (void)self;
    if (replay->error != 0)
        return replay->error;
    if (replay->held_count >= 2 * replay->held_live)
        compact(replay);
    if (!cr_grow((void **)&replay->held, &replay->held_capacity, replay->held_count + 1,
                 sizeof *replay->held))
        return -ENOMEM;
    replay->held[replay->held_count++] = (cr_held){batch->number, batch, batch->count};
    replay->held_live++;
    return CORIO_LATER;
}

static cr_held *find_held(cr_replay *replay, uint64_t number)
{
    size_t low = 0, high = replay->held_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (replay->held[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < replay->held_count && replay->held[low].number == number &&
                 replay->held[low].batch != NULL;
    return found ? &replay->held[low] : NULL;
}

static void leave(cr_replay *replay, cr_held *held)
{
    held->batch = NULL;
    replay->held_live--;
}

static void give_up_held(cr_replay *replay)
{
    for (size_t i = 0; i < replay->held_count; i++) {
        corio_batch *batch = replay->held[i].batch;
        if (batch != NULL)
            cr_batch_returned(batch, cr_load_32(&batch->state), replay->error);
    }
    replay->held_count = replay->held_live = 0;
}

/* -- Answers -- */

/* The output of request i. Errors: -ENOMEM; others: these are no bytes that were saved. */
static int restore(const corio_batch *batch, size_t i, int status, const void *bytes, size_t count)
{
    const corio_dispatcher_options *options = &batch->dispatcher->options;
    void *output = corio_batch_output(batch, i);
    if (options->restore != NULL)
        return options->restore(options->self, batch, i, status, bytes, count);
    if (count != (status == 0 && output != NULL ? options->output_bytes : 0))
        return CORIO_ERECORDING;
    if (count > 0)
        memcpy(output, bytes, count);
    return 0;
}

static void answer_status(cr_io *io, corio_batch *batch, size_t i, int status)
{
    const cr_bytes *payload = &io->replay.payload;
    int rc = status <= 0 ? restore(batch, i, status, payload->items + sizeof(cr_answer),
                                   payload->count - sizeof(cr_answer))
                         : CORIO_ERECORDING;
    if (rc < 0 && rc != -ENOMEM)
        damaged(io);
    else if (rc < 0 || status < 0)
        (void)corio_batch_fail(batch, i, rc < 0 ? rc : status);
    else
        (void)corio_batch_respond(batch, i);
}

/* Whoever asked may have given up by then: `status` tells the leader, who takes it. */
static void retry_one(cr_io *io, corio_batch *batch, size_t i, const cr_answer *answer)
{
    if (answer->status > 0) {
        damaged(io);
        return;
    }
    cr_entry_request(&batch->entries[i])->status = answer->status;
    (void)corio_batch_retry(batch, i, answer->kind == CR_ANSWER_RETRY_LATER);
}

/* Request i as the next frame says; if there is none, it is left to who completes the batch. */
static void answer_one(cr_io *io, corio_batch *batch, size_t i)
{
    cr_answer answer;
    if (!take(io, CR_FRAME_ANSWER, &answer, sizeof answer, true))
        damaged(io);
    else if (answer.kind == CR_ANSWER_STATUS)
        answer_status(io, batch, i, answer.status);
    else if (answer.kind == CR_ANSWER_RETRY || answer.kind == CR_ANSWER_RETRY_LATER)
        retry_one(io, batch, i, &answer);
    else
        damaged(io);
}

/* The part of a held batch that a group is; its holder has one less to hold then. */
static int carve(cr_replay *replay, const cr_group *group, corio_batch **ret_part)
{
    cr_held *held = find_held(replay, group->batch);
    if (held == NULL || group->first >= held->batch->count ||
        group->count > held->batch->count - group->first)
        return CORIO_ERECORDING;
    corio_batch *batch = held->batch;
    *ret_part = batch;
    if (group->count < batch->count) {
        int rc = corio_batch_slice(batch, (size_t)group->first, (size_t)group->count, ret_part);
        if (rc != 0)
            return rc == -ENOMEM ? rc : CORIO_ERECORDING;
    } else if (batch->carve_count > 0) {
        return CORIO_ERECORDING;
    }
    held->left -= (size_t)group->count;
    if (held->left == 0)
        leave(replay, held);
    return 0;
}

static void answer_group(cr_io *io, const cr_group *group)
{
    cr_replay *replay = &io->replay;
    corio_batch *part;
    int rc = carve(replay, group, &part);
    if (rc != 0) {
        fail(io, rc, "the recording cannot be followed");
        return;
    }
    for (size_t i = 0; i < group->count && replay->error == 0; i++)
        answer_one(io, part, i);
    cr_batch_returned(part, cr_load_32(&part->state), replay->error);
}

void cr_replay_answer(cr_io *io)
{
    cr_replay *replay = &io->replay;
    cr_moment moment;
    cr_group group;
    if (is_for_now(io) && take(io, CR_FRAME_TAKE, &moment, sizeof moment, false)) {
        while (take(io, CR_FRAME_GROUP, &group, sizeof group, false))
            answer_group(io, &group);
        if (!take(io, CR_FRAME_TAKEN, NULL, 0, false))
            damaged(io);
    }
    if (replay->error != 0)
        give_up_held(replay);
}

bool cr_replay_again(cr_io *io, uint64_t *ret_batch, uint64_t *ret_index)
{
    cr_again again;
    if (!is_for_now(io) || !take(io, CR_FRAME_AGAIN, &again, sizeof again, false))
        return false;
    *ret_batch = again.batch;
    *ret_index = again.index;
    return true;
}

/* -- Going on -- */

/* Makes the next frame one for now; or, if it belongs between two waits, for the turn of its phase,
 * which comes next. */
static void hurry(cr_io *io, const cr_moment *moment)
{
    cr_sched *sched = io->sched;
    bool take = io->replay.type == CR_FRAME_TAKE;
    bool between = moment->place == (take ? CR_PLACE_EXCHANGE : CR_PLACE_BEGIN);
    io->replay.due = !between || moment->phase < sched->phase || io->place != CR_PLACE_WAIT;
    if (moment->phase > sched->phase)
        sched->phase = moment->phase;
}

bool cr_replay_must_sleep(cr_io *io, bool timers)
{
    cr_moment moment;
    do {
        if (next_moment(io, &moment)) {
            hurry(io, &moment);
            return false;
        }
        if (io->replay.error == 0 && timers && io->place == CR_PLACE_WAIT)
            return true;
    } while (take(io, CR_FRAME_GO, NULL, 0, false));
    part(io);
    return false;
}

void cr_replay_go(cr_io *io)
{
    if (io->replay.file != NULL)
        (void)take(io, CR_FRAME_GO, NULL, 0, false);
}
