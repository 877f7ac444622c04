/* SPDX-License-Identifier: MIT
 *
 * channel.c - a bounded queue of elements between tasks, and select over several of them.
 *
 *     channel: lock, ring of elements
 *              receivers --> case --> case      there are some: the ring is empty
 *              senders ----> case --> case      there are some: the ring is full
 *
 * Sending and receiving are selects of one case. A case is queued in one channel; a call waits with
 * all of its cases at once. Whoever takes a case out of a queue under that channel's lock must
 * claim its call: one claim succeeds, so a call does one of its cases. Its other cases are found
 * claimed and passed over, or taken out by the call itself when it goes on: it locks each of its
 * channels once more, so its frame stays until nobody can hold a case of it.
 *
 * Why nothing is lost. A call looks at its cases and queues them while it holds the locks of all
 * its channels (in the order of their addresses, so that two calls never wait for each other):
 * whatever makes a case ready comes before that, and is seen, or behind it, and finds the case
 * queued. An element is in the hands of a sender whose call has not been claimed, or in the ring,
 * or in those of a receiver whose call has; each step between them is under the lock. Giving up
 * happens at quiescence only, when every claimed call has gone on.
 *
 * Edges
 *   wait.queue    see wait.h; what was written before send is seen behind recv
 *   select.claim  claim <-> claim   by compare-and-swap; what the claimer writes to the call
 *                                   reaches it through the deque (deque.item)
 */
#include "runtime/sched/wait.h"

#include "runtime/base/alloc.h"

#include <corio/channel.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

typedef struct queue {
    corio_select_case *first;
    corio_select_case *last;
} queue;

struct corio_channel {
    corio_waiters guard; /* for its lock */
    queue receivers;
    queue senders;
    size_t element_bytes;
    size_t capacity;
    size_t oldest; /* its place in the ring */
    uint64_t length;
    int closed; /* the code; 0: open */
    alignas(16) char ring[];
};

/* What a call chooses from. */
typedef struct selection {
    corio_select_case *cases;
    size_t count;
    corio_select_case *by_address; /* those with a channel, through reserved_next */
} selection;

/* A call that waits. */
typedef struct call {
    cr_wait wait;
    selection from;
    uint32_t claimed;
    size_t chosen;
} call;

/* -- Queues -- */

static void append_locked(queue *to, corio_select_case *what)
{
    what->reserved_before = to->last;
    what->reserved_behind = NULL;
    what->reserved_queued = true;
    if (to->last == NULL)
        to->first = what;
    else
        to->last->reserved_behind = what;
    to->last = what;
}

static void remove_locked(queue *from, corio_select_case *what)
{
    if (what->reserved_before == NULL)
        from->first = what->reserved_behind;
    else
        what->reserved_before->reserved_behind = what->reserved_behind;
    if (what->reserved_behind == NULL)
        from->last = what->reserved_before;
    else
        what->reserved_behind->reserved_before = what->reserved_before;
    what->reserved_queued = false;
}

static queue *queue_of(const corio_select_case *what)
{
    corio_channel *channel = what->channel;
    return what->direction == CORIO_SELECT_SEND ? &channel->senders : &channel->receivers;
}

/* The first case whose call does nothing else already, out of the queue; its call is the caller's
 * to wake. NULL: there is none. */
static corio_select_case *claim_first_locked(queue *from)
{
    corio_select_case *first;
    while ((first = from->first) != NULL) {
        call *owner = first->reserved_call;
        remove_locked(from, first);
        /* [acquire, release select.claim]; a case alone is found in this queue or not at all */
        if (owner->from.count == 1 || cr_cas_32(&owner->claimed, 0, 1)) {
            owner->chosen = (size_t)(first - owner->from.cases);
            return first;
        }
    }
    return NULL;
}

/* -- Moving elements; `ret_woken` gets the call of the other side, if one is done with that -- */

static void copy(const corio_channel *channel, void *to, const void *from)
{
    cr_tell_acquire(&channel->guard.reserved_lock); /* elements are the program's */
    if (channel->element_bytes > 0)
        memcpy(to, from, channel->element_bytes);
}

static void put_locked(corio_channel *channel, const void *element)
{
    size_t at = (channel->oldest + channel->length) % channel->capacity;
    copy(channel, channel->ring + at * channel->element_bytes, element);
    cr_store_64(&channel->length, channel->length + 1);
}

static void take_locked(corio_channel *channel, void *element)
{
    copy(channel, element, channel->ring + channel->oldest * channel->element_bytes);
    channel->oldest = (channel->oldest + 1) % channel->capacity;
    cr_store_64(&channel->length, channel->length - 1);
}

static call *done(corio_select_case *what, int result)
{
    what->result = result;
    return what->reserved_call;
}

