/* SPDX-License-Identifier: MIT
 *
 * model_reply.c - the way back: completed batches reach the leader once, with their answers, it does
 * not sleep while one is there, and the end waits for those who still tell of one.
 */
#include "tests/model/io_world.h"

static void begin(void)
{
    begin_io(give_to_the_next, 1);
}

static void lead_one(void)
{
    lead(1);
    end_io();
}

static void lead_two(void)
{
    lead(2);
    end_io();
}

static void lead_three(void)
{
    lead(3);
    end_io();
}

static void complete_hand(unsigned hand)
{
    corio_batch *batch = get(hand);
    answer_all(batch);
    MODEL_CHECK(corio_batch_complete(batch) == 0);
}

static void complete_0(void)
{
    complete_hand(0);
}

static void complete_1(void)
{
    complete_hand(1);
}

static void complete_2(void)
{
    complete_hand(2);
}

/* Asked again first. */
static void retry_and_complete(void)
{
    corio_batch *batch = get(0);
    MODEL_CHECK(corio_batch_retry(batch, 0, 0) == 0);
    MODEL_CHECK(corio_batch_complete(batch) == 0);
    complete_hand(1);
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"one_completes", begin, {lead_one, complete_0}, end_well, NULL},
        {"two_complete", begin, {lead_two, complete_0, complete_1}, end_well, NULL},
        {"three_complete", begin, {lead_three, complete_0, complete_1, complete_2}, end_well, NULL},
        {"one_is_asked_again", begin, {lead_one, retry_and_complete}, end_well, NULL},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 3000);
}
