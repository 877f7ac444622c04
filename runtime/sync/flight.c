/* SPDX-License-Identifier: MIT
 *
 * flight.c - single flight: a hash table of what is being done, cut into shards with a lock each.
 *
 *     shard: lock, buckets -> record (in the leader's frame) -> record ...
 *                               \-> followers, suspended in a queue
 *
 * Nothing is allocated: a record lives in the frame of the call of corio_do that leads. A follower
 * brings a record of its own, for the case that it has to lead next.
 *
 * The key is forgotten and the followers are taken out in one step under the lock; after it, the
 * leader copies the value to each and wakes it. So a call either finds the key, and gets the result
 * that is being worked on, or does not, and leads.
 */
#include "runtime/sched/wait.h"

#include "runtime/base/alloc.h"

#include <corio/flight.h>
#include <corio/io.h>
#include <errno.h>
#include <string.h>

enum { shard_bits = 6, bucket_bits = 6, shards = 1 << shard_bits, buckets = 1 << bucket_bits };

typedef struct record {
    struct record *next; /* in the bucket */
    const void *key;
    size_t key_bytes;
    uint64_t hash;
    corio_task *leader;
    corio_waiters followers; /* guarded by the shard's lock */
} record;

typedef struct shard {
    corio_waiters guard; /* for its lock */
    uint64_t count;
    record *buckets[buckets];
} shard;

struct corio_flight {
    size_t value_bytes;
    alignas(64) shard shards[shards];
};

typedef enum outcome { OUTCOME_LEADS, OUTCOME_SHARES } outcome;

/* A call of corio_do. */
typedef struct call {
    cr_wait wait;
    corio_flight *flight;
    record record; /* its own, used if it leads */
    void *value;
    outcome outcome;
    int rc; /* shares: the leader's */
} call;

static call *call_of(cr_park *park)
{
    return (call *)cr_wait_of(park);
}

/* -- The table -- */

static shard *shard_of(corio_flight *flight, const record *like)
{
    return &flight->shards[like->hash & (shards - 1)];
}

static record **bucket_of(shard *in, const record *like)
{
    return &in->buckets[like->hash >> shard_bits & (buckets - 1)];
}

static bool same_key(const record *a, const record *b)
{
    return a->hash == b->hash && a->key_bytes == b->key_bytes &&
           memcmp(a->key, b->key, a->key_bytes) == 0;
}

/* Where the record with this key is linked, or could be: at the bucket's end. */
static record **find_locked(shard *in, const record *like)
{
    record **at = bucket_of(in, like);
    cr_tell_acquire(&in->guard.reserved_lock); /* keys are the program's */
    while (*at != NULL && !same_key(*at, like))
        at = &(*at)->next;
    return at;
}

static void insert_locked(shard *in, record **at, record *mine)
{
    mine->next = NULL;
    *at = mine;
    cr_store_64(&in->count, in->count + 1);
}

static void remove_locked(shard *in, record *mine)
{
    record **at = bucket_of(in, mine);
    while (*at != mine)
        at = &(*at)->next;
    *at = mine->next;
    cr_store_64(&in->count, in->count - 1);
}

/* -- Following -- */

/* The stack has been left: the leader may have come back by now. */
static bool enter(cr_wait *wait)
{
    call *mine = call_of(&wait->park);
    shard *in = shard_of(mine->flight, &mine->record);
    record **at = find_locked(in, &mine->record);
    if (*at == NULL) {
        insert_locked(in, at, &mine->record);
        mine->outcome = OUTCOME_LEADS;
        return false;
    }
    wait->park.object = *at;
    wait->queue = &(*at)->followers;
    return true;
}

static const corio_task *holder(const cr_park *park, uint64_t *ret_identity)
{
    *ret_identity = 0;
    return ((const record *)park->object)->leader;
}

static const cr_park_reason follows = {
    .text = "waits in corio_do", .holder = holder, .give_up = cr_wait_give_up};

/* -- Leading -- */

/* The first follower leads next, and the others follow it. */
static cr_wait *hand_over_locked(shard *in, record *mine)
{
    cr_wait *first = cr_waiters_first(&mine->followers);
    call *next = call_of(&first->park);
    cr_wait_remove_locked(first);
    next->record.followers = mine->followers;
    next->outcome = OUTCOME_LEADS;
    for (cr_wait *wait = cr_waiters_first(&next->record.followers); wait != NULL;
         wait = wait->behind) {
        wait->queue = &next->record.followers;
        wait->park.object = &next->record;
    }
    remove_locked(in, mine);
    insert_locked(in, find_locked(in, &next->record), &next->record);
    return first;
}

