/* SPDX-License-Identifier: MIT
 *
 * channel.h - elements passed from task to task; and waiting for several channels at once.
 *
 *     corio_channel_create(sizeof(struct job), 16, &jobs);
 *
 *     corio_channel_send(jobs, &job);                   while (corio_channel_recv(jobs, &job) == 0)
 *     corio_channel_send(jobs, &next);                      work(&job);
 *     corio_channel_close(jobs, 0);                     (CORIO_ECLOSED ends the loop)
 *
 * Everything sent is received once, in the order in which it was sent: what a task sends is
 * received in its order. With a capacity of 0 a send waits until somebody receives. Senders wait
 * first come, first served, and so do receivers. Elements are copied while the channel is locked:
 * for large ones send pointers.
 *
 * Which of several tasks receives what depends on timing, and so may batches.
 */
#ifndef CORIO_CHANNEL_H
#define CORIO_CHANNEL_H

#include <corio/task.h>

CORIO_BEGIN_DECLS

typedef struct corio_channel corio_channel;

/* corio_channel_create: makes a channel.
 *
 * element_bytes: of an element; 0: it carries nothing, and elements are NULL. capacity: how many
 * can be sent before somebody receives. ret_channel: given; release it with corio_channel_destroy.
 * Suspends: never. Thread: any. Errors: -EINVAL; -ENOMEM. */
CORIO_API int corio_channel_create(size_t element_bytes, size_t capacity,
                                   corio_channel **ret_channel) CORIO_MUST_CHECK;

/* corio_channel_destroy: releases a channel (taken) with what is in it. NULL is ignored. Suspends:
 * never. Thread: any. Errors: -EBUSY a task waits in it: nothing happens. */
CORIO_API int corio_channel_destroy(corio_channel *channel);

/* corio_channel_send: puts a copy of an element into the channel, or into the hands of a task that
 * waits for one. It waits while the channel is full. corio_channel_send_until: gives up when the
 * clock reaches deadline_ns.
 *
 * element: element_bytes bytes, borrowed for the call. Suspends: maybe. Thread: a task only.
 * Cancelled: returns, if it would have to wait. Errors: nothing is sent then: CORIO_ECLOSED, or the
 * code it was closed with, also if that happens while the call waits; -EPERM not called from a
 * task; -EINVAL; -EDEADLK nothing can run any more and nobody would receive; -ECANCELED;
 * -ETIMEDOUT; -ENOMEM no memory for the timer. */
CORIO_API int corio_channel_send(corio_channel *channel, const void *element) CORIO_MUST_CHECK;
CORIO_API int corio_channel_send_until(corio_channel *channel, const void *element,
                                       uint64_t deadline_ns) CORIO_MUST_CHECK;

/* corio_channel_try_send: the same without waiting. Errors: -EBUSY the channel is full, or nobody
 * waits and the capacity is 0; else as corio_channel_send. Suspends: never. */
CORIO_API int corio_channel_try_send(corio_channel *channel, const void *element) CORIO_MUST_CHECK;

/* corio_channel_recv: takes the oldest element out. It waits while there is none.
 * corio_channel_recv_until: gives up when the clock reaches deadline_ns.
 *
 * element: element_bytes bytes, written on success. Suspends: maybe. Thread: a task only.
 * Cancelled: returns, if it would have to wait. Errors: nothing is received then: CORIO_ECLOSED, or
 * the code it was closed with, when all that was sent before has been received; -EPERM not called
 * from a task; -EINVAL; -EDEADLK nothing can run any more and nobody would send; -ECANCELED;
 * -ETIMEDOUT; -ENOMEM no memory for the timer. */
CORIO_API int corio_channel_recv(corio_channel *channel, void *element) CORIO_MUST_CHECK;
CORIO_API int corio_channel_recv_until(corio_channel *channel, void *element,
                                       uint64_t deadline_ns) CORIO_MUST_CHECK;

/* corio_channel_try_recv: the same without waiting. Errors: -EBUSY there is none; else as
 * corio_channel_recv. Suspends: never. */
CORIO_API int corio_channel_try_recv(corio_channel *channel, void *element) CORIO_MUST_CHECK;

/* corio_channel_close: ends sending. What is in the channel can still be received; what tasks wait
 * to send is not sent any more. All who wait go on with the code.
 *
 * code: negative, what sends return from now on, and receives when the channel is empty; 0:
 * CORIO_ECLOSED. Suspends: never. Thread: a task only. Errors: -EPERM not called from a task;
 * -EINVAL no channel, code is positive; -EALREADY it is closed: its code stays. */
CORIO_API int corio_channel_close(corio_channel *channel, int code);

/* corio_channel_length: how many elements are in it, at some moment during the call. Suspends:
 * never. Thread: any. */
CORIO_API size_t corio_channel_length(const corio_channel *channel);

/* -- Several channels at once -- */

typedef enum corio_select_direction { CORIO_SELECT_SEND, CORIO_SELECT_RECV } corio_select_direction;

/* One of several things to wait for. */
typedef struct corio_select_case {
    corio_channel *channel; /* NULL: never ready */
    corio_select_direction direction;
    int result;       /* of the case that was chosen: 0, or the code of the closed channel */
    const void *sent; /* for CORIO_SELECT_SEND, borrowed for the call */
    void *received;   /* for CORIO_SELECT_RECV */
    struct corio_select_case *reserved_before;
    struct corio_select_case *reserved_behind;
    struct corio_select_case *reserved_next;
    void *reserved_call;
    bool reserved_queued;
} corio_select_case;

/* A case that sends, and one that receives; see corio_channel_send and _recv. */
CORIO_MAYBE_UNUSED static inline corio_select_case corio_select_send(corio_channel *channel,
                                                                     const void *element)
{
    corio_select_case made = {channel, CORIO_SELECT_SEND, 0, element, NULL, NULL, NULL, NULL, NULL,
                              false};
    return made;
}

CORIO_MAYBE_UNUSED static inline corio_select_case corio_select_recv(corio_channel *channel,
                                                                     void *element)
{
    corio_select_case made = {channel, CORIO_SELECT_RECV, 0, NULL, element, NULL, NULL, NULL, NULL,
                              false};
    return made;
}

/* corio_select: does exactly one of the cases. If several are ready, at one moment, it is the first
 * of them in the order given; if none is, it waits, and it is the one that becomes ready first. A
 * closed channel is ready: with its code as the result, for a receive after all that is in it.
 * corio_select_until: gives up when the clock reaches deadline_ns.
 *
 * cases, count: borrowed for the call; a channel may occur several times. A few: all channels are
 * locked together. With no case but NULL channels it only ends early. Returns the index of the case
 * that was done, whose result tells how. Suspends: maybe. Thread: a task only. Cancelled: returns,
 * if it would have to wait. Errors: nothing is done then: -EPERM not called from a task; -EINVAL;
 * -EDEADLK nothing can run any more; -ECANCELED; -ETIMEDOUT; -ENOMEM no memory for the timer. */
CORIO_API int corio_select(corio_select_case *cases, size_t count) CORIO_MUST_CHECK;
CORIO_API int corio_select_until(corio_select_case *cases, size_t count,
                                 uint64_t deadline_ns) CORIO_MUST_CHECK;

/* corio_select_try: the same without waiting, for a program that has something else to do then.
 * Errors: -EBUSY none is ready; else as corio_select. Suspends: never. */
CORIO_API int corio_select_try(corio_select_case *cases, size_t count) CORIO_MUST_CHECK;

CORIO_END_DECLS

#endif
