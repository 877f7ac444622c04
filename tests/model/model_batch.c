/* SPDX-License-Identifier: MIT
 *
 * model_batch.c - a batch's state: of several who say that they are done one is heard, a former
 * holder changes nothing, and a batch that is carved up completes itself once.
 */
#include "tests/model/io_world.h"

static int done[2]; /* what a second completion returned */

static void begin(void)
{
    begin_io(give_to_the_next, 0);
}

/* -- Two completions -- */

static void lead_and_wait_for_both(void)
{
    lead(1);
    model_receive(&done[0], "waits for one");
    model_receive(&done[1], "waits for the other");
    MODEL_CHECK((done[0] == 0 && done[1] == CORIO_ECOMPLETED) ||
                (done[1] == 0 && done[0] == CORIO_ECOMPLETED));
    end_io();
}

static int answer_and_give_to_two(void *self, corio_batch *batch)
{
    (void)self;
    answer_all(batch);
    give(0, batch);
    give(1, batch);
    return CORIO_LATER;
}

static void begin_for_two(void)
{
    begin_io(answer_and_give_to_two, 0);
}

static void complete_hand(unsigned hand)
{
    done[hand] = corio_batch_complete(get(hand));
    model_publish(&done[hand]);
}

static void complete_0(void)
{
    complete_hand(0);
}

static void complete_1(void)
{
    complete_hand(1);
}

/* -- Jobs -- */

static int answer_job(void *arg, corio_batch *batch)
{
    (void)arg;
    answer_all(batch);
    return CORIO_DONE;
}

static int complete_job(void *arg, corio_batch *batch)
{
    answer_job(arg, batch);
    MODEL_CHECK(corio_batch_complete(batch) == 0);
    return CORIO_DONE; /* once too often, and no harm */
}

/* It should say CORIO_LATER: the batch is the job's by now. */
static int submit_and_say_done(void *self, corio_batch *batch)
{
    (void)self;
    MODEL_CHECK(corio_batch_submit(batch, answer_job, NULL) == 0);
    return CORIO_DONE;
}

static int submit_to_complete(void *self, corio_batch *batch)
{
    (void)self;
    MODEL_CHECK(corio_batch_submit(batch, complete_job, NULL) == 0);
    return CORIO_LATER;
}

static void begin_job(void)
{
    begin_io(submit_and_say_done, 0);
}

static void begin_job_that_completes(void)
{
    begin_io(submit_to_complete, 1);
}

static void lead_and_end(void)
{
    lead(1);
    end_io();
}

/* The second batch is a job's as well; the first job may not have returned. */
static void lead_two_phases(void)
{
    lead(1);
    world.calls[1].request.status = 0;
    ask_for(1);
    run_phases();
    end_io();
}

/* The head of the first batch is used for the second. */
static void lead_and_reuse(void)
{
    world.io->quarantine.count = quarantine_batches;
    lead_two_phases();
}

/* -- Carving up -- */

static void lead_two(void)
{
    lead(2);
    model_receive(&done[0], "waits for the holder");
    end_io();
}

static void carve_up_and_complete(void)
{
    corio_batch *batch = get(0), *slice[2];
    MODEL_CHECK(corio_batch_slice(batch, 0, 1, &slice[0]) == 0);
    give(1, slice[0]);
    MODEL_CHECK(corio_batch_slice(batch, 1, 1, &slice[1]) == 0);
    give(2, slice[1]);
    MODEL_CHECK(corio_batch_complete(batch) == 0); /* no misuse, once */
    MODEL_CHECK(corio_batch_complete(batch) == CORIO_ECOMPLETED);
    model_publish(&done[0]);
}

static void carve_one_and_complete(void)
{
    corio_batch *batch = get(0), *slice;
    MODEL_CHECK(corio_batch_slice(batch, 0, 1, &slice) == 0);
    give(1, slice);
    answer(batch, 1);
    MODEL_CHECK(corio_batch_complete(batch) == 0);
    model_publish(&done[0]);
}

static void answer_slice(unsigned hand)
{
    corio_batch *slice = get(hand);
    answer_all(slice);
    MODEL_CHECK(corio_batch_complete(slice) == 0);
}

static void answer_slice_1(void)
{
    answer_slice(1);
}

static void answer_slice_2(void)
{
    answer_slice(2);
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"of_two_completions_one_is_heard",
         begin_for_two,
         {lead_and_wait_for_both, complete_0, complete_1},
         end_well,
         NULL},
        {"a_late_holder_changes_nothing", begin_job, {lead_and_end}, end_well, NULL},
        {"a_job_completes_itself", begin_job_that_completes, {lead_two_phases}, end_well, NULL},
        {"a_head_is_used_again", begin_job_that_completes, {lead_and_reuse}, end_well, NULL},
        {"carved_up_wholly",
         begin,
         {lead_two, carve_up_and_complete, answer_slice_1, answer_slice_2},
         end_well,
         NULL},
        {"carved_up_in_part",
         begin,
         {lead_two, carve_one_and_complete, answer_slice_1},
         end_well,
         NULL},
    };
    return model_main(argc, argv, cases, sizeof cases / sizeof *cases, 3000);
}