/* Gives the result to those who followed; whether there were any. */
static bool give_out(cr_worker *worker, const call *leading, cr_wait *first, int rc)
{
    for (cr_wait *wait = first; wait != NULL;) {
        cr_wait *next = wait->behind; /* read before it runs */
        call *follower = call_of(&wait->park);
        follower->outcome = OUTCOME_SHARES;
        follower->rc = rc;
        if (rc >= 0 && leading->flight->value_bytes > 0)
            memcpy(follower->value, leading->value, leading->flight->value_bytes);
        cr_make_runnable(worker, &wait->park);
        wait = next;
    }
    return first != NULL;
}

/* The function has returned: whether the result was shared. */
static bool land(call *leading, int rc)
{
    cr_worker *worker = cr_worker_self();
    record *mine = &leading->record;
    shard *in = shard_of(leading->flight, mine);
    bool gives_up = rc == -ECANCELED &&
                    cr_task_cancelled(&worker->sched->cancel, worker->task) != CR_NOT_CANCELLED;
    cr_waiters_lock(&in->guard);
    cr_wait *first = cr_waiters_first(&mine->followers);
    if (gives_up && first != NULL)
        first = hand_over_locked(in, mine);
    else
        remove_locked(in, mine);
    cr_waiters_unlock(&in->guard);
    if (!gives_up)
        return give_out(worker, leading, first, rc);
    if (first != NULL)
        cr_make_runnable(worker, &first->park);
    return false;
}

typedef struct flown {
    corio_flight_fn *fn;
    void *arg;
    void *value;
} flown;

static int call_function(void *arg)
{
    const flown *what = arg;
    return what->fn(what->arg, what->value);
}

static int lead(corio_task *task, call *leading, corio_flight_fn *fn, void *arg, bool *ret_shared)
{
    flown what = {fn, arg, leading->value};
    int rc = cr_land(call_function, &what);
    *ret_shared = land(leading, rc);
    if (task->more != NULL && task->more->leaving != NULL)
        cr_leave_again(task);
    return rc;
}

/* -- Public -- */

/* Leads if nobody does: 0; else follows: what cr_wait_in returns. */
static int join(cr_worker *worker, call *mine)
{
    shard *in = shard_of(mine->flight, &mine->record);
    cr_waiters_lock(&in->guard);
    record **at = find_locked(in, &mine->record);
    bool leads = *at == NULL;
    bool own = !leads && (*at)->leader == worker->task;
    if (leads)
        insert_locked(in, at, &mine->record);
    cr_waiters_unlock(&in->guard);
    if (leads)
        return 0;
    return own ? -EDEADLK : cr_wait_in(worker, &mine->wait, CR_NEVER);
}

int corio_do(corio_flight *flight, const void *key, size_t key_bytes, corio_flight_fn *fn,
             void *arg, void *value, bool *ret_shared)
{
    cr_worker *worker = cr_worker_self();
    corio_task *task = corio_self();
    if (task == NULL)
        return -EPERM;
    worker = cr_preemption_point(worker);
    if (flight == NULL || fn == NULL || (key == NULL && key_bytes > 0) ||
        (value == NULL && flight->value_bytes > 0))
        return -EINVAL;
    call mine = {
        .flight = flight,
        .value = value,
        .record = {.key = key_bytes > 0 ? key : "", .key_bytes = key_bytes, .leader = task},
        .wait.park.reason = &follows,
    };
    mine.record.hash = corio_hash_bytes(CORIO_HASH_BEGIN, mine.record.key, key_bytes);
    mine.wait.guard = &shard_of(flight, &mine.record)->guard;
    mine.wait.enter = enter;
    bool shared = true;
    int rc = join(worker, &mine);
    if (rc == 0)
        rc = mine.outcome == OUTCOME_LEADS ? lead(task, &mine, fn, arg, &shared) : mine.rc;
    else
        shared = false;
    if (ret_shared != NULL)
        *ret_shared = shared;
    return rc;
}

int corio_flight_create(size_t value_bytes, corio_flight **ret_flight)
{
    if (ret_flight == NULL)
        return -EINVAL;
    corio_flight *flight = cr_alloc_aligned(sizeof *flight);
    if (flight == NULL)
        return -ENOMEM;
    flight->value_bytes = value_bytes;
    *ret_flight = flight;
    return 0;
}

size_t corio_flight_count(corio_flight *flight)
{
    size_t count = 0;
    for (unsigned i = 0; flight != NULL && i < shards; i++)
        count += cr_load_64(&flight->shards[i].count);
    return count;
}

int corio_flight_destroy(corio_flight *flight)
{
    if (corio_flight_count(flight) > 0)
        return -EBUSY;
    cr_free(flight);
    return 0;
}
