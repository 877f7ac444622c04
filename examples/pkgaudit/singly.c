/* SPDX-License-Identifier: MIT
 *
 * singly.c - every request is a query of its own, on a reader.
 */
#include "singly.h"

#include <corio/batch.h>

#include <errno.h>
#include <stdlib.h>

struct singly {
    struct question question;
    struct reader *reader;
    struct question_figures figures; /* one dispatch at a time */
};

/* -- The dispatcher -- */

static void count_batch(struct question_figures *figures, size_t requests)
{
    if (figures->batches == 0 || requests < figures->smallest_batch)
        figures->smallest_batch = requests;
    if (requests > figures->largest_batch)
        figures->largest_batch = requests;
    figures->batches++;
    figures->requests += requests;
    figures->unique += requests;
}

static int dispatch(void *self, corio_batch *batch)
{
    struct singly *singly = self;
    const struct store_kind *kind = singly->question.store->kind;
    size_t count = corio_batch_len(batch);
    count_batch(&singly->figures, count);
    for (size_t i = 0; i < count; i++) {
        const uint32_t *package = corio_batch_input(batch, i);
        int rc = kind->query(singly->reader, *package, corio_batch_output(batch, i));
        if (rc < 0)
            corio_batch_fail(batch, i, rc);
        else
            corio_batch_respond(batch, i);
    }
    singly->figures.statements += count;
    return 0;
}

/* -- The question -- */

/* The sheet's outputs are the answers that were given out last: they are on the heap. */
static void release(struct sheet *sheet)
{
    struct edges *held = sheet->outputs;
    while (sheet->held > 0)
        free((void *)held[--sheet->held].bytes);
}

static int ask(struct question *question, struct sheet *sheet, const uint32_t *ids, uint32_t count,
               struct edges *answers)
{
    release(sheet);
    if (sheet_reserve(sheet, count, 0, sizeof(struct edges)) < 0)
        return -ENOMEM;
    struct edges *held = sheet->outputs;
    memset(held, 0, count * sizeof *held);
    for (uint32_t i = 0; i < count; i++) {
        sheet->requests[i].dispatcher = question->dispatcher;
        sheet->requests[i].input = &ids[i];
        sheet->requests[i].output = &held[i];
    }
    int rc = corio_io_all(sheet->requests, count);
    sheet->held = count;
    memcpy(answers, held, count * sizeof *held);
    return rc;
}

static void end_sheet(struct sheet *sheet)
{
    release(sheet);
    sheet_free(sheet);
}

static void take_figures(const struct question *question, struct question_figures *ret)
{
    *ret = ((const struct singly *)question)->figures;
}

static void destroy(struct question *question)
{
    struct singly *singly = (struct singly *)question;
    if (singly->reader)
        question->store->kind->close_reader(singly->reader);
    free(singly);
}

static const struct question_kind singly_kind = {
    .ask = ask,
    .end_sheet = end_sheet,
    .take_figures = take_figures,
    .destroy = destroy,
};

int singly_create(struct store *store, corio_runtime *runtime, struct question **ret)
{
    struct singly *singly = calloc(1, sizeof *singly);
    if (!singly)
        return store_failed(store, -ENOMEM);
    singly->question = (struct question){.kind = &singly_kind, .store = store};
    int rc = store->kind->open_reader(store, &singly->reader);
    if (rc == 0) {
        const corio_dispatcher_options options = {
            .size = sizeof options,
            .name = "edges",
            .input_bytes = sizeof(uint32_t),
            .output_bytes = sizeof(struct edges),
            .dispatch = dispatch,
            .self = singly,
        };
        rc = corio_dispatcher_add(runtime, &options, &singly->question.dispatcher);
        if (rc < 0)
            store_failed(store, rc);
    }
    if (rc < 0) {
        destroy(&singly->question);
        return rc;
    }
    *ret = &singly->question;
    return 0;
}
