/* SPDX-License-Identifier: MIT
 *
 * model_flight.c - single flight: of those who ask for the same, one does it at a time; each gets a
 * value, whole, of one that was done while it asked; and in the end no key is left.
 *
 * The keys lie in one bucket.
 */
#include "runtime/sync/flight.c"
#include "tests/model/model.h"
#include "tests/model/wait_world.h"

enum { most_keys = 2 };

static struct {
    corio_flight *flight;
    uint64_t made[most_keys];   /* how often; written by who leads */
    unsigned flying[most_keys]; /* plain: a second one would race with the first, and be told */
    bool gives_up[MODEL_THREADS];
} shared;

corio_task *corio_self(void)
{
    return cr_worker_self()->task;
}

int cr_land(corio_task_fn *fn, void *arg)
{
    return fn(arg);
}

void cr_leave_again(corio_task *task)
{
    (void)task;
    model_fail("nobody leaves");
}

static uint64_t place_of(unsigned key)
{
    return corio_hash_bytes(CORIO_HASH_BEGIN, &key, sizeof key) &
           ((1u << (shard_bits + bucket_bits)) - 1);
}

static unsigned keys[most_keys];

static void choose_keys(void)
{
    if (keys[1] != 0)
        return;
    do {
        keys[1]++;
    } while (place_of(keys[1]) != place_of(keys[0]));
}

static shard *bucket_shard(void)
{
    return &shared.flight->shards[place_of(keys[0]) & (shards - 1)];
}

static void begin(unsigned tasks)
{
    choose_keys();
    begin_tasks(tasks);
    memset(&shared, 0, sizeof shared);
    MODEL_CHECK(corio_flight_create(sizeof(uint64_t[2]), &shared.flight) == 0);
    shard *in = bucket_shard();
    model_name(&in->guard, sizeof in->guard, "guard");
    model_name(&in->count, 8, "shard count");
    model_name(&in->buckets, sizeof in->buckets, "buckets");
    model_name(shared.made, sizeof shared.made, "made");
}

static void begin_two(void)
{
    begin(2);
}

static void begin_three(void)
{
    begin(3);
}

/* They lead, if they do, in vain: and who follows has to lead then. */
static void begin_one_cancelled(void)
{
    begin(3);
    cancel_first(1);
}

static void begin_two_cancelled(void)
{
    begin(3);
    cancel_first(2);
}

/* A value of two words, that belong together. */
static int make(void *arg, void *value)
{
    unsigned key = *(const unsigned *)arg;
    model_enter(most_keys); /* somebody else may run here */
    MODEL_CHECK(shared.flying[key]++ == 0);
    ((uint64_t *)value)[0] = ++shared.made[key];
    ((uint64_t *)value)[1] = shared.made[key] + key;
    shared.flying[key]--;
    model_leave();
    return model_self() < world.cancelled ? -ECANCELED : 0;
}

static void ask(unsigned key)
{
    uint64_t value[2] = {0, 0};
    bool shares;
    int rc = corio_do(shared.flight, &keys[key], sizeof *keys, make, &key, value, &shares);
    MODEL_CHECK(rc == 0 || (rc == -ECANCELED && model_self() < world.cancelled));
    MODEL_CHECK(rc != 0 || (value[0] > 0 && value[1] == value[0] + key));
}

static void ask_for_0(void)
{
    ask(0);
}

static void ask_for_1(void)
{
    ask(1);
}

static void ask_twice(void)
{
    ask(0);
    ask(0);
}

static void no_key_is_left(void)
{
    MODEL_CHECK(corio_flight_count(shared.flight) == 0);
    MODEL_CHECK(bucket_shard()->buckets[place_of(keys[0]) >> shard_bits] == NULL);
    MODEL_CHECK(corio_flight_destroy(shared.flight) == 0);
    model_check_all_freed();
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"two_ask_for_one",
         begin_two,
         {ask_for_0, ask_for_0, work, work},
         no_key_is_left,
         tasks_ended},
        {"three_ask_for_one",
         begin_three,
         {ask_for_0, ask_for_0, ask_for_0, work, work, work},
         no_key_is_left,
         tasks_ended},
        {"two_ask_twice",
         begin_two,
         {ask_twice, ask_twice, work, work},
         no_key_is_left,
         tasks_ended},
        {"two_keys_in_a_bucket",
         begin_three,
         {ask_for_0, ask_for_1, ask_for_0, work, work, work},
         no_key_is_left,
         tasks_ended},
        {"a_follower_leads_next",
         begin_one_cancelled,
         {ask_for_0, ask_for_0, ask_for_0, work, work, work},
         no_key_is_left,
         tasks_ended},
        {"two_give_up",
         begin_two_cancelled,
         {ask_for_0, ask_for_0, ask_for_0, work, work, work},
         no_key_is_left,
         tasks_ended},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 3000);
}