static bool send_locked(corio_select_case *mine, call **ret_woken)
{
    corio_channel *channel = mine->channel;
    mine->result = channel->closed;
    if (channel->closed != 0)
        return true;
    corio_select_case *receiver = claim_first_locked(&channel->receivers);
    if (receiver != NULL) {
        copy(channel, receiver->received, mine->sent);
        *ret_woken = done(receiver, 0);
        return true;
    }
    if (channel->length == channel->capacity)
        return false;
    put_locked(channel, mine->sent);
    return true;
}

static bool recv_locked(corio_select_case *mine, call **ret_woken)
{
    corio_channel *channel = mine->channel;
    mine->result = 0;
    bool any = channel->length > 0;
    if (any)
        take_locked(channel, mine->received);
    corio_select_case *sender = claim_first_locked(&channel->senders);
    if (sender != NULL) {
        if (any) /* there is room for one now */
            put_locked(channel, sender->sent);
        else
            copy(channel, mine->received, sender->sent);
        *ret_woken = done(sender, 0);
        return true;
    }
    if (!any)
        mine->result = channel->closed;
    return any || channel->closed != 0;
}

/* -- All channels of a call -- */

/* Whether the call makes sense. */
static bool valid(const corio_select_case *what)
{
    if (what->channel == NULL)
        return true;
    bool sends = what->direction == CORIO_SELECT_SEND;
    if (!sends && what->direction != CORIO_SELECT_RECV)
        return false;
    return what->channel->element_bytes == 0 || (sends ? what->sent : what->received) != NULL;
}

/* Puts the cases in order. -EINVAL: one of them makes no sense. */
static int prepare(selection *from)
{
    for (size_t i = 0; i < from->count; i++) {
        corio_select_case *what = &from->cases[i];
        if (!valid(what))
            return -EINVAL;
        what->reserved_queued = false;
        if (what->channel == NULL)
            continue;
        corio_select_case **at = &from->by_address;
        while (*at != NULL && (uintptr_t)(*at)->channel < (uintptr_t)what->channel)
            at = &(*at)->reserved_next;
        what->reserved_next = *at;
        *at = what;
    }
    return 0;
}

/* The next case with another channel. */
static corio_select_case *next_channel(const corio_select_case *at)
{
    corio_select_case *next = at->reserved_next;
    while (next != NULL && next->channel == at->channel)
        next = next->reserved_next;
    return next;
}

static void lock_all(const selection *from)
{
    for (corio_select_case *at = from->by_address; at != NULL; at = next_channel(at))
        cr_waiters_lock(&at->channel->guard);
}

/* Behind the last unlock the cases, if they are queued, may be gone. */
static void unlock_all(const selection *from)
{
    for (corio_select_case *at = from->by_address; at != NULL;) {
        corio_select_case *next = next_channel(at);
        cr_waiters_unlock(&at->channel->guard);
        at = next;
    }
}

/* The first case that is ready is done. */
static bool choose_locked(const selection *from, size_t *ret_chosen, call **ret_woken)
{
    for (size_t i = 0; i < from->count; i++) {
        corio_select_case *what = &from->cases[i];
        if (what->channel == NULL)
            continue;
        if (what->direction == CORIO_SELECT_SEND ? send_locked(what, ret_woken)
                                                 : recv_locked(what, ret_woken)) {
            *ret_chosen = i;
            return true;
        }
    }
    return false;
}

static void wake(cr_worker *worker, call *woken)
{
    if (woken != NULL)
        cr_make_runnable(worker, &woken->wait.park);
}

/* -- Waiting -- */

static call *call_of(cr_park *park)
{
    return (call *)cr_wait_of(park);
}

/* The stack has been left: something may be ready by now. */
static void enqueue(cr_worker *worker, cr_park *park)
{
    call *mine = call_of(park);
    call *woken = NULL;
    lock_all(&mine->from);
    bool ready = choose_locked(&mine->from, &mine->chosen, &woken);
    for (size_t i = 0; !ready && i < mine->from.count; i++)
        if (mine->from.cases[i].channel != NULL)
            append_locked(queue_of(&mine->from.cases[i]), &mine->from.cases[i]);
    unlock_all(&mine->from);
    wake(worker, woken);
    if (ready)
        cr_make_runnable(worker, park);
}

static void leave_queues_locked(const selection *from)
{
    for (size_t i = 0; i < from->count; i++)
        if (from->cases[i].reserved_queued)
            remove_locked(queue_of(&from->cases[i]), &from->cases[i]);
}

static void give_up(cr_worker *leader, cr_park *park)
{
    (void)leader;
    leave_queues_locked(&call_of(park)->from); /* at quiescence nobody has the locks */
}

static int wait(cr_worker *worker, const selection *from, const cr_park_reason *reason,
                uint64_t deadline_ns)
{
    call mine = {.wait.park.reason = reason, .from = *from};
    for (size_t i = 0; i < from->count; i++)
        from->cases[i].reserved_call = &mine;
    int rc = cr_wait_with(worker, &mine.wait, deadline_ns, enqueue);
    if (rc != 0)
        return rc;
    if (from->count > 1) {
        lock_all(from);
        leave_queues_locked(from);
        unlock_all(from);
    }
    return (int)mine.chosen;
}

