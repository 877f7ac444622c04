/* SPDX-License-Identifier: MIT
 *
 * batch.c - a batch in its holder's hands: answering, slicing, completing, and noticing misuse.
 *
 * The answer to a request is written into the request itself, in the frame of the suspended task:
 * that frame stays until the leader has taken the reply. A batch is used by one thread at a time,
 * so only its state is atomic: two completions, or a use after completion, are misuse that must be
 * told, not a race that must be won.
 *
 * Edges
 *   reply.batch   see io.h
 */
#include "runtime/io/reuse.h"

#include "runtime/base/alloc.h"
#include "runtime/base/clock.h"
#include "runtime/base/panic.h"

#include "runtime/observe/probes.h"

#include <errno.h>
#include <string.h>

enum { quarantine_batches = 256, prefetch_distance = 16, cache_line = 64 };

/* -- Life -- */

/* One that was complete long enough ago. */
static corio_batch *take_old(cr_quarantine *quarantine)
{
    corio_batch *batch = quarantine->first;
    if (quarantine->count <= quarantine_batches)
        return NULL;
    quarantine->first = batch->next;
    quarantine->count--;
    return batch;
}

static void keep(cr_quarantine *quarantine, corio_batch *batch)
{
    if (quarantine->first == NULL)
        quarantine->first = batch;
    else
        quarantine->last->next = batch;
    quarantine->last = batch;
    quarantine->count++;
}

static corio_batch *new_head(cr_io *io, bool slice)
{
    corio_batch *batch = cr_alloc_zeroed(sizeof *batch);
    if (batch == NULL)
        return NULL;
    batch->slice = slice;
    pthread_mutex_lock(&io->batch_lock);
    batch->next_all = io->batches;
    io->batches = batch;
    pthread_mutex_unlock(&io->batch_lock);
    return batch;
}

static corio_batch *take_slice_head(cr_io *io)
{
    pthread_mutex_lock(&io->batch_lock);
    corio_batch *batch = take_old(&io->slices);
    pthread_mutex_unlock(&io->batch_lock);
    return batch != NULL ? batch : new_head(io, true);
}

uint32_t cr_batch_hold(corio_batch *batch)
{
    uint32_t state = (cr_load_32(&batch->state) | (CR_BATCH_STATES - 1)) + 1;
    cr_store_32(&batch->state, state);
    return state;
}

/* Opens the head for these entries of the storage. */
static void set_up(corio_batch *batch, corio_dispatcher *dispatcher, cr_storage *storage,
                   cr_entry *entries, size_t count)
{
    (void)cr_batch_hold(batch);
    /* Member by member: the state of a head that is used again may be compared by a former holder
     * at this moment, so a plain write must not touch it. */
    batch->dispatcher = dispatcher;
    batch->storage = storage;
    batch->entries = entries;
    batch->count = count;
    batch->fault = 0;
    batch->answered = 0;
    batch->retries = 0;
    batch->carves = NULL;
    batch->carve_count = 0;
    batch->carve_capacity = 0;
    batch->carved = 0;
    batch->next = NULL;
}

corio_batch *cr_batch_create(corio_dispatcher *dispatcher, cr_storage *storage, size_t count)
{
    cr_io *io = dispatcher->io;
    corio_batch *batch = take_old(&io->quarantine);
    if (batch == NULL && (batch = new_head(io, false)) == NULL)
        return NULL;
    set_up(batch, dispatcher, storage, storage->items, count);
    batch->phase = io->sched->phase;
    batch->number = io->batch_total + 1;
    cr_store_32(&storage->references, 1);
    return batch;
}

static corio_batch *create_slice(const corio_batch *of, size_t first, size_t count)
{
    corio_batch *slice = take_slice_head(of->dispatcher->io);
    if (slice == NULL)
        return NULL;
    set_up(slice, of->dispatcher, of->storage, of->entries + first, count);
    slice->phase = of->phase;
    slice->number = of->number;
    cr_add_32(&of->storage->references, 1);
    return slice;
}

void cr_batch_retire(cr_io *io, corio_batch *batch)
{
    cr_free(batch->carves);
    batch->carves = NULL;
    batch->next = NULL;
    if (!batch->slice) {
        keep(&io->quarantine, batch);
        return;
    }
    pthread_mutex_lock(&io->batch_lock);
    keep(&io->slices, batch);
    pthread_mutex_unlock(&io->batch_lock);
}

/* -- Whose request is it -- */

/* The first slice that ends behind i; carve_count if there is none. */
static size_t find_carve(const corio_batch *batch, size_t i)
{
    size_t low = 0, high = batch->carve_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (batch->carves[middle].first + batch->carves[middle].count > i)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static __attribute__((noinline)) bool lies_in_carve(const corio_batch *batch, size_t i)
{
    size_t at = find_carve(batch, i);
    return at < batch->carve_count && batch->carves[at].first <= i;
}

static inline bool is_carved(const corio_batch *batch, size_t i)
{
    return CR_UNLIKELY(batch->carve_count != 0) && lies_in_carve(batch, i);
}

size_t cr_batch_own(const corio_batch *batch, size_t i, size_t *ret_count)
{
    size_t at = find_carve(batch, i);
    while (at < batch->carve_count && batch->carves[at].first <= i) {
        i = batch->carves[at].first + batch->carves[at].count;
        at++;
    }
    size_t end = at < batch->carve_count ? batch->carves[at].first : batch->count;
    *ret_count = end - i;
    return i;
}

static corio_request *request_at(const corio_batch *batch, size_t i)
{
    /* Requests lie in as many frames: dispatch functions go through them in order, so the next are
     * fetched ahead, with the line behind them, where the caller mostly has its input and output. Not
     * in a batch with slices: their entries are others', maybe the leader's. */
    if (i + prefetch_distance < batch->count && batch->carve_count == 0) {
        const char *ahead = batch->entries[i + prefetch_distance].what;
        __builtin_prefetch(ahead, 1);
        __builtin_prefetch(ahead + cache_line, 1);
    }
    return cr_entry_request(&batch->entries[i]);
}

static int misuse(corio_batch *batch, int code)
{
    if (batch->fault == 0)
        batch->fault = code;
    return code;
}

/* Whether the batch may be used at all. */
static int check_open(const corio_batch *batch)
{
    if (CR_UNLIKELY(batch == NULL))
        return -EINVAL;
    uint32_t state = cr_load_32(&batch->state);
    return CR_LIKELY(state % CR_BATCH_STATES == CR_BATCH_OPEN) ? 0 : CORIO_ECOMPLETED;
}

/* The request if it is the holder's to read, else NULL. */
static inline __attribute__((always_inline)) corio_request *own_request(const corio_batch *batch,
                                                                        size_t i)
{
    if (CR_UNLIKELY(check_open(batch) != 0 || i >= batch->count || is_carved(batch, i)))
        return NULL;
    return request_at(batch, i);
}

/* -- Reading -- */

size_t corio_batch_len(const corio_batch *batch)
{
    return batch != NULL ? batch->count : 0;
}

uint64_t corio_batch_phase(const corio_batch *batch)
{
    return batch != NULL ? batch->phase : 0;
}

corio_dispatcher *corio_batch_dispatcher(const corio_batch *batch)
{
    return batch != NULL ? batch->dispatcher : NULL;
}

size_t corio_batch_partial_calls(const corio_batch *batch)
{
    return batch != NULL ? batch->dispatcher->io->partial_calls : 0;
}

uint64_t corio_batch_resumes(const corio_batch *batch)
{
    return batch != NULL ? batch->dispatcher->io->resumes : 0;
}

const void *corio_batch_input(const corio_batch *batch, size_t i)
{
    const corio_request *request = own_request(batch, i);
    return request != NULL ? request->input : NULL;
}

void *corio_batch_output(const corio_batch *batch, size_t i)
{
    const corio_request *request = own_request(batch, i);
    return request != NULL ? request->output : NULL;
}

static const corio_task *asking_task(const corio_batch *batch, size_t i)
{
    const corio_request *request = own_request(batch, i);
    return request != NULL ? ((const cr_call *)request->reserved_call)->park.task : NULL;
}

const char *corio_batch_task_name(const corio_batch *batch, size_t i)
{
    return corio_task_name(asking_task(batch, i));
}

size_t corio_batch_task_path_text(const corio_batch *batch, size_t i, char *text, size_t bytes)
{
    const corio_task *task = asking_task(batch, i);
    if (task != NULL)
        return corio_task_path_text(task, text, bytes);
    if (bytes > 0)
        text[0] = '\0';
    return 0;
}

bool corio_batch_cancelled(const corio_batch *batch, size_t i)
{
    const corio_request *request = own_request(batch, i);
    const corio_dispatcher *dispatcher = batch != NULL ? batch->dispatcher : NULL;
    return request != NULL && cr_call_given_up(dispatcher->io, request->reserved_call) != 0 &&
           (dispatcher->reuse == NULL || cr_reuse_unwanted(dispatcher, request));
}

uint64_t corio_batch_deadline(const corio_batch *batch, size_t i)
{
    uint64_t deadline_ns = cr_task_deadline(asking_task(batch, i));
    const corio_request *request = own_request(batch, i);
    return request == NULL || batch->dispatcher->reuse == NULL
               ? deadline_ns
               : cr_reuse_deadline(batch->dispatcher, request, deadline_ns);
}

/* -- Answering -- */

/* The request, if it is the holder's and not answered yet; else NULL and the error. */
static inline __attribute__((always_inline)) corio_request *to_answer(corio_batch *batch, size_t i,
                                                                      int *ret_error)
{
    int rc = check_open(batch);
    if (CR_UNLIKELY(rc != 0)) {
        *ret_error = rc;
        return NULL;
    }
    if (CR_UNLIKELY(i >= batch->count || is_carved(batch, i))) {
        *ret_error = misuse(batch, i >= batch->count ? CORIO_EINDEX : CORIO_ECARVED);
        return NULL;
    }
    corio_request *request = request_at(batch, i);
    if (CR_UNLIKELY(request->reserved_state != CR_REQUEST_OPEN)) {
        request->reserved_state = CR_REQUEST_TWICE;
        *ret_error = misuse(batch, CORIO_EANSWERED);
        return NULL;
    }
    return request;
}

int corio_batch_respond(corio_batch *batch, size_t i)
{
    int error;
    corio_request *request = to_answer(batch, i, &error);
    if (CR_UNLIKELY(request == NULL))
        return error;
    request->reserved_state = CR_REQUEST_ANSWERED;
    batch->answered++;
    return 0;
}

int corio_batch_fail(corio_batch *batch, size_t i, int code)
{
    if (code >= 0)
        return -EINVAL;
    int error;
    corio_request *request = to_answer(batch, i, &error);
    if (request == NULL)
        return error;
    request->reserved_state = CR_REQUEST_ANSWERED;
    request->status = code;
    batch->answered++;
    return 0;
}

int corio_batch_retry(corio_batch *batch, size_t i, uint64_t delay_ns)
{
    int error;
    corio_request *request = to_answer(batch, i, &error);
    if (request == NULL)
        return error;
    request->reserved_state = CR_REQUEST_RETRY;
    batch->answered++;
    batch->retries++;
    uint64_t now = delay_ns > 0 ? cr_sched_now(batch->dispatcher->io->sched) : 0;
    uint64_t due = delay_ns == 0 ? 0 : delay_ns < CR_NEVER - now ? now + delay_ns : CR_NEVER - 1;
    if (batch->dispatcher->reuse != NULL)
        cr_reuse_set_due(request, due);
    else
        request->reserved_due_ns = due;
    return 0;
}

/* -- Completing -- */

static inline void push_reply(cr_io *io, corio_batch *batch)
{
    void *newest;
    cr_add_32(&io->replying, 1); /* the run, and the runtime, may end before the signal */
    cr_tell_release(&io->replies);
    do {
        newest = cr_load_ptr((void *const *)&io->replies);
        batch->next = newest;
        /* [release reply.batch] answers are written before the leader can find them */
    } while (!cr_cas_ptr(&io->replies, newest, batch));
    cr_event_signal(&io->replied);
    cr_add_32(&io->replying, (uint32_t)-1);
}

static void trace_completion(const corio_batch *batch)
{
    const corio_dispatcher *dispatcher = batch->dispatcher;
    CR_PROBE3(batch_complete, dispatcher->options.name, batch->number,
              batch->count - batch->carved);
    if (CR_UNLIKELY(dispatcher->io->trace != NULL))
        cr_trace_complete(dispatcher->io->trace, dispatcher->options.name, batch->number,
                          batch->count - batch->carved);
}

/* Checks that every request is answered exactly once; marks those that are not. */
static int validate(corio_batch *batch, int unanswered)
{
    /* Each counted answer found its request unanswered, and nobody tried twice: so all are. */
    if (CR_LIKELY(batch->fault == 0 && batch->answered == batch->count - batch->carved))
        return 0;
    size_t own;
    for (size_t i = cr_batch_own(batch, 0, &own); own > 0; i = cr_batch_own(batch, i + own, &own)) {
        for (size_t end = i + own, at = i; at < end; at++) {
            corio_request *request = request_at(batch, at);
            if (CR_LIKELY(request->reserved_state == CR_REQUEST_ANSWERED ||
                          request->reserved_state == CR_REQUEST_RETRY))
                continue;
            bool twice = request->reserved_state == CR_REQUEST_TWICE;
            request->status = twice ? CORIO_EANSWERED : unanswered;
            request->reserved_state = CR_REQUEST_ANSWERED;
            misuse(batch, request->status);
        }
    }
    return batch->fault;
}

/* `held`: the state in which the caller has it. *ret_reply: it is a reply now. */
static inline int complete(corio_batch *batch, uint32_t held, int unanswered, bool *ret_reply)
{
    *ret_reply = cr_cas_32(&batch->state, held, held + CR_BATCH_COMPLETE);
    if (!*ret_reply) {
        /* Carved up wholly, it has completed itself; saying so once is no misuse. */
        return cr_cas_32(&batch->state, held + CR_BATCH_CARVED_UP, held + CR_BATCH_COMPLETE)
                   ? 0
                   : CORIO_ECOMPLETED;
    }
    int rc = validate(batch, unanswered);
    trace_completion(batch);
    return rc;
}

int corio_batch_complete(corio_batch *batch)
{
    if (batch == NULL)
        return -EINVAL;
    uint32_t state = cr_load_32(&batch->state);
    bool reply;
    int rc = complete(batch, state - state % CR_BATCH_STATES, CORIO_EUNANSWERED, &reply);
    if (reply)
        push_reply(batch->dispatcher->io, batch);
    return rc;
}

/* Submitted or complete already: then it is not the caller's any more, and this does nothing. */
static inline bool is_reply(corio_batch *batch, uint32_t held, int rc)
{
    bool reply = false;
    if (rc != CORIO_LATER)
        (void)complete(batch, held, rc < 0 ? rc : CORIO_EUNANSWERED, &reply);
    return reply;
}

void cr_batch_returned(corio_batch *batch, uint32_t held, int rc)
{
    if (is_reply(batch, held, rc))
        push_reply(batch->dispatcher->io, batch);
}

void cr_batch_returned_to_leader(corio_batch *batch, uint32_t held, int rc)
{
    cr_io *io = batch->dispatcher->io;
    if (!is_reply(batch, held, rc))
        return;
    batch->next = io->answered;
    io->answered = batch;
}

/* -- Slicing -- */

static int check_range(corio_batch *batch, size_t first, size_t count)
{
    int rc = check_open(batch);
    if (rc != 0)
        return rc;
    if (count == 0)
        return -EINVAL;
    if (first >= batch->count || count > batch->count - first)
        return CORIO_EINDEX;
    size_t at = find_carve(batch, first);
    if (at < batch->carve_count && batch->carves[at].first < first + count)
        return CORIO_ECARVED;
    for (size_t i = first; i < first + count; i++) {
        if (request_at(batch, i)->reserved_state != CR_REQUEST_OPEN)
            return CORIO_EANSWERED;
    }
    return 0;
}

int corio_batch_slice(corio_batch *batch, size_t first, size_t count, corio_batch **ret_slice)
{
    int rc = ret_slice != NULL ? check_range(batch, first, count) : -EINVAL;
    if (rc != 0)
        return rc;
    if (!cr_grow((void **)&batch->carves, &batch->carve_capacity, batch->carve_count + 1,
                 sizeof(cr_carve)))
        return -ENOMEM;
    corio_batch *slice = create_slice(batch, first, count);
    if (slice == NULL)
        return -ENOMEM;
    uint32_t held = cr_load_32(&batch->state); /* open: check_range saw it */
    size_t at = find_carve(batch, first);
    memmove(batch->carves + at + 1, batch->carves + at,
            (batch->carve_count - at) * sizeof(cr_carve));
    batch->carves[at] = (cr_carve){first, count};
    batch->carve_count++;
    batch->carved += count;
    *ret_slice = slice;
    if (batch->carved == batch->count && cr_cas_32(&batch->state, held, held + CR_BATCH_CARVED_UP))
        push_reply(batch->dispatcher->io, batch);
    return 0;
}

int corio_batch_submit(corio_batch *batch, corio_batch_fn *fn, void *arg)
{
    if (batch == NULL || fn == NULL)
        return -EINVAL;
    uint32_t held = cr_load_32(&batch->state);
    if (held % CR_BATCH_STATES != CR_BATCH_OPEN ||
        !cr_cas_32(&batch->state, held, held + CR_BATCH_SUBMITTED))
        return CORIO_ECOMPLETED;
    batch->job = fn;
    batch->job_arg = arg;
    cr_io *io = batch->dispatcher->io;
    int rc = 0;
    if (cr_simulated(io->sched))
        cr_sim_submit(&io->sched->sim, batch);
    else
        rc = cr_threads_submit(&io->threads, batch);
    if (rc != 0)
        cr_store_32(&batch->state, held);
    return rc;
}