/* The index of the case that was done. reason: NULL: does not wait. */
static int choose(corio_select_case *cases, size_t count, const cr_park_reason *reason,
                  uint64_t deadline_ns)
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if ((cases == NULL && count > 0) || count > INT_MAX)
        return -EINVAL;
    selection from = {.cases = cases, .count = count};
    int rc = prepare(&from);
    if (rc != 0)
        return rc;
    size_t chosen;
    call *woken = NULL;
    lock_all(&from);
    bool ready = choose_locked(&from, &chosen, &woken);
    unlock_all(&from);
    wake(worker, woken);
    if (ready)
        return (int)chosen;
    return reason != NULL ? wait(worker, &from, reason, deadline_ns) : -EBUSY;
}

static const cr_park_reason sends = {.text = "waits in corio_channel_send", .give_up = give_up};
static const cr_park_reason receives = {.text = "waits in corio_channel_recv", .give_up = give_up};
static const cr_park_reason selects = {.text = "waits in corio_select", .give_up = give_up};

static int do_one(corio_select_case what, const cr_park_reason *reason, uint64_t deadline_ns)
{
    if (what.channel == NULL)
        return corio_self() == NULL ? -EPERM : -EINVAL;
    int rc = choose(&what, 1, reason, deadline_ns);
    return rc == 0 ? what.result : rc;
}

/* -- Public -- */

int corio_channel_send_until(corio_channel *channel, const void *element, uint64_t deadline_ns)
{
    return do_one(corio_select_send(channel, element), &sends, deadline_ns);
}

int corio_channel_send(corio_channel *channel, const void *element)
{
    return corio_channel_send_until(channel, element, CR_NEVER);
}

int corio_channel_try_send(corio_channel *channel, const void *element)
{
    return do_one(corio_select_send(channel, element), NULL, CR_NEVER);
}

int corio_channel_recv_until(corio_channel *channel, void *element, uint64_t deadline_ns)
{
    return do_one(corio_select_recv(channel, element), &receives, deadline_ns);
}

int corio_channel_recv(corio_channel *channel, void *element)
{
    return corio_channel_recv_until(channel, element, CR_NEVER);
}

int corio_channel_try_recv(corio_channel *channel, void *element)
{
    return do_one(corio_select_recv(channel, element), NULL, CR_NEVER);
}

int corio_select_until(corio_select_case *cases, size_t count, uint64_t deadline_ns)
{
    return choose(cases, count, &selects, deadline_ns);
}

int corio_select(corio_select_case *cases, size_t count)
{
    return corio_select_until(cases, count, CR_NEVER);
}

int corio_select_try(corio_select_case *cases, size_t count)
{
    return choose(cases, count, NULL, CR_NEVER);
}

/* All who wait in a queue are done with the code; in front of the list `behind`. */
static cr_wait *end_all_locked(queue *from, int code, cr_wait *behind)
{
    for (corio_select_case *at; (at = claim_first_locked(from)) != NULL;) {
        call *woken = done(at, code);
        woken->wait.behind = behind;
        behind = &woken->wait;
    }
    return behind;
}

int corio_channel_close(corio_channel *channel, int code)
{
    cr_worker *worker = cr_worker_self();
    if (worker == NULL || worker->task == NULL)
        return -EPERM;
    if (channel == NULL || code > 0)
        return -EINVAL;
    cr_wait *woken = NULL;
    cr_waiters_lock(&channel->guard);
    bool closed = channel->closed != 0;
    if (!closed) {
        channel->closed = code != 0 ? code : CORIO_ECLOSED;
        woken = end_all_locked(&channel->senders, channel->closed, woken);
        woken = end_all_locked(&channel->receivers, channel->closed, woken);
    }
    cr_waiters_unlock(&channel->guard);
    cr_wait_wake_all(worker, woken);
    return closed ? -EALREADY : 0;
}

int corio_channel_create(size_t element_bytes, size_t capacity, corio_channel **ret_channel)
{
    if (ret_channel == NULL)
        return -EINVAL;
    size_t ring_bytes, bytes;
    if (__builtin_mul_overflow(element_bytes, capacity, &ring_bytes) ||
        __builtin_add_overflow(sizeof(corio_channel), ring_bytes, &bytes))
        return -ENOMEM;
    corio_channel *channel = cr_alloc(bytes);
    if (channel == NULL)
        return -ENOMEM;
    *channel = (corio_channel){.element_bytes = element_bytes, .capacity = capacity};
    *ret_channel = channel;
    return 0;
}

int corio_channel_destroy(corio_channel *channel)
{
    if (channel == NULL)
        return 0;
    cr_waiters_lock(&channel->guard);
    bool waited = channel->senders.first != NULL || channel->receivers.first != NULL;
    cr_waiters_unlock(&channel->guard);
    if (waited)
        return -EBUSY;
    cr_free(channel);
    return 0;
}

size_t corio_channel_length(const corio_channel *channel)
{
    return channel != NULL ? cr_load_64(&channel->length) : 0;
}
